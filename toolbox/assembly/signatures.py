"""Whether components can be called as their contracts say, looked at when the model is built and nothing has run."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

from torch import nn

from toolbox.io.errors import ConfigError

VARIANT_CALLS = {
    "prepare": ("discriminator",),
    "augment": ("images",),
    "d_loss": ("real", "fake"),
    "g_loss": ("fake", "real"),
    "regularize": ("discriminator", "real", "fake"),
    "after_d_step": ("discriminator",),
    "observe": ("real",),
}
"""Methods of a variant, each with what it is called with, in this order."""
FORWARD = {
    "discriminators": ("images",),
    "degradations": ("images", "rng"),
    "augmentations": ("images",),
    "regularizers": ("judge", "real", "fake"),
    "style_encoders": ("images",),
}
"""Kinds whose `forward` is always called with the same arguments; those of other networks depend on the algorithm."""


class SignatureError(ConfigError):
    """A method cannot be called as its contract says."""


def misfits(kind: str, component: Any) -> Iterator[str]:
    """What is wrong with the signatures of a built component, by its kind."""
    if kind == "gan_variants":
        for method, arguments in VARIANT_CALLS.items():
            yield from misfit(component, method, arguments)
    if kind == "mixtures":
        yield from misfit(component, "mix", ("images", "rng"))
    if kind in FORWARD:
        yield from misfit(component, "forward", FORWARD[kind])


def misfit(component: Any, method: str, arguments: Sequence[str]) -> Iterator[str]:
    """Why a method cannot be called with these arguments by position, if it cannot."""
    name = type(component).__name__
    function = getattr(component, method, None)
    if function is None or getattr(type(component), method, None) is nn.Module.forward:
        yield f"{name} has no {method} to be called as the contract asks, {method}({', '.join(arguments)})"
        return
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # a function in C says nothing of itself
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        asked = f"{method}({', '.join(arguments)})"
        yield f"{name}.{method}{_shown(signature)} cannot be called as the contract asks, {asked}: {error}"


def check_signatures(kind: str, component: Any, key: str) -> None:
    """Raise SignatureError at the key for the first method that cannot be called as the contract says."""
    for message in misfits(kind, component):
        raise SignatureError(message, key=key)


def check_role(loss: nn.Module, role: str, tuples: Sequence[Sequence[str]], key: str) -> None:
    """Raise SignatureError where a loss cannot be called with the values of its role."""
    for values in tuples:
        for message in misfit(loss, "forward", values):
            raise SignatureError(f"{message.replace('the contract asks', f'{role} gives')}", key=key)


def _shown(signature: inspect.Signature) -> str:
    """The parameters without annotations: `(images, labels)`."""
    bare = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))
