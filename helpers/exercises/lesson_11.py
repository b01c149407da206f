"""The exercises of lesson 11."""

import numpy as np
import torch

from helpers.costs import Costs
from helpers.exercises import Answer, Exercises, NotYet, choose, number, result_of, shown

exercises = Exercises()
PROCESSES = (1, 4, 16)


@exercises.add(
    hints=(
        "Each process gets the same number of images. Can seven be divided by three?",
        "The sampler rounds up: each process gets three.",
    ),
    answer="images_evaluated = 9",
)
def q1(images_evaluated: Answer) -> str:
    images = number(images_evaluated)
    if images == 7:
        raise NotYet("Then two processes would have fewer images than the third, and the sampler avoids that.")
    if images == 3:
        raise NotYet("That is what each of them gets. All together?")
    if images == 6:
        raise NotYet("That would leave an image out: drop_last=True does so. By default the sampler rounds up.")
    if images != 9:
        raise NotYet("All get the same number, rounded up; multiply it by three.")
    return "Three each, nine together: two images count twice."


@exercises.add(
    hints=(
        "Each part is a mean over its own images. How much does it count in the mean over all?",
        "`part * count` is a sum over images. Add the sums up, and divide by the number of all images.",
    ),
    answer='''
def averaged(parts, counts):
    """The gradient of the mean loss over all images."""
    return sum(part * count for part, count in zip(parts, counts)) / sum(counts)
''',
)
def q2(averaged: Answer) -> str:
    def judged(parts: list[torch.Tensor], counts: list[int], expected: list[float], remark: str) -> None:
        result = result_of(averaged, [part.clone() for part in parts], list(counts))
        if isinstance(result, np.ndarray):
            result = torch.from_numpy(result)
        if not isinstance(result, torch.Tensor) or result.shape != parts[0].shape:
            raise NotYet(f"A tensor of the shape {tuple(parts[0].shape)} is expected, as each part is.")
        if not torch.allclose(result.float(), torch.tensor(expected), atol=1e-5):
            raise NotYet(f"{remark} The result is {shown(result.tolist())}, expected {expected}.")

    one, other = torch.tensor([1.0, 0.0]), torch.tensor([3.0, 4.0])
    judged([one, other], [16, 16], [2.0, 2.0], "With equal parts it is the plain mean.")
    judged([one, other, other], [8, 8, 8], [7 / 3, 8 / 3], "There may be more than two processes.")
    judged([one, other], [30, 10], [1.5, 1.0], "A part of 30 images counts three times as much as one of 10.")
    return "With equal parts the plain mean is right, which is all that DistributedDataParallel computes."


@exercises.add(
    hints=(
        "Who waits for whom in an all-reduce?",
        "Process 0 waits for the numbers of all the others. Do they ever send them?",
    ),
    answer='bug = "a collective that not all processes call"',
)
def q3(bug: Answer) -> str:
    choose(
        bug,
        "a collective that not all processes call",
        {
            "a wrong batch size": "A wrong batch size changes the numbers, but nobody waits because of it.",
            "a missing set_epoch": "Without set_epoch the order repeats, but the training ends.",
            "no GPU": "The exchange works between CPUs, too: gloo does it.",
        },
    )
    return "All processes call an all-reduce, or all wait. Reduce first, and print inside the `if`."


@exercises.add(
    hints=(
        "The efficiency is the speed-up divided by the number of GPUs. The printed line has the speed-ups.",
        "The second line is that of 25 GB/s. Its values are for 1, 2, 4, 8, 16, 32 and 64 GPUs.",
    ),
    answer="largest_number = 2**3",
)
def q4(largest_number: Answer) -> str:
    between = Costs(1 / 2500, 0.002, 0, 4 * 25.6e6, 25e9, 2e-5)
    efficiency = {2**n: between.speed_up(256, 2**n) / 2**n for n in range(7)}
    right = max(count for count, value in efficiency.items() if value >= 0.5)
    count = number(largest_number)
    if count not in efficiency:
        raise NotYet(f"Choose one of {', '.join(map(str, efficiency))}.")
    if efficiency[int(count)] < 0.5:
        raise NotYet(f"With {count:.0f} GPUs the efficiency is {efficiency[int(count)]:.0%}.")
    if count != right:
        raise NotYet(f"With {count:.0f} GPUs it is {efficiency[int(count)]:.0%}. Can you go further?")
    return f"With {2 * right} GPUs, more than half of the GPU time goes into the exchange and the fixed time."


@exercises.add(
    hints=(
        "How many images does one GPU see before the optimizer steps?",
        "Images at once, times backward passes, times GPUs.",
    ),
    answer="effective_batch_size = 8 * 16 * 4",
)
def q5(effective_batch_size: Answer) -> str:
    images = number(effective_batch_size)
    if images == 64:
        raise NotYet("That is one GPU's. There are eight.")
    if images == 128:
        raise NotYet("That is one backward pass of all GPUs. There are four before a step.")
    if images != 512:
        raise NotYet("Multiply the three numbers.")
    return "512 images per step, as 512 GPUs with one image each would have, but in four passes."


@exercises.add(
    hints=(
        "`--dry-run` prints the seconds of a step: divided by the batch size, they are `seconds_per_image`.",
        "`gradient_bytes` is 4 for each trainable parameter. For the bandwidth take what your machines have between "
        "them: 1 Gbit/s are 0.125e9 bytes per second.",
        "`{count: my_costs.epoch_seconds(my_images, my_batch_size, count) for count in (1, 4, 16)}`",
    ),
    answer="""
my_costs = Costs(0.02, 0.01, 0, 4 * 11.2e6, 0.125e9, 1e-4)  # a laptop's ResNet18, and a home network
my_images, my_batch_size = 10_000, 64
my_seconds = {count: my_costs.epoch_seconds(my_images, my_batch_size, count) for count in (1, 4, 16)}
""",
    rubric=(
        "I have said where each figure comes from: measured by me, or published, and by whom.",
        "I say what limits it at 16 processes: computing, the exchange or loading.",
        "I say whether I would really use more than one process, and what I would do first.",
    ),
)
def q6(my_costs: Answer, my_images: Answer, my_batch_size: Answer, my_seconds: Answer) -> str:
    if not isinstance(my_costs, Costs):
        raise NotYet(f"`my_costs` should be made with Costs(...), not {shown(my_costs)}.")
    if not isinstance(my_seconds, dict) or not set(PROCESSES) <= set(my_seconds):
        raise NotYet("`my_seconds` should be a dictionary with the keys 1, 4 and 16.")
    images, batch = number(my_images), number(my_batch_size)
    if not max(PROCESSES) <= batch <= images:
        raise NotYet(f"A batch has at least one image for each of {max(PROCESSES)} processes, and at most all of them.")
    if my_costs.seconds_per_image <= 0 or my_costs.bandwidth <= 0 or my_costs.gradient_bytes <= 0:
        raise NotYet("Computing, gradients and bandwidth all cost something: give figures above 0.")
    for count in PROCESSES:
        expected = my_costs.epoch_seconds(int(images), int(batch), count)
        workers = my_costs.epoch_seconds(int(images), int(batch), count, 1)
        found = number(my_seconds[count])
        if not any(abs(found - value) <= 0.01 * value for value in (expected, workers)):
            processes = f"{count} process{'es' * (count > 1)}"
            raise NotYet(f"With {processes} the model says {expected:.3g} s, not {found:.3g} s.")
    gain = number(my_seconds[1]) / number(my_seconds[16])
    return f"16 processes are {gain:.1f} times faster than one, says the model."
