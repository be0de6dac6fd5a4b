"""A wrapper is its base in every member, until it says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from matrix import algorithm_class
from toolbox import Augmentation, GanVariant, Judge, Logits, Regularizer, VariantError, VariantWrapper
from toolbox.contracts.nested import nested_kinds
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.objective import LeastSquares
from toolbox_plugins.gan_variants.spectral_norm import SpectralNorm


class Mean(Regularizer):
    """The mean logit of the real images."""

    def forward(self, judge: Judge, real: Tensor, fake: Tensor) -> Tensor:
        return judge(real)[0].mean()


class Plus(Augmentation):
    """Brighter by a tenth; remembers the logits that it observed."""

    def forward(self, images: Tensor) -> Tensor:
        return images + 0.1

    def observe(self, real: Logits) -> None:
        self.seen = real


class Whole(LeastSquares):
    """A variant that does all that a variant may do."""

    d_steps, needs_real, boundary = 3, True, 0.5

    def __init__(self) -> None:
        super().__init__()
        self.regularizers.append(Mean())
        self.augmentations.append(Plus())

    def prepare(self, discriminator: nn.Module) -> nn.Module:
        if isinstance(discriminator, nn.Identity):
            raise VariantError("no identity")
        return nn.Sequential(discriminator)

    def augment(self, images: Tensor) -> Tensor:
        return images * 2

    def d_loss(self, real: Logits, fake: Logits) -> Tensor:
        return 3 * super().d_loss(real, fake)

    def g_loss(self, fake: Logits, real: Logits | None) -> Tensor:
        assert real is not None
        return (fake[0] - real[0]).mean()

    def regularize(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
        return discriminator(real)[0].square().mean()

    def after_d_step(self, discriminator: nn.Module) -> None:
        discriminator.clipped = True  # pyright: ignore[reportArgumentType]


class Bare(VariantWrapper):
    """Changes nothing."""


class Critic(nn.Module):
    """Logits of images (B, C, H, W): their mean, times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(1.5))

    def forward(self, images: Tensor) -> list[Tensor]:
        return [images.flatten(1).mean(1, keepdim=True) * self.weight]


def images(seed: int) -> Tensor:
    return torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(seed))


def after_a_step(variant: GanVariant) -> tuple[bool, list[int]]:
    critic: Any = Critic()
    variant.finish_step(critic)
    return critic.clipped, [each.steps for each in variant.modules() if isinstance(each, Mean)]


def observed(variant: GanVariant) -> Tensor:
    variant.observe([torch.ones(2)])
    return next(each.seen[0] for each in variant.modules() if isinstance(each, Plus))


real, fake = [torch.tensor([[0.3], [0.9]])], [torch.tensor([[0.2], [0.1]])]
MEMBERS: dict[str, Callable[[GanVariant], Any]] = {
    "d_steps": lambda variant: variant.d_steps,
    "needs_real": lambda variant: variant.needs_real,
    "boundary": lambda variant: variant.boundary,
    "d_loss": lambda variant: variant.d_loss(real, fake),
    "g_loss": lambda variant: variant.g_loss(fake, real),
    "prepare": lambda variant: type(variant.accept(nn.Linear(2, 1))),
    "augment": lambda variant: (variant.augment if isinstance(variant, VariantWrapper) else variant.show)(images(0)),
    "show": lambda variant: variant.show(images(0)),
    "regularize": lambda variant: variant.regularize(Critic(), images(0), images(1)).detach(),
    "penalties": lambda variant: {k: v.item() for k, v in variant.penalties(Critic(), images(0), images(1)).items()},
    "after_d_step": after_a_step,
    "observe": observed,
}  # fmt: skip


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("wrap", [Bare, SpectralNorm, lambda base: Bare(base=Bare(base=base))])
def test_every_member_is_the_bases(member: str, wrap: Callable[..., VariantWrapper]) -> None:
    use = MEMBERS[member]
    base, wrapped = use(Whole()), use(wrap(base=Whole()))
    assert torch.equal(base, wrapped) if isinstance(base, Tensor) else base == wrapped


def test_every_public_member_of_a_variant_is_looked_at_here() -> None:
    own = {name for name in vars(GanVariant) if not name.startswith("_")}
    through = {"accept": "prepare", "finish_step": "after_d_step", "listed_terms": "penalties"}
    assert own == {*MEMBERS, *through}


def test_what_the_base_refuses_is_refused() -> None:
    with pytest.raises(VariantError, match="no identity"):
        Bare(base=Whole()).accept(nn.Identity())


def test_the_lists_of_both_levels_count_the_bases_first() -> None:
    wrapped = Bare(base=Whole())
    wrapped.regularizers.append(Mean())
    wrapped.augmentations.append(Plus())
    seen = 2 * images(0) + 0.1 + 0.1
    torch.testing.assert_close(wrapped.show(images(0)), seen)
    terms = wrapped.penalties(Critic(), images(0), images(1))
    logits = 1.5 * seen.flatten(1).mean(1)
    torch.testing.assert_close(terms["mean"].detach(), 2 * logits.mean())
    outer = 1.5 * (images(0) + 0.1).flatten(1).mean(1)  # the base's own penalty does not call `show`
    torch.testing.assert_close(terms["penalty"].detach(), outer.square().mean())


def test_a_wrapper_may_give_its_own_of_any_member_and_ask_for_the_bases() -> None:
    class More(VariantWrapper):
        """Another rhythm, half the loss, twice the penalty."""

        d_steps = 5

        def __init__(self, *, base: GanVariant) -> None:
            super().__init__(base=base)
            self.boundary = 0.25

        def d_loss(self, real: Logits, fake: Logits) -> Tensor:
            return super().d_loss(real, fake) / 2

        def regularize(self, discriminator: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
            return 2 * super().regularize(discriminator, real, fake)

    more, base = More(base=Whole()), Whole()
    assert (more.d_steps, more.needs_real, more.boundary) == (5, True, 0.25)
    assert torch.equal(more.d_loss(real, fake), base.d_loss(real, fake) / 2)
    given = Critic(), images(0), images(1)
    own, whole = more.penalties(*given), base.penalties(*given)
    assert torch.equal(own["penalty"], 2 * whole["penalty"]) and torch.equal(own["mean"], whole["mean"])


def test_a_class_has_the_defaults_and_its_base_is_built_from_the_config() -> None:
    assert (Bare.d_steps, Bare.needs_real, Bare.boundary) == (1, False, None)
    assert nested_kinds(Bare)["base"] == "gan_variants"


def test_a_training_under_a_bare_wrapper_is_the_bases_bit_for_bit() -> None:
    trained = []
    for make in (Whole, lambda: Bare(base=Whole())):
        model = assemble(algorithm_class("SRGAN"), make)
        optimizers = optimizers_for(model)
        for step in range(6):
            logs = model.train_step(batch_for(model, seed=step), optimizers)
        trained.append((dict(model.named_parameters()), logs))
    (own, logs), (wrapped, wrapped_logs) = trained
    assert logs == wrapped_logs and "d/mean" in logs and "d/penalty" in logs
    assert all(torch.equal(value, wrapped[name]) for name, value in own.items())
