"""What learners of lesson 05 may answer."""

THRESHOLD = "def threshold_for_precision(scores, is_class, wanted):\n    return {}"
MARGIN = "def by_margin(probabilities):\n    return {}"
HIDE = """\
def occlusion(confidence, image, side):
    before = confidence(image)
    fall = torch.zeros(image.shape[1] // side, image.shape[2] // side)
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
            "Each image's index should come once",
        ),
        (
            MARGIN.format("(probabilities.topk(2, 1).values @ torch.tensor([1.0, -1.0])).argsort(descending=True)"),
            "the clearest answer comes first",
        ),
        (MARGIN.format("(probabilities.amax(1) - probabilities.amin(1)).argsort()"), "the best minus the worst"),
        (
            MARGIN.format("(probabilities.amax(1) / probabilities.topk(2, 1).values[:, 1]).argsort()"),
            "The margin is a difference",
        ),
        (MARGIN.format("probabilities.argsort()"), "five indices should come out"),
        (MARGIN.format("probabilities.amax(1).sort()"), "values and indices. Only the indices"),
    ],
    "q2": [
        ("wasps_precision, wasps_recall, macro_recall = 0.3, 0.2, 1.9 / 3", "They have changed places"),
        ("wasps_precision, wasps_recall, macro_recall = 20, 30, 63.3", "These are percent"),
        ("wasps_precision, wasps_recall, macro_recall = 0.2, 0.3, 0.74", "macro average: That is the accuracy"),
        ("wasps_precision, wasps_recall, macro_recall = 0.03, 0.3, 0.633", "precision: Divide by those"),
        ("wasps_precision, wasps_recall, macro_recall = 0.2, 0.24, 0.633", "recall: That is the F1"),
        ("wasps_precision, wasps_recall, macro_recall = 0.2, 0.3, 0.624", "macro average of the precision"),
    ],
    "q3": [
        (THRESHOLD.format("scores[is_class].max().item()"), "try every score"),
        (
            "def threshold_for_precision(scores, is_class, wanted):\n"
            "    for t in sorted(scores.tolist(), reverse=True):\n"
            "        if is_class[scores >= t].float().mean() < wanted:\n"
            "            return smallest\n"
            "        smallest = t",
            "try every score",
        ),
        (THRESHOLD.format("min(t for t in scores if is_class[scores > t].float().mean() >= wanted)"), "`>=`"),
        (
            THRESHOLD.format(
                "max(t for t in scores if (is_class & (scores >= t)).sum() / is_class.sum() >= wanted).item()"
            ),
            "At 0.6 the precision is exactly 3/4",
        ),
        (THRESHOLD.format("scores.min().item()"), "the alarm rings for all images"),
        (THRESHOLD.format("0.4"), "With 0.95 wanted it should be 0.8"),
        (THRESHOLD.format("scores >= wanted"), "One number is expected"),
    ],
    "q4": [
        ("images_needed = 1200", "by the root of 2 only"),
        ("images_needed = 60000", "ten times narrower"),
        ("images_needed = 4", "How many images are that?"),
        ("images_needed = 300", "Fewer images make it wider"),
        ("images_needed = 1800", "times narrower, not twice"),
        ("images_needed = 2700", "times narrower, not twice"),
    ],
    "q5": [
        ("p_of_difference = binomtest(26, 76, alternative='less').pvalue", "That is one-sided"),
        ("p_of_difference = binomtest(430, 430 + 454).pvalue", "Leave out the images both have right"),
        ("p_of_difference = binomtest(26, 500).pvalue", "not with all 500"),
        ("p_of_difference = 0.0228", "two independent sets"),
        ("p_of_difference = 26", "from 0 to 1"),
        ("p_of_difference = 0.5", "430 - 404"),
        ("p_of_difference = 0.007  # that of the two independent test sets", "430 - 404"),
    ],
    "q6": [
        ("def cooler(logits, temperature):\n    return logits.softmax(1) / temperature", "A row adds up to 0.50"),
        (
            "def cooler(logits, temperature):\n    return (logits * temperature).softmax(1)",
            "it has become more confident",
        ),
        ("def cooler(logits, temperature):\n    return (logits / temperature).softmax(0)", "over the wrong axis"),
        ("def cooler(logits, temperature):\n    return logits.softmax(1)", "The temperature changes nothing"),
        ("def cooler(logits, temperature):\n    return logits / temperature", "What comes last?"),
        (
            "def cooler(logits, temperature):\n    return (logits.softmax(1) / temperature).softmax(1)",
            "*before* the softmax",
        ),
        ("def cooler(logits, temperature):\n    return (logits / 2).softmax(1)", "does it divide by `temperature`?"),
    ],
    "q7": [
        ("my_shift = lambda images: images\nmy_p = 1", "leaves the images as they are"),
        ("my_shift = lambda images: images - 0.5\nmy_p = 0.01", "floats from 0 to 1"),
        ("my_shift = lambda images: images[:, 0]\nmy_p = 0.01", "as many should come out"),
        ("my_shift = lambda images: images.numpy()\nmy_p = 0.01", "a tensor should come out"),
        ("my_shift = lambda images: 0 * images\nmy_p = 0.01", "nothing to be seen"),
        ("my_shift = lambda images: images.flip(2)\nmy_p = -0.1  # the change of the accuracy", "another p-value"),
        (
            "my_shift = lambda images: (images + 0.4 * torch.randn_like(images)).clamp(0, 1)\nmy_p = -0.1",
            "Give them a seed",
        ),
    ],
    "q8": [
        (HIDE.format(start="image", value="before - confidence(hidden)", result="fall"), "Work on a `clone()`"),
        (
            HIDE.format(start="image.clone()", value="confidence(hidden) - before", result="fall"),
            "Before, minus after",
        ),
        (HIDE.format(start="image.clone()", value="confidence(hidden)", result="fall"), "How much has it fallen?"),
        (
            HIDE.format(start="image.clone()", value="before - confidence(hidden)", result="fall.sum(0)"),
            "a map of 3 x 4",
        ),
        (HIDE.format(start="image.clone()", value="1", result="fall"), "that square should have the value 1"),
        (
            HIDE.format(start="image.clone()", value="before - confidence(hidden)", result="fall")
            .replace("    for y", "    hidden = image.clone()\n    for y", 1)
            .replace("hidden = image.clone()\n            hidden[", "hidden["),
            "each square needs a new `clone()`",
        ),
        (
            HIDE.format(start="image.clone()", value="before - confidence(hidden)", result="fall").replace(
                "= 0\n", "= 0.5\n"
            ),
            "Is it covered with 0?",
        ),
    ],
}

RIGHT = {
    "q1": [
        MARGIN.format("(probabilities.sort(1).values[:, -2] - probabilities.amax(1)).numpy().argsort()[::-1]"),
        "def by_margin(probabilities):\n"
        "    ordered = probabilities.sort(1).values\n"
        "    return (ordered[:, -1] - ordered[:, -2]).numpy().argsort()",
    ],
    "q2": ["wasps_precision, wasps_recall, macro_recall = 0.2, 0.3, 0.633"],
    "q3": [
        "def threshold_for_precision(scores, is_class, wanted):\n"
        "    precisions, _, thresholds = precision_recall_curve(is_class, scores)\n"
        "    return thresholds[precisions[:-1] >= wanted].min()",
        "def threshold_for_precision(scores, is_class, wanted):\n"
        "    ordered = scores.argsort(descending=True)\n"
        "    shares = is_class[ordered].cumsum(0) / torch.arange(1, len(scores) + 1)\n"
        "    return scores[ordered[(shares >= wanted).nonzero().max()]]",
    ],
    "q4": ["images_needed = 2400.0", "images_needed = 2388"],
    "q5": ["p_of_difference = binomtest(50, 76)", "p_of_difference = 0.0083"],
    "q6": [
        "def cooler(logits, temperature):\n    return nn.functional.softmax(logits / temperature, dim=-1)",
        "def cooler(logits, temperature):\n"
        "    powers = np.exp(logits.double().numpy() / temperature)\n"
        "    return powers / powers.sum(1, keepdims=True)",
    ],
    "q7": [
        "def my_shift(images):\n"
        "    small = nn.functional.interpolate(images, (24, 24))\n"
        "    return nn.functional.interpolate(small, (128, 128))\n\n\n"
        "my_p = paired_test(right_before, right_after(my_shift))",
        "def my_shift(images):\n    return images.flip(2)\n"
        "my_p = binomtest(\n"
        "    (right_before & ~right_after(my_shift)).sum().item(),\n"
        "    (right_before ^ right_after(my_shift)).sum().item(),\n"
        ").pvalue",
    ],
    "q8": [HIDE.format(start="image.clone()", value="before - confidence(hidden)", result="fall.numpy()")],
}
