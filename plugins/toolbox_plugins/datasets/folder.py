"""The images below a folder, read one by one, and what transforms make of them."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import toolbox
from toolbox import Images, Sizes, Transform, UserError, image_size, images_at, read_image
from toolbox.io.raw_cache import Making, RawCache
from toolbox.io.search import place


class Folder:
    """The images below a folder, in the order of their paths; with `cache` each is decoded once for all runs.

    `root` may be an image itself, a folder of one, or a list of folders whose images follow each other. `only` chooses
    some of the images, by their numbers; a cache holds all of them, so that the parts of a folder share it. `made`
    says what else is kept of each image, in caches of their own.
    """

    def __init__(
        self,
        root: str | Sequence[str],
        cache: bool,
        only: Callable[[list[Path]], list[int]] | None = None,
        made: Mapping[str, Making] | None = None,
    ) -> None:
        named = [root] if isinstance(root, str) else root
        if not named:
            raise UserError("a list of folders must name one at least")
        self.roots = [place(each) for each in named]
        found = [images_at(each) for each in self.roots]
        self.paths = [path for paths in found for path in paths]
        self._places = [(number, index) for number, paths in enumerate(found) for index in range(len(paths))]
        below = list(zip(found, self.roots, strict=True))
        self._caches = [RawCache(paths, root) for paths, root in below] if cache else None
        self._made = {name: [RawCache(*each, making=how) for each in below] for name, how in (made or {}).items()}
        if only is not None:
            chosen = only(self.paths)
            self.paths, self._places = [self.paths[each] for each in chosen], [self._places[each] for each in chosen]
        for each in [*(self._caches or ()), *(cache for caches in self._made.values() for cache in caches)]:
            each.prepare()  # here, so that a damaged image stops the run before it begins

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, index: int) -> str:
        """Path of the file below its root, after the root's number where there are several; with forward slashes."""
        path, number = self.paths[index], self._places[index][0]
        root = self.roots[number]
        name = path.name if path == root else path.relative_to(root).as_posix()
        return f"{number + 1}/{name}" if len(self.roots) > 1 else name

    def named_files(self, key: str = "") -> list[tuple[str, Path]]:
        """Every file by its name, which `key` goes before where there are several folders."""
        return [(f"{key}{self.name(index)}", path) for index, path in enumerate(self.paths)]

    def read(self, index: int) -> np.ndarray:
        """Read image `index` as (H, W, 3) uint8; with a cache it is a read-only view."""
        if self._caches is None:
            return read_image(self.paths[index])
        number, place = self._places[index]
        return self._caches[number].read(place)

    def read_made(self, index: int) -> Images:
        """What is kept besides of image `index`, by name, as large as it is: read-only views."""
        number, place = self._places[index]
        return {name: caches[number].read(place) for name, caches in self._made.items()}

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of image `index`, from its header; raises UserError as `read` does."""
        if self._caches is None:
            return image_size(self.paths[index])
        number, place = self._places[index]
        return self._caches[number].size(place)


def transformed(images: Images, transforms: Sequence[Transform], rng: np.random.Generator, file: Path) -> Images:
    """Apply the transforms in order; what one of them refuses is refused with the file's name.

    The arrays returned are the caller's own. A view of the cache is copied only here, when it has been cropped.
    """
    try:
        for transform in transforms:
            images = transform(images, rng)
    except UserError as error:
        raise UserError(f"{file}: {error}") from error
    return {name: image if image.flags.writeable else image.copy() for name, image in images.items()}


def sizes_after(sizes: Sizes, transforms: Sequence[Transform], file: Path) -> Sizes | None:
    """What `transformed` makes of images of these sizes; None where a transform does not say."""
    try:
        for transform in transforms:
            after = transform.sizes_after(sizes)
            if after is None:
                return None
            sizes = after
    except UserError as error:
        raise UserError(f"{file}: {error}") from error
    return sizes


def made_once(transforms: Sequence[Transform] | None, key: str, cache: bool) -> dict[str, Making]:
    """What transforms add to a sample that holds the image `key`, by its name, to be kept for all runs.

    Raises UserError where they add nothing, or do not say what, or there is no cache.
    """
    if not transforms:
        return {}
    if not cache:
        raise UserError("once keeps what it makes in the cache; set cache: true")
    sizes = sizes_after({key: (256, 256)}, transforms, Path("once"))
    added = [name for name in sizes or () if name != key]
    if not added:
        raise UserError("once: these transforms add no image to the sample; give the last of them a target")
    told = hashlib.sha256(repr([toolbox.__version__, key, *map(said, transforms)]).encode()).hexdigest()
    return {name: Making(f"{told}:{name}", Added(list(transforms), key, name)) for name in added}


def said(transform: Transform) -> tuple[str, list[tuple[str, bytes]]]:
    """What tells a transform from others: its class, and what it holds."""
    kind = type(transform)
    held = sorted((name, pickle.dumps(value)) for name, value in vars(transform).items())  # each by itself: equal ones
    return f"{kind.__module__}.{kind.__qualname__}", held  # are written alike, whether they are one object or two


@dataclass(frozen=True)
class Added:
    """Image `name` of what transforms make of a sample that holds the image `key` alone."""

    transforms: list[Transform]
    key: str
    name: str

    def __call__(self, image: np.ndarray, file: Path) -> np.ndarray:
        return transformed({self.key: image}, self.transforms, np.random.default_rng(0), file)[self.name]
