"""Optimizers beside torch's, by name: those of the package pytorch-optimizer, imported when a config names one."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from toolbox.io.errors import UserError

PACKAGE = "pytorch_optimizer"
PACKAGED = (
    "AdamP", "AdamWSN", "Adan", "AdaBelief", "AdEMAMix", "ADOPT", "CAME", "DAdaptAdam", "Grams", "Lamb", "LaProp",
    "Lion", "MARS", "Prodigy", "ScheduleFreeAdamW", "ScheduleFreeSGD", "SOAP", "StableAdamW",
    "Tiger",
)  # fmt: skip
"""Those that go with a step which may be skipped, a network that stands still and an exact resume; tests run each.

Others of the package want the loss computed anew, second derivatives, or another optimizer within.
"""
UNFIT = {
    "LBFGS": "wants the loss computed anew within each step, and a GAN's is computed once",
    "SparseAdam": "wants sparse gradients, and those of images are dense",
}
"""torch's own that no training here can step with, and why."""
MATRICES = ("CAME", "SOAP")
"""Those whose moments have not their parameters' shapes."""
COUNTED = (
    "step", "d", "d_max", "d_hat", "d_numerator", "d_de_nom", "numerator_weighted", "weight_sum", "lr_max",
)  # fmt: skip
"""What their groups keep of the steps that were done, beside settings; torch's keep it with the moments."""


def optimizer_names() -> list[str]:
    """What a config may name, without an import of the package: torch's, and the package's."""
    return sorted({name for name in dir(torch.optim) if torch_optimizer(name)} | set(PACKAGED))


def torch_optimizer(name: str) -> type[torch.optim.Optimizer] | None:
    """torch's optimizer of that name."""
    found = getattr(torch.optim, name, None)
    is_optimizer = isinstance(found, type) and issubclass(found, torch.optim.Optimizer)
    is_optimizer = is_optimizer and found is not torch.optim.Optimizer and name not in UNFIT
    return found if is_optimizer else None  # pyright: ignore[reportReturnType]


def optimizer_class(name: str) -> type[torch.optim.Optimizer] | None:
    """torch's optimizer of that name, or else the package's; None where neither is known.

    Raises:
        UserError: the package is not installed, or is too old.
    """
    return torch_optimizer(name) or (packaged(name) if name in PACKAGED else None)


def packaged(name: str) -> Any:
    """The package's optimizer of that name, with the arguments that it names and no others."""
    if find_spec(PACKAGE) is None:
        raise UserError(f"{name} is not in torch.optim; pip install 'gan-toolbox[optimizers]' brings it")
    found = _imported(name)
    if found is None:
        raise UserError(f"pytorch-optimizer has no {name} here; pip install -U 'gan-toolbox[optimizers]'")
    return found


@cache
def _imported(name: str) -> Any:
    import pytorch_optimizer

    return getattr(pytorch_optimizer, name, None)
