"""The exercises of lesson 02."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from helpers.exercises import Answer, Exercises, NotYet, match, number, result_of, shown

exercises = Exercises()


@exercises.add(
    hints=(
        "The label of a class is its position in the sorted list of names.",
        "`9` and `10` are strings: compare their first characters, `9` and `1`.",
        "`sorted(['ants', 'Bees', '9', '10'])` is how Python sorts them.",
    ),
    answer="""
class_to_idx = {name: label for label, name in enumerate(sorted(["ants", "Bees", "9", "10"]))}
""",
)
def q1(class_to_idx: Answer) -> str:
    right = {"10": 0, "9": 1, "Bees": 2, "ants": 3}
    if not isinstance(class_to_idx, dict) or set(class_to_idx) != set(right):
        raise NotYet(f"A dictionary with the keys ants, Bees, 9 and 10 is expected here, not {shown(class_to_idx)}.")
    given = {name: number(label) for name, label in class_to_idx.items()}
    if sorted(given.values()) != [0, 1, 2, 3]:
        raise NotYet("Four classes have the labels 0, 1, 2 and 3, each once.")
    if given["10"] > given["9"]:
        raise NotYet("As numbers, 9 comes before 10. These are strings, and `1` comes before `9`.")
    if given["Bees"] > given["ants"]:
        raise NotYet("In a dictionary ants come before bees. Python puts capital letters before all small ones.")
    if given != right:
        raise NotYet("Digits come before letters.")
    return "So 10 comes before 9, and Bees before ants: name folders alike, and look at `class_to_idx`."


@exercises.add(
    hints=(
        "Split nests, not images. How many images each nest has, `collections.Counter(nests)` says.",
        "Put a nest into val only if val then has no more than half of the images. Small nests first, for example.",
        "At the end: `val = [i for i, nest in enumerate(nests) if nest in chosen]`, and train is the rest.",
    ),
    answer='''
from collections import Counter


def split_by_nest(nests):
    """Indices for train and for val, two lists; no nest is in both."""
    chosen, images = set(), 0
    for nest, size in reversed(Counter(nests).most_common()):  # the smallest first
        if images < len(nests) / 4 and images + size <= len(nests) / 2:
            chosen.add(nest)
            images += size
    val = [i for i, nest in enumerate(nests) if nest in chosen]
    return [i for i, nest in enumerate(nests) if nest not in chosen], val
''',
)
def q2(split_by_nest: Answer) -> str:
    random = np.random.default_rng(0)
    _judge_split(split_by_nest, [f"nest {n}" for n in random.integers(0, 12, 120)])
    for sizes in ((90, 5, 3, 2), (2, 3, 25, 70), (50, 50)):
        nests = [f"nest {n}" for n, size in enumerate(sizes) for _ in range(size)]
        _judge_split(split_by_nest, [nests[i] for i in random.permutation(len(nests))])
    return "No nest is in both, whatever their sizes."


def _judge_split(split_by_nest: Answer, nests: list[str]) -> None:
    """Raises `NotYet` where a split into train and val tears a nest apart, or is far from a quarter for val."""
    parts = result_of(split_by_nest, list(nests))
    if not isinstance(parts, (tuple, list)) or len(parts) != 2:
        raise NotYet("Two lists of indices are expected: `return train, val`.")
    if any(isinstance(i, str) for part in parts for i in part):
        raise NotYet("The lists hold names of nests. Indices of images are expected: 0 for the first one.")
    train, val = ([int(i) for i in part] for part in parts)
    sizes = ", ".join(map(str, sorted((nests.count(nest) for nest in set(nests)), reverse=True)))
    if set(train) & set(val):
        raise NotYet("Some images are in train and in val.")
    if sorted(train + val) != list(range(len(nests))):
        raise NotYet("Each of the images should be in one of the two lists, once.")
    both = {nests[i] for i in train} & {nests[i] for i in val}
    if both:
        raise NotYet(f"{len(both)} nests are in train and in val. What the val images show was learned already.")
    if not 0.1 <= len(val) / len(nests) <= 0.5:
        raise NotYet(f"With nests of {sizes} images, {len(val)} of {len(nests)} are in val. 10 % to 50 % would do.")


@exercises.add(
    hints=(
        "In the order of the folder, all ants come first.",
        "Shuffled, a batch looks like the whole set: the share of bees is about the same, give or take a few.",
        "Ten bees among 133 images are two or three in a batch of 32. Balanced, half of the batch are bees.",
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
            "C": "Two or three in each batch are what ten bees among 133 images give by chance.",
        },
    )
    return "A look at a few batches tells which loader you have."


@exercises.add(
    hints=(
        "How large are the weights of the ten bees, all together? And those of the ants?",
        "Both classes should have the same weight all together: the rarer the class, the larger its weights.",
        "`1 / counts[y]` has a weight for each image: one over the size of its class.",
    ),
    answer='''
def fair_weights(y):
    """A weight for each image, so that all classes are drawn equally often."""
    return 1 / np.bincount(y)[y]
''',
)
def q4(fair_weights: Answer) -> str:
    y = np.array([0] * 12 + [1] * 3 + [2] * 5)
    given = np.asarray(result_of(fair_weights, y.copy()), dtype=np.float64)
    if given.shape == (3,):
        raise NotYet("It returns a weight for each class. The sampler wants one for each image: index with `y`.")
    if given.shape != y.shape:
        raise NotYet(f"20 labels went in, so 20 weights should come out, not {shown(given.shape)}.")
    if not (given > 0).all():
        raise NotYet("An image with weight 0 is never drawn, and a negative weight is an error.")
    together = np.array([given[y == label].sum() for label in range(3)])
    if together[0] > 3 * together[1]:
        raise NotYet("The common class is still drawn more often. The rarer the class, the larger the weights.")
    if not np.allclose(together, together[0]):
        raise NotYet("Some class is still drawn more often. Add up the weights of each class: they should be equal.")
    return "Each class has the same weight all together."


@exercises.add(
    hints=(
        "The plain probe saw 123 ants and 10 bees. What if each bee counted as much as twelve ants?",
        "Repeat rows, draw them with `weighted_sampler`, or use scikit-learn's `class_weight='balanced'`.",
        "`drawn = list(weighted_sampler(few_labels))`, then `linear_probe(few_features[drawn], few_labels[drawn])`.",
    ),
    answer="""
balanced_rows = np.concatenate([np.arange(counts[0]), np.repeat(np.arange(counts[0], len(few)), 12)])
my_classifier = linear_probe(few_features[balanced_rows], few_labels[balanced_rows])
""",
    rubric=(
        "I have tried two ways at least, and compared them on val.",
        "I say how many ants are lost for the bees that are found.",
        "I know why I must not report this number: which split would I need, and why?",
    ),
)
def q5(my_classifier: Answer, plain: Any, features: np.ndarray, labels: np.ndarray) -> str:
    if not hasattr(my_classifier, "predict"):
        raise NotYet(
            f"A classifier with a `predict` is expected here, as `linear_probe` makes it, not {shown(my_classifier)}."
        )
    predicted = np.asarray(my_classifier.predict(features))
    if predicted.shape != labels.shape:
        raise NotYet(
            f"{len(labels)} rows went in, and {shown(predicted.shape)} came out. One class for each is expected."
        )
    ants, bees = _recalls(predicted, labels)
    if ants > 0.99 and bees > 0.99:
        raise NotYet("All of val is right? It seems to have learned from `val`. Use `few_features` alone.")
    before = np.mean(_recalls(plain.predict(features), labels))
    if (ants + bees) / 2 < before + 0.05:
        raise NotYet(
            f"{ants:.0%} of the ants and {bees:.0%} of the bees are right: {(ants + bees) / 2:.0%} on average. The "
            f"plain probe has {before:.0%}, and 5 points more are wanted."
        )
    return f"{ants:.0%} of the ants and {bees:.0%} of the bees, where the plain probe has {before:.0%} on average."


def _recalls(predicted: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Of each of the two classes, the share that is right."""
    ants, bees = (float((predicted[labels == label] == label).mean()) for label in (0, 1))
    return ants, bees


@exercises.add(
    hints=(
        "The list of samples is all that differs from `CsvDataset`: `path.name.split('_')[0]` is the class.",
        "Leave out what is no image: `path.suffix.lower() in ENDINGS`, and no hidden files.",
        "Sort, so that the order is the same on every system; and labels are positions in `self.classes`.",
    ),
    answer='''
class NameDataset(Dataset):
    """Images in one folder; the part of a name before the first _ is the class."""

    def __init__(self, folder, transform):
        files = [
            path
            for path in sorted(Path(folder).iterdir())
            if path.suffix.lower() in ENDINGS and not path.name.startswith(".")
        ]
        for path in files:
            if "_" not in path.name:
                raise ValueError(f"{path.name} has no class before a _")
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
        "Making the dataset opens no image.",
        "Somebody who knows `ImageFolder` finds the same attributes under the same names.",
    ),
)
def q6(NameDataset: Answer) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name, grey in {"bees_2.JPG": 200, "ants_1.jpg": 50, "bees_1.png": 100}.items():
            Image.new("RGB", (9, 9), (grey,) * 3).save(folder / name)

        def red(image: Image.Image) -> int:
            return int(np.asarray(image)[4, 4, 0])

        dataset = result_of(NameDataset, folder, red)
        if not hasattr(dataset, "__getitem__"):
            raise NotYet("A class with `__len__` and `__getitem__` is expected.")
        if len(dataset) == 2:
            raise NotYet("Two of three images were found. Cameras write .JPG.")
        for name in ("notes.txt", ".ants_1.jpg"):
            (folder / name).write_text("no image")
            dataset = result_of(NameDataset, folder, red)
            if len(dataset) > 3:
                raise NotYet(f"{name} is taken for an image. Leave out what has another ending, and hidden files.")
        items = [tuple(dataset[i]) for i in range(len(dataset))]
        labels = [label for _, label in items]
        if any(isinstance(label, str) for label in labels):
            raise NotYet(f"The labels are words, {shown(labels)}. The loss wants whole numbers from 0.")
        if sorted(labels) != [0, 1, 1]:
            raise NotYet(f"One ant and two bees should have the labels 0, 1, 1, not {shown(labels)}.")
        if not all(isinstance(grey, (int, np.integer)) for grey, _ in items):
            raise NotYet("The transform was not used: it stands between `load_image` and `return`.")
        if [label for grey, label in items if abs(grey - 50) < 9] != [0]:
            raise NotYet("The image of the ant has the label of a bee.")
    return "Three images with their labels, and nothing else."
