"""The exercises of lesson 06."""

import json
import math

import numpy as np
from scipy.stats import t as student

from helpers import ROOT
from helpers.evaluation import mean_interval, prediction_interval
from helpers.exercises import Answer, Exercises, NotYet, match, number, plain, result_of, shown

exercises = Exercises()

GOAL = 0.83  # of exercise 7
VERDICTS = ("better", "worse", "cannot tell")
ONE_EACH = "One accuracy for each seed is expected, at least five, as in `np.array([frozen(30, s) for s in range(5)])`."


def measured() -> dict[tuple[str, int], list[float]]:
    """The accuracies that the benchmark stored, over its seeds: by method and images of each class."""
    accuracies: dict[tuple[str, int], list[float]] = {}
    for run in json.loads((ROOT / "benchmarks" / "does_it_help.json").read_text()):
        accuracies.setdefault((run["method"], run["per_class"]), []).append(run["accuracy"])
    return {key: values for key, values in accuracies.items() if len(values) > 1}  # one run has no interval


def verdict_of(ours: np.ndarray, theirs: np.ndarray) -> str:
    """What the interval of the paired differences says."""
    _, low, high = mean_interval(ours - theirs)
    return "better" if low > 0 else "worse" if high < 0 else "cannot tell"


@exercises.add(
    hints=(
        "Go through the rows of the table above, one after the other, for each comparison.",
        "A names both sides in the same words. In B, look at what learns from the numbers. In C, at how the rate was "
        "found.",
        "In D one side had not finished. In E, think of ten throws of a die against one.",
    ),
    answer="""
comparisons = {"A": "fair", "B": "classifier", "C": "tuning", "D": "steps", "E": "seeds"}
""",
)
def q1(comparisons: Answer) -> str:
    match(
        comparisons,
        {"A": "fair", "B": "classifier", "C": "tuning", "D": "steps", "E": "seeds"},
        {
            "A": "each side gets the same loop and as many steps as it needs. Only the start differs.",
            "B": "the inputs differ, which is what we compare. But a forest is no linear probe.",
            "C": "one side chose the best of five rates. Did the other?",
            "D": "the same number is not enough: one side was still improving. Had it as many as it needs?",
            "E": "the best of ten tries is lucky. What would the best of ten be on the other side?",
        },
    )
    return "The lesson's own first pair below is like D."


@exercises.add(
    hints=(
        "The runs of one seed had the same images. What is left if you subtract one from the other?",
        "`mean_interval(ours - theirs)` gives the mean of the differences, and both ends of its interval.",
        "Low end above 0: `better`. High end below 0: `worse`. Otherwise `cannot tell`.",
    ),
    answer='''
def verdict(ours, theirs):
    """Is the first method "better" or "worse", or "cannot tell"? One accuracy for each seed."""
    _, low, high = mean_interval(ours - theirs)
    return "better" if low > 0 else "worse" if high < 0 else "cannot tell"
''',
)
def q2(verdict: Answer) -> str:
    def said(ours: np.ndarray, theirs: np.ndarray) -> str:
        word = result_of(verdict, ours.copy(), theirs.copy())
        if plain(word) not in VERDICTS:
            raise NotYet(f"It returns {shown(word)}. Three words are possible: 'better', 'worse' and 'cannot tell'.")
        return plain(word)

    noisy = np.array([0.70, 0.81, 0.64, 0.77, 0.73])
    unit = np.array([-1.2, -0.7, 0.1, 0.6, 1.2])
    unit = (unit - unit.mean()) / unit.std(ddof=1)  # mean 0, standard deviation 1

    if said(np.array([0.79, 0.72, 0.74, 0.71, 0.75]), noisy) != "cannot tell":
        raise NotYet("The first was ahead in three of five seeds, and it is sure. Does it look at the means only?")
    if said(np.array([0.71, 0.815, 0.645, 0.775, 0.90]), noisy) != "cannot tell":
        raise NotYet(
            "One seed was far ahead, four by a point or less. Where does the interval of the differences begin?"
        )
    ahead = noisy + 0.02 + 0.005 * unit
    if said(ahead, noisy) == "cannot tell":
        raise NotYet("Both methods rise and fall together, seed by seed. Subtract first, then compute the interval.")
    if (said(ahead, noisy), said(noisy, ahead)) != ("better", "worse"):
        raise NotYet(
            "Where the first method is ahead in each of the five seeds, it should say 'better'; where behind, 'worse'."
        )
    if said(noisy + 0.004 + 0.001 * unit, noisy) != "better":
        raise NotYet(
            "The first method is ahead by 0.3 to 0.5 points with every seed. A small difference can be significant."
        )
    # A mean of 1.1 standard deviations: above 1.96 standard errors of five values, and below Student's 2.78.
    if said(noisy + 0.022 + 0.02 * unit, noisy) != "cannot tell":
        raise NotYet(
            "The mean of the differences is 1.1 standard deviations, or 2.5 standard errors. With only five seeds that "
            "is too little: Student's distribution asks for 2.8. `mean_interval` knows it."
        )
    ten = np.concatenate([unit, unit])
    if said(np.tile(noisy, 2) + 0.018 + 0.02 * ten, np.tile(noisy, 2)) != "better":
        raise NotYet("With ten seeds, a mean of 0.9 standard deviations is enough. Does it count the seeds?")
    return "In pairs, five seeds show a difference of two points that two separate intervals would hide."


@exercises.add(
    hints=(
        "`prediction_interval` of the cell above takes the five figures.",
        "The mean is 86, the standard deviation with `ddof=1` is 3.16, and Student's t for five values is 2.78.",
        "`_, low, high = prediction_interval(np.array([84, 88, 86, 90, 82]))`",
    ),
    answer="""
sixth_training = prediction_interval(np.array([84, 88, 86, 90, 82]))[1:]
""",
)
def q3(sixth_training: Answer) -> str:
    try:
        low, high = (number(end) for end in sixth_training)
    except (TypeError, ValueError):
        raise NotYet(f"Two numbers are expected, as in (70, 80), not {shown(sixth_training)}.") from None
    if 0 < low < high <= 1.5:
        low, high = 100 * low, 100 * high
    five = np.array([84.0, 88.0, 86.0, 90.0, 82.0])
    mean, right_low, right_high = prediction_interval(five)
    if abs(low - right_low) < 0.15 and abs(high - right_high) < 0.15:
        return f"{right_low:.1f} to {right_high:.1f} %: a wide promise, and an honest one."
    if abs((low + high) / 2 - mean) > 0.2:
        raise NotYet(
            f"The centre of the interval is the mean of the five, {mean:.0f}; yours is {(low + high) / 2:.1f}."
        )
    if abs(low - five.min()) < 0.03 and abs(high - five.max()) < 0.03:
        raise NotYet("From the smallest to the largest: how sure is it that the next one lies between them?")
    half, spread = (high - low) / 2, five.std(ddof=1)
    t = student.ppf(0.975, 4)
    slips = {
        t
        * spread
        / math.sqrt(5): "That is the interval of the mean. The next training varies as much as each of the five.",
        t * spread: "The mean itself is uncertain, too: the root of 1 + 1/n is missing.",
        1.96 * spread: "1.96 would be right with very many trainings. With five, Student's t is 2.78.",
        1.96 * spread * math.sqrt(1.2): "1.96 would be right with very many trainings. With five, Student's t is 2.78.",
        t * five.std() * math.sqrt(1.2): "Divide the squares by n - 1, not by n: `np.std(values, ddof=1)`.",
    }
    for slip, why in slips.items():
        if abs(half - slip) < 0.1:
            raise NotYet(why)
    raise NotYet(f"Your interval reaches {half:.1f} points to each side, and should reach {right_high - mean:.1f}.")


@exercises.add(
    hints=(
        "Which curves are meant, and which point of one of them? Draw a horizontal line through that point.",
        "The best from scratch is *tuned*, and its last point is at 122 images of each class.",
        "The line through 82 % crosses the curve of the frozen network between 10 and 20 images.",
    ),
    answer="images_enough = 20",
)
def q4(images_enough: Answer) -> str:
    enough = number(images_enough)
    accuracies = {key: sum(values) / len(values) for key, values in measured().items()}
    numbers = sorted(n for method, n in accuracies if method == "frozen")
    goal = max(accuracies[key] for key in accuracies if key[0].startswith("from scratch") and key[1] == numbers[-1])
    right = next(n for n in numbers if accuracies["frozen", n] >= goal)
    means = [accuracies["frozen", n] for n in numbers]
    there = np.interp(np.log(max(enough, 1)), np.log(numbers), means)  # along the curve, as it is drawn
    if there < goal - 0.015:  # as well as one reads it
        raise NotYet(
            f"At {enough:g} the curve of the frozen network is at about {there:.0%}. "
            f"The best training from scratch comes to {goal:.0%}."
        )
    if enough == 2 * right:
        raise NotYet("Of each class, not of both together.")
    if not enough <= 1.25 * right:
        raise NotYet(f"That is more than it needs: with {right} it already has {accuracies['frozen', right]:.0%}.")
    return f"About {right}, instead of {numbers[-1]}."


@exercises.add(
    hints=(
        "What does `np.argmax` say about a row in which nothing is True?",
        "Go through the epochs in order, and return the time of the first one that is good enough.",
        "`for seconds, accuracy in zip(times, accuracies): ...`, and below the loop `return float('inf')`.",
    ),
    answer='''
def seconds_until(times, accuracies, goal):
    """After how many seconds the accuracy first reaches the goal; infinity if it never does."""
    for seconds, accuracy in zip(times, accuracies):
        if accuracy >= goal:
            return seconds
    return float("inf")
''',
)
def q5(seconds_until: Answer) -> str:
    times = np.array([4.0, 8.0, 12.0, 16.0])
    accuracies = np.array([0.6, 0.8, 0.7, 0.9])

    def said(goal: float) -> float:
        return number(result_of(seconds_until, times, accuracies, goal))

    seconds = said(0.75)
    slips: dict[float, str] = {
        1: "It returns the number of an epoch. How many seconds had passed by then?",
        2: "It returns the number of an epoch. How many seconds had passed by then?",
        12: "It takes the epoch after the one that was good enough.",
        16: "The goal was first reached after 8 s. That the accuracy fell again does not matter.",
    }
    if seconds != 8:
        raise NotYet(
            slips.get(seconds, f"The second epoch, after 8 s, is the first above 0.75; it returns {seconds:g}.")
        )
    if said(0.8) != 8:
        raise NotYet("As good as the goal is good enough: 0.8 is reached with 0.8.")
    if number(result_of(seconds_until, times[:3], accuracies[:3], 0.75)) != 8:
        raise NotYet("The goal was reached after 8 s. That a run ends below it does not matter.")
    if said(0.95) == 4:
        raise NotYet("It claims that the first epoch reached 0.95. None did: return `float('inf')`.")
    if said(0.95) != math.inf:
        raise NotYet(f"No epoch reached 0.95. Return `float('inf')`, not {said(0.95):g}.")
    return "`argmax` alone would have called a failure the fastest of all."


@exercises.add(
    hints=(
        "`frozen(per_class, seed)` is quick. Two numbers of images are a comparison; so are two sources of features.",
        "For something of your own, copy `frozen` under another name and change one thing: another `C` of the probe, "
        "only some columns of `features`, images of one class only half as many.",
        "Both arrays need the same seeds in the same order. Then `verdict(ours, theirs)`, or look at "
        "`mean_interval(ours - theirs)`.",
    ),
    answer="""
my_ours = np.array([frozen(40, seed) for seed in range(8)])
my_theirs = np.array([frozen(10, seed) for seed in range(8)])
my_finding = "better"
""",
    rubric=(
        "I say in one sentence what differs between the two sides, and that all else was equal.",
        "I said what I expected before I measured, and report the result even if it is 'cannot tell'.",
        "If I tried several things, I have corrected for their number, or call the result exploratory.",
    ),
)
def q6(my_ours: Answer, my_theirs: Answer, my_finding: Answer) -> str:
    try:
        ours, theirs = (np.asarray(values, dtype=float) for values in (my_ours, my_theirs))
    except (TypeError, ValueError):
        raise NotYet(ONE_EACH) from None
    if ours.ndim != 1 or theirs.ndim != 1 or len(ours) < 5:
        raise NotYet(ONE_EACH)
    if len(ours) != len(theirs):
        raise NotYet(f"{len(ours)} runs against {len(theirs)}: pairs need the same seeds on both sides.")
    if not all(0 < value <= 1 for value in (*ours, *theirs)):
        raise NotYet("Accuracies lie between 0 and 1; `frozen` returns such.")
    if np.array_equal(ours, theirs):
        raise NotYet("Both sides are equal, run by run. What differs between them?")
    if np.ptp(ours) == 0 and np.ptp(theirs) == 0:
        raise NotYet("No run differs from the others of its side. Does each one use another seed?")
    mean, low, high = (100 * value for value in mean_interval(ours - theirs))
    interval = f"{mean:+.1f} points ({low:+.1f} to {high:+.1f}, {len(ours)} seeds)"
    if plain(my_finding) not in VERDICTS:
        raise NotYet(f"my_finding is one of {', '.join(map(repr, VERDICTS))}, not {shown(my_finding)}.")
    if plain(my_finding) != verdict_of(ours, theirs):
        raise NotYet(f"The difference is {interval}. Does that make it {plain(my_finding)!r}?")
    return f"{interval}."


@exercises.add(
    hints=(
        "Print `prediction_interval(measured(method, n))` for the methods and numbers that come near.",
        "A mean of 83 % will not do, nor an interval of the mean: a single training must be above it.",
        "Among the plans that hold, take the one with the fewest images, those of `val` included.",
    ),
    answer="""
my_plan = ("frozen", 50)
""",
    rubric=(
        "I say what accuracy I promise, with its interval, for which images, and that test figures chose the plan.",
        "I say what an image and a minute of computing may cost before I would choose another plan.",
        "I say how I would try my plan on other images (lesson 09 takes a folder), with three seeds or more.",
    ),
)
def q7(my_plan: Answer) -> str:
    if not isinstance(my_plan, (tuple, list)) or len(my_plan) != 2:
        raise NotYet(f"Two things are expected, as in ('frozen', 5), not {shown(my_plan)}.")
    method, per_class = my_plan[0], number(my_plan[1])
    accuracies = measured()
    methods, numbers = (list(dict.fromkeys(part)) for part in zip(*accuracies, strict=True))
    if method not in methods:
        raise NotYet(f"{shown(method)} is no curve of the figure; these are: {', '.join(map(repr, methods))}.")
    if per_class not in numbers:
        raise NotYet(f"{per_class:g} images of each class were not measured; {', '.join(map(str, numbers))} were.")
    enough = min(n for (_, n), values in accuracies.items() if prediction_interval(values)[1] > GOAL)
    mean, low, high = prediction_interval(accuracies[method, int(per_class)])
    if mean < GOAL:
        raise NotYet(f"That comes to {mean:.1%} only.")
    if low <= GOAL:
        raise NotYet(f"The mean is {mean:.1%}, but the next training may come to {low:.1%}: its interval begins there.")
    if per_class > enough:
        raise NotYet(f"That holds, but {enough} images of each class can be enough.")
    if method != "frozen":
        raise NotYet("That holds, but `val` needs as many images again. Does another method need none for `val`?")
    return f"{method} with {per_class:g} of each class: {mean:.1%}, the next training {low:.1%} to {high:.1%}."
