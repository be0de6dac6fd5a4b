"""A discriminator that judges features of a frozen network, mixed at random, instead of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from toolbox import Discriminator, FeatureNetwork, UserError
from toolbox.weights.spectral_norm import normalize_spectrally

from .mixing import RandomMixing

SLOPE = 0.2
SEEN = 3
"""Channels of what the feature network looks at."""
PROBE = 64
"""Height and width of an image of noise that shows how many channels layers have, and their scale."""


class ProjectedDiscriminator(Discriminator):
    """Images (B, C, H, W) in [0, 1] to `[logits]`, one tensor (B, 1, h, w) for each layer of `features`, finest first.

    Sauer et al., NeurIPS 2021. What a frozen network sees of the images is mixed by fixed random convolutions, across
    channels and from deep layers to fine ones, so that no channel can be ignored; on each layer stands a small
    discriminator of its own with spectral norm. It learns from few pictures in few steps, and needs no penalty: `Hinge`
    is the paper's objective. There each head ends at 4x4 verdicts; here it judges every position, as patches
    are.

    The first three channels are the picture; further ones, such as the planes of a style's number, are told to the
    heads. The feature network is no part of checkpoints: it comes from where its config says.

    Args:
        features: any feature network.
        layers: its layers, from fine to deep; by default its taps.
        width: channels that each layer is mixed to, and of the heads.
        in_channels: 3 and the planes beside the picture.
        seed: of the random convolutions.

    Raises:
        UserError: an argument is out of range, or the network has no such layer.
    """

    def __init__(
        self,
        *,
        features: FeatureNetwork,
        layers: Sequence[str] | None = None,
        width: int = 64,
        in_channels: int = SEEN,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if width < 1 or in_channels < SEEN or seed < 0:
            got = f"{width}, {in_channels}, {seed}"
            raise UserError(f"width must be above 0, in_channels {SEEN} or more and seed 0 or more, got {got}")
        self.layers = list(getattr(features, "taps", features.layers) if layers is None else layers)
        if not self.layers:
            raise UserError("layers must name at least one layer of the feature network")
        self.features = features.requires_grad_(False)
        self.register_state_dict_post_hook(without_features)
        self.register_load_state_dict_pre_hook(with_features)
        with torch.no_grad():
            noise = torch.rand(1, SEEN, PROBE, PROBE, generator=torch.Generator().manual_seed(seed))
            probe = self.features(noise, layers=self.layers)
        self.mixing = RandomMixing([probe[name] for name in self.layers], width, seed)
        self.judges = nn.ModuleList(judge_of(width + in_channels - SEEN, width) for _ in self.layers)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Judge images (B, C, H, W) in [0, 1]: logits (B, 1, h, w) for each layer, as large as its activations."""
        picture, told = images[:, :SEEN], images[:, SEEN:]
        seen = self.features(picture, layers=self.layers)
        logits: list[Tensor] = []
        for mixed, judge in zip(self.mixing([seen[name] for name in self.layers]), self.judges, strict=True):
            if told.shape[1]:
                mixed = torch.cat([mixed, interpolate(told, mixed.shape[-2:]).to(mixed)], 1)
            logits.append(judge(mixed))
        return logits


def judge_of(channels: int, width: int) -> nn.Module:
    """Features (B, channels, h, w) to logits (B, 1, h, w), which see 5 by 5 positions."""
    convolutions = nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(width, width, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(width, 1, 1),
    )
    normalize_spectrally(convolutions)
    return convolutions


def without_features(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
    """Leave the feature network's weights out of what is saved."""
    for key in [key for key in state if key.startswith(f"{prefix}features.")]:
        del state[key]


def with_features(module: Any, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Weights that are loaded have none of the feature network: it keeps its own."""
    state.update(module.features.state_dict(prefix=f"{prefix}features."))
