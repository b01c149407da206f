"""What learners of lesson 00 may answer."""

HONEST = "def honest_score(train_x, train_y, val_x, val_y):\n"
BY_IMAGES = """\
by_images = {{}}
for n in (8, 20, 60, 244):
    small_probe = linear_probe(train_features[:n], train_labels[:n])
    by_images[n] = accuracy({})
"""

WRONG = {
    "q1": [
        ("my_seconds = batch_seconds", "the time of one batch"),
        ("my_seconds = 397 * batch_seconds", "had 32 images, not one"),
        ("my_seconds = 1000 * 397 / 32 * batch_seconds", "That many milliseconds"),
        ("my_seconds = 32 * batch_seconds", "How many such batches are 397 images?"),
        ("my_seconds = 'seconds'", "One number is expected here, not 'seconds'"),
    ],
    "q2": [
        ("def share_right(predicted, labels):\n    return (predicted == labels).sum()", "how many are right"),
        ("def share_right(predicted, labels):\n    return 100 * (predicted == labels).mean()", "It returns percent"),
        ("def share_right(predicted, labels):\n    return (predicted != labels).mean()", "the share that is wrong"),
        ("def share_right(predicted, labels):\n    return predicted == labels", "a value for each image"),
        ("def share_right(predicted, labels):\n    (predicted == labels).mean()", "end with `return`?"),
        (
            "def share_right(predicted, labels):\n    return (predicted == labels).sum() / 8",
            "Divide by the number of labels",
        ),
        ("share_right = 0.75", "A function is expected here"),
        ("def share_right(predicted, labels):\n    return hits / len(labels)", "ended in NameError: name 'hits'"),
    ],
    "q3": [
        ('verdicts = {"A": False, "B": False, "C": False, "D": True}', "A: This is what a 95 % confidence interval"),
        ('verdicts = {"A": True, "B": True, "C": False, "D": True}', "B: It is an interval for the true accuracy"),
        ('verdicts = {"A": True, "B": False, "C": True, "D": True}', "C: No difference was *shown*"),
        ('verdicts = {"A": True, "B": False, "C": False, "D": False}', "D: Images on which both are right"),
        ('verdicts = {"A": True, "B": 7, "C": False, "D": False}', "B: choose one of 'false', 'true'"),
        ("verdicts = [True, False, False, True]", "A dictionary with the keys A, B, C, D"),
    ],
    "q4": [
        (
            HONEST + "    return accuracy(linear_probe(train_x, train_y).predict(train_x), train_y)",
            "it has learned from",
        ),
        (HONEST + "    return accuracy(linear_probe(val_x, val_y).predict(val_x), val_y)", "it has learned from"),
        (
            HONEST + "    return accuracy(linear_probe(train_x, 1 - train_y).predict(val_x), val_y)",
            "easy to learn, but it says 0%",
        ),
        (
            HONEST + "    return accuracy(linear_probe(train_x, train_y).predict(val_x), train_y)",
            "Which labels belong to the images",
        ),
    ],
    "q5": [
        ("by_images = [0.7, 0.8, 0.9]", "A dictionary {number of images: accuracy}"),
        ("by_images = {8: 70, 20: 80, 60: 85, 244: 92}", "An accuracy lies between 0 and 1"),
        ("by_images = {100: 0.88, 150: 0.9, 200: 0.91, 244: 0.92}", "Go further"),
        ("by_images = {8: 0.1, 20: 0.76, 60: 0.85, 244: 0.93}", "Which features and labels belong together?"),
        ("by_images = {8: 0.7, 60: 0.85, 1000: 0.95}", "There are 244 training images"),
        (
            BY_IMAGES.format("small_probe.predict(train_features[:n]), train_labels[:n]"),
            "on the images that it has learned from?",
        ),
    ],
}

RIGHT = {
    "q1": [
        "import math\n\nmy_seconds = math.ceil(397 / 32) * batch_seconds",
        "my_seconds = torch.tensor(12.4 * batch_seconds)",
        "my_seconds = str(13 * batch_seconds)",
    ],
    "q2": [
        "def share_right(predicted, labels):\n"
        "    hits = [p == y for p, y in zip(predicted, labels, strict=True)]\n"
        "    return sum(hits) / len(hits)",
        "from sklearn.metrics import accuracy_score as share_right",
    ],
    "q3": [
        'verdicts = {"A": "true", "B": "false", "C": "False", "D": "True"}',
        'verdicts = {"A": np.bool_(True), "B": np.bool_(False), "C": False, "D": True}',
    ],
    "q4": [HONEST + "    return linear_probe(train_x, train_y).score(val_x, val_y)"],
    "q5": [
        BY_IMAGES.format("small_probe.predict(val_features), val_labels") + "    by_images[n] = by_images[n].value",
        """\
random, by_images = np.random.default_rng(1), {}
for n in (10, 30, 100):
    chosen = random.permutation(len(train_labels))[:n]
    small_probe = linear_probe(train_features[chosen], train_labels[chosen])
    by_images[n] = small_probe.score(val_features, val_labels)
""",
    ],
}
