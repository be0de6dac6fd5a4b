"""Runs the contract checks on everything that one plugin registers."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.assembly.build import BESIDE
from toolbox.io.errors import UserError, did_you_mean
from toolbox.plugins.error_line import one_line
from toolbox.plugins.manager import failure_of, manager
from toolbox.plugins.registry import KINDS
from toolbox.testing.components import (
    check_decoder,
    check_degradation,
    check_discriminator,
    check_encoder,
    check_features,
    check_generator,
    check_loss,
    check_style_encoder,
    check_transform,
)
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble, check_augmentation, check_regularizer, check_training, check_variant


@dataclass(frozen=True)
class Result:
    """What was checked of one component, and what was wrong with it (None: nothing)."""

    kind: str
    name: str
    checked: str
    problem: str | None = None
    ran: bool = True
    """Whether the component was built and called; otherwise `checked` says what that would need."""


CHECKS: dict[str, Any] = {
    "generators": check_generator,
    "discriminators": check_discriminator,
    "encoders": check_encoder,
    "style_encoders": check_style_encoder,
    "decoders": check_decoder,
    "losses": check_loss,
    "features": check_features,
    "gan_variants": lambda variant: check_variant(lambda: variant),
    "regularizers": check_regularizer,
    "augmentations": check_augmentation,
    "degradations": check_degradation,
    "transforms": check_transform,
    "algorithms": check_training,
}
"""Kinds whose components are run, as built from their defaults; those of the other kinds are looked up only."""


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
    taken = sorted({*BESIDE.get(kind, {})} & {*inspect.signature(component).parameters})
    if taken:
        return Result(kind, name, "arguments", f"its argument '{taken[0]}' never arrives: the key beside type is taken")
    if kind not in CHECKS:
        return Result(kind, name, "is registered; its kind has no contract check", ran=False)
    if required:
        return Result(kind, name, f"not run: needs {', '.join(required)}", ran=False)
    build: Any = component if kind != "algorithms" else lambda: assemble(component, LeastSquares)  # pyright: ignore[reportArgumentType]
    file = getattr(sys.modules.get(component.__module__), "__file__", None)
    home = Path(file).parent if file else None
    made: list[Any] = []
    error = failure_of(lambda: made.append(build()))
    if isinstance(error, (UserError, ValueError)):  # how a constructor refuses values: here its own defaults
        reason = " ".join(str(error).split())
        return Result(kind, name, f"not run: needs other arguments than its defaults ({reason})", ran=False)
    error = error or failure_of(lambda: CHECKS[kind](made[0]))
    if error is not None:
        problem = str(error) if isinstance(error, AssertionError) else one_line(error, home)
        return Result(kind, name, "contract", problem)
    return Result(kind, name, "keeps to the contract")
