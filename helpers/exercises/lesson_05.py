"""The exercises of lesson 05."""

import numpy as np
import torch

from helpers.evaluation import Accuracy
from helpers.exercises import Answer, Exercises, NotYet, choose, number, result_of, shown

exercises = Exercises()


@exercises.add(
    hints=(
        "The margin is the probability of the first choice minus that of the second one.",
        "`probabilities.topk(2, 1).values` has both, for each picture.",
        "Sort the differences with `argsort()`: the smallest comes first.",
    ),
    answer='''
def by_margin(probabilities):
    """Indices of the pictures: first those where the two best classes lie closest."""
    first, second = probabilities.topk(2, 1).values.T
    return (first - second).argsort()
''',
)
def q1(by_margin: Answer) -> str:
    probabilities = torch.tensor(
        [[0.50, 0.49, 0.01], [0.45, 0.28, 0.27], [0.05, 0.05, 0.90], [0.30, 0.64, 0.06], [0.20, 0.60, 0.20]]
    )
    order = result_of(by_margin, probabilities.clone())
    if isinstance(order, tuple) and len(order) == 2:
        raise NotYet("It returns two things, as `sort()` does: values and indices. Only the indices are asked for.")
    order = torch.as_tensor(order)
    if order.shape != (5,):
        raise NotYet(f"Five pictures went in, so five indices should come out, not the shape {tuple(order.shape)}.")
    if sorted(order.tolist()) != [0, 1, 2, 3, 4]:
        raise NotYet(f"It returns {shown(order.tolist())}. Each picture's index should come once: `argsort`.")
    first, second = probabilities.topk(2, 1).values.T
    right = (first - second).argsort()
    slips = (
        (right.flip(0), "The other way round: the clearest answer comes first."),
        (first.argsort(), "That is sorted by the largest probability. With three classes the second one matters."),
        (
            (probabilities[:, 0] - probabilities[:, 1]).abs().argsort(),
            "The two best classes are not always the first two.",
        ),
        ((probabilities[:, 0] - probabilities[:, 1]).argsort(), "The two best classes are not always the first two."),
        ((first - probabilities.amin(1)).argsort(), "That is the best minus the worst. Take the second best."),
    )
    if not torch.equal(order, right):
        for slip, why in slips:
            if torch.equal(order, slip):
                raise NotYet(why)
        raise NotYet(
            "Picture 0 (0.50 against 0.49) has the smallest margin, picture 2 (0.90 against 0.05) the largest."
        )
    return "With two classes the order is that of `least_confident`, with more it is not."


@exercises.add(
    hints=(
        "Rows are the truth, columns the prediction.",
        "The second column holds all that were called bees: 10 ants and 45 bees.",
        "The second row holds all bees: 5 were called ants, 45 bees.",
    ),
    answer="""
bees_precision = 45 / (10 + 45)
bees_recall = 45 / (5 + 45)
""",
)
def q2(bees_precision: Answer, bees_recall: Answer) -> str:
    given = {"precision": number(bees_precision), "recall": number(bees_recall)}
    right = {"precision": 45 / 55, "recall": 45 / 50}
    if all(abs(given[name] - 100 * value) < 1 for name, value in right.items()):
        raise NotYet("These are percent. Give shares from 0 to 1.")
    if abs(given["precision"] - 0.9) < 0.005 and abs(given["recall"] - 45 / 55) < 0.005:
        raise NotYet("They have changed places: precision goes along the column, recall along the row.")
    slips = {
        85 / 100: "That is the accuracy, over both classes.",
        40 / 45: "That is the precision of the ants.",
        40 / 50: "That is the recall of the ants; or is it rounded? Then give two digits.",
        45 / 100: "Divide by those that were called bees (precision) or that are bees (recall), not by all.",
    }
    for name, value in given.items():
        if abs(value - right[name]) > 0.005:
            why = next(
                (why for slip, why in slips.items() if abs(value - slip) < 0.004), "Count along rows and columns again."
            )
            raise NotYet(f"{name}: {why}")
    return "Of all that were called bees, 82 % are bees; of all bees, 90 % were found."


@exercises.add(
    hints=(
        "From 100 to 10,000 pictures the interval becomes ten times narrower. How does that go together?",
        "Ten times narrower takes 10 x 10 times as many. Twice as narrow takes ...",
    ),
    answer="pictures_needed = 153 * 2**2",
)
def q3(pictures_needed: Answer) -> str:
    needed = number(pictures_needed)
    if needed == 4:
        raise NotYet("Four times as many, yes. How many pictures are that?")
    if needed == 2 or abs(needed - 306) < 10:
        raise NotYet("Twice as many make it narrower by the root of 2 only.")
    if abs(needed - 15_300) < 100:
        raise NotYet("A hundred times as many make it ten times narrower.")
    if needed < 153:
        raise NotYet("Fewer pictures make it wider.")
    narrow, wide = (Accuracy(round(0.9 * n), round(n)) for n in (needed, 153))
    ratio = (wide.high - wide.low) / (narrow.high - narrow.low)
    if not 1.85 < ratio < 2.15:
        raise NotYet(f"With {shown(pictures_needed)} pictures it is {ratio:.1f} times narrower, not twice.")
    return "Four times as many: the width goes with one over the root of the number."


@exercises.add(
    hints=(
        "Is the curve above or below the dashed line where the model says 95 %?",
        "It says 95 % and is right in 80 %: it promises more than it keeps.",
        "T > 1 makes every answer less sure.",
    ),
    answer="""
model_is = "too sure"
temperature_should_be = "above 1"
""",
)
def q4(model_is: Answer, temperature_should_be: Answer) -> str:
    choose(
        model_is,
        "too sure",
        {
            "not sure enough": "It says 95 %, and 80 % are right. Which of the two is larger?",
            "calibrated": "Calibrated would be: of those where it says 95 %, 95 % are right.",
        },
    )
    choose(
        temperature_should_be,
        "above 1",
        {
            "below 1": "Divided by a number below 1, scores grow, and the model becomes surer still.",
            "1": "A temperature of 1 changes nothing.",
        },
    )
    return "It promises more than it keeps, and dividing its scores by more than 1 makes it more modest."


@exercises.add(
    hints=(
        "Do the numbers of a row still add up to 1?",
        "The softmax comes last: first the scores are divided.",
        "`(scores / temperature).softmax(1)`",
    ),
    answer='''
def cooler(scores, temperature):
    """Probabilities (images, classes) from scores, at a temperature."""
    return (scores / temperature).softmax(1)
''',
)
def q5(cooler: Answer) -> str:
    scores = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]])
    given = torch.as_tensor(result_of(cooler, scores.clone(), 2.0))
    if given.shape != scores.shape:
        raise NotYet(f"The scores have the shape (2, 3), what comes out has {tuple(given.shape)}.")
    if torch.allclose(given.sum(0), torch.ones(3)):
        raise NotYet("The columns add up to 1, not the rows: the softmax runs over the wrong axis.")
    if not torch.allclose(given.sum(1), torch.ones(2), atol=1e-4):
        raise NotYet(f"A row adds up to {given[0].sum():.2f}: these are no probabilities. What comes last?")
    if torch.allclose(given, scores.softmax(1), atol=1e-4):
        raise NotYet("The temperature changes nothing.")
    if given[0, 0] > scores.softmax(1)[0, 0]:
        raise NotYet("At temperature 2 it has become surer. Divide the scores, do not multiply.")
    if not torch.allclose(given, (scores / 2).softmax(1), atol=1e-4):
        raise NotYet("The rows add up to 1, but the scores should be divided *before* the softmax.")
    return "The order of the classes stays, and all are less sure."


@exercises.add(
    hints=(
        "Cover one square after the other with 0, and ask `confidence` each time.",
        "A place matters as much as the confidence falls when it is hidden: before, minus after.",
        "Two loops: `for y in range(0, height, side)`, `for x in range(0, width, side)`; work on `picture.clone()`.",
    ),
    answer='''
def occlusion(confidence, picture, side):
    """The loss of confidence when a square of `side` pixels is hidden: a map, one number each."""
    before = confidence(picture)
    rows = []
    for y in range(0, picture.shape[1], side):
        row = []
        for x in range(0, picture.shape[2], side):
            hidden = picture.clone()
            hidden[:, y : y + side, x : x + side] = 0
            row.append(float(before - confidence(hidden)))
        rows.append(row)
    return torch.tensor(rows)
''',
    rubric=(
        "I have drawn my map beside the Grad-CAM map of the same picture, for a right and for a wrong answer.",
        "I say where the two agree, and what a square too small or too large does.",
        "I have an example where hiding a place makes the model surer, and an idea why.",
    ),
)
def q6(occlusion: Answer) -> str:
    picture = torch.rand(3, 12, 16) + 0.5
    kept = picture.clone()

    def confidence(x: torch.Tensor) -> float:  # looks at one corner only: rows 0..3, columns 8..11
        return float(x[:, :4, 8:12].mean() / kept[:, :4, 8:12].mean())

    given = torch.as_tensor(np.asarray(result_of(occlusion, confidence, picture, 4)), dtype=torch.float)
    if not torch.equal(picture, kept):
        raise NotYet("It has changed the picture itself: everything hidden so far stays hidden. Work on a `clone()`.")
    if given.shape != (3, 4):
        raise NotYet(f"12 x 16 pixels in squares of 4 make a map of 3 x 4, not {tuple(given.shape)}.")
    expected = torch.zeros(3, 4)
    expected[0, 2] = 1
    if torch.allclose(given, -expected, atol=1e-4):
        raise NotYet("The sign: a place is important if the confidence *falls*. Before, minus after.")
    if torch.allclose(given, 1 - expected, atol=1e-4):
        raise NotYet("That is the confidence itself. How much has it fallen?")
    if not torch.allclose(given, expected, atol=1e-4):
        if given[0, 0] < 0.1 and given.ravel()[2:].min() > 0.9:
            raise NotYet("What was hidden stays hidden: each square needs a new `clone()` of the whole picture.")
        if (given[expected == 0].abs() < 1e-4).all() and given[0, 2] > 0.1:
            raise NotYet(f"The right square stands out, with {given[0, 2]:.2f} and not with 1. Is it covered with 0?")
        raise NotYet("For a model that looks at one square only, that square should have the value 1, all others 0.")
    return "For a model that looks at one corner, your map shows that corner."
