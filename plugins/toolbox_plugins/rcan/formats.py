"""The layout of RCAN's weight files: the authors', in which traiNNer-redux and spandrel read and write it too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.checkpoint_format import count, renamed, root, shape

from .generator import FOLDED

SHIFTS = ("sub_mean.weight", "sub_mean.bias", "add_mean.weight", "add_mean.bias")
"""1x1 convolutions that take the mean of DIV2K away and put it back, on [0, 255]."""
TO_OWN = (
    (r"head\.[01]\.", "first."),
    (r"body\.(\d+)\.body\.(\d+)\.body\.0\.", r"groups.\1.blocks.\2.conv1."),
    (r"body\.(\d+)\.body\.(\d+)\.body\.2\.", r"groups.\1.blocks.\2.conv2."),
    (r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.0\.", r"groups.\1.blocks.\2.squeeze."),
    (r"body\.(\d+)\.body\.(\d+)\.body\.3\.conv_du\.2\.", r"groups.\1.blocks.\2.excite."),
    (r"body\.(\d+)\.body\.\d+\.", r"groups.\1.after."),
    (r"body\.\d+\.", "after."),
    (r"tail\.0\.", "upsample."),
    (r"tail\.1\.", "last."),
)


class RCANOfficial(CheckpointFormat):
    """`head`, `body.{group}.body.{block}.body`, `tail`; on folded pixels `head.1` in place of `head.0`."""

    network = "RCAN"
    layout = "rcan"
    wrapper = None
    needs = ("body.0.body.0.body.0.weight", "body.0.body.0.body.3.conv_du.0.weight", "tail.1.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """From the shapes; a folded network enlarges by 4, and by how much it folds says at which scale it works."""
        fold = "head.1.weight" in state
        head = f"head.{int(fold)}.weight"
        width, seen = shape(state, head)[:2]
        channels = shape(state, "tail.1.weight")[0]
        scale = enlargement(state, width)
        if fold:
            factor = root(seen, channels, head)
            if scale != FOLDED or factor not in (2, 4):
                raise UserError(f"it folds pixels by {factor} and enlarges by {scale}, where 2 or 4 and 4 are known")
            scale = FOLDED // factor
        return {
            "in_channels": channels,
            "out_channels": channels,
            "width": width,
            "groups": count(state, r"body\.(\d+)\.body\.0\.body\.0\.weight"),
            "blocks": count(state, r"body\.0\.body\.(\d+)\.body\.0\.weight"),
            "reduction": width // max(shape(state, "body.0.body.0.body.3.conv_du.0.weight")[0], 1),
            "scale": scale,
            "fold": fold,
            "centred": SHIFTS[0] in state,
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The mean is kept, its convolutions are not."""
        if SHIFTS[0] in state:
            check_shifts(state)
        found = renamed({key: value for key, value in state.items() if key not in SHIFTS}, TO_OWN)
        return found | ({"mean": -state["sub_mean.bias"]} if SHIFTS[0] in state else {})

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The convolutions after blocks and groups are numbered after them."""
        blocks = count(state, r"groups\.0\.blocks\.(\d+)\.conv1\.weight")
        groups = count(state, r"groups\.(\d+)\.after\.weight")
        head = int(state["first.weight"].shape[1] != state["last.weight"].shape[0])
        to_published = (
            (r"first\.", f"head.{head}."),
            (r"groups\.(\d+)\.blocks\.(\d+)\.conv1\.", r"body.\1.body.\2.body.0."),
            (r"groups\.(\d+)\.blocks\.(\d+)\.conv2\.", r"body.\1.body.\2.body.2."),
            (r"groups\.(\d+)\.blocks\.(\d+)\.squeeze\.", r"body.\1.body.\2.body.3.conv_du.0."),
            (r"groups\.(\d+)\.blocks\.(\d+)\.excite\.", r"body.\1.body.\2.body.3.conv_du.2."),
            (r"groups\.(\d+)\.after\.", rf"body.\1.body.{blocks}."),
            (r"after\.", f"body.{groups}."),
            (r"upsample\.", "tail.0."),
            (r"last\.", "tail.1."),
        )
        found = renamed({key: value for key, value in state.items() if key != "mean"}, to_published)
        if "mean" in state:
            mean = state["mean"]
            eye = torch.eye(len(mean), dtype=mean.dtype, device=mean.device)[:, :, None, None]
            found |= dict(zip(SHIFTS, (eye, -mean, eye.clone(), mean.clone()), strict=True))
        return found


def enlargement(state: Mapping[str, Tensor], width: int) -> int:
    """The scale of the pixel shuffles in a published file's tail."""
    scale, number = 1, 0
    while f"tail.0.{number}.weight" in state and number < 6:
        key = f"tail.0.{number}.weight"
        scale *= root(shape(state, key)[0], width, key)
        number += 2
    return scale


def check_shifts(state: Mapping[str, Tensor]) -> None:
    """Refuse a file whose mean is not taken away and put back as it is everywhere, which could not be kept.

    Raises:
        UserError: it multiplies colours, or puts another mean back.
    """
    channels = shape(state, "tail.1.weight")[0]
    for key in SHIFTS:
        wanted = (channels, channels, 1, 1) if key.endswith("weight") else (channels,)
        if shape(state, key, len(wanted)) != wanted:
            raise UserError(f"'{key}' has shape {tuple(state[key].shape)} instead of {wanted}")
    eye = torch.eye(channels, device=state[SHIFTS[0]].device)[:, :, None, None]
    plain = all(torch.allclose(state[key].float(), eye, atol=1e-4) for key in SHIFTS if key.endswith("weight"))
    if not plain or not torch.allclose(-state["sub_mean.bias"], state["add_mean.bias"], atol=1e-3):
        raise UserError("its sub_mean and add_mean are more than a mean taken away and put back")
