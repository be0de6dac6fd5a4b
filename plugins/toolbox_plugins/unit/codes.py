"""Whether encoders and decoders fit each other, asked before anything trains."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import Parameter, signature

from torch import nn

from toolbox import ConfigError, Parts


def agreed(parts: Parts, slots: Sequence[str], attribute: str) -> int:
    """The number, `channels` or `style_channels`, that the networks of all slots must have in common.

    Raises:
        ConfigError: they differ, or a network does not say.
    """
    found = {slot: getattr(parts.networks[slot], attribute, None) for slot in slots}
    for slot, value in found.items():
        if not isinstance(value, int) or value < 1:
            name = type(parts.networks[slot]).__name__
            message = f"{name} must have `{attribute}`, a whole number above 0, got {value!r}"
            raise ConfigError(message, key=f"model.{slot}")
    for slot, value in found.items():
        if value != found[slots[0]]:
            message = f"has {attribute} {value}, and {slots[0]} has {found[slots[0]]}: they must agree"
            raise ConfigError(message, key=f"model.{slot}")
    return next(iter(found.values()))  # pyright: ignore[reportReturnType] (whole numbers, as checked)


def refuse_style(decoder: nn.Module, slot: str) -> None:
    """Raise ConfigError where a decoder cannot be called without a style."""
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in signature(decoder.forward).parameters.values() if p.kind in kinds and p.default is p.empty]
    if len(needed) > 1:
        message = f"{type(decoder).__name__} wants a style beside the code, and UNIT has none; MUNIT does"
        raise ConfigError(message, key=f"model.{slot}")
