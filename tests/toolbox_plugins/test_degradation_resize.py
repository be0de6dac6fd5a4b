"""Resizing: independent filters, sizes, shares of the directions, nothing lost of flat images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from toolbox.io.errors import UserError
from toolbox.testing import check_degradation
from toolbox_plugins.degradations.bsrgan import Halve, ShiftedGaussian, shifted
from toolbox_plugins.degradations.resize import MODES, FinalResize, RandomResize, resize


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [(13, 31), (50, 24), (7, 7)])
def test_a_flat_image_stays_flat_at_any_size(mode: str, size: tuple[int, int]) -> None:
    result = resize(torch.full((1, 2, 24, 24), 0.3), size, mode=mode)
    assert result.shape == (1, 2, *size) and torch.allclose(result, torch.tensor(0.3), atol=1e-5)


@pytest.mark.parametrize("size", [(20, 15), (64, 90)])
def test_lanczos_is_pillows(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random((40, 48), np.float32)
    reference = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.LANCZOS))
    ours = resize(torch.from_numpy(image)[None, None], size, mode="lanczos")[0, 0].numpy()
    assert np.abs(ours - reference).max() < 1e-4


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(13, 31), (50, 24), (1, 7)])
def test_the_fast_way_gives_torchs_numbers(mode: str, size: tuple[int, int]) -> None:
    images = torch.rand(2, 3, 29, 33)
    reference = torch.nn.functional.interpolate(images, size, mode=mode, align_corners=False)
    assert torch.allclose(resize(images, size, mode=mode), reference, atol=1e-5)
    channels_last = images.contiguous(memory_format=torch.channels_last)
    assert torch.allclose(resize(channels_last, size, mode=mode), reference, atol=1e-5)


def test_area_by_a_whole_factor_is_the_mean_of_the_pixels() -> None:
    images = torch.rand(1, 1, 12, 12)
    assert torch.allclose(resize(images, (4, 4), mode="area"), torch.nn.functional.avg_pool2d(images, 3))


def test_the_directions_have_their_shares_and_the_factors_their_range() -> None:
    factor = RandomResize().draw(20_000, rng())["factor"]
    assert (factor > 1).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert (factor == 1).float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert factor.min() >= 0.15 and factor.max() <= 1.5


def test_an_inverse_factor_is_uniform() -> None:
    stage = RandomResize(scale_range=(0.125, 1), directions=(0, 1, 0), draw_inverse=True)
    inverse = 1 / stage.draw(20_000, rng())["factor"]
    assert inverse.mean().item() == pytest.approx(4.5, abs=0.05) and inverse.max() <= 8.001


def test_samples_of_a_batch_get_sizes_of_their_own_relative_to_input_or_final_size() -> None:
    samples = list(torch.rand(6, 3, 40, 48))
    for relative, base in (("input", (40, 48)), ("final", (10, 12))):
        stage = RandomResize(relative_to=relative)  # pyright: ignore[reportArgumentType]
        plan = stage.plan(6, rng())
        results = stage.run(samples, plan, (10, 12))
        for result, factor in zip(results, plan["how"]["factor"].tolist(), strict=True):
            assert tuple(result.shape[1:]) == (int(base[0] * factor), int(base[1] * factor))
        assert len({result.shape for result in results}) > 1


def test_alone_it_comes_back_at_its_size() -> None:
    check_degradation(RandomResize())
    check_degradation(FinalResize())
    check_degradation(Halve())
    check_degradation(ShiftedGaussian(factor=2))


def test_resizing_has_a_gradient() -> None:
    images = torch.rand(1, 1, 6, 7, dtype=torch.float64, requires_grad=True)
    for mode in MODES:
        assert torch.autograd.gradcheck(lambda x, mode=mode: resize(x, (4, 9), mode=mode), images)


def test_a_kernel_shifted_by_half_a_pixel_has_its_centre_there() -> None:
    delta = torch.zeros(1, 5, 5)
    delta[0, 2, 2] = 1
    half = shifted(delta, 0.5)[0]
    assert torch.allclose(half[2:4, 2:4], torch.full((2, 2), 0.25)) and half.sum() == 1
    assert shifted(delta, 1.5)[0, 3:, 3:].sum() == 1


def test_unknown_filters_and_impossible_ranges_are_refused() -> None:
    with pytest.raises(UserError, match="did you mean 'bicubic'"):
        RandomResize(modes=("bicubc",))
    with pytest.raises(UserError, match="from 1 or less to 1 or more"):
        RandomResize(scale_range=(0.2, 0.8))
