"""What learners of lesson 07 may answer."""

RATES = "def rates_by_stage(stages, lr, factor):\n    return {}"
CYCLE = """\
def with_one_cycle(groups, steps):
    optimizer = torch.optim.AdamW(groups)
    {}
    return optimizer, scheduler"""
ONE_CYCLE = "scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr={}, total_steps={})"
OWN = "[group['lr'] for group in groups]"
STEP = "def my_step(model, inputs, labels, optimizer):\n    {}"
MERGED = "def merged_weight(weight, down, up):\n    return {}"
CLIPPED = "nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n    "
LOSS = "loss = nn.CrossEntropyLoss()(model(inputs), labels)\n    optimizer.zero_grad()\n    loss.backward()\n    "

WRONG = {
    "q1": [
        ("first_rate = 0.01", "an eighth of the steps"),
        ("first_rate = 0.00125", "The other way round"),
        ("first_rate = 0.028", "a guess for AdamW"),
        ("first_rate = 8", "That is the factor"),
        ("first_rate = 2.56", "not by 256"),
        ("first_rate = 0.008", "What is 8 times 0.01?"),
        ("first_rate = 0.5", "256 / 32 times"),
        ("first_rate = 'eight times'", "One number is expected"),
    ],
    "q2": [
        (RATES.format("{s: lr / factor**away for away, s in enumerate(stages)}"), "The other way round"),
        (RATES.format("{s: lr / factor**away for away, s in enumerate(stages[::-1], 1)}"), "it has less"),
        (RATES.format("{s: lr if s == stages[-1] else lr / factor for s in stages}"), "have the same rate"),
        (
            RATES.format("{s: lr / (factor * away or 1) for away, s in enumerate(stages[::-1])}"),
            "something else than its square",
        ),
        (RATES.format("{s: lr * factor**away for away, s in enumerate(stages[::-1])}"), "the rates grow"),
        (RATES.format("{s: lr / 2**away for away, s in enumerate(stages[::-1])}"), "but not for 10"),
        (RATES.format("[lr / factor**away for away, s in enumerate(stages[::-1])]"), "A dictionary with a rate"),
    ],
    "q3": [
        (CYCLE.format(ONE_CYCLE.format("2e-3", "steps")), "the same for each"),
        (CYCLE.format(ONE_CYCLE.format("[2e-3, 2e-4]", "steps")), "Your answer ended in ValueError"),
        (CYCLE.format(ONE_CYCLE.format("[0.01, 0.005, 0.001]", "steps")), "The group with the rate 0.03 comes up to"),
        (CYCLE.format(ONE_CYCLE.format(OWN, "3 * steps")), "How many steps does the cycle have?"),
        (
            CYCLE.format("scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)"),
            "The rates do not change",
        ),
        (CYCLE.format(ONE_CYCLE.format(OWN, "steps") + "\n    return scheduler"), "Two things are expected"),
        (CYCLE.format(ONE_CYCLE.format(OWN, "steps") + "\n    return scheduler, optimizer"), "changed places"),
        (CYCLE.format(ONE_CYCLE.format(OWN, "steps")).replace("AdamW", "SGD"), "AdamW is asked for, not SGD"),
        (
            CYCLE.format("scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)"),
            "One cycle warms it up first",
        ),
    ],
    "q4": [
        ("sentence = 'A'", "one has to be the lowest"),
        ("sentence = 'B'", "does not mean that nothing is there"),
        ("sentence = 'D'", "on other tasks"),
        ("sentence = 'hurts'", "Choose one of"),
    ],
    "q5": [
        ("chance = 0.05", "of one trick alone"),
        ("chance = 9 * 0.05", "counts twice"),
        ("chance = 0.95**9", "What is left?"),
        ("chance = 37", "These are percent"),
        ("chance = 0.2", "that none of the nine"),
        ("chance = 9 * 0.05 * 0.95**8", "exactly one does"),
        ("chance = 0.05 / 9", "the corrected limit"),
    ],
    "q6": [
        (STEP.format(LOSS + "return loss.item()"), "no weight has moved"),
        (
            STEP.format("model.train()\n    " + LOSS + "optimizer.step()\n    return loss.item()"),
            "The mean and variance of BatchNorm have moved",
        ),
        (
            STEP.format(LOSS.replace("loss.b", "(-loss).b") + "optimizer.step()\n    return loss.item()"),
            "it hardly learns",
        ),
        (STEP.format(LOSS + "optimizer.step()\n    return -1"), "which is no loss"),
        (STEP.format(LOSS + "optimizer.step()\n    return loss"), "keeps the whole computation in memory"),
        (
            STEP.format(LOSS + "optimizer.step()\n    return nn.CrossEntropyLoss()(model(inputs), labels).item()"),
            "the loss from after the step",
        ),
        (
            STEP.format(LOSS.replace("optimizer.zero_grad()", "pass") + "optimizer.step()\n    return loss.item()"),
            "the old ones are still there",
        ),
        (STEP.format(LOSS + "optimizer.step()"), "end with `return`?"),
        (STEP.format(LOSS + "optimizer.step()\n    return loss.item()"), "exactly as a plain step does"),
        (
            STEP.format(LOSS.replace("loss.b", CLIPPED + "loss.b") + "optimizer.step()\n    return loss.item()"),
            "between `backward` and `step`",
        ),
        (
            STEP.format(
                LOSS.replace("optimizer.zero_grad()", "pass") + CLIPPED + "optimizer.step()\n    return loss.item()"
            ),
            "the old ones are still there",
        ),
    ],
    "q7": [
        (MERGED.format("up.flatten(1) @ down.flatten(1)"), "the shape (5, 6, 1, 1) of `weight`"),
        (MERGED.format("weight.flatten(1) + up.flatten(1) @ down.flatten(1)"), "two more axes"),
        (MERGED.format("(up.flatten(1) @ down.flatten(1))[:, :, None, None]"), "the detour alone"),
        (MERGED.format("weight"), "without the detour"),
        (MERGED.format("2 * weight + (up.flatten(1) @ down.flatten(1))[:, :, None, None]"), "gives another output"),
        (MERGED.format("weight + down @ up"), "Your answer ended in RuntimeError"),
        (MERGED.format("'weight'"), "A tensor in the shape"),
    ],
    "q8": [
        ("my_late = 'late'", "The tuned network is expected"),
        ("my_late = copy.deepcopy(late).requires_grad_(True)", "At most 100,000 are allowed"),
        ("my_late = copy.deepcopy(late).requires_grad_(False)", "No number is trainable"),
        ("my_late = nn.Sequential(*late[:-1])", "It should make 6 logits"),
        ("my_late = copy.deepcopy(late)", "Is it trained"),
        ("my_late = add_lora(copy.deepcopy(late), rank=4)", "Is it trained"),
        (
            "my_late = add_lora(copy.deepcopy(late), rank=4)\nnn.init.zeros_(my_late[-1].weight)",
            "of val right; the probe that it began with has more",
        ),
        (
            "from helpers.lora import merge_lora\n"
            "my_late = tune(add_lora(copy.deepcopy(late), rank=4).to(device), *maps['train'], rate=5e-4, epochs=1)\n"
            "my_late = merge_lora(my_late)",
            "Check before you merge",
        ),
    ],
}

RIGHT = {
    "q1": ["first_rate = '0.08'", "first_rate = 0.01 * 8"],
    "q2": [
        "def rates_by_stage(stages, lr, factor):\n"
        "    rates = {}\n"
        "    for stage in stages[::-1]:\n"
        "        rates[stage] = lr\n"
        "        lr = lr / factor\n"
        "    return rates"
    ],
    "q3": [
        "def with_one_cycle(groups, steps):\n"
        "    optimizer = torch.optim.AdamW(groups)\n"
        "    fall = lambda step: min((step + 1) / 5, (steps - step - 1) / (steps - 5))\n"
        "    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, fall)",
        CYCLE.format(ONE_CYCLE.format(OWN, "steps") + "\n    return [optimizer, scheduler]"),
    ],
    "q4": ["sentence = 'c'"],
    "q5": ["chance = 0.37"],
    "q6": [
        STEP.format(LOSS.replace("inputs", "inputs.flip(-1) if torch.rand(1) < 0.5 else inputs"))
        + "optimizer.step()\n    return loss.item()",
        STEP.format(LOSS) + CLIPPED + "optimizer.step()\n    optimizer.zero_grad()\n    return loss.item()",
        *(
            STEP.format(
                "from torchvision.transforms import v2\n    " + LOSS.replace("(inputs)", f"(v2.{trick}(inputs))")
            )
            + "optimizer.step()\n    return loss.item()"
            for trick in (
                "ColorJitter(0.2, 0.2)",
                "GaussianBlur(5)",
                "RandomCrop(inputs.shape[-1], padding=1)",
                "RandomErasing(p=1)",
                "RandomResizedCrop(inputs.shape[-2:], scale=(0.5, 1))",
            )
        ),
        "def my_step(model, inputs, labels, optimizer):\n"
        "    from torchvision.transforms import v2\n"
        "    mixed, shares = v2.MixUp(alpha=5.0, num_classes=2)(inputs, labels)\n"
        "    loss = nn.CrossEntropyLoss()(model(mixed), shares)\n"
        "    optimizer.zero_grad()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "    return loss.item()",
        "def my_step(model, inputs, labels, optimizer):\n"
        "    other = torch.randperm(len(inputs))\n"
        "    mixed = 0.8 * inputs + 0.2 * inputs[other]\n"
        "    scores = model(mixed)\n"
        "    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)\n"
        "    loss = 0.8 * criterion(scores, labels) + 0.2 * criterion(scores, labels[other])\n"
        "    optimizer.zero_grad()\n"
        "    loss.backward()\n"
        "    optimizer.step()\n"
        "    return loss.item()",
    ],
    "q7": [
        MERGED.format("weight + torch.einsum('orxy,rixy->oixy', up, down)"),
        MERGED.format("(weight.squeeze() + up.squeeze() @ down.squeeze()).view_as(weight)"),
        "def merged_weight(weight, down, up):\n"
        "    one = torch.eye(weight.shape[1])[:, :, None, None]\n"
        "    out = nn.functional.conv2d(nn.functional.conv2d(one, down), up)\n"
        "    return weight + out.transpose(0, 1)",
    ],
    "q8": [
        "my_late = tune(train_norms(freeze(copy.deepcopy(late))), *maps['train'], rate=2e-3, epochs=2)",
        "my_late = freeze(copy.deepcopy(late))\n"
        "my_late[0][0].conv_dw.requires_grad_(True)\n"
        "my_late = tune(my_late, *maps['train'], rate=5e-4, epochs=2)",
    ],
}
