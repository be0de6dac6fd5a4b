"""The discriminators' side of a training step: what they say of real and fake, to the generators and for themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from toolbox.config.model_keys import LOGITS
from toolbox.contracts.gan_variant import sum_terms, weighted
from toolbox.contracts.network import ADVERSARIAL, unwrapped
from toolbox.training.activations import judged_activations
from toolbox.training.image_pool import ImagePool
from toolbox.training.misuse import value_of
from toolbox.training.network_call import Heads, alike_apart, frozen, judge, mixes_samples, only_adversarial, uncompiled
from toolbox.training.outputs import Outputs, Values
from toolbox.training.parts import Parts, Phase, WeightedLoss
from toolbox.training.precision import at_precision, networks_in


class Adversaries(Outputs):
    """Base of `Algorithm`: holds discriminators, their objectives and pools, and gives the terms of both players."""

    adversaries: ClassVar[Mapping[str, tuple[str, str]]] = {}
    """Slots of the discriminators, each with the names of its real and fake value."""
    optional: ClassVar[tuple[str, ...]] = ()
    """Discriminator slots that a config may leave out."""
    judge_roles: ClassVar[Mapping[str, list[tuple[str, ...]]]] = {}
    """Roles of the discriminators' own step: `{"domain": [("discriminator/domain/real", "label")]}`.

    `<slot>/<head>/real` and `/fake` are what a named head says of the real images and of the detached fakes; a tuple
    belongs to the slot that it names. The role `logits`, of every algorithm, has both sides of each `adversarial` head.
    """

    def add_adversaries(self, parts: Parts) -> None:
        """Hold the discriminators of the config, each with its objective and its pool."""
        self.parts = parts
        self.judged = {slot: names for slot, names in self.adversaries.items() if slot in parts.networks}
        for slot in self.judged:
            setattr(self, slot, at_precision(parts.networks[slot]))
        self.apart = {slot for slot in self.judged if mixes_samples(parts.networks[slot])}
        self.separable = {slot for slot in self.judged if slot in self.apart or alike_apart(parts.networks[slot])}
        self.one_graph = self.judged.keys() - self.apart if parts.one_graph else set()
        self.shared: dict[str, list[Heads]] = {}
        self.variants = nn.ModuleDict({slot: parts.adversaries[slot].variant for slot in self.judged})
        self.pools = nn.ModuleDict({slot: ImagePool(parts.adversaries[slot].pool) for slot in self.judged})
        self.iteration = 0

    # ------------------------------------------------------------------ who takes part

    @property
    def phase(self) -> Phase:
        """The phase that the current iteration falls into."""
        return self.phase_of(self.iteration)

    def phase_of(self, iteration: int) -> Phase:
        """The phase of an iteration, counted from 0."""
        return next(p for p in self.parts.phases if p.until is None or iteration < p.until)

    def plays(self, slot: str) -> bool:
        """Whether a discriminator takes part in this iteration's phase, for its own sake or the generators'."""
        active = self.phase.adversaries
        return slot in self.judged and (active is None or slot in active)

    def counts(self, role: str) -> bool:
        """Whether a role has losses, and this iteration's phase wants them."""
        active = self.phase.losses
        return role in self.parts.losses and (active is None or role in active)

    # ------------------------------------------------------------------ the generators' terms

    def adversarial_terms(self, values: Values) -> Iterator[tuple[str, Tensor]]:
        """The generators' weighted term against each frozen discriminator; what its heads say goes to the values."""
        for slot, (real, fake) in self.judged.items():
            if self.plays(slot):
                adversarial = self.adversarial_once if slot in self.one_graph else self.adversarial
                term, heads = adversarial(slot, *(value_of(values, name, self, slot) for name in (real, fake)))
                values.update({f"{slot}/{head}/fake": said for head, said in heads.items()})
                yield slot.replace("discriminator", "g/adversarial"), term

    def adversarial(self, slot: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Heads]:
        """The generators' weighted term against one frozen discriminator, a scalar, and its heads for the fakes."""
        variant: Any = self.variants[slot]
        real_heads: Heads = {ADVERSARIAL: None}
        with frozen(getattr(self, slot)):
            if variant.needs_real and slot in self.separable:
                with torch.no_grad():  # in one batch with the fakes, half of the backward pass would be for nothing
                    real_heads = self.judge(slot, real=real)[0]
                heads = self.judge(slot, fake=fake)[0]
            elif variant.needs_real:
                real_heads, heads = self.judge(slot, real=real, fake=fake)
            else:
                heads = self.judge(slot, fake=fake)[0]
        term = variant.g_loss(heads[ADVERSARIAL], real_heads[ADVERSARIAL])
        return weighted(term, self.parts.adversaries[slot].weight), heads

    def adversarial_once(self, slot: str, real: Tensor, fake: Tensor) -> tuple[Tensor, Heads]:
        """The same term, with logits that the discriminator's own step uses again (`model.one_graph`).

        The gradient is taken to the fakes alone, so the discriminator gets none; a product with the fakes carries it
        on to the generators, whose graph the discriminator's step then never sees.
        """
        variant: Any = self.variants[slot]
        leaf = fake.detach().requires_grad_()
        real_heads, fake_heads = self.shared[slot] = self.judge(slot, real=real, fake=leaf)
        term = variant.g_loss(fake_heads[ADVERSARIAL], real_heads[ADVERSARIAL] if variant.needs_real else None)
        term = weighted(term, self.parts.adversaries[slot].weight)
        (gradient,) = torch.autograd.grad(term, leaf, retain_graph=True)
        carried = (fake * gradient).sum()
        return term.detach() + carried - carried.detach(), {}

    def matched(self, values: Values) -> list[tuple[list[Tensor], list[Tensor]]]:
        """Each active discriminator's inner activations for its fakes, and for its real images."""
        found = []
        for slot, (real, fake) in self.judged.items():
            if self.plays(slot):
                with frozen(getattr(self, slot)):
                    found.append(judged_activations(unwrapped(getattr(self, slot)), values[fake], values[real]))
        return found

    # ------------------------------------------------------------------ the discriminators' terms

    def discriminator_loss(self, slot: str, values: Values, logs: dict[str, Tensor]) -> Tensor:
        """One discriminator's loss on real images and detached fakes (from the pool), with its regularisation."""
        real, fake = (value_of(values, name, self, slot).detach() for name in self.judged[slot])
        variant: Any = self.variants[slot]
        judged = self.shared.pop(slot, None)
        real_heads, fake_heads = judged or self.judge(slot, real=real, fake=self.pools[slot](fake))
        real_logits, fake_logits = real_heads[ADVERSARIAL], fake_heads[ADVERSARIAL]
        name = slot.replace("discriminator", "d")
        loss = variant.d_loss(real_logits, fake_logits)
        logs[f"{name}/adversarial"] = loss.detach()
        variant.observe([scale.detach() for scale in real_logits])
        with networks_in(None), uncompiled(getattr(self, slot)):
            penalties = variant.penalties(only_adversarial(getattr(self, slot)), real, fake)
        said = {f"{slot}/{head}/real": each for head, each in real_heads.items()}
        said |= {f"{slot}/{head}/fake": each for head, each in fake_heads.items()}
        for label, term in (penalties | self.own_terms(slot, values, said)).items():
            logs[f"{name}/{label}"] = term.detach()
            loss = loss + term
        for side, logits in (("real", real_logits), ("fake", fake_logits)):
            logs[f"{name}/{side}"] = sum_terms(scale.detach().mean() for scale in logits)
        return loss

    def own_terms(self, slot: str, values: Values, said: Mapping[str, Any]) -> dict[str, Tensor]:
        """The losses of the roles of a discriminator's own step, weighted scalars by name."""
        terms: dict[str, Tensor] = {}
        for role, losses in self.parts.losses.items():
            if not self.counts(role) or (role != LOGITS and role not in self.judge_roles):
                continue
            both = (f"{slot}/{ADVERSARIAL}/real", f"{slot}/{ADVERSARIAL}/fake")
            tuples = [both] if role == LOGITS else [t for t in self.judge_roles[role] if _names(t, slot)]
            together = [
                tuple(said[name] if name in said else _detached(value_of(values, name, self, role)) for name in names)
                for names in tuples
            ]
            terms |= dict(role_terms(role, losses, together)) if together else {}
        return terms

    def judge(self, slot: str, **sides: Tensor) -> list[Heads]:
        """What a discriminator says of `real` images, of `fake` ones, by head, after the variant's augmentation."""
        show: Any = self.variants[slot].show
        shown = {side: show(images) for side, images in sides.items()}
        return judge(getattr(self, slot), shown, apart=slot in self.apart)


def role_terms(
    name: str, losses: Sequence[WeightedLoss], together: Sequence[tuple[Any, ...]]
) -> Iterator[tuple[str, Tensor]]:
    """Names and weighted losses of one role, each summed over the tuples of values that it is called with."""
    for number, each in enumerate(losses):
        value = sum_terms(each.module(*values) for values in together)
        key = name if len(losses) == 1 else f"{name}.{each.name}"
        if any(other.name == each.name for other in losses[:number]):  # two of one type count twice
            key = f"{key}.{number}"
        yield key, weighted(value, each.weight)


def _names(values: tuple[str, ...], slot: str) -> bool:
    return any(name.startswith(f"{slot}/") for name in values)


def _detached(value: Any) -> Any:
    return value.detach() if isinstance(value, Tensor) else value
