"""PyTorch's own ways to compute a network."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from toolbox import InPlace, UserError, did_you_mean

OPTIONS = ("", "compile", "cuda-graphs")


class Torch(InPlace):
    """Eager PyTorch; `torch:compile` by Inductor, for any size; `torch:cuda-graphs` replays kernels, size by size."""

    precisions = ("fp32", "bf16", "fp16")
    devices = ("cpu", "cuda", "mps", "xpu")

    def wrapped(self, network: nn.Module, option: str) -> Callable[[Tensor], Tensor]:
        """The network, computed so.

        Raises:
            UserError: there is no such option, or this machine lacks what it needs.
        """
        if option not in OPTIONS:
            raise UserError(f"--backend torch:{option}: is unknown{did_you_mean(option, OPTIONS[1:])}")
        if not option:
            return network
        device = next((each.device.type for each in network.parameters()), "cpu")
        if option == "cuda-graphs" and device != "cuda":
            raise UserError(f"--backend torch:cuda-graphs: is for CUDA devices, and this is {device}")
        if device == "cpu" and not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
            raise UserError("--backend torch:compile: wants a C++ compiler on a CPU, and there is none (g++)")
        mode = "reduce-overhead" if option == "cuda-graphs" else "default"
        compiled = torch.compile(network, dynamic=option == "compile", mode=mode)

        def call(images: Tensor) -> Tensor:
            try:
                return compiled(images)
            except Exception as error:
                if type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
                    raise UserError(
                        f"--backend torch:{option}: torch cannot compile this network "
                        f"({' '.join(str(error).split())[:120]}); leave it out"
                    ) from None
                raise

        return call
