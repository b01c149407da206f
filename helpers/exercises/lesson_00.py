"""The exercises of lesson 00."""

from typing import Any

import numpy as np

from helpers.evaluation import Accuracy
from helpers.exercises import Answer, Exercises, NotYet, choose, number, result_of, shown

exercises = Exercises()


@exercises.add(
    hints=(
        "How many pictures are done in one second?",
        "10 ms are a hundredth of a second: 100 pictures in a second.",
        "644 pictures, divided by 100 in each second.",
    ),
    answer="my_seconds = 644 * 0.010",
)
def q1(seconds: Answer) -> str:
    seconds = number(seconds)
    if 3000 < seconds < 20_000:
        raise NotYet("That many milliseconds, yes. How many seconds is that?")
    if 300 < seconds <= 3000:
        raise NotYet("That would be a whole second for each picture. It takes a hundredth of one.")
    if seconds < 0.1:
        raise NotYet("That is the time of one picture. There are 644.")
    if not 5 <= seconds <= 8:
        raise NotYet("Multiply the number of pictures by the time of one, in seconds.")
    return "About 6.4 s, and only once: whatever we try on the features costs nothing more."


@exercises.add(
    hints=(
        "`predicted == labels` compares all of them at once.",
        "True counts as 1 and False as 0, so the mean of such an array is a share.",
        "`(predicted == labels).mean()`",
    ),
    answer='''
def share_right(predicted, labels):
    """How many of the answers are right: a share from 0 to 1."""
    return (predicted == labels).mean()
''',
)
def q2(share_right: Answer) -> str:
    labels = np.array([0, 1, 0, 0, 1, 1, 0, 1])
    predicted = np.array([0, 1, 1, 0, 1, 1, 0, 0])  # six of eight
    share = result_of(share_right, predicted, labels)
    if np.size(share) > 1:
        raise NotYet("It returns a value for each picture. One number for all of them is wanted.")
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
    return "`accuracy`, below, computes this share, and says how sure it is."


@exercises.add(
    hints=(
        "Does 95 lie inside the interval of 92?",
        "The interval says: other pictures could as well have given 86 or 95 to the very same classifier.",
    ),
    answer='verdict = "cannot tell"',
)
def q3(verdict: Answer) -> str:
    of_92 = Accuracy(92, 100)
    choose(
        verdict,
        "cannot tell",
        {
            "yes": f"95 lies inside the interval of 92, which goes from {of_92.low:.0%} to {of_92.high:.0%}.",
            "no": "It may well be better: 95 is more than 92. Are a hundred pictures enough to say so?",
        },
    )
    return "The intervals overlap widely. More pictures would make them narrower."


@exercises.add(
    hints=(
        "On which pictures did the probe learn, and on which is it asked?",
        "A probe with 768 numbers per picture can learn most of 244 answers by heart.",
        "Learn from `train_x, train_y`. Predict `test_x`, and compare with `test_y`.",
    ),
    answer='''
def honest_score(train_x, train_y, test_x, test_y):
    """The accuracy of a probe on pictures that it has not learned from."""
    my_probe = linear_probe(train_x, train_y)
    return accuracy(my_probe.predict(test_x), test_y)
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
            f"On random labels nobody can do better than a coin, but it says {luck:.0%}. "
            "It is asked about pictures that it has learned from."
        )
    skill = scored(shifted(y), y, shifted(y_new), y_new)
    if not 0.9 < skill <= 1:
        raise NotYet(
            f"Two classes that lie far apart are easy to learn, but it says {skill:.0%}. "
            "Which labels belong to the pictures that it is asked about?"
        )
    return "On random labels it says about 50 %, as it should."


@exercises.add(
    hints=(
        "`train_features` come in a mixed order, so the first n of them are a random choice.",
        "`linear_probe(train_features[:n], train_labels[:n])` learns from n pictures.",
        "Collect `{n: accuracy(..., test_labels)}` for n in, say, 8, 20, 60 and 244.",
    ),
    answer="""
by_pictures = {}
for n in (8, 20, 60, len(train_labels)):
    small_probe = linear_probe(train_features[:n], train_labels[:n])
    by_pictures[n] = accuracy(small_probe.predict(test_features), test_labels)
""",
    rubric=(
        "I have drawn each number of pictures several times, since eight other pictures give another figure.",
        "I show an interval with each figure.",
        "I say in a sentence how many pictures I would collect, and why.",
    ),
)
def q5(by_pictures: Answer) -> str:
    if not isinstance(by_pictures, dict) or len(by_pictures) < 3:
        raise NotYet("A dictionary {number of pictures: accuracy} with at least three numbers is expected here.")
    shares = {n: a.value if isinstance(a, Accuracy) else number(a) for n, a in by_pictures.items()}
    if not all(0 <= share <= 1 for share in shares.values()):
        raise NotYet("An accuracy lies between 0 and 1.")
    fewest, most = min(shares), max(shares)
    if most < 5 * fewest:
        raise NotYet(f"Go further: from {fewest} to {most} pictures there is little to see.")
    if any(isinstance(a, Accuracy) and a.total == most for a in by_pictures.values()):
        raise NotYet(
            f"{most} pictures were asked about. Ask about the test pictures, not about those that were learned."
        )
    if shares[fewest] >= shares[most]:
        raise NotYet(f"{fewest} pictures do as well as {most}? Try other ones, or fewer.")
    return f"From {shares[fewest]:.0%} with {fewest} pictures to {shares[most]:.0%} with {most}."
