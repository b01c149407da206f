"""Numbers as the commands take them on their command lines."""


def natural(text: str) -> int:
    """0 or more; argparse says "invalid natural value" of anything else."""
    if (number := int(text)) < 0:
        raise ValueError
    return number


def positive(text: str) -> int:
    """1 or more."""
    if (number := int(text)) < 1:
        raise ValueError
    return number
