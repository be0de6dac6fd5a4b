"""Noise: its spread, never shared between samples, exact Poisson counts, gradients."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import poisson

from toolbox.testing import check_degradation
from toolbox_plugins.degradations.noise import (
    CorrelatedNoise,
    GaussianNoise,
    PoissonNoise,
    Quantize,
    luminance,
    normal_fields,
)
from toolbox_plugins.degradations.poisson import _tables, poisson_counts
from toolbox_plugins.degradations.stage import Stage


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


GRAY = torch.full((4, 3, 64, 64), 0.5)


@pytest.mark.parametrize("stage", [GaussianNoise, PoissonNoise, CorrelatedNoise, Quantize])
def test_the_contract_holds(stage: type) -> None:
    for channels in (1, 3, 4):
        check_degradation(stage(), channels=channels)


def test_gaussian_noise_has_the_spread_in_8_bit_levels() -> None:
    noise = GaussianNoise(sigma=(10, 10), gray_probability=0)(GRAY, rng()) - GRAY
    assert noise.std().item() * 255 == pytest.approx(10, rel=0.02) and abs(noise.mean().item()) < 1e-3


@pytest.mark.parametrize("stage", [GaussianNoise, PoissonNoise])
@pytest.mark.parametrize("gray", [0.0, 1.0])
def test_noise_is_shared_by_channels_only_where_gray_and_never_by_samples(stage: type, gray: float) -> None:
    noise = stage(gray_probability=gray)(GRAY, rng()) - GRAY
    correlation = np.corrcoef(noise.reshape(12, -1).numpy())
    within = [correlation[3 * i, 3 * i + 1] for i in range(4)]
    assert within == pytest.approx([gray] * 4, abs=0.06)
    between = [correlation[3 * i, 3 * j] for i in range(4) for j in range(i)]
    assert np.abs(between).max() < 0.06


def test_each_samples_spread_is_its_own_and_uniform() -> None:
    draws = GaussianNoise(sigma=(1, 30)).draw(10_000, rng())
    assert draws["sigma"].min() >= 1 and draws["sigma"].max() <= 30
    assert draws["sigma"].mean().item() == pytest.approx(15.5, abs=0.3)
    assert draws["gray"].float().mean().item() == pytest.approx(0.4, abs=0.02)


def test_the_poisson_tables_hold_poissons_law() -> None:
    entries = _tables(torch.device("cpu")).view(9, 256, 512)
    for exponent, level in ((8, 255), (8, 100), (8, 1), (4, 77), (0, 3), (5, 0)):
        share, alias = (entries[exponent, level] >> 9).double() / 2**22, (entries[exponent, level] & 511).long()
        law = share / 512
        law = law.scatter_add(0, alias, (1 - share) / 512).numpy()
        assert np.abs(law - poisson.pmf(np.arange(512), level / 255 * 2**exponent)).max() < 4e-9


def test_poisson_counts_have_the_right_frequencies() -> None:
    levels = torch.full((1, 1, 400, 500), 30, dtype=torch.uint8)
    counts = poisson_counts(levels, torch.tensor([7]), [rng()]).flatten()
    rate, number = 30 / 255 * 128, counts.numel()
    expected = poisson.pmf(np.arange(5, 27), rate) * number
    found = torch.bincount(counts, minlength=40).numpy()[5:27]
    assert ((found - expected) ** 2 / expected).sum() < 48.3  # chi-squared of 22 cells, 0.1 %


def test_poisson_noise_is_published_noise_its_variance_grows_with_brightness() -> None:
    levels = torch.arange(256).repeat(4, 1).view(1, 1, 32, 32).float() / 255  # 256 values: 2^8
    images = levels.repeat(1, 1, 16, 16)
    noise = PoissonNoise(scale=(1, 1), gray_probability=0)(images, rng()) - images
    for level in (60, 120, 180):
        at = (images * 255).round() == level
        assert noise[at].var().item() == pytest.approx(level / 255 / 256, rel=0.15)


def test_gray_poisson_noise_is_that_of_the_luminance() -> None:
    color = torch.tensor([0.8, 0.4, 0.2]).view(1, 3, 1, 1)
    assert luminance(color).item() == pytest.approx(0.299 * 0.8 + 0.587 * 0.4 + 0.114 * 0.2)
    images = color.expand(1, 3, 128, 128)
    noise = PoissonNoise(scale=(0.02, 0.02), gray_probability=1)(images, rng()) - images
    vals, level = 1, round(luminance(color).item() * 255) / 255  # one distinct value: 2^0
    assert torch.allclose(noise[:, 0], noise[:, 2], atol=1e-6)
    assert noise.var().item() == pytest.approx(0.02**2 * level / vals, rel=0.1)


def test_correlated_noise_stays_below_its_spread_and_correlates_channels() -> None:
    images = torch.full((8, 3, 64, 64), 0.5)
    noise = (CorrelatedNoise(sigma=10)(images, rng()) - images).flatten(2)
    assert noise.std().item() * 255 < 10
    correlations = [abs(np.corrcoef(each.numpy())[0, 1]) for each in noise]
    assert max(correlations) > 0.1


def test_the_fields_are_standard_normal_and_reproducible() -> None:
    seeds, gray = torch.tensor([3, 4, 3]), torch.tensor([False, False, False])
    fields = normal_fields(torch.zeros(3, 3, 64, 64), seeds, gray)
    assert torch.equal(fields[0], fields[2]) and not torch.equal(fields[0], fields[1])
    assert fields.std().item() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("stage", [GaussianNoise(), PoissonNoise(scale=(0, 0.02)), CorrelatedNoise(), Quantize()])
def test_gradients_pass_as_if_the_noise_were_constant(stage: Stage) -> None:
    images = torch.full((1, 3, 8, 8), 0.5, requires_grad=True)
    stage(images, rng()).sum().backward()
    assert images.grad is not None and images.grad.mean() > 0.8


def test_rounding_gives_8_bit_values() -> None:
    result = Quantize()(torch.rand(1, 3, 9, 9), rng()) * 255
    assert torch.allclose(result, result.round(), atol=1e-4)


def test_shot_noise_of_arrays_stays_float32() -> None:
    image = np.random.default_rng(0).random((16, 16, 3), np.float32)
    assert PoissonNoise().alter(image, np.random.default_rng(0), (16, 16)).dtype == np.float32
