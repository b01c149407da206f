"""Put deliberate faults into a copy of the project, one at a time, and see that the tests go red.

    make mutations

A fault that stays green is a hole in the tests. Each is one that computes something wrong without a word, and runs the
tests that should see it.
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
from tools.forgotten_moves import forgotten_moves


class Mutation(NamedTuple):
    """In `file`, `original` (which occurs once) becomes `mutant`; `tests` is what should see it."""

    file: str
    original: str
    mutant: str
    tests: str


TRANSFORMS, DATA, MODELS = "helpers/transforms.py", "helpers/data.py", "helpers/models.py"
WEIGHTS, CHECKPOINTS = "helpers/weights.py", "helpers/checkpoints.py"
TRAINING, FEATURES, EVALUATION = "helpers/training.py", "helpers/features.py", "helpers/evaluation.py"
IMAGES, LAYOUTS, OWN = "helpers/images.py", "helpers/layouts.py", "helpers/own_images"
EXPLAIN, FILES, INTERRUPTIONS = "helpers/explain.py", "helpers/files.py", "tests/test_interruptions.py"
EXPORT, APP = "helpers/export.py", "helpers/app.py"
EXERCISES = "helpers/exercises/__init__.py"
EXERCISES_04, EXERCISES_06 = "helpers/exercises/lesson_04.py", "helpers/exercises/lesson_06.py"
EDITIONS, COURSE = "tools/editions.py", "tools/nbgrader_course.py"
LESSON_01, LESSON_03 = "notebooks/01_transforms.ipynb", "notebooks/03_model_surgery.ipynb"
LESSON_04, LESSON_05 = "notebooks/04_training_loop.ipynb", "notebooks/05_visualization.ipynb"
LESSON_06, LESSON_07 = "notebooks/06_does_it_help.ipynb", "notebooks/07_fine_tuning.ipynb"
LESSON_09 = "notebooks/09_your_own_images.ipynb"

MUTATIONS = [
    # transforms
    Mutation(WEIGHTS, "STD = (0.485, 0.456, 0.406)", "STD = (0.406, 0.456, 0.485)", "tests/test_transforms.py"),
    Mutation(TRANSFORMS, '"val": eval_transform', '"val": train_transform', "tests/test_transforms.py"),
    Mutation(TRANSFORMS, "images * std + mean", "images * mean + std", "tests/test_transforms.py"),
    Mutation(WEIGHTS, "round(self.size * 256 / 224)", "self.size", "tests/test_transforms.py"),
    # data
    Mutation(
        DATA,
        "generator=generator) if shuffle else None",
        "generator=generator) if False else None",
        "tests/test_data.py",
    ),
    Mutation(DATA, "transforms[split], train.classes)", "transforms[split])", "tests/test_data.py"),
    Mutation(IMAGES, "ImageOps.exif_transpose(image)", "image.copy()", "tests/test_data.py"),
    Mutation(DATA, "1 / labels.bincount()", "labels.bincount()", "tests/test_data.py"),
    Mutation(LAYOUTS, "sorted(scan, key=lambda entry: entry.name)", "list(scan)", "tests/test_data.py"),
    # models
    Mutation(MODELS, "nn.Linear, nn.Conv2d))][-1]", "nn.Linear, nn.Conv2d))][0]", "tests/test_models.py"),
    Mutation(MODELS, "            layer.eval()", "            pass", "tests/test_models.py"),
    Mutation(MODELS, "keep = (*find_heads(model), *trainable)", "keep = trainable", "tests/test_models.py"),
    Mutation(MODELS, "and parameter.ndim > 1", "", "tests/test_models.py"),
    Mutation("helpers/weights.py", "hexdigest() != self.sha256", 'hexdigest() == ""', "tests/test_weights.py"),
    Mutation(MODELS, "        layer.requires_grad_(False)", "        layer.eval()", "tests/test_models.py"),
    Mutation("helpers/lora.py", "nn.init.zeros_(self.up.weight)", "pass", "tests/test_lora.py"),
    Mutation("helpers/lora.py", "self.frozen.weight += product", "self.frozen.weight -= product", "tests/test_lora.py"),
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
    Mutation(TRAINING, "if not val[1] <= max(", "if not val[1] >= max(", "tests/test_training.py"),
    Mutation(CHECKPOINTS, 'restore_random_states(state["random"][rank()])', "pass", "tests/test_checkpoints.py"),
    Mutation(CHECKPOINTS, 'if generator and state["order"] is not None', "if False", "tests/test_checkpoints.py"),
    Mutation(CHECKPOINTS, "if settings.get(name) != now:", "if False:", "tests/test_checkpoints.py"),
    Mutation(CHECKPOINTS, "if training.num_epochs > num_epochs and", "if False and", "tests/test_checkpoints.py"),
    Mutation(TRAINING, "scaler.unscale_(optimizer)", "pass", "tests/test_training.py"),
    Mutation(TRAINING, "    model.load_state_dict(before[0])\n", "", "tests/test_training.py"),
    Mutation(TRAINING, 'if keep == "best" or not finished:', "if True:", "tests/test_training.py"),
    Mutation(TRAINING, "+ weight * sum(", "+ 0 * sum(", "tests/test_training.py tests/test_models.py"),
    # features, evaluation, explanations, images
    Mutation(FEATURES, "- weight @ torch", "+ weight @ torch", "tests/test_features.py"),
    Mutation(EVALUATION, "    model.eval()\n", "", "tests/test_evaluation.py"),
    Mutation(EVALUATION, 'method="wilson").low', 'method="exact").low', "tests/test_evaluation.py"),
    Mutation(EVALUATION, ".abs().sum() / len", ".sum().abs() / len", "tests/test_evaluation.py"),
    Mutation(EXPLAIN, "torch.cat(weighted).relu()", "torch.cat(weighted)", "tests/test_explain.py"),
    Mutation(EXPLAIN, "            reset()", "            pass", "tests/test_explain.py"),
    # exercises
    Mutation(EXERCISES, "except BaseException as error:", "except ValueError as error:", "tests/test_exercises.py"),
    Mutation(EXERCISES, "with seeded(0):", "if True:", "tests/test_exercises.py"),
    Mutation(
        EXERCISES_04,
        "if not torch.allclose(theirs.weight, ours",
        "if False and torch.allclose(theirs.weight, ours",
        LESSON_04,
    ),
    Mutation(EXERCISES_06, "if low <= GOAL:", "if low <= 0:", LESSON_06),
    # other editions
    Mutation(EDITIONS, "cell.source = answered(cell.source, answers[name])", "pass", "tests/test_editions.py"),
    Mutation(COURSE, 'f"from {module} import {exercise.name}",', '"",', "tests/test_nbgrader_course.py"),
    # the reader's own images
    Mutation(f"{OWN}/near_duplicates.py", "i) <= LEVELS]", "i) <= 255]", "tests/test_near_duplicates.py"),
    Mutation(
        f"{OWN}/near_duplicates.py",
        "np.unique(np.concatenate(candidates))",
        "candidates[0]",
        "tests/test_near_duplicates.py",
    ),
    Mutation(
        f"{OWN}/report.py", "if len({picture.split for picture in group}) > 1", "if False", "tests/test_check_folder.py"
    ),
    Mutation(f"{OWN}/splits.py", "[p.group for p in pictures], ", "", "tests/test_splits.py"),
    Mutation(f"{OWN}/splits.py", "[together[i] for i in dealt]", "None", "tests/test_groups.py"),
    Mutation("helpers/archives.py", "unpacked > max(", "unpacked < 0 * max(", "tests/test_hostile_inputs.py"),
    Mutation("helpers/archives.py", "path.parts or path.anchor", "path.parts", "tests/test_hostile_inputs.py"),
    # interruptions
    Mutation(FILES, "part.write_bytes(content)", "path.write_bytes(content)", INTERRUPTIONS),
    Mutation(FILES, 'another place"), exclusive_lock(path):', 'another place"):', INTERRUPTIONS),
    Mutation(FILES, "part.unlink(missing_ok=True)", "pass", INTERRUPTIONS),
    Mutation(CHECKPOINTS, "atomic_write(Path(path).expanduser(), ", "Path(path).write_bytes(", INTERRUPTIONS),
    Mutation(
        TRAINING,
        "history.update({key: [*history[key], figure] for key, figure in figures})",
        "for key, figure in figures:\n                    history[key].append(figure)",
        "tests/test_training.py",
    ),
    # the token of JupyterLab
    Mutation(
        "Makefile",
        "-m jupyterlab",
        "-m jupyterlab --IdentityProvider.token=",
        "tests/test_security.py",
    ),
    # shipping
    Mutation(EXPORT, "return x.round().clamp(0, 255)", "return x", "tests/test_export.py"),
    Mutation(EXPORT, "(rest + rest // 2 % 2) // 2", "rest // 2", "tests/test_export.py"),
    Mutation(EXPORT, "        _note(graph, model, takes, precision)", "        pass", "tests/test_export.py"),
    Mutation(EVALUATION, "float(wrong) * (answered", "(answered", "tests/test_evaluation.py"),
    Mutation(APP, "self.set_status(400)", "pass", "tests/test_app.py"),
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
    Mutation(LESSON_07, 'num_epochs, keep="last"', "num_epochs", "tests/test_training.py"),
    Mutation(LESSON_09, 'shutil.rmtree(home / "uploaded", ignore_errors=True)', "pass", "tests/test_own_images.py"),
    # a tensor that stays on its device
    *(
        Mutation(*move, "tests/test_devices.py tests/test_exercises_on_devices.py tests/test_train_command.py")
        for move in forgotten_moves()
    ),
]


def as_written(mutation: Mutation) -> tuple[str, str]:
    """What is right and what is wrong, as the file has it: a notebook holds its code as JSON."""
    if not mutation.file.endswith(".ipynb"):
        return mutation.original, mutation.mutant
    right, wrong = (json.dumps(code, ensure_ascii=False)[1:-1] for code in (mutation.original, mutation.mutant))
    return right, wrong


def stale_mutations() -> list[str]:
    """A line for each fault that no longer says what it did, because its code is not there exactly once."""
    counts = {
        mutation: (ROOT / mutation.file).read_text(encoding="utf-8").count(as_written(mutation)[0])
        for mutation in MUTATIONS
    }
    return [
        f"{mutation.file} has {mutation.original!r} {count} times" for mutation, count in counts.items() if count != 1
    ]


def tests_are_green(folder: Path, tests: str) -> bool:
    every_lane = ["-m", ""]
    options = ["--exitfirst", "--quiet", "-p", "no:cacheprovider", *every_lane]
    command = [sys.executable, "-m", "pytest", *options, *tests.split()]
    environment = os.environ | {"PYTHONPATH": str(folder)}  # the copy's helpers, not the installed ones
    code = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL).returncode
    if code not in (0, 1):
        raise RuntimeError(f"pytest {tests} did not run: it ended with {code}")
    return code == 0


def main() -> int:
    if stale := stale_mutations():
        print("Faults that no longer fit the code; mend `MUTATIONS`:", *stale, sep="\n")
        return 1
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "copy"
        away = [".venv*", "build", ".git", "__pycache__", "downloads", "artifacts", ".ipynb_checkpoints"]
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*away))
        everything = dict.fromkeys(part for mutation in MUTATIONS for part in mutation.tests.split())
        if not tests_are_green(folder, " ".join(everything)):
            print("The tests are red without any mutation: mend them first.")
            return 1
        unseen = 0
        for mutation in tqdm(MUTATIONS, unit="fault"):
            file = folder / mutation.file
            whole = file.read_bytes()
            file.write_text(whole.decode().replace(*as_written(mutation)), encoding="utf-8")
            if tests_are_green(folder, mutation.tests):
                unseen += 1
                # At once: the run takes an hour, and may be stopped.
                tqdm.write(
                    f"Nobody saw: {mutation.file}: {mutation.original!r} -> {mutation.mutant!r} ({mutation.tests})"
                )
            file.write_bytes(whole)
    print(f"{len(MUTATIONS) - unseen} of {len(MUTATIONS)} faults were seen")
    return bool(unseen)


if __name__ == "__main__":
    sys.exit(main())
