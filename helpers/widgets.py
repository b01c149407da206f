"""Interactive explorers that also read without a kernel: as a picture on GitHub, as a line of text in tests."""

import io
from base64 import b64decode, b64encode
from collections.abc import Callable
from html import escape
from types import SimpleNamespace
from typing import Any

import ipywidgets
import matplotlib.pyplot as plt
import torch
import torchvision
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.checkpoints import History
from helpers.data import LabelledDataset, make_dataloader, weighted_sampler
from helpers.devices import seeded
from helpers.errors import LessonError
from helpers.evaluation import predict
from helpers.explain import grad_cam
from helpers.models import (
    count_multiply_adds,
    count_parameters,
    find_head,
    freeze,
    input_size,
    meta_model,
    published_metrics,
    replace_head,
    top_level_parts,
)
from helpers.plots import ORANGE, imshow, plot_history, prediction_title, show_images, show_maps, without_pyplot
from helpers.transforms import augmentation, denormalise
from helpers.weights import Preprocessing

SHARPNESS = 2  # pixels of a picture for one of the page: today's screens have more than the page counts
MOST_SHOWN = 12  # images of one cell of a confusion matrix
HATCHES = ("", "//", "..", "xx", "--")  # classes that stand on one another, told apart without their colours


class Explorer:
    """A picture that follows some controls.

    Args:
        draw: takes the controls' values by name; returns the figure and a sentence that says what it shows.
        controls: ipywidgets by name, as in `size=ipywidgets.IntSlider(...)`.

    Attributes:
        controls: the controls by name; `explorer.controls.size.value = 9` moves one.
        text: the sentence that belongs to the picture.
    """

    def __init__(self, draw: Callable[..., tuple[Figure, str]], **controls: ipywidgets.Widget):
        self.draw = draw
        self.controls = SimpleNamespace(**controls)
        self.text = ""
        self._picture = ipywidgets.HTML()
        self._box = ipywidgets.VBox([*controls.values(), self._picture])
        for name, control in controls.items():
            control.description = control.description or name.replace("_", " ")
            control.style.description_width = "initial"
            control.layout.width = "min(100%, 30em)"  # of which a slider gets what its description leaves
            control.observe(self._update, "value")
        self._update()

    def _update(self, _change: Any = None) -> None:
        with without_pyplot():
            figure, self.text = self.draw(**{name: control.value for name, control in vars(self.controls).items()})
        self._png = _png(figure)
        self._picture.value = _with_caption(self._png, self.text)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return _bundle(self._box, self._png, self.text, **kwargs)


class LiveCurves:
    """The curves of a training while it runs (lesson 04).

    `display(live)` and `train_model(..., on_epoch=live)` in one cell: the curves grow below that cell.

    Attributes:
        text: the sentence that belongs to the picture.
        history: of the epochs so far; the stop button leaves it here.
    """

    def __init__(self) -> None:
        self._picture = ipywidgets.HTML()
        self({"train_loss": [], "train_acc": [], "val_loss": [], "val_acc": [], "lr": []})

    def __call__(self, history: History) -> None:
        self.history = history
        self.text = _said(history)
        if history["lr"]:
            with without_pyplot():
                self._png = _png(plot_history(history))
            self._picture.value = _with_caption(self._png, self.text)
        else:
            self._png = _png(_words(self.text))  # for readers without a kernel
            self._picture.value = escape(self.text)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return _bundle(self._picture, self._png, self.text, **kwargs)


def _png(figure: Figure) -> str:
    """A figure, closed, as PNG in base64."""
    png = io.BytesIO()
    figure.savefig(png, format="png", bbox_inches="tight", dpi=SHARPNESS * figure.dpi)
    plt.close(figure)
    return b64encode(png.getvalue()).decode()


def _said(history: History) -> str:
    """What the curves of a training show, in words."""
    if not history["lr"]:
        return "Here the curves of the training grow, epoch by epoch."
    last = {name: figures[-1] for name, figures in history.items()}
    return (
        f"epoch {len(history['lr'])}: loss {last['train_loss']:.2f} on train, {last['val_loss']:.2f} on val; "
        f"accuracy {last['train_acc']:.1%} on train, {last['val_acc']:.1%} on val"
    )


def _words(text: str) -> Figure:
    """A figure that only says something."""
    figure = Figure(figsize=(5, 0.4))
    figure.text(0.02, 0.5, text, va="center")
    return figure


def _width(png: str) -> int:
    """How wide the page shows a picture."""
    return Image.open(io.BytesIO(b64decode(png))).width // SHARPNESS


def _with_caption(png: str, text: str) -> str:
    """HTML of a picture above its sentence; a screen reader says the sentence once, in place of the picture."""
    # ipywidgets.Image has no alternative text.
    width = _width(png)
    image = f'<img style="max-width: 100%" width="{width}" alt="{escape(text)}" src="data:image/png;base64,{png}">'
    return f'{image}<div aria-hidden="true">{escape(text)}</div>'


def _bundle(box: ipywidgets.Widget, png: str, text: str, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Alive in JupyterLab, a picture on GitHub, a line of text in the tests; beside them, the width of the picture."""
    data = {**box._repr_mimebundle_(**kwargs), "image/png": png, "text/plain": text}
    return data, {"image/png": {"width": _width(png)}}


def augmentation_explorer(image: Image.Image, size: int) -> Explorer:
    """The picture beside eight samples of what training would see, as the sliders set it (lesson 01).

    Args:
        image: any PIL image.
        size: the side of the samples, in pixels.

    Returns:
        An explorer with the controls of `helpers.transforms.augmentation`. The same settings give the
        same samples, and the random numbers of the notebook stay as they are.
    """

    def draw(**settings: float) -> tuple[Figure, str]:
        transform = augmentation(size, **settings)
        with seeded(0):
            samples = [transform(image).permute(1, 2, 0).numpy() for _ in range(8)]
        figure = Figure(figsize=(6.6, 2.2), layout="tight")
        axes = figure.subplot_mosaic("AABCDE;AAFGHI")
        for ax, picture in zip(axes.values(), [image, *samples], strict=True):
            ax.imshow(picture)
            ax.axis("off")
        axes["A"].set_title("original", fontsize=10)
        return figure, (
            f"8 samples: at least {settings['scale']:.0%} of the image, "
            f"aspect ratio up to {settings['ratio']:.1f} : 1, "
            f"colours changed by up to {settings['jitter']:.0%}, "
            f"rotated by up to {settings['rotation']} degrees, "
            f"blurred by {settings['blur']:.1f} px, "
            f"a rectangle erased in {settings['erasing']:.0%}"
        )

    return Explorer(
        draw,
        scale=ipywidgets.FloatSlider(0.08, min=0.08, max=1, step=0.04),
        ratio=ipywidgets.FloatSlider(1.3, min=1, max=3, step=0.1),
        jitter=ipywidgets.FloatSlider(0, min=0, max=1, step=0.1),
        rotation=ipywidgets.IntSlider(0, min=0, max=180, step=5),
        blur=ipywidgets.FloatSlider(0, min=0, max=4, step=0.5),
        erasing=ipywidgets.FloatSlider(0, min=0, max=1, step=0.1),
    )


def surgery_explorer(num_classes: int = 2) -> Explorer:
    """Where the parameters of a network are, and which of them would be trained (lesson 03).

    Args:
        num_classes: of the new head.

    Returns:
        An explorer with the controls `architecture` (every classification network of torchvision) and
        `train`. No weight is made or downloaded.
    """

    def draw(architecture: str, train: str) -> tuple[Figure, str]:
        size = input_size(architecture)
        model = replace_head(meta_model(architecture), num_classes)
        names = top_level_parts(model)
        parts = {name: list(model.get_submodule(name).parameters()) for name in names}
        if train != "everything":
            # The last stage is the last one with weights: DenseNet ends with a mere normalisation.
            weighty = [name for name in names[:-1] if any(p.ndim > 1 for p in parts[name])]
            freeze(model, (weighty[-1],) if train == "head and last stage" else ())
        frozen, trained = (
            [sum(p.numel() for p in part if p.requires_grad is wanted) / 1e6 for part in parts.values()]
            for wanted in (False, True)
        )
        figure = Figure(figsize=(7, 1 + 0.22 * len(names)), layout="tight")
        ax = figure.subplots()
        ax.barh(names, frozen, color="lightgrey", label="frozen")
        bars = ax.barh(names, trained, left=frozen, color=ORANGE, hatch="//", label="trained")
        ax.bar_label(bars, [f" {1e6 * n:,.0f} trained" if n else "" for n in trained])
        ax.invert_yaxis()  # the picture enters at the top
        ax.set(xlabel="million parameters", title=architecture)
        ax.legend()
        head = find_head(model)
        all_of_them, to_train = count_parameters(model)
        return figure, (
            f"{architecture} at {size} px: {all_of_them / 1e6:.1f} million parameters, "
            f"{count_multiply_adds(model, size) / 1e9:.2f} billion multiply-adds; "
            f"its head {head} is a {type(model.get_submodule(head)).__name__}; "
            f"{to_train:,} parameters would train"
        )

    return Explorer(
        draw,
        architecture=ipywidgets.Dropdown(
            options=torchvision.models.list_models(module=torchvision.models), value="resnet18"
        ),
        train=ipywidgets.Dropdown(options=["head", "head and last stage", "everything"]),
    )


def batch_explorer(dataset: LabelledDataset, preprocessing: Preprocessing, batch_size: int = 16) -> Explorer:
    """The batches of one pass over the pictures: one of them in full, and the classes of all (lesson 02).

    Args:
        dataset: with `classes`, `targets`, and a transform that makes tensors as `helpers.transforms` does.
        preprocessing: of that transform.
        batch_size: pictures in a batch.

    Returns:
        An explorer with the controls `batch`, `order` (as in the folder, shuffled or balanced) and `seed`.
        The random numbers of the notebook stay as they are.
    """
    labels = torch.tensor(dataset.targets)

    def draw(batch: int, order: str, seed: int) -> tuple[Figure, str]:
        generator = torch.Generator().manual_seed(seed)
        sampler = weighted_sampler(dataset.targets, seed) if order == "balanced" else None
        shuffle = order == "shuffled"
        # Over the indices only: quick, and in the same order as the images.
        indices = TensorDataset(torch.arange(len(labels)))
        batches = [batch for (batch,) in DataLoader(indices, batch_size, shuffle, sampler, generator=generator)]
        shown = batches[batch - 1]
        with seeded(seed):
            pictures = [dataset[i][0] for i in shown.tolist()]
        columns = -(-batch_size // 2)
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(2, 1))
        axes = above.subplots(2, columns, squeeze=False).ravel()
        for ax in axes:
            ax.axis("off")
        for ax, picture, label in zip(axes, pictures, labels[shown], strict=False):
            imshow(denormalise(picture, preprocessing), dataset.classes[label], ax)
        _draw_class_counts(below.subplots(), [labels[i] for i in batches], dataset.classes, batch)
        counts = labels[shown].bincount(minlength=len(dataset.classes)).tolist()
        content = ", ".join(f"{count} {name}" for count, name in zip(counts, dataset.classes, strict=True))
        return figure, f"batch {batch} of {len(batches)}, {order}, seed {seed}: {content}"

    return Explorer(
        draw,
        batch=ipywidgets.IntSlider(1, min=1, max=-(-len(labels) // batch_size)),
        order=ipywidgets.Dropdown(options=["as in the folder", "shuffled", "balanced"]),
        seed=ipywidgets.IntSlider(0, min=0, max=9),
    )


def _draw_class_counts(ax: Axes, batches: list[torch.Tensor], class_names: list[str], chosen: int) -> None:
    """A stacked bar for each batch of labels; the chosen one, counted from 1, is framed."""
    numbers = range(1, len(batches) + 1)
    bottom = [0] * len(batches)
    for index, name in enumerate(class_names):
        counts = [int((labels == index).sum()) for labels in batches]
        ax.bar(numbers, counts, bottom=bottom, label=name, hatch=HATCHES[index % len(HATCHES)])
        bottom = [height + count for height, count in zip(bottom, counts, strict=True)]
    ax.bar(chosen, bottom[chosen - 1], fill=False, edgecolor="black", linewidth=2)
    ax.set(xlabel="batch", ylabel="images", xticks=numbers, axisbelow=True)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def confusion_explorer(
    model: nn.Module,
    dataset: LabelledDataset,
    preprocessing: Preprocessing,
    layer: str | None = None,
    opens_on: tuple[str, str] | None = None,
    probabilities: torch.Tensor | None = None,
) -> Explorer:
    """The images of one cell of the confusion matrix, the most confident first, with their Grad-CAM maps (lesson 05).

    Args:
        model: a convolutional network that was trained on the classes of `dataset`.
        dataset: with `classes`; its images are normalised tensors, the same at each look.
        preprocessing: of these tensors.
        layer: as for `helpers.explain.grad_cam`.
        opens_on: the true class and the predicted one of the cell shown first; None takes the most frequent mistake.
        probabilities: (images, classes), what the model makes of `dataset`, where that is known; None computes it.

    Returns:
        An explorer with the controls `truth`, `predicted` and `maps`; it shows `MOST_SHOWN` images at most.
    """
    if probabilities is None:
        probabilities, _ = predict(model, make_dataloader(dataset))
    labels = torch.tensor(dataset.targets)
    confidence, predictions = probabilities.max(1)

    def draw(truth: int, predicted: int, maps: bool) -> tuple[Figure, str]:
        cell = ((labels == truth) & (predictions == predicted)).nonzero().ravel()
        shown = cell[confidence[cell].argsort(descending=True)][:MOST_SHOWN].tolist()
        images = [dataset[i][0] for i in shown]
        names = dataset.classes
        titles = [prediction_title(names[predicted], float(confidence[i]), names[truth]) for i in shown]
        if not shown:
            figure = show_images([torch.zeros(3, 32, 32)], ["no such image"])
        elif maps:
            maps_shown = grad_cam(model, torch.stack(images), [predicted] * len(shown), layer)
            figure = show_maps(denormalise(torch.stack(images), preprocessing), maps_shown, titles, min(len(shown), 6))
        else:
            figure = show_images(denormalise(torch.stack(images), preprocessing), titles)
        figure.set_figheight(figure.get_figheight() + 0.4)
        rest = f"; the {MOST_SHOWN} most confident" if len(cell) > MOST_SHOWN else ""
        figure.suptitle(f"{len(cell)} of {len(labels)} images{rest}")
        said = "with" if maps else "without"
        return figure, f"images of {names[truth]}, taken for {names[predicted]}, {said} Grad-CAM maps"

    classes = [(name, index) for index, name in enumerate(dataset.classes)]
    if opens_on is not None:
        first_truth, first_predicted = map(dataset.classes.index, opens_on)
    else:
        mistakes = (labels * len(classes) + predictions)[labels != predictions]
        first_truth, first_predicted = divmod(int(mistakes.mode().values) if len(mistakes) else 0, len(classes))
    return Explorer(
        draw,
        truth=ipywidgets.Dropdown(options=classes, value=first_truth),
        predicted=ipywidgets.Dropdown(options=classes, value=first_predicted),
        maps=ipywidgets.Checkbox(value=True),
    )


def architecture_chooser() -> Explorer:
    """Which networks of torchvision fit a budget, by their published figures; nothing is downloaded (lesson 08).

    Returns:
        An explorer with the controls `million_parameters` and `billion_multiply_adds`: the most that one may have.
    """
    figures = {name: published_metrics(name) for name in torchvision.models.list_models(module=torchvision.models)}

    def draw(million_parameters: float, billion_multiply_adds: float) -> tuple[Figure, str]:
        fitting = [
            name
            for name, its in figures.items()
            if its["parameters"] <= 1e6 * million_parameters and its["multiply_adds"] <= 1e9 * billion_multiply_adds
        ]
        best = sorted(fitting, key=lambda name: -figures[name]["accuracy"])[:5]
        figure = Figure(figsize=(8, 3.6), layout="constrained")
        ax = figure.subplots()
        budget = (
            f"within {million_parameters:.4g} million parameters\nand {billion_multiply_adds:.4g} billion multiply-adds"
        )
        for names, color, marker, label in (
            ([name for name in figures if name not in fitting], "#888888", "o", "too large"),
            (fitting, ORANGE, "s", budget),
        ):
            costs = [figures[name]["multiply_adds"] / 1e9 for name in names]
            ax.scatter(costs, [figures[name]["accuracy"] for name in names], c=color, marker=marker, label=label)
        ax.set(xscale="log", xlabel="billion multiply-adds per image", ylabel="top-1 on ImageNet")
        ax.legend(loc="lower right")
        named = ", ".join(f"{name} {figures[name]['accuracy']:.1%}" for name in best) or "none"
        fit = f"{len(fitting)} of {len(figures)} networks fit"
        return figure, f"ImageNet accuracy against multiply-adds: {fit}; the best: {named}"

    return Explorer(
        draw,
        million_parameters=ipywidgets.FloatLogSlider(30, min=0, max=3, step=0.1),
        billion_multiply_adds=ipywidgets.FloatLogSlider(
            5, min=-1.3, max=3, step=0.1, description="billion multiply-adds"
        ),
    )


def upload_explorer(look: Callable[[bytes], tuple[Figure, str]], example: bytes, accept: str) -> Explorer:
    """What is in a file of the reader's, as soon as it is uploaded (lesson 09).

    Its name is never used, so it cannot become a path.

    Args:
        look: takes the content of a file; returns the figure and a sentence. Where it raises a `LessonError`,
            that is the sentence.
        example: the content of the file that is shown until one is uploaded.
        accept: what the browser offers to choose from, as in `.zip` or `image/*`.

    Returns:
        An explorer with the control `upload`.
    """

    def draw(upload: tuple[dict[str, Any], ...]) -> tuple[Figure, str]:
        try:
            return look(bytes(upload[0]["content"]) if upload else example)
        except LessonError as error:
            return show_images([torch.zeros(3, 32, 32)], ["cannot be used"]), str(error)

    return Explorer(draw, upload=ipywidgets.FileUpload(accept=accept))
