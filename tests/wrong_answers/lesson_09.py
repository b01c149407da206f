"""What learners of lesson 09 may answer."""

from pathlib import Path

JUDGED = "def judged_by_others(probe, features, labels, groups):\n    {}"
ANSWER = "def answer_or_unsure(probabilities, threshold):\n    {}"
UNTRAINED = (
    "torch.manual_seed(0)\n"
    "my_model = home / 'untrained.safetensors'\n"
    "save_model(my_model, replace_head(load_model(track.weights), {}), {}, preprocessing)\n"
    "my_new_pictures = {}"
)

WRONG = {
    "q1": [
        ("not_found = 'cut.jpg'", "to its last byte"),
        ("not_found = 'page.jpg'", "no decoder can read it"),
        ("not_found = 'again.jpg'", "No byte is the same"),
        ("not_found = 'both.jpg'", "a picture of the other class"),
        ("not_found = 'turned.png'", "Choose one of"),
    ],
    "q2": [
        (
            "effects = {'A': 'labels wrong', 'B': 'score too good', 'C': 'labels wrong', 'D': 'harmless'}",
            "A: sooner or later the loader decodes it",
        ),
        (
            "effects = {'A': 'stops the training', 'B': 'harmless', 'C': 'labels wrong', 'D': 'harmless'}",
            "B: the picture is in both splits",
        ),
        (
            "effects = {'A': 'stops the training', 'B': 'score too good', 'C': 'harmless', 'D': 'harmless'}",
            "C: the same picture is called",
        ),
        (
            "effects = {'A': 'stops the training', 'B': 'score too good', 'C': 'labels wrong', 'D': 'labels wrong'}",
            "D: these programs' files",
        ),
        ("effects = {'A': 'bad', 'B': 'bad', 'C': 'bad', 'D': 'good'}", "A: choose one of"),
        ("effects = 'harmless'", "A dictionary with the keys A, B, C, D"),
    ],
    "q3": [
        (
            JUDGED.format("return cross_val_predict(probe, features, labels, cv=5, method='predict_proba')"),
            "Keep each group in one fold",
        ),
        (
            JUDGED.format("return probe.fit(features, labels).predict_proba(features)"),
            "trained on. It knows them by heart",
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
            "not in the order of the pictures",
        ),
        (JUDGED.format("pass"), "end with `return`?"),
    ],
    "q4": [
        (ANSWER.format("return next(iter(probabilities))"), "should say 'unsure'"),
        (ANSWER.format("return min(probabilities, key=probabilities.get)"), "It says ants"),
        (ANSWER.format("return max(probabilities.values())"), "A word is expected"),
        (
            ANSWER.format("best = max(probabilities)")
            + "\n    return best if max(probabilities.values()) >= threshold else 'unsure'",
            "more than two classes, and in any order",
        ),
        (
            ANSWER.format("name = max(probabilities, key=probabilities.get)")
            + "\n    return name if probabilities[name] > 0.9 else 'unsure'",
            "The threshold is an argument",
        ),
        (
            ANSWER.format("name, probability = next(iter(probabilities.items()))")
            + "\n    return name if probability >= threshold else 'unsure'",
            "in any order",
        ),
        (
            ANSWER.format("name = max(probabilities, key=probabilities.get)")
            + "\n    return name if probabilities[name] > threshold else 'unsure'",
            "exactly the threshold",
        ),
    ],
    "q5": [
        ("drawings_of_each = 2", "below 0.9"),
        ("drawings_of_each = 5", "below 0.9"),
        ("drawings_of_each = 60", "reaches 0.9 earlier"),
        ("drawings_of_each = 100", "How many of each"),
        ("drawings_of_each = 'ten'", "One number is expected"),
    ],
    "q6": [
        ("my_model = home / 'nowhere'\nmy_new_pictures = track.folder / 'val'", "is not there"),
        ("my_model = '~/nowhere.safetensors'\nmy_new_pictures = track.folder / 'val'", str(Path.home())),
        (UNTRAINED.format(2, "['ants', 'bees']", "track.folder / 'nowhere'"), "is not there"),
        (UNTRAINED.format(2, "['ants', 'bees']", "new_picture"), "is a file; give a folder"),
        (UNTRAINED.format(2, "['ants', 'wasps']", "track.folder / 'val'"), "has the class 'bees'"),
        (UNTRAINED.format(3, "['ants', 'bees', 'wasps']", "track.folder / 'val'"), "0 new pictures of 'wasps'"),
        (UNTRAINED.format(2, "['ants', 'bees']", "track.folder / 'val'"), "no better than that"),
    ],
}

RIGHT = {
    "q3": [
        "from sklearn.model_selection import GroupKFold\n\n\n"
        + JUDGED.format(
            "result = np.empty((len(labels), 2))\n"
            "    for train, test in GroupKFold(5).split(features, labels, groups):\n"
            "        result[test] = probe.fit(features[train], labels[train]).predict_proba(features[test])\n"
            "    return result"
        )
    ],
    "q4": [
        ANSWER.format("best = sorted(probabilities.items(), key=lambda item: item[1])[-1]")
        + "\n    return 'unsure' if best[1] < threshold else best[0]"
    ],
    "q5": ["drawings_of_each = 6.5", "drawings_of_each = 10", "drawings_of_each = 15.0"],
}
