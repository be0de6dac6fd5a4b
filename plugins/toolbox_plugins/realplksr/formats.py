"""The layout of RealPLKSR's weight files: neosr's, in which traiNNer-redux and spandrel read and write it too."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from toolbox import CheckpointFormat, State
from toolbox.contracts.checkpoint_format import count, renamed, root, shape

from .dysample import beginnings, groups_of

POINTS = "to_img.init_pos"
INNER = {
    "widen": "channel_mixer.0", "narrow": "channel_mixer.2", "large": "lk.conv", "attention": "attn.f.0",
    "refine": "refine", "before": "layer_norm", "after": "norm",
}  # fmt: skip
"""Parts of a block, ours and theirs."""
SAMPLER = {"offset": "offset", "scope": "scope", "project": "end_conv"}


class RealPLKSRNeosr(CheckpointFormat):
    """`feats.0`, blocks `feats.{1 ...}`, nothing where dropout was, and the last convolution; DySample in `to_img`."""

    network = "RealPLKSR"
    layout = "neosr"
    wrapper = "params_ema"
    needs = ("feats.0.weight", "feats.1.channel_mixer.0.weight", "feats.1.lk.conv.weight", "feats.1.refine.weight")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """From the shapes; that its norm has four groups does not show."""
        width, channels = shape(state, "feats.0.weight")[:2]
        blocks = count_blocks(state)
        last = f"feats.{blocks + 2}.weight"
        partial, _, kernel, _ = shape(state, "feats.1.lk.conv.weight")
        return {
            "in_channels": channels,
            "out_channels": channels,
            "width": width,
            "blocks": blocks,
            "kernel": kernel,
            "share": partial / width,
            "attention": "feats.1.attn.f.0.weight" in state,
            "norm": "layer" if "feats.1.layer_norm.weight" in state else "group",
            "scale": root(shape(state, last)[0], channels, last),
            "upsampler": "dysample" if "to_img.offset.weight" in state else "shuffle",
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """Where DySample begins to look follows from its scale, and is left out."""
        own = {key: value for key, value in state.items() if key != POINTS}
        blocks = count_blocks(state)
        numbered = [
            (re.escape(f"feats.{number + 1}.{theirs}."), f"blocks.{number}.{ours}.")
            for number in range(blocks)
            for ours, theirs in INNER.items()
        ]
        ends = [(r"feats\.0\.", "first."), (rf"feats\.{blocks + 2}\.", "last.")]
        return renamed(own, [*ends, *numbered, *((rf"to_img\.{b}\.", f"sampler.{a}.") for a, b in SAMPLER.items())])

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """To the published keys, with the points at which DySample begins."""
        blocks = count(state, r"blocks\.(\d+)\.refine\.weight")
        numbered = [
            (rf"blocks\.{number}\.{ours}\.", f"feats.{number + 1}.{theirs}.")
            for number in range(blocks)
            for ours, theirs in INNER.items()
        ]
        ends = [(r"first\.", "feats.0."), (r"last\.", f"feats.{blocks + 2}.")]
        found = renamed(state, [*ends, *numbered, *((rf"sampler\.{a}\.", f"to_img.{b}.") for a, b in SAMPLER.items())])
        if "to_img.offset.weight" in found:
            channels = found["feats.0.weight"].shape[1]
            found[POINTS] = points(channels, root(len(state["last.weight"]), channels, "last.weight"))
        return found


def count_blocks(keys: Collection[str]) -> int:
    """How many blocks a published state dict has."""
    return count(keys, r"feats\.(\d+)\.refine\.weight", start=1)


def points(channels: int, scale: int) -> Tensor:
    """Where DySample begins to look, (1, 2 * groups * scale², 1, 1): columns and then rows, of each group."""
    begin = torch.tensor(beginnings(scale))
    columns, rows = begin.repeat(scale, 1), begin.repeat(scale, 1).T
    return torch.stack([columns, rows])[:, None].repeat(1, groups_of(channels, scale), 1, 1).reshape(1, -1, 1, 1)
