"""The exercises of lesson 00."""

from typing import Any

import numpy as np

from helpers.evaluation import Accuracy
from helpers.exercises import Answer, Exercises, NotYet, is_blank, match, number, result_of, shown
from helpers.features import linear_probe

exercises = Exercises()
DRAWS, ROOM = 30, 0.05  # random choices of images, and what may lie beyond the best and the worst of them


@exercises.add(
    hints=(
        "How many batches of 32 are 397 images?",
        "397 / 32 is a little more than 12. Each batch takes `batch_seconds`.",
        "`397 / 32 * batch_seconds`",
    ),
    answer="my_seconds = 397 / 32 * batch_seconds",
)
def q1(seconds: Answer, batch_seconds: float) -> str:
    batches = number(seconds) / batch_seconds
    if 0.9 < batches < 1.1:
        raise NotYet("That is the time of one batch. How many batches are 397 images?")
    if 350 < batches < 450:
        raise NotYet("The batch that was timed had 32 images, not one.")
    if 1000 * 10 < batches < 1000 * 16:
        raise NotYet("That many milliseconds, yes. How many seconds is that?")
    if not 10 <= batches <= 16:
        raise NotYet(f"One batch of 32 images took {batch_seconds:.2f} s. How many such batches are 397 images?")
    return "And only once: whatever we try on the features costs next to nothing."


@exercises.add(
    hints=(
        "`predicted == labels` compares all of them at once.",
        "True counts as 1 and False as 0, so the mean of such an array is a share.",
        "`(predicted == labels).mean()`",
    ),
    answer='''
def share_right(predicted, labels):
    """The share of right predictions, from 0 to 1."""
    return (predicted == labels).mean()
''',
)
def q2(share_right: Answer) -> str:
    labels = np.array([0, 1, 0, 0, 1, 1, 0, 1])
    predicted = np.array([0, 1, 1, 0, 1, 1, 0, 0])  # six of eight
    share = result_of(share_right, predicted, labels)
    if np.size(share) > 1:
        raise NotYet("It returns a value for each image. One number for all of them is wanted.")
    share = number(share)
    if share == 6:
        raise NotYet("It returns how many are right. Which share of all is that?")
    if share == 75:
        raise NotYet("It returns percent. A share lies between 0 and 1.")
    if share == 0.25:
        raise NotYet("It returns the share that is wrong.")
    if not abs(share - 0.75) < 1e-6:
        raise NotYet(f"Six of eight right answers should give 0.75; it returns {shown(share)}.")
    if not abs(number(result_of(share_right, labels[:3], labels[:3])) - 1) < 1e-6:
        raise NotYet("Three of three right answers should give 1. Divide by the number of labels that came in.")
    return "`accuracy`, below, computes this share, with its confidence interval."


@exercises.add(
    hints=(
        "Two of the four are true.",
        "The interval is about the true accuracy. The next 100 images bring their own luck on top of it.",
        "Overlap is no test. 367 and 385 of 400 have intervals that overlap, and yet the difference is significant.",
        "On the same images, those that both classifiers have right, or both wrong, say nothing about the difference.",
    ),
    answer="""
verdicts = {"A": True, "B": False, "C": False, "D": True}
""",
)
def q3(verdicts: Answer) -> str:
    if isinstance(verdicts, dict):  # "true" is as good as True
        verdicts = {key: value if is_blank(value) else str(value) for key, value in verdicts.items()}
    match(
        verdicts,
        {"A": "true", "B": "false", "C": "false", "D": "true"},
        {
            "A": "This is what a 95 % confidence interval is made for. Read the sentence above once more.",
            "B": "It is an interval for the true accuracy. The next 100 images add luck of their own, so their "
            "accuracy leaves it more often than in 5 of 100 cases.",
            "C": "No difference was *shown*: that is not the same as no difference. One more reason for doubt: whether "
            "intervals overlap is no test. Look at the interval of the difference.",
            "D": "Images on which both are right, or both wrong, cannot tell them apart. The others can.",
        },
    )
    return "A confidence interval is about the true accuracy, and a comparison is about the difference."


@exercises.add(
    hints=(
        "On which images did the probe learn, and which does it predict?",
        "A probe with 768 numbers per image can memorise most of 244 labels.",
        "Learn from `train_x, train_y`. Predict `val_x`, and compare with `val_y`.",
    ),
    answer='''
def honest_score(train_x, train_y, val_x, val_y):
    """The accuracy of a probe on images that it has not learned from."""
    my_probe = linear_probe(train_x, train_y)
    return accuracy(my_probe.predict(val_x), val_y)
''',
)
def q4(honest_score: Answer) -> str:
    random = np.random.default_rng(0)

    def scored(*arguments: Any) -> float:
        result = result_of(honest_score, *arguments)
        return result.value if isinstance(result, Accuracy) else number(result)

    def shifted(labels: np.ndarray) -> np.ndarray:  # two classes that lie far apart
        return random.normal(size=(len(labels), 200)) + 3 * labels[:, None]

    # Nothing to learn: random labels for random features.
    y, y_new = random.integers(0, 2, 60), random.integers(0, 2, 60)
    luck = scored(random.normal(size=(60, 200)), y, random.normal(size=(60, 200)), y_new)
    if luck > 0.8:
        raise NotYet(
            f"On random labels no method is better than guessing, but it says {luck:.0%}. "
            "It predicts images that it has learned from, or others than those that it was given."
        )
    skill = scored(shifted(y), y, shifted(y_new), y_new)
    if not 0.9 < skill <= 1:
        raise NotYet(
            f"Two classes that lie far apart are easy to learn, but it says {skill:.0%}. "
            "Which labels belong to the images that it predicts?"
        )
    return "On random labels it says about 50 %, as it should."


@exercises.add(
    hints=(
        "`train_features` come in random order, so the first n of them are a random choice.",
        "`linear_probe(train_features[:n], train_labels[:n])` learns from n images.",
        "Collect `{n: accuracy(..., val_labels)}` for n in, say, 8, 20, 60 and 244.",
    ),
    answer="""
by_images = {}
for n in (8, 20, 60, len(train_labels)):
    small_probe = linear_probe(train_features[:n], train_labels[:n])
    by_images[n] = accuracy(small_probe.predict(val_features), val_labels)
""",
    rubric=(
        "I have drawn each number of images several times, since eight other images give another accuracy.",
        "I show an interval with each accuracy.",
        "I say in a sentence how many images I would collect, and why.",
    ),
)
def q5(by_images: Answer, train_x: np.ndarray, train_y: np.ndarray, val_x: np.ndarray, val_y: np.ndarray) -> str:
    if not isinstance(by_images, dict) or len(by_images) < 3:
        raise NotYet("A dictionary {number of images: accuracy} with at least three numbers is expected here.")
    shares = {int(number(n)): a.value if isinstance(a, Accuracy) else number(a) for n, a in by_images.items()}
    if not all(0 <= share <= 1 for share in shares.values()):
        raise NotYet("An accuracy lies between 0 and 1.")
    fewest, most = min(shares), max(shares)
    if fewest < 2 or most > len(train_y):
        raise NotYet(f"There are {len(train_y)} training images, and a probe needs two at least.")
    if most < 5 * fewest:
        raise NotYet(f"Go further: from {fewest} to {most} images there is little to see.")
    for n in sorted(shares):
        low, high = _usual(n, train_x, train_y, val_x, val_y)
        if shares[n] > high:
            raise NotYet(
                f"With {n} images we expect about {low:.0%} to {high:.0%} of the validation images to be right, not "
                f"{shares[n]:.0%}. Did you evaluate it on the images that it has learned from?"
            )
        if shares[n] < low:
            raise NotYet(
                f"With {n} images we expect about {low:.0%} to {high:.0%} of the validation images to be right, not "
                f"{shares[n]:.0%}. Which features and labels belong together?"
            )
    return f"From {shares[fewest]:.0%} with {fewest} images to {shares[most]:.0%} with {most}."


def _usual(
    n: int, train_x: np.ndarray, train_y: np.ndarray, val_x: np.ndarray, val_y: np.ndarray
) -> tuple[float, float]:
    """Between which accuracies probes end that learn from n random images, with room on both sides."""
    random = np.random.default_rng(0)
    found: list[float] = []
    while len(found) < DRAWS:
        chosen = random.permutation(len(train_y))[:n]
        if len(set(train_y[chosen])) > 1:
            found.append(linear_probe(train_x[chosen], train_y[chosen]).score(val_x, val_y))
    return min(found) - ROOM, min(max(found) + ROOM, 1.0)
