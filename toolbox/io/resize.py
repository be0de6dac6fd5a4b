"""Bicubic resizing as MATLAB's imresize does it, which the tables of the super-resolution papers rest on."""

from __future__ import annotations

from contextlib import nullcontext
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError


def not_multiples(height: int, width: int, factor: int) -> str:
    """What to say of an image that cannot be shrunk by a whole factor, with the way out."""
    message = f"height {height} and width {width} must be multiples of {factor} to shrink by {factor}"
    if min(height, width) < factor:
        return f"{message}, and one is smaller: leave the image out"
    return f"{message}; crop to {height - height % factor}x{width - width % factor} first (ModCrop does)"


def resize_bicubic(images: Tensor, *, up: int = 1, down: int = 1) -> Tensor:
    """Resize images (..., C, H, W) to (..., C, H*up, W*up), or to (..., C, H/down, W/down), as MATLAB's imresize.

    Keys' kernel (a = -0.5), widened by the factor when shrinking, with mirrored borders. Values may overshoot
    [0, 1]; nothing is rounded. Raises ValueError where H or W is no multiple of `down`.

    torch's antialiased bicubic differs from MATLAB at the border alone (it renormalises there), so the images are
    mirrored outwards first. The padding is a multiple of `down`, else the sampling grid would shift.
    """
    if up < 1 or down < 1 or (up > 1 and down > 1):
        raise ValueError(f"give either up or down, an integer of 1 or more, got up={up}, down={down}")
    height, width = images.shape[-2:]
    if height % down or width % down:
        raise ValueError(not_multiples(height, width, down))
    if up == down == 1:
        return images
    if images.dim() > 4:  # clips: torch resizes batches of pictures
        return resize_bicubic(images.flatten(0, -4), up=up, down=down).unflatten(0, images.shape[:-3])
    if up > 1:
        wide = images if images.dtype == torch.float64 else images.float()
        return _enlarged(_mirror(wide, _REACH), up, -0.5)
    pad = 4 * down  # the kernel reaches 2 * down pixels
    padded = _mirror(images, pad)
    size = (padded.shape[-2] // down, padded.shape[-1] // down)
    resized = _interpolate(padded, size)
    edge = pad // down
    return resized[..., edge : size[0] - edge, edge : size[1] - edge].contiguous()


def enlarge_bicubic(images: Tensor, scale: int) -> Tensor:
    """Enlarge images (B, C, H, W) to (B, C, scale*H, scale*W) as torch's own bicubic does, with borders continued.

    Keys' kernel with a = -0.75, as a convolution of 5 by 5 and a pixel shuffle: a fifth to a third of `interpolate`'s
    time in channels-last on a CPU, and what other runtimes are fast at. Within 5e-7 of it, in the type of `images`.
    """
    if scale == 1:
        return images
    if images.is_cuda:  # there a convolution may round to TF32
        return F.interpolate(images, scale_factor=scale, mode="bicubic", align_corners=False)
    return _enlarged(F.pad(images, (_REACH,) * 4, mode="replicate"), scale, -0.75)


def resize_to(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize images (..., C, H, W) to (..., C, *size) bicubically: the do-nothing baseline of a model's input.

    By an integer factor it is `resize_bicubic`; by any other, equal to MATLAB's except within 2 pixels of the border.
    """
    height, width = images.shape[-2:]
    if (height, width) == size:
        return images
    if images.dim() > 4:
        return resize_to(images.flatten(0, -4), size).unflatten(0, images.shape[:-3])
    if size[0] < 1 or size[1] < 1:
        raise UserError(f"cannot resize to {size[0]}x{size[1]}")
    if size[0] % height == 0 and size[0] // height * width == size[1]:
        return resize_bicubic(images, up=size[0] // height)
    if height % size[0] == 0 and height // size[0] * size[1] == width:
        return resize_bicubic(images, down=height // size[0])
    return _interpolate(images, size)


_REACH = 2
"""Pixels on each side of one that its enlargement looks at."""


def _enlarged(padded: Tensor, scale: int, a: float) -> Tensor:
    """Images (B, C, H + 4, W + 4) to (B, C, scale*H, scale*W), contiguous as they are; never in half precision."""
    channels, kind = padded.shape[1], padded.device.type
    kernels = torch.tensor(_kernels(scale, a), dtype=padded.dtype, device=padded.device)
    weights = kernels.view(-1, 1, 2 * _REACH + 1, 2 * _REACH + 1).repeat(channels, 1, 1, 1)
    autocasts = torch.is_autocast_enabled(kind)
    with torch.autocast(kind, enabled=False) if autocasts else nullcontext():
        return F.pixel_shuffle(F.conv2d(padded, weights, groups=channels), scale)


@lru_cache(maxsize=16)
def _kernels(scale: int, a: float) -> list[float]:
    """The weights of each of `scale`² sub-pixels, 5 by 5 each, in the order of a pixel shuffle."""
    lines = []
    for phase in range(scale):
        offset = (phase + 0.5) / scale - 0.5
        lines.append([_keys(offset - place, a) for place in range(-_REACH, _REACH + 1)])
    return [vertical * horizontal for above in lines for beside in lines for vertical in above for horizontal in beside]


def _keys(distance: float, a: float) -> float:
    """The cubic convolution kernel of Keys, 1981."""
    x = abs(distance)
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * (x**3 - 5 * x**2 + 8 * x - 4) if x < 2 else 0.0


def _interpolate(images: Tensor, size: tuple[int, int]) -> Tensor:
    images = images if images.dtype == torch.float64 else images.float()  # half precision would miss by whole levels
    return F.interpolate(images, size, mode="bicubic", align_corners=False, antialias=True)


def _mirror(images: Tensor, pad: int) -> Tensor:
    """Pad (B, C, H, W) on every side by mirroring with the edge pixel repeated, however small the image is."""
    for dim in (-2, -1):
        length = images.shape[dim]
        period = torch.full((), 2 * length, device=images.device)  # a tensor, as exporters want it of a free size
        index = torch.arange(-pad, length + pad, device=images.device) % period
        images = images.index_select(dim, torch.minimum(index, 2 * length - 1 - index))
    return images


def mirrored_to(images: Tensor, side: int) -> Tensor:
    """Continue images (B, C, H, W) right and below to `side` at least, mirrored with the edge repeated."""
    for dim in (-2, -1):
        length = images.shape[dim]
        if length < side:
            index = torch.arange(side, device=images.device) % (2 * length)
            images = images.index_select(dim, torch.minimum(index, 2 * length - 1 - index))
    return images
