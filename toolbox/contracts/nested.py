"""Which constructor arguments are components themselves: recognised by annotation, built before they are passed."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from toolbox.plugins.registry import registry

Component = dict[str, Any]


@cache
def _bases() -> dict[type, str]:
    """The base class that marks each kind in an annotation."""
    from mmengine.evaluator import BaseMetric
    from mmengine.hooks import Hook

    from toolbox.contracts.augmentation import Augmentation
    from toolbox.contracts.checkpoint_format import CheckpointFormat
    from toolbox.contracts.dataset import ImageDataset, Transform
    from toolbox.contracts.degradation import Degradation
    from toolbox.contracts.gan_variant import GanVariant
    from toolbox.contracts.loss import Loss
    from toolbox.contracts.mixture import Mixture
    from toolbox.contracts.network import Decoder, Discriminator, Encoder, FeatureNetwork, Generator, StyleEncoder
    from toolbox.contracts.regularizer import Regularizer

    return {
        Regularizer: "regularizers",
        Augmentation: "augmentations",
        GanVariant: "gan_variants",
        Degradation: "degradations",
        Mixture: "mixtures",
        Transform: "transforms",
        ImageDataset: "datasets",
        FeatureNetwork: "features",
        Generator: "generators",
        Discriminator: "discriminators",
        Encoder: "encoders",
        StyleEncoder: "style_encoders",
        Decoder: "decoders",
        Loss: "losses",
        BaseMetric: "metrics",
        Hook: "hooks",
        CheckpointFormat: "formats",
    }


def kind_of(annotation: Any) -> str | None:
    """The kind of component that an annotation (`Degradation`, `list[Transform] | None`, ...) asks for."""
    if inspect.isclass(annotation) and not isinstance(annotation, types.GenericAlias):
        return next((kind for base, kind in _bases().items() if issubclass(annotation, base)), None)
    for inner in typing.get_args(annotation):
        kind = kind_of(inner)
        if kind:
            return kind
    return None


@cache
def nested_kinds(component: type) -> dict[str, str]:
    """The constructor's arguments that are components, each with its kind."""
    try:
        hints = typing.get_type_hints(component.__init__)
    except NameError:  # names that exist for the type checker alone
        hints = {}
    kinds = {name: kind_of(annotation) for name, annotation in hints.items() if name != "return"}
    if kind_of(component) == "gan_variants":  # lists that belong to every variant, whatever its constructor
        kinds |= {"regularizers": "regularizers", "augmentations": "augmentations"}
    return {name: kind for name, kind in kinds.items() if kind}


def nested_components(kind: str, config: Component, key: str) -> Iterator[tuple[str, Component, str]]:
    """Every component written inside another's arguments: (kind, config, key path)."""
    for name, inner in nested_kinds(registry(kind).get(config["type"])).items():
        yield from _components_in(inner, config.get(name), f"{key}.{name}")


def _components_in(kind: str, value: Any, key: str) -> Iterator[tuple[str, Component, str]]:
    """A component, or those of a list, of a mapping by name, or of a list for each name."""
    if isinstance(value, list) or is_named(value):
        items = enumerate(value) if isinstance(value, list) else dict(value).items()
        for name, item in items:
            yield from _components_in(kind, item, f"{key}.{name}")
    elif isinstance(value, Mapping):
        yield kind, value, key  # pyright: ignore[reportReturnType]


def is_named(value: Any) -> bool:
    """Whether a value holds several components by name (`dict[str, Degradation]`), rather than being one."""
    return isinstance(value, Mapping) and not isinstance(value.get("type"), str)
