"""What lies where a file should be: a download that was a page, a pointer of Git LFS, or nothing at all."""

from __future__ import annotations

import re
from pathlib import Path

from toolbox.io.errors import UserError
from toolbox.io.files import open_regular
from toolbox.io.search import way_to_convert

_START = 512
_PAGE = re.compile(rb"(?:<\?xml[^>]*>|<!--.*?-->|\s)*<(?:!doctype html|html|head|error)\b", re.IGNORECASE | re.DOTALL)
"""How pages begin, and what stores answer in XML where a link has expired."""
_OTHERS = {
    ".jxl": rb"\xff\x0a|\x00\x00\x00\x0cJXL ",
    ".exr": rb"v/1\x01",
    ".hdr": rb"#\?R(?:ADIANCE|GBE)\n",
    ".pdf": rb"%PDF-",
    ".xcf": rb"gimp xcf ",
    ".raf": rb"FUJIFILMCCD-RAW",
    ".cr3": rb"....ftypcrx ",
    ".svg": rb"(?:<\?xml[^>]*>|<!DOCTYPE svg[^>]*>|<!--.*?-->|\s)*<svg\b",
}
"""How pictures begin that are not read, by the suffix that they should have."""

_PICTURES = {
    ".gif": rb"GIF8[79]a", ".png": rb"\x89PNG\r\n", ".jpg": rb"\xff\xd8\xff", ".webp": rb"RIFF....WEBP",
    ".tif": rb"II\*\x00|MM\x00\*", ".avif": rb"....ftypavi[fs]",
}  # fmt: skip
_FILMS = {
    ".mp4": rb"....ftyp(?!avi[fs]|he[iv]|mif1|msf1|crx |jp[2xm]|M4[AB])", ".mkv": rb"\x1a\x45\xdf\xa3",
    ".avi": rb"RIFF....AVI ", ".flv": rb"FLV\x01",
}  # fmt: skip
"""How pictures and films begin that are read, by the suffix that makes them so."""


def picture_of_another_name(path: Path) -> str | None:
    """That what should be a film is a picture; None where its start does not tell."""
    return _renamed(path, _PICTURES, "a picture, and no film")


def film_of_another_name(path: Path) -> str | None:
    """That what should be a picture is a film; None where its start does not tell."""
    return _renamed(path, _FILMS, "a film, and no picture")


def _renamed(path: Path, kinds: dict[str, bytes], what: str) -> str | None:
    try:
        with open_regular(path) as file:
            start = file.read(16)
    except (OSError, UserError):
        return None
    suffix = next((suffix for suffix, begins in kinds.items() if re.match(begins, start, re.DOTALL)), None)
    return f"is {what}; rename it to end in {suffix}" if suffix else None


def impostor(path: Path) -> str | None:
    """Why a file is no picture, film or weights, and what fetches the real one; None where its start does not tell."""
    try:
        with open_regular(path) as file:
            start = file.read(_START)
    except (OSError, UserError):
        return None
    start = start.removeprefix(b"\xef\xbb\xbf")
    if not start:
        return "is empty, 0 bytes: a copy or download that broke off; fetch it again"
    if start.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself; `git lfs pull` fetches it"
    if start.startswith(b"PF\n"):
        return "is a PFM in colour, which is not read; make a TIFF of floats of it"
    if start.startswith(b"P7\n"):
        return "is a PAM, which is not read; make a PNG of it"
    for suffix, begins in _OTHERS.items():
        if re.match(begins, start, re.DOTALL) and (way := way_to_convert(path.with_suffix(suffix))):
            named = "" if path.suffix.lower() == suffix else f"is a picture of another kind, {suffix}; renamed to it, "
            return named + way
    if _PAGE.match(start):
        return "is a web page, not the file: its address led to a page; download the file itself"
    return None
