"""Interactive explorers that also read without a kernel: as a picture on GitHub, as a line of text in tests."""

import io
from base64 import b64encode
from collections.abc import Callable
from html import escape
from types import SimpleNamespace

import ipywidgets
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


class Explorer:
    """A picture that follows some controls.

    Args:
        draw: takes the controls' values by name; returns the figure and a sentence that says what it shows.
        controls: ipywidgets by name, as in `size=ipywidgets.IntSlider(...)`.

    Attributes:
        controls: the controls by name; `explorer.controls.size.value = 9` moves one.
        text: the sentence that belongs to the picture.
    """

    def __init__(self, draw: Callable[..., tuple[Figure, str]], **controls: ipywidgets.Widget):
        self.draw = draw
        self.controls = SimpleNamespace(**controls)
        self.text = ""
        self._image = ipywidgets.Image(format="png")
        self._caption = ipywidgets.HTML()
        self._box = ipywidgets.VBox([*controls.values(), self._image, self._caption])
        for name, control in controls.items():
            control.description = control.description or name.replace("_", " ")
            control.style.description_width = "initial"
            control.observe(self._update, "value")
        self._update()

    def _update(self, _change=None) -> None:
        figure, self.text = self.draw(**{name: control.value for name, control in vars(self.controls).items()})
        png = io.BytesIO()
        figure.savefig(png, format="png", bbox_inches="tight")
        plt.close(figure)
        self._image.value = png.getvalue()
        self._caption.value = escape(self.text)

    def _repr_mimebundle_(self, **kwargs) -> dict:
        live = self._box._repr_mimebundle_(**kwargs)
        png = b64encode(self._image.value).decode()
        return {**live, "image/png": png, "text/plain": self.text}
