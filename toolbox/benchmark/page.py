"""The pages of benchmarks and runs: an HTML file with its own style, script, numbers and pictures asks for nothing."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from PIL import Image

from toolbox.io.errors import UserError
from toolbox.io.files import replace_text
from toolbox.io.images import read_image

TEMPLATE = Path(__file__).with_suffix("")
"""The folder of page.html, page.css and the scripts."""
SCRIPTS = ("elements.js", "charts.js", "samples.js", "page.js")
KEPT = {".webp": "image/webp", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
"""Pictures that go into the page as they are; the others become WebP without loss."""


def write_page(report: Mapping[str, Any], folder: Path, path: Path) -> None:
    """Write a benchmark's report (its content stands in docs/benchmark.md) as one self-contained HTML file.

    The pictures that `samples` names are read below `folder`; the page says which are missing. Whatever the report
    holds reaches the page as text: names from configs and plugins are never read as HTML. Raises OSError where the disk
    refuses.
    """
    write_html(str(report.get("title") or "Benchmark"), {**report, "pictures": pictures(report, folder)}, path, SCRIPTS)


def write_html(title: str, content: Mapping[str, Any], path: Path, scripts: Sequence[str]) -> None:
    """Write content as one self-contained HTML file, drawn by scripts of the template; no other script runs in it."""
    script = "\n".join(read(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(f"\n{script}".encode()).digest()).decode()
    parts = {
        "title": html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        "policy": f"sha256-{digest}",  # so that no other script runs, whatever came into the page
        "style": read("page.css"),
        "report": as_script(finite(content)),
        "script": script,
    }
    replace_text(path, re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], read("page.html")))  # one pass


def as_script(content: Any) -> str:
    """JSON that ends no <script> early; ASCII, so U+2028, U+2029 and lone surrogates are escaped too."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def pictures(report: Mapping[str, Any], folder: Path) -> dict[str, str | None]:
    """Every sample's path and its data: URI; None where there is no such picture."""
    paths = dict.fromkeys(
        path
        for sample in report.get("samples") or []
        for path in [*sample["versions"].values(), *(cell[2] for cell in sample["cells"])]
    )
    return {path: embedded(folder / path) for path in paths}


def embedded(file: Path) -> str | None:
    """One picture as a data: URI, every pixel as it was; None if it is missing or damaged."""
    try:
        array = read_image(file)
    except UserError:
        return None
    kind = KEPT.get(file.suffix.lower())
    if kind:
        return data_uri(kind, file.read_bytes())
    packed = io.BytesIO()
    Image.fromarray(array).save(packed, "WEBP", lossless=True)  # two thirds of a PNG's bytes
    return data_uri("image/webp", packed.getvalue())


def data_uri(kind: str, data: bytes) -> str:
    """Bytes as a data: URI of a media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def finite(value: Any) -> Any:
    """The same with None for NaN and infinities, which JSON has not: the page shows no number there."""
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def read(name: str) -> str:
    """One file of the template."""
    return (TEMPLATE / name).read_text(encoding="utf-8")
