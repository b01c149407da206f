"""What learners of lesson 08 may answer."""

COST = "def convolution_cost(inputs, outputs, kernel, side):\n    return {}"
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
            "All runs but the first take four milliseconds",
        ),
        (
            TIMER.format("start = time.process_time()\n    action()\n    return time.process_time() - start"),
            "It was called once",
        ),
        (TIMER.format("action\n    return 0.004"), "The action was never called"),
        (TIMER.format("[action() for _ in range(repeats)]\n    return 0.0"), "before *and* after"),
    ],
    "q4": [
        ("networks_that_fit = ['resnet18', 'resnet50', 'mobilenet_v3_large']", "Gradients and the optimizer's numbers"),
        ("networks_that_fit = ['resnet18', 'inception_v3']", "saves activations of 3000 MiB"),
        ("networks_that_fit = ['mobilenet_v3_large']", "resnet18 would fit"),
        ("networks_that_fit = 'resnet18'", "A list of names is expected"),
        ("networks_that_fit = ['mobilenet']", "none of the five networks"),
    ],
    "q5": [
        ("my_choice = 'resnet18'", "million parameters; 6 fit"),
        ("my_choice = 'squeezenet1_1'", "others that fit are better"),
        ("my_choice = 'mobilenet'", "no classification network of torchvision"),
        ("my_choice = 'squeezenet1_0'", "0.82 billion multiply-adds"),
    ],
}

RIGHT = {
    "q2": ["def convolution_cost(n, m, k, s):\n    return m * n * k * k, m * n * k * k * s * s"],
    "q3": [
        "def seconds_for(action, repeats):\n"
        "    action()\n"
        "    start = time.perf_counter()\n"
        "    for _ in range(repeats):\n"
        "        action()\n"
        "    return (time.perf_counter() - start) / repeats"
    ],
    "q4": ["networks_that_fit = {'mobilenet_v3_large', 'ResNet18'}"],
    "q5": ["my_choice = 'MobileNet_v3_large'"],
}
