"""Runs the contract checks on everything that one plugin registers."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from toolbox.errors import UserError, did_you_mean
from toolbox.plugin_manager import manager, one_line
from toolbox.registry import KINDS
from toolbox.testing.components import (
    check_degradation,
    check_discriminator,
    check_features,
    check_generator,
    check_loss,
    check_transform,
)
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble, check_training, check_variant


@dataclass(frozen=True)
class Result:
    """What was checked of one component, and what was wrong with it (None: nothing)."""

    kind: str
    name: str
    checked: str
    problem: str | None = None


CHECKS: dict[str, Any] = {
    "generators": lambda component: check_generator(component()),
    "discriminators": lambda component: check_discriminator(component()),
    "losses": lambda component: check_loss(component()),
    "features": lambda component: check_features(component()),
    "gan_variants": check_variant,
    "degradations": lambda component: check_degradation(component()),
    "transforms": lambda component: check_transform(component()),
    "algorithms": lambda component: check_training(assemble(component, LeastSquares)),
}
"""Kinds whose components are run; those of the other kinds are looked up only."""


def check_plugin(name: str) -> Iterator[Result]:
    """Check every component of the plugin `name` that can be built from its constructor's defaults."""
    plugins = manager().plugins
    if name not in plugins:
        raise UserError(f"there is no plugin '{name}'{did_you_mean(name, plugins)}")
    if plugins[name].error:
        raise UserError(f"plugin '{name}' does not load: {plugins[name].error}")
    for kind, registry in KINDS.items():
        if f"register_{kind}" not in plugins[name].hooks:
            continue
        for component_name in registry.names():
            for owned in registry.owners(component_name):
                if owned.plugin.name == name:
                    yield _check(kind, component_name, owned.component)
    if plugins[name].error:
        yield Result("plugin", name, "loads", plugins[name].error)


def _check(kind: str, name: str, component: type) -> Result:
    if not component.__doc__:
        return Result(kind, name, "docstring", "has no docstring; say what it is, shapes, ranges and source")
    required = [
        p.name
        for p in inspect.signature(component).parameters.values()
        if p.default is p.empty and p.name != "parts" and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if kind not in CHECKS:
        return Result(kind, name, "is registered")
    if required:
        return Result(kind, name, f"is registered; not run, because it needs {', '.join(required)}")
    try:
        CHECKS[kind](component)
    except AssertionError as error:
        return Result(kind, name, "contract", str(error))
    except Exception as error:  # an author's code in the making may raise anything; the other components are next
        return Result(kind, name, "contract", one_line(error))
    return Result(kind, name, "keeps to the contract")
