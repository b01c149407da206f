"""A page in the browser that asks a trained model about an image (lesson 10).

python -m helpers.app MODEL
python -m helpers.app              EfficientNet-Lite0 with its own thousand classes
"""

import argparse
import asyncio
import io
import os
import sys
import webbrowser
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, ImageOps
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler, StaticFileHandler

from helpers import ROOT
from helpers.classifier import Classifier, load
from helpers.errors import LessonError
from helpers.images import load_image

PAGE = ROOT / "helpers" / "page"
MAX_UPLOAD = 20_000_000  # bytes: a large photograph of a telephone
PATIENCE_S = 60  # for an upload to arrive
SHOWN = 320  # pixels: the longer side of the picture that goes back
HEADERS = {
    # The page may load what this server sends, and nothing else.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Judge:
    """Answers uploads with one model; several threads may ask.

    Args:
        model: loaded once. Of a model that PyTorch runs, the answer comes with a Grad-CAM map.
    """

    def __init__(self, model: Classifier):
        self.model, self.lock = model, Lock()

    def __call__(self, content: bytes) -> dict[str, Any]:
        """What the page shows of an upload; nothing of it is kept.

        Raises:
            LessonError: it is no image that can be read.
        """
        image = load_image(content)
        with self.lock:  # one at a time: each uses all cores, and Grad-CAM hooks into the network
            answer = self.model.predict(image)
            picture = self._map(image, next(iter(answer)))
        mapped = picture is not None
        best = next(iter(answer.values()))
        return {
            "probabilities": list(answer.items()),
            "sure": best >= self.model.threshold,
            "mapped": mapped,
            "picture": _data_url(picture or image),
        }

    def _map(self, image: Image.Image, name: str) -> Image.Image | None:
        """What the network saw, bright where it speaks for the class; None for a model that PyTorch does not run."""
        network = getattr(self.model, "network", None)
        if network is None:
            return None
        from helpers.explain import grad_cam  # these need PyTorch, and an ONNX file runs without it
        from helpers.inference import SavedModel
        from helpers.transforms import denormalise, eval_transform

        assert isinstance(self.model, SavedModel)
        x = eval_transform(self.model.preprocessing)(image)[None]
        places = grad_cam(network, x, [self.model.class_names.index(name)])[0].numpy()
        seen = denormalise(x, self.model.preprocessing)[0].permute(1, 2, 0).numpy()
        return Image.fromarray((255 * seen * (0.35 + 0.65 * places[..., None])).round().astype(np.uint8))


def _data_url(image: Image.Image) -> str:
    """A small JPEG of an image, as a page can show it."""
    file = io.BytesIO()
    ImageOps.contain(image, (SHOWN, SHOWN)).save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"


class Guarded(RequestHandler):
    """Sends `HEADERS` with every answer."""

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)


class Page(Guarded, StaticFileHandler):
    """The files of the page."""


class Facts(Guarded):
    """What the page has to know before anybody asks."""

    def initialize(self, model: Classifier) -> None:
        self.model = model

    def get(self) -> None:
        self.write({"class_names": self.model.class_names, "max_upload": MAX_UPLOAD})


class Predict(Guarded):
    """Takes the bytes of an image, and answers with probabilities; with one line where it cannot be read."""

    def initialize(self, judge: Judge, pool: ThreadPoolExecutor) -> None:
        self.judge, self.pool = judge, pool

    async def post(self) -> None:
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self.pool, self.judge, self.request.body)
        except LessonError as error:
            self.set_status(400)
            answer = {"error": str(error)}
        self.write(answer)


def imagenet_classifier() -> Classifier:
    """EfficientNet-Lite0 as it was pretrained, with the thousand classes of ImageNet, as timm names them."""
    from timm.data.imagenet_info import ImageNetInfo

    from helpers.inference import SavedModel
    from helpers.models import load_model
    from helpers.weights import preprocessing_of

    info, network = ImageNetInfo(), load_model("imagenet").eval()
    names = [info.index_to_description(index) for index in range(1000)]
    # Two classes are called crane, a bird and a machine.
    names = [
        info.index_to_description(index, detailed=True) if names.count(name) > 1 else name
        for index, name in enumerate(names)
    ]
    return SavedModel(network, str(network.architecture), names, preprocessing_of("imagenet"), pretrained="imagenet")


def make_server(model: Classifier) -> HTTPServer:
    """A server of tornado that has loaded `model` once; `listen(port, address)` starts it in a running event loop.

    Uploads are limited to `MAX_UPLOAD` bytes, and to `PATIENCE_S` seconds.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    routes: list[Any] = [
        ("/predict", Predict, {"judge": Judge(model), "pool": pool}),
        ("/model", Facts, {"model": model}),
        ("/(.*)", Page, {"path": PAGE, "default_filename": "index.html"}),
    ]
    application = Application(routes, log_function=lambda handler: None)  # nobody is recorded
    return HTTPServer(
        application,
        max_body_size=MAX_UPLOAD,
        max_buffer_size=2 * MAX_UPLOAD,
        body_timeout=PATIENCE_S,
        idle_connection_timeout=PATIENCE_S,
    )


async def serve(model: Classifier, host: str, port: int, browser: bool) -> None:
    """Listen until the process is ended.

    Args:
        model: as `helpers.classifier.load` reads it.
        host: `127.0.0.1` for this machine alone, `0.0.0.0` for its whole network.
        port: 0 takes one that is free.
        browser: whether to open the page.
    """
    sockets = bind_sockets(port, host)
    make_server(model).add_sockets(sockets)
    address = f"http://{host}:{sockets[0].getsockname()[1]}/"
    print(f"{address} answers until Ctrl+C.", flush=True)
    if browser:
        webbrowser.open(address)
    await asyncio.Event().wait()


def main() -> int:
    """Says where the page is, and serves it."""
    arguments = _arguments()
    try:
        model = load(arguments.model) if arguments.model else imagenet_classifier()
    except LessonError as error:
        sys.exit(str(error))
    if not model.threshold:
        print('The model has no threshold: it is never "not sure".', file=sys.stderr)
    try:
        if not 0 <= arguments.port < 2**16:
            raise OverflowError("there are ports from 0 to 65535")
        asyncio.run(serve(model, arguments.host, arguments.port, not arguments.no_browser))
    except (OSError, OverflowError) as error:  # in use, or no port at all
        sys.exit(f"Cannot listen on {arguments.host}, port {arguments.port} ({error}); --port takes another.")
    except KeyboardInterrupt:
        print()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m helpers.app", description=__doc__.partition("\n")[0])
    files = "a file of helpers.inference.save_model or helpers.export (EfficientNet-Lite0 with ImageNet's classes)"
    parser.add_argument("model", metavar="MODEL", nargs="?", help=files)
    parser.add_argument("--host", default="127.0.0.1", help="where to listen; 0.0.0.0 lets others in (127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 takes one that is free (8000)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
