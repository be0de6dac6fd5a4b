"""Every kind of pixel in every format, through three networks, into every format: what comes out, measured.

`python tests/inference/format_matrix.py` writes docs/formats.md from it; test_format_matrix.py compares the two.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from known_networks import Painter, Smooth
from PIL import Image

from toolbox.inference import Predictor, load, plan
from toolbox.inference.formats import NAMES, Format
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.io.errors import UserError

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "formats.md"
SIDE = 8
COLOUR = np.array([[200, 80, 40], [40, 120, 200]]) / 255
GRAY = np.array([180, 60]) / 255
TO_D50 = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
"""Linear sRGB to XYZ of D50, adapted by Bradford; Lindbloom, "RGB/XYZ Matrices"."""
HALF = 128 / 255
"""Two halves, left and right, of one colour each; the right one half transparent where there is transparency."""

MODES = {
    "1": "1 bit", "L": "gray", "LA": "gray, transparency", "I;16": "gray of 16 bits", "F": "gray of floats",
    "P": "palette", "P+tRNS": "palette, clear colour", "RGB": "RGB", "RGBA": "RGBA", "RGB16": "RGB of 16 bits",
    "RGBA16": "RGBA of 16 bits", "CMYK": "CMYK", "YCbCr": "YCbCr", "Lab": "Lab", "Lab16": "Lab of 16 bits",
}  # fmt: skip
SUFFIXES = (*(f".{name}" for name in NAMES), ".ppm", ".qoi", ".pcx", ".sgi")


HEAD = """# Formats

Made by `python tests/inference/format_matrix.py`, which tries every cell, and never by hand.

## What is kept

`infer` writes each kind of pixel (rows) into each format (columns, `--format`): the bits of a channel that come out
(32: floats), or – where it is refused before the work, with the way out. `auto` is each input's own format, where that
can be written and holds the picture, else PNG, or TIFF for floats and many channels. It is the same through networks
that enlarge, that paint, and that do both.
"""
FORMATS = """
## The formats

| format | files | bits | transparency | frames or pages | longest side |
|---|---|---|---|---|---|"""
TAIL = """
Whatever else Pillow decodes is read too (PPM, QOI, PSD, ICO, PCX, SGI, FITS and more), and HEIC with
`pip install 'gan-toolbox[heif]'`. TIFF of 16 bits, floats, Lab and many channels wants `gan-toolbox[images]`. Lab and
CMYK become sRGB, which is said. ICC profiles go into PNG, JPEG, WebP, AVIF, TIFF and GIF; EXIF and XMP into all of
these but GIF (of TIFF beyond 8 bits the texts alone); comments and texts into PNG, JPEG, GIF, JPEG 2000 and TIFF;
GeoTIFF's tags into TIFF. What only another program can read (PDF, SVG, EPS, raw photographs) is refused with its
command.
"""


@dataclass(frozen=True)
class Given:
    """One input file, and what it shows: colours (2, 1 or 3) in [0, 1] and transparency (2,) or None."""

    mode: str
    path: Path
    colours: np.ndarray
    alpha: np.ndarray | None


def halves(values: np.ndarray, dtype: type = np.uint8) -> np.ndarray:
    """Pixels (SIDE, SIDE, C) of two halves."""
    levels = values if dtype is np.float32 else np.rint(values * np.iinfo(dtype).max)
    return levels.astype(dtype)[None].repeat(SIDE, 0).repeat(SIDE // 2, 1)


def shown(mode: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Colours and transparency of a mode's picture."""
    if mode == "1":
        return np.array([[1.0], [0.0]]), None
    if mode == "P+tRNS":
        return COLOUR, np.array([1.0, 0.0])
    colours = GRAY[:, None] if mode in ("L", "LA", "I;16", "F") else COLOUR
    return colours, np.array([1.0, HALF]) if mode in ("LA", "RGBA", "RGBA16") else None


def image_of(mode: str) -> Image.Image | None:
    """The picture of a mode that Pillow has."""
    colours, alpha = shown(mode)
    array = halves(colours if alpha is None else np.concatenate([colours, alpha[:, None]], 1))
    if mode in ("P", "P+tRNS"):
        image = Image.fromarray(halves(np.array([[0], [1]]) / 255)[..., 0], "P")
        image.putpalette(np.rint(COLOUR * 255).astype(np.uint8).tobytes())
        return image
    if mode == "1":
        return Image.fromarray(array[..., 0]).convert("1")
    if mode in ("CMYK", "YCbCr"):
        return Image.fromarray(array).convert(mode)
    if mode == "F":
        return Image.fromarray(halves(colours, np.float32)[..., 0])
    if mode == "I;16":
        return Image.fromarray(halves(colours, np.uint16)[..., 0])
    return (
        Image.fromarray(array[..., 0] if array.shape[2] == 1 else array) if mode in ("L", "LA", "RGB", "RGBA") else None
    )


def save(mode: str, path: Path) -> bool:
    """Write the picture of a mode; False where the format has no such files."""
    colours, alpha = shown(mode)
    if mode in ("Lab", "Lab16"):
        from skimage.color import xyz2lab

        if path.suffix != ".tif":
            return False
        linear = np.where(COLOUR <= 0.04045, COLOUR / 12.92, ((COLOUR + 0.055) / 1.055) ** 2.4)
        lab, wide = xyz2lab((linear @ TO_D50.T)[None], illuminant="D50")[0], mode == "Lab16"
        light = np.rint(lab[:, :1] * (655.35 if wide else 2.55)).astype(np.uint16 if wide else np.uint8)
        rest = np.rint(lab[:, 1:] * (256 if wide else 1)).astype(np.int16 if wide else np.int8)
        array = np.concatenate([light, rest.view(light.dtype)], 1)[None].repeat(SIDE, 0).repeat(SIDE // 2, 1)
        tifffile.imwrite(path, array, photometric="cielab")
        return True
    if mode in ("RGB16", "RGBA16"):
        if path.suffix not in (".png", ".tif"):
            return False
        values = colours if alpha is None else np.concatenate([colours, alpha[:, None]], 1)
        write_picture(path, Picture(halves(values, np.uint16), alpha=alpha is not None))
        return True
    image = image_of(mode)
    assert image is not None
    if (mode in ("LA", "RGBA") and path.suffix in (".gif", ".bmp", ".pcx")) or (
        mode == "YCbCr" and path.suffix != ".tif"
    ):
        return False  # they would lose transparency, or become RGB
    options: dict[str, object] = {"lossless": True} if path.suffix == ".webp" else {}
    if path.suffix in (".jpg", ".avif"):
        options = {"quality": 100, "subsampling": 0 if path.suffix == ".jpg" else "4:4:4"}
    if mode == "P+tRNS":
        if path.suffix not in (".png", ".gif"):
            return False
        options["transparency"] = 1
    try:
        image.save(path, **options)
        with Image.open(path) as again:
            wanted = {"P+tRNS": "P", "I;16": ("I;16", "I")}.get(mode, mode)
            return again.mode in wanted if isinstance(wanted, tuple) else again.mode == wanted
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def inputs(folder: Path) -> Iterator[Given]:
    """Every file that there is of these kinds."""
    for mode in MODES:
        for suffix in SUFFIXES:
            path = folder / f"{mode.replace(';', '').replace('+', '_')}{suffix}"
            if save(mode, path):
                yield Given(mode, path, *shown(mode))
            else:
                path.unlink(missing_ok=True)


def networks(joint: bool = True) -> dict[str, Predictor]:
    """An enlarger, a painter, and the network that comes with the toolbox."""
    quiet = [].append
    made = {"enlarger": Predictor(Smooth(), note=quiet), "painter": Predictor(Painter(), note=quiet)}
    return {**made, "joint": load("palette-x4", note=quiet)} if joint else made


def places(array: np.ndarray) -> np.ndarray:
    """The middles of both halves (2, C), in [0, 1]."""
    height, width = array.shape[:2]
    white = 1.0 if array.dtype == np.float32 else float(np.iinfo(array.dtype).max)
    return array[height // 2, [width // 8, width - 1 - width // 8]] / white


def problems_of(found: Picture, given: Given, name: str, wanted: np.ndarray, kind: Format) -> str:
    """What is wrong with a result, or nothing; `wanted` is what the network gives for these colours, (2, 1 or 3)."""
    lossy = (
        0.06
        if kind.lossy
        else 0.012
        if given.path.suffix in (".jpg", ".avif") or "Lab" in given.mode or given.mode == "YCbCr"
        else 0.006
    )
    lossy = max(lossy, 0.03 if given.path.suffix in (".jpg", ".avif") else 0)
    seen = places(found.array)
    colours, alpha = seen[:, : found.colours], seen[:, -1] if found.alpha else None
    expected = np.broadcast_to(wanted, (2, 3)) if colours.shape[1] == 3 else wanted.mean(1, keepdims=True)
    if given.alpha is None:
        if alpha is not None and alpha.min() < 1:
            return f"has transparency {alpha}"
    elif alpha is None:
        return "has lost its transparency"
    elif np.abs(alpha - given.alpha).max() > max(lossy, 0.02):
        return f"has transparency {alpha} for {given.alpha}"
    visible = [True, given.alpha is None or given.alpha[1] > 0]
    if np.abs(colours - expected)[visible].max() > lossy + (0.01 if name == "joint" else 0):
        return f"shows {colours.round(3).tolist()} for {expected.round(3).tolist()}"
    return ""


@dataclass(frozen=True)
class Outcome:
    """Of one input, network and output format: written (with what was kept) or refused, in one line."""

    given: Given
    network: str
    output: str
    line: str
    wrong: str = ""
    depth: int = 0


def outcomes(folder: Path, joint: bool = True) -> Iterator[Outcome]:
    """The whole matrix."""
    made = networks(joint)
    for given in inputs(folder / "in"):
        results: dict[str, Picture] = {}
        for output in ("auto", *NAMES):
            planned = plan([given.path], folder / "out", file_format=output)
            if planned.refused:
                for name in made:
                    yield Outcome(given, name, output, planned.refused[0])
                continue
            target = planned.jobs[0].target
            for name, predictor in made.items():
                try:
                    if name not in results:
                        results[name] = predictor.translate([read_picture(given.path)])[0]
                    place = target.with_name(f"{name}_{target.name}")
                    write_picture(place, results[name], quality=100)
                    found = read_picture(place)
                except UserError as error:
                    yield Outcome(given, name, output, str(error))
                    continue
                kind = NAMES[target.suffix.removeprefix(".")]
                wanted = _wanted(given, name, predictor)
                wrong = problems_of(found, given, name, wanted, kind)
                yield Outcome(given, name, output, "", wrong, {1: 8, 2: 16, 4: 32}[found.array.itemsize])


_known: dict[tuple[object, ...], np.ndarray] = {}


def _wanted(given: Given, name: str, predictor: Predictor) -> np.ndarray:
    """What a network makes of these colours as plain floats: the kind of file makes no difference."""
    key = (name, given.colours.tobytes(), None if given.alpha is None else given.alpha.min() > 0)
    if key not in _known:
        colours = given.colours if given.colours.shape[1] == 3 or name == "enlarger" else given.colours.repeat(3, 1)
        if given.alpha is not None and given.alpha.min() == 0:
            colours = colours[:1].repeat(2, 0)  # what is not seen is continued from what is
        _known[key] = places(predictor(halves(colours, np.float32)))
    return _known[key]


def document(found: list[Outcome]) -> str:
    """The tables as Markdown."""
    lines = [HEAD, "| pixels | read from | auto | " + " | ".join(NAMES) + " |", "|---" * (len(NAMES) + 3) + "|"]
    for mode, title in MODES.items():
        of = [each for each in found if each.given.mode == mode and each.network == "enlarger"]
        files = list(dict.fromkeys(each.given.path.suffix.removeprefix(".") for each in of))
        cells = []
        for output in ("auto", *NAMES):
            depths = sorted({each.depth for each in of if each.output == output and not each.line})
            cells.append(" or ".join(map(str, depths)) or "–")
        lines.append(f"| {title} | {', '.join(files)} | {' | '.join(cells)} |")
    lines.append(FORMATS)
    for each in NAMES.values():
        alpha = {0: "no", 1: "1 bit", 8: "yes"}[each.alpha]
        longest = f"{each.longest:,}" if each.longest < 1 << 31 else "any"
        bits, frames = {8: "8", 16: "8, 16", 32: "8, 16, floats"}[each.depth], "many" if each.frames else "one"
        lines.append(f"| {each.name} | {' '.join(each.suffixes)} | {bits} | {alpha} | {frames} | {longest} |")
    return "\n".join([*lines, TAIL])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "in").mkdir()
        everything = list(outcomes(Path(place)))
    for each in everything:
        if each.wrong:
            print(each.given.path.name, each.network, each.output, each.wrong)
    DOCUMENT.write_text(document(everything))
