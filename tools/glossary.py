"""The glossary of the lessons, read from the lessons: a definition is the sentence where a term first stands in bold.

So there is one source. The web edition makes a page of `definitions()`; `tests/test_glossary.py` holds that each term
is defined once, and that no lesson uses it earlier without a link.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tools.environment import NOTEBOOKS
from tools.notebook_hygiene import Lesson, without_code

# Each term of the glossary, and the forms in which a lesson may write it: a regular expression, small letters.
TERMS = {
    "accuracy": "accurac(y|ies)",
    "activation": "activations?",
    "all-reduce": "all-reduces?",
    "backbone": "backbones?",
    "backpropagation": "backpropagation",
    "baseline": "baselines?",
    "batch": "(mini-)?batch(es)?",
    "calibration": "calibrat(ion|ed)",
    "checkpoint": "checkpoints?",
    "confidence interval": "(95 % )?confidence intervals?",
    "confusion matrix": "confusion matri(x|ces)",
    "data augmentation": "data augmentations?",
    "data leakage": "data leak(age|s)?",
    "data parallelism": "data parallelism",
    "discriminative learning rates": "discriminative learning rates?",
    "domain shift": "domain shifts?",
    "early stopping": "early stopping",
    "effective batch size": "effective batch sizes?",
    "embedding": "(?<!position )embeddings?",
    "epoch": "epochs?",
    "F1": "f1",
    "feature extractor": "feature extractors?",
    "feature map": "feature maps?",
    "fine-tuning": "fine-tun(ing|ed?)",
    "freezing": "fr(eez(e|es|ing)|ozen)",
    "generalisation": "generalis(ation|es?|ing)",
    "gradient": "gradients?",
    "head": "(new )?heads?",
    "hyperparameter": "hyperparameters?",
    "inference": "inference",
    "latency": "latency",
    "layer": "layers?",
    "learning rate": "learning rates?",
    "linear probe": "linear probes?",
    "logits": "logits?",
    "loss": "loss(es)?",
    "macro average": "macro averages?",
    "mixed precision": "mixed precision",
    "neural network": "neural networks?",
    "normalisation": "(?<!batch )normalis(ation|ed?|ing)(?! layers?)",
    "optimizer": "optimizers?",
    "overfitting": "overfit(s|ting)?",
    "precision": "(?<!mixed )precision",
    "recall": "recall",
    "regularisation": "regularis(ation|ers?|ed?)",
    "shard": "shards?",
    "softmax": "softmax",
    "statistical significance": "statistical(ly)? significan(ce|t)",
    "test set": "test sets?",
    "throughput": "throughput",
    "training set": "training sets?",
    "transfer learning": "transfer learning",
    "underfitting": "underfit(s|ting)?",
    "validation set": "validation sets?",
    "weight decay": "weight decay",
}

BOLD = re.compile(r"\*\*(.+?)\*\*", re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")


@dataclass(frozen=True)
class Definition:
    """Where a term is defined.

    Attributes:
        term: one of `TERMS`.
        text: the sentence that defines it, in Markdown, without links.
        lesson: the notebook's name, without its ending.
        cell: the id of the cell.
    """

    term: str
    text: str
    lesson: str
    cell: str


def lessons() -> list[Lesson]:
    """The committed lessons, in their order."""
    return [Lesson.read(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))]


def definitions(lessons: Sequence[Lesson]) -> list[Definition]:
    """The first definition of each term that is defined, in the order in which a reader meets them."""
    first: dict[str, Definition] = {}
    for definition in all_definitions(lessons):
        first.setdefault(definition.term, definition)
    return list(first.values())


def all_definitions(lessons: Sequence[Lesson]) -> Iterator[Definition]:
    """Every sentence in which a term stands in bold."""
    for lesson in lessons:
        for cell_id, text in _prose(lesson):
            for sentence in sentences_of(text):
                for bold in BOLD.findall(sentence):
                    if term := _term(bold):
                        yield Definition(term, LINK.sub(r"\1", sentence), lesson.path.stem, cell_id)


def uses_before(definition: Definition, lesson: Lesson) -> Iterator[str]:
    """The first use of a term in an earlier lesson, or earlier in its own, if it is no link to its definition.

    The opening of the lesson that defines it may name it: it says what is to come.
    """
    own = lesson.path.stem == definition.lesson
    form = re.compile(rf"(?<![\w-]){TERMS[definition.term]}(?![\w-])", re.IGNORECASE)
    for position, (cell_id, text) in enumerate(_prose(lesson)):
        if own and cell_id == definition.cell:
            return
        if own and position == 0:
            continue
        linked = [words for words, target in LINK.findall(text) if target.startswith(definition.lesson)]
        if any(form.search(words) for words in linked):
            return
        if form.search(LINK.sub(" ", re.sub(r"`[^`]*`|^#+ .*$|^\|.*$", " ", text, flags=re.MULTILINE))):
            yield (
                f"{lesson.path.name}, {cell_id}: {definition.term!r} is used before {definition.lesson} defines it; "
                f"link it: [{definition.term}]({definition.lesson}.ipynb)"
            )
            return


def _prose(lesson: Lesson) -> list[tuple[str, str]]:
    """The id and the text of each markdown cell, without its blocks of code."""
    return [(cell.id, without_code(cell.source)) for _, cell in lesson.cells if cell.cell_type == "markdown"]


def sentences_of(text: str) -> list[str]:
    """The sentences of a markdown cell, each on one line, without the marks of quotes and lists."""
    paragraphs = re.split(r"\n\s*\n|\n(?=\s*(?:[-*>|]|\d+\.) )", text)
    lines = (re.sub(r"^\s*([-*>]|\d+\.)\s+", "", " ".join(paragraph.split())) for paragraph in paragraphs)
    return [sentence for line in lines for sentence in re.split(r"(?<=[.!?:])\s+(?=[A-Z*`\[(])", line) if sentence]


def _term(words: str) -> str | None:
    """The term that words in bold write, if they write one."""
    words = " ".join(LINK.sub(r"\1", words).split()).lower().rstrip(".:")
    return next((term for term, forms in TERMS.items() if re.fullmatch(forms, words)), None)
