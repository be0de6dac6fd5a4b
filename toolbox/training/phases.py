"""What a phase changes about an update: learning rates times a factor, and networks that stand still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn
from torch.optim import Optimizer

from toolbox.contracts.network import unwrapped
from toolbox.training.parts import Phase


@contextmanager
def in_phase(phase: Phase, algorithm: nn.Module, optimizers: OptimWrapperDict) -> Iterator[None]:
    """Let every update within keep to the phase's rates and leave its frozen networks alone.

    A frozen parameter still takes part in the backward pass, so that the ranks exchange the same gradients in every
    phase; its gradient is dropped before the update. The schedules' own rates are back when this ends.
    """
    if not phase.rates and not phase.frozen:
        yield
        return
    still = {id(p) for path in phase.frozen for p in part(algorithm, path).parameters()}
    with ExitStack() as stack:
        for name, factor in phase.rates.items():
            if name in optimizers:
                stack.enter_context(_times(optimizers[name], factor))
        if still:
            for _, wrapper in optimizers.items():
                handle = wrapper.optimizer.register_step_pre_hook(lambda optimizer, *_: drop(optimizer, still))
                stack.callback(handle.remove)
        yield


def part(algorithm: nn.Module, path: str) -> nn.Module:
    """A network by its slot, or a part of one by dotted path; AttributeError where there is none."""
    slot, _, inner = path.partition(".")
    return unwrapped(getattr(algorithm, slot)).get_submodule(inner)


def drop(optimizer: Optimizer, still: set[int]) -> None:
    """Forget the gradients of parameters with these ids."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if id(parameter) in still:
                parameter.grad = None


@contextmanager
def _times(wrapper: OptimWrapper, factor: float) -> Iterator[None]:
    groups: list[dict[str, Any]] = wrapper.optimizer.param_groups
    rates = [group["lr"] for group in groups]
    try:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate * factor
        yield
    finally:
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
