"""The exercises of lesson 09."""

import re
from collections import Counter
from itertools import combinations

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from helpers.data import ImageDataset
from helpers.errors import LessonError
from helpers.evaluation import Accuracy
from helpers.exercises import Answer, Exercises, NotYet, choose, match, number, result_of, shown
from helpers.inference import load_saved

exercises = Exercises()
FEW = 10  # new images of a class, at least
ASKED = 20  # new images of a class, at most: the check should not take long
NAMES = {  # paths of images in the folder: the nest that each shows
    "wasps/2026-05-03_nest1_IMG_0007.jpg": 1,
    "wasps/2026-05-03_nest12_IMG_0008.jpg": 12,
    "wasps/2026-05-04_nest1_IMG_0031.jpg": 1,
    "wasps/2026-05-04_nest4_IMG_0040.jpg": 4,
    "wasps/2026-06-11_nest12_IMG_0112.jpg": 12,
    "wasps/2026-06-12_nest2_IMG_0119.jpg": 2,
}


@exercises.add(
    hints=(
        "The check decodes each file and compares what the images look like. What does it know about bees?",
        "Which of them is a valid image that looks like no other image?",
    ),
    answer='not_found = "stray.jpg"',
)
def q1(not_found: Answer) -> str:
    choose(
        not_found,
        "stray.jpg",
        {
            "cut.jpg": "Its header is valid, but the check decodes every file to its last byte.",
            "page.jpg": "It is named like an image, but no decoder can read it.",
            "again.jpg": "No byte is the same, but it looks the same: a perceptual hash finds it.",
            "both.jpg": "It looks like an image of another class: a perceptual hash finds it.",
        },
    )
    return "It is a valid image without a copy, in the wrong folder. To notice it, you must know what a bee looks like."


@exercises.add(
    hints=(
        "A and D are about files. B and C are about an image that is there twice.",
        "B: the same image is in the training set and in the validation set. Lesson 02 measured the effect.",
        "C: one image, two classes. Can both labels be right?",
    ),
    answer="""
effects = {
    "A": "stops the training",
    "B": "score too good",
    "C": "labels wrong",
    "D": "harmless",
}
""",
)
def q2(effects: Answer) -> str:
    match(
        effects,
        {"A": "stops the training", "B": "score too good", "C": "labels wrong", "D": "harmless"},
        {
            "A": "sooner or later the loader decodes it, during an epoch.",
            "B": "the image is in both splits, so val rewards a model that memorises.",
            "C": "the same image is labelled ant in one place and wasp in another.",
            "D": "hidden folders become neither classes nor images.",
        },
    )
    return "Of the first three, A is the least harmful: you notice it. B and C would go unnoticed."


@exercises.add(
    hints=(
        "What do two images of one nest have in common in their names, whatever the day and the number?",
        r"`\d+` stands for one or more digits, and the parentheses surround what names the group: `(cam\d+)`.",
        r"`\d` alone is one digit: it would take nest 12 for nest 1.",
    ),
    answer='pattern = r"(nest\\d+)"',
)
def q3(pattern: Answer) -> str:
    if not isinstance(pattern, str):
        raise NotYet(f"A pattern is text, as in r'(cam\\d+)', not {shown(pattern)}.")
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise NotYet(f"{shown(pattern)} is not a regular expression: {error}.") from None
    if not re.compile(pattern).groups:
        raise NotYet("Put parentheses around the part that names the group.")
    groups = {name: found[1] for name in NAMES if (found := search(name))}
    if missing := [name for name in NAMES if name not in groups]:
        raise NotYet(f"The pattern is not found in {missing[0]!r}.")
    for (one, nest), (other, nest_of_other) in combinations(NAMES.items(), 2):
        if nest == nest_of_other and groups[one] != groups[other]:
            raise NotYet(f"{one!r} and {other!r} show the same nest, and the pattern puts them into different groups.")
        if nest != nest_of_other and groups[one] == groups[other]:
            raise NotYet(f"{one!r} and {other!r} show different nests, and the pattern puts them into one group.")
    return "Images of one nest stay on one side of the split, on whatever day they were taken."


@exercises.add(
    hints=(
        "With `cv=5`, images of one series may be in different folds. Then the probe has seen the animal before.",
        "`StratifiedGroupKFold(5)` keeps each group in one fifth, and all classes in each.",
        "`cross_val_predict(probe, features, labels, groups=groups, cv=..., method='predict_proba')`",
    ),
    answer='''
from sklearn.model_selection import StratifiedGroupKFold


def judged_by_others(probe, features, labels, groups):
    """Probabilities (images, classes), each from a probe that has seen no image of the group."""
    return cross_val_predict(
        probe, features, labels, groups=groups, cv=StratifiedGroupKFold(5), method="predict_proba"
    )
''',
)
def q4(judged_by_others: Answer) -> str:
    generator = np.random.default_rng(0)
    remembers = KNeighborsClassifier(1)  # memorises, and finds what looks alike
    features, labels = generator.normal(size=(60, 4)), generator.permutation(np.arange(60) % 2)

    def right(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
        result = np.asarray(result_of(judged_by_others, remembers, features, labels, groups))
        if result.shape != (len(labels), 2):
            raise NotYet(
                f"{len(labels)} images of 2 classes went in; the result has the shape {result.shape}. "
                "method='predict_proba' gives a row for each."
            )
        return result.argmax(1) == labels

    # The labels are random: a probe that has not seen an image, or its copy, can only guess.
    if right(features, labels, np.arange(60)).mean() > 0.8:
        raise NotYet(
            "Each image was judged by a probe that was trained on it. It has memorised the labels, wrong ones too."
        )
    twice = [np.concatenate([part, part]) for part in (features, labels, np.arange(60))]
    if right(*twice).mean() > 0.8:
        raise NotYet("An image was judged by a probe that was trained on its copy. Keep each group in one fold.")
    apart = features + 20 * labels[:, None]  # easy: an error here means that the rows are mixed up
    if not right(apart, labels, np.arange(60)).all():
        raise NotYet("The rows are not in the order of the images.")
    return "Each image is judged by a probe that has seen neither it nor another image of its group."


@exercises.add(
    hints=(
        "The half-width of a 95 % interval is about 1.96 * sqrt(p * (1 - p) / n), with accuracy p and n images.",
        "Solve for n: n = p * (1 - p) * (1.96 / 0.03) ** 2.",
        "Or try it: `Accuracy(right=90, total=100)` prints its interval. How many images until it spans six points?",
    ),
    answer="test_images = round(0.9 * 0.1 * (1.96 / 0.03) ** 2)",
)
def q5(test_images: Answer) -> str:
    n = round(number(test_images))
    if n < 10:
        raise NotYet(f"With {n} images the interval is wider than that by far.")
    result = Accuracy(round(0.9 * n), n)
    width = 100 * (result.high - result.low) / 2
    if width > 3.3:
        raise NotYet(f"With {n} test images the interval is about ±{width:.1f} points. More are needed.")
    if width < 2.7:
        raise NotYet(f"With {n} test images the interval is about ±{width:.1f} points. Fewer are enough.")
    return (
        f"With {n} test images, 90 % comes with ±{width:.1f} points. Half the width takes four times as many. Images "
        "of one series count once."
    )


@exercises.add(
    hints=(
        "Put your images into one folder per class, and run `check_folder` on it first.",
        "`my_network, parts = train_on(folder, preprocessing)`, then `save_model(path, my_network, "
        "parts['train'].classes, preprocessing)`.",
        "The new images: some that you set aside before, in folders with the names of the classes.",
    ),
    answer="""
small = preprocessing.at(96)  # quick, and a little less accurate
network, parts = train_on(folder, small)  # put your own folder here
my_model = home / "mine.safetensors"
save_model(my_model, network, parts["train"].classes, small)
my_new_images = track.folder / track.test_split
""",
    rubric=(
        "The new images differ from the training images as those in real use will: another day, place or camera.",
        "I have looked at the errors and the suspicious labels, and I say what they have in common.",
        "I have compared the probe with fine-tuning, and I give intervals.",
    ),
)
def q6(my_model: Answer, my_new_images: Answer) -> str:
    try:
        model = load_saved(my_model)
        new = ImageDataset(my_new_images, class_names=model.class_names)
    except LessonError as error:
        raise NotYet(str(error)) from None
    counts = {name: new.targets.count(index) for index, name in enumerate(model.class_names)}
    least = min(counts, key=counts.__getitem__)
    if counts[least] < FEW:
        raise NotYet(f"There are {counts[least]} new images of {least!r}; {FEW} of each class are needed.")
    asked = []
    for index, name in enumerate(model.class_names):
        of_class = [(path, name) for path, label in new.samples if label == index]
        asked += of_class[:: -(-len(of_class) // ASKED)]
    try:
        right = [next(iter(model.predict(path))) == name for path, name in asked]
    except LessonError as error:
        raise NotYet(str(error)) from None
    result = Accuracy(sum(right), len(right))
    guessing = max(Counter(name for _, name in asked).values()) / len(asked)
    if result.low <= guessing:
        raise NotYet(f"{result} are right, and always naming one class gets {guessing:.0%}: no better than that.")
    sampled = f" (at most {ASKED} of each class were asked)" if len(asked) < len(new) else ""
    return f"Of {result.total} new images{sampled} {result} are right, if none of them was used in training."
