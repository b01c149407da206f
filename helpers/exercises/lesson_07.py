"""The exercises of lesson 07."""

import copy
import math

import torch
from torch import nn

from helpers.devices import best_device
from helpers.exercises import Answer, Exercises, NotYet, choose, number, result_of, shown
from helpers.models import count_parameters

exercises = Exercises()
MOST_TRAINED, LEAST = 100_000, 0.75  # numbers, and accuracy on val, in the last exercise
SIDE = 8  # pixels of the images that exercise 6 trains on


@exercises.add(
    hints=(
        "By which factor do the batches grow?",
        "256 / 32 is 8. The rate of SGD grows by the same factor.",
    ),
    answer="first_rate = 0.01 * 256 / 32",
)
def q1(first_rate: Answer) -> str:
    rate = number(first_rate)
    slips = {
        0.01: "With the same rate, an epoch has an eighth of the steps, each as long as before.",
        0.01 / 8: "The other way round: there are fewer steps, so each has to go further.",
        0.01 * math.sqrt(8): "The square root is a guess for AdamW. For SGD, the rate grows as the batches do.",
        0.008: "The batches are 8 times as large. What is 8 times 0.01?",
        8: "That is the factor. Which rate does it make of 0.01?",
        2.56: "The batches grow by the factor 256 / 32, not by 256.",
    }
    for slip, why in slips.items():
        if abs(rate / slip - 1) < 0.02:
            raise NotYet(why)
    if abs(rate / 0.08 - 1) > 0.02:
        raise NotYet("Make the rate as many times larger as the batches: 256 / 32 times.")
    return "A first guess: look around it with the finder of lesson 04, and warm the rate up."


@exercises.add(
    hints=(
        "The head comes last. So begin at the end: `reversed(stages)`, or count how far a stage is from the last one.",
        "The head learns with `lr`, the stage below it with `lr / factor`, the next one with `lr / factor**2`.",
        "`{stage: lr / factor**away for away, stage in enumerate(reversed(stages))}`",
    ),
    answer='''
def rates_by_stage(stages, lr, factor):
    """A dictionary, {stage: learning rate}; the head, the last stage, has `lr`."""
    return {stage: lr / factor**away for away, stage in enumerate(reversed(stages))}
''',
)
def q2(rates_by_stage: Answer) -> str:
    stages, lr, factor = ["conv1", "layer1", "layer2", "fc"], 0.8, 2
    result = result_of(rates_by_stage, list(stages), lr, factor)
    if not isinstance(result, dict) or set(result) != set(stages):
        raise NotYet(f"A dictionary with a rate for each stage is expected, not {shown(result)}.")
    rates = [number(result[stage]) for stage in stages]
    slips = (
        ([0.8, 0.4, 0.2, 0.1], "The other way round: the head, the last stage, has the largest rate."),
        ([0.05, 0.1, 0.2, 0.4], "The head itself should have `lr`; it has less."),
        (
            [0.4, 0.4, 0.4, 0.8],
            "All stages below the head have the same rate. Each should have less than the one above it.",
        ),
        (
            [0.8 / 6, 0.8 / 4, 0.8 / 2, 0.8],
            "It divides by 2, 4 and 6. Twice a factor is something else than its square.",
        ),
        ([6.4, 3.2, 1.6, 0.8], "Towards the input the rates grow. They should become smaller."),
    )
    for slip, why in slips:
        if all(abs(rate - wrong) < 1e-6 for rate, wrong in zip(rates, slip, strict=True)):
            raise NotYet(why)
    if any(abs(rate - right) > 1e-6 for rate, right in zip(rates, [0.1, 0.2, 0.4, 0.8], strict=True)):
        raise NotYet(f"With lr=0.8 and factor=2 the rates from conv1 to fc should be 0.1, 0.2, 0.4, 0.8, not {rates}.")
    if abs(number(result_of(rates_by_stage, ["conv1", "fc"], 1.0, 10)["conv1"]) - 0.1) > 1e-6:
        raise NotYet("It is right for a factor of 2, but not for 10.")
    return "Known as discriminative learning rates (Howard and Ruder, 2018)."


@exercises.add(
    hints=(
        "Print `[group['lr'] for group in optimizer.param_groups]` before and after the scheduler is made.",
        "`max_lr` may be a list, with one number for each group.",
        "`max_lr=[group['lr'] for group in groups]`",
    ),
    answer='''
def with_one_cycle(groups, steps):
    """AdamW and a scheduler, stepped after each batch; each group comes up to its own rate."""
    optimizer = torch.optim.AdamW(groups)
    highest = [group["lr"] for group in groups]
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, total_steps=steps)
    return optimizer, scheduler
''',
)
def q3(with_one_cycle: Answer) -> str:
    groups = [{"params": [nn.Parameter(torch.ones(1))], "lr": lr} for lr in (0.03, 0.01, 0.002)]
    result = result_of(with_one_cycle, groups, 20)
    if not isinstance(result, (tuple, list)) or len(result) != 2:
        raise NotYet(f"Two things are expected, optimizer and scheduler, not {shown(result)}.")
    optimizer, scheduler = result
    if isinstance(scheduler, torch.optim.Optimizer):
        raise NotYet("They have changed places: the optimizer comes first, then the scheduler.")
    if not isinstance(optimizer, torch.optim.AdamW):
        raise NotYet(f"AdamW is asked for, not {type(optimizer).__name__}.")
    seen = []
    for _ in range(20):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    if len(seen[0]) != 3:
        raise NotYet(f"Three groups went in, the optimizer has {len(seen[0])}.")
    highest = [max(rates) for rates in zip(*seen, strict=True)]
    if max(highest) - min(highest) < 1e-9:
        raise NotYet(f"Groups with the rates 0.03, 0.01 and 0.002 all come up to {highest[0]:g}: the same for each.")
    if seen[0] == seen[-1]:
        raise NotYet("The rates do not change from step to step.")
    if seen[0][0] == highest[0]:
        raise NotYet("The rate is highest at the first step. One cycle warms it up first.")
    for rate, right in zip(highest, (0.03, 0.01, 0.002), strict=True):
        if abs(rate / right - 1) > 0.1:
            raise NotYet(f"The group with the rate {right:g} comes up to {rate:g}.")
    if seen[-1][0] > 0.001:
        raise NotYet(f"After all 20 steps the rate is still {seen[-1][0]:.3g}. How many steps does the cycle have?")
    return "Each part has a cycle of its own height."


@exercises.add(
    hints=(
        "Which values does the interval hold? Is 0 one of them? Is a loss of two points?",
        "An interval that holds 0 does not prove that there is no difference. It says how large it may still be.",
    ),
    answer='sentence = "C"',
)
def q4(sentence: Answer) -> str:
    choose(
        sentence,
        "C",
        {
            "A": "The interval reaches 0, and of nine intervals one has to be the lowest.",
            "B": "That nothing was seen does not mean that nothing is there: two points less would fit as well.",
            "D": "What was published was measured on other tasks. These runs say something else.",
        },
    )
    return "No proof of harm, and none of harmlessness."


@exercises.add(
    hints=(
        "How likely is it that *one* useless trick does not look significant?",
        "None of the nine does with a probability of 0.95 nine times over, multiplied.",
        "At least one is the opposite of none: `1 - 0.95**9`.",
    ),
    answer="chance = 1 - 0.95**9",
)
def q5(chance: Answer) -> str:
    chance = number(chance)
    slips = {
        0.05: "That is the chance of one trick alone. There are nine.",
        0.45: "Nine times 5 % counts twice where two look significant at once. With thirty tricks it would be 150 %.",
        0.95**9: "That is the chance that none does. What is left?",
        0.05**9: "That is the chance that all nine do.",
        9 * 0.05 * 0.95**8: "That is the chance that exactly one does. Two or more count as well.",
        0.05 / 9: "That is the corrected limit. What happens *without* a correction?",
        100 * (1 - 0.95**9): "These are percent. Give a share from 0 to 1.",
    }
    for slip, why in slips.items():
        if abs(chance - slip) < 0.002 * max(1, slip):
            raise NotYet(why)
    if abs(chance - (1 - 0.95**9)) > 0.01:
        raise NotYet("Take the chance that none of the nine looks significant, then the rest.")
    return "More than a third. If you try many tricks, correct for their number, and measure the best one anew."


@exercises.add(
    hints=(
        "Take the usual step first: `zero_grad`, loss, `backward`, `step`. Then add your trick in one line.",
        "Smoothing and clipping are one line each: `nn.CrossEntropyLoss(label_smoothing=0.1)`, "
        "`nn.utils.clip_grad_norm_(model.parameters(), 1.0)` before `optimizer.step()`.",
        "Leave the mode of the model alone: the loop above has called `train_mode` already.",
    ),
    answer='''
def my_step(model, inputs, labels, optimizer):
    """One step with gradients that are clipped; returns the loss before the weights moved."""
    loss = nn.CrossEntropyLoss()(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    return loss.item()
''',
    rubric=(
        "I have changed one thing only against the good recipe, and say what I expected of it, and why.",
        "I have trained both with the same seeds, three or more, and subtracted in pairs.",
        "I show the interval, and claim no more than it says, even where my trick looks good.",
    ),
)
def q6(my_step: Answer) -> str:
    device = best_device()  # where the lesson's own batches are
    norm, head = nn.BatchNorm2d(3).requires_grad_(False), nn.Linear(3 * SIDE**2, 2)
    model = nn.Sequential(norm, nn.Flatten(), head).to(device).train()
    norm.eval()
    inputs = torch.randn(32, 3, 1, 1) + 0.3 * torch.randn(32, 3, SIDE, SIDE)  # a colour each, and noise
    inputs = inputs.to(device)
    labels = (inputs[:, 0].mean((1, 2)) > 0).long()
    optimizer = torch.optim.AdamW(head.parameters(), lr=0.01)
    criterion = nn.CrossEntropyLoss()

    def loss() -> float:
        with torch.no_grad():
            return criterion(head(inputs.flatten(1)), labels).item()

    before, weight = loss(), head.weight.detach().clone()
    first = result_of(my_step, model, inputs.clone(), labels.clone(), optimizer)
    if torch.equal(head.weight, weight):
        raise NotYet("After one call no weight has moved. Are `backward` and `step` called, in this order?")
    if isinstance(first, torch.Tensor) and first.requires_grad:
        raise NotYet("It returns a tensor, which keeps the whole computation in memory. `.item()` makes a number.")
    first = number(first)
    if not 0 < first < 10:
        raise NotYet(f"It returns {first:g}, which is no loss of a network that knows nothing of two classes.")
    if abs(first - loss()) < 1e-3:
        raise NotYet("It returns the loss from after the step. Compute it once, before `backward`, and return that.")
    if head.weight.grad is not None and head.weight.grad.any():  # so the next call has to clear them
        old = 1e6 * torch.randn_like(head.weight)
        head.weight.grad.copy_(old)
        my_step(model, inputs[:8], labels[:8], torch.optim.SGD(head.parameters(), lr=0))  # moves nothing
        new = head.weight.grad
        if new is not None and torch.cosine_similarity(new.ravel(), old.ravel(), dim=0) > 0.7:
            raise NotYet("The gradients of one call are added to those of the next: the old ones are still there.")
    for start in (0, 8, 16, 24, 31) * 12:  # the last batch has one picture
        my_step(model, inputs[start : start + 8], labels[start : start + 8], optimizer)
    if norm.num_batches_tracked or norm.training:
        raise NotYet("The mean and variance of BatchNorm have moved. Who has put it into training mode?")
    if not loss() < 0.8 * before:
        raise NotYet(
            f"After 61 steps on an easy task the loss went from {before:.2f} to {loss():.2f}: it hardly learns."
        )
    if _is_plain(my_step):
        raise NotYet(
            "It learns, but moves the weights exactly as a plain step does, on easy and on hard batches. Add a trick, "
            "or put it where it counts: clipping, for example, between `backward` and `step`."
        )
    return "It learns, also from a batch of one, and leaves frozen BatchNorm alone."


def _is_plain(my_step: Answer) -> bool:
    """Whether it moves the weights as a step without any trick, also where the gradients are large."""
    device = best_device()
    for scale in (1, 30) * 5:  # a trick may be random
        theirs = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE**2, 2)).to(device)
        ours = copy.deepcopy(theirs)
        inputs = scale * torch.randn(8, 3, SIDE, SIDE).to(device)
        labels = torch.tensor([0, 1] * 4, device=device)
        my_step(theirs, inputs.clone(), labels.clone(), torch.optim.SGD(theirs.parameters(), lr=0.1))
        optimizer = torch.optim.SGD(ours.parameters(), lr=0.1)
        nn.functional.cross_entropy(ours(inputs), labels).backward()
        optimizer.step()
        if not all(
            torch.allclose(a, b, atol=1e-6) for a, b in zip(theirs.parameters(), ours.parameters(), strict=True)
        ):
            return False
    return True


@exercises.add(
    hints=(
        "What do `down` and `up` make of the channels of one pixel? Each is a matrix.",
        "One after the other they are a matrix product, `up @ down`, with the shape (outputs, inputs).",
        "`.flatten(1)` makes matrices of them, `[:, :, None, None]` puts the two last axes back.",
    ),
    answer='''
def merged_weight(weight, down, up):
    """The weight of one 1 x 1 convolution that does the same as all three."""
    product = up.flatten(1) @ down.flatten(1)
    return weight + product[:, :, None, None]
''',
)
def q7(merged_weight: Answer) -> str:
    weight, down, up = torch.randn(5, 6, 1, 1), torch.randn(2, 6, 1, 1), torch.randn(5, 2, 1, 1)
    product = up.flatten(1) @ down.flatten(1)
    right = weight + product[:, :, None, None]
    given = result_of(merged_weight, weight.clone(), down.clone(), up.clone())
    if not isinstance(given, torch.Tensor):
        raise NotYet(f"A tensor in the shape of `weight` is expected, not {shown(given)}.")
    if given.shape == (5, 6) and torch.allclose(given, right.flatten(1), atol=1e-4):
        raise NotYet("The numbers are right. A convolution wants two more axes: the shape of `weight`.")
    if given.shape != weight.shape:
        raise NotYet(f"It should have the shape {tuple(weight.shape)} of `weight`, and has {tuple(given.shape)}.")
    if torch.allclose(given, right - weight, atol=1e-4):
        raise NotYet("That is the detour alone. The frozen weight goes the other way, and both are added.")
    if torch.allclose(given, weight, atol=1e-4):
        raise NotYet("That is the frozen weight alone, without the detour.")
    if not torch.allclose(given, right, atol=1e-4):
        raise NotYet("For the same input, the merged convolution gives another output than all three.")
    return "One convolution, as large as before, that does what three did."


@exercises.add(
    hints=(
        "Begin with `add_lora(copy.deepcopy(late), rank=4).to(device)` and `tune`; then change one thing at a time.",
        "After `freeze` or `add_lora`, set `requires_grad` of what else shall learn, as `train_norms` does.",
        "More epochs and another rate change most. Try 0.0005, 0.002 and 0.008, each with three seeds.",
    ),
    answer="""
torch.manual_seed(1)
my_late = train_norms(add_lora(copy.deepcopy(late), rank=4)).to(device)
my_late = tune(my_late, *maps["train"], rate=2e-3, epochs=3)
""",
    rubric=(
        "I say what learns in my network, how many numbers that are, and why I chose it.",
        "I have changed one thing at a time, and trained each setting with three seeds or more.",
        "I have chosen on val, and do not take the accuracy there for one on new images.",
    ),
)
def q8(my_late: Answer, maps: dict[str, tuple[torch.Tensor, torch.Tensor]], late: nn.Module) -> str:
    if not isinstance(my_late, nn.Module):
        raise NotYet(f"The tuned network is expected here, not {shown(my_late)}.")
    inputs, labels = maps["val"]
    with torch.no_grad():
        logits, untuned = my_late.eval()(inputs), late.eval()(inputs)
    if logits.shape != (len(labels), int(labels.max()) + 1):
        raise NotYet(f"It should make {int(labels.max()) + 1} logits of each map, and makes {tuple(logits.shape)}.")
    trained = count_parameters(my_late)[1]
    if trained > MOST_TRAINED:
        raise NotYet(f"{trained:,} numbers are trainable. At most {MOST_TRAINED:,} are allowed: `freeze` the rest.")
    if not trained:
        raise NotYet("No number is trainable: which of them were tuned? Leave their `requires_grad` as it was.")
    before = dict(late.named_parameters())
    for name, parameter in my_late.named_parameters():
        if not parameter.requires_grad and not torch.equal(parameter, before.get(name, parameter)):
            raise NotYet(f"{name!r} has changed, but is frozen now, so nobody counts it. Check before you merge.")
    if torch.equal(logits, untuned):
        raise NotYet("It gives the logits of `late`. Is it trained, and is it a copy: `copy.deepcopy(late)`?")
    share = (logits.argmax(1) == labels).float().mean().item()
    if share < LEAST:
        raise NotYet(f"It has {share:.0%} of val right; the probe that it began with has more. Try another rate.")
    return f"{share:.1%} of val with {trained:,} numbers, {4 * trained / 1000:,.0f} kB to store."
