"""What an algorithm says where a component does not give what its contract asks: one line instead of a traceback.

The checks look at types and names alone, never at a tensor's values, so they cost nothing and wait for no device.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.contracts.gan_variant import Logits
from toolbox.contracts.network import unwrapped
from toolbox.io.errors import ConfigError, UserError, did_you_mean
from toolbox.plugins.error_line import one_line

CALLS = {
    "d_loss": "d_loss(real, fake)",
    "g_loss": "g_loss(fake, real)",
    "regularize": "regularize(discriminator, real, fake)",
    "augment": "augment(images)",
    "after_d_step": "after_d_step(discriminator)",
    "translate": "translate(values)",
    "forward": "forward with what the algorithm gives",
}
"""How the toolbox calls what a plugin gives, by the method's name."""
_WRONG_CALL = re.compile(r"(?P<who>[\w.<>]*?(?P<method>\w+))\(\) (?:takes|missing|got an unexpected)")


def logits_of(discriminator: nn.Module, result: Any) -> Logits:
    """What a discriminator returned, if it is a list of logits; raises UserError that names it where it is not."""
    if isinstance(result, (list, tuple)) and result and all(isinstance(scale, Tensor) for scale in result):
        return result
    name = type(unwrapped(discriminator)).__name__
    raise UserError(
        f"{name}: forward gives {_described(result)}, and a discriminator gives a list of logits, one tensor (B, ...) "
        "for each scale; return [logits]"
    )


def value_of(values: Mapping[str, Any], name: str, algorithm: nn.Module, wanted_by: str) -> Any:
    """A value by name; raises UserError that names who wants it where `translate` did not make it."""
    if name in values:
        return values[name]
    raise UserError(
        f"{type(algorithm).__name__}: {wanted_by} wants '{name}', which translate did not make"
        f"{did_you_mean(name, values)}"
    )


def role_values(algorithm: Any, role: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Each tuple of values that the losses of a role are called with."""
    return [tuple(value_of(values, name, algorithm, role) for name in names) for names in algorithm.roles[role]]


@contextmanager
def explaining(algorithm: nn.Module, values: Mapping[str, Any]) -> Iterator[None]:
    """Errors within that come from images of a wrong size, or from a method of other arguments, become one line."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:
        size = wrong_size(algorithm, values)
        if size is not None:
            message = f"{size} ({one_line(error)})"
            raise ConfigError(message, key="train_dataloader.dataset") from error
        call = wrong_call(error)
        if call is not None:
            raise UserError(call) from error
        raise


def wrong_size(algorithm: Any, values: Mapping[str, Any]) -> str | None:
    """Which input has a size that a network on its way does not take; None where all are multiples as asked."""
    for output in algorithm.outputs.values():
        source, slots = output.source, output.networks
        if not isinstance(values.get(source), Tensor) or values[source].ndim < 4:
            continue
        height, width = values[source].shape[-2:]
        for slot in slots:
            network = unwrapped(getattr(algorithm, slot))
            multiple, scale = int(getattr(network, "multiple", 1)), int(getattr(network, "scale", 1))
            if height % multiple or width % multiple:
                given = f"'{source}' is {values[source].shape[-2]}x{values[source].shape[-1]}"
                where = "" if network is unwrapped(getattr(algorithm, slots[0])) else f" and comes as {height}x{width}"
                name = f"{slot} ({type(network).__name__})"
                return f"{given}{where}, and {name} takes multiples of {multiple}; crop the images to such a size"
            height, width = height * scale, width * scale
    return None


def wrong_call(error: BaseException) -> str | None:
    """What a TypeError says of a method that the toolbox called as its contract has it; None for any other error."""
    found = _WRONG_CALL.match(str(error)) if isinstance(error, TypeError) else None
    if found is None or found["method"] not in CALLS:
        return None
    return f"{one_line(error).partition(': ')[2]}; the toolbox calls {CALLS[found['method']]}"


def _described(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, (list, tuple)):
        inner = sorted({type(each).__name__ for each in value})
        return f"a {type(value).__name__} of {', '.join(inner)}" if inner else f"an empty {type(value).__name__}"
    return f"a {type(value).__name__}"
