"""Lets CycleGAN's official weight files load by plain `load_state_dict(file, strict=True)`.

Hooks for `nn.Module.register_load_state_dict_pre_hook`; they change the dictionary that is being loaded, in which the
caller's own is copied.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

STALE = ("running_mean", "running_var", "num_batches_tracked")


def drop_stale_statistics(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Leave out the running statistics that old files carry for instance norm, which never used them."""
    for name, child in module.named_modules():
        if isinstance(child, nn.InstanceNorm2d) and not child.track_running_stats:
            for key in STALE:
                state.pop(f"{prefix}{name}.{key}", None)


def move_for_dropout(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    """Rename a block's second convolution and its norm where the file has dropout and the network not, or vice versa.

    In `conv_block`, dropout takes place 4, so the second convolution is layer 5 without and layer 6 with it.
    """
    for name, child in module.named_modules():
        if name.rpartition(".")[2] != "conv_block" or not isinstance(child, nn.Sequential):
            continue
        here = 6 if isinstance(child[4], nn.Dropout) else 5
        there = 11 - here
        block = f"{prefix}{name}."
        weight = state.get(f"{block}{there}.weight")
        if weight is None or weight.dim() != 4:  # a norm's weight has one dimension
            continue
        moved = {}
        for old, new in ((there, here), (there + 1, here + 1)):
            for key in [key for key in state if key.startswith(f"{block}{old}.")]:
                moved[f"{block}{new}.{key.removeprefix(f'{block}{old}.')}"] = state.pop(key)
        state.update(moved)
