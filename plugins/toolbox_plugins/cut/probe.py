"""Which of a generator's layers CUT contrasts, and how wide they are: seen in small forward passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from toolbox import UserError, activations
from toolbox.training.activations import called_convolutions
from toolbox.training.network_call import uncompiled

LAYERS = 5
SIDE = 64
"""Pixels of the probe's side, or the next multiple that the network takes."""


@dataclass(frozen=True)
class Probed:
    """The layers of a generator that are contrasted."""

    names: list[str]
    channels: list[int]
    lasting: bool
    """Whether a whole pass leaves their outputs as they were: none called twice or overwritten, by an in-place ReLU."""


@torch.no_grad()
def probe_layers(network: nn.Module, layers: Sequence[str] | None) -> Probed:
    """Look at the named layers, or at five convolutions spread over the first two thirds of the calls.

    The network's state, its modes and torch's random numbers stay what they were.

    Raises:
        UserError: a name is no module of the network, or one without a map (B, C, h, w) as output; no images fit.
    """
    if layers is not None and (not layers or len(set(layers)) < len(layers)):
        raise UserError(f"layers must name modules of the generator, each once, got {list(layers)}")
    with _left_as_it_was(network):
        images, convolutions = _taken(network)
        names = list(layers) if layers is not None else _spread(convolutions)
        if not names:
            raise UserError(f"{type(network).__name__} calls no convolution; name its modules in layers")
        found = activations(network, images, names)
        for name, each in zip(names, found, strict=True):
            if not isinstance(each, Tensor) or each.dim() != 4:
                raise UserError(f"layers: {name!r} of {type(network).__name__} gives no map (B, C, h, w); name another")
        return Probed(names, [each.shape[1] for each in found], _last(network, images, names))


def _last(network: nn.Module, images: Tensor, names: Sequence[str]) -> bool:
    outputs: list[tuple[Tensor, int]] = []

    def keep(module: nn.Module, inputs: Any, result: Tensor) -> None:
        outputs.append((result, result._version))  # torch counts what is written over a tensor

    handles = [network.get_submodule(name).register_forward_hook(keep) for name in names]
    try:
        with uncompiled(network):
            network(images)
    finally:
        for handle in handles:
            handle.remove()
    return len(outputs) == len(names) and all(result._version == version for result, version in outputs)


def _spread(names: list[str]) -> list[str]:
    early = names[: max(1, 2 * len(names) // 3)]
    count = min(LAYERS, len(early))
    return [early[round(i * (len(early) - 1) / max(1, count - 1))] for i in range(count)]


def _taken(network: nn.Module) -> tuple[Tensor, list[str]]:
    """Black images of a size and a number of channels that the network takes, and the convolutions it calls."""
    multiple = int(getattr(network, "multiple", 1))
    side = -(-SIDE // multiple) * multiple
    weight = next(network.parameters(), torch.zeros(()))
    first = next((m.in_channels for m in network.modules() if isinstance(m, nn.Conv2d)), 3)
    for channels in dict.fromkeys((3, first, 1) if first % 3 == 0 else (first, 1, 3)):
        images = torch.zeros(1, channels, side, side, device=weight.device, dtype=weight.dtype)
        try:
            return images, list(called_convolutions(network, images))
        except RuntimeError:  # torch's word for shapes that do not fit
            continue
    raise UserError(f"{type(network).__name__} takes no images of {side}x{side} with 3, 1 or {first} channels")


@contextmanager
def _left_as_it_was(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        for module, training in modes.items():
            module.training = training
