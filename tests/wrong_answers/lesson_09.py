"""What learners of lesson 09 may answer."""

from pathlib import Path

JUDGED = "def judged_by_others(probe, features, labels, groups):\n    {}"
UNTRAINED = (
    "torch.manual_seed(0)\n"
    "my_model = home / 'untrained.safetensors'\n"
    "save_model(my_model, replace_head(load_model(track.weights), {}), {}, preprocessing.at(32))\n"
    "my_new_images = {}"
)

WRONG = {
    "q1": [
        ("not_found = 'cut.jpg'", "to its last byte"),
        ("not_found = 'page.jpg'", "no decoder can read it"),
        ("not_found = 'again.jpg'", "No byte is the same"),
        ("not_found = 'both.jpg'", "an image of another class"),
        ("not_found = 'turned.png'", "Choose one of"),
    ],
    "q2": [
        (
            "effects = {'A': 'labels wrong', 'B': 'score too good', 'C': 'labels wrong', 'D': 'harmless'}",
            "A: sooner or later the loader decodes it",
        ),
        (
            "effects = {'A': 'stops the training', 'B': 'harmless', 'C': 'labels wrong', 'D': 'harmless'}",
            "B: the image is in both splits",
        ),
        (
            "effects = {'A': 'stops the training', 'B': 'score too good', 'C': 'harmless', 'D': 'harmless'}",
            "C: the same image is labelled",
        ),
        (
            "effects = {'A': 'stops the training', 'B': 'score too good', 'C': 'labels wrong', 'D': 'labels wrong'}",
            "D: hidden folders",
        ),
        ("effects = {'A': 'bad', 'B': 'bad', 'C': 'bad', 'D': 'good'}", "A: choose one of"),
        ("effects = 'harmless'", "A dictionary with the keys A, B, C, D"),
    ],
    "q3": [
        ("pattern = r'nest\\d+'", "Put parentheses"),
        ("pattern = r'(nest\\d)'", "show different nests"),
        ("pattern = r'nest(\\d)+'", "show different nests"),  # the group is the last digit
        ("pattern = r'(\\d+-\\d+-\\d+)'", "show different nests"),
        ("pattern = r'(IMG_\\d+)'", "show the same nest"),
        ("pattern = r'(nest)'", "show different nests"),
        ("pattern = r'(hive\\d+)'", "not found in 'wasps/2026-05-03_nest1"),
        ("pattern = r'^[\\d-]+_(nest\\d+)'", "not found in 'wasps/2026-05-03_nest1"),
        ("pattern = r'(nest\\d+'", "not a regular expression"),
        ("pattern = 12", "A pattern is text"),
    ],
    "q4": [
        (
            JUDGED.format("return cross_val_predict(probe, features, labels, cv=5, method='predict_proba')"),
            "Keep each group in one fold",
        ),
        (
            JUDGED.format("return probe.fit(features, labels).predict_proba(features)"),
            "It has memorised the labels",
        ),
        (
            "from sklearn.model_selection import GroupKFold\n\n\n"
            + JUDGED.format("return cross_val_predict(probe, features, labels, groups=groups, cv=GroupKFold(5))"),
            "method='predict_proba' gives a row for each",
        ),
        (
            "from sklearn.model_selection import GroupKFold\n\n\n"
            + JUDGED.format(
                "rows = []\n"
                "    for train, test in GroupKFold(5).split(features, labels, groups):\n"
                "        rows.append(probe.fit(features[train], labels[train]).predict_proba(features[test]))\n"
                "    return np.concatenate(rows)"
            ),
            "not in the order of the images",
        ),
        (JUDGED.format("pass"), "end with `return`?"),
    ],
    "q5": [
        ("test_images = 100", "More are needed"),
        ("test_images = 20", "More are needed"),
        ("test_images = 3", "wider than that by far"),
        ("test_images = 1000", "Fewer are enough"),
        ("test_images = 'many'", "One number is expected"),
    ],
    "q6": [
        ("my_model = home / 'nowhere'\nmy_new_images = track.folder / 'val'", "is not there"),
        ("my_model = '~/nowhere.safetensors'\nmy_new_images = track.folder / 'val'", str(Path.home())),
        (UNTRAINED.format(6, "class_names", "track.folder / 'nowhere'"), "is not there"),
        (UNTRAINED.format(6, "class_names", "new_images[0]"), "is a file; give a folder"),
        (UNTRAINED.format(5, "class_names[1:]", "track.folder / 'val'"), "has the class 'ants'"),
        (UNTRAINED.format(7, "[*class_names, 'zebras']", "track.folder / 'val'"), "0 new images of 'zebras'"),
        (
            "my_model = home / 'mixed_up.safetensors'\n"
            "save_model(my_model, model, [*class_names[1:], class_names[0]], preprocessing.at(96))\n"
            "my_new_images = track.folder / 'val'",
            "no better than that",
        ),
    ],
}

RIGHT = {
    "q3": ["pattern = r'_(nest[0-9]+)_'", "pattern = r'nest(\\d+)'", "pattern = r'_([^_]+)_IMG'"],
    "q4": [
        "from sklearn.model_selection import GroupKFold\n\n\n"
        + JUDGED.format(
            "result = np.empty((len(labels), 2))\n"
            "    for train, test in GroupKFold(5).split(features, labels, groups):\n"
            "        result[test] = probe.fit(features[train], labels[train]).predict_proba(features[test])\n"
            "    return result"
        )
    ],
    "q5": [
        "test_images = 350",
        "test_images = 384.16",
        "import math\n\ntest_images = math.ceil(0.09 / (0.03 / 2) ** 2)",
    ],
}
