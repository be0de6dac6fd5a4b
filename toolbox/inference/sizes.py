"""What results of a scale need, of their formats, of memory and of the disk: told before they are computed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from toolbox.inference.formats import format_of, problem_of_result
from toolbox.inference.planning import Job
from toolbox.io.errors import UserError
from toolbox.io.files import read_json
from toolbox.weights.shipped import shipped_model, shipped_models

_UNCOMPRESSED = ("BMP", "TGA", "DDS")
_USUAL = {"PNG": 2, "TIFF": 2, "JPEG2000": 3, "GIF": 4, "JPEG": 8, "WEBP": 15, "AVIF": 20}
"""How many times less than its pixels a photograph's file usually takes."""

_NOT_DESCRIBED = (UserError, OSError, ValueError, LookupError, TypeError, StopIteration)
"""Another kind of file, or what loading it will tell."""


def described_scale(weights: Path | None, output: str | None) -> int | None:
    """The scale of exported weights by the description beside them, without reading them; None where none tells."""
    try:
        description, chosen = _described(weights, output)
        if "export" in description:  # a file of another runtime holds all of one output
            return int(description["scale"])
        networks = chosen["networks"] if isinstance(chosen, dict) else chosen[1:]
        return int(description["scale"]) if networks == [description["slot"]] else None
    except _NOT_DESCRIBED:
        return None


def described_labels(weights: Path | None, output: str | None, condition: str) -> list[str] | None:
    """The names that a condition of exported weights knows, by their description; None where none tells."""
    try:
        conditions = _described(weights, output)[1]["conditions"]
        if isinstance(conditions, list):
            conditions = {each["name"]: each for each in conditions}
        return [str(label) for label in conditions[condition]["labels"]]
    except _NOT_DESCRIBED:
        return None


def _described(weights: Path | None, output: str | None) -> tuple[Any, Any]:
    """The description beside weights, and what it says of an output, by default the first."""
    if weights is None:
        raise LookupError
    if not weights.exists() and str(weights) in shipped_models():
        weights = shipped_model(str(weights))
    description = read_json(weights.with_name(f"{weights.name}.json"))
    if "export" in description:
        return description, description
    return description, description["outputs"][output or next(iter(description["outputs"]))]


def problem_of_size(job: Job, scale: float, free: int | None = None) -> str | None:
    """Why a result of `scale` times its input's size cannot be made; `free` are the bytes of memory there are."""
    kind, header = format_of(job.target), job.header
    if kind is None or header is None:
        return None
    width, height = (max(1, round(side * scale)) for side in (header.width, header.height))
    reason = problem_of_result(kind, size=(width, height), colours=3 if kind.name != "TIFF" else 1, alpha=0)
    if reason:
        return f"{job.source}: {reason}, or a smaller --outscale"
    need = width * height * header.bytes_per_pixel * header.frames
    if free is not None and need > free:
        sizes = f"{width:,}x{height:,} pixels needs {need / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free"
        return f"{job.source}: its result of {sizes}; cut it into pieces, or choose a smaller --outscale"
    return None


def note_of_disk(jobs: Iterable[Job], scale: float, folder: Path) -> str | None:
    """That results may not find room on the disk, by what their formats usually take."""
    need = 0.0
    for job in jobs:
        kind, header = format_of(job.target), job.header
        if kind and header:
            pixels = header.width * header.height * scale**2 * header.frames
            need += pixels * header.bytes_per_pixel / (1 if kind.name in _UNCOMPRESSED else _USUAL.get(kind.name, 2))
    free = shutil.disk_usage(folder).free
    if need <= free:
        return None
    return f"-o {folder}: the results may take {need / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free on that disk"
