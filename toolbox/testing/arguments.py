"""Where `plugins check` takes a component's arguments and inputs from: a config, the class itself, its defaults."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolbox.assembly.build import build_component, own_arguments
from toolbox.config import Config
from toolbox.config.check import Check
from toolbox.config.model_keys import BESIDE
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble

Found = dict[tuple[str, str], dict[str, Any]]
"""By kind and name, the arguments that a config writes for a component where it first names it."""
_AT_HAND: dict[str, dict[str, Callable[[], Any]]] = {
    "metrics": {"prediction": lambda: "prediction", "reference": lambda: "reference"},
    "gan_variants": {"base": LeastSquares},
}
"""Arguments that a check can give itself, by kind."""


class _Collecting(Check):
    """The check of a config, which meets every component."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.found: Found = {}

    def component(self, kind: str, config: Any, key: str) -> None:
        """Note a component's arguments, after it was found to be right."""
        super().component(kind, config, key)
        arguments = {name: value for name, value in config.items() if name not in BESIDE.get(kind, ("type",))}
        self.found.setdefault((kind, bare(config["type"])), arguments)


def bare(name: str) -> str:
    """The component's own name, of `Name` and of `plugin/Name`."""
    return name.rpartition("/")[2]


def written_arguments(config: Config) -> Found:
    """The arguments of every component that a config names; raises ConfigError where the config is wrong."""
    walk = _Collecting(config)
    walk.everything()
    model = config.data["model"]
    algorithm = walk.find("algorithms", model["type"], "model.type")
    return walk.found | {("algorithms", bare(model["type"])): own_arguments(algorithm, model)}


def arguments_of(kind: str, name: str, component: type, found: Found) -> dict[str, Any]:
    """What to build a component with: the config's arguments, or else the class's own, or else its defaults alone.

    An algorithm's own may hold `networks`, by slot, where tiny ones of images alone do not do; they stay with a config.
    """
    example: Any = getattr(component, "example_arguments", None)
    given = {} if example is None else dict(example())
    if (kind, name) in found:
        networks = {"networks": given["networks"]} if kind == "algorithms" and "networks" in given else {}
        return networks | found[kind, name]
    required = _required(component)
    return {key: make() for key, make in _AT_HAND.get(kind, {}).items() if key in required} | given


def missing_arguments(component: type, arguments: Mapping[str, Any]) -> list[str]:
    """Arguments that a constructor needs and nobody gives."""
    return [name for name in _required(component) if name not in arguments and name != "parts"]


def _required(component: type) -> list[str]:
    parameters = inspect.signature(component).parameters.values()
    return [p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]


def built(kind: str, name: str, component: Any, arguments: Mapping[str, Any]) -> Any:
    """A component as a config would build it; `name` may say whose. An algorithm comes with tiny networks."""
    if kind == "algorithms":
        return assemble(component, LeastSquares, **arguments)
    return build_component(kind, {**arguments, "type": name}, name)


def example_inputs(kind: str, made: Any) -> Sequence[Any] | None:
    """What the component says that it takes: a tuple, as its `forward` gets it; None where it says nothing.

    An algorithm's are a batch, which `batch_for` asks for.
    """
    if kind == "algorithms":
        return None
    example: Any = getattr(made, "example_inputs", None)
    return None if example is None else tuple(example())


def channels_of(component: type, arguments: Mapping[str, Any]) -> int:
    """Channels of the images that a network takes, where its constructor has an argument for them; else 3."""
    for name in ("in_channels", "channels"):
        parameter = inspect.signature(component).parameters.get(name)
        value = arguments.get(name, parameter.default if parameter else None)
        if isinstance(value, int):
            return value
    return 3
