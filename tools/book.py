"""Prints the lessons as one PDF, build/book.pdf, from their committed outputs; nothing in them is run.

python -m tools.book      `make book` calls it; a chromium prints it
"""

import sys
from pathlib import Path
from textwrap import dedent

from tools import environment, web_edition, web_pages
from tools.browser import CHROMIUM, running
from tools.environment import ROOT

BOOK = ROOT / "build" / "book.pdf"
PAGES, FILES, BUILT = (ROOT / "build" / f"book-{name}" for name in ("pages", "files", "html"))
CONTENTS = dedent("""\
    # Transfer learning, step by step

    Lessons with PyTorch and torchvision. Hints and solutions of the exercises are in the notebooks.

    ```{toctree}
    :glob:
    :maxdepth: 1

    notebooks/*
    glossary
    ```
    """)
FOOT = '<p style="width: 100%; text-align: center; font-size: 8px"><span class="pageNumber"></span></p>'
# Pictures that wait until they are scrolled to would not come. A link to what is in the book jumps there; the rest is
# on the web. Sphinx writes both as `#document-PAGE#PLACE`.
FOR_PAPER = """([here, home]) => {
    for (const picture of document.images) picture.loading = "eager";
    for (const link of document.links) {
        const [, page, place] = /^#document-([^#]+)(#.+)?$/.exec(link.getAttribute("href")) ?? [];
        if (!page) {
            if (link.pathname !== location.pathname) link.href = link.href.replace(here, home);
        } else if (!document.getElementById(`document-${page}`)) link.href = `${home}${page}.html${place ?? ""}`;
        else if (place) link.href = place;
    }
}"""


def build(pdf: Path = BOOK) -> None:
    """Write the book.

    Raises:
        SystemExit: there is no chromium, or Sphinx has found something wrong; it is said.
    """
    if CHROMIUM is None:
        sys.exit("The book is printed by chromium, which is not here. The site needs none: `make site`.")
    web_pages.put_together(PAGES, FILES)
    (PAGES / "book.md").write_text(CONTENTS, encoding="utf-8")
    others = "suppress_warnings=myst.header,toc.not_included"  # the other pages are read for links to them
    web_edition.render(PAGES, FILES, BUILT, "-b", "singlehtml", "-D", "root_doc=book", "-D", others)
    html = BUILT / "book.html"
    # The pictures of explorers, as they are seen from a lesson's own page.
    html.write_text(html.read_text(encoding="utf-8").replace('"../_static/', '"_static/'), encoding="utf-8")
    with running() as browser:
        page = browser.new_page()
        page.goto(html.as_uri(), wait_until="networkidle")
        page.evaluate(FOR_PAPER, [f"{BUILT.as_uri()}/", web_pages.HOME])
        page.wait_for_load_state("networkidle")
        page.pdf(
            path=pdf,
            format="A4",
            scale=0.75,  # a line of code is as wide as the page
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
