"""The precision of a run: entered where a network is called, left behind it; everything between is float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_dtype: torch.dtype | None = None
"""The type that networks compute in now; None for their weights' own."""


@contextmanager
def networks_in(dtype: torch.dtype | None) -> Iterator[None]:
    """Within, every network that `at_precision` has prepared computes in that type; with None in its weights' own.

    Nothing else changes its type: what stands between the networks' calls is computed as it is without.
    """
    global _dtype
    before, _dtype = _dtype, dtype
    try:
        # an outer context, of whatever device, keeps the weights' casts from one call to the next; it casts nothing
        with torch.autocast("cpu", enabled=False):
            yield
    finally:
        _dtype = before


def network_precision() -> torch.dtype | None:
    """The type that networks compute in now; None for their weights' own."""
    return _dtype


def at_precision(network: nn.Module) -> nn.Module:
    """Have a network's forward, and its `step`, enter the run's precision and return float32, in place; returns it.

    A network that says `supports_half = False` always computes in its weights' own type. State keys and the signature
    of `forward` stay what they were; doing this twice does no harm.
    """
    for name in ("forward", "step") if getattr(network, "supports_half", True) else ():
        call = getattr(network, name, None)
        if callable(call) and not isinstance(call, _AtPrecision):
            setattr(network, name, _AtPrecision(call))
    return network


class _AtPrecision:
    """A call within autocast. An object, not a closure: a copy of the network calls the copy's own forward."""

    def __init__(self, forward: Callable[..., Any]) -> None:
        self.__wrapped__ = forward

    def __call__(self, *values: Any, **named: Any) -> Any:
        if _dtype is None:
            return self.__wrapped__(*values, **named)
        with torch.autocast(_device_type((*values, *named.values())) or "cpu", dtype=_dtype):
            return at_least_float32(self.__wrapped__(*values, **named))


def _device_type(values: Any) -> str | None:
    """Where the first tensor of the arguments is, in lists too."""
    for value in values:
        found = value.device.type if isinstance(value, Tensor) else None
        found = _device_type(value) if isinstance(value, (list, tuple)) else found
        if found:
            return found
    return None


def at_least_float32(value: Any) -> Any:
    """What a network gave in bfloat16 or float16 as float32, in lists and dictionaries too; float64 stays."""
    if isinstance(value, Mapping):
        return {name: at_least_float32(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [at_least_float32(each) for each in value]
    half = isinstance(value, Tensor) and value.dtype in (torch.bfloat16, torch.float16)
    return value.float() if half else value
