"""RealPLKSR (after Lee et al., 2024): super-resolution and restoration by few, very large kernels."""

from toolbox import Register, hookimpl


@hookimpl
def register_generators(register: Register) -> None:
    from .generator import RealPLKSR

    register("RealPLKSR", RealPLKSR)


@hookimpl
def register_formats(register: Register) -> None:
    from .formats import RealPLKSRNeosr

    register("RealPLKSRNeosr", RealPLKSRNeosr)
