"""Accuracy against seconds: our probe and `fine_tune`, and how others teach or package the same task (lesson 07).

    make peers

It runs in an environment of its own, with fastai and Hugging Face's Trainer beside the lessons' packages. All train the
embedded ResNet18 on the same images at the same size, each with its own defaults: augmentation, batch size, schedule.
Seconds are the processor's, from the folder of images to the trained network; a package's import does not count. A
benchmark that was stopped goes on where it ended; the table shows what there is.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import product
from pathlib import Path

import torch
from matplotlib.figure import Figure
from torch import nn
from torchvision.transforms import v2

from benchmarks import textbook
from benchmarks.runs import (
    PREPROCESSING,
    SEEDS,
    SIZE,
    interval,
    measure_all,
    over_seeds,
    processor_seconds,
    write_section,
)
from helpers.data import CachedDataset, image_datasets, make_dataloader, make_dataloaders, with_transform
from helpers.evaluation import accuracy, mean_interval, predict
from helpers.features import extract_features, linear_probe
from helpers.models import freeze, freeze_norms, load_model, replace_head
from helpers.tracks import IMAGES
from helpers.training import fine_tune
from helpers.transforms import eval_transform

RESULTS, PLOT = Path(__file__).with_suffix(".json"), Path(__file__).with_suffix(".svg")


def timed(train: Callable[[], Callable[[], float]]) -> dict:
    """`train` ends with a trained network and returns what measures its accuracy, which is off the clock."""
    start = processor_seconds()
    measure = train()
    seconds = processor_seconds() - start
    return {"accuracy": measure(), "seconds": round(seconds, 2)}


def measured_split(folder: Path) -> str:
    return "test" if (folder / "test").is_dir() else "val"


def on_measured(model: nn.Module, folder: Path) -> float:
    """Accuracy of a network that takes our preprocessing."""
    images = image_datasets(folder, PREPROCESSING)[measured_split(folder)]
    probabilities, labels = predict(model.eval(), make_dataloader(images))
    return accuracy(probabilities.argmax(1), labels).value


# --- Ours


def our_probe(folder: Path):
    train = with_transform(image_datasets(folder, PREPROCESSING)["train"], eval_transform(PREPROCESSING))
    model = load_model("embedded")
    probe = linear_probe(*extract_features(model, make_dataloader(train)))
    images = image_datasets(folder, PREPROCESSING)[measured_split(folder)]
    return lambda: float(probe.score(*extract_features(model, make_dataloader(images))))


def our_fine_tune(folder: Path, seed: int):
    """As lesson 07 has it, each image decoded once."""
    loaded = image_datasets(folder, PREPROCESSING)
    datasets = {split: CachedDataset(loaded[split]) for split in ("train", "val")}
    model = freeze_norms(replace_head(load_model("embedded"), len(datasets["train"].classes)))
    fine_tune(model, datasets, PREPROCESSING, seed=seed)
    return lambda: on_measured(model, folder)


# --- How it is taught


def tutorial(batch_size: int, folder: Path):
    """PyTorch's tutorial as written, with batches of 4; and with those of 32."""
    loaders = textbook.dataloaders(folder, SIZE, batch_size=batch_size, num_workers=0)
    model, optimizer, scheduler = textbook.replace_head(loaders["train"].dataset.classes, frozen=False)
    textbook.train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler)
    return lambda: on_measured(model, folder)


def feature_extractor(folder: Path):
    """As learnpytorch.io has it: a frozen base, a new head, ten epochs of Adam (or five), no augmentation."""
    datasets = image_datasets(folder, PREPROCESSING)
    datasets["train"].transform = eval_transform(PREPROCESSING)
    loaders = make_dataloaders(datasets)
    model = freeze(replace_head(load_model("embedded"), len(datasets["train"].classes)))
    optimizer, criterion = torch.optim.Adam(model.parameters(), lr=1e-3), nn.CrossEntropyLoss()
    for _ in range(10):
        model.train()
        for images, labels in loaders["train"]:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            for images, labels in loaders["val"]:
                criterion(model(images), labels)
    return lambda: on_measured(model, folder)


# --- Libraries


def timm_and_scikit_learn(folder: Path):
    """Features of timm's network without its head, and scikit-learn's logistic regression with its defaults."""
    import timm
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = timm.create_model("resnet18", num_classes=0).eval()
    weights = load_model("embedded").state_dict()
    network.load_state_dict({name: value for name, value in weights.items() if not name.startswith("fc.")})

    @torch.inference_mode()
    def features(split: str):
        data = with_transform(image_datasets(folder, PREPROCESSING)[split], eval_transform(PREPROCESSING))
        batches = [(network(images), labels) for images, labels in make_dataloader(data)]
        return tuple(torch.cat(part).numpy() for part in zip(*batches, strict=True))

    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(*features("train"))
    return lambda: float(probe.score(*features(measured_split(folder))))


def fastai(epochs: int, batch_size: int, folder: Path):
    """fastai's `vision_learner(...).fine_tune(epochs)` with its own augmentation."""
    from fastai.vision import all as fast

    transforms = [*fast.aug_transforms(size=SIZE), fast.Normalize.from_stats(PREPROCESSING.mean, PREPROCESSING.std)]
    loaders = fast.ImageDataLoaders.from_folder(
        folder,
        train="train",
        valid="val",
        item_tfms=fast.Resize(PREPROCESSING.resize),
        batch_tfms=transforms,
        bs=batch_size,
        num_workers=0,
        device=torch.device("cpu"),
    )
    learner = fast.vision_learner(loaders, fast.resnet18, pretrained=False, metrics=fast.accuracy)
    body = nn.Sequential(*list(load_model("embedded").children())[:-2])  # as fastai cuts it
    learner.model[0].load_state_dict(body.state_dict())
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(epochs)

    def measure() -> float:
        files = fast.get_image_files(folder / measured_split(folder))
        labels = torch.tensor([loaders.vocab.o2i[file.parent.name] for file in files])
        with learner.no_bar():
            probabilities, _ = learner.get_preds(dl=loaders.test_dl(files))
        return accuracy(probabilities.argmax(1), labels).value

    return measure


class WithLoss(nn.Module):
    """What Hugging Face's Trainer wants of a network: the loss beside the logits."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, pixel_values: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        logits = self.network(pixel_values)
        return {"logits": logits} | ({} if labels is None else {"loss": nn.functional.cross_entropy(logits, labels)})


def hugging_face(folder: Path, seed: int):
    """As Hugging Face's guide to image classification: three epochs of AdamW, four batches of 16 to a step."""
    from transformers import Trainer, TrainingArguments

    datasets = image_datasets(folder, PREPROCESSING)
    normalize = v2.Normalize(PREPROCESSING.mean, PREPROCESSING.std)
    to_float = v2.ToDtype(torch.float32, scale=True)
    datasets["train"].transform = v2.Compose([v2.ToImage(), v2.RandomResizedCrop(SIZE), to_float, normalize])
    model = replace_head(load_model("embedded"), len(datasets["train"].classes))
    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output,
            eval_strategy="epoch",
            save_strategy="epoch",
            learning_rate=5e-5,
            per_device_train_batch_size=16,
            gradient_accumulation_steps=4,
            per_device_eval_batch_size=16,
            num_train_epochs=3,
            warmup_steps=0.1,  # of all steps
            load_best_model_at_end=True,
            metric_for_best_model="accuracy",
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=seed,
            remove_unused_columns=False,
        )
        Trainer(
            model=WithLoss(model),
            args=arguments,
            train_dataset=datasets["train"],
            eval_dataset=datasets["val"],
            data_collator=lambda rows: {
                "pixel_values": torch.stack([image for image, _ in rows]),
                "labels": torch.tensor([label for _, label in rows]),
            },
            compute_metrics=lambda said: {"accuracy": float((said.predictions.argmax(1) == said.label_ids).mean())},
        ).train()
    return lambda: on_measured(model, folder)


# Ours and theirs; those with a seed of their own get it.
PEERS: dict[str, Callable[[Path, int], Callable[[], float]]] = {
    "our probe": lambda folder, seed: our_probe(folder),
    "timm, scikit-learn": lambda folder, seed: timm_and_scikit_learn(folder),
    "our fine_tune": our_fine_tune,
    "fastai, batches of 64": lambda folder, seed: fastai(6, 64, folder),
    "fastai, batches of 32": lambda folder, seed: fastai(6, 32, folder),
    "Hugging Face Trainer": hugging_face,
    "learnpytorch.io": lambda folder, seed: feature_extractor(folder),
    "the tutorial, batches of 32": lambda folder, seed: tutorial(32, folder),
    "PyTorch's tutorial": lambda folder, seed: tutorial(4, folder),
}
NOTHING_RANDOM = ("our probe", "timm, scikit-learn")


def run(peer: str, folder: Path, seed: int) -> dict:
    torch.manual_seed(seed)
    return timed(partial(PEERS[peer], folder, seed))


def plan() -> list[tuple[dict, Callable[[], dict]]]:
    """Seed by seed: first all that take a minute, then the tutorial, which takes longer than all others together."""
    long = [peer for peer in PEERS if "tutorial" in peer]
    order = [*product(SEEDS, IMAGES, [peer for peer in PEERS if peer not in long]), *product(SEEDS, IMAGES, long)]
    return [
        ({"images": images, "peer": peer, "seed": seed}, partial(run, peer, IMAGES[images], seed))
        for seed, images, peer in order
        if IMAGES[images].is_dir() and (seed == 0 or peer not in NOTHING_RANDOM)
    ]


def measured(results: list[dict]) -> dict[tuple[str, str], tuple]:
    """Accuracies and seconds over the seeds that there are, by images and peer."""
    found = {
        (images, peer): tuple(
            over_seeds(results, figure, images=images, peer=peer) for figure in ("accuracy", "seconds")
        )
        for images, peer in product(IMAGES, PEERS)
    }
    return {key: figures for key, figures in found.items() if len(figures[0])}


def table(results: list[dict]) -> str:
    lines = ["| images | who | accuracy | seconds | seeds |", "|---|---|---|---|---|"]
    for (images, peer), (accuracies, seconds) in measured(results).items():
        shown = interval(accuracies) if len(accuracies) > 2 else f"{100 * accuracies.mean():.1f} %"
        lines.append(f"| {images} | {peer} | {shown} | {seconds.mean():.0f} | {len(accuracies)} |")
    return "\n".join(lines) + "\n"


def plot(results: list[dict]) -> Figure:
    """Accuracy against seconds of one core, with 95 % intervals of three seeds or more."""
    figures = measured(results)
    sets = list(dict.fromkeys(images for images, _ in figures))
    figure = Figure(figsize=(4 * len(sets) + 3, 3.5), layout="constrained")
    axes = figure.subplots(1, len(sets), squeeze=False)[0]
    for ax, images in zip(axes, sets, strict=True):
        for number, peer in enumerate(PEERS):
            if (images, peer) in figures:
                accuracies, seconds = figures[images, peer]
                half = mean_interval(accuracies)[0] - mean_interval(accuracies)[1] if len(accuracies) > 2 else 0
                style = {"color": f"C{number}", "fmt": "o" if peer.startswith("our") else "s", "capsize": 3}
                style["markersize"] = 9 if peer == "our probe" else 6  # another one may lie on it
                ax.errorbar(seconds.mean(), 100 * accuracies.mean(), yerr=100 * half, label=peer, **style)
        ax.set(xscale="log", xlabel="seconds of one core", ylabel="accuracy, %", title=images)
        ax.set_xticks(ticks := [1, 10, 100, 1000], ticks)
        ax.minorticks_off()
    axes[-1].legend(*axes[0].get_legend_handles_labels(), loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def main() -> None:
    for package in ("fastai.vision.all", "sklearn.linear_model", "timm", "transformers"):
        import_module(package)
    results = measure_all(RESULTS, plan())
    write_section("peers", table(results))
    plot(results).savefig(PLOT)


if __name__ == "__main__":
    main()
