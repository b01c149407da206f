"""The exercises of lesson 08."""

import time
from collections.abc import Callable, Iterable
from functools import cache
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import nn

from helpers.devices import best_device
from helpers.errors import LessonError
from helpers.exercises import Answer, Exercises, NotYet, choose, number, result_of, shown
from helpers.models import activation_bytes, count_parameters, input_size, load_model, meta_model
from helpers.weights import SOURCES

exercises = Exercises()
NAMES = (
    "vgg16",
    "inception_v3",
    "resnet18",
    "resnet50",
    "mobilenet_v3_large",
    "tf_efficientnet_lite0",
    "vit_b_16",
    "convnext_tiny",
)
FREE = 2800  # MiB of the GPU in exercise 4
BATCH = 32
BASE = ("imagenet", 160)  # what exercise 6 compares with


@cache
def needs(name: str) -> tuple[float, float]:
    """The MiB that the weights of a network take, and the activations that a batch saves."""
    model = meta_model(name)
    return 4 * count_parameters(model)[0] / 2**20, activation_bytes(model, input_size(name), BATCH) / 2**20


@exercises.add(
    hints=(
        "A convolution has a few weights and uses them at each place. A linear layer has one for each pair.",
        "How many numbers leave the last convolution of VGG16? 512 channels of 7 x 7 places.",
        "25,088 numbers meet 4096 units. Which layer is that?",
    ),
    answer='where = "first linear layer"',
)
def q1(where: Answer) -> str:
    choose(
        where,
        "first linear layer",
        {
            "first convolution": "64 filters of 3 x 3 pixels in 3 colours: 1,728 weights.",
            "last convolution": "512 x 512 x 3 x 3 are 2.4 million: much, but not a hundred.",
            "head": "4096 x 1000 are 4 million. Which layer makes the 4096, and from how many numbers?",
        },
    )
    return "It joins every place of every channel to 4096 units: 103 million weights."


@exercises.add(
    hints=(
        "A filter has a weight for each input channel that it sees and each place of its window.",
        "There is one filter for each output channel. All of them are used at each place of the output map.",
        "With groups, a filter sees `inputs // groups` channels. The work is the number of weights times `side**2`.",
    ),
    answer='''
def convolution_cost(inputs, outputs, kernel, side, groups=1):
    """Weights, and multiply-adds for an output map of side x side places (no bias)."""
    weights = outputs * (inputs // groups) * kernel**2
    return weights, weights * side**2
''',
)
def q2(convolution_cost: Answer) -> str:
    def cost_of(*arguments: int) -> tuple[float, float]:
        result = result_of(convolution_cost, *arguments)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise NotYet(f"Two numbers are expected, weights and multiply-adds, not {shown(result)}.")
        return number(result[0]), number(result[1])

    def weights_of(inputs: int, outputs: int, kernel: int, groups: int = 1) -> int:
        return nn.Conv2d(inputs, outputs, kernel, groups=groups, bias=False, device="meta").weight.numel()

    inputs, outputs, kernel, side = 3, 64, 7, 112
    weights, work = cost_of(inputs, outputs, kernel, side)
    right = weights_of(inputs, outputs, kernel)
    slips: dict[float, str] = {
        outputs * kernel**2: "Without groups, each filter looks at all input channels.",
        inputs * kernel**2: "That is one filter. There is one for each output channel.",
        outputs * inputs * kernel: "A window of 7 has 7 x 7 places.",
        right + outputs: "That counts a bias. There is none in front of BatchNorm.",
    }
    if weights != right:
        raise NotYet(slips.get(weights, f"7 x 7 windows from 3 to 64 channels have 9,408 weights, not {weights:,.0f}."))
    if work in (right, right * side):
        raise NotYet("The weights are used at each place of the output map: side x side places.")
    if work == 2 * right * side**2:
        raise NotYet("A multiplication with its addition counts once here.")
    if work != right * side**2:
        raise NotYet("Each weight is used once at each place of the output map.")
    if cost_of(8, 16, 1, 5) != (128, 3200):
        raise NotYet("It is right for the first layer of a ResNet, but not for one of 1 x 1 from 8 to 16 channels.")
    for groups in (240, 4):  # depthwise, and in between
        expected = weights_of(240, 240, 5, groups)
        found = cost_of(240, 240, 5, 28, groups)
        if found[0] == weights_of(240, 240, 5):
            raise NotYet("It ignores `groups`: each filter sees inputs / groups channels only.")
        if found[0] == expected / groups:
            raise NotYet("Only the inputs of a filter are divided by the groups. There is still one filter per output.")
        if found != (expected, expected * 28**2):
            raise NotYet(
                f"5 x 5 windows on 240 channels in {groups} groups have {expected:,} weights, not {found[0]:,.0f}, and "
                f"{expected * 28**2:,} multiply-adds on a map of 28 x 28."
            )
    return "Few weights and much work: that is a convolution on a large map. Groups divide both."


@exercises.add(
    hints=(
        "The first run also sets up what the later ones find ready. Which figure leaves it out?",
        "Measure each run on its own, and keep the times in a list.",
        "Return the shortest of them: nothing makes a run faster than it is.",
    ),
    answer='''
def seconds_for(action, repeats):
    """How long one run takes; the slow first one does not count."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)
''',
)
def q3(seconds_for: Answer) -> str:
    taken: list[float] = []
    on_the_wall: list[float] = []  # the same by a clock that goes on while other programs have the processor

    def work(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def action() -> None:
        start, wall = time.process_time(), time.perf_counter()
        work(0.002 if taken else 0.4)
        taken.append(time.process_time() - start)
        on_the_wall.append(time.perf_counter() - wall)

    seconds = number(result_of(seconds_for, action, 20))
    if not taken:
        raise NotYet("The action was never called: `action()`, with brackets.")
    if len(taken) == 1:
        raise NotYet("It was called once. The first run is slower than all others.")
    if seconds <= 0.0005:
        raise NotYet("A run takes two milliseconds here. Is the time taken before *and* after `action()`?")
    if 0.95 < seconds / mean(on_the_wall[1:]) < 1.05:
        return "The slow first run has no part in it."
    if seconds > 2 * sum(taken):
        raise NotYet(f"It says {seconds:.2f} s, more than all runs together take. Are these milliseconds?")
    if seconds > 0.8 * sum(taken):
        raise NotYet("That is the time of all runs together.")
    if 0.7 < seconds / mean(taken) < 1.4:
        raise NotYet("That is the mean, and the slow first run is in it.")
    if seconds > 0.025:
        raise NotYet(f"It says {seconds:.3f} s. All runs but the first take two milliseconds.")
    return "The slow first run has no part in it."


@exercises.add(
    hints=(
        "The weights are there once, their gradients once, and AdamW keeps two numbers for each weight.",
        "Four times the weights, plus the saved activations. Both are in the table above.",
        "VGG16: 4 x 528 + 2239 = 4351 MiB, which is too much.",
    ),
    answer='networks_that_fit = ["resnet18", "mobilenet_v3_large", "tf_efficientnet_lite0"]',
)
def q4(networks_that_fit: Answer) -> str:
    if isinstance(networks_that_fit, str) or not isinstance(networks_that_fit, Iterable):
        raise NotYet(f"A list of names is expected, not {shown(networks_that_fit)}.")
    given = {name.strip().lower() if isinstance(name, str) else name for name in networks_that_fit}
    if strangers := given - set(NAMES):
        raise NotYet(f"{shown(min(map(str, strangers)))} is none of the eight networks.")
    for name in NAMES:
        weights, activations = needs(name)
        fits = 4 * weights + activations <= FREE
        if name in given and activations > FREE:
            raise NotYet(f"{name} saves activations of {activations:.0f} MiB: too much, even without its weights.")
        if name in given and not fits:
            raise NotYet(
                f"{name} fits if you count its weights once. Gradients and the optimizer's numbers need memory, too."
            )
    for name in NAMES:
        weights, activations = needs(name)
        if name not in given and 4 * weights + activations <= FREE:
            raise NotYet(f"{name} would fit: four times its weights, plus its activations, is below {FREE} MiB.")
    return f"{len(given)} of eight. For the others: a smaller batch, or a frozen backbone."


@exercises.add(
    hints=(
        "Take one network after the other, and look whether any of the others beats it.",
        "B beats A if `costs[B] <= costs[A]` and `accuracies[B] >= accuracies[A]`, and one of the two is not equal.",
        "`[a for a in costs if not any(beats(b, a) for b in costs)]`; two equal networks do not beat each other.",
    ),
    answer='''
def pareto_front(costs, accuracies):
    """The names of the networks that no other one beats."""

    def beats(b, a):
        as_good = costs[b] <= costs[a] and accuracies[b] >= accuracies[a]
        return as_good and (costs[b] < costs[a] or accuracies[b] > accuracies[a])

    return [a for a in costs if not any(beats(b, a) for b in costs)]


front = sorted(pareto_front(cost, {name: right[name].mean() for name in cost}), key=cost.get)
ax.plot([cost[name] for name in front], [100 * right[name].mean() for name in front], "k--")
display(figure)
''',
    rubric=(
        "I have marked the front of the four backbones in the figure, with the latencies of my machine.",
        "I say which networks the intervals cannot tell apart, on the front and beside it.",
        "I have drawn the front for another cost as well, such as the size of the file, and say what changes.",
    ),
)
def q5(pareto_front: Answer) -> str:
    cases = (
        (
            {"A": 10, "B": 20, "C": 30, "D": 40},
            {"A": 0.6, "B": 0.9, "C": 0.8, "D": 0.95},
            {"A", "B", "D"},
            "C costs more than B and is worse",
        ),
        (
            {"A": 10, "B": 10, "C": 5},
            {"A": 0.9, "B": 0.8, "C": 0.7},
            {"A", "C"},
            "A and B cost the same, and A is better",
        ),
        (
            {"A": 10, "B": 20, "C": 30},
            {"A": 0.9, "B": 0.9, "C": 0.95},
            {"A", "C"},
            "A and B are equally accurate, and A is cheaper",
        ),
        ({"A": 10, "B": 10}, {"A": 0.9, "B": 0.9}, {"A", "B"}, "A and B are equal, so neither beats the other"),
    )
    for costs, accuracies, expected, why in cases:
        result = result_of(pareto_front, dict(costs), dict(accuracies))
        if isinstance(result, str) or not hasattr(result, "__iter__"):
            raise NotYet(f"Several names are expected, not {shown(result)}.")
        found = {str(name) for name in result}
        if not found <= set(costs):
            raise NotYet(f"Names are expected, as {sorted(costs)}, not {shown(sorted(found))}.")
        if found != expected:
            raise NotYet(f"costs {costs}, accuracies {accuracies}: {why}. It should be {sorted(expected)}.")
    return "For each network that is not on the front, one on it costs no more and is at least as accurate."


@exercises.add(
    hints=(
        "`right_of(my_weights, my_size)` tells for each image if the probe is right: its mean is the accuracy.",
        "`my_points = 100 * (right_of(my_weights, my_size).mean() - right_of('imagenet', 160).mean())`",
        "Build the network with `load_model(my_weights).to(device, memory_format=torch.channels_last)`, and give it to "
        "`latency_of` with its size.",
    ),
    answer="""
my_weights, my_size = "imagenet", 96
my_points = 100 * (right_of(my_weights, my_size).mean() - right_of("imagenet", 160).mean())
my_network = load_model(my_weights).to(device, memory_format=torch.channels_last)
lite0 = load_model("imagenet").to(device, memory_format=torch.channels_last)
my_speed_up = latency_of(lite0, 160) / latency_of(my_network, my_size)
""",
    rubric=(
        "I wrote down beforehand what I expected, from the multiply-adds and from the lesson.",
        "I say how uncertain the change is: 180 images, and those of one series are not independent.",
        "I say which of the two I would take on my machine, and what would have to be different for the other one.",
    ),
)
def q6(
    my_weights: Answer,
    my_size: Answer,
    my_points: Answer,
    my_speed_up: Answer,
    right_of: Callable[..., np.ndarray],
    latency_of: Callable[..., float],
) -> str:
    size = number(my_size)
    if my_weights not in SOURCES:
        raise NotYet(f"There are no weights {shown(my_weights)} here; choose one of {', '.join(SOURCES)}.")
    if size != round(size) or not 64 <= size <= 260:
        raise NotYet(f"A size from 64 to 260 pixels is expected, not {shown(my_size)}.")
    if (my_weights, size) == BASE:
        raise NotYet("That is Lite0 at 160 px itself. Change the weights, the size, or both.")
    points, speed_up = number(my_points), number(my_speed_up)
    try:
        mine, base = (right_of(weights, int(side)) for weights, side in ((my_weights, size), BASE))
    except LessonError as error:
        raise NotYet(str(error)) from None
    change = 100 * float(mine.mean() - base.mean())
    if abs(points - change) > 0.06:
        if abs(points - change / 100) < 0.0006:
            raise NotYet("That is a share. Points are hundredths: multiply it by 100.")
        if abs(points + change) < 0.06:
            raise NotYet("The sign: yours minus that of Lite0 at 160 px.")
        raise NotYet(
            f"On val, {int(mine.sum())} images are right with yours and {int(base.sum())} with Lite0 at 160 px, of "
            f"{len(base)}. That is another change than {points:+.1f} points."
        )
    here, there = (latency_of(_on_device(weights), int(side)) for weights, side in ((my_weights, size), BASE))
    expected = there / here
    if not expected / 2.5 < speed_up < expected * 2.5:
        turned = 1 / max(speed_up, 1e-9)  # wide limits: a busy machine measures less of a difference
        if (speed_up < 1) != (expected < 1) and expected / 4 < turned < expected * 4:
            raise NotYet("The other way round: the latency of Lite0 at 160 px, divided by yours.")
        raise NotYet(f"Measured again, yours takes {here:.1f} ms and Lite0 at 160 px {there:.1f} ms.")
    faster = f"{speed_up:.1f} times as fast"
    return f"{my_weights} at {int(size)} px: {change:+.1f} points on {len(base)} images of val, {faster}."


def _on_device(weights: str) -> nn.Module:
    model: Any = load_model(weights)  # torch's types know no `memory_format` beside a device
    return model.to(best_device(), memory_format=torch.channels_last)
