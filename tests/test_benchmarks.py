"""The stored results: whole, as their tables say, and with what the lessons claim of them."""

import json
import re
from dataclasses import replace
from importlib import import_module
from itertools import combinations, pairwise, product

import numpy as np
import pytest
import torch
from scipy.stats import ttest_rel
from torch import nn

from benchmarks import (
    backbones,
    distillation,
    does_it_help,
    fine_tuning,
    gpu,
    growth,
    late_layers,
    overhead,
    parameter_efficient,
    peers,
    probe,
    runs,
    speed,
    textbook,
)
from helpers import ROOT
from helpers.data import make_dataloaders, subsample
from helpers.evaluation import Accuracy, holm, mean_interval, paired_test, prediction_interval
from helpers.models import count_parameters, freeze_norms, load_model, meta_model, replace_head
from helpers.training import fine_tune, train_model
from helpers.weights import SOURCES
from recipes import measure_transfer

PROGRAMS = [import_module(f"benchmarks.{path.stem}") for path in sorted((ROOT / "benchmarks").glob("*.json"))]
STORED = {program: json.loads(program.RESULTS.read_text()) for program in PROGRAMS}
HELP, STEPS, LATE, SPEED = (STORED[program] for program in (does_it_help, fine_tuning, late_layers, speed))


def accuracy(method: str, per_class: int = does_it_help.PER_CLASS[-1]) -> np.ndarray:
    return runs.over_seeds(HELP, method=method, per_class=per_class)


def certainly_above(values, others) -> bool:
    """Whether the 95 % interval of the differences, paired by seed, lies above zero."""
    assert len(values) == len(others) >= 5
    return mean_interval(values - others)[1] > 0


def test_five_seeds_of_everything():
    stored = [(run["method"], run["per_class"], run["seed"]) for run in HELP]
    assert sorted(stored) == sorted(does_it_help.RUNS)
    for step in fine_tuning.RECIPES.keys() - fine_tuning.SMALL.keys():
        assert len(runs.over_seeds(STEPS, step=step)) == 5
    for run, _ in speed.plan():
        assert len([result for result in SPEED if run.items() <= result.items()]) == 1


@pytest.mark.parametrize(("program", "results"), STORED.items(), ids=[program.RESULTS.stem for program in STORED])
def test_the_readme_shows_the_results(program, results):
    name = program.RESULTS.stem
    shown = runs.README.read_text().split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
    assert shown == program.table(results)


# --- What lesson 06 claims


def test_frozen_needs_less_data():
    """Fifty pictures of each class against all 122, from scratch with a recipe of its own."""
    assert certainly_above(accuracy("frozen", 50), accuracy("from scratch, tuned"))


@pytest.mark.parametrize("method", ["frozen", "fine-tuned"])
def test_transfer_is_better(method):
    assert certainly_above(accuracy(method), accuracy("from scratch, tuned"))
    assert certainly_above(accuracy(method), accuracy("from scratch, textbook"))


def test_with_the_same_recipe_pretrained_weights_are_better():
    """From scratch gets as many epochs with the textbook's loop, and four times as many with one cycle."""
    one_cycle = runs.over_seeds(STEPS, step="AdamW with one cycle, the last epoch")
    assert certainly_above(accuracy("fine-tuned, textbook"), accuracy("from scratch, textbook"))
    assert certainly_above(one_cycle, accuracy("from scratch, tuned"))
    careless, careful = accuracy("from scratch, textbook"), accuracy("from scratch, tuned")
    gain = (accuracy("fine-tuned, textbook") - careless).mean() - (one_cycle - careful).mean()
    assert gain > 0.05, "an unfair baseline flatters"


def test_with_few_images_frozen_and_fine_tuned_cannot_be_told_apart():
    pairs = [(accuracy("fine-tuned", n), accuracy("frozen", n)) for n in does_it_help.PER_CLASS]
    assert min(holm([ttest_rel(*pair).pvalue for pair in pairs])) > 0.05


@pytest.mark.parametrize("images", ["insects", "photographs", "species"])
def test_a_better_source_gives_better_features(images):
    """Also than the interval of the one before; among the networks from ImageNet there is no order."""
    sources = json.loads((ROOT / "data" / "weights" / "results.json").read_text())[images]
    probes = {source: sources[source]["frozen, linear probe"]["0"] for source in sources if source != "colours"}
    random, embedded, lite0, lite1, lite2 = (
        Accuracy(*probes[source])
        for source in ("random", "embedded", "imagenet", "efficientnet_lite1", "efficientnet_lite2")
    )
    assert random.high < embedded.low
    assert all(embedded.high < each.low for each in (lite0, lite1, lite2))


def test_a_longer_training_from_scratch_gains_and_stays_behind():
    """One run, so it is held against what one run of the other may give."""
    (longer,) = accuracy(does_it_help.LONGER, does_it_help.FEW)
    assert longer > prediction_interval(accuracy("from scratch, tuned", does_it_help.FEW))[2]
    assert longer < prediction_interval(accuracy("frozen", does_it_help.FEW))[1]


def test_transfer_takes_less_time():
    scratch, tuned, frozen = (
        runs.over_seeds(HELP, "seconds", method=method, per_class=does_it_help.PER_CLASS[-1])
        for method in ("from scratch, tuned", "fine-tuned", "frozen")
    )
    assert certainly_above(scratch, 2 * tuned)
    assert certainly_above(scratch, 20 * frozen)


def test_careless_fine_tuning_is_worse_than_none():
    assert certainly_above(accuracy("frozen"), accuracy("fine-tuned, textbook"))


# --- What lesson 04 claims


def test_what_a_gpu_gains_with_fewer_bits():
    steps = {run["step"]: run for run in STORED[gpu] if "H100" in run["card"] and "step" in run}
    default, bfloat16 = steps["TF32"], steps["bfloat16"]
    assert default["seconds"] < 0.6 * steps["float32"]["seconds"]
    assert 0.14 < 1 - bfloat16["seconds"] / default["seconds"] < 0.2, "a sixth of the time"
    assert 0.4 < 1 - bfloat16["MiB"] / default["MiB"] < 0.5, "nearly half of the memory"
    last = [run["seconds"] / default["seconds"] for step, run in steps.items() if "channels-last" in step]
    assert len(last) == 2 and 0.45 < min(last) and max(last) < 0.55, "half the time, in float16 as in bfloat16"


# --- What lesson 07 claims

INSECTS = {"images": "insects", "weights": "embedded"}
(PROBE,) = (run["accuracy"] for run in LATE if run.items() >= (INSECTS | {"trained": "the head"}).items())


def corrected(pairs: list[tuple[str, str]]) -> list[float]:
    """The p-values of the paired t-tests between recipes, corrected as in the lesson."""
    values = [[runs.over_seeds(STEPS, step=step) for step in pair] for pair in pairs]
    return holm([ttest_rel(*each).pvalue for each in values])


def test_the_probe_beats_each_training_of_the_textbook():
    assert PROBE > runs.over_seeds(STEPS, step=next(iter(fine_tuning.STEPS))).max()


def test_two_of_seven_parts_make_a_significant_difference():
    p_values = corrected([(step, before) for before, step in pairwise(fine_tuning.STEPS)])
    significant = [step for step, p in zip(list(fine_tuning.STEPS)[1:], p_values, strict=True) if p < 0.05]
    assert significant == ["AdamW with one cycle, the last epoch", "crops show a third or more"]


def test_the_rate_explains_what_the_optimizer_seemed_to_bring():
    rate, cycle = corrected(
        [
            ("6 epochs, with a rate of 0.01", "6 epochs"),
            ("AdamW with one cycle, the last epoch", "6 epochs, with a rate of 0.01"),
        ]
    )
    assert rate < 0.05 < cycle


def test_with_a_good_rate_the_textbook_s_recipe_is_as_accurate():
    textbook, *_, recipe = fine_tuning.STEPS
    good_rate = f"{textbook}, with a rate of 0.01"
    whole, *others = corrected([(recipe, textbook), (recipe, good_rate), ("25 epochs instead of 6", good_rate)])
    assert whole < 0.05 < min(others)


def test_no_trick_alone_makes_a_significant_difference():
    tricks = fine_tuning.EXTRAS.keys() - {"25 epochs instead of 6"}
    assert len(tricks) == 9
    assert min(corrected([(trick, fine_tuning.BASE[trick]) for trick in tricks])) > 0.05


def test_val_takes_the_better_of_probe_and_fine_tuned_model():
    """On the insects: four of five trainings beat the probe on test, and val keeps the probe in the fifth."""
    run = INSECTS | {"trained": "late layers"}
    tuned, val, probe_val = (runs.over_seeds(LATE, figure, **run) for figure in ("accuracy", "val", "probe_val"))
    assert (tuned > PROBE).sum() == 4
    assert (tuned[val >= probe_val] > PROBE).all()


def above_the_probe(weights: str, images: str, trained: str = "late layers") -> tuple[np.ndarray, np.ndarray]:
    """Points of fine-tuning on test, seed by seed, and where val says the probe."""
    run = {"images": images, "weights": weights}
    (head,) = (result["accuracy"] for result in LATE if result.items() >= (run | {"trained": "the head"}).items())
    tuned, val, probe_val = (
        runs.over_seeds(LATE, figure, trained=trained, **run) for figure in ("accuracy", "val", "probe_val")
    )
    assert len(tuned) == 5
    return 100 * (tuned - head), val < probe_val


def test_few_images_decide_between_probe_and_fine_tuned_model():
    images = {"insects": 153, "species": 180, "photos": 153}  # of val
    late = [run for run in LATE if run["trained"] == "late layers"]
    behind = [round((run["probe_val"] - run["val"]) * images[run["images"]]) for run in late]
    assert len(behind) == 30
    kept = [count for count in behind if count > 0]
    assert len(kept) == 18 and sum(count <= 3 for count in kept) == 14


def test_freezing_the_early_layers_is_nowhere_ahead_and_nowhere_significantly_worse():
    for images, weights in product(("insects", "species", "photos"), late_layers.SIZES):
        run = {"images": images, "weights": weights}
        late, whole = (runs.over_seeds(LATE, trained=trained, **run) for trained in late_layers.TRAINED)
        if len(whole) < 5:  # the insects, in the other program's results
            assert run == INSECTS
            whole = runs.over_seeds(STEPS, step="BatchNorm stays as pretrained")
        mean, low, high = mean_interval(late - whole)
        assert mean < 0.001 and low < 0 < high, run


def test_where_fine_tuning_pays():
    points, to_probe = above_the_probe("embedded", "species")
    assert points.min() > 0 and 3.5 < points.mean() < 4.5 and to_probe.all()
    points, to_probe = above_the_probe("embedded", "species", "all layers")
    assert 5.5 < points.mean() < 6.5
    assert to_probe.sum() == 3 and 3.3 < np.where(to_probe, 0, points).mean() < 3.7
    points, _ = above_the_probe("embedded", "photos")
    assert abs(points.mean()) < 1
    for images in ("insects", "species", "photos"):
        points, _ = above_the_probe("imagenet", images)
        assert points.mean() < 0.2, images
    assert (points <= 0).all() and (points == 0).sum() == 1 and -1.2 < points.mean() < -0.8, "of the photographs"


def test_the_careful_rule_keeps_the_probe():
    """On each set, some seed is not better than the probe on val."""
    for weights, images in product(late_layers.SIZES, ("insects", "species", "photos")):
        late = [run for run in LATE if run.items() >= {"images": images, "weights": weights}.items()]
        assert any(run["val"] <= run["probe_val"] for run in late if run["trained"] == "late layers"), (weights, images)


SETS = ("insects", "species", "photos")


def of_peer(peer: str, figure: str = "accuracy", images: str = "insects") -> np.ndarray:
    """In the order of the seeds."""
    return runs.over_seeds(STORED[peers], figure, peer=peer, images=images)


def times_ours(peer: str, images: str) -> float:
    return of_peer(peer, "seconds", images).mean() / of_peer("our fine_tune", "seconds", images).mean()


def test_fine_tuning_takes_twelve_to_twenty_times_as_long_as_a_probe():
    """With the reading of the files, and without."""
    assert all(11 < 1 / times_ours("our probe", images) < 15 for images in SETS)
    tuned, frozen = (
        runs.over_seeds(HELP, "seconds", method=method, per_class=does_it_help.PER_CLASS[-1]).mean()
        for method in ("fine-tuned", "frozen")
    )
    assert 18 < tuned / frozen < 22


@pytest.mark.parametrize("images", SETS)
@pytest.mark.parametrize(("batch_size", "share"), [(64, 0.71), (32, 0.62)])  # its default, nearly our steps
def test_fine_tuning_is_ahead_of_fastai_s_in_less_time(batch_size, share, images):
    theirs = f"fastai, batches of {batch_size}"
    ours, others = (of_peer(peer, images=images) for peer in ("our fine_tune", theirs))
    assert certainly_above(ours, others) == ((images, batch_size) != ("photos", 64)), "there, the interval includes 0"
    assert ours.mean() > others.mean() + 0.025
    assert times_ours(theirs, images) > 1 / share


@pytest.mark.parametrize("images", SETS)
def test_the_tutorial_is_as_accurate_with_small_batches_and_takes_eight_times_as_long(images):
    slow = "PyTorch's tutorial"
    ours, theirs = (of_peer(peer, images=images) for peer in ("our fine_tune", slow))
    assert not certainly_above(ours, theirs)
    assert certainly_above(theirs, ours) == (images == "species"), "the lesson says that it is ahead there"
    assert 7 < times_ours(slow, images) < 9


@pytest.mark.parametrize("images", SETS)
def test_the_tutorial_with_large_batches_ends_below_the_probe(images):
    probe, theirs = (of_peer(peer, images=images) for peer in ("our probe", "the tutorial, batches of 32"))
    assert probe.mean() > theirs.mean()


@pytest.mark.parametrize("step", list(fine_tuning.STEPS)[-2:])
def test_the_recipe_beats_the_textbook_s(step):
    """With and without frozen BatchNorm."""
    textbook = next(iter(fine_tuning.STEPS))
    assert certainly_above(runs.over_seeds(STEPS, step=step), runs.over_seeds(STEPS, step=textbook))
    seconds, theirs = (runs.over_seeds(STEPS, "seconds", step=title) for title in (step, textbook))
    assert certainly_above(theirs, 3 * seconds)


@pytest.mark.parametrize("tenfold", list(fine_tuning.TENFOLD))
def test_the_textbook_s_rate_is_too_small(tenfold):
    """One number brings what AdamW with one cycle seemed to bring."""
    values = runs.over_seeds(STEPS, step=tenfold)
    assert certainly_above(values, runs.over_seeds(STEPS, step=fine_tuning.BASE[tenfold]) + 0.05)
    assert not certainly_above(runs.over_seeds(STEPS, step="AdamW with one cycle, the last epoch"), values)


@pytest.mark.parametrize("step", list(fine_tuning.SMALL))
def test_small_batches_do_what_a_larger_rate_does(step):
    values, others = (runs.over_seeds(STEPS, step=each) for each in (step, fine_tuning.BASE[step]))
    assert len(values) == len(fine_tuning.SMALL_SEEDS) and values.min() > others.max() + 0.05
    larger_rate = runs.over_seeds(STEPS, step="6 epochs, with a rate of 0.01")
    assert larger_rate.min() < values.mean() < larger_rate.max()


def test_few_numbers_do_nearly_as_well_as_all_weights():
    results, chosen = STORED[parameter_efficient], {}
    for method in parameter_efficient.METHODS:
        run = {"method": method, "rate": parameter_efficient.chosen_rate(results, method)}
        chosen[method] = runs.over_seeds(results, **run)
        assert len(chosen[method]) == len(parameter_efficient.SEEDS)
    (head,) = runs.over_seeds(results, method="the head")
    assert all(mean_interval(values - head)[1] < 0 for values in chosen.values())
    assert all(abs(values.mean() - chosen["all weights"].mean()) < 0.02 for values in chosen.values())
    stored = {method: runs.over_seeds(results, "trained", method=method)[0] for method in ("LoRA", "all weights")}
    assert stored["all weights"] > 40 * stored["LoRA"]


def test_a_student_learns_from_predictions():
    few, distilled, all_labels = (
        runs.over_seeds(STORED[distillation], model=f"student, {title}") for title in distillation.STUDENTS
    )
    assert len(few) == len(distilled) == len(distillation.SEEDS)
    assert (distilled > few).all()
    assert mean_interval(all_labels - distilled)[1] < 0


@pytest.mark.parametrize("norms", [True, False], ids=["frozen norms", "trained norms"])
def test_the_measured_recipe_is_that_of_the_helper(norms):
    datasets = {split: subsample(dataset, 2) for split, dataset in runs.load().items()}
    recipe = replace(fine_tuning.GOOD, epochs=1, frozen_norms=norms)
    measured = fine_tuning.fine_tune(recipe, datasets, seed=1)

    torch.manual_seed(1)
    model = replace_head(load_model("embedded"), 2)
    if norms:
        freeze_norms(model)
    fine_tune(model, datasets, runs.PREPROCESSING, num_epochs=1, seed=1, all_layers=True)
    assert all(torch.equal(value, measured.state_dict()[name]) for name, value in model.state_dict().items())


def test_one_strength_of_the_probe_does_for_all():
    for run in STORED[probe]:
        default = run["right"][str(probe.DEFAULT)]
        assert max(run["right"].values()) - default <= run["total"] / 100, "the best of seven is at most a point better"
        assert run["chosen_right"] - default <= 2, "images"


def test_late_layers_do_as_well_as_all():
    """On the insects, seed by seed; the same recipe with all layers is in the other program's results."""
    late = runs.over_seeds(LATE, images="insects", weights="embedded", trained="late layers")
    whole = runs.over_seeds(STEPS, step="BatchNorm stays as pretrained")
    assert len(late) == len(whole) == 5
    mean, low, high = mean_interval(late - whole)
    assert abs(mean) < 0.01 and low < 0 < high
    probe = runs.over_seeds(LATE, "probe_val", images="insects", weights="embedded", trained="late layers")
    tuned = runs.over_seeds(LATE, "val", images="insects", weights="embedded", trained="late layers")
    assert (tuned > probe).sum() >= 4, "and seldom end as the probe"


# --- What lesson 08 claims


def right_of(weights: str) -> np.ndarray:
    """(600,), whether the probe on a backbone is right."""
    (digits,) = runs.over_seeds(STORED[backbones], "right", weights=weights)
    return np.array(list(digits)) == "1"


@pytest.mark.parametrize("weights", SOURCES)
def test_the_probes_are_those_of_the_model_cards(weights):
    cards = json.loads(measure_transfer.RESULTS.read_text())["species"]
    right = right_of(weights)
    assert cards[weights]["frozen, linear probe"]["0"] == [right.sum(), len(right)]


def test_lite_networks_beat_the_embedded_one_and_do_not_differ_significantly():
    pairs = [("embedded", "imagenet"), *combinations(("imagenet", "efficientnet_lite1", "efficientnet_lite2"), 2)]
    first, *others = holm([paired_test(right_of(one), right_of(other)) for one, other in pairs])
    assert first < 0.001 and min(others) > 0.05


def test_training_takes_more_memory_than_prediction_and_not_as_parameters_have_it():
    training, prediction = (
        {
            name: runs.over_seeds(STORED[backbones], "mebibytes", network=name, task=task)[0]
            for name in backbones.NETWORKS
        }
        for task in ("training step", "prediction")
    )
    assert all(2 <= training[name] / prediction[name] < 6 for name in backbones.NETWORKS)
    lite, resnet = (count_parameters(meta_model(name))[0] for name in ("tf_efficientnet_lite2", "resnet18"))
    assert lite < 0.55 * resnet
    assert training["tf_efficientnet_lite2"] > 3 * training["resnet18"]


# --- What the speed section claims


def faster(slow: dict, fast: dict) -> float:
    """How many times longer `slow` takes: the median over the runs."""
    return float(np.median(speed.ratios_of(SPEED, slow, fast)))


def accuracies(*trainings: str) -> list[np.ndarray]:
    return [runs.over_seeds(SPEED, training=training) for training in trainings]


@pytest.mark.parametrize("opponent", ["frozen, textbook", "frozen, textbook with its flags fixed"])
def test_features_and_probe_beat_the_frozen_textbook(opponent):
    assert faster({"training": opponent}, {"training": "features and probe"}) >= 25
    assert certainly_above(*accuracies("features and probe", opponent))


def test_fine_tune_beats_the_textbook():
    opponent, fixed = "fine-tuned, textbook", "fine-tuned, textbook with its flags fixed"
    assert faster({"training": opponent}, {"training": "fine_tune, three epochs"}) >= 8
    assert faster({"training": fixed}, {"training": "fine_tune, three epochs"}) >= 6
    assert certainly_above(*accuracies("fine_tune, three epochs", opponent))
    assert certainly_above(*accuracies("fine_tune, three epochs", fixed))
    assert not certainly_above(*accuracies("fine_tune, two epochs", opponent))  # as the section says


def test_features_and_probe_are_close_to_the_floor():
    assert faster({"training": "features and probe"}, {"training": "floor"}) <= 1.3


@pytest.mark.parametrize("trained", speed.TRAINED)
@pytest.mark.parametrize("side", speed.SIDES[1:])
@pytest.mark.parametrize("kind", speed.LOOPS)
def test_train_model_is_never_slower(kind, side, trained):
    assert faster({kind: speed.SIDES[0], "trained": trained}, {kind: side, "trained": trained}) >= 1


def test_large_pictures_in_memory_save_a_sixth_of_the_training_of_a_head():
    sides = ({"loop on photographs": side, "trained": "head only"} for side in (speed.SIDES[0], speed.SIDES[2]))
    assert faster(*sides) >= 1.2


@pytest.mark.parametrize("kind", speed.LOOPS)
def test_each_side_ends_with_the_same_weights(kind):
    """Where BatchNorm is trained; a frozen one drifts in the textbook's loop, and not in ours."""
    rows = [result for result in SPEED if kind in result and result["trained"] == "all layers"]
    assert len({(row["seed"], row["weights"]) for row in rows}) == len(runs.SEEDS)


def test_a_step_costs_what_the_theory_says():
    for depth, theory in zip(speed.DEPTHS, speed.THEORY, strict=True):
        assert faster({"depth": depth}, {"depth": "head only"}) == pytest.approx(theory, rel=0.15)


def test_features_are_streamed_in_linear_time():
    assert faster({"count": 10_000}, {"count": 1000}) == pytest.approx(10, rel=0.1)
    assert faster({"count": 10_000}, {"count": 100}) <= 110
    for count in speed.COUNTS:
        assert runs.over_seeds(SPEED, "peak", count=count).max() < 1.5


def test_the_textbook_s_loop_is_the_one_of_train_model():
    datasets = {split: subsample(runs.load()[split], 2) for split in ("train", "val")}
    ends = []
    for train in (textbook.train_model, train_model):
        torch.manual_seed(0)
        model, optimizer, scheduler = textbook.replace_head(["ants", "bees"], frozen=False)
        train(model, make_dataloaders(datasets), nn.CrossEntropyLoss(), optimizer, scheduler, num_epochs=2)
        ends.append(model.state_dict())
    assert all(torch.equal(value, ends[1][name]) for name, value in ends[0].items())


# --- The later programs, on next to nothing


def test_late_layers_are_measured_before_the_choice(monkeypatch):
    """The accuracy after the training is kept, even where `fine_tune` returns the probe."""
    states, judged = [], iter([0.25])

    def judge(model, datasets):
        states.append(model)
        return next(judged)

    def fine_tune(model, datasets, preprocessing, num_epochs, seed, on_epoch, curve, all_layers):
        for epoch in range(num_epochs):
            on_epoch({"lr": [0.1] * (epoch + 1)})
        assert (num_epochs, seed, curve, all_layers) == (late_layers.EPOCHS, 3, False, True)
        return "the probe", {"val_acc": [0.5], "probe_acc": [0.75]}

    monkeypatch.setattr(late_layers, "prepare", lambda images, weights: ("trained", {}, None))
    monkeypatch.setattr(late_layers, "judged", judge)
    monkeypatch.setattr(late_layers, "fine_tune", fine_tune)
    found = late_layers.tuned("insects", "embedded", True, 3)
    assert states == ["trained"], "once, after the last epoch"
    assert found.pop("seconds") < 1
    assert found == {"accuracy": 0.25, "val": 0.5, "probe_val": 0.75}


def test_time_grows_with_the_images_and_the_memory_of_a_training_does_not():
    few, many = growth.SIZES[0], growth.SIZES[-1]
    found = {(row["step"], row["images"]): row for row in STORED[growth]}
    for step in growth.STEPS:
        assert found[step, many]["seconds"] / many < 1.1 * found[step, few]["seconds"] / few
    assert found["report", many]["MiB"] - found["report", few]["MiB"] < 4096 * many / 2**20  # 4 KB of each
    assert found["head", many]["MiB"] < 1.05 * found["head", few]["MiB"]


def test_overhead_counts_the_passes(monkeypatch):
    now = iter(range(100))
    monkeypatch.setattr(overhead, "processor_seconds", lambda: float(next(now)))
    model = nn.Linear(2, 2)
    with overhead.clocked(model) as seconds:
        model(torch.zeros(1, 2)).sum().backward()
        with torch.inference_mode():
            model(torch.zeros(1, 2))
    model(torch.zeros(1, 2)).sum().backward()
    assert seconds == {"passes": 3, "training": 2} and next(now) == 6
    (result,) = [{"way": "the default", "seed": 0, "seconds": 6.0} | seconds]
    assert overhead.ratios([result], "the default", "passes") == [2]
    assert overhead.ratios([result], "the default", "training") == [3]


def test_the_table_and_the_plot_of_the_peers_show_what_there_is():
    results = [
        {"images": "insects", "peer": peer, "seed": seed, "accuracy": 0.9, "seconds": 30}
        for peer, seeds in (("our probe", 1), ("our fine_tune", 2))
        for seed in range(seeds)
    ]
    lines = peers.table(results).splitlines()[2:]
    assert [line.split(" | ")[1] for line in lines] == ["our probe", "our fine_tune"]
    (ax,) = peers.plot(results).axes
    assert ax.get_legend_handles_labels()[1] == ["our probe", "our fine_tune"]
    axes = peers.plot([*results, results[0] | {"images": "species"}]).axes  # with fewer peers there
    assert [text.get_text() for text in axes[-1].get_legend().texts] == ["our probe", "our fine_tune"]


def test_the_front_page_tells_what_the_plot_of_the_peers_shows():
    (told,) = re.findall(r"!\[(Three plots.*?)\]\(benchmarks/peers\.svg\)", (ROOT / "README.md").read_text())
    sets = dict(zip(("insects", "species", "photos"), re.split("Species: |Photographs: ", told), strict=True))
    for images, peer in product(sets, ("our probe", "our fine_tune")):
        mean = 100 * runs.over_seeds(STORED[peers], images=images, peer=peer).mean()
        figure = re.search(rf"{peer}(?: and timm with scikit-learn)? (\d+) %", sets[images])
        assert figure and int(figure[1]) == round(mean), (images, peer)


# --- The tools


def test_a_stopped_benchmark_goes_on(tmp_path):
    asked = []

    def measure(seed: int) -> dict:
        asked.append(seed)
        if len(asked) == 3:
            raise KeyboardInterrupt
        return {"accuracy": seed / 10}

    def plan() -> list:
        return [({"method": "a", "seed": seed}, lambda seed=seed: measure(seed)) for seed in range(4)]

    threads = torch.get_num_threads()
    with pytest.raises(KeyboardInterrupt):
        runs.measure_all(tmp_path / "results.json", plan())
    results = runs.measure_all(tmp_path / "results.json", plan())
    torch.set_num_threads(threads)
    assert asked == [0, 1, 2, 2, 3]
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert runs.over_seeds(results[::-1], method="a").tolist() == [0, 0.1, 0.2, 0.3]


def test_differences_are_paired():
    assert runs.difference([0.5, 0.7, 0.9], [0.4, 0.6, 0.8]) == "+10.0 (+10.0 to +10.0)"
    assert runs.interval([0.8, 0.9, 1.0]) == "90.0 % (65.2 to 114.8)"


def test_a_section_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "README", tmp_path / "README.md")
    runs.README.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nz\n")
    runs.write_section("x", "new\n")
    assert runs.README.read_text() == "a\n<!-- x -->\nnew\n<!-- /x -->\nz\n"
