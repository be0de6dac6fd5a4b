"""How images flow: an algorithm names values and roles; the training step lives here, once, for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from toolbox.config.model_keys import FEATURE_MATCHING
from toolbox.contracts.gan_variant import sum_terms
from toolbox.contracts.network import unwrapped
from toolbox.contracts.regularizer import Regularizer
from toolbox.training.adversaries import Adversaries, role_terms
from toolbox.training.feature_passes import asked, one_pass_each
from toolbox.training.misuse import explaining, role_values
from toolbox.training.network_call import frozen, unsynchronised
from toolbox.training.outputs import Values
from toolbox.training.parts import Parts
from toolbox.training.phases import in_phase
from toolbox.training.preprocessor import Preprocessor


class Algorithm(Adversaries, ABC):
    """Base of every training procedure. A subclass declares the names below and gives `translate`.

    One iteration: `translate` once; the generators' step (unless a variant asks for more discriminator updates
    first), with the discriminators frozen; then the discriminators' step on the detached fakes. G comes first so
    that accumulated micro-batches see one discriminator, as a large batch would; `discriminator_first` turns that
    around, as UNIT does it.
    """

    inputs: ClassVar[tuple[str, ...]] = ()
    """Images that the dataset must give (or `derived` ones that a degradation makes)."""
    derived: ClassVar[Mapping[str, str]] = {}
    """Inputs that `model.degradation` can make from another: `{"lr": "hr"}`."""
    generators: ClassVar[tuple[str, ...]] = ()
    """Slots of the networks that are not discriminators."""
    kinds: ClassVar[Mapping[str, str]] = {}
    """The kind of each of these slots that holds no generator: `{"encoder_a": "encoders"}`."""
    roles: ClassVar[Mapping[str, list[tuple[str, ...]]]] = {}
    """What losses can be given for: every loss of a role is called with each tuple of values and summed."""
    averaged_roles: ClassVar[tuple[str, ...]] = ()
    """Roles whose values come from the generators' averages: a config that fills one needs `model.ema`."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(
            data_preprocessor=Preprocessor(
                inputs=self.inputs,
                derived=self.derived,
                degradation=parts.degradation,
                mixtures=parts.mixtures,
                channels_last=parts.channels_last,
            ),
            ema=parts.ema,
            ema_switch=parts.ema_switch,
        )
        for slot, network in parts.networks.items():
            if slot not in self.adversaries:
                self.add_network(slot, network)
        self.add_adversaries(parts)
        self.losses = nn.ModuleDict(
            {role: nn.ModuleList(e.module for e in each) for role, each in parts.losses.items()}
        )
        self.judges_rest_until = 0
        """The iteration up to which no discriminator steps; a monitor may set it."""
        self._translating_for_generators = True

    @classmethod
    def slots(cls) -> dict[str, str]:
        """Every network that a config may name, with its kind."""
        kinds = {slot: cls.kinds.get(slot, "generators") for slot in cls.generators}
        return kinds | dict.fromkeys(cls.adversaries, "discriminators")

    # ------------------------------------------------------------------ what a subclass gives and may ask

    @abstractmethod
    def translate(self, values: Values) -> None:
        """Add every value that adversaries and roles name, calling networks as `self.<slot>(...)`.

        Runs once per iteration. Ask `self.wants(role)` before computing what only that role needs.
        """

    def wants(self, role: str) -> bool:
        """Whether the losses of a role count in this iteration."""
        return self._translating_for_generators and self.counts(role)

    # ------------------------------------------------------------------ training

    def train_step(self, data: Mapping[str, Any], optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One iteration on one batch; returns what to log, as detached scalars on the device."""
        with in_phase(self.phase, self, optim_wrapper):
            values = self.data_preprocessor(data, True)
            with explaining(self, values):
                self.prepare(values)
                return self.train_on(values, optim_wrapper)

    def train_on(self, values: Values, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One iteration on prepared values, images (..., C, H, W) among them, on the device."""
        g_optimizer: OptimWrapper = optim_wrapper["generator"]
        generators_turn, judges = self.turn(g_optimizer._accumulative_counts)
        logs: dict[str, Tensor] = {}
        self._translating_for_generators = generators_turn
        with g_optimizer.optim_context(self), torch.set_grad_enabled(generators_turn):
            with frozen(*(getattr(self, slot) for slot in self.judged)):
                self.translate(values)
            loss = (
                self.generators_loss(values, logs) if generators_turn and not self.parts.discriminator_first else None
            )
        if loss is not None:
            self.step_generators(loss, g_optimizer)
        if judges:
            self.step_discriminators(judges, values, optim_wrapper["discriminator"], logs)
        if generators_turn and self.parts.discriminator_first:
            with g_optimizer.optim_context(self):
                loss = self.generators_loss(values, logs)
            self.step_generators(loss, g_optimizer)
        self.iteration += 1
        return logs

    def step_generators(self, loss: Tensor, optimizer: OptimWrapper) -> None:
        """One backward pass of the generators, and their update where a large batch is complete."""
        optimizer.update_params(loss)
        if optimizer.should_update():
            self.update_ema()

    def step_discriminators(
        self, judges: list[str], values: Values, optimizer: OptimWrapper, logs: dict[str, Tensor]
    ) -> None:
        """One backward pass of the discriminators on detached fakes, and their update."""
        with optimizer.optim_context(self):
            loss = sum_terms(self.discriminator_loss(slot, values, logs) for slot in judges)
        optimizer.update_params(loss)
        if optimizer.should_update():
            for slot in judges:
                self.variants[slot].finish_step(unwrapped(getattr(self, slot)))  # pyright: ignore[reportCallIssue]

    def turn(self, accumulation: int) -> tuple[bool, list[str]]:
        """Whether the generators step in this iteration, and which discriminators do.

        With `d_steps` n, discriminators step in each of n iterations (times the accumulated micro-batches) and the
        generators in the last; one with fewer `d_steps` than another steps in the last ones only.
        """
        paused = self.iteration < self.judges_rest_until
        judges = [slot for slot in self.judged if self.plays(slot) and not paused]
        steps = {slot: int(self.variants[slot].d_steps) for slot in judges}  # pyright: ignore[reportArgumentType]
        cycle = max(steps.values(), default=1)
        left = cycle - (self.iteration // accumulation) % cycle
        return left == 1, [slot for slot in judges if left <= steps[slot]]

    def generators_loss(self, values: Values, logs: dict[str, Tensor]) -> Tensor:
        """The generators' loss, a scalar, with its terms' names and values in `logs`."""
        with one_pass_each(asked(self, values)):
            terms = dict(self.generator_terms(values))
        logs |= {name: term.detach() for name, term in terms.items()}
        return sum_terms(terms.values())

    def generator_terms(self, values: Values) -> Iterator[tuple[str, Tensor]]:
        """Names and weighted scalars, each computed when asked for: adversarial terms, every active role's losses."""
        yield from self.adversarial_terms(values)
        for role, losses in self.parts.losses.items():
            if self.wants(role) and (role in self.roles or role == FEATURE_MATCHING):
                together = self.matched(values) if role == FEATURE_MATCHING else role_values(self, role, values)
                yield from role_terms(f"g/{role}", losses, together)

    def no_sync(self) -> AbstractContextManager[None]:
        """Leave gradients of the forward passes within on their rank: all but the last of accumulated micro-batches."""
        return unsynchronised(self.children())

    # ------------------------------------------------------------------ state

    def get_extra_state(self) -> dict[str, Any]:
        """Counters that a resumed run needs: they decide phases and turns."""
        rare = {"judges_rest_until": self.judges_rest_until, "warm": list(self.warm)}
        return {"iteration": self.iteration, "ema_updates": self.ema_updates} | {k: v for k, v in rare.items() if v}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the counters."""
        self.iteration, self.ema_updates = state["iteration"], state["ema_updates"]
        self.judges_rest_until, self.warm = state.get("judges_rest_until", 0), tuple(state.get("warm", ()))

    def restart(self) -> None:
        """Begin a new run with loaded weights: counters at 0, no pooled images, this process's own degradations."""
        self.iteration, self.ema_updates, self.judges_rest_until = 0, 0, 0
        for pool in self.pools.values():
            pool.clear()  # pyright: ignore[reportCallIssue]
        for module in self.variants.modules():
            if isinstance(module, Regularizer):
                module.steps = 0
        self.data_preprocessor.restart()  # pyright: ignore[reportCallIssue]
