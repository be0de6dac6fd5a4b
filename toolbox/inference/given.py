"""What a picture may be given as in Python: an array, a Pillow image or a tensor; the result is of the same kind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from toolbox.io.errors import UserError

Translate = Callable[[np.ndarray, bool], np.ndarray]
"""Pixels (H, W) or (H, W, C), and whether the last channel is transparency, to pixels of the same type."""
_MODES = ("L", "LA", "RGB", "RGBA")


def image_through(image: Image.Image, translate: Translate) -> Image.Image:
    """A Pillow image; one of another mode than L, LA, RGB and RGBA becomes RGB, or RGBA where it may be transparent.

    Raises:
        UserError: it has more than 8 bits, which Pillow would cut off.
    """
    if image.mode.startswith("I") or image.mode == "F":
        raise UserError(f"a Pillow image of mode {image.mode} would be cut to 8 bits; give its array, of uint16, or of "
                        "float32 in [0, 1]")  # fmt: skip
    if image.mode not in _MODES:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return Image.fromarray(translate(np.asarray(image), image.mode.endswith("A")))


def tensor_through(images: Tensor, translate: Translate) -> Tensor:
    """Images (C, H, W) or (B, C, H, W) in [0, 1], each by itself; float32 on their own device comes back.

    Raises:
        UserError: they have another number of dimensions, or are no floats.
    """
    if images.dim() not in (3, 4) or not images.is_floating_point():
        raise UserError(f"a tensor of images is (C, H, W) or (B, C, H, W), floats in [0, 1]; got {tuple(images.shape)} "
                        f"of {images.dtype}")  # fmt: skip
    every = images[None] if images.dim() == 3 else images
    arrays = every.detach().float().cpu().permute(0, 2, 3, 1).contiguous().numpy()
    made = torch.stack([torch.from_numpy(translate(array, False)).permute(2, 0, 1) for array in arrays])
    made = made.contiguous().to(images.device)
    return made[0] if images.dim() == 3 else made
