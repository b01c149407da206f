"""The exercises of lesson 08."""

import time
from statistics import mean

import torchvision
from torch import nn

from helpers.exercises import Answer, Exercises, NotYet, choose, number, result_of, shown
from helpers.models import published_metrics

exercises = Exercises()


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
        "A filter has a weight for each input channel and each place of its window.",
        "There is one filter for each output channel. All of them are used at each place of the output map.",
        "`weights = outputs * inputs * kernel**2`, and the work is `weights * side**2`.",
    ),
    answer='''
def convolution_cost(inputs, outputs, kernel, side):
    """Weights, and multiply-adds for an output map of side x side places (no bias)."""
    weights = outputs * inputs * kernel**2
    return weights, weights * side**2
''',
)
def q2(convolution_cost: Answer) -> str:
    inputs, outputs, kernel, side = 3, 64, 7, 112
    layer = nn.Conv2d(inputs, outputs, kernel, bias=False, device="meta")
    result = result_of(convolution_cost, inputs, outputs, kernel, side)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise NotYet(f"Two numbers are expected, weights and multiply-adds, not {shown(result)}.")
    weights, work = map(number, result)
    right = layer.weight.numel()
    slips: dict[float, str] = {
        outputs * kernel**2: "Each filter looks at all input channels.",
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
    other = result_of(convolution_cost, 8, 16, 1, 5)
    if tuple(map(number, other)) != (128, 3200):
        raise NotYet("It is right for the first layer of a ResNet, but not for one of 1 x 1 from 8 to 16 channels.")
    return "Few weights and much work: that is a convolution on a large map."


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

    def work(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    def action() -> None:
        start = time.process_time()
        work(0.004 if taken else 0.8)
        taken.append(time.process_time() - start)

    seconds = number(result_of(seconds_for, action, 20))
    if not taken:
        raise NotYet("The action was never called: `action()`, with brackets.")
    if len(taken) == 1:
        raise NotYet("It was called once. The first run is slower than all others.")
    if seconds <= 0.001:
        raise NotYet("A run takes four milliseconds here. Is the time taken before *and* after `action()`?")
    if seconds > 0.8 * sum(taken):
        raise NotYet("That is the time of all runs together.")
    if 0.7 < seconds / mean(taken) < 1.4:
        raise NotYet("That is the mean, and the slow first run is in it.")
    if seconds > 0.05:
        raise NotYet(f"It says {seconds:.3f} s. All runs but the first take four milliseconds.")
    return "The slow first run has no part in it."


@exercises.add(
    hints=(
        "The weights are there once, their gradients once, and AdamW keeps two numbers for each weight.",
        "Four times the weights, plus the saved activations. Both are in the table above.",
        "VGG16: 4 x 528 + 2239 = 4351 MiB, which is too much.",
    ),
    answer='networks_that_fit = ["resnet18", "mobilenet_v3_large"]',
)
def q4(networks_that_fit: Answer) -> str:
    if isinstance(networks_that_fit, str) or not isinstance(networks_that_fit, (list, tuple, set)):
        raise NotYet(f"A list of names is expected, not {shown(networks_that_fit)}.")
    given = {name.strip().lower() if isinstance(name, str) else name for name in networks_that_fit}
    known = {"vgg16", "resnet18", "resnet50", "inception_v3", "mobilenet_v3_large"}
    if given - known:
        raise NotYet(f"{shown(sorted(map(str, given - known))[0])} is none of the five networks.")
    if "inception_v3" in given:
        raise NotYet("inception_v3 saves activations of 3000 MiB: too much, even without its weights.")
    if given & {"vgg16", "resnet50"}:
        name = min(given & {"vgg16", "resnet50"})
        raise NotYet(
            f"{name} fits if you count its weights once. Gradients and the optimizer's numbers need memory, too."
        )
    if given != {"resnet18", "mobilenet_v3_large"}:
        missing = min({"resnet18", "mobilenet_v3_large"} - given)
        raise NotYet(f"{missing} would fit: four times its weights, plus its activations, is below 2800 MiB.")
    return "Two of five. For the others: a smaller batch, or a frozen backbone."


@exercises.add(
    hints=(
        "Move the sliders of the chooser to 6 million parameters and 0.5 billion multiply-adds.",
        "`published_metrics(name)` gives the three figures of a network.",
    ),
    answer='my_choice = "efficientnet_b0"',
    rubric=(
        "I say what else the owner should be asked: how many pictures an hour, how large the animals are in them.",
        "I have measured the network on a machine that I have, in use, and say what is uncertain about it.",
        "I would know how to compare two candidates on pictures of the place, with an interval.",
    ),
)
def q5(my_choice: Answer) -> str:
    my_choice = my_choice.strip().lower() if isinstance(my_choice, str) else my_choice
    if my_choice not in torchvision.models.list_models(module=torchvision.models):
        raise NotYet(f"{shown(my_choice)} is no classification network of torchvision. The chooser names some.")
    figures = published_metrics(my_choice)
    if figures["parameters"] > 6e6:
        raise NotYet(f"{my_choice} has {figures['parameters'] / 1e6:.1f} million parameters; 6 fit.")
    if figures["multiply_adds"] > 0.5e9:
        raise NotYet(f"{my_choice} takes {figures['multiply_adds'] / 1e9:.2f} billion multiply-adds; 0.5 are allowed.")
    if figures["accuracy"] < 0.7:
        raise NotYet(
            f"{my_choice} fits, but others that fit are better on ImageNet than its {figures['accuracy']:.1%}."
        )
    return f"{my_choice} fits, with {figures['accuracy']:.1%} on ImageNet."
