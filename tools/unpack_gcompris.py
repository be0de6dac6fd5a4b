"""Takes photographs and paintings out of Debian's gcompris-qt-data, for the small style recipes.

    apt-get download gcompris-qt-data && dpkg-deb -x gcompris-qt-data*.deb unpacked
    python tools/unpack_gcompris.py unpacked data/gcompris

Writes `photos/{a,b,val,test}` (33, 33, 8 and 32 photographs of monuments and animals, each kind split alike, by image)
and `paintings` (8 whole Van Goghs), at most 512 pixels wide or high. The pictures' licences are mixed: use them, don't
publish them.
"""

from __future__ import annotations

import argparse
import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

START = re.compile(rb"\xff\xd8\xff|RIFF....WEBP", re.DOTALL)
"""How a JPEG and a WebP begin."""
SIDE = 512
KINDS = ("monuments", "farm_animals", "world_animals")
"""The `explore_*.rcc` that are taken whole; `erase.rcc` has animals too."""
PARTS = ("a", "b", "test", "a", "b", "test", "a", "b", "test", "val")
VAN_GOGH = (2, 4, 7, 8, 10, 12, 15, 19)
"""Which pictures of `details.rcc` are paintings, in the order of the file (package version 3.1-2)."""


def pictures(rcc: Path) -> Iterator[Image.Image]:
    """Every JPEG and WebP of at least 200 pixels in a Qt resource file, each behind its size (4 bytes, big-endian)."""
    data, end = rcc.read_bytes(), 0
    for found in START.finditer(data):
        start = found.start()
        (size,) = struct.unpack(">I", data[start - 4 : start])
        if start < end or not 100 < size <= len(data) - start:
            continue  # within the last picture, or no picture
        try:
            picture = Image.open(io.BytesIO(data[start : start + size])).convert("RGB")
        except (UnidentifiedImageError, OSError):
            continue
        end = start + size
        if min(picture.size) >= 200:
            yield picture


def save(picture: Image.Image, path: Path) -> None:
    """Shrink to SIDE and write a PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    picture.save(path)


def main() -> None:
    """Read the command line and write the folders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("package", type=Path, help="the unpacked Debian package")
    parser.add_argument("folder", type=Path, help="where to write")
    options = parser.parse_args()
    resources = options.package / "usr/share/gcompris-qt/rcc"
    if not (resources / "explore_monuments.rcc").is_file():
        parser.error(f"{resources}: has no explore_monuments.rcc; unpack gcompris-qt-data there first")
    for source in (*(f"explore_{kind}" for kind in KINDS), "erase"):
        for number, picture in enumerate(pictures(resources / f"{source}.rcc")):
            part = PARTS[number % len(PARTS)]
            save(picture, options.folder / "photos" / part / f"{source.removeprefix('explore_')}_{number:02d}.png")
    for number, picture in enumerate(pictures(resources / "details.rcc")):
        if number in VAN_GOGH:
            save(picture, options.folder / "paintings" / f"van_gogh_{number:02d}.png")


if __name__ == "__main__":
    main()
