"""docs/browser in a browser: an exported network there gives PyTorch's picture."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from toolbox.assembly.export_graph import export_graph
from toolbox.assembly.loading import trained_network
from toolbox.inference import load
from toolbox.io.images import read_image

ROOT = Path(__file__).parents[2]
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
DIST = os.environ.get("ONNXRUNTIME_WEB", "")
"""The folder `dist` of npm's onnxruntime-web; `.ci/run` fetches it for this test."""


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map = {**SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript", ".wasm": "application/wasm"}

    def log_message(self, *_: object) -> None:
        """Nothing is told."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The page's folder, served."""
    shutil.copy(ROOT / "docs/browser/index.html", tmp_path)
    for name in RUNTIME:
        shutil.copy(Path(DIST) / name, tmp_path)
    export_graph(trained_network("enlarge-x4"), "onnx", tmp_path / "model.onnx")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(not DIST, reason="ONNXRUNTIME_WEB does not name the folder dist of npm's onnxruntime-web")
def test_the_page_enlarges_a_photograph_as_pytorch_does(site: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    photograph = read_image(ROOT / "configs/demo/photos/test/coffee.jpg")[60:140, 100:180]
    wanted = load("enlarge-x4")(photograph)
    flat = [*np.dstack([photograph, np.full((80, 80), 255, np.uint8)]).ravel().tolist()]
    program = next(found for name in ("chromium", "chromium-browser") if (found := shutil.which(name)))
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(site)
        page.get_by_text("ready").wait_for(timeout=60_000)
        made = page.evaluate(
            "async (flat) => { const made = await window.enlarge(new ImageData(Uint8ClampedArray.from(flat), 80, 80));"
            " return [made.width, made.height, [...made.data]]; }",
            flat,
        )
        browser.close()
    assert not said and made[:2] == [320, 320]
    there = np.array(made[2], np.uint8).reshape(320, 320, 4)[..., :3]
    assert np.abs(there.astype(int) - wanted.astype(int)).max() <= 1
