"""npm packages that keep a model of TensorFlow.js as scripts, made up for tests."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from toolbox_plugins.features.inception_v3 import MEMBERS


def described(name: str, shape: list[int], least: float, scale: float) -> str:
    """As a minifier leaves it: no quotes around keys, no zero before a point."""
    sides = ",".join(map(str, shape))
    numbers = (repr(each).replace("0.", ".", 1) if abs(each) < 1 else repr(each) for each in (least, scale))
    quantization = '{{min:{},scale:{},dtype:"uint8"}}'.format(*numbers)
    return f'{{name:"{name}",shape:[{sides}],dtype:"float32",quantization:{quantization}}}'


def packed(path: Path, texts: Mapping[str, str], folder: str = MEMBERS) -> Path:
    """An npm package with the files of a model, hardly compressed."""
    with gzip.open(path, "wb", compresslevel=1) as zipped, tarfile.open(fileobj=zipped, mode="w|") as archive:
        for name, text in {"../../README.md": "# a package", **texts}.items():
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def script(content: bytes) -> str:
    """A part: its bytes in base64, behind a module's preamble."""
    return f'!function(e){{}}({{1:[function(d,h){{h.exports="{base64.b64encode(content).decode()}"}}]}})'


def model(tensors: Mapping[str, Tensor], parts: int = 2) -> dict[str, str]:
    """The scripts of a model whose tensors (uint8) stand for tensor * 0.5 - 3."""
    entries = ",".join(described(name, list(value.shape), -3.0, 0.5) for name, value in tensors.items())
    content = b"".join(value.numpy().tobytes() for value in tensors.values())
    cut = -(-len(content) // parts)
    shards = {
        f"group1-shard{part + 1}of{parts}.min.js": script(content[part * cut : (part + 1) * cut])
        for part in range(parts)
    }
    return {"model.min.js": f'n.exports={{weightsManifest:[{{paths:["a"],weights:[{entries}]}}]}}', **shards}
