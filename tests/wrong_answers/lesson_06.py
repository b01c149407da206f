"""What learners of lesson 06 may answer."""

FAIR = {"A": "fair", "B": "classifier", "C": "tuning", "D": "steps", "E": "seeds"}
VERDICT = "def verdict(ours, theirs):\n    {}"
BY_INTERVAL = (
    "difference = ours - theirs\n"
    "    half = {half}\n"
    "    return 'better' if difference.mean() > half else 'worse' if difference.mean() < -half else 'cannot tell'"
)
UNTIL = "def seconds_until(times, accuracies, goal):\n    {}"
FIRST = "return next((t for t, a in zip(times, accuracies) if a >= goal), {})"
RUNS = "my_ours = {}\nmy_theirs = {}\nmy_finding = '{}'"
SOME = "np.array([0.8, 0.82, 0.79, 0.83, 0.81])"

WRONG = {
    "q1": [
        (f"comparisons = {FAIR | {'A': 'steps'}}", "A: each side gets the same loop"),
        (f"comparisons = {FAIR | {'B': 'fair'}}", "B: the inputs differ"),
        (f"comparisons = {FAIR | {'C': 'seeds'}}", "C: one side chose the best of five rates"),
        (f"comparisons = {FAIR | {'D': 'fair'}}", "D: the same number is not enough"),
        (f"comparisons = {FAIR | {'E': 'steps'}}", "E: the best of ten tries is lucky"),
        (f"comparisons = {FAIR | {'E': 'luck'}}", "E: choose one of 'classifier', 'fair'"),
    ],
    "q2": [
        (VERDICT.format("return 'better' if ours.mean() > theirs.mean() else 'worse'"), "look at the means only?"),
        (
            VERDICT.format(
                "low, high = mean_interval(ours)[1:]\n"
                "    return 'better' if low > mean_interval(theirs)[2] "
                "else 'worse' if high < mean_interval(theirs)[1] else 'cannot tell'"
            ),
            "Both methods rise and fall together",
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
        (
            VERDICT.format(BY_INTERVAL.format(half="1.96 * difference.std(ddof=1) / len(ours) ** 0.5")),
            "Student's distribution asks for 2.8",
        ),
        (VERDICT.format(BY_INTERVAL.format(half="difference.std(ddof=1)")), "Student's distribution asks for 2.8"),
        (VERDICT.format(BY_INTERVAL.format(half="1.25 * difference.std(ddof=1)")), "Does it count the seeds?"),
        (VERDICT.format(BY_INTERVAL.format(half="max(0.015, difference.std(ddof=1))")), "can be significant"),
    ],
    "q3": [
        ("sixth_training = mean_interval(np.array([84, 88, 86, 90, 82]))[1:]", "That is the interval of the mean"),
        ("sixth_training = (82, 90)", "From the smallest to the largest"),
        ("sixth_training = (79.8, 92.2)", "1.96 would be right with very many trainings"),
        ("sixth_training = (77.22, 94.78)", "the root of 1 + 1/n is missing"),
        ("sixth_training = (77.4, 94.6)", "Divide the squares by n - 1"),
        ("sixth_training = (76.4, 90)", "The centre of the interval is the mean of the five, 86"),
        ("sixth_training = prediction_interval(np.array([84, 88, 86, 90, 82]))", "Two numbers are expected"),
        ("sixth_training = 86", "Two numbers are expected"),
        ("sixth_training = (84, 88)", "Your interval reaches 2.0 points to each side"),
    ],
    "q4": [
        ("images_enough = 10", "At 10 the curve of the frozen network is at about 78%"),
        ("images_enough = 12", "At 12 the curve of the frozen network is at about 79%"),
        ("images_enough = 40", "Of each class, not of both together"),
        ("images_enough = 50", "more than it needs"),
        ("images_enough = 122", "more than it needs"),
        ("images_enough = 'a sixth'", "One number is expected here"),
    ],
    "q5": [
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
    "q6": [
        (RUNS.format("0.8", "0.7", "better"), "One accuracy for each seed is expected"),
        (RUNS.format("[0.8, 0.9, 0.8]", "[0.7, 0.6, 0.7]", "better"), "at least five"),
        (RUNS.format(SOME, "np.array([0.7, 0.8, 0.7, 0.8])", "better"), "pairs need the same seeds"),
        (RUNS.format(f"100 * {SOME}", SOME, "better"), "Accuracies lie between 0 and 1"),
        (RUNS.format(SOME, SOME, "cannot tell"), "Both sides are equal"),
        (RUNS.format("[0.8] * 5", "[0.7] * 5", "better"), "Does each one use another seed?"),
        (RUNS.format(SOME, f"{SOME}[::-1]", "better"), "Does that make it 'better'?"),
        (RUNS.format(SOME, f"{SOME} - 0.1 * {SOME}", "cannot tell"), "Does that make it 'cannot tell'?"),
        (RUNS.format(SOME, f"{SOME} - 0.1 * {SOME}", "frozen"), "my_finding is one of"),
    ],
    "q7": [
        ("my_plan = ('from scratch, textbook', 122)", "That comes to 64.1% only"),
        ("my_plan = ('frozen', 20)", "the next training may come to"),
        ("my_plan = ('fine-tuned', 50)", "Does another method need none for `val`"),
        ("my_plan = ('fine-tuned', 122)", "50 images of each class can be enough"),
        ("my_plan = ('frozen', 30)", "30 images of each class were not measured"),
        ("my_plan = ('probe', 50)", "'probe' is no curve of the figure"),
        ("my_plan = ('fine-tuned, one cycle', 122)", "'fine-tuned, one cycle' is no curve of the figure"),
        ("my_plan = ('frozen', 'fifty')", "One number is expected here"),
        ("my_plan = 'frozen'", "Two things are expected"),
    ],
}

RIGHT = {
    "q1": [f"comparisons = {FAIR | {'A': 'Fair.'}}"],
    "q2": [
        VERDICT.format(
            "from scipy.stats import ttest_rel\n"
            "    if ttest_rel(ours, theirs).pvalue > 0.05:\n"
            "        return 'cannot tell'\n"
            "    return 'better' if ours.mean() > theirs.mean() else 'worse'"
        ),
        VERDICT.format(
            BY_INTERVAL.format(half="student.ppf(0.975, len(ours) - 1) * difference.std(ddof=1) / np.sqrt(len(ours))")
        ),
    ],
    "q3": ["sixth_training = [76.4, 95.6]", "sixth_training = (0.764, 0.956)"],
    "q4": ["images_enough = 16"],
    "q5": [
        UNTIL.format("return min(times[accuracies >= goal], default=float('inf'))"),
        UNTIL.format(FIRST.format("float('inf')")),
    ],
    "q6": [
        RUNS.format("[frozen(20, s) for s in range(5)]", "[frozen(20, s) for s in range(5, 10)]", "cannot tell"),
        RUNS.format(f"{SOME} - 0.1 * {SOME}", SOME, "Worse"),
    ],
    "q7": ["my_plan = ['frozen', 50]", "my_plan = ('frozen', '50')"],
}
