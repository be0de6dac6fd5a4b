"""A blend of two networks of one shape, weight by weight: between a sharp one and a smooth one lie all others."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.network import unwrapped
from toolbox.io.errors import UserError


@torch.no_grad()
def blend(network: nn.Module, other: nn.Module, share: float, file: Path) -> None:
    """Turn `network` into (1 - share) of itself and `share` of `other`, which `file` held; share is in [0, 1].

    Deep network interpolation (Wang et al. 2019): it needs two networks that were trained from one another, as
    Real-ESRGAN's realesr-general-x4v3 and its -wdn, whose blend is the strength of its denoising.

    Raises:
        UserError: the networks are of unlike shape.
    """
    ours, theirs = networks_of(network), networks_of(other)
    if len(ours) != len(theirs):
        raise UserError(f"--blend {file}: makes its output by {len(theirs)} networks, and the other by {len(ours)}")
    pairs = [(one.state_dict(), two.state_dict()) for one, two in zip(ours, theirs, strict=True)]
    for one, two in pairs:
        unlike = [key for key in [*one, *two] if key not in one or key not in two or one[key].shape != two[key].shape]
        if unlike:
            message = f"--blend {file}: is a network of another shape ({unlike[0]} differs, {len(unlike)} in all)"
            raise UserError(f"{message}; blend two that were trained from one another")
    for one, two in pairs:
        for key, value in one.items():
            if value.is_floating_point():
                value.lerp_(two[key].to(value), share)


def networks_of(network: nn.Module) -> list[nn.Module]:
    """The networks that make an output, one after the other."""
    if not isinstance(network, TrainedOutput):
        return [network]
    algorithm = network.algorithm
    return [unwrapped(algorithm.averaged_network(slot)) for slot in algorithm.outputs[network.output].networks]


def blend_of(text: str) -> tuple[Path, float]:
    """Read `FILE=0.3` of the command line. Raises UserError for another form, and for a share beyond 0 to 1."""
    file, _, share = text.rpartition("=")
    try:
        number = float(share)
    except ValueError:
        number = -1.0
    if not file or not 0 <= number <= 1:
        raise UserError(f"--blend {text}: write FILE=0.3, the share of that file's network, from 0 to 1")
    return Path(file), number
