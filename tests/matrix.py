"""Every registered algorithm with every registered variant: what the correctness tests are parametrised over."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from torch import Tensor
from torch.nn.functional import avg_pool2d

from toolbox.contracts.gan_variant import GanVariant
from toolbox.contracts.nested import nested_kinds
from toolbox.plugins.registry import registry
from toolbox.training.algorithm import Algorithm


def algorithms() -> list[str]:
    """Names of all algorithms."""
    return registry("algorithms").names()


def algorithm_class(name: str) -> type[Algorithm]:
    """An algorithm by name."""
    return registry("algorithms").get(name)


def variants() -> dict[str, Callable[[], GanVariant]]:
    """Every variant, a wrapper over LSGAN, and one with every regularizer, one with every augmentation.

    Critics take two steps for each of the generator's: that is the flow of five, in less time.
    """
    classes: dict[str, Any] = {name: registry("gan_variants").get(name) for name in registry("gan_variants").names()}
    made: dict[str, Callable[[], GanVariant]] = {}
    for name, each in classes.items():
        if "base" in nested_kinds(each):
            made[f"{name}(LSGAN)"] = lambda each=each: each(base=classes["LSGAN"]())
        else:
            several = {"d_steps": 2} if "d_steps" in signature(each).parameters else {}
            made[name] = lambda each=each, several=several: each(**several)
    for lists in ("regularizers", "augmentations"):
        if registry(lists).names():
            made[f"Vanilla({lists})"] = lambda lists=lists: with_every(lists, classes["Vanilla"]())
    return made


def with_every(kind: str, variant: GanVariant) -> GanVariant:
    """A variant with every registered component of a kind that a constructor's defaults give."""
    getattr(variant, kind).extend(registry(kind).get(name)() for name in registry(kind).names())
    return variant


def flow(variant: GanVariant) -> tuple[Any, ...]:
    """What of a variant an algorithm notices, beside the formula of its loss."""
    kind = type(variant)
    own = tuple(getattr(kind, name) is not getattr(GanVariant, name) for name in METHODS)
    return variant.d_steps > 1, variant.needs_real, len(variant.regularizers), len(variant.augmentations), *own


def halved(images: Tensor) -> Tensor:
    """Pictures (..., H, W), or clips of them, at half the size."""
    return avg_pool2d(images.flatten(0, -4), 2).unflatten(0, images.shape[:-3])


METHODS = ("prepare", "augment", "regularize", "after_d_step", "accept", "show", "penalties", "observe", "finish_step")
VARIANTS = variants()
FLOWS = list({flow(make()): name for name, make in reversed(VARIANTS.items())}.values())
"""One variant of each flow."""
CELLS = [(algorithm, variant) for algorithm in algorithms() for variant in FLOWS]
CELLS += [(algorithm, variant) for algorithm in ("CycleGAN", "SRGAN") for variant in VARIANTS if variant not in FLOWS]
"""Every algorithm with every flow, and every variant with two algorithms; the formulas have tests of their own."""
