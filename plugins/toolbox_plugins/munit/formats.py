"""The layout of MUNIT's official weight files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from toolbox import State
from toolbox.contracts.checkpoint_format import count, renamed, shape
from toolbox_plugins.unit.formats import STALE, TwoWays


class MUNITOfficial(TwoWays):
    """`gen_00100000.pt` as MUNIT's code writes it: keys `a.enc_content.model...`, `b.dec.model...`, `b.mlp.model...`.

    The keys are the code's as far as is known; none of its files was at hand. Style encoders are left out: the network
    has one style, drawn by its seed. An algorithm that begins with such a file (`load_from`) gets them too.
    """

    network = "MUNITGenerator"
    layout = "munit"
    needs = ("enc_content.model.0.conv.weight", "mlp.model.0.fc.weight", "dec.model.2.norm.gamma")
    decoding = ("dec.", "mlp.")
    slots = {
        "content_encoder": {"enc_content.": ""},
        "style_encoder": {"enc_style.": ""},
        "decoder": {"dec.": "", "mlp.": "mlp."},
    }

    def arguments(self, state: Mapping[str, Tensor]) -> dict[str, Any]:
        """Widths from the first and the last layers, depths by counting."""
        width, in_channels = shape(state, "enc_content.model.0.conv.weight")[:2]
        style_width, style_channels = shape(state, "mlp.model.0.fc.weight", 2)
        downsamplings = count(state, r"enc_content\.model\.(\d+)\.conv\.", start=1)
        return {
            "in_channels": in_channels,
            "out_channels": shape(state, f"dec.model.{2 * downsamplings + 1}.conv.weight")[0],
            "width": width,
            "downsamplings": downsamplings,
            "blocks": count(state, rf"enc_content\.model\.{downsamplings + 1}\.model\.(\d+)\."),
            "style_channels": style_channels,
            "style_width": style_width,
        }

    def convert(self, state: Mapping[str, Tensor]) -> State:
        """The perceptron is the decoder's here; style encoders and adaptive norms' unused statistics are left out."""
        kept = {k: v for k, v in state.items() if not k.startswith("enc_style.") and not k.endswith(STALE)}
        return renamed(kept, [(r"mlp\.", "dec.mlp.")])

    def restore(self, state: Mapping[str, Tensor]) -> State:
        """The perceptron beside the decoder."""
        return renamed(state, [(r"dec\.mlp\.", "mlp.")])
