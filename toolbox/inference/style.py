"""The style that a user asks for: a picture, how much of it, or a number to draw one at random by."""

from __future__ import annotations

from pathlib import Path

import torch

from toolbox.io.errors import UserError
from toolbox.io.images import images_to_float, read_image
from toolbox.training.outputs import Style


def style_of(file: Path | None, strength: float | None, seed: int | None) -> Style | None:
    """The style that `--style`, `--strength` and `--seed` describe; None where none of them is given.

    A picture in gray becomes RGB, and its transparency is dropped.

    Raises:
        UserError: a value is out of range, the file cannot be read, or a seed is given beside a picture.
    """
    if file is None and strength is None and seed is None:
        return None
    if strength is not None and not 0 <= strength <= 1:
        raise UserError(f"--strength {strength:g}: must be from 0, the picture's own style, to 1")
    if seed is not None and not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed}: must be 0 or more, and below 2^63")
    if seed is not None and file is not None:
        raise UserError(f"--seed {seed}: is of a random style, and --style names one; leave one of them out")
    images = None
    if file is not None:
        try:
            pixels = read_image(file)  # (H, W, 3)
        except UserError as error:
            raise UserError(f"--style {error}") from None
        images = images_to_float(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    return Style(images, 1.0 if strength is None else strength, seed or 0)
