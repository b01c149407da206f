"""Looks at every image of a folder before a network does, and says what is wrong with which.

python -m helpers.check_folder DIR
"""

import argparse
import sys

from helpers.errors import LessonError
from helpers.own_images import check_folder


def main() -> int:
    """Prints the report; the exit status is 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m helpers.check_folder", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", metavar="DIR", help="one folder of images per class, perhaps in train/ and val/")
    parser.add_argument("--json", action="store_true", help="everything that was found, for programs")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # names that a terminal cannot write
    try:
        found = check_folder(arguments.folder)
    except LessonError as error:
        sys.exit(str(error))
    print(found.as_json() if arguments.json else found)
    return int(any(row.remedy for row in found.rows()))


if __name__ == "__main__":
    sys.exit(main())
