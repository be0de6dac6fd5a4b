"""The layout of DAT's weight files: the authors', in which spandrel reads and traiNNer-redux writes it too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod
from typing import Any

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError
from toolbox.contracts.checkpoint_format import count, root, shape

from .attention import apart, index
from .generator import SHUFFLED, shifted

BIASES = "rpe_biases"
COMPUTED = re.compile(r"\.(relative_position_index|attn_mask_[01])$")
"""Tensors of a published file that follow from its sizes."""
TRAINED_ON = 64
"""Sides of the crops that published masks are written for; of other images they are computed anew."""
LARGEST = 1 << 12
"""Pixels of a window, for whose pairs there is a table: those of DAT have 256."""
FIRST = "layers.0.blocks.0."


class DATOfficial(CheckpointFormat):
    """The network's own keys, and tables that follow from its sizes."""

    network = "DAT"
    layout = "dat"
    wrapper = "params"
    needs = (
        "conv_first.weight", "before_RG.1.weight", f"{FIRST}ffn.sg.conv.weight", f"{FIRST}attn.qkv.weight",
        f"{FIRST}attn.attns.0.rpe_biases", f"{FIRST}attn.attns.1.pos.pos3.2.weight",
        f"{FIRST}attn.dwconv.1.running_mean",
    )  # fmt: skip

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """From the shapes, and the window from the distances within it."""
        width, channels = shape(state, "conv_first.weight")[:2]
        groups = count(state, r"layers\.(\d+)\.blocks\.0\.norm1\.weight")
        depths = [count(state, rf"layers\.{number}\.blocks\.(\d+)\.norm1\.weight") for number in range(groups)]
        direct = "conv_last.weight" not in state
        scale = (
            root(shape(state, "upsample.0.weight")[0], channels, "upsample.0.weight") if direct else enlargement(state)
        )
        return {
            "in_channels": channels,
            "out_channels": channels,
            "width": width,
            "depths": depths,
            "heads": [
                2 * shape(state, f"layers.{n}.blocks.0.attn.attns.0.pos.pos3.2.weight", 2)[0] for n in range(groups)
            ],
            "window": sides_of(state[f"{FIRST}attn.attns.0.{BIASES}"]),
            "expansion": shape(state, f"{FIRST}ffn.fc1.weight", 2)[0] / width,
            "bias": f"{FIRST}attn.qkv.bias" in state,
            "convolutions": 1 if "conv_after_body.weight" in state else 3,
            "scale": scale,
            "direct": direct,
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """What follows from the sizes is left out."""
        return {key: value for key, value in state.items() if not COMPUTED.search(key)}

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """With the tables that published networks want to find, masks for crops of 64 pixels among them."""
        found = dict(state)
        for key in [key for key in state if key.endswith(BIASES)]:
            group, block, number = (int(part) for part in re.findall(r"\d+", key))
            sides = sides_of(state[key])
            head = key.removesuffix(f"attns.{number}.{BIASES}")
            found[f"{head}attns.{number}.relative_position_index"] = index(sides)
            if shifted(group, block):
                shift = [side // 2 for side in sides]
                mask = apart(TRAINED_ON, TRAINED_ON, sides, shift, state[key])
                found[f"{head}attn_mask_{number}"] = mask.flatten(0, 1)
        return found


def sides_of(distances: Tensor) -> list[int]:
    """The sides of a window, of all distances within it. Raises UserError where that is no list of them."""
    if distances.dim() != 2 or distances.shape[1] != 2 or not len(distances):
        raise UserError(f"its rpe_biases have shape {tuple(distances.shape)} and are no list of distances")
    sides = [int(side) + 1 for side in distances.amax(0).nan_to_num().clamp(0, LARGEST)]
    if prod(sides) > LARGEST:
        raise UserError(f"its windows of {sides[1]}x{sides[0]} have more than {LARGEST:,} pixels")
    return sides


def enlargement(state: Mapping[str, Tensor]) -> int:
    """The scale of the pixel shuffles, of which there is none at x1."""
    scale, number = 1, 0
    while f"upsample.{number}.weight" in state and number < 6:
        key = f"upsample.{number}.weight"
        scale *= root(shape(state, key)[0], SHUFFLED, key)
        number += 2
    return scale
