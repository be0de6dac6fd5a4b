"""Every registered algorithm with every registered variant: what the correctness tests are parametrised over."""

from __future__ import annotations

from collections.abc import Callable

from toolbox.algorithm import Algorithm
from toolbox.gan_variant import GanVariant
from toolbox.nested import nested_kinds
from toolbox.registry import registry


def algorithms() -> list[str]:
    """Names of all algorithms."""
    return registry("algorithms").names()


def algorithm_class(name: str) -> type[Algorithm]:
    """An algorithm by name."""
    return registry("algorithms").get(name)


def variants() -> dict[str, Callable[[], GanVariant]]:
    """Every variant, a wrapper over one that wraps none, and one with every regularizer, one with every augmentation.

    All combinations of objective, regularizer, wrapper and discriminator are the GAN matrix's business.
    """
    names = registry("gan_variants").names()
    classes = {name: registry("gan_variants").get(name) for name in names}
    made: dict[str, Callable[[], GanVariant]] = {}
    for name, each in classes.items():
        wraps = "base" in nested_kinds(each)
        made[name] = (lambda each=each: each(base=classes["Vanilla"]())) if wraps else each
    for lists in ("regularizers", "augmentations"):
        if registry(lists).names():
            made[f"Vanilla({lists})"] = lambda lists=lists: with_every(lists, classes["Vanilla"]())
    return made


def with_every(kind: str, variant: GanVariant) -> GanVariant:
    """A variant with every registered component of a kind that a constructor's defaults give."""
    getattr(variant, kind).extend(registry(kind).get(name)() for name in registry(kind).names())
    return variant


VARIANTS = variants()
CELLS = [(algorithm, variant) for algorithm in algorithms() for variant in VARIANTS]
