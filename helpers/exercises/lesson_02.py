"""The exercises of lesson 02."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from helpers.exercises import Answer, Exercises, NotYet, match, number, result_of, shown

exercises = Exercises()


@exercises.add(
    hints=(
        "The label of a class is its position in the sorted list of folder names.",
        "How does `.ipynb_checkpoints` sort: a full stop comes before all letters.",
    ),
    answer="label_of_ants = 1",
)
def q1(label_of_ants: Answer) -> str:
    label = number(label_of_ants)
    if label == 0:
        raise NotYet("It was 0 as long as `ants` was the first folder. Sort all three names.")
    if label == 2:
        raise NotYet("A full stop sorts before the letters, and `ants` before `bees`.")
    if label != 1:
        raise NotYet("Three folders, so the labels are 0, 1 and 2.")
    return "The hidden folder takes the 0, and every number moves up by one."


@exercises.add(
    hints=(
        "Draw nests, not pictures: `sorted(set(nests))` lists them.",
        "Take about a quarter of the nests for val. A picture goes where its nest goes.",
        "`val = [i for i, nest in enumerate(nests) if nest in chosen]`, and train is the rest.",
    ),
    answer='''
def split_by_nest(nests):
    """Indices for train and for val, two lists; no nest is in both."""
    names = sorted(set(nests))
    chosen = names[: max(1, len(names) // 4)]
    val = [i for i, nest in enumerate(nests) if nest in chosen]
    return [i for i in range(len(nests)) if i not in val], val
''',
)
def q2(split_by_nest: Answer) -> str:
    nests = [f"nest {n}" for n in np.random.default_rng(0).integers(0, 12, 120)]
    parts = result_of(split_by_nest, list(nests))
    if not isinstance(parts, tuple) or len(parts) != 2:
        raise NotYet("Two lists of indices are expected: `return train, val`.")
    if any(isinstance(i, str) for part in parts for i in part):
        raise NotYet("The lists hold names of nests. Indices of pictures are expected: 0 for the first one.")
    train, val = ([int(i) for i in part] for part in parts)
    if set(train) & set(val):
        raise NotYet("Some pictures are in train and in val.")
    if sorted(train + val) != list(range(len(nests))):
        raise NotYet("Each of the pictures should be in one of the two lists, once.")
    both = {nests[i] for i in train} & {nests[i] for i in val}
    if both:
        raise NotYet(
            f"{len(both)} of 12 nests are in train and in val. What the val pictures show was learned already."
        )
    if not 0.1 < len(val) / len(nests) < 0.5:
        raise NotYet(f"{len(val)} of {len(nests)} pictures are in val. About a quarter would do.")
    return "No nest is in both. scikit-learn's GroupShuffleSplit does this as well."


@exercises.add(
    hints=(
        "In the order of the folder, all ants come first.",
        "Shuffled, a batch looks like the whole: about as many bees as the folder has, give or take a few.",
        "Ten bees among 133 pictures are two or three in a batch of 32. Balanced, half of the batch are bees.",
    ),
    answer="""
orders = {
    "A": "in order",
    "B": "balanced",
    "C": "shuffled",
}
""",
)
def q3(orders: Answer) -> str:
    match(
        orders,
        {"A": "in order", "B": "balanced", "C": "shuffled"},
        {
            "A": "All ten bees are in the last batches. Chance would hardly do that.",
            "B": "Only ten bees are there, and 62 were drawn. Each must have come several times.",
            "C": "Two or three in each batch are what ten bees among 133 pictures give by chance.",
        },
    )
    return "A look at a few batches tells which loader you have."


@exercises.add(
    hints=(
        "How large are the weights of the ten bees, all together? And those of the ants?",
        "Both classes should have the same weight all together: the rarer the class, the larger its weights.",
        "`1 / counts[y]` has a weight for each picture: one over the size of its class.",
    ),
    answer='''
def fair_weights(y):
    """A weight for each picture, so that all classes are drawn equally often."""
    return 1 / np.bincount(y)[y]
''',
)
def q4(fair_weights: Answer) -> str:
    y = np.array([0] * 12 + [1] * 3 + [2] * 5)
    given = np.asarray(result_of(fair_weights, y.copy()), dtype=np.float64)
    if given.shape == (3,):
        raise NotYet("It returns a weight for each class. The sampler wants one for each picture: index with `y`.")
    if given.shape != y.shape:
        raise NotYet(f"20 labels went in, so 20 weights should come out, not {shown(given.shape)}.")
    if not (given > 0).all():
        raise NotYet("A picture with weight 0 is never drawn, and a negative weight is an error.")
    together = np.array([given[y == label].sum() for label in range(3)])
    if together[0] > 3 * together[1]:
        raise NotYet("The common class is still drawn more often. The rarer the class, the larger the weights.")
    if not np.allclose(together, together[0]):
        raise NotYet("Some class is still drawn more often. Add up the weights of each class: they should be equal.")
    return "Each class has the same weight all together."


@exercises.add(
    hints=(
        "The list of samples is all that differs from `CsvDataset`: `path.name.split('_')[0]` is the class.",
        "Leave out what is no picture: `path.suffix.lower() in ENDINGS`, and no hidden files.",
        "Sort, so that the order is the same on every system; and labels are positions in `self.classes`.",
    ),
    answer='''
class NameDataset(Dataset):
    """Pictures in one folder; the part of a name before the first _ is the class."""

    def __init__(self, folder, transform):
        files = [
            path
            for path in sorted(Path(folder).iterdir())
            if path.suffix.lower() in ENDINGS and not path.name.startswith(".")
        ]
        self.classes = sorted({path.name.split("_")[0] for path in files})
        self.samples = [
            (str(path), self.classes.index(path.name.split("_")[0])) for path in files
        ]
        self.transform = transform

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, index):
        path, label = self.samples[index]
        return self.transform(load_image(path)), label
''',
    rubric=(
        "A file whose name has no class in it ends in a message that names the file.",
        "To make the dataset opens no picture.",
        "Somebody who knows `ImageFolder` finds the same attributes under the same names.",
    ),
)
def q5(NameDataset: Answer) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, grey in {"bees_2.JPG": 200, "ants_1.jpg": 50, "bees_1.png": 100}.items():
            Image.new("RGB", (9, 9), (grey,) * 3).save(folder / name)

        def red(picture: Image.Image) -> int:
            return int(np.asarray(picture)[4, 4, 0])

        dataset = result_of(NameDataset, folder, red)
        if not hasattr(dataset, "__getitem__"):
            raise NotYet("A class with `__len__` and `__getitem__` is expected.")
        if len(dataset) == 2:
            raise NotYet("Two of three pictures were found. Cameras write .JPG.")
        for name in ("notes.txt", ".ants_1.jpg"):
            (folder / name).write_text("no picture")
            dataset = result_of(NameDataset, folder, red)
            if len(dataset) > 3:
                raise NotYet(f"{name} is taken for a picture. Leave out what has another ending, and hidden files.")
        items = [tuple(dataset[i]) for i in range(len(dataset))]
        labels = [label for _, label in items]
        if any(isinstance(label, str) for label in labels):
            raise NotYet(f"The labels are words, {shown(labels)}. The loss wants whole numbers from 0.")
        if sorted(labels) != [0, 1, 1]:
            raise NotYet(f"One ant and two bees should have the labels 0, 1, 1, not {shown(labels)}.")
        if not all(isinstance(grey, (int, np.integer)) for grey, _ in items):
            raise NotYet("The transform was not used: it stands between `load_image` and `return`.")
        if [label for grey, label in items if abs(grey - 50) < 9] != [0]:
            raise NotYet("The picture of the ant has the label of a bee.")
    return "Three pictures with their labels, and nothing else."
