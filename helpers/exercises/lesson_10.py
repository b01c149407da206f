"""The exercises of lesson 10."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import v2

from helpers.classifier import OnnxModel
from helpers.errors import LessonError
from helpers.exercises import Answer, Exercises, NotYet, choose, match, result_of, shown
from helpers.tracks import current_track
from helpers.transforms import eval_transform
from helpers.weights import IMAGENET_MEAN, IMAGENET_STD

exercises = Exercises()
SIZE = 144  # of the lesson's images, in pixels


@exercises.add(
    hints=(
        "The cost of each class is known for an action: a column of the matrix. Weight it with the probabilities.",
        "`probabilities @ costs` is the expected cost of each action.",
    ),
    answer='''
def best_action(probabilities, costs):
    """The index of the cheapest action."""
    return int((np.asarray(probabilities) @ np.asarray(costs)).argmin())
''',
)
def q1(best_action: Answer) -> str:
    wasp = np.array([0.9, 0.1])  # a bee, or a wasp

    def action(probabilities: np.ndarray, costs: list[list[float]]) -> Any:
        chosen = result_of(best_action, probabilities, np.array(costs, float))
        try:
            return int(chosen)
        except (TypeError, ValueError):
            raise NotYet(f"An index is expected, 0 for the first action, not {shown(chosen)}.") from None

    if action(wasp, [[0, 1], [1, 0]]) != 0:
        raise NotYet("Where both mistakes cost the same, the most probable class is the best action.")
    if action(np.array([0.4, 0.6]), [[0, 1], [5, 0]]) != 1:
        raise NotYet("A row of the matrix is a true class, a column an action. Have you taken one for the other?")
    if action(wasp, [[0, 1], [20, 0]]) != 1:
        raise NotYet("A bee is more probable, but to call a wasp a bee costs 20 here: 0.1 x 20 = 2, against 0.9 x 1.")
    if action(np.array([0.5, 0.5]), [[0, 4, 1], [4, 0, 1]]) != 2:
        raise NotYet("There may be more actions than classes: a third column can be 'not sure'.")
    return "With a column for 'not sure', the same line replaces the threshold, if the probabilities are calibrated."


@exercises.add(
    hints=(
        "`preprocessing.mean` and `preprocessing.std` say how the weights were trained. Are hers the same?",
        "`resize((SIZE, SIZE))` squashes a long image. Ours resizes the shorter side to `preprocessing.resize`, and "
        "then cuts a square out of the centre: `image.crop((left, top, left + SIZE, top + SIZE))`.",
        "Rows and columns of the resized image: `preprocessing.resize * side // min(image.size)` for each side.",
    ),
    answer='''
from PIL import Image


def prepare(image):
    """A PIL image as float32 (3, SIZE, SIZE), as the network was trained with."""
    sides = [preprocessing.resize * side // min(image.size) for side in image.size]
    resized = image.resize(sides, Image.Resampling.BICUBIC)
    left, top = (round((side - SIZE) / 2) for side in sides)
    pixels = np.asarray(resized.crop((left, top, left + SIZE, top + SIZE)), np.float32) / 255
    pixels = (pixels - preprocessing.mean) / preprocessing.std
    return pixels.transpose(2, 0, 1).astype(np.float32)
''',
)
def q2(prepare: Answer) -> str:
    preprocessing = current_track("species").preprocessing.at(SIZE)
    generator = np.random.default_rng(0)

    def squashed(mean: Any, std: Any) -> v2.Compose:
        mode = v2.InterpolationMode(preprocessing.interpolation)
        resized = v2.Resize((SIZE, SIZE), mode)
        return v2.Compose([v2.ToImage(), resized, v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean, std)])

    other = eval_transform(replace(preprocessing, mean=IMAGENET_MEAN, std=IMAGENET_STD))
    expected = {
        "": eval_transform(preprocessing),
        "Your image is squashed: resize its shorter side, then cut out the centre.": squashed(
            preprocessing.mean, preprocessing.std
        ),
        "These are the mean and std of other weights. Which ones belong to these?": other,
        "Nothing has changed: there are two mistakes, in the size and in the numbers.": squashed(
            IMAGENET_MEAN, IMAGENET_STD
        ),
    }
    for width, height in ((240, 200), (180, 260), (200, 200)):
        coarse = generator.integers(0, 256, (5, 6, 3), dtype=np.uint8)
        image = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        given = np.asarray(result_of(prepare, image))
        if given.shape != (3, SIZE, SIZE):
            raise NotYet(f"The shape should be (3, {SIZE}, {SIZE}), and it is {given.shape}.")
        if given.dtype != np.float32:
            raise NotYet(f"The file takes float32, and this is {given.dtype}: end with `.astype(np.float32)`.")
        if given.max() > 20:
            raise NotYet("The values reach far above 1: divide by 255 first.")
        distances = {why: float(np.abs(given - part(image).numpy()).mean()) for why, part in expected.items()}
        nearest = min(distances, key=distances.__getitem__)
        if nearest:
            raise NotYet(nearest)
        if distances[""] > 0.08:  # a centre that is one pixel off will do
            raise NotYet(
                "It is near, but not the same. Compare it with `eval_transform(preprocessing)(image)`: are the colours "
                "in their order, and is it the centre that you cut out?"
            )
    return "The same numbers as in training. Better still: leave this to the file itself, as below."


@exercises.add(
    hints=(
        "Take the requirements one by one, and strike out each version that breaks one.",
        "The lower end of the interval is the worse one: -2.2 is within 3 points, -13.1 is not.",
    ),
    answer="""
ship = "int8 by channel"
against = {
    "float32": "size",
    "float16": "latency",
    "int8 by channel": "nothing",
    "int8 by layer": "accuracy",
}
""",
)
def q3(ship: Answer, against: Answer) -> str:
    choose(
        ship,
        "int8 by channel",
        {
            "float32": "It takes up 13.6 MB, and there are 8.",
            "float16": "It is small enough, but an answer takes 44 ms.",
            "int8 by layer": "It is small and quick, but it loses up to 13.1 points.",
        },
    )
    match(
        against,
        {"float32": "size", "float16": "latency", "int8 by channel": "nothing", "int8 by layer": "accuracy"},
        {
            "float32": "31 ms would do, and it loses nothing; look at the file.",
            "float16": "6.9 MB would do, and it loses next to nothing; look at one image.",
            "int8 by channel": "it is the one that you ship.",
            "int8 by layer": "it is small and quick; look at the interval.",
        },
    )
    return "One scale for a whole layer must fit its largest weights, and leaves few steps for the small ones."


@exercises.add(
    hints=(
        "`scipy.stats.ks_2samp(reference, current).pvalue` is small where the two samples differ.",
        "1 false alarm in 100 weeks: ring where the p-value is below 0.01.",
    ),
    answer='''
from scipy.stats import ks_2samp


def drifted(reference, current):
    """Whether two samples of confidences, in 0..1, differ by more than chance explains."""
    return ks_2samp(reference, current).pvalue < 0.01
''',
)
def q4(drifted: Answer) -> str:
    generator = np.random.default_rng(0)

    def alarms(a: float, b: float, weeks: int = 100) -> float:
        """How often it rings where a week's confidences are drawn so, and those of `val` from Beta(6, 2)."""
        rings = [bool(result_of(drifted, generator.beta(6, 2, 180), generator.beta(a, b, 60))) for _ in range(weeks)]
        return float(np.mean(rings))

    false = alarms(6, 2, weeks=500)
    if false > 0.025:
        raise NotYet(f"Without any shift it rings in {false:.0%} of the weeks, by chance alone. It should in 1 of 100.")
    found = alarms(4, 3)
    if found < 0.8:
        raise NotYet(f"Where the confidences have fallen, it rings in {found:.0%} of the weeks only.")
    if (spread := alarms(1.5, 0.5)) < 0.5:
        raise NotYet(
            f"It rings in {spread:.0%} of the weeks where the mean stays and the spread grows. Compare whole samples."
        )
    return "It needs no labels. What it rings for, only labelled images can tell."


@exercises.add(
    hints=(
        "`export_onnx(model, 'somewhere/mine.onnx')`, then `model_card(model, path, folder, purpose)`.",
        "Write the card as `mine.md` beside `mine.onnx`. Another export is another file: write the card anew.",
    ),
    answer="""
my_model = home / "mine.onnx"  # for this example; keep yours in a folder that stays
my_model.write_bytes(shipped.read_bytes())
purpose = "To sort images of these six rendered animals. Not for anything alive."
# The same file has the same figures: only its name and the purpose are new. For another file, call `model_card`.
(home / "mine.md").write_text(text.replace(shipped.name, my_model.name).replace(PURPOSE, purpose))
""",
    rubric=(
        "The purpose says who should use the model, and for what it must not be used.",
        "The test images differ from those of the training as those in real use will.",
        "The threshold follows from costs that I can name.",
    ),
)
def q5(my_model: Answer) -> str:
    if not isinstance(my_model, (str, Path)):
        raise NotYet(f"The path of a file is expected here, not {shown(my_model)}.")
    path = Path(my_model).expanduser()
    if path.suffix != ".onnx":
        raise NotYet(f"{path.name} is not exported: the file should end in .onnx.")
    try:
        model = OnnxModel(path)
    except LessonError as error:
        raise NotYet(str(error)) from None
    card = path.with_suffix(".md")
    if not card.is_file():
        raise NotYet(f"There is no card: write what `model_card` returns to {card.name}, beside the model.")
    text = card.read_text(encoding="utf-8")
    if hashlib.sha256(path.read_bytes()).hexdigest() not in text:
        raise NotYet(f"{card.name} is the card of another file: its checksum differs. Write it anew.")
    if "## Purpose\n\nNot stated" in text:
        raise NotYet("The card does not say what the model is for: give `model_card` a purpose.")
    if not model.threshold:
        raise NotYet("The model has no threshold: it is never 'not sure'. choose_threshold finds one on `val`.")
    return f"A model for {', '.join(model.class_names)}, with a card that belongs to it."
