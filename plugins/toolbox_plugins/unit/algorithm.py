"""UNIT (Liu et al., 2017): unpaired translation between two domains through a latent space that they share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from toolbox import Algorithm, Output, Parts, Values

from .codes import agreed, refuse_style
from .layers import ResidualBlock, initialize

SLOTS = ("encoder_a", "decoder_a", "encoder_b", "decoder_b")
KINDS = ("encoders", "decoders", "encoders", "decoders")


class UNIT(Algorithm):
    """`real_a` to `fake_b` and `real_b` to `fake_a`: a domain's encoder, then the other domain's decoder.

    Each encoder gives the mean of a Gaussian code of unit variance, (B, channels, h, w). In training decoders get the
    mean plus noise, each sample its own, from torch's global random state; in prediction, the mean. An image's noise is
    drawn once, for its reconstruction and its translation.

    Roles, each computed only where it has a loss: `reconstruction` within a domain, `cycle`, `kl` (the codes' means for
    real images), `kl_cycle` (for fakes), `perceptual`, what a translation keeps of its input, and `luminance`, against
    inverted colours (not in the paper). Weights published for images in [-1, 1] double here: reconstruction and cycle
    20; those of codes and features stay.

    Args:
        shared: the paper's weight sharing: one residual block ends both encoders and one begins both decoders
            (section 3), made here with as many channels as the code has. False: its authors' code of 2018, where only
            the cycle and the KL terms tie the two latent spaces together.

    Raises:
        ConfigError: the encoders' and decoders' `channels` differ, or a decoder wants a style.
    """

    inputs = ("real_a", "real_b")
    generators = SLOTS
    kinds = dict(zip(SLOTS, KINDS, strict=True))
    outputs = {
        "fake_b": Output("real_a", "encoder_a", "decoder_b", keeps_colors=False),
        "fake_a": Output("real_b", "encoder_b", "decoder_a", keeps_colors=False),
    }
    adversaries = {"discriminator_a": ("real_a", "fake_a"), "discriminator_b": ("real_b", "fake_b")}
    roles = {
        "reconstruction": [("same_a", "real_a"), ("same_b", "real_b")],
        "cycle": [("rec_a", "real_a"), ("rec_b", "real_b")],
        "kl": [("code_a",), ("code_b",)],
        "kl_cycle": [("fake_code_a",), ("fake_code_b",)],
        "perceptual": [("fake_b", "real_a"), ("fake_a", "real_b")],
        "luminance": [("fake_b", "real_a"), ("fake_a", "real_b")],
    }

    shared_encoder: nn.Module
    shared_decoder: nn.Module

    def __init__(self, parts: Parts, *, shared: bool = True) -> None:
        super().__init__(parts)
        channels = agreed(parts, SLOTS, "channels")
        for slot in ("decoder_a", "decoder_b"):
            refuse_style(parts.networks[slot], slot)
        self.sharing = shared
        if shared:
            ends = ("shared_encoder", "shared_decoder")
            paths = {name: (each, each.networks) for name, each in self.outputs.items()}
            shared_paths = {name: each.through(ours, *ends, theirs) for name, (each, (ours, theirs)) in paths.items()}
            self.outputs = shared_paths  # pyright: ignore[reportAttributeAccessIssue] (a class's, and here an object's)
            for slot in ends:
                block = ResidualBlock(channels)
                initialize(block, "kaiming")
                self.add_network(slot, block)

    def translate(self, values: Values) -> None:
        """Translate both ways through noisy codes; then reconstruct, and come back, where that counts."""
        for here, there in (("a", "b"), ("b", "a")):
            code = values[f"code_{here}"] = self.encode(here, values[f"real_{here}"])
            noisy = code + torch.randn_like(code)
            if self.wants("reconstruction"):
                values[f"same_{here}"] = self.decode(here, noisy)
            fake = values[f"fake_{there}"] = self.decode(there, noisy)
            if self.wants("cycle") or self.wants("kl_cycle"):
                code = values[f"fake_code_{there}"] = self.encode(there, fake)
            if self.wants("cycle"):
                values[f"rec_{here}"] = self.decode(here, code + torch.randn_like(code))

    def encode(self, domain: str, images: Tensor) -> Tensor:
        """The mean codes (B, channels, h, w) of a domain's images (B, C, H, W)."""
        code = getattr(self, f"encoder_{domain}")(images)
        return self.shared_encoder(code) if self.sharing else code

    def decode(self, domain: str, code: Tensor) -> Tensor:
        """A domain's images (B, C, H, W) of codes (B, channels, h, w)."""
        return getattr(self, f"decoder_{domain}")(self.shared_decoder(code) if self.sharing else code)
