"""Several processes train as one does: the same batches, each image counted once, one file, one message."""

import os
import signal
import socket
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from support.checks import line
from support.helper_runs import PREPROCESSING, assert_same, network, sgd, small_datasets, weights
from support.processes import together
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, Subset, TensorDataset

from helpers import distributed
from helpers.checkpoints import History
from helpers.data import make_dataloader, with_transform
from helpers.distributed import batch_per_process, gather, process_group, rank, replicate
from helpers.errors import LessonError
from helpers.evaluation import predict
from helpers.features import penultimate_features, probe_head
from helpers.models import freeze, freeze_norms
from helpers.training import fine_tune, train_model
from helpers.transforms import eval_transform

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """Twenty images to train on and as many to validate, without random crops."""
    made = small_datasets(tmp_path_factory.mktemp("images"))
    return {split: with_transform(part, eval_transform(PREPROCESSING)) for split, part in made.items()}


def first(dataset, number: int) -> Subset:
    return Subset(dataset, range(number))


# --- The same numbers


def trained(
    datasets, prepare=freeze_norms, num_epochs=3, checkpoint=None, on_epoch=None
) -> tuple[History, list[torch.Tensor]]:
    """A training on all connected processes; of one process, if none is connected."""
    torch.set_num_threads(1)
    model = prepare(network(CPU))
    loaders = {
        "train": make_dataloader(datasets["train"], 8, shuffle=True),
        "val": make_dataloader(datasets["val"], 8),
    }
    _, history = train_model(
        model,
        loaders,
        nn.CrossEntropyLoss(),
        sgd(model),
        num_epochs=num_epochs,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
        keep="last",
    )
    return history, weights(model)


def test_two_processes_have_the_losses_of_one(datasets):
    expected = trained(datasets)
    for result in together(trained, datasets):
        assert_same(result, expected, rtol=1e-5, atol=1e-6)


def test_numbers_that_cannot_be_divided_do_not_make_a_process_wait(datasets):
    odd = {"train": first(datasets["train"], 17), "val": first(datasets["val"], 7)}
    one, other = together(trained, odd)
    assert_same(one, other, rtol=0, atol=0)
    assert one[0]["val_acc"][0] * 7 == pytest.approx(round(one[0]["val_acc"][0] * 7)), "seven images, not eight"


def evaluated(datasets, number: int):
    model, loader = network(CPU), make_dataloader(first(datasets["val"], number), 3)
    return predict(model, loader), penultimate_features(model, loader)


@pytest.mark.parametrize("processes", [2, 3])
def test_evaluation_counts_each_image_once_and_in_order(datasets, processes):
    expected = evaluated(datasets, 7)
    for result in together(evaluated, datasets, 7, processes=processes):
        assert_same(result, expected, rtol=1e-5, atol=1e-6)


def with_padding(datasets, number: int) -> int:
    """The textbook's way, with PyTorch's sampler."""
    dataset = first(datasets["val"], number)
    loader = DataLoader(dataset, 3, sampler=DistributedSampler(dataset, shuffle=False))
    return sum(gather(sum(len(labels) for _, labels in loader)))


def test_the_sampler_of_the_textbook_counts_an_image_twice(datasets):
    assert together(with_padding, datasets, 7) == [8, 8]


def probed(datasets):
    return weights(probe_head(network(CPU), make_dataloader(datasets["train"], 8)))


def test_a_probe_is_that_of_one_process(datasets):
    for result in together(probed, datasets):
        assert_same(result, probed(datasets), rtol=1e-5, atol=1e-6)


def recipe(datasets):
    torch.manual_seed(rank())
    model = freeze_norms(network(CPU))
    return fine_tune(model, datasets, PREPROCESSING, num_epochs=2, batch_size=8)[1], weights(model)


def test_the_recipe_runs_and_leaves_the_same_model_everywhere(datasets):
    one, other = together(recipe, datasets)
    assert_same(one, other, rtol=0, atol=0)


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 3)
    with pytest.raises(LessonError, match="A batch of 32 images cannot be divided among 3 processes; 33 can") as error:
        batch_per_process(32)
    line(error)


# --- BatchNorm, freezing, the order of the images


def nothing(model: nn.Module) -> nn.Module:
    return model


def test_batchnorm_per_process_ends_with_the_statistics_of_the_first(datasets):
    (history, one), (_, other) = together(trained, datasets, nothing)
    assert_same(one, other, rtol=0, atol=0)
    expected = trained(datasets, nothing)
    assert abs(history["train_loss"][1] - expected[0]["train_loss"][1]) > 1e-5, "batches of 4 are not batches of 8"


def test_frozen_batchnorm_is_the_same_on_one_process_and_on_many(datasets):
    model = network(CPU)
    for _, state in together(trained, datasets):
        named = dict(zip(model.state_dict(), state, strict=True))
        assert torch.equal(named["bn1.running_mean"], model.state_dict()["bn1.running_mean"])


def test_only_the_head_trains_where_it_was_frozen_before(datasets):
    assert_same(together(trained, datasets, freeze)[1], trained(datasets, freeze), rtol=1e-5, atol=1e-6)


def frozen_too_late(datasets) -> None:
    model = network(CPU)
    replica = replicate(model)
    freeze(model)
    for x, y in make_dataloader(datasets["train"], 8, shuffle=True):
        nn.functional.cross_entropy(replica(x), y).backward()


def test_freezing_after_wrapping_is_an_error_of_pytorch(datasets):
    results = together(frozen_too_late, datasets)
    assert any("unused" in str(result) for result in results)


def test_a_sampler_that_is_told_the_epoch_has_another_order_in_each():
    data = TensorDataset(torch.rand(12, 3, 8, 8), torch.arange(12) % 2)
    seen: list[list[int]] = []

    class Sampler(DistributedSampler):
        def __iter__(self):
            seen.append(list(super().__iter__()))
            return iter(seen[-1])

    loaders = {"train": DataLoader(data, 4, sampler=Sampler(data, 1, 0)), "val": DataLoader(data, 4)}
    model = network(CPU)
    train_model(model, loaders, nn.CrossEntropyLoss(), sgd(model), num_epochs=3)
    assert len({tuple(order) for order in seen}) == 3


# --- One file, and going on


def test_the_first_process_writes_and_all_go_on(datasets, tmp_path):
    whole = together(trained, datasets, freeze_norms, 4)
    together(trained, datasets, freeze_norms, 2, tmp_path / "run.pt")
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    assert len(state["random"]) == 2
    assert not any(name.startswith("module.") for name in state["model"])
    resumed = together(trained, datasets, freeze_norms, 4, tmp_path / "run.pt")
    assert_same(resumed, whole, rtol=0, atol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def kill_the_second(history: History) -> None:
    if rank() == 1 and len(history["lr"]) == 2:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_killed_training_ends_as_if_it_had_not_been_killed(datasets, tmp_path):
    told, killed = together(trained, datasets, freeze_norms, 4, tmp_path / "run.pt", kill_the_second)
    assert killed is None and isinstance(told, LessonError)
    assert "was ended from outside" in str(told) and "\n" not in str(told)
    resumed = together(trained, datasets, freeze_norms, 4, tmp_path / "run.pt")
    assert_same(resumed, together(trained, datasets, freeze_norms, 4), rtol=0, atol=0)


def test_another_number_of_processes_cannot_go_on(datasets, tmp_path):
    together(trained, datasets, freeze_norms, 1, tmp_path / "run.pt")
    before = (tmp_path / "run.pt").read_bytes()
    with pytest.raises(LessonError, match=r"another number of processes \(2, now 1\): set it back to go on") as error:
        trained(datasets, checkpoint=tmp_path / "run.pt")
    line(error)
    assert (tmp_path / "run.pt").read_bytes() == before


# --- One message


def fail_on(number: int) -> None:
    if rank() == number:
        raise LessonError("the disk of this machine is full")
    gather(0)


@pytest.mark.parametrize("number", [0, 1])
def test_an_error_of_one_process_is_told_once(number):
    results = together(fail_on, number)
    assert str(results[number]) == "the disk of this machine is full"
    assert isinstance(results[1 - number], SystemExit) and results[1 - number].code == 1


def fail_everywhere() -> None:
    raise LessonError("the folder has no classes")


def test_an_error_of_all_processes_is_told_once():
    kinds = sorted(type(result).__name__ for result in together(fail_everywhere, processes=3))
    assert kinds == ["LessonError", "SystemExit", "SystemExit"]


@pytest.fixture
def launched(monkeypatch):
    """As `torchrun` starts the first of two processes."""
    monkeypatch.setattr(distributed, "CONNECTING", timedelta(seconds=1))

    def launch(number: int, port: int) -> None:
        for name, value in {"RANK": number, "WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
            monkeypatch.setenv(name, str(value))

    yield launch
    assert not dist.is_initialized()


def test_a_port_in_use_is_one_line(launched):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        launched(0, other.getsockname()[1])
        with pytest.raises(LessonError, match="Port .* is in use on this machine; `torchrun --standalone`") as error:  # noqa: SIM117
            with process_group(CPU):
                pass
    line(error)


def test_an_address_that_does_not_answer_is_one_line(launched):
    with socket.socket() as closed:  # bound, and nobody listens
        closed.bind(("127.0.0.1", 0))
        launched(1, closed.getsockname()[1])
        with pytest.raises(LessonError, match="The first process, at 127.0.0.1:.*, does not answer") as error:  # noqa: SIM117
            with process_group(CPU):
                pass
    line(error)


def test_processes_on_a_mac_s_gpu_are_refused(launched):
    """gloo does not know it, and nothing else connects there."""
    launched(0, 1)
    with pytest.raises(LessonError, match="no processes on mps; compute on the CPU") as error:  # noqa: SIM117
        with process_group(torch.device("mps")):
            pass
    line(error)


def test_alone_nothing_is_connected():
    with process_group(CPU):
        assert not dist.is_initialized() and (distributed.world_size(), rank()) == (1, 0)
    assert not isinstance(replicate(nn.Linear(1, 1)), DistributedDataParallel)
