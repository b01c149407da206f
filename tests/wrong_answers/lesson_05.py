"""What learners of lesson 05 may answer."""

MARGIN = "def by_margin(probabilities):\n    return {}"
HIDE = """\
def occlusion(confidence, picture, side):
    before = confidence(picture)
    fall = torch.zeros(picture.shape[1] // side, picture.shape[2] // side)
    for y in range(fall.shape[0]):
        for x in range(fall.shape[1]):
            hidden = {start}
            hidden[:, y * side : (y + 1) * side, x * side : (x + 1) * side] = 0
            fall[y, x] = {value}
    return {result}
"""

WRONG = {
    "q1": [
        (MARGIN.format("probabilities.amax(1).argsort()"), "sorted by the largest probability"),
        (MARGIN.format("(probabilities[:, 0] - probabilities[:, 1]).abs().argsort()"), "not always the first two"),
        (
            MARGIN.format("-(probabilities.topk(2, 1).values @ torch.tensor([-1.0, 1.0])).argsort()"),
            "Each picture's index should come once",
        ),
        (
            MARGIN.format("(probabilities.topk(2, 1).values @ torch.tensor([1.0, -1.0])).argsort(descending=True)"),
            "the clearest answer comes first",
        ),
        (MARGIN.format("(probabilities.amax(1) - probabilities.amin(1)).argsort()"), "the best minus the worst"),
        (MARGIN.format("probabilities.argsort()"), "five indices should come out"),
        (MARGIN.format("probabilities.amax(1).sort()"), "values and indices. Only the indices"),
    ],
    "q2": [
        ("bees_precision, bees_recall = 45 / 50, 45 / 55", "They have changed places"),
        ("bees_precision, bees_recall = 0.85, 0.9", "precision: That is the accuracy"),
        ("bees_precision, bees_recall = 40 / 45, 40 / 50", "the precision of the ants"),
        ("bees_precision, bees_recall = 81.8, 90", "These are percent"),
        ("bees_precision, bees_recall = 45 / 55, 0.45", "recall: Divide by those"),
        ("bees_precision, bees_recall = 0.8, 0.9", "is it rounded? Then give two digits"),
    ],
    "q3": [
        ("pictures_needed = 306", "by the root of 2 only"),
        ("pictures_needed = 15300", "ten times narrower"),
        ("pictures_needed = 4", "How many pictures are that?"),
        ("pictures_needed = 77", "Fewer pictures make it wider"),
        ("pictures_needed = 459", "times narrower, not twice"),
    ],
    "q4": [
        ("model_is, temperature_should_be = 'not sure enough', 'below 1'", "Which of the two is larger?"),
        ("model_is, temperature_should_be = 'calibrated', 'above 1'", "Calibrated would be"),
        ("model_is, temperature_should_be = 'too sure', 'below 1'", "becomes surer still"),
        ("model_is, temperature_should_be = 'too sure', 2", "Choose one of '1', 'above 1', 'below 1'"),
    ],
    "q5": [
        ("def cooler(scores, temperature):\n    return scores.softmax(1) / temperature", "A row adds up to 0.50"),
        ("def cooler(scores, temperature):\n    return (scores * temperature).softmax(1)", "it has become surer"),
        ("def cooler(scores, temperature):\n    return (scores / temperature).softmax(0)", "over the wrong axis"),
        ("def cooler(scores, temperature):\n    return scores.softmax(1)", "The temperature changes nothing"),
        ("def cooler(scores, temperature):\n    return scores / temperature", "What comes last?"),
        (
            "def cooler(scores, temperature):\n    return (scores.softmax(1) / temperature).softmax(1)",
            "*before* the softmax",
        ),
    ],
    "q6": [
        (HIDE.format(start="picture", value="before - confidence(hidden)", result="fall"), "Work on a `clone()`"),
        (
            HIDE.format(start="picture.clone()", value="confidence(hidden) - before", result="fall"),
            "Before, minus after",
        ),
        (HIDE.format(start="picture.clone()", value="confidence(hidden)", result="fall"), "How much has it fallen?"),
        (
            HIDE.format(start="picture.clone()", value="before - confidence(hidden)", result="fall.sum(0)"),
            "a map of 3 x 4",
        ),
        (HIDE.format(start="picture.clone()", value="1", result="fall"), "that square should have the value 1"),
        (
            HIDE.format(start="picture.clone()", value="before - confidence(hidden)", result="fall")
            .replace("    for y", "    hidden = picture.clone()\n    for y", 1)
            .replace("hidden = picture.clone()\n            hidden[", "hidden["),
            "each square needs a new `clone()`",
        ),
        (
            HIDE.format(start="picture.clone()", value="before - confidence(hidden)", result="fall").replace(
                "= 0\n", "= 0.5\n"
            ),
            "Is it covered with 0?",
        ),
    ],
}

RIGHT = {
    "q1": [
        "def by_margin(probabilities):\n"
        "    ordered = probabilities.sort(1).values\n"
        "    return (ordered[:, -1] - ordered[:, -2]).numpy().argsort()"
    ],
    "q3": ["pictures_needed = 600"],
    "q5": ["def cooler(scores, temperature):\n    return nn.functional.softmax(scores / temperature, dim=-1)"],
    "q6": [HIDE.format(start="picture.clone()", value="before - confidence(hidden)", result="fall.numpy()")],
}
