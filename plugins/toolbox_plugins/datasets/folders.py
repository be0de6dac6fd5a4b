"""Samples from folders of image files, nested as deep as they come, of any sizes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from toolbox import ImageDataset, Sizes, Transform, UserError

from .folder import Folder, made_once, sizes_after, transformed
from .parts import part, wanted_part


class ImageFolder(ImageDataset):
    """One image per sample, under the name `key`: what super-resolution trains on and inference runs over.

    With `cache` all images are decoded once, into a raw file (8 MB for each 2K image) that every later run and process
    shares; it is made anew when a file changes. Crops from it cost almost nothing. It lies in TOOLBOX_CACHE, or else
    in the user's cache folder (~/.cache/gan-toolbox), never beside the images, and may be deleted at any time.

    Args:
        root: a folder, or a list of folders; then names begin with a folder's number, `2/photo.png`.
        hold_out: keep every so many-th image apart, 10 the tenth, the twentieth and so on, to measure on.
        held_out: take the images that are kept apart, and no others.
        once: transforms of whole images that take too long for every step: what they add to the sample, as large as
            the image, is made before the first run, kept in the cache and changed together with it. Needs `cache`.

    Raises:
        UserError: there is no such folder, it holds no image, `hold_out` leaves none on one side, or `once` has no
            cache or adds nothing.
    """

    def __init__(
        self,
        *,
        root: str | list[str],
        key: str,
        transforms: list[Transform] | None = None,
        cache: bool = False,
        hold_out: int | None = None,
        held_out: bool = False,
        once: list[Transform] | None = None,
    ) -> None:
        self.made = made_once(once, key, cache)
        self.folder = Folder(root, cache, wanted_part(hold_out, held_out), self.made)
        self.key, self.transforms = key, transforms or []

    def __len__(self) -> int:
        return len(self.folder)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{key: (H, W, 3) uint8, "name": path below root}`, transformed."""
        images = {self.key: self.folder.read(index), **self.folder.read_made(index)}
        images = transformed(images, self.transforms, rng, self.folder.paths[index])
        return {**images, "name": self.folder.name(index)}

    def named_files(self) -> list[tuple[str, Path]]:
        """The images."""
        return self.folder.named_files()

    def sizes_of(self, index: int) -> Sizes | None:
        """The image's size, transformed."""
        sizes = dict.fromkeys([self.key, *self.made], self.folder.size(index))
        return sizes_after(sizes, self.transforms, self.folder.paths[index])


class PairedFolders(ImageDataset):
    """Aligned images of the same scene, one folder for each name: `roots: {lr: data/lr, hr: data/hr}`.

    Files belong together when their paths below the roots agree up to the file type. Where a collection marks its
    files, `suffixes` says how: `{lr: x4}` pairs DIV2K's `0801x4.png` with `0801.png`. Roots that are one folder share
    it by their suffixes: `{lr: _LR, hr: _HR}`. The images of a sample may differ in size by a whole factor. `cache`,
    `hold_out` and `held_out` (of pairs) are as in `ImageFolder`.
    """

    def __init__(
        self,
        *,
        roots: dict[str, str],
        suffixes: dict[str, str] | None = None,
        transforms: list[Transform] | None = None,
        cache: bool = False,
        hold_out: int | None = None,
        held_out: bool = False,
    ) -> None:
        suffixes = suffixes or {}
        if len(roots) < 2:
            raise UserError(f"roots must name two folders or more, got {', '.join(roots) or 'none'}")
        if unknown := sorted(set(suffixes) - set(roots)):
            raise UserError(f"suffixes names {unknown[0]!r}, but roots has only {', '.join(roots)}")
        self.folders = {key: Folder(root, cache, shared_by(roots, suffixes, key)) for key, root in roots.items()}
        self.transforms = transforms or []
        stems = {key: _stems(folder, suffixes.get(key, "")) for key, folder in self.folders.items()}
        for key, others in stems.items():
            for other, known in stems.items():
                if missing := sorted(set(known) - set(others)):
                    raise UserError(
                        f"{self.folders[other].paths[known[missing[0]]]} has no partner "
                        f"{missing[0] + suffixes.get(key, '')!r} in {self.folders[key].roots[0]} ({len(missing)} such)"
                    )
        first = next(iter(stems.values()))
        self.samples = [{key: stems[key][stem] for key in roots} for stem in first]
        if hold_out is not None or held_out:
            self.samples = [self.samples[each] for each in part(len(self.samples), hold_out, held_out)]

    def __len__(self) -> int:
        return len(self.samples)

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return the image of every root under its name, transformed together; `name` is the first root's file."""
        numbers = self.samples[index]
        images = {key: folder.read(numbers[key]) for key, folder in self.folders.items()}
        self._check_pair(index, {key: (image.shape[0], image.shape[1]) for key, image in images.items()})
        first = next(iter(self.folders))
        images = transformed(images, self.transforms, rng, self._file(index))
        return {**images, "name": self.folders[first].name(numbers[first])}

    def named_files(self) -> list[tuple[str, Path]]:
        """The images of all roots."""
        return [file for key, folder in self.folders.items() for file in folder.named_files(f"{key}: ")]

    def sizes_of(self, index: int) -> Sizes | None:
        """The sizes of a pair, transformed together."""
        sizes = {key: folder.size(self.samples[index][key]) for key, folder in self.folders.items()}
        self._check_pair(index, sizes)
        return sizes_after(sizes, self.transforms, self._file(index))

    def _file(self, index: int) -> Path:
        first = next(iter(self.folders))
        return self.folders[first].paths[self.samples[index][first]]

    def _check_pair(self, index: int, sizes: Sizes) -> None:
        smallest = min(sizes.values())
        for key, (height, width) in sizes.items():
            if height % smallest[0] or height // smallest[0] * smallest[1] != width:
                raise UserError(
                    f"{self.folders[key].paths[self.samples[index][key]]}: {height}x{width} is no whole multiple of "
                    f"its partner's {smallest[0]}x{smallest[1]}"
                )


class UnpairedFolders(ImageDataset):
    """One image of each of two domains that have nothing to do with each other, as CycleGAN and UNIT train on.

    An epoch shows each image of the larger folder once; the other folder's is drawn at random. `transforms` apply to
    either image by itself, then `transforms_a` and `transforms_b` to their own. `name` is the larger folder's file.
    `cache` and lists of folders are as in `ImageFolder`; so are `hold_out`, `held_out` and `once`, of the images of
    `root_a`.
    """

    def __init__(
        self,
        *,
        root_a: str | list[str],
        root_b: str | list[str],
        key_a: str = "real_a",
        key_b: str = "real_b",
        transforms: list[Transform] | None = None,
        transforms_a: list[Transform] | None = None,
        transforms_b: list[Transform] | None = None,
        cache: bool = False,
        hold_out: int | None = None,
        held_out: bool = False,
        once: list[Transform] | None = None,
    ) -> None:
        if key_a == key_b:
            raise UserError(f"key_a and key_b are both {key_a!r}; give them different names")
        self.key_a, self.key_b, self.made = key_a, key_b, made_once(once, key_a, cache)
        self.folder_a = Folder(root_a, cache, wanted_part(hold_out, held_out), self.made)
        self.folder_b = Folder(root_b, cache)
        self.transforms_a = [*(transforms or []), *(transforms_a or [])]
        self.transforms_b = [*(transforms or []), *(transforms_b or [])]

    def __len__(self) -> int:
        return max(len(self.folder_a), len(self.folder_b))

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        """Return `{key_a: (H, W, 3) uint8, key_b: (H', W', 3) uint8, "name": ...}`."""
        by_a = len(self.folder_a) >= len(self.folder_b)
        other = int(rng.integers(len(self.folder_b if by_a else self.folder_a)))
        index_a, index_b = (index, other) if by_a else (other, index)
        name = self.folder_a.name(index) if by_a else self.folder_b.name(index)
        read_a = {self.key_a: self.folder_a.read(index_a), **self.folder_a.read_made(index_a)}
        read_b = {self.key_b: self.folder_b.read(index_b)}
        images_a = transformed(read_a, self.transforms_a, rng, self.folder_a.paths[index_a])
        images_b = transformed(read_b, self.transforms_b, rng, self.folder_b.paths[index_b])
        return {**images_a, **images_b, "name": name}

    def named_files(self) -> list[tuple[str, Path]]:
        """The images of both domains."""
        return [*self.folder_a.named_files(f"{self.key_a}: "), *self.folder_b.named_files(f"{self.key_b}: ")]

    def sizes_of(self, index: int) -> Sizes | None:
        """The sizes of image `index` of either folder, where the smaller one begins anew; partners are drawn later."""
        index_a, index_b = index % len(self.folder_a), index % len(self.folder_b)
        size_a = dict.fromkeys([self.key_a, *self.made], self.folder_a.size(index_a))
        size_b = {self.key_b: self.folder_b.size(index_b)}
        sizes_a = sizes_after(size_a, self.transforms_a, self.folder_a.paths[index_a])
        sizes_b = sizes_after(size_b, self.transforms_b, self.folder_b.paths[index_b])
        return None if sizes_a is None or sizes_b is None else {**sizes_a, **sizes_b}


def shared_by(roots: dict[str, str], suffixes: dict[str, str], key: str) -> Callable[[list[Path]], list[int]] | None:
    """Which images of a folder are those of `key`, where it shares the folder with others; None where it does not."""
    alike = [other for other in roots if other != key and Path(roots[other]).resolve() == Path(roots[key]).resolve()]
    own = suffixes.get(key, "")
    longer = tuple(suffix for suffix in (suffixes.get(other, "") for other in alike) if len(suffix) > len(own))
    if not alike:
        return None

    def chosen(paths: list[Path]) -> list[int]:
        return [i for i, path in enumerate(paths) if path.stem.endswith(own) and not path.stem.endswith(longer)]

    return chosen


def _stems(folder: Folder, suffix: str) -> dict[str, int]:
    """Map each file's path, without file type and `suffix`, to its number."""
    stems: dict[str, int] = {}
    for index, path in enumerate(folder.paths):
        stem = path.relative_to(folder.roots[0]).with_suffix("").as_posix()
        if not stem.endswith(suffix):
            raise UserError(f"{path} does not end in the suffix {suffix!r} of its folder")
        stem = stem.removesuffix(suffix)
        if stem in stems:
            raise UserError(f"{path} and {folder.paths[stems[stem]]} differ by file type only")
        stems[stem] = index
    return stems
