"""Feature networks of one assembly: those that a config describes alike are one, for losses and metrics together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import nn

from toolbox.plugins.registry import registry
from toolbox.training.feature_passes import share_passes
from toolbox.training.precision import at_precision

_built: ContextVar[dict[str, nn.Module] | None] = ContextVar("feature networks of the assembly", default=None)


@contextmanager
def shared_features() -> Iterator[None]:
    """Within, a feature network is built once; an assembly within another shares with it."""
    if _built.get() is not None:
        yield
        return
    token = _built.set({})
    try:
        yield
    finally:
        _built.reset(token)


def feature_network(config: Mapping[str, Any], build: Callable[[], nn.Module]) -> nn.Module:
    """The network of this description: one that there is already, or what `build` makes, ready to be shared."""
    built = _built.get()
    name = _description(config)
    if built is not None and name in built:
        return built[name]
    network = share_passes(at_precision(build()))
    if built is not None:
        built[name] = network
    return network


def _description(config: Mapping[str, Any]) -> str:
    """Class and arguments, defaults too: `{type: VGG19, weights: x}` is `{type: features/VGG19, weights: x}`."""
    component = registry("features").get(config["type"])
    given = {name: value for name, value in config.items() if name != "type"}
    defaults = {
        name: each.default
        for name, each in inspect.signature(component).parameters.items()
        if each.default is not inspect.Parameter.empty
    }
    return f"{component.__module__}.{component.__qualname__} {sorted((defaults | given).items())!r}"
