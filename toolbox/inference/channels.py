"""How many channels a network takes, found by trying; and gray pictures that were saved in three."""

from __future__ import annotations

from math import ceil

import numpy as np
import torch
from torch import nn

from toolbox.contracts.clips import is_recurrent
from toolbox.inference.failures import cause, speaks_of_shapes
from toolbox.inference.picture import Picture
from toolbox.io.errors import UserError
from toolbox.training.network_call import call_padded


def channels_of(network: nn.Module, device: torch.device, multiple: int, beside: int) -> int:
    """How many channels a network takes: 3 if it can, else 1 or 4, or what its first convolution has.

    `beside` of them are masks. Raises UserError with the cause where it is not the number of channels that fails.
    """
    told: int | None = getattr(network, "image_channels", None)
    if told is not None:
        return told
    convolutions = [m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    side = safe_side(multiple)
    for channels in dict.fromkeys([3 + beside, 1 + beside, 4 + beside, *convolutions[:1]]):
        try:
            with torch.inference_mode():
                images = torch.zeros(1, channels, side, side, device=device)
                if is_recurrent(network):  # its forward takes clips
                    network.step(images, None)  # pyright: ignore[reportCallIssue]
                else:
                    call_padded(network, images)
        except (RuntimeError, ValueError) as error:
            if not speaks_of_shapes(error):
                raise UserError(cause(error, device)) from error
            continue
        return channels
    raise UserError("the network takes neither 1, 3 nor 4 channels; it cannot be applied to pictures")


def safe_side(multiple: int) -> int:
    """A side that every network takes: the padding and the normalisation of some want more than a pixel or two."""
    return ceil(24 / multiple) * multiple * (2 if multiple > 12 else 1)


def as_gray(picture: Picture, white: float) -> Picture:
    """A picture of three equal channels, as scanners save gray ones, as its gray; one of colours as it is."""
    if picture.colours != 3:
        return picture
    colours = picture.array[..., :3].astype(np.float32)
    if float((colours.max(-1) - colours.min(-1)).max()) > white / 255:
        return picture
    kept = [1, *range(3, picture.array.shape[2])]  # green, the middle one, and transparency
    return picture.with_pixels(np.ascontiguousarray(picture.array[..., kept]), alpha=picture.alpha)
