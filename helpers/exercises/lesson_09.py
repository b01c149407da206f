"""The exercises of lesson 09."""

from collections import Counter

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from helpers.data import ImageDataset
from helpers.errors import LessonError
from helpers.evaluation import Accuracy
from helpers.exercises import Answer, Exercises, NotYet, choose, match, number, result_of, shown
from helpers.inference import load_saved

exercises = Exercises()
FEW = 10  # new pictures of a class, at least
ASKED = 40  # new pictures of a class, at most: the check should not take long


@exercises.add(
    hints=(
        "The check-up decodes each file, and compares what the pictures look like. What does it know of bees?",
        "Which of them is a sound picture that looks like no other one?",
    ),
    answer='not_found = "stray.jpg"',
)
def q1(not_found: Answer) -> str:
    choose(
        not_found,
        "stray.jpg",
        {
            "cut.jpg": "Its header is in order, but the check-up decodes every file to its last byte.",
            "page.jpg": "It is called like a picture, and no decoder can read it.",
            "again.jpg": "No byte is the same, but it looks the same: a perceptual hash sees that.",
            "both.jpg": "It looks like a picture of the other class: a perceptual hash sees that.",
        },
    )
    return "A sound picture, seen once, in the wrong folder: one must know what a bee is."


@exercises.add(
    hints=(
        "A and D are about files. B and C are about one picture that is there twice.",
        "B: the picture was learned from, and then asked about. Lesson 02 measured what that is worth.",
        "C: one picture, two classes. Can both be right?",
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
            "A": "sooner or later the loader decodes it, in the middle of an epoch.",
            "B": "the picture is in both splits: val rewards remembering.",
            "C": "the same picture is called an ant here and a wasp there.",
            "D": "these programs' files become neither classes nor pictures.",
        },
    )
    return "The loudest of them, A, is the least dangerous: the other two with !! nobody would notice."


@exercises.add(
    hints=(
        "With `cv=5` the two copies may lie in different fifths. Then the probe has seen the picture after all.",
        "`StratifiedGroupKFold(5)` keeps each group in one fifth, and all classes in each.",
        "`cross_val_predict(probe, features, labels, groups=groups, cv=..., method='predict_proba')`",
    ),
    answer='''
from sklearn.model_selection import StratifiedGroupKFold


def judged_by_others(probe, features, labels, groups):
    """Probabilities (pictures, classes), each from a probe that knows no copy of the picture."""
    return cross_val_predict(
        probe, features, labels, groups=groups, cv=StratifiedGroupKFold(5), method="predict_proba"
    )
''',
)
def q3(judged_by_others: Answer) -> str:
    generator = np.random.default_rng(0)
    remembers = KNeighborsClassifier(1)  # learns by heart, and finds what looks alike
    features, labels = generator.normal(size=(60, 4)), generator.permutation(np.arange(60) % 2)

    def right(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
        result = np.asarray(result_of(judged_by_others, remembers, features, labels, groups))
        if result.shape != (len(labels), 2):
            raise NotYet(
                f"{len(labels)} pictures of 2 classes went in; the result has the shape {result.shape}. "
                "method='predict_proba' gives a row for each."
            )
        return result.argmax(1) == labels

    # The labels are tossed coins: who has not seen a picture, or its copy, can only guess.
    if right(features, labels, np.arange(60)).mean() > 0.8:
        raise NotYet("It was asked about pictures that it was trained on. It knows them by heart, wrong labels too.")
    twice = [np.concatenate([part, part]) for part in (features, labels, np.arange(60))]
    if right(*twice).mean() > 0.8:
        raise NotYet("Where the copy of a picture was learned, it is no stranger. Keep each group in one fold.")
    apart = features + 20 * labels[:, None]  # easy: whoever is wrong here has mixed up the pictures
    if not right(apart, labels, np.arange(60)).all():
        raise NotYet("The rows are not in the order of the pictures.")
    return "Each picture is judged by a probe that knows neither it nor its copies."


@exercises.add(
    hints=(
        "`max(probabilities, key=probabilities.get)` is the name with the largest probability.",
        "At the threshold itself it is sure enough: `<`, not `<=`.",
    ),
    answer='''
def answer_or_unsure(probabilities, threshold):
    """The most probable class of what `model.predict` returns, or "unsure" below the threshold."""
    name = max(probabilities, key=probabilities.get)
    return name if probabilities[name] >= threshold else "unsure"
''',
)
def q4(answer_or_unsure: Answer) -> str:
    sure = {"bees": 0.95, "ants": 0.05}
    answer = result_of(answer_or_unsure, dict(sure), 0.9)
    if answer == "ants":
        raise NotYet("It says ants to 5 % ants and 95 % bees.")
    if not isinstance(answer, str):
        raise NotYet(f"A word is expected, 'bees' or 'unsure', not {shown(answer)}.")
    if answer != "bees":
        raise NotYet(f"At 95 % bees and a threshold of 0.9 it should say 'bees', not {shown(answer)}.")
    answer = result_of(answer_or_unsure, {"bees": 0.6, "ants": 0.4}, 0.9)
    if answer != "unsure":
        raise NotYet(f"At 60 % bees and a threshold of 0.9 it should say 'unsure', not {shown(answer)}.")
    if result_of(answer_or_unsure, {"bees": 0.6, "ants": 0.4}, 0.5) != "bees":
        raise NotYet("The threshold is an argument: at 60 % bees and a threshold of 0.5 the answer is 'bees'.")
    if result_of(answer_or_unsure, {"b": 0.2, "a": 0.1, "d": 0.6, "e": 0.1}, 0.15) != "d":
        raise NotYet("There may be more than two classes, and in any order.")
    if result_of(answer_or_unsure, {"bees": 0.75, "ants": 0.25}, 0.75) != "bees":
        raise NotYet("A probability of exactly the threshold is enough: unsure is what lies below it.")
    return "It will still be sure of some cups. A class 'something else', with pictures, is the better way."


@exercises.add(
    hints=(
        "Go along the line at an accuracy of 0.9, up to the better curve.",
        "From there go down. The axis is logarithmic: between 5 and 10 are 6, 7, 8, 9.",
    ),
    answer="drawings_of_each = 7",
)
def q5(drawings_of_each: Answer) -> str:
    drawings = number(drawings_of_each)
    if drawings in (100, 300):
        raise NotYet("That is for all ten signs together. How many of each?")
    if drawings < 6:
        raise NotYet("With so few, both curves are below 0.9.")
    if drawings > 20:
        raise NotYet("That would do, but people's patience is short: the curve reaches 0.9 earlier.")
    return "About seven of each, or ten to be safe. Draw more, and keep some of them to test with."


@exercises.add(
    hints=(
        "Put your pictures into one folder per class, and let `check_folder` look at it first.",
        "`model, parts = train_on(folder, preprocessing)`, then `save_model(path, model, parts['train'].classes, "
        "preprocessing)`.",
        "The new pictures: some that you set aside before, in folders with the names of the classes.",
    ),
    answer="""
network, parts = train_on(track.folder / "train", preprocessing)
my_model = home / "mine.safetensors"
save_model(my_model, network, parts["train"].classes, preprocessing)
my_new_pictures = track.folder / "val"
""",
    rubric=(
        "The new pictures differ from the trained ones as those in real use will: another day, place or camera.",
        "I have looked at the most wrong ones and at the suspects, and say what they have in common.",
        "I have compared with something simpler, or with the full fine_tune, and give intervals.",
    ),
)
def q6(my_model: Answer, my_new_pictures: Answer) -> str:
    try:
        model = load_saved(my_model)
        new = ImageDataset(my_new_pictures, class_names=model.class_names)
    except LessonError as error:
        raise NotYet(str(error)) from None
    counts = {name: new.targets.count(index) for index, name in enumerate(model.class_names)}
    least = min(counts, key=counts.__getitem__)
    if counts[least] < FEW:
        raise NotYet(f"There are {counts[least]} new pictures of {least!r}; {FEW} of each class are needed.")
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
    return f"Of {result.total} new pictures{sampled} {result} are right, if the network has seen none of them."
