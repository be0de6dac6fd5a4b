"""DISTS (Ding et al., 2020): structure and texture of a classifier's activations, as a loss and as a metric."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_losses(register: Register) -> None:
    from .loss import DISTSLoss

    register("DISTSLoss", DISTSLoss)


@hookimpl
def register_metrics(register: Register) -> None:
    from .metric import DISTS

    register("DISTS", DISTS)
