"""The exercises of lesson 01."""

import inspect
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from helpers.exercises import Answer, Exercises, NotYet, match, number, result_of, shown
from helpers.transforms import denormalise
from helpers.weights import EMBEDDED

exercises = Exercises()
CELLS = 16  # of the chessboard, on each side
IMAGES = 80  # of the validation set, that the lesson looks at
MEAN, STD = EMBEDDED.mean, EMBEDDED.std
WHITE = (1 - MEAN[0]) / STD[0]  # red


@exercises.add(
    hints=(
        "Which of the four steps change the number? 255 is divided first.",
        "Scaled, white is 1. Then the mean of red is taken away, and the rest is divided by its std.",
        "`(255 / 255 - MEAN[0]) / STD[0]`",
    ),
    answer="white = (255 / 255 - MEAN[0]) / STD[0]",
)
def q1(white: Answer) -> str:
    white = number(white)
    slips = {
        255 - MEAN[0]: "Scale first: white becomes 1, not 255.",
        (255 - MEAN[0]) / STD[0]: "Scale first: white becomes 1, not 255.",
        255: "That is white before the first step.",
        1: "That is white after scaling. The normalisation is still to come.",
        1 - MEAN[0]: "The mean is taken away. What about the standard deviation?",
        (1 - MEAN[2]) / STD[2]: "That is blue. Red comes first in `MEAN` and `STD`.",
        (1 - MEAN[1]) / STD[1]: "That is green. Red comes first in `MEAN` and `STD`.",
        1 / STD[0]: "The standard deviation is used. What about the mean?",
        1 - MEAN[0] / STD[0]: "The subtraction comes before the division: put it in brackets.",
        -MEAN[0] / STD[0]: "That is black, 0. What becomes of 255?",
    }
    for slip, why in slips.items():
        if abs(white - slip) < 0.005:
            raise NotYet(why)
    if abs(white - WHITE) > 0.05:  # rounded to 2.2
        raise NotYet("Take 255 through the steps: divide by 255, subtract the mean of red, divide by its std.")
    return (
        "About 2.25: larger numbers cannot come up in red. So the range tells whether an image was prepared correctly."
    )


@exercises.add(
    hints=(
        "Normalising was: first minus `mean`, then divided by `std`. What undoes the last step?",
        "Undo in reverse order: first multiply, then add.",
        "`images * std + mean`",
    ),
    answer='''
def undo(images):
    """Normalised float (3, height, width) to float from 0 to 1."""
    return images * std + mean
''',
)
def q2(undo: Answer) -> str:
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    original = torch.linspace(0, 1, 60).view(3, 4, 5)
    images = (original - mean) / std
    undone = torch.as_tensor(result_of(undo, images.clone()), dtype=images.dtype)
    if undone.shape != images.shape:
        raise NotYet(f"An image of shape (3, 4, 5) went in, one of shape {tuple(undone.shape)} came out.")
    slips = (
        (images * mean + std, "Mean and std have changed places."),
        ((images + mean) * std, "The order: the last step is undone first."),
        (images * std - mean, "The mean was taken away. To undo that, it is added."),
        (images / std + mean, "It was divided by std. To undo that, multiply."),
        ((images - mean) / std, "That normalises once more."),
        (images, "The image came out as it went in."),
        (255 * original, "Numbers from 0 to 1 are wanted. These go up to 255."),
    )
    for slip, why in slips:
        if torch.allclose(undone, slip, atol=1e-4):
            raise NotYet(why)
    if not torch.allclose(undone, original, atol=1e-4):
        raise NotYet("The numbers that went in before the normalisation should come out.")
    return "First times std, then plus the mean: the last step is undone first."


@exercises.add(
    hints=(
        "`Resize((64, 64))` makes every image square. What becomes of a thin insect?",
        "Scale, make it deterministic, and keep the proportions. For the last one, shrink, then crop the centre.",
        "`v2.Resize(round(size * 256 / 224))` keeps the proportions; `v2.CenterCrop(size)` cuts; `scale=True` scales; "
        "a flip is random.",
    ),
    answer="""
def for_evaluation(size):
    return v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(round(size * 256 / 224)),
            v2.CenterCrop(size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
""",
)
def q3(for_evaluation: Answer) -> str:
    size = 128  # not 224, for which some pipelines are written
    transform = result_of(for_evaluation, size)
    noise = np.random.default_rng(0).integers(0, 256, (60, 120, 3), dtype=np.uint8)
    noise[:10] = (0, 255, 0)  # a green sky, which the centre shows
    noise[:, :20], noise[:, -20:] = (255, 0, 0), (255, 0, 0)  # red margins, outside of it
    landscape = Image.fromarray(noise).resize((960, 480), Image.Resampling.NEAREST)
    first = result_of(transform, landscape)
    if tuple(first.shape) != (3, size, size):
        why = "Does it use `size`?" if first.shape[1] == first.shape[2] else "Not all images are square."
        raise NotYet(f"With size {size} it gives the shape {tuple(first.shape)}, not (3, {size}, {size}). {why}")
    if any(not torch.equal(first, transform(landscape)) for _ in range(8)):
        raise NotYet("The same image does not always give the same numbers. Evaluation has to be deterministic.")
    white = transform(Image.new("RGB", (480, 240), "white"))[0].max().item()
    if white > 100:
        raise NotYet(f"White becomes {white:.0f}. The numbers were not scaled to 0..1.")
    if abs(white - 1) < 0.01:
        raise NotYet("White is still 1: the normalisation is missing.")
    if abs(white - WHITE) > 0.02:
        raise NotYet(f"White should become {WHITE:.2f} in red, and becomes {white:.2f}.")
    colours = denormalise(first, EMBEDDED)
    red = (colours[0] > 0.9) & (colours[1] < 0.1) & (colours[2] < 0.1)
    if red[:, 0].float().mean() > 0.5:
        raise NotYet("The margins of a wide image are still there: it is squashed, and a thin insect becomes thick.")
    green = (colours[0] < 0.1) & (colours[1] > 0.9) & (colours[2] < 0.1)
    if green[0].float().mean() < 0.5:
        if first[:, 0].std(1).max() < 0.01:  # one colour, from left to right
            raise NotYet("A wide image is padded at the top and at the bottom. The centre crop is wanted here.")
        raise NotYet("Most of a large image is cut away. Make it smaller first, then cut.")
    return "It keeps the proportions, is deterministic, and scales."


@exercises.add(
    hints=(
        "`Compose([...])` puts the changes in a row; the last two steps are those of `evaluate`.",
        "An insect seen from above may be rotated: `v2.RandomRotation`. How small may a crop be?",
    ),
    answer="""
my_augmentation = v2.Compose(
    [
        v2.ToImage(),
        v2.RandomResizedCrop(SIZE, scale=(0.4, 1)),
        v2.RandomHorizontalFlip(),
        v2.RandomRotation(30),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(MEAN, STD),
    ]
)
""",
    rubric=(
        "I have looked at eight samples, and would give each of them its label.",
        "I can say of each change why an ant stays an ant under it.",
        "I can name a kind of images for which one of my changes would be wrong.",
    ),
)
def q4(my_augmentation: Answer, size: int) -> str:
    if not callable(my_augmentation):
        raise NotYet(f"A transform is expected here, as from `v2.Compose([...])`, not {shown(my_augmentation)}.")
    if inspect.isfunction(my_augmentation):
        raise NotYet("That is a function. What it returns is wanted, one transform: `v2.Compose([...])`.")
    board = np.indices((CELLS, CELLS)).sum(0) % 2 * 255  # a chessboard: how many of its squares does a sample show?
    board = np.kron(board, np.ones((12, 16))).astype(np.uint8)
    images = [Image.fromarray(array).convert("RGB") for array in (board, board.T)]
    samples = [result_of(my_augmentation, images[n % 2]) for n in range(40)]
    if not isinstance(samples[0], torch.Tensor):
        raise NotYet(f"It makes {shown(type(samples[0]).__name__)}. A network takes tensors.")
    shapes = {tuple(sample.shape) for sample in samples}
    if len(shapes) > 1:
        raise NotYet("The samples have different shapes, so they make no batch. Which step cuts a square?")
    if shapes != {(3, size, size)}:
        raise NotYet(f"The samples have the shape {shapes.pop()}, not (3, {size}, {size}).")
    if not samples[0].is_floating_point() or samples[0].max() > 5:
        raise NotYet(f"The numbers go up to {samples[0].max():.0f}. The two last steps are scaling and normalisation.")
    if min(sample.min() for sample in samples) >= 0:
        raise NotYet("No number is below 0: the normalisation is missing, or a step after it cuts them off.")
    if all(torch.equal(sample, samples[0]) for sample in samples[::2]):
        raise NotYet("All samples are the same. Training wants another version each time.")
    squares = sorted(map(_squares, samples))
    for count, least in ((1, 3), (len(samples) // 2, 15)):  # even a policy's strange samples, and the usual ones
        if squares[count - 1] < least:
            raise NotYet(
                f"{count} of {len(samples)} samples: about {squares[count - 1] / CELLS**2:.1%} of the image, or less. "
                "Nobody could name what is on it. How small may a crop be?"
            )
    return "It makes another version each time, of one size, with numbers that a network knows."


def _squares(sample: torch.Tensor) -> float:
    """How many squares of the chessboard a sample (3, h, w) shows, whatever its colours and its rotation."""
    grey = sample.mean(0)
    light = grey > (grey.max() + grey.min()) / 2
    across, down = (
        changes.sum(axis).float().quantile(0.9)
        for changes, axis in ((light[:, 1:] != light[:, :-1], 1), (light[1:] != light[:-1], 0))
    )
    return float((across + 1) * (down + 1)) if light.any() else 0.0


@exercises.add(
    hints=(
        "Correctly prepared numbers lie between about -2.1 and 2.6.",
        "From 0 to 1: scaled, and nothing else. More than a thousand: numbers up to 255 were divided by a std of about "
        "0.22.",
        "Twice: 2.6 minus 0.4, divided by 0.22, is about 10.",
    ),
    answer="""
diagnosis = {
    "A": "not normalised",
    "B": "not scaled",
    "C": "right",
    "D": "normalised twice",
}
""",
)
def q5(diagnosis: Answer) -> str:
    match(
        diagnosis,
        {"A": "not normalised", "B": "not scaled", "C": "right", "D": "normalised twice"},
        {
            "A": "From 0 to 1 without a negative number. Which step makes numbers negative?",
            "B": "Only numbers that went up to 255 can give more than a thousand.",
            "C": "Black becomes about -2, white about 2.5: just what the steps give.",
            "D": "Too wide to be right, too narrow for numbers up to 255. What becomes of 2.6, normalised again?",
        },
    )
    return "Four ranges, four diagnoses: print the range of a batch before you train."


@exercises.add(
    hints=(
        "A function of one image: `def my_change(image): return ...`, and it returns a PIL image.",
        "`ImageEnhance.Brightness(image).enhance(0.3)` darkens, `image.filter(ImageFilter.GaussianBlur(4))` blurs.",
        "Then `my_count = count_right(my_change)`.",
    ),
    answer="""
def my_change(image):
    small = image.resize((24, 24))  # as from far away
    return small.resize(image.size)


my_count = count_right(my_change)
""",
    rubric=(
        "I can say where my images might be changed like this.",
        "I have tried the change at two strengths at least, and say from which one on it does harm.",
        "I would cure it by better images, by the preprocessing or by augmentation, and say why.",
    ),
)
def q6(my_change: Answer, my_count: Answer, count_right: Callable[[Answer], int]) -> str:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8))
    changed = result_of(my_change, image.copy())
    if not isinstance(changed, Image.Image):
        raise NotYet(f"It makes {shown(type(changed).__name__)}. A PIL image is expected: `evaluate` comes afterwards.")
    if changed.size == image.size and changed.convert("RGB").tobytes() == image.tobytes():
        raise NotYet("The image comes out as it went in. Change something that a camera could change.")
    count = number(my_count)
    if not 0 <= count <= IMAGES:
        raise NotYet(f"You say {count:g} of {IMAGES} images. `count_right(my_change)` counts the right ones.")
    measured = count_right(my_change)
    if abs(count - measured) > 6:  # a random change gives a few more or less each time
        raise NotYet(
            f"You say {count:g}, and {measured} of {IMAGES} are right here. `count_right(my_change)` counts them."
        )
    return f"{measured} of {IMAGES} are right after your change."
