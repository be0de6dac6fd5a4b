"""One pass of a feature network over a tensor, for all losses of an iteration that look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.training.misuse import role_values
from toolbox.training.precision import network_precision

Request = tuple[nn.Module, Tensor, Iterable[str]]
"""What a loss is going to ask: a feature network, images (B, 3, H, W) and the names of layers."""
Found = dict[str, Tensor]


@dataclass(frozen=True)
class _Pass:
    """What a network gave for images, and whether gradients pass from there to the images."""

    images: Tensor
    """Held, so that no other tensor takes its identity."""
    differentiable: bool
    found: Found


class _Passes:
    """The passes of one iteration, by network, tensor, its version and the precision."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self.tensors: list[Tensor] = []
        self.wanted: dict[tuple[int, int], dict[str, None]] = {}
        for network, images, layers in requests:
            self.tensors.append(images)
            self.wanted.setdefault((id(network), id(images)), {}).update(dict.fromkeys(layers))
        self.made: dict[tuple[Any, ...], list[_Pass]] = {}

    def ask(self, network: nn.Module, forward: Callable[..., Found], images: Tensor, layers: Sequence[str]) -> Found:
        """The activations of layers, from an earlier pass where one has them."""
        key = (id(network), id(images), images._version, network_precision())
        differentiable = torch.is_grad_enabled() and images.requires_grad
        for each in self.made.get(key, ()):
            if (each.differentiable or not differentiable) and all(layer in each.found for layer in layers):
                cut = each.differentiable and not differentiable
                return {layer: each.found[layer].detach() if cut else each.found[layer] for layer in layers}
        others = self.wanted.get((id(network), id(images)), {})
        found = forward(images, layers=[*dict.fromkeys([*layers, *others])])
        self.made.setdefault(key, []).append(_Pass(images, differentiable, found))
        return {layer: found[layer] for layer in layers}


def asked(algorithm: Any, values: Mapping[str, Any]) -> Iterator[Request]:
    """What an iteration's losses are going to ask, as far as they say: `loss.asks(*values) -> Iterable[Request]`."""
    for role, losses in algorithm.parts.losses.items():
        asking = [loss.module for loss in losses if hasattr(loss.module, "asks")]
        if asking and role in algorithm.roles and algorithm.wants(role):
            for together in role_values(algorithm, role, values):
                for module in asking:
                    yield from module.asks(*together)


_passes: _Passes | None = None


@contextmanager
def one_pass_each(requests: Iterable[Request] = ()) -> Iterator[None]:
    """Within, networks that `share_passes` wrapped see each tensor once; nothing is kept afterwards.

    A pass gives the layers that its caller asks for, and those of `requests` for the same tensor. Who asks for further
    layers, for gradients where the first did without, or after the tensor was changed, has a pass of its own.
    """
    global _passes
    before, _passes = _passes, _Passes(requests)
    try:
        yield
    finally:
        _passes = before


def share_passes(network: nn.Module) -> nn.Module:
    """Have a frozen feature network answer from earlier passes within `one_pass_each`; in place."""
    network.forward = partial(_answer, network, network.forward)
    return network


def _answer(network: nn.Module, forward: Callable[..., Found], images: Tensor, layers: Sequence[str]) -> Found:
    return forward(images, layers=layers) if _passes is None else _passes.ask(network, forward, images, layers)
