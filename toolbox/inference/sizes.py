"""What results of a scale need, of their formats, of memory and of the disk: told before they are computed."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from toolbox.inference.formats import format_of, problem_of_result
from toolbox.inference.planning import Job

_UNCOMPRESSED = ("BMP", "TGA", "DDS")
_USUAL = {"PNG": 2, "TIFF": 2, "JPEG2000": 3, "GIF": 4, "JPEG": 8, "WEBP": 15, "AVIF": 20}
"""How many times less than its pixels a photograph's file usually takes."""


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
