"""What learners of lesson 10 may answer."""

ACTION = "def best_action(probabilities, costs):\n    {}"
PREPARE = (
    "def prepare(image):\n"
    "    pixels = np.asarray({}, np.float32) / {}\n"
    "    return ((pixels - {}) / {}).transpose({}).astype(np.float32)"
)
HERS = "[0.485, 0.456, 0.406]", "[0.229, 0.224, 0.225]"
OURS = "preprocessing.mean", "preprocessing.std"
SQUASHED = "image.resize((SIZE, SIZE))"
CUT = (
    "image.resize([preprocessing.resize * s // min(image.size) for s in image.size]).crop(\n"
    "        [(preprocessing.resize * s // min(image.size) - SIZE) // 2 for s in image.size]\n"
    "        + [(preprocessing.resize * s // min(image.size) - SIZE) // 2 + SIZE for s in image.size])"
)
SHIP = "ship = '{}'\nagainst = {}"
RIGHT_AGAINST = {"float32": "size", "float16": "latency", "int8 by channel": "nothing", "int8 by layer": "accuracy"}
DRIFTED = "def drifted(reference, current):\n    return {}"
COPY = "my_model = home / 'wrong.onnx'\nmy_model.write_bytes({}.read_bytes())\n"
CARD = "(home / 'wrong.md').write_text({})"

WRONG = {
    "q1": [
        (ACTION.format("return probabilities.argmax()"), "to call a wasp a bee costs 20"),
        (ACTION.format("return (costs @ probabilities).argmin()"), "taken one for the other"),
        (ACTION.format("return 1"), "the most probable class is the best action"),
        (ACTION.format("return (probabilities @ costs).argmax()"), "the most probable class is the best action"),
        (ACTION.format("return 'wasp'"), "An index is expected"),
        (ACTION.format("return (probabilities @ costs)[:2].argmin()"), "more actions than classes"),
        (ACTION.format("pass"), "end with `return`?"),
    ],
    "q2": [
        (PREPARE.format(SQUASHED, 255, *HERS, "2, 0, 1"), "Nothing has changed"),
        (PREPARE.format(SQUASHED, 255, *OURS, "2, 0, 1"), "is squashed"),
        (PREPARE.format(CUT, 255, *HERS, "2, 0, 1"), "mean and std of other weights"),
        (PREPARE.format(CUT, 1, *OURS, "2, 0, 1"), "divide by 255"),
        (PREPARE.format(CUT, 255, *OURS, "0, 1, 2"), "The shape should be (3, 144, 144)"),
        ("prepare = eval_transform(preprocessing.at(224))", "The shape should be"),
        (PREPARE.format(CUT, 255, *OURS, "2, 0, 1") + "[::-1]", "are the colours"),
        ("prepare = lambda image: eval_transform(preprocessing)(image).double()", "takes float32"),
    ],
    "q3": [
        (SHIP.format("float32", RIGHT_AGAINST), "It takes up 13.6 MB"),
        (SHIP.format("float16", RIGHT_AGAINST), "an answer takes 44 ms"),
        (SHIP.format("int8 by layer", RIGHT_AGAINST), "up to 13.1 points"),
        (SHIP.format("int8", RIGHT_AGAINST), "Choose one of"),
        (SHIP.format("int8 by channel", RIGHT_AGAINST | {"float32": "latency"}), "31 ms would do"),
        (SHIP.format("int8 by channel", RIGHT_AGAINST | {"float16": "size"}), "6.9 MB would do"),
        (SHIP.format("int8 by channel", RIGHT_AGAINST | {"int8 by layer": "latency"}), "look at the interval"),
        (SHIP.format("int8 by channel", RIGHT_AGAINST | {"int8 by channel": "size"}), "the one that you ship"),
    ],
    "q4": [
        (DRIFTED.format("True"), "Without any shift it rings in 100%"),
        (DRIFTED.format("False"), "rings in 0% of the weeks only"),
        (DRIFTED.format("current.mean() < reference.mean()"), "Without any shift it rings"),
        (DRIFTED.format("abs(current.mean() - reference.mean()) > 0.06"), "Compare whole samples"),
        (
            "from scipy.stats import ks_2samp\n\n\n" + DRIFTED.format("ks_2samp(reference, current).pvalue < 0.05"),
            "It should in 1 of 100",
        ),
        (DRIFTED.format("None"), "end with `return`?"),
    ],
    "q5": [
        ("my_model = 5", "The path of a file is expected"),
        ("my_model = home / 'nowhere.onnx'", "is not there"),
        ("my_model = home / 'species.safetensors'", "should end in .onnx"),
        ("my_model = home / 'by_hand.onnx'", "lacks its classes"),
        ("my_model = tensors", "takes tensors that are prepared already"),
        (COPY.format("shipped") + "(home / 'wrong.md').unlink(missing_ok=True)", "There is no card"),
        (COPY.format("shipped") + CARD.format("'# Model card'"), "card of another file"),
        (COPY.format("shipped") + CARD.format("text.replace(PURPOSE, 'Not stated.')"), "what the model is for"),
    ],
}

RIGHT = {
    "q1": [
        ACTION.format(
            "expected = [sum(p * row[a] for p, row in zip(probabilities, costs)) for a in range(len(costs[0]))]"
        )
        + "\n    return expected.index(min(expected))",
        ACTION.format("return np.argmin(costs.T @ probabilities)"),
    ],
    "q2": ["prepare = eval_transform(preprocessing)", PREPARE.format(CUT, 255, *OURS, "2, 0, 1")],
    "q4": [
        "from scipy.stats import ks_2samp\n\n\n" + DRIFTED.format("ks_2samp(current, reference)[1] < 0.01"),
        "from scipy.stats import kstest\n\n\n" + DRIFTED.format("kstest(reference, current).pvalue < 0.01"),
        "from scipy.stats import cramervonmises_2samp as test\n\n\n"
        + DRIFTED.format("test(reference, current).pvalue < 0.01"),
    ],
}
