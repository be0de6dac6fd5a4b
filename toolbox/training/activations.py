"""What a network computes on its way: the outputs of its modules by name, whatever network it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.io.errors import UserError, did_you_mean
from toolbox.training.network_call import uncompiled
from toolbox.training.precision import at_least_float32

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


class _Enough(Exception):
    """Ends a forward pass whose rest nobody asked for."""


@contextmanager
def watched(network: nn.Module, modules: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Within, forward passes of the network put the named modules' outputs, in float32, into the dictionary given.

    Raises:
        UserError: the network has no such module.
    """
    known = dict(network.named_modules())
    found: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, result: Tensor) -> None:
            found[name] = at_least_float32(result)

        return hook

    for name in modules:
        if name not in known or not name:
            shown = did_you_mean(name, [each for each in known if each])
            raise UserError(f"{type(network).__name__} has no module {name!r}{shown}")
    handles = [known[name].register_forward_hook(keep(name)) for name in modules]
    try:
        with uncompiled(network):
            yield found
    finally:
        for handle in handles:
            handle.remove()


def activations(network: nn.Module, images: Tensor, modules: Sequence[str]) -> list[Tensor]:
    """The outputs of the named modules for images (B, C, H, W), in float32, in the order of the names.

    The network is left as soon as all are there: an encoder's activations do not cost its decoder. Distributed
    wrappers synchronise gradients of calls through themselves: call the wrapped network in the same iteration too.

    Raises:
        UserError: a module does not exist, or is not called.
    """
    with watched(network, modules) as found:

        def stop(*_: Any) -> None:
            if len(found) == len(set(modules)):
                raise _Enough

        inner = dict(network.named_modules())
        handles = [inner[name].register_forward_hook(stop) for name in dict.fromkeys(modules)]
        try:
            network(images)
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()
    if missing := [name for name in modules if name not in found]:
        raise UserError(f"{type(network).__name__} does not call its module {missing[0]!r}")
    return [found[name] for name in modules]


@torch.no_grad()
def called_convolutions(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Every convolution's output for images (B, C, H, W), by name and in the order of the calls."""
    names = [name for name, module in network.named_modules() if isinstance(module, CONVOLUTIONS)]
    with watched(network, names) as found:
        network(images)
    return found


def judged_activations(discriminator: nn.Module, fake: Tensor, real: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """A discriminator's activations for fakes and for real images (B, C, H, W): every convolution's but the last.

    Those of the real images are detached. The last convolution in the order of calls gives logits; that of further
    scales is left out alike, by its one channel.
    """
    names = [name for name, module in discriminator.named_modules() if isinstance(module, CONVOLUTIONS)]
    with watched(discriminator, names) as found:
        discriminator(fake)
        fakes = dict(found)
        found.clear()
        with torch.no_grad():
            discriminator(real)
        reals = dict(found)
    inner = [name for name in fakes if fakes[name].shape[1] > 1]
    return [fakes[name] for name in inner], [reals[name] for name in inner]
