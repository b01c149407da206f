"""The training loop, on networks and batches so small that a run takes milliseconds."""

import copy
import itertools
import math
import sys

import pytest
import torch
from support.lesson_code import lesson_code
from support.training import sgd, tiny_loaders, tiny_model
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset
from torchvision.datasets.vision import VisionDataset

from helpers.data import CachedDataset, image_datasets, make_dataloader, make_dataloaders, with_transform
from helpers.devices import autocast, autocast_dtype
from helpers.errors import LessonError, Stopped
from helpers.features import extract_features, linear_probe
from helpers.models import freeze, freeze_norms, load_model
from helpers.tracks import current_track
from helpers.training import (
    compute_loss,
    early_stopping,
    fine_tune,
    lr_range_test,
    run_epoch,
    train_model,
)
from helpers.transforms import eval_transform, train_transform
from helpers.weights import Preprocessing
from helpers.widgets import LiveCurves

pytestmark = pytest.mark.quick


def train(num_epochs: int, **options):
    model = tiny_model()
    return train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model), num_epochs=num_epochs, **options)


def test_loss_and_accuracy_are_means_over_images():
    model, loaders = tiny_model(), tiny_loaders(images=21, batch_size=8)  # batches of 8, 8 and 5
    loss, acc = run_epoch(model, loaders["val"], nn.CrossEntropyLoss())
    x, y = loaders["val"].dataset.tensors
    scores = model.eval()(x)
    assert loss == pytest.approx(nn.functional.cross_entropy(scores, y).item(), rel=1e-5)
    assert acc == pytest.approx((scores.argmax(1) == y).double().mean().item())


def test_validation_changes_nothing():
    model = tiny_model()
    before = copy.deepcopy(model.state_dict())
    run_epoch(model, tiny_loaders()["val"], nn.CrossEntropyLoss())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_training_learns_and_reports_each_epoch():
    _, history = train(12)
    assert history["train_loss"][-1] < history["train_loss"][0]
    assert {len(values) for values in history.values()} == {12}
    assert history["lr"][:5] == pytest.approx([0.1, 0.1, 0.05, 0.05, 0.025])


def test_ends_with_the_weights_that_were_best_on_val():
    model, history = train(12)
    _, acc = run_epoch(model, tiny_loaders()["val"], nn.CrossEntropyLoss())
    assert acc == max(history["val_acc"])
    assert min(history["val_acc"]) < max(history["val_acc"]), "otherwise this test could not fail"
    assert all(parameter.grad is None for parameter in model.parameters()), "they would only take memory"
    first_best = history["val_acc"].index(acc) + 1
    again, _ = train(first_best)
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), again.state_dict().values(), strict=True))


def test_one_cycle_is_stepped_after_each_batch():
    model, loaders = tiny_model(), tiny_loaders()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=4 * len(loaders["train"]))
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=4)
    assert scheduler.last_epoch == 4 * len(loaders["train"])


def test_resumed_training_equals_the_uninterrupted_one(tmp_path):
    whole, whole_history = train(6)
    train(3, checkpoint=tmp_path / "run.pt")
    torch.manual_seed(99)  # a new process would be in another random state
    resumed, history = train(6, checkpoint=tmp_path / "run.pt")
    assert history == whole_history
    pairs = zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert [path.name for path in tmp_path.iterdir()] == ["run.pt"]


def test_an_interruption_leaves_the_best_weights():
    model = tiny_model()
    loaders = tiny_loaders()
    before = copy.deepcopy(model.state_dict())

    def interrupt(history):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_model(model, loaders, nn.CrossEntropyLoss(), *sgd(model), num_epochs=3, on_epoch=interrupt)
    assert not torch.equal(before["6.weight"], model.state_dict()["6.weight"])
    assert model(loaders["val"].dataset.tensors[0]).isfinite().all()


def is_stopped_at(line: int, model: nn.Module, histories: list) -> bool:
    """Train with the stop button at the so-manieth line that runs in the second and third epoch."""
    lines, before = itertools.count(), sys.gettrace()

    def on_line(*_):
        if 1 <= len(histories) < 3 and next(lines) == line:
            raise KeyboardInterrupt
        return on_line

    sys.settrace(lambda frame, *_: on_line if frame.f_code is train_model.__code__ else None)
    try:
        train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model), num_epochs=4, on_epoch=histories.append)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_the_stop_button_at_any_line_leaves_the_best_weights_and_a_whole_history():
    for line in itertools.count():
        model, histories = tiny_model(), []
        if not is_stopped_at(line, model, histories):
            break
        assert len({len(values) for values in histories[-1].values()}) == 1
        assert run_epoch(model, tiny_loaders()["val"], nn.CrossEntropyLoss())[1] >= max(histories[-1]["val_acc"])
    assert line > 20


def test_on_epoch_can_end_the_training():
    _, history = train(9, on_epoch=lambda history: len(history["lr"]) == 2)
    assert len(history["lr"]) == 2


def test_a_loss_that_is_no_number_stops_with_the_cause():
    model = tiny_model()
    with pytest.raises(LessonError, match=r"nan in epoch 1: the learning rate \(1e\+30\) is probably too high"):
        train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model, lr=1e30), num_epochs=3)
    assert all(value.isfinite().all() for value in model.state_dict().values())


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_a_damaged_checkpoint_is_named(tmp_path, content):
    path = tmp_path / "run.pt"
    path.write_bytes(content)
    with pytest.raises(LessonError, match="run.pt does not fit this training .*delete it"):
        train(2, checkpoint=path)
    assert path.read_bytes() == content


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    torch.save({"model": nn.Linear(2, 3).state_dict()}, tmp_path / "run.pt")
    with pytest.raises(LessonError, match="does not fit"):
        train(2, checkpoint=tmp_path / "run.pt")


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"model": Malicious()}, tmp_path / "run.pt")
    with pytest.raises(LessonError, match="does not fit"):
        train(2, checkpoint=tmp_path / "run.pt")
    assert not (tmp_path / "owned").exists()


def test_auxiliary_heads_count_with_their_weight():
    from torchvision.models.googlenet import GoogLeNetOutputs
    from torchvision.models.inception import InceptionOutputs

    criterion, labels = nn.CrossEntropyLoss(), torch.tensor([0, 1])
    main, aux1, aux2 = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(0))
    parts = [criterion(scores, labels) for scores in (main, aux1, aux2)]
    for outputs, expected in (
        (main, parts[0]),
        (InceptionOutputs(main, aux1), parts[0] + 0.4 * parts[1]),
        (GoogLeNetOutputs(main, aux2, aux1), parts[0] + 0.3 * (parts[1] + parts[2])),
        (InceptionOutputs(main, None), parts[0]),
    ):
        loss, scores = compute_loss(criterion, outputs, labels)
        assert loss.item() == pytest.approx(expected.item())
        assert scores is main


def test_a_last_batch_of_one_image_trains():
    model = tiny_model()
    loaders = tiny_loaders(images=17, batch_size=8)
    _, history = train_model(model, loaders, nn.CrossEntropyLoss(), *sgd(model), num_epochs=1)
    assert len(history["lr"]) == 1
    seen = itertools.chain.from_iterable(y.tolist() for _, y in loaders["train"])
    assert len(list(seen)) == 17


def test_early_stopping_waits_for_its_patience():
    stop = early_stopping(patience=2)
    assert [stop({"val_loss": losses}) for losses in ([3.0], [3.0, 2.0, 2.5], [3.0, 2.0, 2.5, 2.1])] == [
        False,
        False,
        True,
    ]
    _, history = train(40, on_epoch=lambda history: len(history["lr"]) > 1 and stop({"val_loss": [1.0, 2.0, 2.0]}))
    assert len(history["lr"]) == 2


def test_the_finder_tries_rates_and_puts_all_back():
    model, loaders = tiny_model(), tiny_loaders()
    groups = [{"params": model[6].parameters(), "lr": 0.1}, {"params": model[0].parameters(), "lr": 0.01}]
    optimizer = torch.optim.SGD(groups, momentum=0.9)
    weights, state = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    seen = []
    optimizer.register_step_pre_hook(lambda opt, *_: seen.append([group["lr"] for group in opt.param_groups]))
    rates, losses = lr_range_test(model, loaders["train"], nn.CrossEntropyLoss(), optimizer, 1e-4, 1e-1, 7)

    assert rates == pytest.approx([1e-4 * 10 ** (step / 2) for step in range(7)])
    assert [head for head, _ in seen] == rates
    assert all(backbone == pytest.approx(head / 10) for head, backbone in seen)
    assert len(losses) == 7 and losses[0] == pytest.approx(0.7, abs=0.3)
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
    assert optimizer.state_dict() == state


def test_a_stopped_finder_puts_all_back_as_well():
    model, looks = tiny_model(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    weights, state = copy.deepcopy((model.state_dict(), optimizer.state_dict()))

    def stopped(logits, labels):
        looks.append(logits)
        if len(looks) == 5:
            raise KeyboardInterrupt
        return nn.functional.cross_entropy(logits, labels)

    with pytest.raises(KeyboardInterrupt):
        lr_range_test(model, tiny_loaders()["train"], stopped, optimizer, 1e-2, 1)
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())
    assert optimizer.state_dict() == state


def test_a_finder_needs_a_batch():
    model = tiny_model()
    loader = DataLoader(TensorDataset(torch.rand(3, 3, 8, 8), torch.zeros(3).long()), batch_size=4, drop_last=True)
    with pytest.raises(LessonError, match="The loader has no batches"):
        lr_range_test(model, loader, nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters(), lr=0.1))


def test_the_finder_stops_where_the_loss_explodes():
    model = tiny_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1)
    rates, losses = lr_range_test(model, tiny_loaders()["train"], nn.CrossEntropyLoss(), optimizer, 1, 1e12)
    assert len(rates) == len(losses) < 40
    assert max(losses) <= 4 * min(losses)


def test_the_loop_by_hand(capsys):
    lesson = lesson_code("04_training_loop.ipynb")
    runs = []
    for function in (lesson["train_model"], train_model):
        model = tiny_model()
        optimizer, scheduler = sgd(model)
        runs.append(function(model, tiny_loaders(), nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=5))
    (by_hand, its_history), (ours, history) = runs
    for key, values in its_history.items():
        assert history[key] == pytest.approx(values, rel=1e-5), key
    for one, two in zip(by_hand.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(one, two)
    losses = {"val_loss": [3.0, 2.0, 2.5, 2.1]}
    assert lesson["early_stopping"](2)(losses) == early_stopping(2)(losses)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [1, 2])
def test_the_training_of_lesson_04_beats_the_probe_with_other_seeds_too(seed):
    lesson = lesson_code("04_training_loop.ipynb", "EPOCHS")
    track = current_track("embedded")
    preprocessing = track.preprocessing.at(80)
    splits = {split: CachedDataset(images) for split, images in image_datasets(track.folder, preprocessing).items()}
    train_view = with_transform(splits["train"], train_transform(preprocessing, scale=0.35))
    train_eval = with_transform(splits["train"], eval_transform(preprocessing))
    loaders = make_dataloaders({**splits, "train": train_view}, seed=seed)
    pretrained = load_model(track.weights)
    lesson.update(pretrained=pretrained, class_names=splits["train"].classes, loaders=loaders)

    frozen = copy.deepcopy(pretrained)
    probe = linear_probe(*extract_features(frozen, make_dataloader(train_eval)))
    model = lesson["late_model"](seed)
    optimizer, scheduler = lesson["one_cycle"](model, lesson["EPOCHS"])
    options = {"keep": "last", "max_norm": 1.0}
    train_model(model, loaders, nn.CrossEntropyLoss(), optimizer, scheduler, lesson["EPOCHS"], **options)
    _, trained = run_epoch(model, loaders["test"], nn.CrossEntropyLoss())
    assert trained > probe.score(*extract_features(frozen, loaders["test"])) + 0.01


def test_the_live_curves_follow_the_training():
    live = LiveCurves()
    bundle = live._repr_mimebundle_()[0]
    assert bundle["text/plain"] == "Here the curves of the training grow, epoch by epoch."
    assert live._picture.value == bundle["text/plain"]  # once, not in a picture and again below it
    _, history = train(3, on_epoch=live)
    later = live._repr_mimebundle_()[0]
    assert later["text/plain"].startswith(f"epoch 3: loss {history['train_loss'][-1]:.2f} on train, ")
    assert later["text/plain"].endswith(f", {history['val_acc'][-1]:.1%} on val")
    assert len(live.history["lr"]) == 3
    assert later["image/png"] != bundle["image/png"]
    picture = f'alt="{live.text}" src="data:image/png;base64,{later["image/png"]}"'
    assert picture in live._picture.value


class Colours(Dataset):
    """Sixteen noisy pictures, red or blue, as uint8, with a transform as the datasets of `helpers.data` have it."""

    transform = None

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 100, (16, 3, 20, 20), generator=generator, dtype=torch.uint8)
        self.images[::2, 0] += 100
        self.images[1::2, 2] += 100

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        return self.transform(self.images[index]), index % 2


def test_mixed_labels_count_as_the_larger_share():
    shares = torch.tensor([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    batches = [(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]), shares)]
    model = nn.Linear(2, 2, bias=False)
    nn.init.eye_(model.weight)
    loss, right = run_epoch(model, batches, nn.CrossEntropyLoss())
    assert right == pytest.approx(2 / 3)
    assert loss == pytest.approx(nn.CrossEntropyLoss()(batches[0][0], shares).item())


def test_precision_is_sixteen_bits_where_the_hardware_has_them(monkeypatch):
    monkeypatch.delenv("TL_PRECISION")
    layer, x = nn.Linear(2, 2), torch.rand(1, 2)
    with autocast(torch.device("cpu")):
        kind = layer(x).dtype
        with torch.no_grad():
            before = layer(x)
            layer.weight.add_(1)
            assert not torch.equal(before, layer(x)), "the weights of now, not a cast of earlier ones"
    native = torch.cpu.get_capabilities().get("avx512_bf16", False)
    assert kind == (torch.bfloat16 if native else torch.float32)


def test_tests_and_lessons_compute_in_float32_everywhere(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert autocast_dtype(torch.device("cpu")) == torch.float32
    monkeypatch.delenv("TL_PRECISION")
    assert autocast_dtype(torch.device("cpu")) == torch.bfloat16


def test_fine_tune_is_the_recipe():
    datasets = {"train": Colours(), "val": Colours()}
    datasets["val"].transform = eval_transform(Preprocessing(16))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(8, 2))
    seen = []
    tuned, history = fine_tune(
        model,
        datasets,
        Preprocessing(16),
        num_epochs=4,
        on_epoch=lambda history: seen.append(copy.deepcopy(model.state_dict())),
    )
    assert tuned is model and len(history["lr"]) == 4
    assert history["val_acc"] == [1.0] * 4, "the head starts where the probe ends"
    assert history["lr"][0] == pytest.approx(2e-3 / 25), "one cycle begins at a 25th of the highest rate"
    assert all(torch.equal(seen[-1][name], value) for name, value in model.state_dict().items())
    assert not torch.equal(seen[0]["0.weight"], seen[-1]["0.weight"]), "the pretrained layers learn as well"
    assert datasets["train"].transform is None, "the reader's dataset is left alone"


def test_fine_tune_leaves_frozen_what_is_frozen():
    datasets = {"train": Colours(), "val": Colours()}
    datasets["val"].transform = eval_transform(Preprocessing(8))
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    before = copy.deepcopy(model.state_dict())
    fine_tune(freeze_norms(model), datasets, Preprocessing(8), num_epochs=2)
    kept = {name for name, value in model.state_dict().items() if torch.equal(value, before[name])}
    assert kept == {name for name in before if name.startswith("1.")}


@pytest.mark.parametrize(("pictures", "epochs"), [(16, 48), (300, 6)])
def test_few_pictures_get_as_many_steps(pictures, epochs):
    datasets = {"train": Colours(), "val": Colours()}
    datasets["val"].transform = eval_transform(Preprocessing(4))
    datasets["train"].images = datasets["train"].images.repeat(20, 1, 1, 1)[:pictures]
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    _, history = fine_tune(model, datasets, Preprocessing(4))
    assert len(history["lr"]) == epochs


def test_the_recipe_by_hand():
    by_hand = lesson_code("07_fine_tuning.ipynb")["fine_tune_by_hand"]
    states = []
    for train in (
        lambda model, data: by_hand(model, data["train"], data["val"], Preprocessing(8), num_epochs=3),
        lambda model, data: fine_tune(model, data, Preprocessing(8), num_epochs=3),
    ):
        datasets = {"train": Colours(), "val": Colours()}
        datasets["val"].transform = eval_transform(Preprocessing(8))
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        train(model, datasets)
        states.append(model.state_dict())
    for name, value in states[0].items():  # the convolutions of `fine_tune` add up in another order
        torch.testing.assert_close(value, states[1][name], rtol=1e-4, atol=1e-5)


def test_fine_tune_that_is_stopped_leaves_the_best_weights():
    """Every epoch has all pictures right, so the first one counts."""
    datasets = {"train": Colours(), "val": Colours()}
    datasets["val"].transform = eval_transform(Preprocessing(16))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    seen, kept = [], {}

    def stop(history):
        kept.update(history)
        seen.append(copy.deepcopy(model.state_dict()))
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fine_tune(model, datasets, Preprocessing(16), num_epochs=5, on_epoch=stop)
    assert kept["val_acc"] == [1.0] * 3
    assert all(torch.equal(value, seen[0][name]) for name, value in model.state_dict().items())
    assert not torch.equal(seen[0]["0.weight"], seen[2]["0.weight"])


def three_resolutions() -> nn.Sequential:
    """A network whose maps become smaller three times; its first part is an early one, `0` and `1`."""
    torch.manual_seed(0)
    first = (nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4))
    late = (nn.Conv2d(4, 4, 3, 2, 1), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1), nn.ReLU())
    return nn.Sequential(*first, *late, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))


@pytest.mark.parametrize(
    ("choose", "options", "trained"),
    [
        (lambda model: model, {}, {"2", "4", "8"}),
        (lambda model: model, {"all_layers": True}, {"0", "1", "2", "4", "8"}),
        (lambda model: freeze_norms(model), {}, {"2", "4", "8"}),
        (lambda model: freeze(model, ("1", "4")), {}, {"1", "4", "8"}),
    ],
    ids=["late layers", "all layers", "frozen norms", "the reader's choice"],
)
def test_which_layers_fine_tune_trains(choose, options, trained):
    datasets = {"train": Colours(), "val": prepared(Colours())}
    model = choose(three_resolutions())
    before = copy.deepcopy(model.state_dict())
    needed = [parameter.requires_grad for parameter in model.parameters()]
    fine_tune(model, datasets, Preprocessing(16), num_epochs=2, **options)
    after = model.state_dict()
    assert {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])} == trained
    assert [parameter.requires_grad for parameter in model.parameters()] == needed, "as the reader left it"


@pytest.mark.parametrize("options", [{}, {"keep": "best", "curve": False}])
@pytest.mark.parametrize(("tuned_acc", "kept"), [(0.9, "probe"), (1.0, "tuned")])
def test_fine_tune_ends_as_the_probe_where_val_says_so(monkeypatch, tuned_acc, kept, options):
    """The probe has all of `val` right here; the training is a pretended one."""
    states = {}

    def trained(model, *_, **__):
        states["probe"] = copy.deepcopy(model.state_dict())
        with torch.no_grad():
            model[0].weight.add_(1)
        states["tuned"] = copy.deepcopy(model.state_dict())
        return model, {"val_acc": [math.nan if options else 0.2, tuned_acc]}

    monkeypatch.setattr("helpers.training.train_model", trained)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    datasets = {"train": Colours(), "val": prepared(Colours())}
    model, history = fine_tune(model, datasets, Preprocessing(16), **options)
    assert (history["val_acc"][-1], history["probe_acc"]) == (tuned_acc, [1.0])
    assert all(torch.equal(value, states[kept][name]) for name, value in model.state_dict().items())


def test_val_only_at_the_end():
    """The weights are the same as with a curve; `val` is seen once, and by the probe."""
    ends = {}
    for curve in (True, False):
        seen = []
        model = three_resolutions()
        model.register_forward_pre_hook(lambda model, _, seen=seen: seen.append(model.training))
        _, history = fine_tune(
            model, {"train": Colours(), "val": prepared(Colours())}, Preprocessing(16), num_epochs=3, curve=curve
        )
        ends[curve] = model.state_dict(), history, seen.count(False)
    (with_curve, history, looks), (without, short, fewer) = ends[True], ends[False]
    assert all(torch.equal(value, without[name]) for name, value in with_curve.items())
    assert [math.isnan(value) for value in short["val_acc"]] == [True, True, False]
    assert short["val_loss"][-1] == history["val_loss"][-1] and short["train_loss"] == history["train_loss"]
    assert looks - fewer == 2, "one batch of val in each of two epochs"


def test_what_needs_val_after_each_epoch_says_so():
    model = tiny_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer)
    with pytest.raises(LessonError, match="ReduceLROnPlateau needs .* leave curve=False out"):
        train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), optimizer, plateau, curve=False)
    with pytest.raises(LessonError, match="Early stopping needs .* leave curve=False out"):
        train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), optimizer, on_epoch=early_stopping(1), curve=False)


def test_without_a_curve_a_stopped_training_leaves_its_last_epoch():
    seen = []

    def stop(history):
        seen.append(copy.deepcopy(model.state_dict()))
        if len(seen) == 2:
            raise KeyboardInterrupt

    model = tiny_model()
    with pytest.raises(Stopped, match="after 2 epochs; the model holds the weights of the last of them"):
        train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model), on_epoch=stop, curve=False)
    assert all(torch.equal(value, seen[1][name]) for name, value in model.state_dict().items())


def test_fine_tune_may_be_ended_early():
    datasets = {"train": Colours(), "val": Colours()}
    datasets["val"].transform = eval_transform(Preprocessing(16))
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    _, history = fine_tune(
        model, datasets, Preprocessing(16), num_epochs=5, on_epoch=lambda history: len(history["lr"]) == 2
    )
    assert len(history["lr"]) == 2


# --- What would end in a traceback, or in a model that learns nothing


def refused(model: nn.Module, loaders: dict | None = None, criterion=None, optimizer=None, **options) -> str:
    """The line that `train_model` ends in; the model is as it was."""
    before = copy.deepcopy(model.state_dict())
    optimizer = optimizer or torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(LessonError) as error:
        train_model(model, loaders or tiny_loaders(), criterion or nn.CrossEntropyLoss(), optimizer, **options)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_head_that_the_optimizer_does_not_hold_is_named():
    model = tiny_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model[6] = nn.Linear(4, 2)
    assert "does not hold the head '6'" in refused(model, optimizer=optimizer)
    model[6].requires_grad_(False)  # who freezes the head means it
    train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), optimizer, num_epochs=1)


def test_all_parameters_frozen():
    assert refused(tiny_model().requires_grad_(False)).startswith("Every parameter is frozen")


def test_loaders_of_other_names_and_empty_ones():
    loaders = tiny_loaders()
    assert "no loader 'val', only 'train', 'valid'" in refused(
        tiny_model(), {"train": loaders["train"], "valid": loaders["val"]}
    )
    dropped = DataLoader(loaders["val"].dataset, 64, drop_last=True)
    assert "'train' has no batches" in refused(tiny_model(), loaders | {"train": dropped})
    nothing = DataLoader(Subset(loaders["val"].dataset, []))
    assert "'val' has no batches" in refused(tiny_model(), loaders | {"val": nothing})


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_label_beyond_the_head(split):
    x, y = tiny_loaders()["val"].dataset.tensors
    loaders = tiny_loaders() | {split: DataLoader(TensorDataset(x, y + 3), 8)}
    model = tiny_model()
    with pytest.raises(
        LessonError, match="model has 2 outputs, but there is the label 4 .they count from 0.: replace_head"
    ):
        train_model(model, loaders, nn.CrossEntropyLoss(), *sgd(model), num_epochs=1)


def test_precisions_that_do_not_fit():
    assert "model is in torch.float16; train it in float32" in refused(tiny_model().half())
    doubled = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert "class weights are torch.float64" in refused(tiny_model(), criterion=doubled)
    assert "keep='newest' is unknown" in refused(tiny_model(), keep="newest")


def test_plateau_follows_the_loss_on_val():
    model = tiny_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)  # nothing improves by a tenth
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, threshold=0.1)
    _, history = train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=5)
    assert history["lr"] == pytest.approx([1e-4, 1e-4, 1e-4, 1e-5, 1e-5])


def test_gradients_are_clipped_to_their_norm():
    norms = {}
    for max_norm in (None, 0.01):
        model = tiny_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        seen = norms[max_norm] = []
        optimizer.register_step_pre_hook(
            lambda opt, *_, seen=seen: seen.append(
                float(nn.utils.get_total_norm([p.grad for p in opt.param_groups[0]["params"]]))
            )
        )
        train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), optimizer, num_epochs=1, max_norm=max_norm)
    assert min(norms[None]) > 0.01
    assert norms[0.01] == pytest.approx([0.01] * 3, rel=1e-3)


def test_clipping_sees_unscaled_gradients():
    steps = []
    for scaler in (None, torch.amp.GradScaler("cpu", init_scale=2.0**10)):
        model, loaders = tiny_model(), tiny_loaders()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        run_epoch(model, loaders["train"], nn.CrossEntropyLoss(), optimizer, max_norm=0.01, scaler=scaler)
        steps.append(model.state_dict())
    for name, value in steps[0].items():
        torch.testing.assert_close(value, steps[1][name], msg=name)


def test_the_stop_button_says_what_the_model_holds():
    def stop_in(epoch: int) -> str:
        model = tiny_model()

        def stop(history):
            if len(history["lr"]) == epoch:
                raise KeyboardInterrupt

        with pytest.raises(Stopped) as stopped:
            train_model(model, tiny_loaders(), nn.CrossEntropyLoss(), *sgd(model), num_epochs=9, on_epoch=stop)
        assert stopped.value._render_traceback_() == [f"Stopped: {stopped.value}"]
        return str(stopped.value)

    assert "after 3 epochs" in stop_in(3) and "best weights so far, those of epoch" in stop_in(3)

    def at_once(*_):
        raise KeyboardInterrupt

    model = tiny_model()
    with pytest.raises(Stopped, match="the weights that it began with"):
        train_model(model, tiny_loaders(), at_once, *sgd(model))


# --- fine_tune takes any dataset honestly


def different_inputs(datasets: dict, images: int) -> int:
    """How many different versions of the training images a network sees in three epochs of `fine_tune`."""
    seen = set()
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))

    def look(network, inputs):
        if network.training:
            seen.update(round(float(value), 4) for value in inputs[0].mean((1, 2, 3)))

    model.register_forward_pre_hook(look)
    fine_tune(model, datasets, Preprocessing(12), num_epochs=3)
    return len(seen)


class Pets(VisionDataset):
    """As torchvision's OxfordIIITPet: it calls `self.transforms`."""

    def __init__(self, transform=None, transforms=None):
        super().__init__("", transforms, transform)
        self.images = Colours().images

    def __len__(self) -> int:
        return 16

    def __getitem__(self, index: int):
        return self.transforms(self.images[index], index % 2)


def prepared(dataset: Dataset) -> Dataset:
    dataset.transform = eval_transform(Preprocessing(12))
    return dataset


@pytest.mark.parametrize("kind", ["subset", "subset of a subset", "concatenation", "transforms"])
def test_every_dataset_gets_the_crops_of_the_recipe(kind):
    whole = prepared(Colours())
    train = {
        "subset": Subset(whole, range(16)),
        "subset of a subset": Subset(Subset(whole, range(16)), range(16)),
        "concatenation": ConcatDataset([Subset(whole, range(8)), Subset(whole, range(8, 16))]),
        "transforms": Pets(eval_transform(Preprocessing(12))),
    }[kind]
    assert different_inputs({"train": train, "val": prepared(Colours())}, 16) > 24
    assert whole.transform is not None and torch.equal(whole[0][0], prepared(Colours())[0][0]), "left alone"


def test_a_dataset_that_cannot_be_augmented_is_refused():
    class Rows(Dataset):
        """A map dataset of dictionaries, as Hugging Face's."""

        def __len__(self):
            return 4

        def __getitem__(self, index):
            return {"image": torch.zeros(3, 8, 8), "label": index % 2}

    joint = Pets(transforms=lambda image, label: (eval_transform(Preprocessing(12))(image), label))
    fixed = TensorDataset(torch.rand(4, 3, 8, 8), torch.arange(4) % 2)
    for train in (Rows(), joint, fixed):
        with pytest.raises(LessonError, match=f"transform of a {type(train).__name__} cannot be replaced"):
            different_inputs({"train": train, "val": prepared(Colours())}, 4)
    with pytest.raises(LessonError, match="'val' makes no float tensors; its transform is eval_transform"):
        different_inputs({"train": prepared(Colours()), "val": TensorDataset(Colours().images, torch.arange(16))}, 4)
    with pytest.raises(LessonError, match="no dataset 'val', only 'train', 'test'"):
        fine_tune(tiny_model(), {"train": Colours(), "test": Colours()}, Preprocessing(12))
    with pytest.raises(LessonError, match="'train' has no images"):
        fine_tune(tiny_model(), {"train": Subset(Colours(), []), "val": prepared(Colours())}, Preprocessing(12))


def test_fine_tune_goes_on_where_it_was_stopped(tmp_path):
    def run(path, **options):
        datasets = {"train": Colours(), "val": prepared(Colours())}
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
        return fine_tune(model, datasets, Preprocessing(12), num_epochs=4, checkpoint=path, **options)

    def stop(history):
        if len(history["lr"]) == 2:
            raise KeyboardInterrupt

    whole, whole_history = run(tmp_path / "whole.pt")
    with pytest.raises(Stopped):
        run(tmp_path / "parts.pt", on_epoch=stop)
    resumed, history = run(tmp_path / "parts.pt")
    assert history == whole_history
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), resumed.parameters(), strict=True))


def test_letters_are_not_mirrored():
    datasets = {"train": Colours(), "val": prepared(Colours())}
    datasets["train"].images[:] = 0
    datasets["train"].images[:, 0] = torch.arange(20, dtype=torch.uint8) * 12  # brighter to the right
    seen = []
    model = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    model.register_forward_pre_hook(
        lambda network, inputs: seen.extend(inputs[0][:, 0].mean(1)[:, [0, -1]].tolist()) if network.training else None
    )
    fine_tune(model, datasets, Preprocessing(12), num_epochs=2, mirror=False)
    assert seen and all(left <= right for left, right in seen)
