"""Finding the image files below a folder: links are followed, and what is passed over is told."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolbox.io.errors import UserError
from toolbox.io.files import refuse_special, special_kind

logger = logging.getLogger("toolbox")
SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif", ".avifs", ".heic", ".heif", ".hif"),
    *(".tif", ".tiff", ".gif", ".bmp", ".dib", ".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"),
    *(".tga", ".icb", ".vda", ".vst", ".dds", ".psd", ".ico", ".cur", ".icns", ".pcx", ".dcx", ".qoi"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".sgi", ".rgb", ".rgba", ".bw", ".ras", ".xbm", ".xpm"),
    *(".fit", ".fits", ".blp", ".ftc", ".ftu", ".msp", ".pcd", ".pxr", ".im", ".gbr", ".fli", ".flc"),
)
"""The image files that folders are searched for, whatever the case of the letters: all that Pillow decodes by itself,
TIFF of every kind (tifffile), and HEIC (pillow-heif)."""

COMMON = "png, jpg, webp, avif, heic, tif, gif, bmp, jp2, tga, dds, psd and more"
"""The best known of them, for messages."""

_WAYS = {
    (".pdf", ".ai"): "a PDF page is drawn, not decoded; make pictures of its pages: pdftoppm -r 300 -png {name} {stem}",
    (".eps", ".ps"): "is drawn by a program; make a picture of it: gs -dSAFER -dEPSCrop -r300 -sDEVICE=png16m "
    "-o {stem}.png {name}",
    (".svg", ".svgz"): "is drawn, not decoded; make a picture of it: rsvg-convert -o {stem}.png {name}",
    (
        *(".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".raf", ".orf", ".rw2", ".pef"),
        *(".srw", ".3fr", ".iiq", ".erf", ".mrw", ".x3f", ".rwl", ".raw"),
    ): "is a camera's raw data; make a 16-bit TIFF of it: dcraw -T -6 {name}",
    (".exr", ".hdr"): "is not read; make a TIFF of floats of it: oiiotool {name} -o {stem}.tif",
    (".jxl",): "is not read; make a PNG of it: djxl {name} {stem}.png",
    (".pam",): "is a PAM, which is not read; make a PNG of it",
    (".jxr", ".bpg", ".flif", ".djvu"): "is not read; make a PNG of it",
    (".xcf", ".kra", ".ora", ".psb", ".clip", ".afphoto"): "is a program's own file of layers; export a PNG from there",
}
_SHOWN = 3


@dataclass
class Found:
    """What lies below a folder: images sorted by path, and what was passed over; of hidden files, images alone."""

    root: Path
    images: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    """Files of no suffix that is known as an image's."""
    links: list[Path] = field(default_factory=list)
    """Links that lead nowhere, or back to a folder they lie in."""

    hidden: list[Path] = field(default_factory=list)
    """Images whose names begin with a dot; `._x.png`, which macOS writes beside x.png, is none."""

    def notes(self) -> list[str]:
        """One line for each kind of file that was passed over, with its count and its first names."""
        lines = []
        if self.others:
            what = "file is" if len(self.others) == 1 else "files are"
            line = f"{self.root}: {len(self.others)} {what} no image and passed over: {named(self.others, self.root)}"
            kinds = {path.suffix.lower(): path for path in reversed(self.others)}  # the first of each kind
            ways = {_way_of(suffix): way_to_convert(path) for suffix, path in reversed(kinds.items())}
            told = "; ".join([way for way in ways.values() if way][:_SHOWN])
            lines.append(f"{line} ({told})" if told else line)
        if self.links:
            what = "link leads" if len(self.links) == 1 else "links lead"
            where = "nowhere or back to a folder above, passed over"
            lines.append(f"{self.root}: {len(self.links)} {what} {where}: {named(self.links, self.root)}")
        if self.hidden:
            what = "image is" if len(self.hidden) == 1 else "images are"
            names = named(self.hidden, self.root)
            lines.append(f"{self.root}: {len(self.hidden)} {what} hidden by a dot and passed over: {names}")
        return lines


def search(root: str | os.PathLike[str], without: Sequence[Path] = (), also: Sequence[str] = ()) -> Found:
    """Find every image below `root`, through links to files and folders too.

    Args:
        without: folders below `root` that are not searched.
        also: further suffixes that are wanted, in small letters.

    Raises:
        UserError: `root` is no folder, or a folder below it cannot be read.
    """
    found = Found(Path(root))
    refuse_special(found.root)
    if not found.root.is_dir():
        kind = "file" if found.root.suffix.lower() in SUFFIXES else "folder"
        raise UserError(f"{root}: {'is a file, not a folder' if found.root.exists() else f'no such {kind}'}")
    apart = {each.resolve() for each in without}
    _walk(found, found.root, frozenset(), apart, (*SUFFIXES, *also))
    for paths in (found.images, found.others, found.links, found.hidden):
        paths.sort(key=lambda path: path.relative_to(found.root).parts)
    return found


def find_images(root: str | os.PathLike[str]) -> list[Path]:
    """Find every image below `root` as `search` does, sorted by path.

    Raises UserError where `root` is no folder or holds no image.
    """
    found = search(root)
    for path in (*found.others, *found.links):
        if kind := special_kind(path):
            logger.warning("%s: is %s, no image; it is passed over", path, kind)
    if not found.images:
        raise nothing_in(found)
    return found.images


def nothing_in(found: Found) -> UserError:
    """That a folder holds no image, and what it holds instead."""
    told = "".join(f"; {note.partition(': ')[2]}" for note in found.notes())
    return UserError(f"{found.root}: holds no image ({COMMON}){told}")


def images_at(root: str | os.PathLike[str]) -> list[Path]:
    """The images below a folder, or the one image that `root` itself is. Raises UserError as `find_images` does."""
    root = Path(root)
    if not root.is_file():
        return find_images(root)
    if root.suffix.lower() not in SUFFIXES:
        raise UserError(f"{root}: is neither a folder nor an image ({COMMON})")
    return [root]


def place(text: str | os.PathLike[str]) -> Path:
    """The path of a file or folder that a config names; `~` is the home folder.

    Raises UserError for empty text, which would be the folder that the command happens to run in.
    """
    if not str(text).strip():
        raise UserError("a file or folder is empty text; name it, or write . for the one that the command runs in")
    return Path(text).expanduser()


def way_to_convert(path: Path) -> str | None:
    """What makes a picture of a file that only another program can read: `page.pdf` is drawn by pdftoppm."""
    way = _way_of(path.suffix.lower())
    return way and way.format(name=path.name, stem=path.stem)


def _way_of(suffix: str) -> str | None:
    return next((way for suffixes, way in _WAYS.items() if suffix in suffixes), None)


def named(paths: Sequence[Path], root: Path) -> str:
    """The first few names, and how many more there are."""
    shown = ", ".join(path.relative_to(root).as_posix() for path in paths[:_SHOWN])
    return shown + f" and {len(paths) - _SHOWN} more" * (len(paths) > _SHOWN)


def _walk(
    found: Found, folder: Path, above: frozenset[tuple[int, int]], apart: set[Path], suffixes: Sequence[str]
) -> None:
    """Search one folder; `above` are the folders that lead to it, so that a link back is seen."""
    try:
        about = folder.stat()
        here = above | {(about.st_dev, about.st_ino)}
        with os.scandir(folder) as listed:
            entries = list(listed)
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be searched for images: {error.strerror}") from None
    for entry in entries:
        path = folder / entry.name
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a link to itself
            is_folder = is_file = False
        if entry.name.startswith("."):
            if is_file and path.suffix.lower() in suffixes and not entry.name.startswith("._"):
                found.hidden.append(path)
        elif is_folder:
            inside = path.stat() if entry.is_symlink() else None
            if inside and (inside.st_dev, inside.st_ino) in here:
                found.links.append(path)
            elif not apart or path.resolve() not in apart:
                _walk(found, path, here, apart, suffixes)
        elif not is_file and entry.is_symlink():
            found.links.append(path)
        elif is_file and path.suffix.lower() in suffixes:
            found.images.append(path)
        else:
            found.others.append(path)
