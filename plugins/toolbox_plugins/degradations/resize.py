"""Resizing with a random filter to a random size, and to the size that the chain must end with."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox import UserError, did_you_mean

from .arrays import pick_index, with_channels
from .stage import Draws, Size, Stage, check_bounds, check_weights, choice, uniform

MODES = ("area", "bilinear", "bicubic", "lanczos")
OPENCV = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
"""Filters that OpenCV computes as torch does; its area filter is another."""


def resize(images: Tensor, size: Size, *, mode: str) -> Tensor:
    """Resize images (B, C, H, W) to (B, C, *size) by area, bilinear, bicubic or lanczos; may overshoot [0, 1].

    The first three are Real-ESRGAN's, torch's without antialiasing: shrunk by more than 2, bilinear and bicubic alias,
    as in much software, and that is part of the recipe. Lanczos (a = 3) is antialiased, as Pillow's is.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    if mode == "lanczos":
        rows, columns = (_lanczos(old, new).to(images) for old, new in zip(images.shape[-2:], size, strict=True))
        return rows @ images @ columns.T
    if mode in OPENCV and images.device.type == "cpu" and images.dtype == torch.float32 and not images.requires_grad:
        return _by_opencv(images, size, OPENCV[mode])
    return F.interpolate(images, size, mode=mode, align_corners=None if mode == "area" else False)


def _by_opencv(images: Tensor, size: Size, interpolation: int) -> Tensor:
    """The same numbers as torch's (tested), several times faster."""
    resized = images.new_empty(*images.shape[:2], *size)
    planes = zip(images.flatten(0, 1).contiguous().numpy(), resized.flatten(0, 1).numpy(), strict=True)
    for plane, result in planes:
        cv2.resize(plane, size[::-1], dst=result, interpolation=interpolation)
    return resized


def resize_array(image: np.ndarray, size: Size, *, mode: str) -> np.ndarray:
    """The same for one image (H, W, C), float32."""
    if image.shape[:2] == tuple(size):
        return image
    if mode == "area":
        return _window_means(image, size)
    if mode in OPENCV:
        return with_channels(cv2.resize(image, size[::-1], interpolation=OPENCV[mode]))
    planes = torch.from_numpy(np.moveaxis(image, -1, 0)[None])
    return np.ascontiguousarray(np.moveaxis(resize(planes, size, mode=mode)[0].numpy(), 0, -1))


def _window_means(image: np.ndarray, size: Size) -> np.ndarray:
    """torch's area filter: the mean of all pixels that a pixel of the result touches, by differences of sums."""
    sums = cv2.integral(image, sdepth=cv2.CV_64F)  # (H + 1, W + 1, C)
    sums = sums if sums.ndim == 3 else sums[..., None]
    for axis, (old, new) in enumerate(zip(image.shape[:2], size, strict=True)):
        start, end = np.arange(new) * old // new, -(-np.arange(1, new + 1) * old // new)
        shape = [1, 1, 1]
        shape[axis] = new
        sums = (sums.take(end, axis) - sums.take(start, axis)) / (end - start).reshape(shape)
    return sums.astype(np.float32)


class RandomResize(Stage):
    """Resizes each sample by a factor and a filter of its own (Real-ESRGAN: the first resize; BSRGAN: downsample2).

    Used alone it comes back at its size. Real-ESRGAN draws one factor for the whole batch, this one per sample.
    """

    def __init__(
        self,
        *,
        scale_range: tuple[float, float] = (0.15, 1.5),
        directions: tuple[float, float, float] = (0.2, 0.7, 0.1),
        draw_inverse: bool = False,
        relative_to: Literal["input", "final"] = "input",
        modes: tuple[str, ...] = ("area", "bilinear", "bicubic"),
        probability: float = 1.0,
    ) -> None:
        """`directions` weighs enlarging (by 1 to the highest factor), shrinking (by the lowest factor to 1) and
        keeping; `draw_inverse` draws 1 / factor uniformly instead of the factor. The factor is of the stage's input,
        or of the size that the chain ends with (Real-ESRGAN's second resize). Modes are equally likely.
        """
        super().__init__(probability=probability)
        self.scale_range = check_bounds("scale_range", scale_range, low=0.01, high=16)
        if not scale_range[0] <= 1 <= scale_range[1]:
            raise UserError(f"scale_range must reach from 1 or less to 1 or more, got {list(scale_range)}")
        self.directions = check_weights("directions", directions, 3)
        self.draw_inverse, self.relative_to, self.modes = draw_inverse, relative_to, _check_modes(modes)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        direction = choice(count, self.directions, rng)
        low, high = self.scale_range
        up, share = uniform(count, (1, high), rng), torch.rand(count, generator=rng)
        down = 1 / (1 + (1 / low - 1) * share) if self.draw_inverse else low + (1 - low) * share
        factor = torch.where(direction == 0, up, torch.where(direction == 1, down, 1.0))
        return {"factor": factor, "mode": torch.randint(len(self.modes), (count,), generator=rng)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        results = []
        for sample, factor, mode in zip(samples, draws["factor"].tolist(), draws["mode"].tolist(), strict=True):
            height, width = final if self.relative_to == "final" else sample.shape[-2:]
            size = (max(1, int(height * factor)), max(1, int(width * factor)))
            results.append(resize(sample[None], size, mode=self.modes[mode])[0])
        return results

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        (low, high), direction = self.scale_range, pick_index(self.directions, rng)
        up, share, mode = rng.uniform(1, high), rng.random(), self.modes[rng.integers(len(self.modes))]
        down = 1 / (1 + (1 / low - 1) * share) if self.draw_inverse else low + (1 - low) * share
        factor = (up, down, 1.0)[direction]
        height, width = final if self.relative_to == "final" else image.shape[:2]
        return resize_array(image, (max(1, int(height * factor)), max(1, int(width * factor))), mode=mode)

    def extra_repr(self) -> str:
        return f"scale_range={self.scale_range}, directions={self.directions}, relative_to={self.relative_to}"


class FinalResize(Stage):
    """Resizes each sample, with a random filter, to the size that the chain ends with; later stages keep it."""

    def __init__(self, *, modes: tuple[str, ...] = ("area", "bilinear", "bicubic"), probability: float = 1.0) -> None:
        super().__init__(probability=probability)
        self.modes = _check_modes(modes)

    def draw(self, count: int, rng: torch.Generator) -> Draws:
        return {"mode": torch.randint(len(self.modes), (count,), generator=rng)}

    def treat(self, samples: list[Tensor], draws: Draws, final: Size) -> list[Tensor]:
        modes = [self.modes[i] for i in draws["mode"].tolist()]
        return [resize(sample[None], final, mode=mode)[0] for sample, mode in zip(samples, modes, strict=True)]

    def alter(self, image: np.ndarray, rng: np.random.Generator, final: Size) -> np.ndarray:
        return resize_array(image, final, mode=self.modes[rng.integers(len(self.modes))])


def _check_modes(modes: tuple[str, ...]) -> tuple[str, ...]:
    for mode in modes:
        if mode not in MODES:
            raise UserError(f"modes: {mode!r} is no filter{did_you_mean(mode, MODES)}; known: {', '.join(MODES)}")
    if not modes:
        raise UserError(f"modes must name at least one of {', '.join(MODES)}")
    return tuple(modes)


@lru_cache(maxsize=64)
def _lanczos(old: int, new: int) -> Tensor:
    """The matrix (new, old) that resizes a line: Lanczos-3, widened when shrinking, renormalised at the borders."""
    ratio = old / new
    stretch = max(ratio, 1.0)
    centres = (torch.arange(new, dtype=torch.float64) + 0.5) * ratio - 0.5
    offsets = (torch.arange(old, dtype=torch.float64)[None] - centres[:, None]) / stretch  # (new, old)
    weights = torch.sinc(offsets) * torch.sinc(offsets / 3) * (offsets.abs() < 3)
    return weights / weights.sum(1, keepdim=True)
