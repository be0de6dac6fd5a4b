"""HEIC, as telephones write photographs: read where pillow-heif is installed, which the extra `heif` brings."""

from __future__ import annotations

from typing import BinaryIO

from toolbox.io.errors import UserError

_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1")


def know_heif(file: BinaryIO) -> None:
    """Teach Pillow HEIC if that is what the file holds; its position stays.

    Raises:
        UserError: without a file's name, where the package is missing.
    """
    place = file.tell()
    start = file.read(12)
    file.seek(place)
    if start[4:8] != b"ftyp" or start[8:12] not in _BRANDS:
        return
    try:
        from pillow_heif import register_heif_opener  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise UserError("HEIC needs another package: pip install 'gan-toolbox[heif]'") from None
    register_heif_opener()
