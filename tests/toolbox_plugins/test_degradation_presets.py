"""The presets of Real-ESRGAN and BSRGAN: contract, replay, one sample's damage its own, ranges that are checked."""

from __future__ import annotations

import pytest
import torch

from toolbox.assembly.build import build_component
from toolbox.io.errors import ConfigError, UserError
from toolbox.plugins.registry import registry
from toolbox.testing import check_degradation
from toolbox_plugins.degradations.bsrgan import BSRGANDegradation
from toolbox_plugins.degradations.real_esrgan import RealESRGANDegradation
from toolbox_plugins.degradations.stage import Stage

PRESETS = [RealESRGANDegradation, BSRGANDegradation]


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def photos(count: int = 3, size: int = 64) -> torch.Tensor:
    coarse = torch.rand(count, 3, size // 4, size // 4, generator=rng(5))
    return torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_contract_holds_for_every_scale(preset: type, scale: int) -> None:
    check_degradation(preset(scale=scale))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("channels", [1, 4])
def test_images_may_have_any_number_of_channels(preset: type, channels: int) -> None:
    check_degradation(preset(scale=2), channels=channels)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_seed_replays_the_damage_and_another_does_not(preset: type) -> None:
    images, degradation = photos(), preset()
    first = degradation(images, rng(3))
    assert torch.equal(first, degradation(images, rng(3))) and not torch.equal(first, degradation(images, rng(4)))
    assert torch.equal(first, preset()(images, rng(3)))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_samples_damage_does_not_depend_on_the_other_samples_content(preset: type) -> None:
    images = photos()
    others = torch.cat([images[:1], torch.rand(2, 3, 64, 64)])
    for seed in range(4):
        assert torch.equal(preset()(images, rng(seed))[0], preset()(others, rng(seed))[0])


@pytest.mark.parametrize("preset", PRESETS)
def test_the_result_is_of_8_bits_and_resembles_its_source(preset: type) -> None:
    images = photos(8)
    result = preset()(images, rng())
    assert torch.allclose(result * 255, (result * 255).round(), atol=1e-3)
    small = torch.nn.functional.avg_pool2d(images, 4)
    assert (result.mean((1, 2, 3)) - small.mean((1, 2, 3))).abs().max() < 0.12


@pytest.mark.parametrize("preset", PRESETS)
def test_extreme_sizes_and_flat_images_pass(preset: type) -> None:
    for images in (torch.rand(2, 3, 4, 8), torch.zeros(2, 3, 20, 36), torch.ones(2, 3, 36, 20)):
        for seed in range(3):
            result = preset()(images, rng(seed))
            assert result.shape == (2, 3, images.shape[2] // 4, images.shape[3] // 4)
            assert torch.isfinite(result).all()


@pytest.mark.parametrize("preset", PRESETS)
def test_gradients_reach_the_images(preset: type) -> None:
    images = photos(2).requires_grad_()
    preset()(images, rng()).sum().backward()
    assert images.grad is not None and torch.isfinite(images.grad).all() and images.grad.abs().sum() > 0


def test_odd_sizes_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="crop to 60x64 first"):
        RealESRGANDegradation()(torch.rand(1, 3, 62, 64), rng())


def test_the_published_ranges_are_the_defaults_and_every_range_is_checked() -> None:
    stages = RealESRGANDegradation().stages
    assert stages["stage_second_blur"].probability == 0.8
    assert stages["stage_end"].stages["stage_resize_first"].stages["stage_sinc"].probability == 0.8
    assert stages["stage_noise"].stages["stage_gaussian"].sigma == (1.0, 30.0)
    assert stages["stage_second_noise"].stages["stage_poisson"].strength == (0.05, 2.5)
    for wrong in ({"noise_sigma": (30, 1)}, {"jpeg_quality": (0, 10)}, {"gaussian_probability": 2.0}):
        with pytest.raises(UserError):
            RealESRGANDegradation(**wrong)
    with pytest.raises(ConfigError, match="BSRGANDegradation: scale must be 1, 2, 3 or 4, got 8"):
        build_component("degradations", {"type": "BSRGANDegradation", "scale": 8})


def test_a_crop_stands_beside_the_type_of_the_whole_degradation() -> None:
    made = build_component("degradations", {"type": "RealESRGANDegradation", "crop": 256}, "model.degradation")
    assert made.crop == 256 and RealESRGANDegradation().crop is None
    with pytest.raises(ConfigError, match=r"must be a multiple of the scale, 4, got 30"):
        build_component("degradations", {"type": "RealESRGANDegradation", "crop": 30}, "model.degradation")
    inner = {"type": "Stages", "stages": {"jpeg": {"type": "JPEG", "crop": 8}}}
    with pytest.raises(ConfigError, match=r"cuts whole samples: write it in model\.degradation itself"):
        build_component("degradations", inner, "model.degradation")


@pytest.mark.parametrize("name", registry("degradations").names())
def test_every_degradation_that_needs_no_argument_keeps_the_contract(name: str) -> None:
    component = registry("degradations").get(name)
    if name not in ("Stages", "OneOf", "Shuffle"):
        made = component()
        check_degradation(made)
        assert name in ("BicubicDegradation", "VideoDegradation") or isinstance(made, Stage)
