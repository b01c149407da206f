"""Prints the lessons as one PDF, build/book.pdf, from their committed outputs; nothing in them is run.

python -m tools.book      `make book` calls it; a chromium prints it
"""

import sys
from pathlib import Path
from textwrap import dedent

from sphinx.cmd.build import build_main

from tools import environment, web_pages
from tools.chromium import CHROMIUM, running_chromium
from tools.environment import ROOT

BOOK = ROOT / "build" / "book.pdf"
PAGES, FILES, BUILT = (ROOT / "build" / f"book-{name}" for name in ("pages", "files", "html"))
CONTENTS = dedent("""\
    # Transfer learning, step by step

    Lessons with PyTorch and torchvision. Hints and solutions of the exercises are in the notebooks.

    ```{toctree}
    :glob:
    :maxdepth: 1

    *
    ../glossary
    ```
    """)
FOOT = '<p style="width: 100%; text-align: center; font-size: 8px"><span class="pageNumber"></span></p>'


def build(pdf: Path = BOOK) -> None:
    """Write the book.

    Raises:
        SystemExit: there is no chromium, or Sphinx has found something wrong; it is said.
    """
    if CHROMIUM is None:
        sys.exit("The book is printed by chromium, which is not here. The site needs none: `make site`.")
    web_pages.put_together(PAGES, FILES)
    # Beside the lessons, whose pictures stay where they are from there.
    (PAGES / "notebooks" / "book.md").write_text(CONTENTS, encoding="utf-8")
    elsewhere = "suppress_warnings=myst.header,toc.not_included"  # the other pages are read for links to them
    options = [elsewhere, "root_doc=notebooks/book", f"html_extra_path={FILES}"]
    settings = ["-c", str(ROOT / "site"), *(word for option in options for word in ("-D", option))]
    if build_main(["-q", "-b", "singlehtml", *settings, "-d", f"{PAGES}-doctrees", str(PAGES), str(BUILT)]):
        sys.exit("The book could not be put together, see above.")
    with running_chromium() as browser:
        page = browser.new_page()
        page.goto((BUILT / "notebooks" / "book.html").as_uri(), wait_until="networkidle")
        page.pdf(
            path=pdf,
            format="A4",
            margin={"top": "15mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOT,
            outline=True,
            tagged=True,
        )


def main() -> None:
    environment.enter()
    build()
    print(BOOK.relative_to(ROOT))


if __name__ == "__main__":
    main()
