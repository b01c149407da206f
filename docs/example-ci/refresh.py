"""python refresh.py: runs every notebook from a fresh kernel and stores its outputs."""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

import conftest  # noqa: F401 - the environment of the tests

KERNEL = {"kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}}

for path in sorted((Path(__file__).parent / "notebooks").glob("*.ipynb")):
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, resources=where, record_timing=False, store_widget_state=False).execute()
    notebook.metadata = nbformat.from_dict(KERNEL)  # no version that differs on the next machine
    nbformat.write(notebook, path)
    print(f"{path.name}: stored")
