"""What learners of lesson 00 may answer."""

WRONG = {
    "q1": [
        ("my_seconds = 644", "a whole second for each picture"),
        ("my_seconds = 6440", "That many milliseconds"),
        ("my_seconds = 0.01", "the time of one picture"),
        ("my_seconds = 64.4", "Multiply the number of pictures"),
        ("my_seconds = 'seconds'", "One number is expected here, not 'seconds'"),
    ],
    "q2": [
        ("def share_right(predicted, labels):\n    return (predicted == labels).sum()", "how many are right"),
        ("def share_right(predicted, labels):\n    return 100 * (predicted == labels).mean()", "It returns percent"),
        ("def share_right(predicted, labels):\n    return (predicted != labels).mean()", "the share that is wrong"),
        ("def share_right(predicted, labels):\n    return predicted == labels", "a value for each picture"),
        ("def share_right(predicted, labels):\n    (predicted == labels).mean()", "end with `return`?"),
        (
            "def share_right(predicted, labels):\n    return (predicted == labels).sum() / 8",
            "Divide by the number of labels",
        ),
        ("share_right = 0.75", "A function is expected here"),
        ("def share_right(predicted, labels):\n    return right / len(labels)", "ended in NameError: name 'right'"),
    ],
    "q3": [
        ('verdict = "yes"', "95 lies inside the interval"),
        ('verdict = "no"', "It may well be better"),
        ("verdict = 3", "Choose one of 'cannot tell', 'no', 'yes'"),
    ],
    "q4": [
        (
            "def honest_score(train_x, train_y, test_x, test_y):\n"
            "    my_probe = linear_probe(train_x, train_y)\n"
            "    return accuracy(my_probe.predict(train_x), train_y)",
            "pictures that it has learned from",
        ),
        (
            "def honest_score(train_x, train_y, test_x, test_y):\n"
            "    return accuracy(linear_probe(test_x, test_y).predict(test_x), test_y)",
            "pictures that it has learned from",
        ),
        (
            "def honest_score(train_x, train_y, test_x, test_y):\n"
            "    return accuracy(linear_probe(train_x, 1 - train_y).predict(test_x), test_y)",
            "easy to learn, but it says 0%",
        ),
        (
            "def honest_score(train_x, train_y, test_x, test_y):\n"
            "    return accuracy(linear_probe(train_x, train_y).predict(test_x), train_y)",
            "Which labels belong to the pictures",
        ),
    ],
    "q5": [
        ("by_pictures = [0.7, 0.8, 0.9]", "A dictionary {number of pictures: accuracy}"),
        ("by_pictures = {8: 70, 20: 80, 60: 85, 244: 92}", "An accuracy lies between 0 and 1"),
        ("by_pictures = {100: 0.88, 150: 0.9, 200: 0.91, 244: 0.92}", "Go further"),
        (
            "by_pictures = {}\n"
            "for n in (8, 20, 60, 244):\n"
            "    small_probe = linear_probe(train_features[:n], train_labels[:n])\n"
            "    by_pictures[n] = accuracy(small_probe.predict(train_features), train_labels)",
            "not about those that were learned",
        ),
    ],
}

RIGHT = {
    "q1": ["my_seconds = 6", "import torch\n\nmy_seconds = torch.tensor(6.44)"],
    "q2": [
        "def share_right(predicted, labels):\n"
        "    hits = [p == y for p, y in zip(predicted, labels, strict=True)]\n"
        "    return sum(hits) / len(hits)"
    ],
    "q3": ['verdict = " Cannot tell"'],
    "q4": [
        "def honest_score(train_x, train_y, test_x, test_y):\n"
        "    return linear_probe(train_x, train_y).score(test_x, test_y)"
    ],
    "q5": ["by_pictures = {8: 0.66, 20: 0.76, 60: 0.85}"],
}
