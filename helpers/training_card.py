"""A page about a trained model, for whoever is given its file (after Mitchell et al., 2019; lessons 10, 11)."""

from collections.abc import Mapping, Sequence


def training_card(
    name: str,
    class_names: Sequence[str],
    facts: Mapping[str, str],
    results: Mapping[str, str],
    limits: Sequence[str],
) -> str:
    """The page, in Markdown.

    Args:
        name: of the model's file.
        class_names: what it can answer.
        facts: how it was made: its images, weights, preprocessing and recipe, each by its name.
        results: what was measured on which images, with intervals.
        limits: sentences on what it cannot do.
    """
    return "\n".join(
        [
            f"# {name}",
            "",
            f"An image classifier with {len(class_names)} classes: {', '.join(class_names)}.",
            "",
            "## How it was made",
            "",
            *(f"- **{key}**: {value}" for key, value in facts.items()),
            "",
            "## What was measured",
            "",
            "Accuracy, with its 95 % interval.",
            "",
            *(f"- **{key}**: {value}" for key, value in results.items()),
            "",
            "## Limits",
            "",
            *(f"- {limit}" for limit in limits),
            "",
        ]
    )
