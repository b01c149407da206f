"""What learners of lesson 06 may answer."""

GUESS = {"from scratch": "near guessing", "frozen": "far above", "fine-tuned": "far above"}
VERDICT = "def verdict(ours, theirs):\n    {}"
UNTIL = "def seconds_until(times, accuracies, goal):\n    {}"
FIRST = "return next((t for t, a in zip(times, accuracies) if a >= goal), {})"

WRONG = {
    "q1": [
        (f"my_guess = {GUESS | {'from scratch': 'far above'}}", "What could twenty pictures tell them?"),
        (f"my_guess = {GUESS | {'frozen': 'near guessing'}}", "Only the probe learns from these"),
        (f"my_guess = {GUESS | {'fine-tuned': 'near guessing'}}", "Does it forget them all?"),
        (f"my_guess = {GUESS | {'frozen': 0.8}}", "frozen: choose one of 'far above', 'near guessing'"),
    ],
    "q2": [
        ("pictures_enough = 10", "At 10 the curve of the frozen network is at about 78%"),
        ("pictures_enough = 12", "At 12 the curve of the frozen network is at about 79%"),
        ("pictures_enough = 40", "Of each class, not of both together"),
        ("pictures_enough = 50", "more than it needs"),
        ("pictures_enough = 122", "more than it needs"),
        ("pictures_enough = 'a sixth'", "One number is expected here"),
    ],
    "q3": [
        (VERDICT.format("return 'better' if ours.mean() > theirs.mean() else 'worse'"), "look at the means only?"),
        (
            VERDICT.format(
                "low, high = mean_interval(ours)[1:]\n"
                "    return 'better' if low > mean_interval(theirs)[2] "
                "else 'worse' if high < mean_interval(theirs)[1] else 'cannot tell'"
            ),
            "Both ways rise and fall together",
        ),
        (
            VERDICT.format(
                "ahead = (ours > theirs).sum()\n"
                "    return 'better' if ahead == 5 else 'worse' if ahead == 0 else 'cannot tell'"
            ),
            "One seed was far ahead",
        ),
        (
            VERDICT.format(
                "low, high = mean_interval(theirs - ours)[1:]\n"
                "    return 'better' if low > 0 else 'worse' if high < 0 else 'cannot tell'"
            ),
            "where behind, 'worse'",
        ),
        (VERDICT.format("return mean_interval(ours - theirs)[1] > 0"), "Three words are possible"),
    ],
    "q4": [
        (UNTIL.format("return times[(accuracies >= goal).argmax()]"), "the first epoch reached 0.95"),
        (UNTIL.format("return (accuracies >= goal).argmax()"), "the number of an epoch"),
        (UNTIL.format("return times[accuracies > goal].min()"), "0.8 is reached with 0.8"),
        (UNTIL.format("return times[accuracies.argmax()]"), "That the accuracy fell again"),
        (UNTIL.format(FIRST.format("times[-1]")), "No epoch reached 0.95"),
        (
            UNTIL.format(
                "ok = accuracies[-1] >= goal\n    return times[(accuracies >= goal).argmax()] if ok else np.inf"
            ),
            "That a run ends below it does not matter",
        ),
        (UNTIL.format("return times[(accuracies < goal).sum()]"), "after the one that was good enough"),
        (UNTIL.format(FIRST.format("'inf'")), "One number is expected here, not 'inf'"),
        (UNTIL.format(FIRST.format("None")), "a value is expected"),
    ],
    "q5": [
        ("cause = 'too few pictures'", "has the same pictures"),
        ("cause = 'steps too large'", "It stands still"),
        ("cause = 'learned by heart'", "`val` would fall"),
        ("cause = 'BatchNorm'", "Choose one of"),
    ],
    "q6": [
        ("my_plan = ('from scratch, textbook', 122)", "That comes to 64.1% only"),
        ("my_plan = ('frozen', 20)", "the interval begins at 79.7%"),
        ("my_plan = ('fine-tuned', 122)", "50 pictures of each class can be enough"),
        ("my_plan = ('frozen', 30)", "30 pictures of each class were not measured"),
        ("my_plan = ('probe', 50)", "'probe' was not measured"),
        ("my_plan = 'frozen'", "Two things are expected"),
    ],
}

RIGHT = {
    "q1": [f"my_guess = {GUESS | {'frozen': 'Far above'}}"],
    "q2": ["pictures_enough = 16"],
    "q3": [
        VERDICT.format(
            "from scipy.stats import ttest_rel\n"
            "    if ttest_rel(ours, theirs).pvalue > 0.05:\n"
            "        return 'cannot tell'\n"
            "    return 'better' if ours.mean() > theirs.mean() else 'worse'"
        )
    ],
    "q4": [
        UNTIL.format("return min(times[accuracies >= goal], default=float('inf'))"),
        UNTIL.format(FIRST.format("float('inf')")),
    ],
    "q6": ["my_plan = ['fine-tuned', 50]"],
}
