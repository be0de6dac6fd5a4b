"""PyTorch itself as a backend: as it is, compiled, or by CUDA graphs."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_backends(register: Register) -> None:
    """`infer --backend torch`, `torch:compile` and `torch:cuda-graphs`."""
    from .backend import Torch

    register("torch", Torch)
