"""MUNIT's content encoder, which is UNIT's encoder."""

from __future__ import annotations

from toolbox_plugins.unit.encoder import UNITEncoder


class MUNITContentEncoder(UNITEncoder):
    """Images (B, C, H, W) in [0, 1] to content codes (B, 4 * width, H / 4, W / 4): `UNITEncoder` by its other name.

    Its instance norms take the style out (Huang et al. 2018, section 5.1). State keys are the official ones without
    `enc_content.`.
    """
