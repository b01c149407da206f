"""What learners of lesson 02 may answer."""

NAMES = """\
class NameDataset(Dataset):
    def __init__(self, folder, transform):
        files = [p for p in sorted(Path(folder).iterdir()) if {condition}]
        self.classes = sorted({{p.name.split("_")[0] for p in files}})
        self.samples = [(p, {label}) for p in files]
        self.transform = transform

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        return {picture}, label
"""
PICTURES = "p.suffix.lower() in ENDINGS and not p.name.startswith('.')"
LABEL = 'self.classes.index(p.name.split("_")[0])'
READ = "self.transform(load_image(path))"
ORDERS = {"A": "in order", "B": "balanced", "C": "shuffled"}

NESTS = """\
def split_by_nest(nests):
    kinds = sorted(set(nests))
    {}
    val = [i for i, nest in enumerate(nests) if nest in chosen]
    return [[i for i, nest in enumerate(nests) if nest not in chosen], val]
"""

WRONG = {
    "q1": [
        ('class_to_idx = {"ants": 0, "Bees": 1, "9": 2, "10": 3}', "As numbers, 9 comes before 10"),
        ('class_to_idx = {"10": 0, "9": 1, "ants": 2, "Bees": 3}', "capital letters before all small ones"),
        ('class_to_idx = {"Bees": 0, "ants": 1, "10": 2, "9": 3}', "Digits come before letters"),
        ('class_to_idx = {"ants": 1, "Bees": 2, "9": 3, "10": 4}', "the labels 0, 1, 2 and 3"),
        ("class_to_idx = 3", "A dictionary with the keys ants, Bees, 9 and 10"),
    ],
    "q2": [
        (
            "def split_by_nest(nests):\n"
            "    order = np.random.default_rng(0).permutation(len(nests))\n"
            "    return order[30:], order[:30]",
            "nests are in train and in val",
        ),
        (
            "def split_by_nest(nests):\n    n = len(nests)\n    return range(n - n // 4), range(n // 2, n)",
            "Some images are in train and in val",
        ),
        (
            "def split_by_nest(nests):\n"
            "    kinds = sorted(set(nests))\n"
            "    return [nests.index(n) for n in kinds[3:]], [nests.index(n) for n in kinds[:3]]",
            "Each of the images should be in one",
        ),
        ("def split_by_nest(nests):\n    return list(range(len(nests)))", "Two lists of indices are expected"),
        ("def split_by_nest(nests):\n    return range(len(nests)), []", "0 of 120 are in val"),
        ("def split_by_nest(nests):\n    return sorted(set(nests))[3:], sorted(set(nests))[:3]", "hold names of nests"),
        (NESTS.format("chosen = kinds[: max(1, len(kinds) // 4)]"), "With nests of 90, 5, 3, 2 images, 90 of 100"),
        (NESTS.format("chosen = kinds[-1:]"), "of 120 are in val"),
    ],
    "q3": [
        (f"orders = {ORDERS | {'A': 'shuffled', 'C': 'in order'}}", "Chance would hardly do that"),
        (f"orders = {ORDERS | {'B': 'shuffled', 'C': 'balanced'}}", "Each must have come several times"),
        (f"orders = {ORDERS | {'C': 'balanced'}}", "give by chance"),
        ("orders = {'A': 'in order', 'B': 'mixed', 'C': 'shuffled'}", "B: choose one of"),
    ],
    "q4": [
        ("def fair_weights(y):\n    return np.bincount(y)[y]", "The rarer the class, the larger the weights"),
        ("def fair_weights(y):\n    return 1 / np.bincount(y)", "a weight for each class"),
        ("def fair_weights(y):\n    return np.full(len(y), 1 / len(y))", "The rarer the class, the larger the weights"),
        ("def fair_weights(y):\n    return 1 / np.sqrt(np.bincount(y)[y])", "Some class is still drawn more often"),
        ("def fair_weights(y):\n    return (y > 0).astype(float)", "weight 0 is never drawn"),
        ("def fair_weights(y):\n    return np.bincount(y)[y][:-1]", "20 weights should come out"),
    ],
    "q5": [
        ("my_classifier = plain", "5 points more are wanted"),
        ("my_classifier = linear_probe(features['val'], labels['val'])", "It seems to have learned from `val`"),
        ("my_classifier = 0.9", "A classifier with a `predict`"),
        ("my_classifier = linear_probe(few_features, few_labels, C=1e-6)", "5 points more are wanted"),
    ],
    "q6": [
        (NAMES.format(condition="p.suffix.lower() in ENDINGS", label=LABEL, picture=READ), ".ants_1.jpg is taken for"),
        (NAMES.format(condition="p.name[0] != '.'", label=LABEL, picture=READ), "notes.txt is taken for"),
        (NAMES.format(condition="p.suffix in ENDINGS and p.name[0] != '.'", label=LABEL, picture=READ), "write .JPG"),
        (NAMES.format(condition=PICTURES, label='p.name.split("_")[0]', picture=READ), "The labels are words"),
        (NAMES.format(condition=PICTURES, label="1", picture=READ), "should have the labels 0, 1, 1"),
        (NAMES.format(condition=PICTURES, label=LABEL, picture="load_image(path)"), "The transform was not used"),
        ("def NameDataset(folder, transform):\n    return 3", "A class with `__len__`"),
    ],
}

RIGHT = {
    "q1": ['class_to_idx = {"10": "0", "9": 1, "Bees": 2.0, "ants": 3}'],
    "q2": [
        NESTS.format(
            "sizes = {nest: nests.count(nest) for nest in kinds}\n"
            "    chosen = []\n"
            "    for nest in sorted(kinds, key=sizes.get):\n"
            "        if sum(map(sizes.get, [*chosen, nest])) <= 0.5 * len(nests):\n"
            "            chosen.append(nest)"
        )
    ],
    "q4": ["def fair_weights(y):\n    return [1000 / sum(other == label for other in y) for label in y]"],
    "q5": [
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n\n"
        "my_classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, class_weight='balanced'))\n"
        "my_classifier.fit(few_features, few_labels)",
        "draw = list(weighted_sampler(few_labels, seed=3))\n"
        "my_classifier = linear_probe(few_features[draw], few_labels[draw])",
        "from sklearn.neighbors import NearestCentroid\n\n"
        "my_classifier = NearestCentroid().fit(few_features, few_labels)",
    ],
}
