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
    """Every variant; one that wraps another is tried over each that wraps none."""
    names = registry("gan_variants").names()
    classes = {name: registry("gan_variants").get(name) for name in names}
    plain = {name: each for name, each in classes.items() if "base" not in nested_kinds(each)}
    made: dict[str, Callable[[], GanVariant]] = dict(plain)
    for name, wrapper in classes.items():
        if name not in plain:
            for inner_name, inner in plain.items():
                made[f"{name}({inner_name})"] = lambda wrapper=wrapper, inner=inner: wrapper(base=inner())
    return made


VARIANTS = variants()
CELLS = [(algorithm, variant) for algorithm in algorithms() for variant in VARIANTS]
