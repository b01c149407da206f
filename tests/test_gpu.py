"""What only a graphics card can show: its numbers are the CPU's but for rounding, and what it saves.

Each test names what is missing where it skips. A device that is reported is tried first: MPS is, on machines that
cannot use it.
"""

import os
import warnings

import pytest
import torch
from support.helper_runs import HELPERS, PREPROCESSING, assert_same, network, sgd, small_datasets, train, weights
from support.processes import together
from torch import nn
from torchvision.models import resnet18

from helpers.data import make_dataloader, with_transform
from helpers.devices import autocast, autocast_dtype, device_of
from helpers.distributed import rank
from helpers.models import freeze, replace_head
from helpers.training import run_epoch, train_model
from helpers.transforms import eval_transform

pytestmark = pytest.mark.gpu
CPU = torch.device("cpu")


@pytest.fixture(params=["cuda", "mps"])
def device(request) -> torch.device:
    """A device that computes; the test is skipped, and says why, where there is none."""
    name = request.param
    if not getattr(torch, name).is_available():
        pytest.skip(f"no {name} on this machine")
    try:
        assert (torch.ones(1024, 1024, device=name) + 1).sum().item() == 2 * 1024**2
    except RuntimeError as error:
        pytest.skip(f"{name} is reported and does not compute: {str(error).splitlines()[0]}")
    return torch.empty(0, device=name).device


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    return small_datasets(tmp_path_factory.mktemp("images"))


@pytest.fixture
def in_float32(monkeypatch):
    """No mixed precision, and no shortened one in CUDA's multiplications: then only the order of sums differs."""
    for module in ("devices", "training"):
        monkeypatch.setattr(f"helpers.{module}.autocast_dtype", lambda device: torch.float32)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.usefixtures("in_float32")
@pytest.mark.parametrize("helper", HELPERS, ids=lambda helper: helper.__name__)
def test_it_gives_on_the_device_what_it_gives_on_the_cpu(helper, device, datasets):
    model = network(device)
    result = helper(model, datasets)
    assert {part.device for part in (*model.parameters(), *model.buffers())} == {device}
    assert_same(result, helper(network(CPU), datasets), rtol=1e-2, atol=1e-3)


@pytest.mark.usefixtures("in_float32")
def test_a_checkpoint_resumes_on_the_same_device_and_on_the_other(device, datasets, tmp_path):
    whole = train(network(device, dropout=0.5), datasets, num_epochs=4)
    train(network(device, dropout=0.5), datasets, num_epochs=2, checkpoint=tmp_path / "run.pt")
    torch.manual_seed(99)  # a new process would be in another random state
    resumed = train(network(device, dropout=0.5), datasets, num_epochs=4, checkpoint=tmp_path / "run.pt")
    assert_same(resumed, whole, rtol=1e-3)

    whole = train(network(CPU), datasets, num_epochs=4)
    for first, then in ((device, CPU), (CPU, device)):
        path = tmp_path / f"{first.type}.pt"
        train(network(first), datasets, num_epochs=2, checkpoint=path)
        model = network(then)
        assert_same(train(model, datasets, num_epochs=4, checkpoint=path), whole, rtol=1e-2, atol=1e-3)
        assert device_of(model) == then


@pytest.mark.parametrize("dtype", [None, torch.float16], ids=["of the device", "float16"])
def test_mixed_precision_learns_as_float32_does(dtype, device, datasets, monkeypatch):
    monkeypatch.delenv("TL_PRECISION")
    dtype = dtype or autocast_dtype(device)
    if dtype == torch.float32:
        pytest.skip(f"helpers.devices takes float32 on {device.type}")
    ends = []
    for precision in (torch.float32, dtype):
        for module in ("devices", "training"):
            monkeypatch.setattr(f"helpers.{module}.autocast_dtype", lambda _, precision=precision: precision)
        model = network(device)
        history = train(model, datasets, num_epochs=6, max_norm=1.0)
        assert history["train_loss"][-1] < history["train_loss"][0]
        assert all(value.isfinite().all() and value.dtype != dtype for value in weights(model))
        ends.append(history["train_loss"][-1])
    assert ends[1] == pytest.approx(ends[0], rel=0.1)


def test_no_step_makes_the_cpu_wait(device, datasets):
    if device.type != "cuda":
        pytest.skip(f"{device.type} does not tell when the CPU waits")

    def waits(batch_size: int) -> int:
        model = network(device)
        loader = make_dataloader(datasets["train"], batch_size)
        run_epoch(model, loader, nn.CrossEntropyLoss(), sgd(model))  # what happens only once
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                run_epoch(model, loader, nn.CrossEntropyLoss(), sgd(model))
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return sum("synchronizing" in str(warning.message) for warning in caught)

    assert waits(batch_size=4) == waits(batch_size=20) > 0


def test_freezing_and_mixed_precision_save_memory(device, monkeypatch):
    if device.type != "cuda":
        pytest.skip(f"{device.type} does not tell its peak memory")

    def peak(model: nn.Module, precision: torch.dtype) -> int:
        monkeypatch.setattr("helpers.devices.autocast_dtype", lambda _: precision)
        images, labels = torch.rand(64, 3, 128, 128, device=device), torch.zeros(64, dtype=torch.int64, device=device)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        with autocast(device):
            loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        return torch.cuda.max_memory_allocated() - before

    torch.manual_seed(0)
    everything = peak(replace_head(resnet18(), 2).to(device), torch.float32)
    frozen = peak(freeze(replace_head(resnet18(), 2)).to(device), torch.float32)
    mixed = peak(replace_head(resnet18(), 2).to(device), torch.bfloat16)
    assert frozen < everything / 2
    assert mixed < 0.8 * everything


def synchronised(datasets, normalised) -> list[torch.Tensor]:
    """The weights after a training on all connected GPUs, one for each process."""
    os.environ["TL_PRECISION"] = "float32"  # the test puts it back here; the other processes end
    model = normalised(network(torch.device("cuda", rank())))
    loaders = {"train": make_dataloader(datasets["train"], 8, shuffle=True), "val": make_dataloader(datasets["val"], 8)}
    train_model(model, loaders, nn.CrossEntropyLoss(), sgd(model), num_epochs=2, keep="last")
    return weights(model)


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_with_synchronised_batchnorm_train_as_one_without(processes, datasets, monkeypatch):
    if torch.cuda.device_count() < processes:
        pytest.skip(f"{processes} GPUs of CUDA are needed for nccl, and there are {torch.cuda.device_count()}")
    monkeypatch.setenv("TL_PRECISION", "float32")
    plain = {split: with_transform(part, eval_transform(PREPROCESSING)) for split, part in datasets.items()}
    expected = synchronised(plain, lambda model: model)
    found = together(synchronised, plain, nn.SyncBatchNorm.convert_sync_batchnorm, processes=processes, device="cuda")
    for result in found:
        assert_same(result, expected, rtol=1e-3, atol=1e-4)
