"""Rules over combinations: each refuses or warns where it should, with the key, the reason and a way out."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from toolbox.assembly.build import build_algorithm
from toolbox.assembly.compatibility import check_combination
from toolbox.contracts.gan_variant import VariantError
from toolbox.io.errors import CompatibilityWarning, ConfigError

PATCH = {"type": "PatchDiscriminator", "width": 8, "layers": 1, "norm": "none"}
VGG = {"type": "VGGStyleDiscriminator", "width": 4, "image_size": 32, "norm": "none"}


def found(variant: dict[str, Any], discriminator: dict[str, Any] = PATCH, **config: Any) -> list[str]:
    """The warnings of a CycleGAN with that variant."""
    model = {
        "type": "CycleGAN",
        **{f"generator_{way}": {"type": "ResidualCNN", "width": 4, "blocks": 0} for way in ("ab", "ba")},
        **{f"discriminator_{domain}": dict(discriminator) for domain in "ab"},
        "variant": variant,
        "losses": {"cycle": {"type": "L1Loss"}},
    }
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_combination({"model": model, **config}, build_algorithm(model))
    return [str(each.message) for each in caught if each.category is CompatibilityWarning]


@pytest.mark.parametrize("regularizer", ["GradientPenalty", "DRAGANPenalty", "R1", "R2"])
def test_a_penalty_on_the_slope_refuses_batch_norm(regularizer) -> None:
    with pytest.raises((ConfigError, VariantError), match="batch norm"):
        found({"type": "Vanilla", "regularizers": [{"type": regularizer}]}, {**PATCH, "norm": "batch"})


def test_a_wasserstein_critic_needs_some_limit() -> None:
    with pytest.raises(ConfigError, match=r"no bound without a limit.*clip: 0.01"):
        found({"type": "WGAN", "clip": None})
    assert not found({"type": "WGAN"})
    assert not found({"type": "WGAN", "clip": None, "regularizers": [{"type": "R1"}]})
    assert not found({"type": "SpectralNorm", "base": {"type": "WGAN", "clip": None}})
    assert not found({"type": "WGANGP"})


def test_spectral_norm_beside_a_norm_that_scales_is_warned_of() -> None:
    variant = {"type": "SpectralNorm", "base": {"type": "Hinge"}}
    assert not found(variant)
    messages = found(variant, {**PATCH, "layers": 2, "norm": "instance"})
    assert len(messages) == 2 and "model.discriminator_a" in messages[0] and "norm: none" in messages[0]


def test_an_average_over_one_logit_is_warned_of() -> None:
    variant = {"type": "RaGAN"}
    messages = found(variant, VGG, train_dataloader={"batch_size": 1})
    assert messages and "larger batch" in messages[0]
    assert not found(variant, VGG, train_dataloader={"batch_size": 2})
    assert not found(variant, PATCH, train_dataloader={"batch_size": 1})


def test_momentum_with_a_penalty_is_warned_of() -> None:
    variant = {"type": "Vanilla", "regularizers": [{"type": "R1"}]}
    adam = lambda **more: {"discriminator": {"optimizer": {"type": "Adam", "lr": 1e-4, **more}}}  # noqa: E731
    assert "betas: [0.0, 0.99]" in found(variant, optim_wrapper=adam())[0]
    assert not found(variant, optim_wrapper=adam(betas=[0.0, 0.99]))
    assert not found({"type": "Vanilla"}, optim_wrapper=adam())


def test_changed_colours_under_a_style_are_warned_of() -> None:
    augmented = lambda **more: {"type": "Hinge", "augmentations": [{"type": "DiffAugment", **more}]}  # noqa: E731
    assert not found(augmented())
    messages = found(augmented(policy=["color"]))
    assert "model.variant.augmentations" in messages[0] and "leave color out" in messages[0]
    assert found({"type": "SpectralNorm", "base": augmented(policy=["color"])})
