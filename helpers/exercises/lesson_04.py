"""The exercises of lesson 04."""

import copy
import math
from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from helpers.data import image_datasets
from helpers.devices import best_device
from helpers.evaluation import accuracy, predict
from helpers.exercises import Answer, Exercises, NotYet, match, number, result_of, shown
from helpers.tracks import current_track

exercises = Exercises()


@exercises.add(
    hints=(
        "The loss is minus the logarithm of the probability of the right class. Which probability is that here?",
        "Each of 199 classes gets 1/199.",
        "`-math.log(1 / 199)`, which is `math.log(199)`.",
    ),
    answer="first_loss = math.log(199)",
)
def q1(first_loss: Answer) -> str:
    loss = number(first_loss)
    slips = {
        -math.log(199): "Minus the logarithm: a loss is positive.",
        math.log(2): "That is the loss for two classes. Here are 199.",
        math.log10(199): "That is the logarithm to base 10. PyTorch takes the natural one, `math.log`.",
        math.log2(199): "That is the logarithm to base 2. PyTorch takes the natural one, `math.log`.",
        1 / 199: "That is the probability of the right class. The loss is minus its logarithm.",
    }
    for slip, why in slips.items():
        if abs(loss - slip) < 0.004:
            raise NotYet(why)
    if abs(loss - math.log(199)) > 0.3:  # "about" was asked for
        raise NotYet("Take the probability of the right class, 1/199, and minus its natural logarithm.")
    return "About 5.3. A first loss far from ln(classes) is a sign of a mistake."


@exercises.add(
    hints=(
        "Three calls: forget the old gradients, compute new ones, move.",
        "`optimizer.zero_grad()`, `loss.backward()`, `optimizer.step()`, in this order.",
        "Before them, `loss = criterion(model(inputs), labels)`; after them, `return loss.item()`.",
    ),
    answer='''
def one_step(model, inputs, labels, criterion, optimizer):
    """Train on one batch; returns its loss, from before the step, as a number."""
    loss = criterion(model(inputs), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
''',
)
def q2(one_step: Answer) -> str:
    device = best_device()  # where the lesson's own batches are
    ours = nn.Linear(3, 2).to(device)
    theirs = copy.deepcopy(ours)
    inputs, labels = torch.rand(8, 3).to(device), torch.tensor([0, 1] * 4, device=device)
    criterion = nn.CrossEntropyLoss()
    theirs_optimizer = torch.optim.SGD(theirs.parameters(), lr=0.5)
    ours_optimizer = torch.optim.SGD(ours.parameters(), lr=0.5)

    def moved(model: nn.Linear) -> bool:
        return not torch.equal(model.weight, start)

    for step in (1, 2):
        start = ours.weight.detach().clone()
        loss = criterion(ours(inputs), labels)
        ours_optimizer.zero_grad()
        loss.backward()
        ours_optimizer.step()
        result = result_of(one_step, theirs, inputs, labels, criterion, theirs_optimizer)
        if not moved(theirs):
            if theirs.weight.grad is None:
                raise NotYet(
                    "The weights have not moved, and there are no gradients: `backward` computes them, `zero_grad` "
                    "takes them away."
                )
            if not theirs.weight.grad.any():
                raise NotYet("The gradients were set to zero before `step` could use them.")
            raise NotYet("There are gradients, but the weights have not moved. Which call moves them?")
        if not torch.allclose(theirs.weight, ours.weight, atol=1e-6):
            if step == 1:
                raise NotYet("The weights have moved, but not by one step of the optimizer.")
            raise NotYet("The first step is right, the second one is not: it still adds the gradient of the first.")
        if isinstance(result, torch.Tensor) and result.requires_grad:
            raise NotYet("It returns a tensor, which keeps the whole computation in memory. `.item()` makes a number.")
        if abs(number(result) - loss.item()) > 1e-4:
            raise NotYet(f"The loss of this batch is {loss.item():.3f}; it returns {shown(result)}.")
    return "Forget, compute, move: twice, and both steps are right."


@exercises.add(
    hints=(
        "Two of the three details are missing: one in front of the loop, one in the count.",
        "Call `model.eval()` first. In the loop add up how many are right, and how many images there were.",
        "`right += (logits.argmax(1) == labels).sum().item()`, and `count += len(labels)`.",
    ),
    answer='''
def share_of_right(model, batches):
    """The share of images that the model gets right, from 0 to 1."""
    model.eval()
    right, count = 0, 0
    for inputs, labels in batches:
        inputs, labels = inputs.to(device), labels.to(device)
        with torch.no_grad():
            right += (model(inputs).argmax(1) == labels).sum().item()
        count += len(labels)
    return right / count
''',
)
def q3(share_of_right: Answer) -> str:
    class ByMode(nn.Module):
        """Right in evaluation mode, wrong in training mode."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))  # by it an answer may ask for the device

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale * (-x if self.training else x)

    device = best_device()
    labels = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1, 0], device=device)
    logits = nn.functional.one_hot(labels, 2).float()
    logits[8] = logits[8].flip(0)  # the last image, alone in its batch, is wrong
    batches = DataLoader(TensorDataset(logits, labels), batch_size=4)
    share = number(result_of(share_of_right, ByMode().to(device).train(), batches))
    slips = {
        1 / 9: "The model predicted in training mode. Which call comes first?",
        1 / 3: "The model predicted in training mode, and batches were counted instead of images.",
        2 / 3: "The mean over batches: the last image, alone in its batch, counts as much as four others.",
        8: "It returns how many are right. Which share of all is that?",
        1: "The last batch was left out.",
    }
    for slip, why in slips.items():
        if abs(share - slip) < 1e-4:
            raise NotYet(why)
    if abs(share - 8 / 9) > 1e-4:
        raise NotYet(f"Eight of nine images are right, which is 0.889; it returns {shown(share)}.")
    return "Eight of nine, whatever the batches."


@exercises.add(
    hints=(
        "Take the norm of all gradients together, as of one long vector: the root of the sum of all squares.",
        "`norm = torch.cat([g.flatten() for g in gradients]).norm()`. If it is too large, what makes all smaller?",
        "By `max_norm / norm`, all by the same number. Shorter gradients stay as they are.",
    ),
    answer='''
def clip_gradients(gradients, max_norm):
    """A list of tensors, scaled down together to the norm `max_norm` if they are longer."""
    norm = torch.cat([gradient.flatten() for gradient in gradients]).norm()
    factor = max_norm / norm if norm > max_norm else 1
    return [factor * gradient for gradient in gradients]
''',
)
def q4(clip_gradients: Answer) -> str:
    def clipped(*values: float, max_norm: float = 1.0) -> list[float]:
        """What becomes of two gradients, the second one with two rows."""
        first, *rest = values
        gradients = [
            torch.tensor([first], device=best_device()),
            torch.tensor([[v] for v in rest], device=best_device()),
        ]
        result = result_of(clip_gradients, gradients, max_norm)
        try:
            flat = [value for gradient in result for value in gradient.flatten().tolist()]
        except (AttributeError, TypeError):
            raise NotYet(f"A list of tensors is expected, one for each gradient, not {shown(result)}.") from None
        if len(flat) != len(values):
            raise NotYet("The result has not as many numbers as the gradients had.")
        return flat

    def near(found: list[float], *expected: float) -> bool:
        return all(abs(a - b) < 1e-3 for a, b in zip(found, expected, strict=True))

    long = clipped(2.0, 3.0, 6.0)  # of the norm 7
    if near(long, 2, 3, 6):
        raise NotYet("Gradients of the norm 7 come back as they were, with `max_norm=1`.")
    if near(long, 1, 1, 1):
        raise NotYet("Each number was cut off alone. That changes the direction; scale all by the same factor.")
    if near(long, 1, 0.447, 0.894):
        raise NotYet("Each tensor was scaled alone. That changes the direction; take the norm of all together.")
    if near(long, 0.230, 0.344, 0.689):
        raise NotYet("The norms of the tensors were added. Add the squares, and take the root.")
    if near(long, 2 / 11, 3 / 11, 6 / 11):
        raise NotYet("The numbers were added. The norm is the root of the sum of their squares.")
    if near(long, 2 / 49, 3 / 49, 6 / 49):
        raise NotYet("That divides by the sum of the squares. The norm is its root.")
    if not near(long, 2 / 7, 3 / 7, 6 / 7):
        raise NotYet(
            f"The gradients 2, 3 and 6 have the norm 7; clipped to 1 they are 2/7, 3/7 and 6/7, not {shown(long)}."
        )
    if not near(clipped(2.0, 3.0, 6.0, max_norm=3.5), 1, 1.5, 3):
        raise NotYet("It is right for `max_norm=1`, but not for 3.5: the norm should become `max_norm`.")
    if not near(clipped(0.2, 0.3, 0.6), 0.2, 0.3, 0.6):
        raise NotYet("Gradients shorter than `max_norm` should stay as they are. These became longer.")
    if not near(clipped(0.0, 0.0, 0.0), 0, 0, 0):
        raise NotYet("Gradients that are all 0 are no longer 0. Was something divided by their norm?")
    return "Scaled down together: the direction stays, the length does not."


@exercises.add(
    hints=(
        "Where does each curve begin, and where does it end? A healthy one falls and stays down.",
        "Far above the start means steps that are too large. Nothing at all means steps that are too small.",
        "Overfitting: `train` goes to zero, and `val` comes back up.",
    ),
    answer="""
causes = {
    "A": "rate too low",
    "B": "overfitting",
    "C": "rate too high",
    "D": "no zero_grad",
}
""",
)
def q5(causes: Answer) -> str:
    match(
        causes,
        {"A": "rate too low", "B": "overfitting", "C": "rate too high", "D": "no zero_grad"},
        {
            "A": "It hardly moves. What would make the steps larger?",
            "B": "Look at `train` and `val` together: one falls to nothing, the other one comes back up.",
            "C": "It jumps far above its start at once. Does it fall first?",
            "D": "It falls at first, so the rate is not too high at the start. Something adds up.",
        },
    )
    return "You can read them without the table."


@exercises.add(
    hints=(
        "Two straight lines will do: up to 1 at the end of the warm-up, and down to nearly 0 at the last step.",
        "`min(step / warm_up, (steps - step) / (steps - warm_up))` with some care at both ends.",
        "Half a cosine goes down more gently: `(1 + math.cos(math.pi * share_done)) / 2`.",
    ),
    answer='''
def rate_factor(step, steps):
    """What the learning rate is multiplied by: a rise over the first tenth, then half a cosine."""
    warm_up = steps / 10
    if step < warm_up:
        return (step + 1) / (warm_up + 1)
    return (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up))) / 2
''',
)
def q6(rate_factor: Answer) -> str:
    for steps in (40, 200):
        factors = [number(result_of(rate_factor, step, steps)) for step in range(steps)]
        if min(factors) < 0:
            raise NotYet(f"At step {factors.index(min(factors))} of {steps} it is negative: the network would unlearn.")
        top = factors.index(max(factors))
        if not 0.95 <= factors[top] <= 1.001:
            raise NotYet(f"In {steps} steps its largest value is {factors[top]:.2f}. It should come up to 1.")
        if factors[0] >= 0.5:
            raise NotYet(f"It begins with {factors[0]:.2f}. A warm-up begins small.")
        if top > steps / 2:
            raise NotYet(
                f"With {steps} steps it rises up to step {top}. Most of the steps should get smaller and smaller."
            )
        if factors[-1] >= 0.1:
            raise NotYet(f"It ends with {factors[-1]:.2f}. The last steps should be fine ones.")
        if any(later < earlier - 1e-9 for earlier, later in pairwise(factors[: top + 1])):
            raise NotYet("On its way up it falls in between.")
        if any(later > earlier + 1e-9 for earlier, later in pairwise(factors[top:])):
            raise NotYet("After its top it rises again.")
    return "It rises, then falls to nearly nothing."


@exercises.add(
    hints=(
        "The cells of *A training that beats the probe* are a start: change one thing at a time.",
        "Images of another size: `with_transform(datasets[split], eval_transform(track.preprocessing.at(size)))`.",
        "A schedule of your own: `torch.optim.lr_scheduler.LambdaLR` counts epochs here; `OneCycleLR` counts batches.",
    ),
    answer="""
my_loaders = make_dataloaders({split: datasets[split] for split in ("train", "val")})
my_model = freeze(new_model())
my_optimizer = torch.optim.AdamW(my_model.fc.parameters(), lr=1e-2)
my_model, my_history = train_model(my_model, my_loaders, criterion, my_optimizer, num_epochs=2)
""",
    rubric=(
        "I changed one thing at a time, and can show the curves of at least two trainings.",
        "I compared with the probe on the same images at the same size, in pairs, or over at least three seeds.",
        "I say that I chose on `val`, and how sure I am.",
    ),
)
def q7(my_model: Answer, my_history: Answer, my_loaders: Answer) -> str:
    if not isinstance(my_model, nn.Module):
        raise NotYet(f"A network is expected, not {shown(my_model)}.")
    if not isinstance(my_history, Mapping) or not {"train_loss", "val_acc"} <= my_history.keys():
        raise NotYet(f"The history of train_model is expected, not {shown(my_history)}.")
    if not isinstance(my_loaders, Mapping) or "val" not in my_loaders:
        raise NotYet(f"A dictionary with the loaders `train` and `val` is expected, not {shown(my_loaders)}.")
    losses, shares = my_history["train_loss"], my_history["val_acc"]
    if len(losses) < 2:
        raise NotYet("One epoch is no curve. Train for at least two.")
    if losses[-1] >= losses[0]:
        raise NotYet(f"The loss on train has not fallen: {losses[0]:.2f} at first, {losses[-1]:.2f} at last.")
    probabilities, labels = predict(my_model, my_loaders["val"])
    if len(labels) < (images := len(image_datasets(current_track().folder, current_track().preprocessing)["val"])):
        raise NotYet(f"Your loader `val` has {len(labels)} images. Measure on all {images}.")
    measured = accuracy(probabilities.argmax(1), labels)
    if min(abs(measured.value - shares[-1]), abs(measured.value - max(shares))) > 0.02:
        raise NotYet(f"This model gets {measured.value:.1%} of val right, and the history says {shares[-1]:.1%}.")
    largest = labels.bincount().max().item() / len(labels)
    if measured.low <= largest:
        raise NotYet(f"{measured} is not clearly more than {largest:.1%}, which a constant answer gets.")
    return f"{measured} on val."
