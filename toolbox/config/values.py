"""Compares plain values, as YAML gives them, with type annotations; what is not understood is accepted."""

from __future__ import annotations

import collections.abc
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Union

COMPONENT_BASES = frozenset(
    ("Generator", "Discriminator", "FeatureNetwork", "GanVariant", "Degradation", "ImageDataset", "Transform")
)
"""Classes of `toolbox.*`: an argument annotated with one, or a subclass, is written as `{type: Name, …}`."""

LISTS = (
    list,
    tuple,
    set,
    frozenset,
    collections.abc.Sequence,
    collections.abc.MutableSequence,
    collections.abc.Collection,
    collections.abc.Iterable,
    collections.abc.Set,
)
MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)
"""What annotations call lists and mappings; YAML has one kind of each."""
_SCALARS = {bool: "true or false", int: "an int", float: "a number", str: "text", type(None): "null"}


@dataclass(frozen=True)
class Misfit:
    """A value that does not fit: where below the checked one (`''`, `.0`, `.lr.1`), what is wanted, what is there."""

    path: str
    wants: str
    value: Any

    def __str__(self) -> str:
        """`wants an int, got 'four'`."""
        hint = ""
        if self.wants.startswith("an int") and isinstance(self.value, float) and self.value.is_integer():
            hint = f"; write {int(self.value)}"
        return f"wants {self.wants}, got {show(self.value)}{hint}"


def misfit(value: Any, annotation: Any) -> Misfit | None:
    """Return where `value` does not fit `annotation`, or None. An int is a float too; a bool is no number."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (Union, types.UnionType):
        return _misfit_all(value, arguments, annotation)
    if origin is Literal:
        fits = any(value == choice and type(value) is type(choice) for choice in arguments)
        return None if fits else Misfit("", describe(annotation), value)
    container = origin or annotation
    if container in LISTS:
        return _misfit_items(value, container, arguments, annotation)
    if container in MAPPINGS:
        if not isinstance(value, collections.abc.Mapping):
            return Misfit("", describe(annotation), value)
        wanted = arguments[1] if len(arguments) == 2 else Any
        return _first((f".{key}", item, wanted) for key, item in value.items())
    if annotation in (None, type(None)):
        fits = value is None
    elif annotation is bool:
        fits = isinstance(value, bool)
    elif annotation is int:
        fits = isinstance(value, int) and not isinstance(value, bool)
    elif annotation is float:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    elif annotation is str:
        fits = isinstance(value, str)
    elif unwritable(annotation):
        fits = isinstance(value, annotation)
    elif is_component(annotation):
        fits = isinstance(value, annotation) or (isinstance(value, collections.abc.Mapping) and "type" in value)
    else:
        fits = True
    return None if fits else Misfit("", describe(annotation), value)


def is_component(annotation: Any) -> bool:
    """Whether an annotation is one of the toolbox's component bases or a subclass, known by name: torch stays out."""
    return isinstance(annotation, type) and any(
        base.__name__ in COMPONENT_BASES and base.__module__.partition(".")[0] == "toolbox"
        for base in annotation.__mro__
    )


def describe(annotation: Any) -> str:
    """Say what an annotation wants: `an int`, `'a' or 'b'`, `a list, each an int`."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    container = origin or annotation
    if annotation is None:
        return "null"
    if isinstance(annotation, type) and annotation in _SCALARS:
        return _SCALARS[annotation]
    if origin is Literal:
        return _either([show(choice) for choice in arguments])
    if origin in (Union, types.UnionType):
        return _either([describe(each) for each in arguments if not unwritable(each)])
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        return f"a list of {len(arguments)}"
    if container in LISTS:
        return f"a list, each {describe(arguments[0])}" if arguments and _understood(arguments[0]) else "a list"
    if container in MAPPINGS:
        return "a mapping"
    if is_component(annotation):
        return f"a {annotation.__name__}, written as {{type: …}}"
    return str(getattr(annotation, "__name__", annotation))


def show(value: Any) -> str:
    """Write a value for a message, on one line, as YAML has it, shortened."""
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    shown = " ".join(repr(value).split())
    return shown if len(shown) <= 60 else f"{shown[:57]}…"


def _misfit_all(value: Any, choices: tuple[Any, ...], annotation: Any) -> Misfit | None:
    """Return the misfit with a union: inside the one choice of the value's shape, or else with the whole."""
    misfits = [misfit(value, choice) for choice in choices]
    if None in misfits:
        return None
    inner = [each for each in misfits if each is not None and each.path]
    return inner[0] if len(inner) == 1 else Misfit("", describe(annotation), value)


def _misfit_items(value: Any, container: Any, arguments: tuple[Any, ...], annotation: Any) -> Misfit | None:
    if not isinstance(value, (list, tuple)):
        # Built objects (a range, a set) may be passed from Python; text is a sequence that nobody means.
        accepted = isinstance(value, container) and not isinstance(value, (str, bytes, collections.abc.Mapping))
        return None if accepted else Misfit("", describe(annotation), value)
    if container is tuple and arguments and arguments[-1] is not Ellipsis:
        if len(value) != len(arguments):
            return Misfit("", describe(annotation), value)
        return _first((f".{i}", item, each) for i, (item, each) in enumerate(zip(value, arguments, strict=True)))
    wanted = arguments[0] if arguments else Any
    return _first((f".{i}", item, wanted) for i, item in enumerate(value))


def _first(items: collections.abc.Iterable[tuple[str, Any, Any]]) -> Misfit | None:
    for path, value, wanted in items:
        found = misfit(value, wanted)
        if found:
            return Misfit(path + found.path, found.wants, found.value)
    return None


def unwritable(annotation: Any) -> bool:
    """Whether no YAML value can be one of these: torch's optimizers take `lr: float | Tensor`."""
    return isinstance(annotation, type) and (annotation.__module__, annotation.__name__) in (
        ("torch", "Tensor"),
        ("numpy", "ndarray"),
    )


def _understood(annotation: Any) -> bool:
    return annotation is not Any and not isinstance(annotation, typing.TypeVar)


def _either(choices: list[str]) -> str:
    choices = list(dict.fromkeys(choices))
    return choices[0] if len(choices) == 1 else f"{', '.join(choices[:-1])} or {choices[-1]}"
