"""What OpenVINO's files may hold: standard layers, and no entities that an XML reader would follow."""

from __future__ import annotations

import re
from pathlib import Path

from toolbox import UserError
from toolbox.io.files import refuse_special

LARGEST_FILE = 64 << 20
"""Bytes of an `.xml`, which holds no weights."""
LARGEST = 2**28
"""Numbers along one side of a constant."""


def refuse_hostile(file: Path) -> None:
    """Raise UserError for files that are no network of OpenVINO's, or ask for more than they hold."""
    weights = file.with_suffix(".bin")
    refuse_special(file)
    if not weights.is_file():
        raise UserError(f"{file}: {weights.name} must lie beside it; it holds the weights")
    refuse_special(weights)
    if file.stat().st_size > LARGEST_FILE:
        raise UserError(f"{file}: has {file.stat().st_size:,} bytes, too many for a network's layers")
    text = file.read_text(encoding="utf-8", errors="replace")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError(f"{file}: holds XML entities, which no exporter writes; refused")
    if "<net " not in text[:4096]:
        raise UserError(f"{file}: is no network of OpenVINO's")
    size = weights.stat().st_size
    for offset, length in re.findall(r'offset="(\d{1,40})"[^>]*?size="(\d{1,40})"', text):
        if int(offset) + int(length) > size:
            raise UserError(f"{file}: a constant lies beyond the end of {weights.name}, which has {size:,} bytes")
    for sides in re.findall(r'shape="([\d, ]{1,400})"', text):
        if any(int(side) > LARGEST for side in sides.replace(",", " ").split()):
            raise UserError(f"{file}: a constant of shape {sides[:60]} is absurd; refused")
    for version in set(re.findall(r'<layer [^>]*?version="([^"]{1,40})"', text)):
        if not re.fullmatch(r"opset\d{1,2}", version):
            raise UserError(f"{file}: asks for layers of '{version}', which are no standard ones")
