"""The layout of UNIT's official weight files: two auto-encoders, and what translates in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from torch import Tensor

from toolbox import CheckpointFormat, State, UserError, did_you_mean
from toolbox.contracts.checkpoint_format import count, renamed, shape

WAYS = {"fake_b": ("a", "b"), "fake_a": ("b", "a")}
"""From which half of a file an output has its encoder, and from which its decoder."""


class TwoWays(CheckpointFormat):
    """`{"a": ..., "b": ...}`, the halves each with an encoder and a decoder: a to b unless fake_a is asked for.

    A file of one state dict is taken too: one half alone, or a network of the toolbox written in this layout.
    """

    decoding: tuple[str, ...] = ("dec.",)
    """Prefixes, in a half, of what decodes images of its domain; all else encodes them."""

    slots: ClassVar[Mapping[str, Mapping[str, str]]] = {"encoder": {"enc.": ""}, "decoder": {"dec.": ""}}
    """For a slot without its domain, the prefixes in a half of a file, and what replaces each in the network's keys."""

    def matches(self, keys: Collection[str]) -> bool:
        """Both halves, or the only one, have what is needed."""
        halves = [{key[2:] for key in keys if key.startswith(f"{half}.")} for half in "ab"]
        return all(super(TwoWays, self).matches(half) for half in halves) or super().matches(keys)

    def choose(self, state: Mapping[str, Tensor], output: str | None) -> State:
        """One half's encoder and the other's decoder.

        Raises:
            UserError: the output is none of fake_b and fake_a, or is asked of a file of one network.
        """
        if super().matches(state.keys()):
            return super().choose(state, output)
        if output is not None and output not in WAYS:
            raise UserError(f"gives {' and '.join(WAYS)}{did_you_mean(output, WAYS)}")
        encoder, decoder = WAYS[output or "fake_b"]
        halves = {half: {k[2:]: v for k, v in state.items() if k.startswith(f"{half}.")} for half in "ab"}
        chosen = {key: value for key, value in halves[encoder].items() if not key.startswith(self.decoding)}
        return chosen | {key: value for key, value in halves[decoder].items() if key.startswith(self.decoding)}

    def of_slot(self, state: Mapping[str, Tensor], slot: str) -> State | None:
        """A domain's encoder or decoder of a file with both halves."""
        kind, _, domain = slot.rpartition("_")
        if kind not in self.slots or super().matches(state.keys()):
            return None
        prefixes = [(re.escape(f"{domain}.{theirs}"), ours) for theirs, ours in self.slots[kind].items()]
        own = {key: value for key, value in state.items() if any(re.match(prefix, key) for prefix, _ in prefixes)}
        return {key: value for key, value in renamed(own, prefixes).items() if not key.endswith(STALE)}


class UNITOfficial(TwoWays):
    """`gen_00100000.pt` as UNIT's code of 2018 writes it: keys `a.enc.model...`, `b.dec.model...`."""

    network = "UNITGenerator"
    layout = "unit"
    needs = ("enc.model.0.conv.weight", "enc.model.1.conv.weight", "dec.model.2.norm.gamma")

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Widths from the first and the last convolution, depths by counting."""
        width, in_channels = shape(state, "enc.model.0.conv.weight")[:2]
        downsamplings = count(state, r"enc\.model\.(\d+)\.conv\.", start=1)
        return {
            "in_channels": in_channels,
            "out_channels": shape(state, f"dec.model.{2 * downsamplings + 1}.conv.weight")[0],
            "width": width,
            "downsamplings": downsamplings,
            "blocks": count(state, rf"enc\.model\.{downsamplings + 1}\.model\.(\d+)\."),
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones; running statistics of old instance norms are left out."""
        return {key: value for key, value in state.items() if not key.endswith(STALE)}

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The network's keys are the official ones."""
        return dict(state)


STALE = (".running_mean", ".running_var", ".num_batches_tracked")
