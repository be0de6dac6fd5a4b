"""Crops, flips and sizes. Images of one sample that differ in size by a whole factor stay aligned.

Pictures are (H, W, C), clips (T, H, W, C), changed alike in all frames, and masks (H, W).
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from toolbox import Images, Sizes, Transform, UserError, resize_bicubic


class RandomCrop(Transform):
    """Cuts a random square of `size` pixels out of the largest image, and the same part out of every other.

    With images of 4:1 a `size` of 96 gives 96 and 24; corners lie on the smallest image's pixels.
    """

    def __init__(self, *, size: int) -> None:
        self.size = _positive("size", size)

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        height, width, cell = _room(self, sizes_of(images), self.size)
        top = cell * int(rng.integers((height - self.size) // cell + 1))
        left = cell * int(rng.integers((width - self.size) // cell + 1))
        return _crop(images, height, top, left, self.size, self.size)

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return _square(self, sizes, self.size)


class CenterCrop(Transform):
    """Cuts the middle square of `size` pixels out of the largest image, and the same part out of every other."""

    def __init__(self, *, size: int) -> None:
        self.size = _positive("size", size)

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        height, width, cell = _room(self, sizes_of(images), self.size)
        top = (height - self.size) // 2 // cell * cell
        left = (width - self.size) // 2 // cell * cell
        return _crop(images, height, top, left, self.size, self.size)

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return _square(self, sizes, self.size)


class ModCrop(Transform):
    """Cuts the bottom and the right, so that the largest image's height and width are multiples of `multiple`.

    Super-resolution is evaluated so: a reference of 301 pixels has no x4 input.
    """

    def __init__(self, *, multiple: int) -> None:
        self.multiple = _positive("multiple", multiple)

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        height, width, _ = _room(self, sizes_of(images), self.multiple)
        return _crop(images, height, 0, 0, height - height % self.multiple, width - width % self.multiple)

    def sizes_after(self, sizes: Sizes) -> Sizes:
        height, width, _ = _room(self, sizes, self.multiple)
        kept = height - height % self.multiple, width - width % self.multiple
        return {name: (kept[0] * each[0] // height, kept[1] * each[0] // height) for name, each in sizes.items()}


class RandomFlip(Transform):
    """Mirrors all images of the sample together, with the given probabilities; `rotate` is by 90 degrees.

    All three at 0.5 give the eight orientations of ESRGAN's augmentation with equal chance.
    """

    def __init__(self, *, horizontal: float = 0.5, vertical: float = 0.0, rotate: float = 0.0) -> None:
        for name, value in (("horizontal", horizontal), ("vertical", vertical), ("rotate", rotate)):
            if not 0 <= value <= 1:
                raise UserError(f"{name} must be a probability from 0 to 1, got {value}")
        self.horizontal, self.vertical, self.rotate = horizontal, vertical, rotate

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        horizontal, vertical, rotate = rng.random(3) < (self.horizontal, self.vertical, self.rotate)
        return {name: _oriented(image, horizontal, vertical, rotate) for name, image in images.items()}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        return sizes  # or, turned, height and width change places: whatever follows asks the same of both


class Resize(Transform):
    """Resizes to `size` ([height, width]), or until the shorter side is `short_side` pixels long.

    A side that shrinks does so by area (no aliasing, no ringing), one that grows bicubically. The images of a sample
    must agree in size: resize before a pair of two sizes is made.
    """

    def __init__(self, *, size: list[int] | None = None, short_side: int | None = None) -> None:
        if (size is None) == (short_side is None):
            raise UserError("give either size: [height, width] or short_side, not both")
        if size is not None and len(size) != 2:
            raise UserError(f"size must be [height, width], got {size}")
        self.size = None if size is None else (_positive("size", size[0]), _positive("size", size[1]))
        self.short_side = None if short_side is None else _positive("short_side", short_side)

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        self.sizes_after(sizes_of(images))
        return {name: self._resized(image) for name, image in images.items()}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        if len(set(sizes.values())) > 1:
            raise UserError(f"Resize: the images differ in size ({_shown(sizes)}); resize before making a smaller one")
        return {name: self._target(*size) for name, size in sizes.items()}

    def _target(self, height: int, width: int) -> tuple[int, int]:
        if self.size is not None:
            return self.size
        factor = self.short_side / min(height, width)  # pyright: ignore[reportOptionalOperand]
        return max(round(height * factor), 1), max(round(width * factor), 1)

    def _resized(self, image: np.ndarray) -> np.ndarray:
        height, width = size_of(image)
        target = self._target(height, width)
        if target == (height, width):
            return image
        if image.dtype == np.bool_:
            return cv2.resize(image.view(np.uint8), target[::-1], interpolation=cv2.INTER_NEAREST).view(np.bool_)
        if image.ndim == 4:
            return np.stack([_to(frame, target) for frame in image])
        return _to(image, target)


def _to(image: np.ndarray, target: tuple[int, ...]) -> np.ndarray:
    """A picture (H, W, C) or a mask (H, W) of the target's height and width."""
    smaller = (min(image.shape[0], target[0]), min(image.shape[1], target[1]))  # one side may shrink, the other grow
    made = image
    if smaller != image.shape[:2]:
        made = cv2.resize(made, smaller[::-1], interpolation=cv2.INTER_AREA)
    if smaller != target:
        made = cv2.resize(made, target[::-1], interpolation=cv2.INTER_CUBIC)
    return made.reshape(*made.shape[:2], *image.shape[2:])  # OpenCV drops a single channel


class Shrink(Transform):
    """Makes every image `factor` times smaller, bicubically as MATLAB's imresize does (`BicubicDegradation`'s way).

    For training at the resolution of a super-resolution network's inputs. Sides must be multiples of the factor.
    """

    def __init__(self, *, factor: int) -> None:
        self.factor = _positive("factor", factor)

    def __call__(self, images: Images, rng: np.random.Generator) -> Images:
        self.sizes_after(sizes_of(images))
        return {name: self._shrunk(image) for name, image in images.items()}

    def sizes_after(self, sizes: Sizes) -> Sizes:
        for name, (height, width) in sizes.items():
            if height % self.factor or width % self.factor:
                raise UserError(
                    f"Shrink: {name} is {height}x{width}, not multiples of {self.factor}; crop before it (ModCrop does)"
                )
        return {name: (height // self.factor, width // self.factor) for name, (height, width) in sizes.items()}

    def _shrunk(self, image: np.ndarray) -> np.ndarray:
        planes = image[..., None] if image.ndim == 2 else image
        images = planes if planes.ndim == 4 else planes[None]  # (T, H, W, C)
        tensor = torch.from_numpy(images.astype(np.float32)).movedim(3, 1)
        small = resize_bicubic(tensor, down=self.factor)
        whole = image.dtype.kind == "u"
        small = small.round() if whole else small
        small = small.clamp(0, np.iinfo(image.dtype).max if whole else 1).movedim(1, 3).numpy()
        small = small >= 0.5 if image.dtype == np.bool_ else small.astype(image.dtype)
        return small if image.ndim == 4 else small[0] if image.ndim == 3 else small[0, ..., 0]


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise UserError(f"{name} must be 1 or more, got {value}")
    return value


def sizes_of(images: Images) -> Sizes:
    """Height and width of each picture, clip or mask."""
    return {name: size_of(image) for name, image in images.items()}


def _height_axis(image: np.ndarray) -> int:
    return max(image.ndim - 3, 0)


def size_of(image: np.ndarray) -> tuple[int, int]:
    """Height and width of a picture, a clip or a mask."""
    axis = _height_axis(image)
    return image.shape[axis], image.shape[axis + 1]


def _shown(sizes: Sizes) -> str:
    return ", ".join(f"{name} {height}x{width}" for name, (height, width) in sizes.items())


def _square(transform: Transform, sizes: Sizes, size: int) -> Sizes:
    """The sizes after a square of `size` pixels was cut out of the largest image, and its part out of the others."""
    height, _, _ = _room(transform, sizes, size)
    return {name: (size * each[0] // height, size * each[0] // height) for name, each in sizes.items()}


def _room(transform: Transform, sizes: Sizes, size: int) -> tuple[int, int, int]:
    """Return the largest image's height and width, and its pixels per pixel of the smallest; check that `size` fits."""
    name = type(transform).__name__
    low, (height, width) = min(sizes.values()), max(sizes.values())
    for each in sizes.values():
        if each[0] % low[0] or each[0] // low[0] * low[1] != each[1]:
            raise UserError(f"{name}: the images' sizes differ by no whole factor ({_shown(sizes)})")
    cell = height // low[0]
    if size % cell:
        raise UserError(f"{name}: {size} must be a multiple of the images' factor {cell} ({_shown(sizes)})")
    if height < size or width < size:
        raise UserError(
            f"{name}: the image of {height}x{width} is smaller than {size}; choose a smaller crop, or Resize before it"
        )
    return height, width, cell


def _crop(images: Images, full_height: int, top: int, left: int, height: int, width: int) -> Images:
    """Cut a part, given in pixels of the largest image, out of every image."""
    cropped = {}
    for name, image in images.items():
        part = np.array([top, top + height, left, left + width]) * size_of(image)[0] // full_height
        rows, columns = part.reshape(2, 2)
        frames = (slice(None),) * _height_axis(image)
        cropped[name] = np.ascontiguousarray(image[(*frames, slice(*rows), slice(*columns))])
    return cropped


def _oriented(image: np.ndarray, horizontal: bool, vertical: bool, rotate: bool) -> np.ndarray:
    axis = _height_axis(image)
    image = np.flip(image, axis + 1) if horizontal else image
    image = np.flip(image, axis) if vertical else image
    return np.ascontiguousarray(np.rot90(image, axes=(axis, axis + 1)) if rotate else image)
