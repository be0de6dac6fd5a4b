"""Spectral normalisation (Miyato et al., 2018) of any network, the same for discriminators and generators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm, spectral_norm

from toolbox.io.errors import ConfigError

NORMALISED = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d, nn.Linear,
)  # fmt: skip


class Float32SpectralNorm(_SpectralNorm):
    """torch's, in float32 under autocast: on CUDA that would round the power iteration, whose state is float32."""

    def forward(self, weight: Tensor) -> Tensor:
        """The weight over its largest singular value."""
        with torch.autocast(weight.device.type, enabled=False):
            return super().forward(weight)


def normalize_spectrally(network: nn.Module, layers: Sequence[str] = ("*",), key: str = "layers") -> None:
    """Divide the weights of convolutions and linear layers by their largest singular value, in place; not frozen ones.

    `layers` are patterns of their dotted names, where `*` stands for anything: `body.*`, `*conv1`. A layer that is
    parametrised already is left alone. Exported weights are the plain ones, under their plain names.

    Raises:
        ConfigError: a pattern names no such layer.
    """
    found = {
        name: module
        for name, module in network.named_modules()
        if isinstance(module, NORMALISED)
        and (hasattr(module, "parametrizations") or module.weight.requires_grad)  # a look would move its vectors
    }
    for pattern in layers:
        if not any(fnmatchcase(name, pattern) for name in found):
            names = ", ".join(list(found)[:8])
            raise ConfigError(
                f"{type(network).__name__} has no layer {pattern!r} to normalise; it has {names}", key=key
            )
    for name, module in found.items():
        if any(fnmatchcase(name, pattern) for pattern in layers) and not hasattr(module, "parametrizations"):
            normalised: Any = spectral_norm(module)
            normalised.parametrizations["weight"][0].__class__ = Float32SpectralNorm


def is_normalized(network: nn.Module) -> bool:
    """Whether any layer's weight is divided by its largest singular value."""
    return any(isinstance(module, _SpectralNorm) for module in network.modules())


def singular_vectors(network: nn.Module) -> set[int]:
    """The ids of the buffers that hold singular vectors: an average of unit vectors is no unit vector."""
    return {id(each) for _, _, norm in _normalised(network) for each in (norm._u, norm._v)}


@torch.no_grad()
def iterate(network: nn.Module) -> None:
    """One power iteration in every layer, for weights that move without a forward pass: a moving average's."""
    for _, weight, norm in _normalised(network):
        norm._power_method(norm._reshape_weight_to_matrix(weight), 1)  # pyright: ignore[reportArgumentType]


@torch.no_grad()
def with_singular_vectors(network: nn.Module, state: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A plain network's state under the keys of this one, which is normalised; a state that fits already is the same.

    The vectors are the weight's own, exactly: with those of the initial weights, the first layers would answer a
    hundred times too strongly, since a power iteration gets there only after some steps.
    """
    result = dict(state)
    for name, own, norm in _normalised(network):
        plain = f"{prefix}{name}.weight" if name else f"{prefix}weight"
        head = f"{plain.removesuffix('weight')}parametrizations.weight"
        weight = result.get(plain)
        if not isinstance(weight, Tensor) or f"{head}.original" in result:
            continue
        result |= {f"{head}.original": result.pop(plain), f"{head}.0._u": norm._u, f"{head}.0._v": norm._v}
        if weight.shape == own.shape and weight.isfinite().all():  # else whoever loads it says what is wrong
            left, _, right = torch.linalg.svd(norm._reshape_weight_to_matrix(weight.float()), full_matrices=False)
            result |= {f"{head}.0._u": left[:, 0], f"{head}.0._v": right[0]}
    return result


def _normalised(network: nn.Module) -> Iterator[tuple[str, Tensor, _SpectralNorm]]:
    """Every normalised layer's name, the weight that trains, and its parametrisation with the vectors."""
    for name, module in network.named_modules():
        each: Any = getattr(module, "parametrizations", {})
        norm = each["weight"][0] if "weight" in each else None
        if isinstance(norm, _SpectralNorm) and hasattr(norm, "_u"):  # a vector's norm is just its length
            yield name, each["weight"].original, norm
