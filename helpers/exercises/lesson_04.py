"""The exercises of lesson 04."""

import copy
import math
from itertools import pairwise

import torch
from torch import nn

from helpers.devices import best_device
from helpers.exercises import Answer, Exercises, NotYet, match, number, result_of, shown

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
    if abs(loss - math.log(199)) > 0.05:
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
        "Call `model.eval()` first. In the loop add up how many are right, and how many pictures there were.",
        "`right += (scores.argmax(1) == labels).sum().item()`, and `count += len(labels)`.",
    ),
    answer='''
def share_of_right(model, batches):
    """The share of pictures that the model gets right, from 0 to 1."""
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
    scores = nn.functional.one_hot(labels, 2).float()
    scores[8] = scores[8].flip(0)  # the last picture, alone in its batch, is wrong
    batches = [(scores[:4], labels[:4]), (scores[4:8], labels[4:8]), (scores[8:], labels[8:])]
    share = number(result_of(share_of_right, ByMode().to(device).train(), batches))
    slips = {
        1 / 9: "The model was asked in training mode. Which call comes first?",
        1 / 3: "The model was asked in training mode, and batches were counted instead of pictures.",
        2 / 3: "The mean over batches: the last picture, alone in its batch, counts as much as four others.",
        8: "It returns how many are right. Which share of all is that?",
        1: "The last batch was left out.",
    }
    for slip, why in slips.items():
        if abs(share - slip) < 1e-4:
            raise NotYet(why)
    if abs(share - 8 / 9) > 1e-4:
        raise NotYet(f"Eight of nine pictures are right, which is 0.889; it returns {shown(share)}.")
    return "Eight of nine, whatever the batches."


@exercises.add(
    hints=(
        "Which was the best epoch so far? How many epochs have passed since?",
        "The best of the first epochs is number 2, with 0.50. Two epochs without a better one are 3 and 4.",
    ),
    answer="last_epoch = 4",
)
def q4(last_epoch: Answer) -> str:
    epoch = number(last_epoch)
    if epoch == 2:
        raise NotYet("That is the best epoch. Only the epochs after it can show that it was.")
    if epoch == 3:
        raise NotYet("One epoch without a better loss. With `patience=2` it waits for one more.")
    if epoch in (5, 6):
        raise NotYet("Nobody waits so long: after two epochs without a better loss it is over, and 0.45 is never seen.")
    if epoch != 4:
        raise NotYet("Go through the epochs. After each, count how many have passed since the best one.")
    return "It stops after epoch 4, and never sees the 0.45. Patience is a bet."


@exercises.add(
    hints=(
        "Where does each curve begin, and where does it end? A healthy one falls and stays down.",
        "Far above the start means steps that are too large. Nothing at all means steps that are too small.",
        "Learned by heart: `train` goes to zero, and `val` comes back up.",
    ),
    answer="""
causes = {
    "A": "rate too low",
    "B": "learned by heart",
    "C": "rate too high",
    "D": "no zero_grad",
}
""",
)
def q5(causes: Answer) -> str:
    match(
        causes,
        {"A": "rate too low", "B": "learned by heart", "C": "rate too high", "D": "no zero_grad"},
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
    rubric=(
        "I have plotted it, and can say why it begins small and why it ends small.",
        "I have trained with it, as `torch.optim.lr_scheduler.LambdaLR`, stepped after each batch.",
        "I have compared it with one cycle over at least three seeds, and say what I may conclude.",
    ),
)
def q6(rate_factor: Answer) -> str:
    for steps in (40, 200):
        factors = [number(result_of(rate_factor, step, steps)) for step in range(steps)]
        if min(factors) < 0:
            raise NotYet(f"At step {factors.index(min(factors))} of {steps} it is negative: the network would unlearn.")
        top = factors.index(max(factors))
        if not 0.8 <= factors[top] <= 1.001:
            raise NotYet(f"In {steps} steps its largest value is {factors[top]:.2f}. It should come up to 1.")
        if factors[0] > 0.5:
            raise NotYet(f"It begins with {factors[0]:.2f}. A warm-up begins small.")
        if top > steps / 2:
            raise NotYet(
                f"With {steps} steps it rises up to step {top}. Most of the steps should get smaller and smaller."
            )
        if factors[-1] > 0.1:
            raise NotYet(f"It ends with {factors[-1]:.2f}. The last steps should be fine ones.")
        after = factors[top:]
        if any(later > earlier + 1e-9 for earlier, later in pairwise(after)):
            raise NotYet("After its top it rises again.")
    return "It rises, then falls to nearly nothing."
