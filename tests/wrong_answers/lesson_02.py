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

WRONG = {
    "q1": [
        ("label_of_ants = 0", "as long as `ants` was the first folder"),
        ("label_of_ants = 2", "A full stop sorts before the letters"),
        ("label_of_ants = -1", "the labels are 0, 1 and 2"),
        ("label_of_ants = 'ants'", "One number is expected"),
    ],
    "q2": [
        (
            "def split_by_nest(nests):\n"
            "    order = np.random.default_rng(0).permutation(len(nests))\n"
            "    return order[30:], order[:30]",
            "nests are in train and in val",
        ),
        ("def split_by_nest(nests):\n    return range(90), range(80, 120)", "Some pictures are in train and in val"),
        (
            "def split_by_nest(nests):\n"
            "    names = sorted(set(nests))\n"
            "    return [nests.index(n) for n in names[3:]], [nests.index(n) for n in names[:3]]",
            "Each of the pictures should be in one",
        ),
        ("def split_by_nest(nests):\n    return list(range(len(nests)))", "Two lists of indices are expected"),
        ("def split_by_nest(nests):\n    return range(len(nests)), []", "0 of 120 pictures are in val"),
        ("def split_by_nest(nests):\n    return sorted(set(nests))[3:], sorted(set(nests))[:3]", "hold names of nests"),
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
    "q2": [
        "from sklearn.model_selection import GroupShuffleSplit\n\n\n"
        "def split_by_nest(nests):\n"
        "    splitter = GroupShuffleSplit(test_size=0.25, random_state=0)\n"
        "    return next(splitter.split(nests, groups=nests))"
    ],
    "q4": ["def fair_weights(y):\n    return [1000 / sum(other == label for other in y) for label in y]"],
}
