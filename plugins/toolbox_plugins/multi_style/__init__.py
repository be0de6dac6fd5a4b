"""Many styles in one feed-forward network, to choose and to mix (Dumoulin et al., 2017)."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_algorithms(register: Register) -> None:
    from .algorithm import MultiStyle

    register("MultiStyle", MultiStyle)


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import MultiStyleNet

    register("MultiStyleNet", MultiStyleNet)
