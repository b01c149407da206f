"""The exercises of lesson 05."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.stats import binomtest, chi2, fisher_exact

from helpers.evaluation import paired_test
from helpers.exercises import Answer, Exercises, NotYet, number, result_of, shown

exercises = Exercises()


@exercises.add(
    hints=(
        "The margin is the probability of the first choice minus that of the second one.",
        "`probabilities.topk(2, 1).values` has both, for each image.",
        "Sort the differences with `argsort()`: the smallest comes first.",
    ),
    answer='''
def by_margin(probabilities):
    """Indices of the images: first those where the two best classes lie closest."""
    first, second = probabilities.topk(2, 1).values.T
    return (first - second).argsort()
''',
)
def q1(by_margin: Answer) -> str:
    probabilities = torch.tensor(
        [[0.50, 0.49, 0.01], [0.45, 0.28, 0.27], [0.05, 0.05, 0.90], [0.36, 0.60, 0.04], [0.30, 0.53, 0.17]]
    )
    order = result_of(by_margin, probabilities.clone())
    if isinstance(order, tuple) and len(order) == 2:
        raise NotYet("It returns two things, as `sort()` does: values and indices. Only the indices are asked for.")
    order = torch.as_tensor(order.copy() if isinstance(order, np.ndarray) else order)  # torch takes no reversed view
    if order.shape != (5,):
        raise NotYet(f"Five images went in, so five indices should come out, not the shape {tuple(order.shape)}.")
    if sorted(order.tolist()) != [0, 1, 2, 3, 4]:
        raise NotYet(f"It returns {shown(order.tolist())}. Each image's index should come once: `argsort`.")
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
        ((first / second).argsort(), "That is their ratio. The margin is a difference."),
    )
    if not torch.equal(order, right):
        for slip, why in slips:
            if torch.equal(order, slip):
                raise NotYet(why)
        raise NotYet("Image 0 (0.50 against 0.49) has the smallest margin, image 2 (0.90 against 0.05) the largest.")
    return "With two classes the order is that of `least_confident`, with more it is not."


@exercises.add(
    hints=(
        "Rows are the truth, columns the prediction.",
        "The third column holds all that were called wasps: 10 ants, 2 bees, 3 wasps. The third row holds all wasps.",
        "The recalls are 35 / 50, 36 / 40 and 3 / 10. The macro average counts each of them the same.",
    ),
    answer="""
wasps_precision = 3 / (10 + 2 + 3)
wasps_recall = 3 / (4 + 3 + 3)
macro_recall = (35 / 50 + 36 / 40 + 3 / 10) / 3
""",
)
def q2(wasps_precision: Answer, wasps_recall: Answer, macro_recall: Answer) -> str:
    right = {"precision": 3 / 15, "recall": 3 / 10, "macro average": 1.9 / 3}
    given = dict(zip(right, map(number, (wasps_precision, wasps_recall, macro_recall)), strict=True))
    if all(abs(given[name] - 100 * value) < 1 for name, value in right.items()):
        raise NotYet("These are percent. Give shares from 0 to 1.")
    if abs(given["precision"] - 0.3) < 0.005 and abs(given["recall"] - 0.2) < 0.005:
        raise NotYet("They have changed places: precision goes along the column, recall along the row.")
    slips = {
        0.74: "That is the accuracy: it counts images, and there are five times as many ants as wasps.",
        3 / 100: "Divide by those that were called wasps (precision) or that are wasps (recall), not by all images.",
        0.7: "That is the recall of the ants.",
        0.24: "That is the F1 of the wasps.",
        (35 / 41 + 36 / 44 + 3 / 15) / 3: "That is the macro average of the precision.",
    }
    for name, value in given.items():
        if abs(value - right[name]) > 0.005:
            why = next(
                (why for slip, why in slips.items() if abs(value - slip) < 0.004), "Count along rows and columns."
            )
            raise NotYet(f"{name}: {why}")
    return "The accuracy is 74 %, the macro average of the recall only 63 %: there the wasps count as much as the ants."


@exercises.add(
    hints=(
        "Try each score as a threshold. At which of them is the precision high enough?",
        "At a threshold t the alarms are `scores >= t`, and their precision is `is_class[scores >= t].float().mean()`.",
        "Collect the thresholds that reach `wanted`, and return their minimum. The precision does not always rise with "
        "the threshold, so do not stop at the first one that fails.",
    ),
    answer='''
def threshold_for_precision(scores, is_class, wanted):
    """The smallest of the scores that, taken as a threshold, gives this precision."""
    enough = [t for t in scores if is_class[scores >= t].float().mean() >= wanted]
    return min(enough)
''',
)
def q3(threshold_for_precision: Answer) -> str:
    scores = torch.tensor([0.9, 0.1, 0.8, 0.3, 0.6, 0.4, 0.2, 0.7])
    is_class = torch.tensor([True, False, True, False, True, True, False, False])
    # precision from the highest score down: 1, 1, 2/3, 3/4, 4/5, 4/6, ...
    given = number(result_of(threshold_for_precision, scores.clone(), is_class.clone(), 0.75))
    if abs(given - 0.8) < 0.005 or abs(given - 0.9) < 0.005:
        raise NotYet(
            f"At {given:.1f} the precision is 1. But below 0.7, where it is 2/3, it rises again to 4/5 at 0.4: try "
            "every score, and take the smallest that is good enough."
        )
    if abs(given - 0.6) < 0.005:
        raise NotYet("At 0.6 the precision is exactly 3/4, which is enough. At 0.4 it is 4/5, with one more found.")
    if abs(given - 0.7) < 0.005:
        raise NotYet("At 0.7 only 2 of the 3 alarms are right. Is it `>=` everywhere?")
    if abs(given - 0.1) < 0.005:
        raise NotYet("At 0.1 the alarm rings for all images: half of the alarms are wrong. Is that the recall?")
    if abs(given - 0.3) < 0.005:
        raise NotYet("At 0.3 four of six alarms are right, 0.67. The alarm rings at the threshold itself, too: `>=`.")
    if abs(given - 0.4) > 0.005:
        raise NotYet(f"With 0.75 wanted it returns {given:g}; it should be 0.4, where 4 of 5 alarms are right.")
    strict = number(result_of(threshold_for_precision, scores.clone(), is_class.clone(), 0.95))
    if abs(strict - 0.8) > 0.005:
        raise NotYet(f"With 0.95 wanted it should be 0.8, and is {strict:g}. Does it use `wanted`?")
    return "It tries every score, and keeps the one that finds most."


@exercises.add(
    hints=(
        "From 100 to 10,000 images the interval becomes ten times narrower. How does that go together?",
        "Ten times narrower takes 10 x 10 times as many. Twice as narrow takes ...",
    ),
    answer="images_needed = 600 * 2**2",
)
def q4(images_needed: Answer) -> str:
    needed = number(images_needed)
    if needed == 4:
        raise NotYet("Four times as many, yes. How many images are that?")
    if needed == 2 or abs(needed - 1200) < 20:
        raise NotYet("Twice as many make it narrower by the root of 2 only.")
    if abs(needed - 60_000) < 100:
        raise NotYet("A hundred times as many make it ten times narrower.")
    if needed < 600:
        raise NotYet("Fewer images make it wider.")
    if abs(needed - 2400) > 60:  # a little more or less, as from a formula for the interval
        ratio = (needed / 600) ** 0.5
        raise NotYet(f"With {shown(images_needed)} images it is {ratio:.1f} times narrower, not twice.")
    return "Four times as many: the width goes with one over the root of the number."


@exercises.add(
    hints=(
        "A has 430 right, and 404 of these B has right as well. So 26 only A has right.",
        "Only B: 454 - 404. The other images say nothing about the difference.",
        "`binomtest(26, 26 + 50).pvalue`",
    ),
    answer="p_of_difference = binomtest(26, 26 + 50).pvalue",
)
def q5(p_of_difference: Answer) -> str:
    given = number(getattr(p_of_difference, "pvalue", p_of_difference))
    slips = (
        (
            binomtest(26, 76, alternative="less").pvalue,
            "That is one-sided. Before the test, either may win: two-sided.",
        ),
        (binomtest(430, 430 + 454).pvalue, "These are all right predictions. Leave out the images both have right."),
        (binomtest(26, 500).pvalue, "Compare with the images that only one of them has right, not with all 500."),
        (
            fisher_exact([[430, 70], [454, 46]]).pvalue,
            "That is a test for two independent sets. These are pairs: count the images of only A and of only B.",
        ),
    )
    right = binomtest(26, 76).pvalue
    # McNemar's other forms, with the chi-squared distribution, with and without continuity correction
    forms = [right, chi2.sf((50 - 26) ** 2 / 76, 1), chi2.sf((50 - 26 - 1) ** 2 / 76, 1)]
    if any(abs(given - form) < 0.0006 for form in forms):  # rounded to three decimals
        return "26 against 50: significant, although the two confidence intervals overlap."
    for slip, why in slips:
        if abs(given - slip) < 0.001 or abs(given - slip) < 0.02 * slip:
            raise NotYet(why)
    if not 0 <= given <= 1:
        raise NotYet("A p-value is a probability, from 0 to 1.")
    raise NotYet("Count: A alone is right on 430 - 404 images, B alone on 454 - 404. Then `binomtest`.")


@exercises.add(
    hints=(
        "Do the numbers of a row still add up to 1?",
        "The softmax comes last: first the logits are divided.",
        "`(logits / temperature).softmax(1)`",
    ),
    answer='''
def cooler(logits, temperature):
    """Probabilities (images, classes) from logits, at a temperature."""
    return (logits / temperature).softmax(1)
''',
)
def q6(cooler: Answer) -> str:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.5, 1.5, 0.0]])
    given = torch.as_tensor(result_of(cooler, logits.clone(), 2.0), dtype=logits.dtype)
    if given.shape != logits.shape:
        raise NotYet(f"The logits have the shape (2, 3), what comes out has {tuple(given.shape)}.")
    if torch.allclose(given.sum(0), torch.ones(3)):
        raise NotYet("The columns add up to 1, not the rows: the softmax runs over the wrong axis.")
    if not torch.allclose(given.sum(1), torch.ones(2), atol=1e-4):
        raise NotYet(f"A row adds up to {given[0].sum():.2f}: these are no probabilities. What comes last?")
    if torch.allclose(given, logits.softmax(1), atol=1e-4):
        raise NotYet("The temperature changes nothing.")
    if given[0, 0] > logits.softmax(1)[0, 0]:
        raise NotYet("At temperature 2 it has become more confident. Divide the logits, do not multiply.")
    if not torch.allclose(given, (logits / 2).softmax(1), atol=1e-4):
        raise NotYet("The rows add up to 1, but the logits should be divided *before* the softmax.")
    for temperature in (0.5, 1.0, 3.0):
        if not torch.allclose(
            torch.as_tensor(result_of(cooler, logits.clone(), temperature), dtype=logits.dtype),
            (logits / temperature).softmax(1),
            atol=1e-4,
        ):
            raise NotYet(f"Right at temperature 2, wrong at {temperature:g}: does it divide by `temperature`?")
    return "The order of the classes stays. Above 1 the confidence falls, below 1 it rises."


@exercises.add(
    hints=(
        "Darker: `images * 0.4`. Fog: a mean of the image and white. Blur: `torchvision.transforms.v2.functional`.",
        "`right_after(my_shift)` says which are right after the shift, `right_before` which were right before.",
        "`paired_test(right_before, right_after(my_shift))`",
    ),
    answer='''
def my_shift(images):
    """The same images, as they would look under other conditions."""
    return 0.4 * images + 0.6  # fog


my_p = paired_test(right_before, right_after(my_shift))
''',
    rubric=(
        "I say which condition my shift imitates, and have looked at shifted images.",
        "I give both accuracies with the p-value, and claim no more than it says.",
        "I have measured a second shift, or a second strength, and corrected for the number of tests.",
    ),
)
def q7(
    my_shift: Answer, my_p: Answer, right_before: torch.Tensor, right_after: Callable[[Answer], torch.Tensor]
) -> str:
    images = torch.rand(4, 3, 128, 128)  # as large as the lesson's
    given = result_of(my_shift, images.clone())
    if not isinstance(given, torch.Tensor):
        raise NotYet(f"It makes {shown(type(given).__name__)}. A tensor goes in, and a tensor should come out.")
    if given.shape != images.shape:
        raise NotYet(f"Images of the shape {tuple(images.shape)} go in, and as many should come out.")
    if not given.is_floating_point() or given.min() < 0 or given.max() > 1 or given.isnan().any():
        raise NotYet("Images are floats from 0 to 1, after your shift too: `.clamp(0, 1)` keeps them there.")
    if torch.allclose(given, images, atol=1e-3):
        raise NotYet("Your shift leaves the images as they are.")
    if given.flatten(1).std(1).max() < 1e-3:
        raise NotYet("Your shift leaves nothing to be seen: all pixels of an image are equal.")
    p = number(getattr(my_p, "pvalue", my_p))
    after = right_after(my_shift)
    if abs(p - paired_test(right_before, after)) > 0.005:
        if not torch.equal(result_of(my_shift, images.clone()), given):
            raise NotYet(
                "Your shift draws random numbers, so the check sees others than you did. Give them a seed: "
                "`torch.randn(images.shape, generator=torch.Generator().manual_seed(0))`."
            )
        raise NotYet(
            f"{int((right_before & ~after).sum())} images are lost and {int((after & ~right_before).sum())} gained, "
            f"which gives another p-value than {p:.3g}. Compare `right_before` with `right_after(my_shift)`."
        )
    change = 100 * float(after.float().mean() - right_before.float().mean())
    verdict = "a significant change" if p < 0.05 else "not significant on these few images"
    return f"Your shift changes the accuracy by {change:+.0f} points, p = {p:.2g}: {verdict}."


@exercises.add(
    hints=(
        "Cover one square after the other with 0, and ask `confidence` each time.",
        "A place matters as much as the confidence falls when it is hidden: before, minus after.",
        "Two loops: `for y in range(0, height, side)`, `for x in range(0, width, side)`; work on `image.clone()`.",
    ),
    answer='''
def occlusion(confidence, image, side):
    """The fall in confidence when a square of `side` pixels is hidden: a map, one number each."""
    before = confidence(image)
    rows = []
    for y in range(0, image.shape[1], side):
        row = []
        for x in range(0, image.shape[2], side):
            hidden = image.clone()
            hidden[:, y : y + side, x : x + side] = 0
            row.append(float(before - confidence(hidden)))
        rows.append(row)
    return torch.tensor(rows)
''',
    rubric=(
        "I have drawn my map beside the Grad-CAM map of the same image, for a right and for a wrong prediction.",
        "I say where the two agree, and what a square too small or too large does.",
        "I have an example where hiding a place makes the model more confident, and an idea why.",
    ),
)
def q8(occlusion: Answer) -> str:
    image = torch.rand(3, 12, 16) + 0.5
    kept = image.clone()

    def confidence(x: torch.Tensor) -> float:  # looks at one corner only: rows 0..3, columns 8..11
        return float(x[:, :4, 8:12].mean() / kept[:, :4, 8:12].mean())

    given = torch.as_tensor(np.asarray(result_of(occlusion, confidence, image, 4)), dtype=torch.float)
    if not torch.equal(image, kept):
        raise NotYet("It has changed the image itself: everything hidden so far stays hidden. Work on a `clone()`.")
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
            raise NotYet("What was hidden stays hidden: each square needs a new `clone()` of the whole image.")
        if (given[expected == 0].abs() < 1e-4).all() and given[0, 2] > 0.1:
            raise NotYet(f"The right square stands out, with {given[0, 2]:.2f} and not with 1. Is it covered with 0?")
        raise NotYet("For a model that looks at one square only, that square should have the value 1, all others 0.")
    return "For a model that looks at one corner, your map shows that corner."
