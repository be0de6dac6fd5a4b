"""The array's way of a stage against the batch's: the same numbers where nothing is random, else one distribution."""

from __future__ import annotations

from collections.abc import Callable
from math import pi

import numpy as np
import pytest
import torch

from toolbox.contracts.degradation import Degradation
from toolbox_plugins.degradations.arrays import filter_array, gaussian_kernel, sinc_kernel
from toolbox_plugins.degradations.bicubic import BicubicDegradation
from toolbox_plugins.degradations.blur import Blur, SincFilter
from toolbox_plugins.degradations.bsrgan import BSRGANDegradation
from toolbox_plugins.degradations.filtering import filter_images
from toolbox_plugins.degradations.jpeg_stage import JPEG
from toolbox_plugins.degradations.kernels import gaussian_kernels, plateau_kernels, sinc_kernels
from toolbox_plugins.degradations.noise import GaussianNoise, PoissonNoise, Quantize
from toolbox_plugins.degradations.real_esrgan import RealESRGANDegradation
from toolbox_plugins.degradations.resize import FinalResize, RandomResize, resize, resize_array
from toolbox_plugins.degradations.sharpen import Sharpen
from toolbox_plugins.degradations.stages import OneOf, Shuffle, Stages

LEVEL = 1 / 255


def photo(size: int = 64, channels: int = 3) -> np.ndarray:
    """A smooth picture with edges (H, W, C) in [0, 1]."""
    coarse = torch.rand(1, channels, size // 8, size // 8, generator=torch.Generator().manual_seed(5))
    smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bicubic").clamp(0, 1)[0]
    smooth[:, size // 4 : size // 2, size // 3 :] *= 0.4
    return np.ascontiguousarray(smooth.permute(1, 2, 0).numpy())


def planes(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]


def differs(image: np.ndarray, images: torch.Tensor) -> float:
    return float((planes(image) - images).abs().max())


def by_batch(stage: Degradation, image: np.ndarray, count: int) -> torch.Tensor:
    return stage(planes(image).repeat(count, 1, 1, 1), torch.Generator().manual_seed(0))


def by_array(stage: Degradation, image: np.ndarray, count: int) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.cat([planes(stage.degrade(image, rng)) for _ in range(count)])


def test_kernels_are_those_of_the_batch() -> None:
    size, width, (x, y, theta, beta) = torch.tensor([13]), 13, torch.tensor([[2.0], [0.7], [0.5], [0.8]])
    expected = gaussian_kernels(x, y, theta, sizes=size, width=width)[0].numpy()
    found = gaussian_kernel(13, 2.0, float(y), 0.5, lambda q: np.exp(-0.5 * q))
    np.testing.assert_allclose(found, expected, atol=1e-7)
    expected = plateau_kernels(x, y, theta, beta, sizes=size, width=width)[0].numpy()
    found = gaussian_kernel(13, 2.0, float(y), 0.5, lambda q: 1 / (1 + q ** float(beta)))
    np.testing.assert_allclose(found, expected, atol=1e-7)
    expected = sinc_kernels(torch.tensor([1.5]), sizes=size, width=width)[0].numpy()
    np.testing.assert_allclose(sinc_kernel(13, 1.5), expected, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize(
    "kernel",
    [
        gaussian_kernel(7, 2.0, 0.7, 0.5, lambda q: np.exp(-0.5 * q)),  # small: pixel by pixel
        gaussian_kernel(21, 3.0, 3.0, 0.0, lambda q: np.exp(-0.5 * q)),  # one separable part
        gaussian_kernel(21, 3.0, 1.5, 0.5, lambda q: 1 / (1 + q**1.5)),  # several, or none
        sinc_kernel(21, pi / 3),
    ],
)
def test_a_given_kernel_filters_as_in_a_batch_to_a_tenth_of_a_level(kernel: np.ndarray, channels: int) -> None:
    image = photo(channels=channels)
    expected = filter_images(planes(image), torch.from_numpy(kernel)[None])
    assert differs(filter_array(image, kernel), expected) < 0.1 * LEVEL


@pytest.mark.parametrize("stage", [Sharpen(), Quantize(), BicubicDegradation(scale=4)])
def test_what_draws_nothing_gives_the_same_numbers(stage: Degradation) -> None:
    image = photo()
    assert differs(stage.degrade(image, np.random.default_rng(0)), by_batch(stage, image, 1)) < 1e-5


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_jpeg_of_one_quality_gives_the_same_numbers(subsampling: str, channels: int) -> None:
    stage, image = JPEG(quality=(50, 50), subsampling=subsampling), photo(channels=channels)  # pyright: ignore
    assert differs(stage.degrade(image, np.random.default_rng(0)), by_batch(stage, image, 1)) < 1e-6


@pytest.mark.parametrize("mode", ["area", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(16, 16), (23, 41), (90, 70)])
def test_resizing_gives_the_same_numbers(mode: str, size: tuple[int, int]) -> None:
    image = photo()
    assert differs(resize_array(image, size, mode=mode), resize(planes(image), size, mode=mode)) < 1e-5


@pytest.mark.parametrize(
    "make",
    [
        lambda: Blur(sizes=(7, 13)),
        lambda: SincFilter(),
        lambda: GaussianNoise(),
        lambda: PoissonNoise(),
        lambda: JPEG(),
        lambda: RandomResize(),
        lambda: Stages(stages={"final": FinalResize()}, scale=2),
        lambda: OneOf(stages={"noise": GaussianNoise(), "quantize": Quantize()}, weights={"noise": 3.0}),
        lambda: RealESRGANDegradation(),
        lambda: BSRGANDegradation(),
    ],
)
def test_random_damage_has_the_same_statistics(make: Callable[[], Degradation]) -> None:
    stage, image = make(), photo(48)
    clean = torch.nn.functional.avg_pool2d(planes(image), stage.scale)
    # how strong each sample's damage is: its mean over samples, and how it spreads
    strengths = [(way(stage, image, 250) - clean).square().mean((1, 2, 3)).sqrt() for way in (by_batch, by_array)]
    batch, array = strengths
    error = float((batch.var() / 250 + array.var() / 250).sqrt())
    assert abs(float(batch.mean() - array.mean())) < 4 * error + 1e-4
    assert float(array.std()) == pytest.approx(float(batch.std()), rel=0.35, abs=2e-3)


def test_noise_has_the_variance_that_was_asked_for_and_no_correlation() -> None:
    image = np.full((128, 128, 3), 0.5, np.float32)
    noise = GaussianNoise(sigma=(10, 10), gray_probability=0).degrade(image, np.random.default_rng(1)) - image
    assert noise.std() == pytest.approx(10 * LEVEL, rel=0.02) and abs(noise.mean()) < 3e-4
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1]) < 0.02
    shot = PoissonNoise(scale=(1, 1), gray_probability=0).degrade(image, np.random.default_rng(1)) - image
    assert shot.std() == pytest.approx((128 / 255) ** 0.5, rel=0.35)  # one value: 1 photon a gray level, cut to [0, 1]
    gray = GaussianNoise(gray_probability=1).degrade(image, np.random.default_rng(1))
    assert np.array_equal(gray[..., 0], gray[..., 2])


@pytest.mark.parametrize("preset", [RealESRGANDegradation, BSRGANDegradation])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_seed_replays_the_damage_for_any_channels(preset: type, channels: int) -> None:
    image, stage = photo(channels=channels), preset()
    first, again, other = (stage.degrade(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first.shape == (16, 16, channels) and first.dtype == np.float32
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_stage_switched_off_leaves_what_the_others_do_as_it_was() -> None:
    def chain(probability: float) -> Stages:
        return Stages(stages={"blur": Blur(probability=probability), "noise": GaussianNoise(sigma=(9, 9))})

    flat = np.full((16, 16, 3), 0.5, np.float32)  # no blur changes it
    on, off = (chain(p).degrade(flat, np.random.default_rng(3)) for p in (1.0, 0.0))
    assert np.abs(on - off).max() < 1e-5


def test_shuffled_stages_keep_the_order_that_was_asked_for() -> None:
    seen: list[str] = []

    class Noting(Quantize):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def alter(self, image: np.ndarray, rng: np.random.Generator, final: tuple[int, int]) -> np.ndarray:
            seen.append(self.name)
            return image

    shuffle = Shuffle(stages={name: Noting(name) for name in "abcd"}, in_order=("b", "d"))
    orders = set()
    for seed in range(20):
        seen.clear()
        shuffle.degrade(photo(8), np.random.default_rng(seed))
        assert sorted(seen) == list("abcd") and seen.index("b") < seen.index("d")
        orders.add("".join(seen))
    assert len(orders) > 5
