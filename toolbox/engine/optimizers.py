"""One optimizer for the generators and one for the discriminators, as `optim_wrapper` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from toolbox.errors import ConfigError


class MixedPrecision(OptimWrapper):
    """An optimizer whose forward pass runs under autocast to bfloat16, which needs no loss scaling, on any device."""

    def __init__(self, *, device_type: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.device_type = device_type

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast to bfloat16."""
        with super().optim_context(model), torch.autocast(self.device_type, dtype=torch.bfloat16):
            yield


def optimizer_class(name: str) -> type[torch.optim.Optimizer] | None:
    """torch's optimizer of that name."""
    found = getattr(torch.optim, name, None)
    is_optimizer = isinstance(found, type) and issubclass(found, torch.optim.Optimizer)
    return found if is_optimizer and found is not torch.optim.Optimizer else None  # pyright: ignore[reportReturnType]


def parameter_groups(algorithm: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Discriminators form the group `discriminator`; every other trainable child `generator`."""
    groups: dict[str, list[nn.Parameter]] = {"generator": [], "discriminator": []}
    judges: Any = getattr(algorithm, "judged", {})
    for name, child in algorithm.named_children():
        group = "discriminator" if name in judges else "generator"
        groups[group] += [p for p in child.parameters() if p.requires_grad]
    return {name: parameters for name, parameters in groups.items() if parameters}


def build_optimizers(
    algorithm: nn.Module, config: Mapping[str, Any], *, amp: bool, device_type: str
) -> OptimWrapperDict:
    """Build one wrapped optimizer for each group of parameters."""
    wrappers = {}
    for name, parameters in parameter_groups(algorithm).items():
        if name not in config:
            raise ConfigError(f"the model has {name} parameters and no optimizer for them", key=f"optim_wrapper.{name}")
        group = config[name]
        arguments = {key: value for key, value in group["optimizer"].items() if key != "type"}
        if "betas" in arguments:
            arguments["betas"] = tuple(arguments["betas"])
        optimizer = optimizer_class(group["optimizer"]["type"])
        if optimizer is None:
            raise ConfigError(f"torch.optim has no {group['optimizer']['type']}", key=f"optim_wrapper.{name}.optimizer")
        try:
            built = optimizer(parameters, **arguments)  # pyright: ignore[reportCallIssue]
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{optimizer.__name__}: {error}", key=f"optim_wrapper.{name}.optimizer") from error
        rest = {
            "optimizer": built,
            "accumulative_counts": group.get("accumulative_counts", 1),
            "clip_grad": dict(group["clip_grad"]) if group.get("clip_grad") else None,
        }
        wrappers[name] = MixedPrecision(device_type=device_type, **rest) if amp else OptimWrapper(**rest)
    return OptimWrapperDict(**wrappers)
