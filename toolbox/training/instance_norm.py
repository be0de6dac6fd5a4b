"""Keeps instance normalisation's gradient right for one image at a time in channels-last memory on the CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def make_instance_norm_safe(network: nn.Module) -> None:
    """Swap every `nn.InstanceNorm2d` of a network, in place, for one whose gradient is right in any memory format.

    State keys, values and outputs stay what they were. A subclass of `nn.InstanceNorm2d` is left alone: it may have a
    forward of its own. Calling this twice does no harm.
    """
    for module in network.modules():
        if type(module) is nn.InstanceNorm2d:
            module.__class__ = SafeInstanceNorm2d


class SafeInstanceNorm2d(nn.InstanceNorm2d):
    """`nn.InstanceNorm2d` for images (B, C, H, W), without torch's silently wrong CPU gradient at B = 1.

    torch 2.13's `F.instance_norm` views its input as (1, B*C, H, W). At B = 1, that view of a channels-last tensor has
    an odd stride for the batch, (C, 1, W*C, C), and batch norm's CPU backward misreads a pair of input and gradient of
    which one is such a view and the other is contiguous. Batch norm of one image *is* its instance norm, so here it
    is called without a view, on tensors whose strides are plain. With B > 1 torch's own is right.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise images (B, C, H, W), or one image (C, H, W), over height and width."""
        # Without gradient torch's own is right, and exporters know it by name.
        if input.dim() != 4 or input.size(0) != 1 or not torch.is_grad_enabled():
            return super().forward(input)
        output = F.batch_norm(
            _with_plain_strides(input),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training or not self.track_running_stats,
            momentum=self.momentum if self.momentum is not None else 0.0,
            eps=self.eps,
        )
        # A view further on (a flatten, an unsqueeze) hands back a gradient with the same odd stride.
        if output.requires_grad and not torch.compiler.is_compiling():
            output.register_hook(_plain_gradient)
        return output


def _with_plain_strides(tensor: Tensor) -> Tensor:
    """Return a tensor (1, C, H, W) whose batch stride is C*H*W, copied only where it is not."""
    if tensor.stride(0) == tensor.numel():
        return tensor
    channels_last = tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()
    return tensor.clone(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def _plain_gradient(gradient: Tensor | None) -> Tensor | None:
    return None if gradient is None else _with_plain_strides(gradient)  # second derivatives may bring None
