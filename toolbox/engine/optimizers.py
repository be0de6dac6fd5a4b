"""One optimizer for the generators and one for the discriminators, as `optim_wrapper` says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from toolbox.errors import ConfigError


class GuardedOptimWrapper(OptimWrapper):
    """Steps only if every gradient is finite, and counts the steps it skipped.

    Fused optimizers are told on the device (torch's `found_inf`), so that no step waits for it. With `autocast`, the
    forward pass computes in that type; bfloat16 needs no loss scaling.
    """

    def __init__(self, *, autocast: tuple[str, torch.dtype] | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.autocast = autocast
        self.fused = bool(self.optimizer.defaults.get("fused"))
        self.skipped: Tensor | None = None
        """Steps skipped so far, and in a row, (2,) on the device; None before the first step."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, if asked for."""
        with super().optim_context(model):
            if self.autocast is None:
                yield
            else:
                with torch.autocast(self.autocast[0], dtype=self.autocast[1]):
                    yield

    def _clip_grad(self) -> None:
        """Clip; mmengine would also read the norm back."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.clip_func(parameters, **(self.clip_grad_kwargs or {}))

    def step(self, **kwargs: Any) -> None:
        """Clip, then step or skip."""
        if self.clip_grad_kwargs:
            self._clip_grad()
        gradients = [p.grad for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not gradients:
            return
        norms = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateImportUsage]
        bad = (~torch.isfinite(torch.stack(norms).sum())).float()
        if self.skipped is None:
            self.skipped = torch.zeros(2, device=bad.device)
        self.skipped = torch.stack([self.skipped[0] + bad, (self.skipped[1] + bad) * bad])
        if self.fused:
            self.optimizer.found_inf = bad  # pyright: ignore[reportAttributeAccessIssue]
            self.optimizer.step(**kwargs)
        elif not bad:
            self.optimizer.step(**kwargs)


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
    """Build one guarded optimizer for each group, fused where torch has that and the config leaves it open."""
    wrappers = {}
    for name, parameters in parameter_groups(algorithm).items():
        if name not in config:
            raise ConfigError(f"the model has {name} parameters and no optimizer for them", key=f"optim_wrapper.{name}")
        group = config[name]
        key = f"optim_wrapper.{name}.optimizer"
        optimizer = optimizer_class(group["optimizer"]["type"])
        if optimizer is None:
            raise ConfigError(f"torch.optim has no {group['optimizer']['type']}", key=key)
        arguments = {k: v for k, v in group["optimizer"].items() if k != "type"}
        known = inspect.signature(optimizer).parameters
        if "fused" in known and not {"fused", "foreach", "capturable", "differentiable"} & set(arguments):
            arguments["fused"] = True
        if "betas" in arguments:
            arguments["betas"] = tuple(arguments["betas"])
        try:
            built = optimizer(parameters, **arguments)  # pyright: ignore[reportCallIssue]
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{optimizer.__name__}: {error}", key=key) from error
        wrappers[name] = GuardedOptimWrapper(
            optimizer=built,
            accumulative_counts=group.get("accumulative_counts", 1),
            clip_grad=dict(group["clip_grad"]) if group.get("clip_grad") else None,
            autocast=(device_type, torch.bfloat16) if amp else None,
        )
    return OptimWrapperDict(**wrappers)
