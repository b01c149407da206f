"""The pretend accelerator does what a graphics card would: the same numbers, the same refusals, a state of its own."""

import copy
import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import tv_tensors
from torchvision.models import resnet18
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import v2

from tools.environment import GUARD

pretend_device = pytest.importorskip("support.pretend_device", exc_type=ImportError)
DEVICE = torch.device("pretend:0")


@pytest.fixture(autouse=True)
def plugged_in(monkeypatch):
    monkeypatch.setenv("TL_DEVICE", "pretend")


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(16, 3))


def batch(images: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(images, 3, 8, 8, generator=generator), torch.arange(images) % 3


def same(first: nn.Module, second: nn.Module) -> None:
    """The weights are the same numbers, on whichever device."""
    for (name, mine), other in zip(first.state_dict().items(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(mine.cpu(), other.cpu(), msg=lambda text, name=name: f"{name}: {text}")


def test_a_view_of_a_parameter_is_one_in_inference_mode_too():
    parameter = nn.Parameter(torch.ones(1, 3)).to(DEVICE)
    with torch.inference_mode():
        view, product = parameter.expand(2, -1), parameter * 2
        assert torch.cat([view, product]).is_inference() and product.is_inference()
    assert not view.is_inference()


# --- What is refused, and what is not

ON, OFF = torch.arange(4.0).to(DEVICE), torch.arange(4.0)


def put(target: torch.Tensor, index, value) -> torch.Tensor:
    target = target.clone()
    target[index] = value
    return target


REFUSED = {
    "add.Tensor": lambda: ON + OFF,
    "add_.Tensor": lambda: torch.zeros(()).add_(ON[0]),
    "mul.Tensor": lambda: OFF * ON[0],
    "eq.Tensor": lambda: ON == OFF,
    "equal": lambda: torch.equal(ON, OFF),
    "cat": lambda: torch.cat([ON, OFF]),
    "stack": lambda: torch.stack([ON[0], OFF[0]]),
    "index_put_": lambda: put(ON, torch.tensor([0, 1]), torch.ones(2)),
    "index_select": lambda: ON.index_select(0, torch.tensor([1])),
    "masked_select": lambda: ON.masked_select(OFF > 1),
    "convolution": lambda: network().to(DEVICE)(batch()[0]),
    "addmm": lambda: nn.Linear(4, 2)(ON[None]),
    "native_batch_norm": lambda: nn.BatchNorm2d(3)(batch()[0].to(DEVICE)),
    "nll_loss_forward": lambda: nn.functional.cross_entropy(ON[None], torch.tensor([1])),
    "where": lambda: torch.where(ON > 1, OFF, ON),
}


@pytest.mark.parametrize("operation", REFUSED)
def test_two_devices_do_not_mix_and_the_operation_is_named(operation):
    message = rf"on the same device.*pretend:0 and cpu! \(aten\.{operation}(\.|\))"
    with pytest.raises(RuntimeError, match=message):
        REFUSED[operation]()


def test_an_index_on_the_device_does_not_reach_into_the_cpu():
    with pytest.raises(RuntimeError, match="indices should be either on cpu or on the same device"):
        OFF[torch.tensor([1]).to(DEVICE)]


def test_numpy_cannot_read_the_device():
    for read in (ON.numpy, lambda: np.asarray(ON)):
        with pytest.raises(TypeError, match="can't convert pretend:0 device type tensor to numpy. Use Tensor.cpu()"):
            read()
    with pytest.raises(BufferError):
        np.from_dlpack(ON)
    assert ON.numpy(force=True).tolist() == [0, 1, 2, 3]


TAKEN = {
    "a CPU index": (lambda: ON[torch.tensor([2, 0])], [2, 0]),
    "a CPU mask": (lambda: ON[OFF > 1], [2, 3]),
    "a value at a CPU index": (lambda: put(ON, OFF > 1, 0), [0, 1, 0, 0]),
    "a CPU number at a CPU index": (lambda: put(ON, torch.tensor([1]), torch.tensor(9.0)), [0, 9, 2, 3]),
    "a CPU number": (lambda: ON * torch.tensor(2.0), [0, 2, 4, 6]),
    "a CPU number in `where`": (lambda: torch.where(ON > 1, ON, torch.tensor(7.0)), [7, 7, 2, 3]),
    "a CPU number to fill with": (lambda: ON.masked_fill(ON > 1, torch.tensor(5.0)), [0, 1, 5, 5]),
    "a copy into a slice": (lambda: put(ON, slice(0, 2), torch.ones(2)), [1, 1, 2, 3]),
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_cuda_takes_is_taken(case):
    run, expected = TAKEN[case]
    result = run()
    assert result.device == DEVICE
    assert result.tolist() == expected


def test_images_of_torchvision_can_be_moved():
    image = tv_tensors.Image(torch.ones(3, 4, 4)).to(DEVICE)
    assert image.device == DEVICE and v2.functional.horizontal_flip(image).shape == (3, 4, 4)


def test_copies_go_both_ways():
    assert ON.cpu().device.type == ON.to("cpu", non_blocking=True).device.type == "cpu"
    assert OFF.to(DEVICE, non_blocking=True).device == OFF.pretend().device == torch.zeros(2, device=DEVICE).device
    assert torch.equal(OFF.clone().copy_(ON), OFF) and torch.equal(ON.clone().copy_(OFF), ON)
    assert torch.tensor([ON[2], ON[3]]).tolist() == [2, 3]  # it reads one number after the other


def test_a_tensor_reads_as_on_a_graphics_card():
    assert repr(ON[:2]) == "tensor([0., 1.], device='pretend:0')"
    assert "grad_fn=<MulBackward0>" in repr(ON.clone().requires_grad_() * 2)
    assert f"{ON[2]:.2f}" == "2.00" and int(ON[3]) == 3 and bool(ON[1])
    assert [float(value) for value in ON] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.resize_(2, 2),
        lambda t: t.unsqueeze_(0),
        lambda t: torch.cat([t, t], out=t.new_empty(0)),
        lambda t: torch.arange(5, device=t.device),
        lambda t: t.view(2, 2).t_(),
    ],
)
def test_the_shape_follows_the_numbers(change):
    changed, expected = change(ON.clone()), change(OFF.clone())
    assert (changed.shape, changed.stride()) == (expected.shape, expected.stride())
    assert torch.equal((changed + 0).cpu(), expected)


def test_views_share_their_numbers():
    whole = ON.clone()
    whole.view(2, 2)[0, 1] = 8
    whole.detach()[0] = 7
    whole.data += 1
    assert whole.tolist() == [8, 9, 3, 4]
    whole.data = ON[:2]
    assert whole.shape == (2,) and (whole + 1).tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="incompatible tensor type"):
        whole.data = OFF


# --- float64


def test_float64_is_there_unless_it_stands_for_mps():
    assert ON.double().dtype == torch.float64
    attempts = [
        ON.double,
        lambda: OFF.double().to(DEVICE),
        lambda: torch.from_numpy(np.ones(2)).to(DEVICE),
        lambda: torch.zeros(2, dtype=torch.float64, device=DEVICE),
    ]
    with pretend_device.without_float64():
        for attempt in attempts:
            with pytest.raises(TypeError, match="Cannot convert a MPS Tensor to float64 dtype"):
                attempt()
        assert torch.from_numpy(np.ones(2)).to(DEVICE, torch.float32).tolist() == [1, 1]
    assert ON.double().dtype == torch.float64


# --- Training


OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "SGD, one tensor at a time": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, foreach=False),
    "AdamW": lambda p: torch.optim.AdamW(p, 0.01),
    "AdamW, one tensor at a time": lambda p: torch.optim.AdamW(p, 0.01, foreach=False),
    "AdamW, fused": lambda p: torch.optim.AdamW(p, 0.01, fused=True),
}


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 4) -> list[float]:
    device = next(model.parameters()).device
    x, y = (part.to(device, non_blocking=True) for part in batch())
    losses = []
    for _ in range(steps):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_training_gives_the_numbers_of_the_cpu(make):
    here, there = network(), network().to(DEVICE)
    losses = train(here, make(here.parameters()))
    assert train(there, make(there.parameters())) == pytest.approx(losses, rel=1e-4)
    assert losses[-1] < losses[0]
    same(here, there)


def test_optimizers_take_many_tensors_at_once_as_on_cuda(monkeypatch):
    calls = []
    whole = pretend_device.compute
    monkeypatch.setattr(pretend_device, "compute", lambda f, *rest: calls.append(str(f)) or whole(f, *rest))
    model = network().to(DEVICE)
    train(model, torch.optim.AdamW(model.parameters()), steps=1)
    assert any("_foreach_addcdiv_" in call for call in calls)


def test_moving_a_module_keeps_its_parameters():
    model = network()
    weight, optimizer = model[0].weight, torch.optim.SGD(model.parameters(), 0.1)
    for device in (DEVICE, torch.device("cpu"), DEVICE):
        assert model.to(device)[0].weight is weight and weight.device == device
        assert isinstance(weight, nn.Parameter)
        before = weight.detach().clone()
        train(model, optimizer, steps=1)
        assert not torch.equal(weight.detach(), before)


def test_copies_of_a_model_stand_alone():
    model = network().to(DEVICE)
    copied, weights = copy.deepcopy(model), copy.deepcopy(model.state_dict())
    train(model, torch.optim.SGD(model.parameters(), 0.1))
    with pytest.raises(AssertionError):
        same(model, copied)
    same(copied, network())
    assert isinstance(copied[0].weight, nn.Parameter) and copied[0].weight.device == DEVICE
    model.load_state_dict(weights)  # also from the CPU:
    same(model, network())
    model.load_state_dict({name: value.cpu() + 1 for name, value in weights.items()})
    assert model[0].weight.device == DEVICE


def test_channels_last_is_kept():
    model = network().to(DEVICE, memory_format=torch.channels_last)
    x = batch()[0].to(DEVICE).to(memory_format=torch.channels_last)
    assert model[0](x).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(model(x).cpu(), network()(batch()[0]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_low_precision_and_keeps_float32_weights(dtype):
    model, (x, y) = network().to(DEVICE), (part.to(DEVICE) for part in batch())
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    scaler = torch.amp.GradScaler("pretend", enabled=dtype == torch.float16)
    losses = []
    for _ in range(8):
        with torch.autocast("pretend", dtype):
            scores = model(x)
            loss = nn.functional.cross_entropy(scores, y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert (scores.dtype, loss.dtype, model[0].weight.grad.dtype) == (dtype, torch.float32, torch.float32)
    assert losses[-1] < losses[0]
    with torch.autocast("pretend", enabled=False):
        assert model(x).dtype == torch.float32
    with torch.autocast("pretend", dtype):
        here = network()(batch()[0])  # what lies on the CPU is left alone
    assert here.dtype == torch.float32


def test_networks_can_be_looked_into():
    torch.manual_seed(0)
    model, x = resnet18(num_classes=3).eval(), torch.rand(2, 3, 32, 32)

    def look(device: torch.device) -> list[torch.Tensor]:
        seen = []
        network, images = copy.deepcopy(model).to(device), x.to(device)
        network.fc.register_forward_hook(lambda layer, inputs, output: seen.append(inputs[0]))
        seen.append(LayerGradCam(network, network.layer4).attribute(images, torch.tensor([0, 1], device=device)))
        seen.append(create_feature_extractor(network, ["layer3"])(images)["layer3"])
        assert {part.device for part in seen} == {images.device}
        return [part.detach().cpu() for part in seen]

    torch.testing.assert_close(look(DEVICE), look(torch.device("cpu")))


# --- Random numbers


def test_the_device_has_a_random_state_of_its_own():
    torch.manual_seed(3)
    here, there = torch.rand(4), torch.rand(4, device=DEVICE)
    assert not torch.equal(here, there.cpu())
    torch.manual_seed(3)
    torch.rand(100, device=DEVICE)
    assert torch.equal(torch.rand(4), here), "the CPU's state moves on only with the CPU's numbers"

    state = torch.pretend.get_rng_state()
    again = torch.rand(4, device=DEVICE)
    torch.rand(9)
    torch.pretend.set_rng_state(state)
    assert torch.equal(torch.rand(4, device=DEVICE), again)


def test_dropout_draws_from_the_device():
    torch.manual_seed(0)
    drop = nn.Dropout(0.5)
    first, second = drop(torch.ones(64, device=DEVICE)), drop(torch.ones(64, device=DEVICE))
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(drop(torch.ones(64, device=DEVICE)), first)


def test_fork_rng_brings_both_states_back():
    before = torch.get_rng_state(), torch.pretend.get_rng_state()
    with torch.random.fork_rng():
        torch.rand(3), torch.rand(3, device=DEVICE), torch.randperm(3, device=DEVICE)
        assert not torch.equal(torch.pretend.get_rng_state(), before[1])
    assert torch.equal(torch.get_rng_state(), before[0]) and torch.equal(torch.pretend.get_rng_state(), before[1])


def test_generators_are_the_cpus():
    with pytest.raises(RuntimeError, match="Expected a 'pretend' device type for generator but found 'cpu'"):
        torch.rand(3, generator=torch.Generator(), device=DEVICE)


# --- Files


def test_weights_are_saved_on_one_device_and_loaded_on_the_other():
    for saved_on, loaded_on in ((DEVICE, "cpu"), ("cpu", DEVICE), (DEVICE, DEVICE), (DEVICE, None)):
        model = network().to(saved_on)
        optimizer = torch.optim.AdamW(model.parameters())
        train(model, optimizer, steps=2)
        file = io.BytesIO()
        torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        state = torch.load(file, map_location=loaded_on, weights_only=True)
        expected = torch.device(loaded_on or saved_on).type
        assert {value.device.type for value in state["model"].values()} == {expected}
        resumed = network().to(loaded_on or saved_on)
        resumed.load_state_dict(state["model"])
        other = torch.optim.AdamW(resumed.parameters())
        other.load_state_dict(state["optimizer"])
        assert other.state[resumed[0].weight]["exp_avg"].device == resumed[0].weight.device
        assert train(resumed, other) == pytest.approx(train(model, optimizer), rel=1e-4)
        same(model, resumed)


def test_a_whole_model_is_pickled():
    file = io.BytesIO()
    torch.save(network().to(DEVICE), file)
    file.seek(0)
    model = torch.load(file, weights_only=False)
    assert isinstance(model[0].weight, nn.Parameter) and model[0].weight.device == DEVICE
    same(model, network())


# --- The machine


@pytest.mark.parametrize("num_workers", [0, 1])
def test_loaders_pin_their_batches(num_workers):
    x, y = batch()
    loader = DataLoader(TensorDataset(x, y), 4, num_workers=num_workers, pin_memory=True)
    batches = [(a.to(DEVICE, non_blocking=True), b.to(DEVICE, non_blocking=True)) for a, b in loader]
    assert torch.equal(torch.cat([a for a, _ in batches]).cpu(), x)
    assert torch.equal(torch.cat([b for _, b in batches]).cpu(), y)


def test_a_dataset_on_the_device_is_collated_there():
    dataset = TensorDataset(*(part.to(DEVICE) for part in batch()))
    x, y = next(iter(DataLoader(dataset, batch_size=4)))
    assert x.device == y.device == DEVICE and x.shape == (4, 3, 8, 8)


def test_it_is_plugged_in_while_the_environment_says_so(monkeypatch):
    assert torch.accelerator.is_available() and torch.accelerator.device_count() == 1
    assert torch.accelerator.current_accelerator(check_available=True).type == "pretend"
    assert torch.get_device_module(DEVICE) is torch.pretend
    torch.accelerator.synchronize()
    monkeypatch.delenv("TL_DEVICE")
    assert not torch.accelerator.is_available()
    assert torch.accelerator.current_accelerator(check_available=True) is None


@pytest.mark.parametrize(("chosen", "found"), [("pretend", "pretend True"), ("", "None False")])
def test_every_python_of_the_tests_has_it_when_asked(chosen, found):
    code = "import torch; a = torch.accelerator; print(a.current_accelerator(check_available=True), a.is_available())"
    environment = {"PYTHONPATH": str(GUARD), "TL_DEVICE": chosen}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.stdout.strip() == found, run.stderr
    light = "import sys; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", light], env=environment, capture_output=True, text=True)
    assert run.stdout.strip() == str(bool(chosen)), "torch is imported only where it is needed"
