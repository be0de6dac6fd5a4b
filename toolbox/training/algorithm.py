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
from toolbox.contracts.gan_variant import Logits, sum_terms, weighted
from toolbox.contracts.network import unwrapped
from toolbox.training.activations import judged_activations
from toolbox.training.feature_passes import asked, one_pass_each
from toolbox.training.image_pool import ImagePool
from toolbox.training.network_call import (
    alike_apart,
    at_least_float32,
    frozen,
    in_float32,
    judge,
    mixes_samples,
    uncompiled,
    unsynchronised,
)
from toolbox.training.outputs import Outputs
from toolbox.training.parts import Parts, Phase
from toolbox.training.phases import in_phase
from toolbox.training.preprocessor import Preprocessor

Values = dict[str, Any]
"""Named values of one iteration: images (B, C, H, W), and whatever else a role or an adversary refers to."""


class Algorithm(Outputs, ABC):
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
    adversaries: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Slots of the discriminators, each with the names of its real and fake value."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Discriminator slots that a config may leave out."""
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
                channels_last=parts.channels_last,
            ),
            ema=parts.ema,
        )
        self.parts = parts
        for slot, network in parts.networks.items():
            if slot in self.adversaries:
                setattr(self, slot, network)
            else:
                self.add_network(slot, network)
        self.judged = {slot: names for slot, names in self.adversaries.items() if slot in parts.networks}
        self.apart = {slot for slot in self.judged if mixes_samples(parts.networks[slot])}
        self.one_graph = self.judged.keys() - self.apart if parts.one_graph else set()
        self.shared: dict[str, list[Logits]] = {}
        self.variants = nn.ModuleDict({slot: parts.adversaries[slot].variant for slot in self.judged})
        self.pools = nn.ModuleDict({slot: ImagePool(parts.adversaries[slot].pool) for slot in self.judged})
        self.losses = nn.ModuleDict(
            {role: nn.ModuleList(e.module for e in each) for role, each in parts.losses.items()}
        )
        self.iteration = 0
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
        active = self.phase.losses
        return self._translating_for_generators and role in self.losses and (active is None or role in active)

    def plays(self, slot: str) -> bool:
        """Whether a discriminator takes part in this iteration's phase, for its own sake or the generators'."""
        active = self.phase.adversaries
        return slot in self.judged and (active is None or slot in active)

    @property
    def phase(self) -> Phase:
        """The phase that the current iteration falls into."""
        return self.phase_of(self.iteration)

    def phase_of(self, iteration: int) -> Phase:
        """The phase of an iteration, counted from 0."""
        return next(p for p in self.parts.phases if p.until is None or iteration < p.until)

    # ------------------------------------------------------------------ training

    def train_step(self, data: Mapping[str, Any], optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One iteration on one batch; returns what to log, as detached scalars on the device."""
        with in_phase(self.phase, self, optim_wrapper):
            return self.train_on(self.data_preprocessor(data, True), optim_wrapper)

    def train_on(self, values: Values, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One iteration on named images (B, C, H, W) on the device."""
        g_optimizer: OptimWrapper = optim_wrapper["generator"]
        generators_turn, judges = self.turn(g_optimizer._accumulative_counts)
        logs: dict[str, Tensor] = {}
        self._translating_for_generators = generators_turn
        with g_optimizer.optim_context(self), torch.set_grad_enabled(generators_turn):
            self.translate(values)
            values.update({name: at_least_float32(value) for name, value in values.items()})
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
        for slot, (real, fake) in self.judged.items():
            if self.plays(slot):
                adversarial = self.adversarial_once if slot in self.one_graph else self.adversarial
                yield slot.replace("discriminator", "g/adversarial"), adversarial(slot, values[real], values[fake])
        for role, weighted_losses in self.parts.losses.items():
            if not self.wants(role):
                continue
            together = (
                self.matched(values)
                if role == FEATURE_MATCHING
                else [tuple(values[name] for name in names) for names in self.roles[role]]
            )
            for number, each in enumerate(weighted_losses):
                value = sum_terms(each.module(*each_tuple) for each_tuple in together)
                name = f"g/{role}" if len(weighted_losses) == 1 else f"g/{role}.{each.name}"
                if any(other.name == each.name for other in weighted_losses[:number]):  # two of one type count twice
                    name = f"{name}.{number}"
                yield name, weighted(value, each.weight)

    def matched(self, values: Values) -> list[tuple[list[Tensor], list[Tensor]]]:
        """Each active discriminator's inner activations for its fakes, and for its real images."""
        found = []
        for slot, (real, fake) in self.judged.items():
            if self.plays(slot):
                with frozen(getattr(self, slot)):
                    found.append(judged_activations(unwrapped(getattr(self, slot)), values[fake], values[real]))
        return found

    def adversarial(self, slot: str, real: Tensor, fake: Tensor) -> Tensor:
        """The generators' weighted term against one frozen discriminator, a scalar."""
        variant: Any = self.variants[slot]
        with frozen(getattr(self, slot)):
            if variant.needs_real and (slot in self.apart or alike_apart(getattr(self, slot))):
                with torch.no_grad():  # in one batch with the fakes, half of the backward pass would be for nothing
                    real_logits = self.judge(slot, real)[0]
                fake_logits = self.judge(slot, fake)[0]
            elif variant.needs_real:
                real_logits, fake_logits = self.judge(slot, real, fake)
            else:
                real_logits, fake_logits = None, self.judge(slot, fake)[0]
        return weighted(variant.g_loss(fake_logits, real_logits), self.parts.adversaries[slot].weight)

    def adversarial_once(self, slot: str, real: Tensor, fake: Tensor) -> Tensor:
        """The same term, with logits that the discriminator's own step uses again (`model.one_graph`).

        The gradient is taken to the fakes alone, so the discriminator gets none; a product with the fakes carries it
        on to the generators, whose graph the discriminator's step then never sees.
        """
        variant: Any = self.variants[slot]
        leaf = fake.detach().requires_grad_()
        real_logits, fake_logits = self.shared[slot] = self.judge(slot, real, leaf)
        term = variant.g_loss(fake_logits, real_logits if variant.needs_real else None)
        term = weighted(term, self.parts.adversaries[slot].weight)
        (gradient,) = torch.autograd.grad(term, leaf, retain_graph=True)
        carried = (fake * gradient).sum()
        return term.detach() + carried - carried.detach()

    def discriminator_loss(self, slot: str, values: Values, logs: dict[str, Tensor]) -> Tensor:
        """One discriminator's loss on real images and detached fakes (from the pool), with its regularisation."""
        real, fake = (values[name].detach() for name in self.judged[slot])
        variant: Any = self.variants[slot]
        judged = self.shared.pop(slot, None)
        real_logits, fake_logits = judged or self.judge(slot, real, self.pools[slot](fake))
        name = slot.replace("discriminator", "d")
        loss = variant.d_loss(real_logits, fake_logits)
        logs[f"{name}/adversarial"] = loss.detach()
        variant.observe([scale.detach() for scale in real_logits])
        with in_float32(real.device.type), uncompiled(getattr(self, slot)):
            penalties = variant.penalties(getattr(self, slot), real, fake)
        for label, penalty in penalties.items():
            logs[f"{name}/{label}"] = penalty.detach()
            loss = loss + penalty
        for side, logits in (("real", real_logits), ("fake", fake_logits)):
            logs[f"{name}/{side}"] = sum_terms(scale.detach().mean() for scale in logits)
        return loss

    def judge(self, slot: str, *batches: Tensor) -> list[Logits]:
        """A discriminator's logits for each batch, in float32, after the variant's augmentation."""
        show: Any = self.variants[slot].show
        return judge(getattr(self, slot), *(show(images) for images in batches), apart=slot in self.apart)

    def no_sync(self) -> AbstractContextManager[None]:
        """Leave gradients of the forward passes within on their rank: all but the last of accumulated micro-batches."""
        return unsynchronised(self.children())

    # ------------------------------------------------------------------ state

    def get_extra_state(self) -> dict[str, int]:
        """Counters that a resumed run needs: they decide phases and turns."""
        resting = {"judges_rest_until": self.judges_rest_until} if self.judges_rest_until else {}
        return {"iteration": self.iteration, "ema_updates": self.ema_updates, **resting}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Restore the counters."""
        self.iteration, self.ema_updates = state["iteration"], state["ema_updates"]
        self.judges_rest_until = state.get("judges_rest_until", 0)

    def restart(self) -> None:
        """Begin a new run with loaded weights: counters at 0, no pooled images, this process's own degradations."""
        self.iteration, self.ema_updates, self.judges_rest_until = 0, 0, 0
        for pool in self.pools.values():
            pool.clear()  # pyright: ignore[reportCallIssue]
        self.data_preprocessor.restart()  # pyright: ignore[reportCallIssue]
