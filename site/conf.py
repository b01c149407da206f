"""What Sphinx reads to make the web edition of the pages that `tools.web_edition` puts together."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools import web_pages  # noqa: E402 - only now: Sphinx reads this file from another folder

project = html_title = "Transfer learning, step by step"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["**/ruff.toml"]
templates_path = ["templates"]
show_warning_types = True
nitpicky = False  # docstrings name types of other libraries, whose pages are elsewhere

# The lessons, as they are committed: nothing is run.
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # those would come from another host
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "attrs_inline"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a page of the API has a heading of its own, and then those of docstrings

# The docstrings. What stands between single backticks is code there.
default_role = "literal"
napoleon_use_ivar = True  # attributes of dataclasses are described once
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
add_module_names = False
autodoc_default_options = {"members": True, "undoc-members": False}

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = html_domain_indices = False
html_show_sphinx = html_show_copyright = False
html_favicon = "static/favicon.svg"
html_last_updated_fmt = None  # each page has its own date, below
html_math_renderer = "mathml"
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_selector = "div.cell_input pre, div.highlight-bash pre, div.highlight-python pre"
html_theme_options = {
    "navigation_with_keys": False,
    "light_css_variables": {"color-brand-primary": "#0b5cad", "color-brand-content": "#0b5cad"},
    "dark_css_variables": {"color-brand-primary": "#7fb8f5", "color-brand-content": "#7fb8f5"},
    "top_of_page_buttons": [],
}


def setup(app):
    app.add_html_math_renderer("mathml", (web_pages.visit_math, None), (web_pages.visit_math, None))
    app.connect("doctree-read", web_pages.link_terms)
    app.connect("html-page-context", web_pages.add_to_page)
