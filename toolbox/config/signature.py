"""Compares the arguments that a config writes for a component with its constructor, before anything is built."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any

from toolbox.config.values import misfit
from toolbox.io.errors import ConfigError, did_you_mean


def check_arguments(
    component: type,
    arguments: Mapping[str, Any],
    key: str,
    file: str | Callable[[str], str] | None,
    *,
    skip: Collection[str] = (),
    beside: Collection[str] = (),
) -> None:
    """Refuse the first argument, in the order written, that `component`'s constructor does not take; then missing ones.

    Args:
        component: The class; its `__init__` is read, never called.
        arguments: What the config writes beside `type` (a `type` is passed over).
        key: Dotted path of the component, `model.generator`.
        file: The file to name, or a function from a dotted path to it (`Config.blamed`).
        skip: Names that somebody else takes care of: neither checked nor demanded.
        beside: Names that may stand beside the arguments, for who mistypes one.

    Raises:
        ConfigError: `file: model.generator.bloks: RRDBNet has no such argument; did you mean 'blocks'?`
    """
    parameters, open_ended = constructor_parameters(component)
    passed_over = {"type", *skip}

    def refuse(path: str, message: str) -> ConfigError:
        return ConfigError(message, file=file(path) if callable(file) else file, key=path)

    for name, value in arguments.items():
        path = f"{key}.{name}" if key else str(name)
        if name in passed_over:
            continue
        if name not in parameters:
            if open_ended:
                continue
            hint = did_you_mean(name, {*parameters, *beside} - passed_over) or "; it takes none"
            raise refuse(path, f"{component.__name__} has no such argument{hint}")
        parameter, annotation = parameters[name]
        if value is None and parameter.default is None:
            continue
        wrong = misfit(value, annotation)
        if wrong:
            raise refuse(path + wrong.path, str(wrong))
    missing = [
        name
        for name, (parameter, _) in parameters.items()
        if parameter.default is parameter.empty and name not in arguments and name not in passed_over
    ]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        where = file(f"{key}.type") if callable(file) else file
        raise ConfigError(f"{component.__name__} needs {names} too; write it beside its type", file=where, key=key)


def constructor_parameters(component: type) -> tuple[dict[str, tuple[inspect.Parameter, Any]], bool]:
    """The constructor's named parameters with their annotations, and whether it takes any other name as well."""
    plain = component.__init__ is object.__init__ and component.__new__ is not object.__new__
    init = inspect.unwrap(component.__new__ if plain else component.__init__)
    try:
        signature = inspect.signature(init)
    except (TypeError, ValueError):  # a constructor in C says nothing of itself
        return {}, True
    if init is object.__init__ or _refuses_all(component):
        return {}, False
    named = [p for p in list(signature.parameters.values())[1:] if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    open_ended = any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    return {p.name: (p, _annotation(p, init)) for p in named}, open_ended


def _refuses_all(component: type) -> bool:
    """Whether the constructor is that of `torch.nn.Module`, wrapped or not: it takes `**kwargs` only to refuse them."""
    owner = next(base for base in component.__mro__ if "__init__" in vars(base))
    return owner.__qualname__ == "Module" and owner.__module__.startswith("torch.nn")


def _annotation(parameter: inspect.Parameter, init: Any) -> Any:
    """A parameter's type; Any where its name cannot be resolved (imported for type checkers only)."""
    if parameter.annotation is parameter.empty:
        return Any
    holder: Any = SimpleNamespace(__annotations__={"value": parameter.annotation})
    try:
        return typing.get_type_hints(holder, globalns=getattr(init, "__globals__", None))["value"]
    except (NameError, AttributeError, TypeError, ValueError, KeyError, SyntaxError, ImportError):
        return Any
