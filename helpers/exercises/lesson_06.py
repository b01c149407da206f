"""The exercises of lesson 06."""

import json
import math

import numpy as np

from helpers import ROOT
from helpers.evaluation import mean_interval
from helpers.exercises import Answer, Exercises, NotYet, choose, match, number, result_of, shown

exercises = Exercises()

GOAL = 0.83  # of exercise 6


def measured() -> dict[tuple[str, int], list[float]]:
    """The accuracies that the benchmark stored, over its seeds: by way and pictures of each class."""
    accuracies: dict[tuple[str, int], list[float]] = {}
    for run in json.loads((ROOT / "benchmarks" / "does_it_help.json").read_text()):
        accuracies.setdefault((run["method"], run["per_class"]), []).append(run["accuracy"])
    return accuracies


@exercises.add(
    hints=(
        "How many numbers does each way have to find, and from how many pictures?",
        "From scratch, twenty pictures must tell what an edge, a leg and a wing are. The other two know edges.",
    ),
    answer="""
my_guess = {
    "from scratch": "near guessing",
    "frozen": "far above",
    "fine-tuned": "far above",
}
""",
)
def q1(my_guess: Answer) -> str:
    match(
        my_guess,
        {"from scratch": "near guessing", "frozen": "far above", "fine-tuned": "far above"},
        {
            "from scratch": "It begins with eleven million random numbers. What could twenty pictures tell them?",
            "frozen": "Its features come from a hundred thousand other pictures. Only the probe learns from these.",
            "fine-tuned": "It begins with the pretrained weights, not with random ones. Does it forget them all?",
        },
    )
    return "Run the next cells and see."


@exercises.add(
    hints=(
        "Which curves are meant, and which point of one of them? Draw a horizontal line through that point.",
        "The best from scratch is *tuned*, and its last point is at 122 pictures of each class.",
        "The line through 82 % crosses the curve of the frozen network between 10 and 20 pictures.",
    ),
    answer="pictures_enough = 20",
)
def q2(pictures_enough: Answer) -> str:
    enough = number(pictures_enough)
    accuracies = {key: sum(values) / len(values) for key, values in measured().items()}
    numbers = sorted(n for way, n in accuracies if way == "frozen")
    goal = accuracies["from scratch, tuned", numbers[-1]]
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
        "The runs of one seed had the same pictures. What is left if you subtract one from the other?",
        "`mean_interval(ours - theirs)` gives the mean of the differences, and both ends of its interval.",
        "Low end above 0: `better`. High end below 0: `worse`. Otherwise `cannot tell`.",
    ),
    answer='''
def verdict(ours, theirs):
    """Is the first way "better" or "worse", or can we not tell? One accuracy for each seed."""
    _, low, high = mean_interval(ours - theirs)
    return "better" if low > 0 else "worse" if high < 0 else "cannot tell"
''',
)
def q3(verdict: Answer) -> str:
    def said(ours: list[float], theirs: list[float]) -> str:
        word = result_of(verdict, np.array(ours), np.array(theirs))
        if word not in ("better", "worse", "cannot tell"):
            raise NotYet(f"It returns {shown(word)}. Three words are possible: 'better', 'worse' and 'cannot tell'.")
        return word

    noisy = [0.70, 0.81, 0.64, 0.77, 0.73]
    if said([0.79, 0.72, 0.74, 0.71, 0.75], noisy) != "cannot tell":
        raise NotYet("The first way was ahead in three of five seeds, and it is sure. Does it look at the means only?")
    if said([0.71, 0.815, 0.645, 0.775, 0.90], noisy) != "cannot tell":
        raise NotYet(
            "One seed was far ahead, four by a point or less. Where does the interval of the differences begin?"
        )
    always_ahead = [0.72, 0.83, 0.66, 0.80, 0.75]  # by two points
    if said(always_ahead, noisy) == "cannot tell":
        raise NotYet("Both ways rise and fall together, seed by seed. Subtract first, then ask for the interval.")
    if (said(always_ahead, noisy), said(noisy, always_ahead)) != ("better", "worse"):
        raise NotYet(
            "Where the first way is ahead in each of the five seeds, it should say 'better'; where behind, 'worse'."
        )
    return "In pairs, five seeds show a difference of two points that the means alone would drown."


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
def q4(seconds_until: Answer) -> str:
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
    return "Without the assertion above, `argmax` would have called a failure the fastest of all."


@exercises.add(
    hints=(
        "What changes in the textbook's loop after seven epochs? Look at its `scheduler`.",
        "From the eighth epoch on each step is a tenth as long as before.",
    ),
    answer='cause = "steps too small"',
)
def q5(cause: Answer) -> str:
    choose(
        cause,
        "steps too small",
        {
            "too few pictures": "The good recipe has the same pictures, and comes further.",
            "steps too large": "Then the curve would jump up and down. It stands still.",
            "learned by heart": "Then `train` would be nearly perfect, and `val` would fall. It has not come so far.",
        },
    )
    return "After seven epochs its learning rate is a tenth, and the network has not arrived. Lesson 07 tests it."


@exercises.add(
    hints=(
        "Print `100 * np.array(mean_interval(measured(way, n)))` for the ways and numbers that come near.",
        "A mean of 83 % will not do: its interval has to begin above 83 %.",
        "Among the plans that are certain, take one with the fewest pictures.",
    ),
    answer="""
my_plan = ("frozen", 50)
""",
    rubric=(
        "I say what accuracy I promise, with its interval, for which pictures, and that test figures chose the plan.",
        "I say what a picture and a minute of computing may cost before I would choose another plan.",
        "I say how I would try my plan on other pictures (lesson 09 takes a folder), with three seeds or more.",
    ),
)
def q6(my_plan: Answer) -> str:
    if not isinstance(my_plan, (tuple, list)) or len(my_plan) != 2:
        raise NotYet(f"Two things are expected, as in ('frozen', 5), not {shown(my_plan)}.")
    way, per_class = my_plan
    accuracies = measured()
    ways, numbers = (list(dict.fromkeys(part)) for part in zip(*accuracies, strict=True))
    if way not in ways:
        raise NotYet(f"{shown(way)} was not measured; these were: {', '.join(map(repr, ways))}.")
    if per_class not in numbers:
        raise NotYet(
            f"{shown(per_class)} pictures of each class were not measured; {', '.join(map(str, numbers))} were."
        )
    enough = min(n for (_, n), values in accuracies.items() if mean_interval(values)[1] > GOAL)
    mean, low, high = mean_interval(accuracies[way, per_class])
    if mean < GOAL:
        raise NotYet(f"That comes to {mean:.1%} only.")
    if low <= GOAL:
        raise NotYet(f"That comes to {mean:.1%}, but the interval begins at {low:.1%}: it is not certain.")
    if per_class > enough:
        raise NotYet(f"That is certain, but {enough} pictures of each class can be enough.")
    return f"{way} with {per_class} of each class: {mean:.1%} ({low:.1%} to {high:.1%})."
