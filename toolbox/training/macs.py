"""What a network costs: multiply-accumulate operations of one forward pass."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def count_macs(network: nn.Module, *, size: int = 128, channels: int = 3) -> int | None:
    """Multiply-accumulates for one image (1, channels, size, size): matrix products and convolutions alone.

    None if the network does not take such an image. torch counts two operations for each multiply-accumulate.
    """
    training = {module: module.training for module in network.modules()}
    parameter = next(network.parameters(), torch.zeros(()))
    image = torch.zeros(1, channels, size, size, device=parameter.device)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network.eval()(image)
    except (RuntimeError, ValueError, TypeError):  # TypeError: it wants more than an image
        return None
    finally:
        for module, was in training.items():
            module.training = was
    return counter.get_total_flops() // 2
