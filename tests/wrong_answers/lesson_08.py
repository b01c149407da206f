"""What learners of lesson 08 may answer."""

COST = "def convolution_cost(inputs, outputs, kernel, side, groups=1):\n    return {}"
FIT = "networks_that_fit = [{}]"
PARETO = "def pareto_front(costs, accuracies):\n    return {}"
MINE = (
    "gain = lambda *mine: right_of(*mine).mean() - right_of('imagenet', 160).mean()\n"
    "my_weights, my_size = {}\n"
    "my_points, my_speed_up = {}"
)
TIMER = "def seconds_for(action, repeats):\n    {}"

WRONG = {
    "q1": [
        ("where = 'first convolution'", "1,728 weights"),
        ("where = 'last convolution'", "2.4 million"),
        ("where = 'head'", "Which layer makes the 4096"),
        ("where = 'classifier.0'", "Choose one of"),
    ],
    "q2": [
        (COST.format("outputs * kernel**2, outputs * kernel**2 * side**2"), "looks at all input channels"),
        (COST.format("outputs * inputs * kernel, 0"), "A window of 7 has 7 x 7 places"),
        (COST.format("outputs * inputs * kernel**2 + outputs, 0"), "That counts a bias"),
        (COST.format("(w := outputs * inputs * kernel**2), w * side"), "side x side places"),
        (COST.format("(w := outputs * inputs * kernel**2), 2 * w * side**2"), "counts once here"),
        (COST.format("outputs * inputs * kernel**2"), "Two numbers are expected"),
        (COST.format("9408, 9408 * 112**2"), "not for one of 1 x 1"),
        (COST.format("(w := outputs * inputs * kernel**2), w * side**2"), "It ignores `groups`"),
        (
            COST.format("(w := outputs // groups * (inputs // groups) * kernel**2), w * side**2"),
            "still one filter per output",
        ),
        (
            COST.format("(w := outputs * inputs * kernel**2 // groups), outputs * inputs * kernel**2 * side**2"),
            "multiply-adds on a map of 28 x 28",
        ),
    ],
    "q3": [
        (
            TIMER.format(
                "start = time.process_time()\n    for _ in range(repeats):\n        action()\n"
                "    return time.process_time() - start"
            ),
            "the time of all runs together",
        ),
        (
            TIMER.format(
                "start = time.process_time()\n    for _ in range(repeats):\n        action()\n"
                "    return (time.process_time() - start) / repeats"
            ),
            "the slow first run is in it",
        ),
        (
            TIMER.format(
                "action()\n    start = time.process_time()\n    for _ in range(repeats):\n        action()\n"
                "    return time.process_time() - start"
            ),
            "All runs but the first take two milliseconds",
        ),
        (
            TIMER.format("start = time.process_time()\n    action()\n    return time.process_time() - start"),
            "It was called once",
        ),
        (
            TIMER.format(
                "action()\n    start = time.process_time()\n    for _ in range(repeats):\n        action()\n"
                "    return 1000 * (time.process_time() - start) / repeats"
            ),
            "Are these milliseconds?",
        ),
        (TIMER.format("action\n    return 0.002"), "The action was never called"),
        (TIMER.format("[action() for _ in range(repeats)]\n    return 0.0"), "before *and* after"),
    ],
    "q4": [
        (FIT.format("'resnet18', 'resnet50', 'mobilenet_v3_large', 'tf_efficientnet_lite0'"), "Gradients and the opti"),
        (FIT.format("'resnet18', 'inception_v3'"), "saves activations of 3000 MiB"),
        (FIT.format("'resnet18', 'mobilenet_v3_large'"), "tf_efficientnet_lite0 would fit"),
        (FIT.format("'mobilenet_v3_large', 'tf_efficientnet_lite0'"), "resnet18 would fit"),
        ("networks_that_fit = 'resnet18'", "A list of names is expected"),
        (FIT.format("'mobilenet'"), "none of the eight networks"),
    ],
    "q5": [
        (PARETO.format("[max(accuracies, key=accuracies.get)]"), "C costs more than B and is worse"),
        (PARETO.format("list(costs)"), "C costs more than B and is worse"),
        (PARETO.format("max(accuracies, key=accuracies.get)"), "Several names are expected"),
        (PARETO.format("[accuracies[name] for name in costs]"), "Names are expected"),
        (
            PARETO.format(
                "[a for a in costs if not any(costs[b] < costs[a] and accuracies[b] > accuracies[a] for b in costs)]"
            ),
            "A and B cost the same",
        ),
        (
            PARETO.format(
                "[a for a in costs if not any("
                "costs[b] <= costs[a] and accuracies[b] >= accuracies[a] for b in costs if b != a)]"
            ),
            "neither beats the other",
        ),
        (
            PARETO.format(
                "[a for a in costs if not any(costs[b] <= costs[a] and accuracies[b] > accuracies[a] for b in costs)]"
            ),
            "A and B are equally accurate",
        ),
    ],
    "q6": [
        (MINE.format("'imagenet', 160", "0, 1"), "Change the weights, the size, or both"),
        (MINE.format("'imagenet', 32", "0, 1"), "A size from 64 to 260 pixels"),
        (MINE.format("'resnet18', 128", "0, 1"), "There are no weights 'resnet18' here"),
        (MINE.format("'imagenet', 96", "100, 2"), "another change than +100.0 points"),
        (MINE.format("'imagenet', 96", "gain('imagenet', 96), 2"), "That is a share"),
        (MINE.format("'imagenet', 96", "-100 * gain('imagenet', 96), 2"), "The sign"),
        (MINE.format("'imagenet', 96", "100 * gain('imagenet', 96), 0.33"), "The other way round"),
        (MINE.format("'imagenet', 96", "100 * gain('imagenet', 96), 300"), "Measured again"),
    ],
}

RIGHT = {
    "q2": ["def convolution_cost(n, m, k, s, g=1):\n    return m * n * k * k / g, m * n * k * k * s * s / g"],
    "q3": [
        "def seconds_for(action, repeats):\n"
        "    action()\n"
        "    start = time.perf_counter()\n"
        "    for _ in range(repeats):\n"
        "        action()\n"
        "    return (time.perf_counter() - start) / repeats"
    ],
    "q4": [
        "networks_that_fit = {'mobilenet_v3_large', 'ResNet18', 'tf_efficientnet_lite0'}",
        "import numpy as np\n\n"
        "networks_that_fit = np.array(['mobilenet_v3_large', 'resnet18', 'tf_efficientnet_lite0'])",
    ],
    "q5": [
        "def pareto_front(costs, accuracies):\n"
        "    front, best = set(), -1\n"
        "    for name in sorted(costs, key=lambda name: (costs[name], -accuracies[name])):\n"
        "        twin = any(costs[a] == costs[name] and accuracies[a] == accuracies[name] for a in front)\n"
        "        if accuracies[name] > best or twin:\n"
        "            front.add(name)\n"
        "            best = max(best, accuracies[name])\n"
        "    return front"
    ],
    "q6": [MINE.format("'embedded', 128", "str(100 * gain('embedded', 128)), 0.6")],
}
