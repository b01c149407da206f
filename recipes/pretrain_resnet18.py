"""Pretrain the ResNet18 that this repository carries (`make weights`).

The source task is Tiny ImageNet: 64 x 64 pictures, 500 per class. The class *bee* is left out and the
set has no *ant*, so both stay unseen until the lessons. DATA is either the public archive unpacked
(`tiny-imagenet-200/`, with `train/<wnid>/images/*.JPEG`) or a folder of packed parts
(`part-*.npz` with `data`, `offsets`, `labels`, and `classes.json`).

    python -m recipes.pretrain_resnet18 DATA

Everything random is derived from the seed and the step's number, so a run that was killed goes on
from its last checkpoint with the batches it would have had. Batches are cut and flipped on the
device, from pictures that were decoded once; on a GPU the same code runs there, in bfloat16.

On two CPU cores this takes an hour or two. Set MALLOC_MMAP_MAX_=0 and
MALLOC_TRIM_THRESHOLD_=100000000000 (`make weights` does): otherwise a large part of the time goes
into page faults.
"""

import argparse
import hashlib
import io
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet18
from tqdm import tqdm

from helpers.training import autocast

LEFT_OUT = "n02206856"  # bee: a class of the lessons
HELD_OUT = 25  # images per class that measure the source accuracy
SIDE = 64
# The convolutions cost four times less at half the side: learn the first layers small, finish large.
SIDES = [(6, 32), (5, 48), (5, 64)]  # (epochs, pixels)
BATCH_SIZE = 256
PEAK_LR = 0.4
WARM_UP = 0.15  # share of the steps
WEIGHT_DECAY = 5e-4
SMALLEST_CROP = 0.3  # share of the picture's area
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, as the lessons use
CHECKPOINT_EVERY = 100  # steps


def load_images(folder: Path) -> tuple[torch.Tensor, torch.Tensor, list[dict]]:
    """All pictures of `folder`, decoded: (n, 3, 64, 64) uint8, (n,) int64, and the classes' wnid and name."""
    parts = sorted(folder.glob("part-*.npz"))
    if parts:
        classes = json.loads((folder / "classes.json").read_text())
        sources, labels = [], []
        for part in map(np.load, parts):
            data, offsets = part["data"], part["offsets"]
            sources += [io.BytesIO(data[a:b].tobytes()) for a, b in pairwise(offsets)]
            labels += part["labels"].tolist()
    elif (folder / "wnids.txt").is_file():
        words = dict(line.split("\t") for line in (folder / "words.txt").read_text().splitlines())
        wnids = sorted(set((folder / "wnids.txt").read_text().split()) - {LEFT_OUT})
        classes = [{"wnid": wnid, "name": words[wnid].split(",")[0]} for wnid in wnids]
        files = [sorted((folder / "train" / wnid / "images").iterdir()) for wnid in wnids]
        sources = [path for paths in files for path in paths]
        labels = [label for label, paths in enumerate(files) for _ in paths]
    else:
        raise SystemExit(f"{folder} has neither part-*.npz nor wnids.txt; give the folder of Tiny ImageNet.")
    images = np.empty((len(sources), SIDE, SIDE, 3), np.uint8)
    for i, source in enumerate(tqdm(sources, desc="decode", mininterval=5)):
        images[i] = Image.open(source).convert("RGB")
    return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels), classes


def normalise(images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, 3, h, w) to float, with ImageNet's mean and standard deviation, channels last."""
    mean, std = (torch.tensor(v, device=images.device).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    return ((images.float() - mean) / std).contiguous(memory_format=torch.channels_last)


def random_crops(images: torch.Tensor, side: int, generator: torch.Generator) -> torch.Tensor:
    """RandomResizedCrop and horizontal flip for a whole batch at once: (n, 3, h, w) to (n, 3, side, side)."""
    n = len(images)
    uniform = torch.rand(5, n, generator=generator).to(images.device)
    area = SMALLEST_CROP + (1 - SMALLEST_CROP) * uniform[0]
    ratio = torch.exp((uniform[1] * 2 - 1) * math.log(4 / 3))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    theta = torch.zeros(n, 2, 3, device=images.device)
    theta[:, 0, 0] = width * (uniform[4] < 0.5).float().mul(2).sub(1)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (uniform[2] * 2 - 1) * (1 - width)
    theta[:, 1, 2] = (uniform[3] * 2 - 1) * (1 - height)
    grid = F.affine_grid(theta, [n, 3, side, side], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def split(labels: torch.Tensor, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices to train on, and HELD_OUT per class to measure on."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    held_out = torch.cat([order[labels[order] == label][:HELD_OUT] for label in range(int(labels.max()) + 1)])
    keep = torch.ones(len(labels), dtype=torch.bool)
    keep[held_out] = False
    return keep.nonzero().squeeze(1), held_out


def learning_rate(progress: float) -> float:
    """Linear warm-up, then a cosine to zero; `progress` runs from 0 to 1."""
    if progress < WARM_UP:
        return PEAK_LR * progress / WARM_UP
    return PEAK_LR * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


@torch.inference_mode()
def top1(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of `images`, uint8 (n, 3, 64, 64), whose label gets the highest score."""
    model.eval()
    right = 0
    with autocast(images.device):
        for x, y in zip(images.split(BATCH_SIZE), labels.split(BATCH_SIZE), strict=True):
            right += int((model(normalise(x)).argmax(1) == y).sum())
    return right / len(labels)


def random(seed: int, number: int) -> torch.Generator:
    """The random numbers of one epoch or step, the same whenever it is run."""
    return torch.Generator().manual_seed(seed * 1_000_003 + number)


def save(state: dict, path: Path) -> None:
    """Write a checkpoint whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(state, part)
    part.replace(path)


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("data/weights/resnet18_tiny_imagenet.safetensors"))
    parser.add_argument("--checkpoint", type=Path, default=Path("data/downloads/pretrain_checkpoint.pt"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    images, labels, classes = load_images(args.data)
    train, held_out = split(labels, args.seed)
    images, labels = images.to(device), labels.to(device)

    torch.manual_seed(args.seed)
    model = resnet18(num_classes=len(classes), zero_init_residual=True)
    model = model.to(device, memory_format=torch.channels_last)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True)

    sides = [side for epochs, side in SIDES for _ in range(epochs)]
    steps = len(train) // BATCH_SIZE
    first = 0
    args.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if args.checkpoint.is_file():
        state = torch.load(args.checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"]

    progress_bar = tqdm(total=len(sides) * steps, initial=first, desc="pretrain", mininterval=20)
    for step in range(first, len(sides) * steps):
        epoch, at = divmod(step, steps)
        if at == 0 or step == first:
            order = train[torch.randperm(len(train), generator=random(args.seed, epoch))]
        batch = order[at * BATCH_SIZE : (at + 1) * BATCH_SIZE].to(device)
        x = random_crops(normalise(images[batch]), sides[epoch], random(args.seed, step))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step / (len(sides) * steps))
        model.train()
        with autocast(device):
            loss = F.cross_entropy(model(x.contiguous(memory_format=torch.channels_last)), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress_bar.update()
        if (step + 1) % CHECKPOINT_EVERY == 0:
            if not loss.isfinite():
                raise SystemExit(f"The loss is {loss.item()} at step {step + 1}: lower PEAK_LR, begin anew.")
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            save(state, args.checkpoint)
            progress_bar.set_postfix(side=sides[epoch], loss=f"{loss.item():.2f}")
        if at == steps - 1:
            accuracy = top1(model, images[held_out], labels[held_out])
            tqdm.write(f"epoch {epoch + 1}/{len(sides)} at {sides[epoch]} px: held-out top-1 {accuracy:.1%}")
    progress_bar.close()

    accuracy = top1(model, images[held_out], labels[held_out])
    weights = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    weights = {k: v.contiguous().cpu() for k, v in weights.items()}
    metadata = {
        "architecture": "resnet18",
        "source": "Tiny ImageNet without the class bee",
        "source_top1": f"{accuracy:.4f}",
        "epochs": str(len(sides)),
        "seed": str(args.seed),
        "classes": json.dumps([entry["name"] for entry in classes]),
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    part = args.out.with_suffix(".part")
    safetensors.torch.save_file(weights, part, metadata)
    digest = hashlib.sha256(part.read_bytes()).hexdigest()
    part.replace(args.out)
    (args.out.parent / "SHA256SUMS").write_text(f"{digest}  {args.out.name}\n")
    args.checkpoint.unlink(missing_ok=True)
    print(f"{args.out}: held-out top-1 {accuracy:.1%}")


if __name__ == "__main__":
    main()
