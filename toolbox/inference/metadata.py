"""What a file says beside its pixels, XMP, texts and comments, and where each format has a place for it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin

from toolbox.io.files import open_regular

COLOUR_CHUNKS = (b"cICP", b"cHRM", b"gAMA", b"sRGB")
"""How PNG says what its numbers mean; kept from PNG to PNG. PNG specification, third edition, section 11.3.2."""
_XMP_KEY = "XML:com.adobe.xmp"
_NOT_TEXT = (_XMP_KEY, "Raw profile type")
_PLAIN_GAMMA = 45_455
_JPEG_COMMENT, _JPEG_XMP = 65_000, 65_000
_DESCRIPTION, _XMP_TAG = 270, 700


@dataclass(frozen=True)
class Metadata:
    """XMP as bytes; texts by their keys, as PNG holds them; a comment, as JPEG and GIF do; PNG's colour chunks."""

    xmp: bytes | None = None
    texts: tuple[tuple[str, str], ...] = ()
    comment: bytes | None = None
    colour: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def remark(self) -> bytes | None:
        """The comment, or the texts as one, for formats that hold no more."""
        lines = "\n".join(
            value if key in ("Comment", "Description") else f"{key}: {value}" for key, value in self.texts
        )
        return self.comment or (lines.encode() or None)

    @property
    def gamma(self) -> float | None:
        """The exponent that the file's numbers were made with, where it is not that of sRGB: 1.0 is linear light."""
        chunks = dict(self.colour)
        if b"gAMA" not in chunks or b"sRGB" in chunks or b"cICP" in chunks:
            return None
        value = int.from_bytes(chunks[b"gAMA"][:4], "big")  # a damaged chunk may be of any length
        return None if not value or abs(value - _PLAIN_GAMMA) < 500 else value / 100_000


NOTHING = Metadata()


def read_metadata(image: Image.Image, path: Path) -> Metadata:
    """What an opened and loaded file says of itself."""
    xmp, comment = image.info.get("xmp"), image.info.get("comment")
    texts = {}
    if isinstance(image, PngImagePlugin.PngImageFile):
        texts = {key: str(value) for key, value in image.text.items() if not key.startswith(_NOT_TEXT)}
    return Metadata(
        xmp=xmp.encode() if isinstance(xmp, str) else xmp if isinstance(xmp, bytes) and xmp else None,
        texts=tuple(texts.items()),
        comment=comment.encode() if isinstance(comment, str) else comment if isinstance(comment, bytes) else None,
        colour=tuple(_colour_chunks(path)) if image.format == "PNG" else (),
    )


def _colour_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a whole PNG that say what its colours are; they stand before the pixels."""
    with open_regular(path) as file:
        file.seek(8)
        while True:
            size, name = struct.unpack(">I4s", file.read(8))
            if name in (b"IDAT", b"IEND"):
                return
            data = file.read(size)
            file.seek(4, 1)
            if name in COLOUR_CHUNKS:
                yield name, data


def png_info(about: Metadata) -> PngImagePlugin.PngInfo:
    """As Pillow writes it into PNG."""
    info = PngImagePlugin.PngInfo()
    for name, data in about.colour:
        info.add(name, data)
    for key, value in _png_texts(about):
        if key == _XMP_KEY or not _is_latin(value):
            info.add_itxt(key, value)
        else:
            info.add_text(key, value)
    return info


def png_chunks(about: Metadata) -> Iterator[tuple[bytes, bytes]]:
    """The same as chunks: name and data."""
    yield from about.colour
    for key, value in _png_texts(about):
        if key == _XMP_KEY or not _is_latin(value):
            yield b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + value.encode()
        else:
            yield b"tEXt", key.encode("latin-1", "replace") + b"\0" + value.encode("latin-1")


def _png_texts(about: Metadata) -> Iterator[tuple[str, str]]:
    yield from about.texts
    if about.comment and "Comment" not in dict(about.texts):
        yield "Comment", about.comment.decode("utf-8", "replace").replace("\0", "")
    if about.xmp:
        yield _XMP_KEY, about.xmp.decode("utf-8", "replace").rstrip("\0")


def _is_latin(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True


def options_for(kind: str, about: Metadata) -> dict[str, Any]:
    """What Pillow's writer of a format takes of it, PNG and TIFF aside."""
    options: dict[str, Any] = {}
    if about.xmp and (kind in ("WEBP", "AVIF") or (kind == "JPEG" and len(about.xmp) <= _JPEG_XMP)):
        options["xmp"] = about.xmp
    remark = about.remark
    if remark and kind in ("JPEG", "GIF", "JPEG2000"):
        options["comment"] = remark[: _JPEG_COMMENT if kind != "GIF" else 255 * 200]
    return options


def tiff_tags(about: Metadata) -> list[tuple[int, str, int, Any]]:
    """As tags of TIFF: number, type (`s` text, `B` bytes), count, value."""
    tags: list[tuple[int, str, int, Any]] = []
    if about.remark:
        text = about.remark.decode("utf-8", "replace").replace("\0", "")
        tags.append((_DESCRIPTION, "s", 0, text.encode("ascii", "replace").decode()))
    if about.xmp:
        tags.append((_XMP_TAG, "B", len(about.xmp), about.xmp))
    return tags
