"""One optimizer for the generators and one for the discriminators, as `optim_wrapper` says."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from toolbox.engine.packaged_optimizers import optimizer_class
from toolbox.engine.schedule_free import averages, put_back, saved
from toolbox.io.errors import ConfigError, UserError
from toolbox.training.precision import networks_in


class GuardedOptimWrapper(OptimWrapper):
    """Steps only if every gradient is finite, and counts the steps it skipped.

    Fused optimizers are told on the device (torch's `found_inf`), so that no step waits for it. With `precision`, the
    networks compute in that type; bfloat16 needs no loss scaling, float16 gets it.
    """

    def __init__(self, *, precision: torch.dtype | None = None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.precision = precision
        self.scale = LossScale() if precision == torch.float16 else None
        self.fused = bool(self.optimizer.defaults.get("fused"))
        self.trained: list[Tensor] | None = None
        """The weights that a schedule-free optimizer trains, while its averages are in the networks."""
        if averages(self.optimizer):
            self.optimizer.train()  # pyright: ignore[reportAttributeAccessIssue]
        self.one: Tensor | None = None
        self.bad: deque[Tensor] = deque(maxlen=10_000)
        """One flag for each step that nobody has counted yet, on the device."""
        self.skipped = self.in_a_row = 0

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The networks' precision; between the ranks, only the last micro-batch of a step exchanges gradients."""
        if self.precision is None and self._accumulative_counts == 1:
            return nullcontext()
        return self._precise_and_apart(model)

    @contextmanager
    def _precise_and_apart(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), networks_in(self.precision):
            yield

    def _clip_grad(self) -> None:
        """Clip; mmengine would also read the norm back."""
        parameters = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        self.clip_func(parameters, **(self.clip_grad_kwargs or {}))

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss's share of a step; mmengine would divide by 1 too."""
        return loss if self._accumulative_counts == 1 else super().scale_loss(loss)

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Backpropagate, times float16's scale."""
        super().backward(loss if self.scale is None else self.scale.times(loss), **kwargs)

    def step(self, **kwargs: Any) -> None:
        """Take off the scale and look for what is not finite, clip, then step or skip."""
        gradients = [p.grad for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not gradients:
            return
        if self.one is None:
            self.one = torch.ones((), device=gradients[0].device)
        bad = torch.zeros_like(self.one)
        # one pass over all gradients, as GradScaler makes it; a scale of 1 leaves them as they are
        inverse = self.one if self.scale is None else self.scale.value.reciprocal()
        torch._amp_foreach_non_finite_check_and_unscale_(gradients, bad, inverse)  # pyright: ignore[reportPrivateImportUsage]
        self.bad.append(bad)
        if self.scale is not None:
            self.scale.update(bad)
        if self.clip_grad_kwargs:
            self._clip_grad()
        if self.fused:
            self.optimizer.found_inf = bad  # pyright: ignore[reportAttributeAccessIssue]
            self.optimizer.step(**kwargs)
        elif not bad:
            self.optimizer.step(**kwargs)

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state, the count of skipped steps, and float16's scale."""
        state = saved(super().state_dict(), self) | {"skipped": list(self.count_skipped())}
        return state | ({} if self.scale is None else {"loss_scale": self.scale.state_dict()})

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore all of it; a run that begins with float16 now begins with a fresh scale."""
        state = dict(state_dict)
        self.skipped, self.in_a_row = state.pop("skipped", (0, 0))
        self.bad.clear()
        scale, trained = state.pop("loss_scale", None), state.pop("trained", None)
        if self.scale is not None and scale is not None:
            self.scale.load_state_dict(scale)
        own = {key: value for key, value in self.optimizer.defaults.items() if key == "fused"}
        groups = [{**group, **own} for group in state["param_groups"]]  # how it computes is its own affair
        super().load_state_dict({**state, "param_groups": groups})  # which lays counts of steps where that wants them
        if trained is not None and averages(self.optimizer):
            put_back(self.optimizer, trained)

    def count_skipped(self) -> tuple[int, int]:
        """Steps skipped so far, and in a row up to now; reads the flags of all steps since the last call at once."""
        flags = torch.stack(list(self.bad)).tolist() if self.bad else []
        self.bad.clear()
        for flag in flags:
            self.skipped += bool(flag)
            self.in_a_row = self.in_a_row + 1 if flag else 0
        return self.skipped, self.in_a_row


class LossScale:
    """The factor that keeps float16's gradients from vanishing, on the device: torch's GradScaler with its defaults.

    It is halved by a step whose gradients overflow (the step is skipped) and doubled after 2000 good ones.
    """

    def __init__(self, start: float = 2.0**16, interval: int = 2000) -> None:
        self.value, self.good, self.interval = torch.tensor(start), torch.tensor(0, dtype=torch.int32), interval

    def times(self, loss: Tensor) -> Tensor:
        """The scaled loss, in float32."""
        if self.value.device != loss.device:
            self.value, self.good = self.value.to(loss.device), self.good.to(loss.device)
        return loss.float() * self.value

    def update(self, bad: Tensor) -> None:
        """Move the scale after a step; `bad` is 1 if it was skipped."""
        torch._amp_update_scale_(self.value, self.good, bad, 2.0, 0.5, self.interval)  # pyright: ignore[reportPrivateImportUsage]

    def state_dict(self) -> dict[str, Tensor]:
        """What a resumed run needs."""
        return {"value": self.value, "good": self.good}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue."""
        self.value, self.good = state["value"].clone(), state["good"].clone()


def parameter_groups(algorithm: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Discriminators form the group `discriminator`; every other trainable child `generator`."""
    groups: dict[str, list[nn.Parameter]] = {"generator": [], "discriminator": []}
    judges: Any = getattr(algorithm, "judged", {})
    for name, child in algorithm.named_children():
        group = "discriminator" if name in judges else "generator"
        groups[group] += [p for p in child.parameters() if p.requires_grad]
    return {name: parameters for name, parameters in groups.items() if parameters}


def build_optimizers(
    algorithm: nn.Module, config: Mapping[str, Any], *, amp: str | None, device_type: str
) -> OptimWrapperDict:
    """Build one guarded optimizer for each group, fused where torch has that and the config leaves it open.

    `amp` is the type that forward passes compute in, `bfloat16` or `float16`, or None for the weights' own.
    """
    wrappers = {}
    for name, parameters in parameter_groups(algorithm).items():
        if name not in config:
            raise ConfigError(f"the model has {name} parameters and no optimizer for them", key=f"optim_wrapper.{name}")
        group = config[name]
        key = f"optim_wrapper.{name}.optimizer"
        try:
            optimizer = optimizer_class(group["optimizer"]["type"])
        except UserError as error:
            raise ConfigError(str(error), key=key) from error
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
            precision=getattr(torch, amp) if amp else None,
        )
    return OptimWrapperDict(**wrappers)
