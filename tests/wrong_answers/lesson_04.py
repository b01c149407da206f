"""What learners of lesson 04 may answer."""

STEP = "def one_step(model, inputs, labels, criterion, optimizer):\n    loss = criterion(model(inputs), labels)\n    "
COUNT = "def share_of_right(model, batches):\n    {}\n    return {}"
HIT = "(model(x).argmax(1) == y)"
CAUSES = {"A": "rate too low", "B": "learned by heart", "C": "rate too high", "D": "no zero_grad"}

WRONG = {
    "q1": [
        ("first_loss = math.log(1 / 199)", "a loss is positive"),
        ("first_loss = 0.69", "the loss for two classes"),
        ("first_loss = math.log10(199)", "base 10"),
        ("first_loss = 1 / 199", "the probability of the right class"),
        ("first_loss = 0", "minus its natural logarithm"),
    ],
    "q2": [
        (
            STEP + "loss.backward()\n    optimizer.step()\n    return loss.item()",
            "still adds the gradient of the first",
        ),
        (STEP + "optimizer.zero_grad()\n    loss.backward()\n    return loss.item()", "Which call moves them?"),
        (STEP + "optimizer.zero_grad()\n    optimizer.step()\n    return loss.item()", "`backward` computes them"),
        (
            STEP + "loss.backward()\n    optimizer.zero_grad(set_to_none=False)\n    optimizer.step()\n"
            "    return loss.item()",
            "set to zero before `step`",
        ),
        (
            STEP + "optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n"
            "    return criterion(model(inputs), labels).item()",
            "The loss of this batch is",
        ),
        (STEP + "optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()", "end with `return`?"),
        (
            STEP + "loss.backward()\n    optimizer.zero_grad()\n    optimizer.step()\n    return loss.item()",
            "`zero_grad` takes them away",
        ),
        (STEP + "optimizer.zero_grad()\n    loss.backward()\n    optimizer.step()\n    return loss", "`.item()` makes"),
    ],
    "q3": [
        (
            COUNT.format("pass", f"sum({HIT}.float().mean() for x, y in batches) / len(batches)"),
            "and batches were counted",
        ),
        (
            COUNT.format("model.eval()", f"sum({HIT}.float().mean() for x, y in batches) / len(batches)"),
            "The mean over batches",
        ),
        (
            COUNT.format("pass", f"sum({HIT}.sum() for x, y in batches) / sum(len(y) for _, y in batches)"),
            "asked in training mode. Which call comes first?",
        ),
        (COUNT.format("model.eval()", f"sum({HIT}.sum() for x, y in batches)"), "how many are right"),
        (COUNT.format("model.eval()", "0.5"), "Eight of nine pictures are right"),
    ],
    "q4": [
        ("last_epoch = 2", "That is the best epoch"),
        ("last_epoch = 3", "it waits for one more"),
        ("last_epoch = 6", "Nobody waits so long"),
        ("last_epoch = 0", "Go through the epochs"),
    ],
    "q5": [
        (f"causes = {CAUSES | {'C': 'no zero_grad', 'D': 'rate too high'}}", "Does it fall first?"),
        (f"causes = {CAUSES | {'D': 'rate too high'}}", "Something adds up"),
        (f"causes = {CAUSES | {'B': 'rate too low'}}", "Look at `train` and `val` together"),
        (f"causes = {CAUSES | {'A': 'sick'}}", "A: choose one of"),
    ],
    "q6": [
        ("def rate_factor(step, steps):\n    return 1 - step / steps", "A warm-up begins small"),
        ("def rate_factor(step, steps):\n    return step / steps", "Most of the steps should get smaller"),
        ("def rate_factor(step, steps):\n    return min(1, step / 4)", "The last steps should be fine ones"),
        ("def rate_factor(step, steps):\n    return math.sin(7 * step / steps)", "it is negative"),
        ("def rate_factor(step, steps):\n    return 0.001 * step", "It should come up to 1"),
        ("def rate_factor(step, steps):\n    return {5: 1, 30: 0.9}.get(step, 0.05)", "After its top it rises again"),
    ],
}

RIGHT = {
    "q1": ["first_loss = -torch.tensor(1 / 199).log()", "first_loss = 5.3"],
    "q2": [
        "def one_step(model, inputs, labels, criterion, optimizer):\n"
        "    optimizer.zero_grad()\n"
        "    loss = criterion(model(inputs), labels)\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "    return loss.detach()"
    ],
    "q6": [
        "def rate_factor(step, steps):\n"
        "    return min((step + 1) / (steps // 5), (steps - step) / (steps - steps // 5), 1)"
    ],
}
