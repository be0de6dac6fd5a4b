"""The images of a style, from their files."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from toolbox import UserError, images_at, images_to_float, read_image, resize_to
from toolbox.io.search import place


def style_images(image: str, size: int | None) -> Iterator[Tensor]:
    """The image at a path, or each below a folder, as (1, 3, H, W) in [0, 1]; the shorter side of `size` pixels.

    Raises UserError for a path without images and for damaged ones.
    """
    for path in images_at(place(image)):
        pixels = images_to_float(torch.from_numpy(read_image(path)).permute(2, 0, 1)[None])
        if size is not None:
            height, width = pixels.shape[-2:]
            scale = size / min(height, width)
            pixels = resize_to(pixels, (round(height * scale), round(width * scale))).clamp(0, 1)
        yield pixels


def check_size(size: int | None) -> None:
    """Refuse a side of no pixels."""
    if size is not None and size < 1:
        raise UserError(f"size must be at least 1 pixel, got {size}")


@torch.no_grad()
def mean_statistics(image: str, size: int | None, describe: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
    """What `describe` says of an image, or the mean of what it says of each image of a folder."""
    sums: list[Tensor] = []
    count = 0
    for pixels in style_images(image, size):
        described = [each.double() for each in describe(pixels)]
        sums = [a + b for a, b in zip(sums, described, strict=True)] if sums else described
        count += 1
    return [(each / count).float() for each in sums]
