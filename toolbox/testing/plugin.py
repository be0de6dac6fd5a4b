"""Runs the contract checks on everything that one plugin registers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolbox.assembly.build import BESIDE
from toolbox.assembly.signatures import SignatureError
from toolbox.config import Config
from toolbox.config.signature import constructor_parameters
from toolbox.contracts.nested import nested_kinds
from toolbox.contracts.variant_wrapper import VariantWrapper
from toolbox.io.errors import UserError, did_you_mean
from toolbox.plugins.error_line import one_line
from toolbox.plugins.manager import failure_of, manager
from toolbox.plugins.registry import KINDS, Owned
from toolbox.testing.arguments import (
    Found,
    arguments_of,
    built,
    channels_of,
    example_inputs,
    missing_arguments,
    written_arguments,
)
from toolbox.testing.components import (
    check_decoder,
    check_degradation,
    check_discriminator,
    check_encoder,
    check_features,
    check_generator,
    check_loss,
    check_mixture,
    check_style_encoder,
    check_transform,
)
from toolbox.testing.data import check_dataset, check_metric
from toolbox.testing.export import check_backend, check_exporter
from toolbox.testing.module import module_problems, not_a_plugin
from toolbox.testing.runs import check_format, check_hook
from toolbox.testing.training import check_augmentation, check_regularizer, check_training, check_variant


@dataclass(frozen=True)
class Result:
    """What was checked of one component, and what was wrong with it (None: nothing)."""

    kind: str
    name: str
    checked: str
    problem: str | None = None
    ran: bool = True
    """Whether the component was built and called; otherwise `checked` says what that would need."""


WITH_INPUTS: dict[str, Any] = {
    "generators": check_generator,
    "discriminators": check_discriminator,
    "encoders": check_encoder,
    "style_encoders": check_style_encoder,
    "decoders": check_decoder,
    "losses": check_loss,
    "features": check_features,
    "degradations": check_degradation,
    "transforms": check_transform,
    "metrics": check_metric,
    "algorithms": check_training,
}
"""Kinds whose checks make up inputs, unless the component gives its own (`example_inputs`)."""
OTHERS: dict[str, Any] = {
    "gan_variants": lambda variant: check_variant(lambda: variant),
    "regularizers": check_regularizer,
    "augmentations": check_augmentation,
    "mixtures": check_mixture,
    "datasets": check_dataset,
    "hooks": check_hook,
    "exporters": check_exporter,
    "backends": check_backend,
}
REFUSALS = (UserError, ValueError, OSError)
"""How a component refuses the arguments or images that it is given."""
UNSUITED = (*REFUSALS, RuntimeError, IndexError, TypeError)
"""What may come of made-up inputs that a right component is not made for."""
ARGUMENTS = "name a YAML with them (--config), or give the class a classmethod example_arguments()"
INPUTS = "give the class a classmethod example_inputs(), a tuple of what it takes"
BATCH = "give the class a classmethod example_inputs(count, size), a batch by name"


def check_plugin(name: str, config: Config | None = None) -> Iterator[Result]:
    """Check every component of the plugin `name`: its contract, its name, its constructor.

    Components are built with the arguments that `config` has for them, or else those of their class's
    `example_arguments()`, or else their defaults; they are called with their `example_inputs()`, or else with
    made-up images.
    """
    plugins = manager().plugins
    if name not in plugins:
        raise UserError(f"there is no plugin '{name}'{not_a_plugin(name) or did_you_mean(name, plugins)}")
    if plugins[name].error:
        raise UserError(f"plugin '{name}' does not load: {plugins[name].error}")
    found = written_arguments(config) if config is not None else {}
    for problem in module_problems(plugins[name], manager()):
        yield Result("plugin", name, "its module", problem)
    for kind, registry in KINDS.items():
        if f"register_{kind}" not in plugins[name].hooks:
            continue
        for component_name in registry.names():
            owners = registry.owners(component_name)
            for owned in owners:
                if owned.plugin.name == name:
                    yield _check(kind, component_name, owned, owners, found)
    if plugins[name].error:
        yield Result("plugin", name, "loads", plugins[name].error)


def written_problem(kind: str, name: str, component: type, others: list[str]) -> str | None:
    """What is wrong with a component as it is written, before it is built."""
    if others:
        return f"{' and '.join(others)} has one of that name too, so that every config must say whose; rename it"
    if not component.__doc__:
        return "has no docstring; say what it is, shapes, ranges and source"
    parameters, open_ended = constructor_parameters(component)
    if open_ended:
        return "its constructor takes **kwargs, so that a misspelt argument is never noticed; name each argument"
    taken = sorted({*BESIDE.get(kind, {})} & {*parameters})
    if taken:
        return f"its argument '{taken[0]}' never arrives: the key beside type is taken"
    holds = "gan_variants" in [inner for key, inner in nested_kinds(component).items() if key in parameters]
    if kind == "gan_variants" and holds and not issubclass(component, VariantWrapper):
        return "holds a variant and is no VariantWrapper: the inner one's penalties and d_steps would be lost"
    return None


def _check(kind: str, name: str, owned: Owned, owners: list[Owned], found: Found) -> Result:
    component: Any = owned.component
    others = [str(each.plugin.name) for each in owners if each is not owned]
    problem = written_problem(kind, name, component, others)
    if problem:
        return Result(kind, name, "as it is written", problem)
    file = getattr(sys.modules.get(component.__module__), "__file__", None)
    home = Path(file).parent if file else None
    arguments: dict[str, Any] = {}
    error = failure_of(lambda: arguments.update(arguments_of(kind, name, component, found)))
    if error is not None:
        return Result(kind, name, "arguments", f"example_arguments: {one_line(error, home)}")
    missing = missing_arguments(component, arguments)
    if missing:
        return Result(kind, name, f"not run: needs {', '.join(missing)}; {ARGUMENTS}", ran=False)
    made: list[Any] = []
    error = failure_of(lambda: made.append(built(kind, f"{owned.plugin.name}/{name}", component, arguments)))
    if isinstance(error, SignatureError):
        return Result(kind, name, "signature", error.message)
    if isinstance(error, REFUSALS) and not isinstance(error.__cause__, TypeError):
        # how a constructor refuses values, here its own defaults
        text = f"not run: needs other arguments than {_shown(arguments)} ({_reason(error)}); {ARGUMENTS}"
        return Result(kind, name, text, ran=False)
    if error is None:
        return _called(kind, name, component, arguments, made[0], home, found)
    return Result(kind, name, "is built", one_line(error.__cause__ or error, home))


def _called(
    kind: str, name: str, component: type, arguments: dict[str, Any], made: Any, home: Path | None, found: Found
) -> Result:
    """Run the contract check of a kind on a built component."""
    options: dict[str, Any] = {}
    inputs: list[Any] = []
    error = failure_of(lambda: inputs.append(example_inputs(kind, made)))
    if error is not None:
        return Result(kind, name, "inputs", f"example_inputs: {one_line(error, home)}")
    if kind in WITH_INPUTS:
        options["inputs"] = inputs[0]
    if kind in ("generators", "discriminators"):
        options["channels"] = channels_of(component, arguments)
    check = _format_check(found) if kind == "formats" else {**WITH_INPUTS, **OTHERS}[kind]
    error = failure_of(lambda: check(made, **options))
    if error is None:
        return Result(kind, name, "keeps to the contract")
    if isinstance(error, AssertionError):
        return Result(kind, name, "contract", str(error))
    if kind in WITH_INPUTS and inputs[0] is None and isinstance(error, UNSUITED):
        way = BATCH if kind == "algorithms" else INPUTS
        text = f"not run: made-up images do not suit it ({one_line(error, home)}); {way}"
        return Result(kind, name, text, ran=False)
    if kind in ("datasets", "formats", "exporters", "backends") and isinstance(error, REFUSALS):
        return Result(kind, name, f"not run: {_reason(error)}; {ARGUMENTS}", ran=False)
    return Result(kind, name, "contract", one_line(error, home))


def _format_check(found: Found) -> Any:
    """The check of a format with a network of its class, built with the arguments that are known."""

    def check(layout: Any) -> None:
        owners = KINDS["generators"].owners(str(getattr(layout, "network", None)))
        network = None
        if owners:
            arguments = arguments_of("generators", layout.network, owners[0].component, found)
            owner = owners[0].plugin.name
            network = built("generators", f"{owner}/{layout.network}", owners[0].component, arguments)
        check_format(layout, network)

    return check


def _shown(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in arguments.items())[:160] or "its defaults"


def _reason(error: BaseException) -> str:
    return " ".join(str(error.__cause__ or error).split())
