# What readers, teachers and CI type. `make` alone lists it.
PYTHON ?= python3
VENV := .venv/bin/python
UV := .venv/bin/uv
READY := .venv/ready
CHECKS := .venv/checks
NBGRADER := .venv-nbgrader/ready
HUB := .venv-hub/ready
PEERS := .venv-peers/ready
REVEAL := build/reveal/sphinx_revealjs
NPM := build/npm/ready
# JupyterLab refuses to run as root, the user of most containers.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)
# Without these two settings the allocator returns and reclaims every batch: training is then several times slower.
FAST := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000

# Python compiles what it imports, which takes a lesson 15 s. It may keep that, even where a container forbids it.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help:
	@awk -F ':.*## ' '/^## /{print (n++ ? "\n" : "") substr($$0, 4)} \
		/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' Makefile

# What readers need, and that with the packages of the checks.
$(READY) $(CHECKS): requirements.txt pyproject.toml $(wildcard settings/*/*/*.* settings/*/*/*/*.*)
$(READY):
	$(PYTHON) tools/set_up.py

$(CHECKS):
	$(PYTHON) tools/set_up.py checks

$(UV):
	$(MAKE) $(READY)

# nbgrader has an environment of its own. The kernel that its `python3` starts is the one of the lessons; without the path,
# ipykernel warns that nobody may find it.
$(NBGRADER): requirements-nbgrader.txt $(READY)
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(UV) pip install --python $(@D)/bin/python --requirement requirements-nbgrader.txt
	JUPYTER_PATH=$(CURDIR)/$(@D)/share/jupyter $(VENV) -m ipykernel install --prefix $(@D) --name python3
	chmod -R go-w $(@D)  # as for the hub, below
	@touch $@

# So has JupyterHub, with its proxy.
$(HUB): requirements-hub.txt $(READY)
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(UV) pip install --python $(@D)/bin/python --requirement requirements-hub.txt
	npm install --silent --global --prefix $(@D) configurable-http-proxy@5
	JUPYTER_PATH=$(CURDIR)/$(@D)/share/jupyter $(VENV) -m ipykernel install --prefix $(@D) --name python3
	cp -R settings/. $(@D)
	@touch $@

# fastai and transformers beside the lessons' packages, with the same torch (UV_TORCH_BACKEND=cpu takes the small build).
$(PEERS): requirements.txt pyproject.toml | $(READY)
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	$(UV) pip install --python $(@D)/bin/python --constraint requirements.txt --requirement pyproject.toml --group peers
	@touch $@

# reveal.js, which turns the pages of the slides, as a Python package carries it.
$(REVEAL): | $(READY)
	$(UV) pip install --no-deps --target $(@D) --group slides

# The runtime of the browser lab, and what the tests of the site look for barriers with; both only where npm is.
$(NPM): site/package.json site/package-lock.json
	@mkdir -p $(@D) && cp $^ $(@D) && rm -rf $(@D)/node_modules
	@cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent && touch ready || \
		echo "npm is not here, or reaches no registry: the site is built without the browser lab."

.PHONY: site explorers screenshots book
.PHONY: lab photos clean
.PHONY: teacher slides nbgrader stick hub hub-test
.PHONY: quick test nightly notebooks bench peers stress mutations insects species weights requirements links

## For readers
lab: $(READY) ## set up and open JupyterLab on the first lesson
	@$(if $(AS_ROOT),echo "You are root: JupyterLab starts with --allow-root. It asks for its token as always.")
	$(VENV) -m jupyterlab $(AS_ROOT) notebooks/00_start_here.ipynb

photos: $(READY) ## download the ant and bee photographs and torchvision's weights (92 MB)
	$(VENV) -m helpers.downloads

clean: ## remove the environment and all caches; downloads stay
	rm -rf .venv .venv-nbgrader .venv-hub .venv-peers build *.egg-info tests/artifacts \
		.coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} + -o -name .ipynb_checkpoints -prune -exec rm -rf {} +

site: $(CHECKS) $(NPM) ## build the web edition from the committed lessons, in build/site/
	$(VENV) -m tools.web_edition

explorers: $(CHECKS) ## render the states of the explorers for the web edition (minutes; runs the lessons)
	$(VENV) -m tools.explorer_states

book: $(CHECKS) ## print the committed lessons as one PDF, build/book.pdf (takes a chromium)
	$(VENV) -m tools.book

## For teachers
teacher: $(CHECKS) ## run every notebook with the answers of its exercises filled in, into build/teacher/ (NAMES="00 01" for some)
	$(VENV) -m tools.editions teacher $(NAMES)

slides: $(CHECKS) $(REVEAL) ## make slides of the lessons, for a browser without a network, in build/slides/
	$(VENV) -m tools.editions slides $(NAMES)

nbgrader: $(CHECKS) $(NBGRADER) ## make a course for nbgrader of the lessons, with points and hidden tests, in build/nbgrader/
	$(VENV) -m tools.editions nbgrader $(NAMES)

hub: $(HUB) ## set up a JupyterHub for a class on this machine, see docs/hub/
	@# Accounts cannot keep what their Python compiles. Some packages bring files that are no Python yet.
	-$(VENV) -m compileall -qq -j 0 helpers .venv/lib .venv-hub/lib
	git subtree split -q --prefix notebooks --branch notebooks
	chmod -R go-w .  # uv leaves files that all can write

hub-test: $(CHECKS) ## try the steps of docs/hub/ with two accounts, as root, in minutes
	$(VENV) -m pytest -m nightly tests/test_hub.py

stick: $(READY) ## fill a USB stick for a class without a network (TO=its folder)
	$(VENV) -m tools.stick $(or $(TO),$(error say where the stick is: make stick TO=folder))

## For contributors
quick: $(CHECKS) ## run the quick tests: no kernel, no browser
	$(VENV) -m pytest -n logical -m "quick and not nightly" tests

test: $(CHECKS) ## set up, run the tests, and run every notebook and compare it strictly
	$(VENV) -m pytest -n logical

nightly: $(CHECKS) $(NPM) ## run the long tests, every notebook ten times, stress and mutations (hours)
	$(VENV) -m pytest -n logical -m nightly
	for run in 1 2 3 4 5 6 7 8 9 10; do $(VENV) -m pytest -n logical notebooks || exit; done
	$(MAKE) stress mutations

notebooks: $(CHECKS) ## run every notebook anew and store its outputs (NAMES="00 01" for some)
	$(VENV) -m tools.refresh_notebooks $(NAMES)

bench: $(CHECKS) ## measure what takes longer than a lesson may (three hours; remove benchmarks/*.json to begin anew)
	$(FAST) $(VENV) -m benchmarks.does_it_help
	$(FAST) $(VENV) -m benchmarks.fine_tuning
	$(FAST) $(VENV) -m benchmarks.speed
	$(FAST) $(VENV) -m benchmarks.late_layers
	$(FAST) $(VENV) -m benchmarks.probe
	$(FAST) $(VENV) -m benchmarks.parameter_efficient
	$(FAST) $(VENV) -m benchmarks.distillation
	$(FAST) $(VENV) -m benchmarks.overhead
	$(FAST) $(VENV) -m benchmarks.lite0
	$(FAST) $(VENV) -m benchmarks.growth
	$(UV) pip install --quiet --group weights
	$(FAST) $(VENV) -m benchmarks.backbones
	$(FAST) $(VENV) -m benchmarks.shipping
	$(VENV) -m benchmarks.lessons
	$(VENV) -m benchmarks.classroom 1 4 12 --write

peers: $(PEERS) ## measure fine_tune and the probe against fastai, Hugging Face and others (hours)
	$(FAST) $(<D)/bin/python -m benchmarks.peers

stress: $(CHECKS) ## kill downloads, trainings and savings at random moments, and run lesson 00 ten times at once
	$(VENV) tests/stress.py

mutations: $(CHECKS) ## put faults into a copy, one by one, and see that the tests go red
	$(VENV) -m tools.mutations

insects: $(READY) ## render the embedded images anew
	$(VENV) -m recipes.insects

species: $(READY) ## render the six classes of data/species anew
	$(VENV) -m recipes.species --strip docs/species.jpg

weights: $(READY) ## pretrain the embedded weights anew (TINY_IMAGENET=folder; hours on a CPU)
	$(FAST) $(VENV) -m recipes.pretrain_resnet18 \
		$(or $(TINY_IMAGENET),$(error say where Tiny ImageNet lies: make weights TINY_IMAGENET=folder))

# Without the pins of the CUDA libraries: each build of torch names its own exactly, and pins would forbid all but one.
requirements: $(UV) ## compile the ranges of pyproject.toml into the pins of requirements.txt
	UV_CUSTOM_COMPILE_COMMAND="make requirements" $(UV) pip compile --quiet --universal \
		pyproject.toml --group checks --output-file requirements.txt
	awk '/^[^ ]/{cuda = /^(cuda|nvidia)-/} !cuda' requirements.txt > requirements.part
	mv requirements.part requirements.txt
	for group in nbgrader hub; do \
		UV_CUSTOM_COMPILE_COMMAND="make requirements" $(UV) pip compile --quiet --universal \
			--group $$group --constraint requirements.txt --output-file requirements-$$group.txt || exit; \
	done

screenshots: explorers site ## take the README's pictures of the web edition, docs/site-*.jpg (takes a chromium)
	$(VENV) -m tools.screenshots

links: ## write where the repository lies into the links of the documents (TO=OWNER/REPO)
	$(PYTHON) tools/links.py $(TO)
