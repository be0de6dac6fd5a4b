"""Spectral normalisation (Miyato et al., 2018) of any network, the same for discriminators and generators."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm, spectral_norm

from toolbox.errors import ConfigError

NORMALISED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)


class Float32SpectralNorm(_SpectralNorm):
    """torch's, in float32 under autocast: on CUDA that would round the power iteration, whose state is float32."""

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its largest singular value."""
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


def normalize_spectrally(network: nn.Module, layers: Sequence[str] = ("*",), key: str = "layers") -> None:
    """Divide the weights of convolutions and linear layers by their largest singular value, in place.

    `layers` are patterns of their dotted names, where `*` stands for anything: `body.*`, `*conv1`. A layer that is
    parametrised already is left alone. Exported weights are the plain ones, under their plain names.

    Raises:
        ConfigError: a pattern names no such layer.
    """
    found = {name: module for name, module in network.named_modules() if isinstance(module, NORMALISED)}
    for pattern in layers:
        if not any(fnmatchcase(name, pattern) for name in found):
            names = ", ".join(list(found)[:8])
            raise ConfigError(f"{type(network).__name__} has no layer {pattern!r} to normalise; it has {names}", key=key)
    for name, module in found.items():
        if any(fnmatchcase(name, pattern) for pattern in layers) and not hasattr(module, "parametrizations"):
            spectral_norm(module)
            for parametrization in _parametrizations(module):
                parametrization.__class__ = Float32SpectralNorm


def is_normalized(network: nn.Module) -> bool:
    """Whether any layer's weight is divided by its largest singular value."""
    return any(isinstance(module, _SpectralNorm) for module in network.modules())


def _parametrizations(module: nn.Module) -> Iterator[nn.Module]:
    yield from module.parametrizations["weight"]  # pyright: ignore[reportIndexIssue, reportArgumentType]
