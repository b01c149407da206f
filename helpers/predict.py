"""Predictions of a saved model for new images.

python -m helpers.predict MODEL IMAGE...
"""

import argparse
import sys

from helpers.errors import LessonError
from helpers.inference import load_saved


def main() -> int:
    """Prints a line for each picture; the exit status is 1 where one could not be read."""
    parser = argparse.ArgumentParser(prog="python -m helpers.predict", description=__doc__.partition("\n")[0])
    parser.add_argument("model", metavar="MODEL", help="a file of helpers.inference.save_model")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="pictures")
    arguments = parser.parse_args()
    try:
        model = load_saved(arguments.model)
    except LessonError as error:
        sys.exit(str(error))
    failed = 0
    for path in arguments.images:
        try:
            name, probability = next(iter(model.predict(path).items()))
            print(f"{path}  {name} {probability:.1%}")
        except LessonError as error:
            print(error, file=sys.stderr)
            failed += 1
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
