"""How images flow: an algorithm names values and roles; the training step lives here, once, for all of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import copy, deepcopy
from typing import Any, ClassVar

import torch
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn

from toolbox.gan_variant import Logits, sum_terms, weighted
from toolbox.image_pool import ImagePool
from toolbox.metric import DO_NOTHING
from toolbox.moving_average import update_average
from toolbox.network_call import (
    at_least_float32,
    call_padded,
    doubly_differentiable,
    frozen,
    in_float32,
    judge,
    mixes_samples,
    unsynchronised,
    unwrapped,
)
from toolbox.parts import Parts, Phase
from toolbox.preprocessor import Preprocessor
from toolbox.resize import resize_to

Values = dict[str, Any]
"""Named values of one iteration: images (B, C, H, W), and whatever else a role or an adversary refers to."""


class Algorithm(BaseModel, ABC):
    """Base of every training procedure. A subclass declares the names below and gives `translate`.

    One iteration: `translate` once; the generators' step (unless a variant asks for more discriminator updates
    first), with the discriminators frozen; then the discriminators' step on the detached fakes. G comes first so
    that accumulated micro-batches see one discriminator, as a large batch would.
    """

    inputs: ClassVar[tuple[str, ...]] = ()
    """Images that the dataset must give (or `derived` ones that a degradation makes)."""
    derived: ClassVar[Mapping[str, str]] = {}
    """Inputs that `model.degradation` can make from another: `{"lr": "hr"}`."""
    generators: ClassVar[tuple[str, ...]] = ()
    """Slots of the trained networks that are not discriminators."""
    outputs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """What prediction gives: `{"fake_b": ("real_a", "generator_ab")}`, an input and the networks it passes."""
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
            )
        )
        for slot, network in parts.networks.items():
            setattr(self, slot, network)
        self.judged = {slot: names for slot, names in self.adversaries.items() if slot in parts.networks}
        self.apart = {slot for slot in self.judged if mixes_samples(parts.networks[slot])}
        self.one_graph = self.judged.keys() - self.apart if parts.one_graph else set()
        self.shared: dict[str, list[Logits]] = {}
        self.variants = nn.ModuleDict({slot: parts.adversaries[slot].variant for slot in self.judged})
        self.pools = nn.ModuleDict({slot: ImagePool(parts.adversaries[slot].pool) for slot in self.judged})
        self.losses = nn.ModuleDict(
            {role: nn.ModuleList(e.module for e in each) for role, each in parts.losses.items()}
        )
        self.parts = parts
        self.iteration = 0
        self._translating_for_generators = True
        self.ema_updates = 0
        if parts.ema is not None:
            for slot in self.generators:
                setattr(self, f"{slot}_ema", deepcopy(parts.networks[slot]).requires_grad_(False))

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
        values: Values = self.data_preprocessor(data, True)
        g_optimizer: OptimWrapper = optim_wrapper["generator"]
        generators_turn, judges = self.turn(g_optimizer._accumulative_counts)
        logs: dict[str, Tensor] = {}
        self._translating_for_generators = generators_turn
        with g_optimizer.optim_context(self), torch.set_grad_enabled(generators_turn):
            self.translate(values)
            values.update({k: at_least_float32(v) for k, v in values.items() if isinstance(v, Tensor)})
            loss = self.generators_loss(values, logs) if generators_turn else None
        if loss is not None:
            g_optimizer.update_params(loss)
            if g_optimizer.should_update():
                self.update_ema()
        if judges:
            d_optimizer: OptimWrapper = optim_wrapper["discriminator"]
            with d_optimizer.optim_context(self):
                loss = sum_terms(self.discriminator_loss(slot, values, logs) for slot in judges)
            d_optimizer.update_params(loss)
            if d_optimizer.should_update():
                for slot in judges:
                    self.variants[slot].after_d_step(unwrapped(getattr(self, slot)))  # pyright: ignore[reportCallIssue]
        self.iteration += 1
        return logs

    def turn(self, accumulation: int) -> tuple[bool, list[str]]:
        """Whether the generators step in this iteration, and which discriminators do.

        With `d_steps` n, discriminators step in each of n iterations (times the accumulated micro-batches) and the
        generators in the last; one with fewer `d_steps` than another steps in the last ones only.
        """
        active = self.phase.adversaries
        judges = [slot for slot in self.judged if active is None or slot in active]
        steps = {slot: int(self.variants[slot].d_steps) for slot in judges}  # pyright: ignore[reportArgumentType]
        cycle = max(steps.values(), default=1)
        left = cycle - (self.iteration // accumulation) % cycle
        return left == 1, [slot for slot in judges if left <= steps[slot]]

    def generators_loss(self, values: Values, logs: dict[str, Tensor]) -> Tensor:
        """The generators' loss, a scalar: adversarial terms against frozen discriminators, and every active role."""
        terms: dict[str, Tensor] = {}
        active = self.phase.adversaries
        for slot, (real, fake) in self.judged.items():
            if active is not None and slot not in active:
                continue
            adversarial = self.adversarial_once if slot in self.one_graph else self.adversarial
            terms[slot.replace("discriminator", "g/adversarial")] = adversarial(slot, values[real], values[fake])
        for role, weighted_losses in self.parts.losses.items():
            if not self.wants(role):
                continue
            for number, each in enumerate(weighted_losses):
                value = sum_terms(each.module(*(values[n] for n in names)) for names in self.roles[role])
                name = f"g/{role}" if len(weighted_losses) == 1 else f"g/{role}.{each.name}"
                name = f"{name}.{number}" if name in terms else name  # two of one type count twice
                terms[name] = weighted(value, each.weight)
        logs.update({name: term.detach() for name, term in terms.items()})
        return sum_terms(terms.values())

    def adversarial(self, slot: str, real: Tensor, fake: Tensor) -> Tensor:
        """The generators' weighted term against one frozen discriminator, a scalar."""
        variant: Any = self.variants[slot]
        with frozen(getattr(self, slot)):
            if variant.needs_real:
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
        with in_float32(real.device.type), doubly_differentiable(getattr(self, slot)):
            penalty = variant.regularize(getattr(self, slot), real, fake)
        if penalty.requires_grad:
            logs[f"{name}/penalty"] = penalty.detach()
            loss = loss + penalty
        for side, logits in (("real", real_logits), ("fake", fake_logits)):
            logs[f"{name}/{side}"] = sum_terms(scale.detach().mean() for scale in logits)
        return loss

    def judge(self, slot: str, *batches: Tensor) -> list[Logits]:
        """A discriminator's logits for each batch, in float32, after the variant's augmentation."""
        augment: Any = self.variants[slot].augment
        return judge(getattr(self, slot), *(augment(images) for images in batches), apart=slot in self.apart)

    def update_ema(self) -> None:
        """Move the generators' averages; the decay warms up as (1 + n) / (10 + n), so that short runs average too."""
        if self.parts.ema is None:
            return
        decay = min(self.parts.ema, (1 + self.ema_updates) / (10 + self.ema_updates))
        for slot in self.generators:
            update_average(getattr(self, f"{slot}_ema"), unwrapped(getattr(self, slot)), decay)
        self.ema_updates += 1

    def no_sync(self) -> AbstractContextManager[None]:
        """Leave gradients of the forward passes within on their rank: all but the last of accumulated micro-batches."""
        return unsynchronised(self.children())

    # ------------------------------------------------------------------ evaluation

    @torch.no_grad()
    def predict(self, images: Tensor, output: str | None = None) -> Tensor:
        """Apply the (averaged) networks of an output, the first by default, to images (B, C, H, W) in [0, 1].

        Images are padded to the size that the networks need and cropped back; only here are values clamped.
        """
        for slot in self.outputs[output or next(iter(self.outputs))][1:]:
            network = unwrapped(getattr(self, slot if self.parts.ema is None else f"{slot}_ema"))
            images = call_padded(network, images)
        return images.float().clamp(0, 1)

    def forward(self, images: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """`predict` of the first output."""
        return self.predict(images)

    @torch.no_grad()
    def val_step(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Every image of a batch with all its names: inputs, references, outputs, and the do-nothing baseline."""
        values = self.data_preprocessor(data, False)
        for output, (source, *_) in self.outputs.items():
            if source in values:
                values[output] = self.predict(values[source], output)
                name = f"{DO_NOTHING}/{output}" if DO_NOTHING in values else DO_NOTHING
                values[name] = resize_to(values[source], values[output].shape[-2:]).clamp(0, 1)
        count = len(next(iter(values.values())))
        names = data.get("name", [""] * count)
        return [{name: value[i] for name, value in values.items()} | {"name": names[i]} for i in range(count)]

    def test_step(self, data: Mapping[str, Any]) -> list[dict[str, Any]]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """As in validation."""
        return self.val_step(data)

    # ------------------------------------------------------------------ state

    def get_extra_state(self) -> dict[str, int]:
        """Counters that a resumed run needs: they decide phases and turns."""
        return {"iteration": self.iteration, "ema_updates": self.ema_updates}

    def set_extra_state(self, state: dict[str, int]) -> None:
        """Restore the counters."""
        self.iteration, self.ema_updates = state["iteration"], state["ema_updates"]

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As every module; averages of which the state holds nothing begin at the network's own weights."""
        state: Any = copy(state_dict)
        for slot in self.generators if self.parts.ema is not None else ():
            if not any(key.startswith(f"{slot}_ema.") for key in state):
                prefix = f"{slot}." if unwrapped(getattr(self, slot)) is getattr(self, slot) else f"{slot}.module."
                own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
                state.update({f"{slot}_ema.{key}": value for key, value in own.items()})
        return super().load_state_dict(state, strict, assign)

    def restart(self) -> None:
        """Begin a new run with loaded weights: counters at 0, no pooled images, this process's own degradations."""
        self.iteration, self.ema_updates = 0, 0
        for pool in self.pools.values():
            pool.clear()  # pyright: ignore[reportCallIssue]
        self.data_preprocessor.restart()  # pyright: ignore[reportCallIssue]
