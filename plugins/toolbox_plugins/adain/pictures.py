"""The picture of a style that a network of any style paints in."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from toolbox import UserError


def style_picture(chosen: dict[str, Any], smallest: int, painter: str) -> Tensor:
    """The picture (B, C, H, W) that was chosen, of `smallest` pixels each way at least; `painter` names who wants it.

    Raises UserError where there is none, or it is too small.
    """
    picture = chosen["style"]
    if picture is None:
        raise UserError(
            f"{painter} paints in the style of a picture and was given none: name one with --style FILE; "
            "evaluation takes it from 'real_b', which UnpairedFolders gives beside 'real_a'"
        )
    height, width = picture.shape[-2:]
    if min(height, width) < smallest:
        raise UserError(f"the style's picture is {width}x{height}; it must be {smallest} pixels each way")
    return picture
