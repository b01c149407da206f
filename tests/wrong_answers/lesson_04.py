"""What learners of lesson 04 may answer."""

STEP = "def one_step(model, inputs, labels, criterion, optimizer):\n    loss = criterion(model(inputs), labels)\n    "
COUNT = "def share_of_right(model, batches):\n    {}\n    return {}"
HIT = "(model(x).argmax(1) == y)"
CLIP = "def clip_gradients(gradients, max_norm):\n    return {}"
HISTORY = "{'train_loss': [0.7, 0.5], 'val_acc': [0.9, 0.99]}"
CAUSES = {"A": "rate too low", "B": "overfitting", "C": "rate too high", "D": "no zero_grad"}

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
            "predicted in training mode. Which call comes first?",
        ),
        (COUNT.format("model.eval()", f"sum({HIT}.sum() for x, y in batches)"), "how many are right"),
        (COUNT.format("model.eval()", "0.5"), "Eight of nine images are right"),
    ],
    "q4": [
        (CLIP.format("gradients"), "come back as they were"),
        (CLIP.format("[g.clamp(-max_norm, max_norm) for g in gradients]"), "Each number was cut off alone"),
        (CLIP.format("[g * max_norm / max(g.norm(), max_norm) for g in gradients]"), "Each tensor was scaled alone"),
        (
            CLIP.format("[g * max_norm / sum(h.norm() for h in gradients) for g in gradients]"),
            "The norms of the tensors were added",
        ),
        (CLIP.format("[g * max_norm / sum(h.sum() for h in gradients) for g in gradients]"), "The numbers were added"),
        (
            CLIP.format("[g * max_norm / torch.cat([h.flatten() for h in gradients]).norm() for g in gradients]"),
            "These became longer",
        ),
        (CLIP.format("[g / 10 for g in gradients]"), "have the norm 7"),
        (CLIP.format("max_norm"), "A list of tensors is expected"),
        (
            CLIP.format("[g / max(1, torch.cat([h.flatten() for h in gradients]).norm()) for g in gradients]"),
            "but not for 3.5",
        ),
        (
            CLIP.format("[g * max_norm / sum((h**2).sum() for h in gradients) for g in gradients]"),
            "The norm is its root",
        ),
    ],
    "q5": [
        (f"causes = {CAUSES | {'C': 'no zero_grad', 'D': 'rate too high'}}", "Does it fall first?"),
        (f"causes = {CAUSES | {'D': 'rate too high'}}", "Something adds up"),
        (f"causes = {CAUSES | {'B': 'rate too low'}}", "Look at `train` and `val` together"),
        (f"causes = {CAUSES | {'A': 'sick'}}", "A: choose one of"),
    ],
    "q6": [
        ("def rate_factor(step, steps):\n    return 1 - step / steps", "A warm-up begins small"),
        (
            "def rate_factor(step, steps):\n    return min(0.5 + step / steps, 2 - 2 * step / steps)",
            "A warm-up begins small",
        ),
        ("def rate_factor(step, steps):\n    return step / steps", "Most of the steps should get smaller"),
        ("def rate_factor(step, steps):\n    return min(1, step / 4)", "The last steps should be fine ones"),
        ("def rate_factor(step, steps):\n    return math.sin(7 * step / steps)", "it is negative"),
        ("def rate_factor(step, steps):\n    return 0.001 * step", "It should come up to 1"),
        ("def rate_factor(step, steps):\n    return {5: 1, 30: 0.9}.get(step, 0.05)", "After its top it rises again"),
        ("def rate_factor(step, steps):\n    return {2: 0.5, 5: 1}.get(step, 0.05)", "On its way up it falls"),
        (
            "def rate_factor(step, steps):\n    return 0.8 * min((step + 1) / 8, (steps - step) / (steps - 8), 1)",
            "It should come up to 1",
        ),
    ],
    "q7": [
        (f"my_model, my_history, my_loaders = 'resnet18', {HISTORY}, dataloaders", "A network is expected"),
        ("my_model, my_history, my_loaders = new_model(), [0.7, 0.5], dataloaders", "The history of train_model"),
        (
            f"my_model, my_history, my_loaders = new_model(), {HISTORY}, datasets['val']",
            "A dictionary with the loaders",
        ),
        (
            "my_model, my_loaders = new_model(), dataloaders\nmy_history = {'train_loss': [0.7], 'val_acc': [0.9]}",
            "One epoch is no curve",
        ),
        (
            "my_model, my_loaders = new_model(), dataloaders\n"
            "my_history = {'train_loss': [0.7, 0.8], 'val_acc': [0.9, 0.9]}",
            "has not fallen",
        ),
        (f"my_model, my_history, my_loaders = new_model(), {HISTORY}, make_dataloaders(few)", "Measure on all"),
        (f"my_model, my_history, my_loaders = new_model(), {HISTORY}, dataloaders", "and the history says"),
        (
            "my_model, my_loaders = new_model(), dataloaders\nmy_model.fc.weight.data.zero_()\n"
            "my_probabilities, my_labels = predict(my_model, dataloaders['val'])\n"
            "my_share = accuracy(my_probabilities.argmax(1), my_labels).value\n"
            "my_history = {'train_loss': [0.7, 0.6], 'val_acc': [my_share, my_share]}",
            "which a constant answer gets",
        ),
    ],
}

RIGHT = {
    "q1": ["first_loss = -torch.tensor(1 / 199).log()", "first_loss = 5.3", "first_loss = 5"],
    "q2": [
        "def one_step(model, inputs, labels, criterion, optimizer):\n"
        "    optimizer.zero_grad()\n"
        "    loss = criterion(model(inputs), labels)\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "    return loss.detach()"
    ],
    "q3": [
        COUNT.format(
            "model.eval()", "sum(int(HIT.sum()) for x, y in batches) / len(batches.dataset)".replace("HIT", HIT)
        ),
        "def share_of_right(model, batches):\n"
        "    model.eval()\n"
        "    hits = [(model(x.to(device)).argmax(1) == y.to(device)).float() for x, y in batches]\n"
        "    return torch.cat(hits).mean()",
    ],
    "q4": [
        "def clip_gradients(gradients, max_norm):\n"
        "    norm = math.sqrt(sum((g**2).sum().item() for g in gradients))\n"
        "    return [g * min(1, max_norm / (norm + 1e-6)) for g in gradients]",
        "def clip_gradients(gradients, max_norm):\n"
        "    norm = torch.stack([g.norm() for g in gradients]).norm()\n"
        "    if norm > max_norm:\n"
        "        for g in gradients:\n"
        "            g.mul_(max_norm / norm)\n"
        "    return tuple(gradients)",
    ],
    "q5": ["causes = {'D': 'No zero_grad.', 'C': 'Rate too high', 'B': ' overfitting', 'A': 'rate too low'}"],
    "q6": [
        "def rate_factor(step, steps):\n"
        "    top = steps // 3\n"
        "    return (step + 1) / (top + 1) if step <= top else (steps - step) / (steps - top)",
        "def rate_factor(step, steps):\n    return math.sin(math.pi * (step + 0.5) / steps) ** 2",
        "def rate_factor(step, steps):\n"
        "    return min((step + 1) / (steps // 5), (steps - step) / (steps - steps // 5), 1)",
    ],
}
