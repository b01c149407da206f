"""What learners of lesson 11 may answer."""

AVERAGED = "def averaged(parts, counts):\n    return {}"
MINE = (
    "my_costs = {}\n"
    "my_images, my_batch_size = {}\n"
    "my_seconds = {{n: Costs(0.02, 0.01, 0, 4e7, 1e9, 0).epoch_seconds(1000, 50, n) for n in {}}}"
)
COSTS = "Costs(0.02, 0.01, 0, 4e7, 1e9, 0)"

WRONG = {
    "q1": [
        ("images_evaluated = 7", "the sampler avoids that"),
        ("images_evaluated = 3", "each of them gets"),
        ("images_evaluated = 6", "leave an image out"),
        ("images_evaluated = 'nine'", "One number is expected"),
        ("images_evaluated = 8", "multiply it by three"),
    ],
    "q2": [
        (AVERAGED.format("sum(parts)"), "With equal parts it is the plain mean"),
        (AVERAGED.format("sum(parts) / 2"), "more than two processes"),
        (AVERAGED.format("sum(parts) / len(parts)"), "counts three times as much"),
        (AVERAGED.format("float(sum(counts))"), "A tensor of the shape (2,)"),
    ],
    "q3": [
        ("bug = 'a wrong batch size'", "changes the numbers"),
        ("bug = 'a missing set_epoch'", "the training ends"),
        ("bug = 'no GPU'", "between CPUs, too"),
        ("bug = 'rank'", "Choose one of"),
    ],
    "q4": [
        ("largest_number = 64", "With 64 GPUs the efficiency is"),
        ("largest_number = 1", "Can you go further?"),
        ("largest_number = 5", "Choose one of 1, 2, 4"),
    ],
    "q5": [
        ("effective_batch_size = 64", "one GPU's"),
        ("effective_batch_size = 128", "four before a step"),
        ("effective_batch_size = 28", "Multiply the three"),
    ],
    "q6": [
        (MINE.format("3", "1000, 50", "(1, 4, 16)"), "should be made with Costs"),
        (MINE.format(COSTS, "1000, 50", "(1, 2)"), "the keys 1, 4 and 16"),
        (MINE.format(COSTS, "1000, 5000", "(1, 4, 16)"), "at most all of them"),
        (MINE.format(COSTS, "1000, 4", "(1, 4, 16)"), "one image for each of 16 processes"),
        (MINE.format(COSTS, "2000, 50", "(1, 4, 16)"), "With 1 process the model says"),
        (MINE.format("Costs(0, 0, 0, 1, 1, 0)", "1000, 50", "(1, 4, 16)"), "give figures above 0"),
    ],
}

RIGHT = {
    "q1": ["images_evaluated = 9.0"],
    "q2": [
        AVERAGED.format("(torch.stack(parts) * torch.tensor(counts)[:, None]).sum(0) / sum(counts)"),
        AVERAGED.format("np.average(parts, axis=0, weights=counts)"),
    ],
    "q3": ["bug = 'A collective that not all processes call.'"],
    "q6": [MINE.format(COSTS, "1000, 50", "(1, 4, 16)"), MINE.format(COSTS, "1000, 50", "(1, 2, 4, 8, 16)")],
}
