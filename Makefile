# What readers, teachers and CI type. `make` alone lists it.
PYTHON ?= python3
VENV := .venv/bin/python
UV := .venv/bin/uv
READY := .venv/ready
NBGRADER := .venv-nbgrader/ready
REVEAL := build/reveal/sphinx_revealjs
# Without these two settings the allocator returns and reclaims every batch: training is then several times slower.
FAST := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000

.PHONY: help
help:
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' Makefile

# A finished install is not repeated. One that was cut short leaves packages that uv cannot mend: it starts afresh.
# As constraints, the exact pins bind only what this machine needs (no CUDA libraries beside CPU wheels).
$(READY): requirements.txt pyproject.toml
	@if [ -e .venv/unfinished ]; then rm -rf .venv; fi
	$(PYTHON) -m venv .venv
	@touch .venv/unfinished
	$(VENV) -m pip install --quiet --constraint requirements.txt uv
	$(UV) pip install --python $(VENV) --constraint requirements.txt --editable .
	@mv .venv/unfinished $@

$(UV):
	$(MAKE) $(READY)

# nbgrader has an environment of its own. The kernel that its `python3` starts is the one of the lessons.
$(NBGRADER): requirements-nbgrader.txt $(READY)
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(UV) pip install --python $(@D)/bin/python --requirement requirements-nbgrader.txt
	$(VENV) -m ipykernel install --prefix $(@D) --name python3
	@touch $@

# reveal.js, which turns the pages of the slides, as a Python package carries it.
$(REVEAL): | $(READY)
	$(UV) pip install --no-deps --target $(@D) --group slides

.PHONY: lab test quick nightly notebooks teacher nbgrader slides stick bench stress mutations photos insects species weights requirements clean
lab: $(READY) ## set up and open JupyterLab on the first lesson
	$(VENV) -m jupyterlab notebooks/00_start_here.ipynb

test: $(READY) ## set up, run the tests, and run every notebook and compare it strictly
	$(VENV) -m pytest -n logical

quick: $(READY) ## run the tests that take seconds: what the helpers compute, what the lessons' files keep to
	$(VENV) -m pytest -n logical -m "quick and not nightly" tests

nightly: $(READY) ## run what takes long: all architectures, whole lessons in a browser, other editions, stress, mutations
	$(VENV) -m pytest -n logical -m nightly
	$(MAKE) stress mutations

notebooks: $(READY) ## run every notebook anew and store its outputs (NAMES="00 01" for some)
	$(VENV) -m tools.refresh_notebooks $(NAMES)

teacher: $(READY) ## run every notebook with the answers of its exercises filled in, into build/teacher/
	$(VENV) -m tools.editions teacher

nbgrader: $(NBGRADER) ## make a course for nbgrader of the lessons, with points and hidden tests, in build/nbgrader/
	$(VENV) -m tools.editions nbgrader

slides: $(READY) $(REVEAL) ## make slides of the lessons, for a browser without a network, in build/slides/
	$(VENV) -m tools.editions slides

bench: $(READY) ## measure what takes longer than a lesson may (three hours; remove benchmarks/*.json to begin anew)
	$(FAST) $(VENV) -m benchmarks.does_it_help
	$(FAST) $(VENV) -m benchmarks.fine_tuning
	$(FAST) $(VENV) -m benchmarks.speed
	$(VENV) -m benchmarks.lessons

stick: $(READY) ## fill a USB stick for a class without a network (TO=its folder)
	$(VENV) -m tools.stick $(or $(TO),$(error say where the stick is: make stick TO=folder))

stress: $(READY) ## kill downloads, trainings and savings at random moments, and run lesson 00 ten times at once
	$(VENV) tests/stress.py

mutations: $(READY) ## put faults into a copy, one by one, and see that the tests go red
	$(VENV) -m tools.mutations

photos: $(READY) ## download the ant and bee photographs and torchvision's weights (92 MB)
	$(VENV) -m helpers.downloads

insects: $(READY) ## render the embedded images anew
	$(VENV) -m recipes.insects

species: $(READY) ## render the six classes of data/species anew
	$(VENV) -m recipes.species --strip docs/species.jpg

weights: $(READY) ## pretrain the embedded weights anew (TINY_IMAGENET=folder; hours on a CPU)
	$(FAST) $(VENV) -m recipes.pretrain_resnet18 \
		$(or $(TINY_IMAGENET),$(error say where Tiny ImageNet lies: make weights TINY_IMAGENET=folder))

requirements: $(UV) ## compile the ranges of pyproject.toml into the pins of requirements.txt
	UV_CUSTOM_COMPILE_COMMAND="make requirements" $(UV) pip compile --quiet --universal \
		pyproject.toml --output-file requirements.txt
	UV_CUSTOM_COMPILE_COMMAND="make requirements" $(UV) pip compile --quiet --universal \
		--group nbgrader --constraint requirements.txt --output-file requirements-nbgrader.txt

clean: ## remove the environment and all caches; downloads stay
	rm -rf .venv .venv-nbgrader build *.egg-info .coverage .hypothesis .pytest_cache .ruff_cache tests/artifacts
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +
