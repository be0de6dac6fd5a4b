"""Takes photographs and paintings out of Debian's gcompris-qt-data, for the small style recipes.

    apt-get download gcompris-qt-data && dpkg-deb -x gcompris-qt-data*.deb unpacked
    python tools/unpack_gcompris.py unpacked data/gcompris

Writes `photos/{a,b,val,test}` (33, 33, 8 and 32 photographs of monuments and animals, each kind split alike, by image),
`photos/apart` (120 smaller ones of windmills and dams, tools, fish, monuments and things of the house, from another
source in it, for tests alone) and `paintings` (8 whole Van Goghs), at most 512 pixels wide or high, and
`painters/NAME`: 22 paintings of 300 to 702 pixels, put together from the pieces of a jigsaw. The painters died more
than 70 years ago; the files come by licences of several kinds: use them, don't publish them.
"""

from __future__ import annotations

import argparse
import io
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageFilter, UnidentifiedImageError

START = re.compile(rb"\xff\xd8\xff|RIFF....WEBP", re.DOTALL)
"""How a JPEG and a WebP begin."""
SIDE = 512
KINDS = ("monuments", "farm_animals", "world_animals")
"""The `explore_*.rcc` that are taken whole; `erase.rcc` has animals too."""
PARTS = ("a", "b", "test", "a", "b", "test", "a", "b", "test", "val")
TWICE = (102, 104, 105)
"""Which pictures of `categorization.rcc` are among the monuments as well."""
VAN_GOGH = (2, 4, 7, 8, 10, 12, 15, 19)
"""Which pictures of `details.rcc` are paintings, in the order of the file (package version 3.1-2)."""

PAINTERS = {
    "van-gogh": ("gogh_auvert",),
    "ukiyo-e": (
        "GreatWave", "EjiriSuruga", "HokusaiBridge", "HokusaiOiranKamuro", "HokusaiPoppies", "HokusaiWomanHoldingFan",
        "KazusaSeaRoute", "HiroshigeHorsePrawns", "HiroshigeInokashiraSnow",
    ),
    "impressionism": ("cassat_summertime", "bazille_rampart", "renoir-filles_piano", "renoir-moulin_de_la_galette"),
    "kandinsky": ("kandinky",),
    "renaissance": (
        "AlbrechtDurer", "Arcimboldo_Librarian", "Arcimboldo_Spring", "MonaLisa", "PalaDiPesaro", "PieterBruegel",
    ),
}  # fmt: skip
"""The paintings of `paintings.rcc` by painter or school, as their pieces are named there."""
EDGE = 4
"""Pixels at a painting's border that are cut off: pieces do not end in one line."""


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


def members(rcc: Path) -> dict[str, bytes]:
    """The files of a Qt resource, by their paths in it (format versions 1 to 3, plain or compressed by zlib)."""
    data = rcc.read_bytes()
    version, tree, contents, names = struct.unpack_from(">IIII", data, 4)
    entry = 14 if version == 1 else 22
    found: dict[str, bytes] = {}

    def walk(number: int, path: str) -> None:
        place = tree + number * entry
        at, flags = struct.unpack_from(">IH", data, place)
        if number:
            (length,) = struct.unpack_from(">H", data, names + at)
            path += "/" + data[names + at + 6 : names + at + 6 + 2 * length].decode("utf-16-be")
        if flags & 2:  # a folder
            count, first = struct.unpack_from(">II", data, place + 6)
            for child in range(first, first + count):
                walk(child, path)
            return
        (at,) = struct.unpack_from(">I", data, place + 10)
        (size,) = struct.unpack_from(">I", data, contents + at)
        content = data[contents + at + 4 : contents + at + 4 + size]
        found[path] = zlib.decompress(content[4:]) if flags & 1 else content

    walk(0, "")
    return found


def jigsaws(rcc: Path) -> Iterator[tuple[str, Image.Image]]:
    """The paintings of `paintings.rcc` with their names, put together; holes between pieces get neighbours' colours."""
    files = members(rcc)
    for board in sorted(path for path in files if re.search(r"/board\d+_0\.qml$", path)):
        text, place = files[board].decode(), board.rpartition("/board/")[0]
        width, height = (int(side) for side in re.findall(r'"(?:width|height)"\s*:\s*(\d+)', text)[:2])
        canvas = Image.new("RGBA", (width, height))
        pieces = re.findall(r'"image/([^"]+)\.webp",\s*"x"\s*:\s*"([\d.]+)",\s*"y"\s*:\s*"([\d.]+)"', text)
        for name, x, y in pieces:
            piece = Image.open(io.BytesIO(files[f"{place}/image/{name}.webp"])).convert("RGBA")
            left, top = round(float(x) * width - piece.width / 2), round(float(y) * height - piece.height / 2)
            canvas.alpha_composite(piece, (max(0, left), max(0, top)))
        box = canvas.getbbox() or (0, 0, width, height)
        picture = canvas.crop((box[0] + EDGE, box[1] + EDGE, box[2] - EDGE, box[3] - EDGE))
        holes = picture.getchannel("A").point([255] * 255 + [0])
        colours = picture.convert("RGB")
        colours.paste(colours.filter(ImageFilter.MedianFilter(9)), mask=holes)
        yield re.sub(r"[-_]?[a-e]?\d$", "", pieces[0][0]), colours


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
    for number, picture in enumerate(pictures(resources / "categorization.rcc")):
        if number not in TWICE:
            save(picture, options.folder / "photos" / "apart" / f"categorization_{number:03d}.png")
    for number, picture in enumerate(pictures(resources / "details.rcc")):
        if number in VAN_GOGH:
            save(picture, options.folder / "paintings" / f"van_gogh_{number:02d}.png")
    schools = {name: school for school, names in PAINTERS.items() for name in names}
    for name, picture in jigsaws(resources / "paintings.rcc"):
        if name in schools:
            path = options.folder / "painters" / schools[name] / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)


if __name__ == "__main__":
    main()
