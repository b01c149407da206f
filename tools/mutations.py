"""Put deliberate faults into a copy of the project, one at a time, and see that the tests go red.

    make mutations

A fault that stays green is a hole in the tests. Of `make test`, each fault runs the part that should see it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tqdm.auto import tqdm

from tools.environment import ROOT


class Mutation(NamedTuple):
    """In `file`, `right` (which occurs once) becomes `wrong`; `tests` is what should see it."""

    file: str
    right: str
    wrong: str
    tests: str


TRANSFORMS, DATA, MODELS = "helpers/transforms.py", "helpers/data.py", "helpers/models.py"
TRAINING, FEATURES, EVALUATION = "helpers/training.py", "helpers/features.py", "helpers/evaluation.py"
CHECK_FOLDER, SPLITS, PREDICT = "helpers/check_folder.py", "helpers/splits.py", "helpers/predict.py"
FILES, INTERRUPTIONS = "helpers/files.py", "tests/test_interruptions.py"
EXPLAIN, PLOTS, WIDGETS = "helpers/explain.py", "helpers/plots.py", "helpers/widgets.py"
EXERCISES = "helpers/exercises/__init__.py"
EXERCISES_04, EXERCISES_06 = "helpers/exercises/lesson_04.py", "helpers/exercises/lesson_06.py"
EDITIONS, COURSE, SLIDES = "tools/editions.py", "tools/nbgrader_course.py", "tools/slides.py"
LESSON_01, LESSON_03 = "notebooks/01_transforms.ipynb", "notebooks/03_model_surgery.ipynb"
LESSON_04, LESSON_05 = "notebooks/04_training_loop.ipynb", "notebooks/05_visualization.ipynb"
LESSON_07, LESSON_09 = "notebooks/07_fine_tuning.ipynb", "notebooks/09_your_own_images.ipynb"

FAULTS = [
    # transforms
    Mutation(TRANSFORMS, "MEAN = (0.485, 0.456, 0.406)", "MEAN = (0.406, 0.456, 0.485)", "tests/test_transforms.py"),
    Mutation(TRANSFORMS, '"val": eval_transform(size)', '"val": train_transform(size)', "tests/test_transforms.py"),
    Mutation(TRANSFORMS, "images * std + mean", "images * mean + std", "tests/test_transforms.py"),
    Mutation(TRANSFORMS, "round(size * 256 / 224)", "size", "tests/test_transforms.py"),
    # data
    Mutation(DATA, 'shuffle=split == "train"', "shuffle=False", "tests/test_data.py"),
    Mutation(DATA, "transforms[split], train.classes)", "transforms[split])", "tests/test_data.py"),
    Mutation(DATA, "ImageOps.exif_transpose(file)", "file.copy()", "tests/test_data.py"),
    Mutation(DATA, "numbers // 256", "numbers.clip(0, 255)", "tests/test_data.py"),
    Mutation(DATA, "1 / labels.bincount()", "labels.bincount()", "tests/test_data.py"),
    Mutation(DATA, "for path in sorted(folder.rglob", "for path in (folder.rglob", "tests/test_data.py"),
    Mutation(DATA, "[order[:per_class] for order in orders]", "[order for order in orders]", "tests/test_data.py"),
    # models
    Mutation(MODELS, "nn.Linear, nn.Conv2d))][-1]", "nn.Linear, nn.Conv2d))][0]", "tests/test_models.py"),
    Mutation(MODELS, "            layer.eval()", "            pass", "tests/test_models.py"),
    Mutation(MODELS, "keep = (*find_heads(model), *trainable)", "keep = trainable", "tests/test_models.py"),
    Mutation(MODELS, "and parameter.ndim > 1", "", "tests/test_models.py"),
    Mutation(MODELS, "return counter.get_total_flops() // 2", "return counter.get_total_flops()", "tests/test_models.py"),
    Mutation("helpers/weights.py", "hexdigest() != self.sha256", 'hexdigest() == ""', "tests/test_weights.py"),
    Mutation(MODELS, "        layer.requires_grad_(False)", "        layer.eval()", "tests/test_models.py"),
    # training
    Mutation(TRAINING, "optimizer.zero_grad()  # first", "pass  # first", "tests/test_training.py"),
    Mutation(TRAINING, "loss.detach() * len(y)", "loss.detach() * 4", "tests/test_training.py"),
    Mutation(
        TRAINING,
        "    best = copy.deepcopy(model.state_dict())  #",
        "    best = model.state_dict()  #",
        "tests/test_training.py",
    ),
    Mutation(
        TRAINING,
        "                    best = copy.deepcopy(",
        "                    best = dict(",
        "tests/test_training.py",
    ),
    Mutation(TRAINING, "if optimizer else model.eval()", "if optimizer else model.train()", "tests/test_training.py"),
    Mutation(TRAINING, "if val[1] > max(", "if val[1] < max(", "tests/test_training.py"),
    Mutation(TRAINING, 'torch.set_rng_state(state["random"])', "pass", "tests/test_training.py"),
    Mutation(TRAINING, 'if loader.generator and state["order"] is not None', "if False", "tests/test_training.py"),
    Mutation(TRAINING, "    model.load_state_dict(before[0])\n", "", "tests/test_training.py"),
    Mutation(TRAINING, "max(EPOCHS, math.ceil", "min(EPOCHS, math.ceil", "tests/test_training.py"),
    Mutation(TRAINING, "    model.load_state_dict(last)\n", "", "tests/test_training.py"),
    Mutation(TRAINING, ">= patience", "> patience", "tests/test_training.py"),
    Mutation(TRAINING, "+ weight * sum(", "+ 0 * sum(", "tests/test_training.py tests/test_models.py"),
    # features, evaluation, explanations, pictures
    Mutation(FEATURES, "LogisticRegression(C=C, max", "LogisticRegression(max", "tests/test_features.py"),
    Mutation(FEATURES, "- weight @ torch", "+ weight @ torch", "tests/test_features.py"),
    Mutation(EVALUATION, "    model.eval()\n", "", "tests/test_evaluation.py"),
    Mutation(EVALUATION, 'method="wilson").low', 'method="exact").low', "tests/test_evaluation.py"),
    Mutation(EVALUATION, "x.flip(-1)", "x.flip(-2)", "tests/test_evaluation.py"),
    Mutation(EVALUATION, "amax(1).argsort()", "amax(1).argsort(descending=True)", "tests/test_evaluation.py"),
    Mutation(EVALUATION, ".abs().sum() / len", ".sum().abs() / len", "tests/test_evaluation.py"),
    Mutation(EXPLAIN, "keepdim=True).relu()", "keepdim=True)", "tests/test_explain.py"),
    Mutation(EXPLAIN, "            module.reset_parameters()", "            pass", "tests/test_explain.py"),
    Mutation(PLOTS, "title if predicted == truth", "title if predicted != truth", "tests/test_explain.py"),
    Mutation(WIDGETS, "(answers == predicted)).nonzero", "(answers != predicted)).nonzero", "tests/test_explain.py"),
    # exercises
    Mutation(EXERCISES, "except BaseException as error:", "except ValueError as error:", "tests/test_exercises.py"),
    Mutation(EXERCISES, "if not answers or is_blank(answers):", "if not answers:", "tests/test_exercises.py"),
    Mutation(EXERCISES, "torch.random.fork_rng(devices=[])", "torch.enable_grad()", "tests/test_exercises.py"),
    Mutation(EXERCISES, "    if plain(value) != plain(right):", "    if False:", "tests/test_exercises.py"),
    Mutation(EXERCISES, "if not isinstance(value, str):", "if True:", "tests/test_exercises.py"),
    Mutation(
        EXERCISES_04,
        "if not torch.allclose(theirs.weight, ours",
        "if False and torch.allclose(theirs.weight, ours",
        "tests/test_exercises.py",
    ),
    Mutation(EXERCISES_06, "if low <= GOAL:", "if low <= 0:", "tests/test_exercises.py"),
    # other editions
    Mutation(EDITIONS, "cell.source = answered(cell.source, answers[name])", "pass", "tests/test_editions.py"),
    Mutation(COURSE, 'f"from {module} import {exercise.name}",', '"",', "tests/test_nbgrader_course.py"),
    Mutation(COURSE, '"locked": not solution', '"locked": False', "tests/test_nbgrader_course.py"),
    Mutation(SLIDES, 're.match("##? ", cell.source)', 're.match("# ", cell.source)', "tests/test_slides.py"),
    Mutation(SLIDES, r'r"](\1.html)"', r'r"](\1.ipynb)"', "tests/test_slides.py"),
    # the reader's own pictures
    Mutation(CHECK_FOLDER, "apart <= LEVELS", "apart >= 0", "tests/test_check_folder.py"),
    Mutation(CHECK_FOLDER, "if path.stat().st_size == 0", "if False", "tests/test_check_folder.py"),
    Mutation(CHECK_FOLDER, "if len({picture.split for picture in group}) > 1", "if False", "tests/test_check_folder.py"),
    Mutation(SPLITS, "groups == group) for group", "groups == group)[:1] for group", "tests/test_splits.py"),
    Mutation(SPLITS, "[p.group for p in pictures], seed", "None, seed", "tests/test_splits.py"),
    Mutation(SPLITS, "if check_up.unreadable and not skip_unreadable", "if False", "tests/test_splits.py"),
    Mutation(PREDICT, "        if wanted != there:", "        if False:", "tests/test_predict.py"),
    Mutation(PREDICT, "return int(failed > 0)", "return 0", "tests/test_predict.py"),
    Mutation("helpers/downloads.py", "unpacked > max(", "unpacked < 0 * max(", "tests/test_hostile_inputs.py"),
    Mutation("helpers/downloads.py", "path.parts or path.anchor", "path.parts", "tests/test_hostile_inputs.py"),
    # how the notebooks are guarded, read and brought to a class
    Mutation("tools/notebook_hygiene.py", "if found > MAX_LIX", "if found < 0", "tests/test_notebooks.py"),
    Mutation(WIDGETS, "hatch=HATCHES[index % len(HATCHES)]", "hatch=HATCHES[0]", "tests/test_palette.py"),
    Mutation(".github/workflows/notebooks.yml", "run: make test", "run: make lab", "tests/test_workflows.py"),
    Mutation("docs/example-ci/test_notebooks.py", "list(range(1, ", "list(range(99, ", "tests/test_example_ci.py"),
    Mutation(
        "docs/example-ci/guard/sitecustomize.py", ".connect = guarded", ".unused = guarded", "tests/test_example_ci.py"
    ),
    Mutation("tools/start_from_stick.py", "if folder.exists():", "if False:", "tests/test_stick.py"),
    # interruptions
    Mutation(FILES, "part.write_bytes(content)", "path.write_bytes(content)", INTERRUPTIONS),
    Mutation(FILES, "        with alone(path):\n", "        if True:\n", INTERRUPTIONS),
    Mutation(FILES, "part.unlink(missing_ok=True)", "pass", INTERRUPTIONS),
    Mutation("helpers/downloads.py", "if folder.exists() and not part.exists():", "if False:", INTERRUPTIONS),
    Mutation(TRAINING, "atomic_write(path, content.get", "Path(path).write_bytes(content.get", INTERRUPTIONS),
    Mutation(
        TRAINING,
        "history.update({key: [*history[key], figure] for key, figure in figures})",
        "for key, figure in figures:\n                    history[key].append(figure)",
        "tests/test_training.py",
    ),
    # the reader's own pictures
    Mutation(
        WIDGETS,
        '["content"]) if upload else example',
        '["content"]) if not upload else example',
        "tests/test_own_images.py",
    ),
    Mutation(DATA, "images % batch_size == 1", "images % batch_size == 2", "tests/test_data.py"),
    Mutation(MODELS, "if len(shape) != 4:", "if True:", "tests/test_hostile_inputs.py"),
    Mutation(
        "Makefile",
        "-m jupyterlab notebooks",
        "-m jupyterlab --IdentityProvider.token= notebooks",
        "tests/test_security.py",
    ),
    # what the lessons build by hand
    Mutation(LESSON_01, "MEAN = (0.485, 0.456, 0.406)", "MEAN = (0.5, 0.5, 0.5)", "tests/test_transforms.py"),
    Mutation(LESSON_03, "layer.eval()", "layer.train()", LESSON_03),
    Mutation(LESSON_04, 'model.train(phase == "train")', "model.train()", "tests/test_training.py"),
    Mutation(
        LESSON_04,
        "running_loss += loss.item() * len(labels)",
        "running_loss += loss.item() * 32",
        "tests/test_training.py",
    ),
    Mutation(LESSON_05, "return (weights * maps).sum(1).relu()", "return maps.sum(1).relu()", "tests/test_explain.py"),
    Mutation(LESSON_07, "    model.load_state_dict(last)\n", "", "tests/test_training.py"),
    Mutation(LESSON_09, 'shutil.rmtree(home / "uploaded", ignore_errors=True)', "pass", "tests/test_own_images.py"),
]


def applied(fault: Mutation, folder: Path) -> str:
    """The text of the fault's file with the fault in it.

    Raises:
        ValueError: `right` is not there exactly once, so the entry no longer says what it did.
    """
    text = (folder / fault.file).read_text(encoding="utf-8")
    right, wrong = fault.right, fault.wrong
    if fault.file.endswith(".ipynb"):  # a lesson's code, as JSON writes it
        right, wrong = (json.dumps(code, ensure_ascii=False)[1:-1] for code in (right, wrong))
    if text.count(right) != 1:
        raise ValueError(f"{fault.file} has {fault.right!r} {text.count(right)} times, not once")
    return text.replace(right, wrong)


def tests_are_green(folder: Path, tests: str) -> bool:
    command = [sys.executable, "-m", "pytest", "--exitfirst", "--quiet", "-p", "no:cacheprovider", *tests.split()]
    environment = os.environ | {"PYTHONPATH": str(folder)}  # the copy's helpers, not the installed ones
    code = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL).returncode
    if code not in (0, 1):
        raise RuntimeError(f"pytest {tests} did not run: it ended with {code}")
    return code == 0


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "copy"
        away = [".venv*", "build", ".git", "__pycache__", "downloads", "artifacts", ".ipynb_checkpoints"]
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*away))
        everything = dict.fromkeys(part for fault in FAULTS for part in fault.tests.split())
        if not tests_are_green(folder, " ".join(everything)):
            print("The tests are red without any fault: mend them first.")
            return 1
        unseen = []
        for fault in tqdm(FAULTS, unit="fault"):
            file = folder / fault.file
            whole = file.read_bytes()
            file.write_text(applied(fault, folder), encoding="utf-8")
            if tests_are_green(folder, fault.tests):
                unseen.append(fault)
            file.write_bytes(whole)
    for fault in unseen:
        print(f"Nobody saw: {fault.file}: {fault.right!r} -> {fault.wrong!r} ({fault.tests})")
    print(f"{len(FAULTS) - len(unseen)} of {len(FAULTS)} faults were seen")
    return bool(unseen)


if __name__ == "__main__":
    sys.exit(main())
