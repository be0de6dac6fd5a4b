"""Optimizers that predict with other weights than they train: schedule-free ones (Defazio et al., 2024).

They train at a point between the last step and the average of all, and the average is what is good. Whatever measures,
shows or writes weights does so within `averaged_weights`; the trained ones are back afterwards bit for bit, and are
saved beside the average, so that a resumed run goes on exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from toolbox.weights.state import portable_state

MODE = "train_mode"
"""Where such an optimizer's groups say which of its weights are in the network."""


def averages(optimizer: torch.optim.Optimizer) -> bool:
    """Whether an optimizer has two kinds of weights."""
    return all(callable(getattr(optimizer, name, None)) for name in ("train", "eval"))


def parameters(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """What it trains, in its order."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


@contextmanager
def averaged_weights(optimizers: Any) -> Iterator[None]:
    """Put the averages into the networks while this lasts; within another one it changes nothing."""
    wrappers = [each for _, each in optimizers.items()] if hasattr(optimizers, "items") else []
    swapped = [each for each in wrappers if averages(each.optimizer) and each.trained is None]
    for wrapper in swapped:
        wrapper.trained = [each.detach().clone() for each in parameters(wrapper.optimizer)]
        wrapper.optimizer.eval()
    try:
        yield
    finally:
        for wrapper in swapped:
            put_back(wrapper.optimizer, wrapper.trained)
            wrapper.trained = None


def predicting_state(algorithm: nn.Module, optimizers: Any) -> dict[str, Any]:
    """What a checkpoint holds of the networks: the weights that predict."""
    swaps = any(averages(each.optimizer) for _, each in optimizers.items())
    with averaged_weights(optimizers):
        state = portable_state(algorithm)
        if not swaps:
            return state
        return {key: value.clone() if isinstance(value, Tensor) else value for key, value in state.items()}


@torch.no_grad()
def put_back(optimizer: torch.optim.Optimizer, trained: list[Tensor]) -> None:
    """Put the weights that are trained into the networks."""
    for parameter, value in zip(parameters(optimizer), trained, strict=True):
        parameter.copy_(value)
    for group in optimizer.param_groups:
        group[MODE] = True


def saved(state: Mapping[str, Any], wrapper: Any) -> dict[str, Any]:
    """An optimizer's state with the weights that it trains, where it has two kinds."""
    if not averages(wrapper.optimizer):
        return dict(state)
    trained = [each.detach() for each in parameters(wrapper.optimizer)] if wrapper.trained is None else wrapper.trained
    groups = [{**group, MODE: True} for group in state["param_groups"]]
    return {**state, "param_groups": groups, "trained": list(trained)}
