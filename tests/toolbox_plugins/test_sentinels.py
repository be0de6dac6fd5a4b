"""What sentinels measure, on photographs, on photographs with made-up faults, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.io.images import read_image
from toolbox.io.resize import resize_to
from toolbox_plugins.sentinels.checkerboard import CheckerboardSentinel
from toolbox_plugins.sentinels.color_inversion import ColorInversionSentinel
from toolbox_plugins.sentinels.measures import (
    checkerboard_ratio,
    cycle_noise_ratio,
    diversity_ratio,
    luminance_correlation,
    thumbnails,
)
from toolbox_plugins.sentinels.mode_collapse import ModeCollapseSentinel
from toolbox_plugins.sentinels.steganography import SteganographySentinel
from toolbox_plugins.transforms.oracle import ink, palette

PHOTOS = Path(__file__).parents[2] / "configs/demo/photos"
SIGMA = 3 / 255


@cache
def photos() -> Tensor:
    """The middle of every demo photograph, (16, 3, 128, 128)."""
    crops = []
    for path in sorted(PHOTOS.rglob("*.jpg")):
        image = read_image(path)
        top, left = (image.shape[0] - 128) // 2, (image.shape[1] - 128) // 2
        crops.append(torch.from_numpy(image[top : top + 128, left : left + 128].copy()))
    return torch.stack(crops).permute(0, 3, 1, 2).float() / 255


def painted(oracle: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """The photographs, painted."""
    images = (photos().permute(0, 2, 3, 1) * 255).round().byte().numpy()
    return torch.stack([torch.from_numpy(oracle(image)) for image in images]).permute(0, 3, 1, 2).float() / 255


def blurred(images: Tensor) -> Tensor:
    """The mean over 3x3 pixels."""
    return F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), 3, 1)


def stripes(period: float, angle: float) -> Tensor:
    """Fine regular stripes over (128, 128)."""
    across = torch.arange(128) * np.cos(angle) + torch.arange(128)[:, None] * np.sin(angle)
    return 0.1 * torch.sin(2 * torch.pi * across / period)


HEALTHY: dict[str, Callable[[], Tensor]] = {
    "unchanged": photos,
    "palette": lambda: painted(palette),
    "ink": lambda: painted(ink),
    "blurred": lambda: blurred(photos()),
    "sharpened": lambda: (2.5 * photos() - 1.5 * blurred(photos())).clamp(0, 1),
    "noisy": lambda: (photos() + 0.08 * torch.randn(photos().shape)).clamp(0, 1),
    "posterised": lambda: (4 * photos()).round() / 4,
    "low in contrast": lambda: 0.6 * photos() + 0.2,
    "four times as large": lambda: resize_to(photos()[:4], (512, 512)).clamp(0, 1),
}
"""What honest translators may make of a photograph."""


@pytest.mark.parametrize("name", HEALTHY)
def test_no_sentinel_complains_of_healthy_pictures(name: str) -> None:
    outputs = HEALTHY[name]()
    inputs = photos()[: len(outputs)]
    found = {
        ColorInversionSentinel(): luminance_correlation(outputs, inputs),
        ModeCollapseSentinel(): diversity_ratio(thumbnails(outputs), thumbnails(inputs)),
        CheckerboardSentinel(): checkerboard_ratio(outputs, inputs),
    }
    assert [text for sentinel, value in found.items() if (text := sentinel.complaint(value.item()))] == []


def test_a_photograph_correlates_with_itself_and_against_its_negative() -> None:
    assert luminance_correlation(photos(), photos()).item() == pytest.approx(1, abs=1e-9)
    assert luminance_correlation(1 - photos(), photos()).item() == pytest.approx(-1, abs=1e-9)
    assert luminance_correlation(torch.full_like(photos(), 0.3), photos()).item() == 0


def test_the_correlation_is_that_of_luminance_not_of_colours() -> None:
    images = torch.zeros(1, 3, 2, 2)
    images[0, 0] = torch.tensor([[0.0, 1.0], [0.0, 1.0]])  # red 0.299
    turned = torch.zeros(1, 3, 2, 2)
    turned[0, 2] = images[0, 0]  # blue 0.114, in the same places
    assert luminance_correlation(turned, images).item() == pytest.approx(1)
    turned[0, 1] = 1 - images[0, 0]  # green 0.587, in the others
    assert luminance_correlation(turned, images).item() == pytest.approx(-1)


def test_other_numbers_of_channels_and_sizes_correlate_too() -> None:
    small = F.avg_pool2d(photos()[:2], 2)
    assert luminance_correlation(photos()[:2], small).item() > 0.9
    assert luminance_correlation(1 - photos()[:2].mean(1, keepdim=True), photos()[:2]).item() < -0.95


def test_diversity_is_worked_out_by_hand() -> None:
    inputs = torch.tensor([0.0, 0.3, 0.6]).view(3, 1, 1, 1).expand(3, 1, 2, 2)  # distances 0.3, 0.6, 0.3
    outputs = torch.tensor([0.5, 0.5, 0.6]).view(3, 1, 1, 1).expand(3, 3, 2, 2)  # 0, 0.1, 0.1
    assert diversity_ratio(outputs, inputs).item() == pytest.approx((0.2 / 3) / (1.2 / 3))
    assert diversity_ratio(outputs[:1], inputs[:1]).item() == 1
    assert diversity_ratio(outputs, inputs[:1].expand(3, 1, 2, 2)).item() == 1


def test_outputs_that_are_all_alike_have_no_diversity() -> None:
    inputs, constant = thumbnails(photos()), thumbnails(photos()[3:4].expand_as(photos()))
    assert diversity_ratio(constant, inputs).item() < 1e-6
    grain = constant + 0.01 * torch.randn(constant.shape)
    assert "mode collapse" in (ModeCollapseSentinel().complaint(diversity_ratio(grain, inputs).item()) or "")


def transposed(size: int, padding: int) -> Tensor:
    """The photographs from half their size through an untrained transposed convolution of stride 2."""
    kernel = torch.rand(size, size)
    half = F.avg_pool2d(photos(), 2).transpose(0, 1)  # (3, 16, 64, 64): every channel by itself
    weight = torch.zeros(16, 16, size, size)
    weight[range(16), range(16)] = 4 * kernel / kernel.sum()
    made = F.conv_transpose2d(half, weight, stride=2, padding=padding, output_padding=2 * padding + 2 - size)
    return made.transpose(0, 1).clamp(0, 1)


@pytest.mark.parametrize(("size", "padding"), [(2, 0), (3, 1), (4, 1), (5, 2)])
def test_a_transposed_convolution_leaves_a_checkerboard(size: int, padding: int) -> None:
    assert checkerboard_ratio(transposed(size, padding), photos()).item() > 100


def test_enlarging_by_resizing_and_convolving_leaves_none() -> None:
    kernel = torch.rand(3, 1, 3, 3)
    large = F.interpolate(F.avg_pool2d(photos(), 2), scale_factor=2, mode="bilinear")
    made = F.conv2d(large, kernel / kernel.sum((2, 3), keepdim=True), padding=1, groups=3)
    assert checkerboard_ratio(made, photos()).item() < 10


@pytest.mark.parametrize("period", [2, 4])
def test_a_grid_of_a_few_levels_is_found_and_its_strength_counts(period: int) -> None:
    places = torch.arange(128) // (period // 2)
    grid = (1 - 2 * ((places + places[:, None]) % 2)) / 255
    weak, strong = (checkerboard_ratio(photos() + amplitude * grid, photos()).item() for amplitude in (2, 8))
    assert 5 < weak < strong / 10 and "checkerboard" in (CheckerboardSentinel().complaint(strong) or "")


def test_a_grid_in_one_colour_against_another_is_found() -> None:
    grid = (1 - 2 * ((torch.arange(128) + torch.arange(128)[:, None]) % 2)) * 4 / 255
    made = photos().clone()
    made[:, 0] += 0.587 / 0.299 * grid
    made[:, 1] -= grid  # the luminance is as before
    assert checkerboard_ratio(made, photos()).item() > 50


def test_a_grid_that_the_input_has_already_is_no_fault_of_the_output() -> None:
    grid = (1 - 2 * ((torch.arange(128) + torch.arange(128)[:, None]) % 2)) * 8 / 255
    assert checkerboard_ratio(photos() + grid, photos() + grid).item() == pytest.approx(1)
    assert checkerboard_ratio(photos(), photos() + grid).item() < 3


@pytest.mark.parametrize(("period", "angle"), [(3, 0), (3, 0.3), (6, 0), (5, 0.5), (8, 0.1)])
def test_real_texture_of_another_period_is_no_checkerboard(period: float, angle: float) -> None:
    assert checkerboard_ratio(photos() + stripes(period, angle), photos()).item() < 10


def test_a_canvas_is_no_checkerboard() -> None:
    weave = F.avg_pool2d(torch.randn(16, 1, 132, 132), 5, 1) / 5
    assert checkerboard_ratio(photos() + weave, photos()).item() < 10


def test_what_nobody_sees_is_no_checkerboard() -> None:
    flat = torch.full((1, 3, 64, 64), 0.5)
    grid = (1 - 2 * ((torch.arange(64) + torch.arange(64)[:, None]) % 2)) / 255
    assert checkerboard_ratio(flat + 0.5 * grid, flat).item() < 10
    assert checkerboard_ratio(flat + 4 * grid, flat).item() > 100


def test_crops_too_small_for_a_spectrum_are_refused() -> None:
    with pytest.raises(UserError, match="at least 32 pixels"):
        checkerboard_ratio(torch.rand(1, 3, 24, 64), torch.rand(1, 3, 24, 64))


def hide(images: Tensor) -> Tensor:
    """A gray picture in which the photograph stands in fine print: 1/40 of it."""
    return 0.5 + (images - 0.5) / 40


def reveal(images: Tensor) -> Tensor:
    """Read it."""
    return 0.5 + (images - 0.5) * 40


def noisy(images: Tensor) -> Tensor:
    """With the noise of Chu et al."""
    return images + SIGMA * torch.randn(images.shape)


def test_noise_costs_an_honest_cycle_no_more_than_itself() -> None:
    found = cycle_noise_ratio(photos(), noisy(photos()), photos(), SIGMA).item()
    assert found == pytest.approx(1, abs=0.01)
    rough = blurred(photos())  # a cycle with an error of its own
    assert cycle_noise_ratio(rough, noisy(rough), photos(), SIGMA).item() == pytest.approx(1, abs=0.01)
    doubled = (noisy(0.5 + (photos() - 0.5) / 2) - 0.5) * 2 + 0.5
    assert cycle_noise_ratio(photos(), doubled, photos(), SIGMA).item() == pytest.approx(2, abs=0.02)


def test_noise_destroys_a_cycle_that_hides_its_input() -> None:
    clean, harmed = reveal(hide(photos())).clamp(0, 1), reveal(noisy(hide(photos()))).clamp(0, 1)
    assert (clean - photos()).abs().max() < 1e-5
    value = cycle_noise_ratio(clean, harmed, photos(), SIGMA).item()
    assert value > 10 and "steganography" in (SteganographySentinel().complaint(value) or "")


@pytest.mark.parametrize(
    ("sentinel", "arguments"),
    [
        (ColorInversionSentinel, {"interval": 0}),
        (ModeCollapseSentinel, {"images": 1}),
        (SteganographySentinel, {"sigma": 0.0}),
    ],
)
def test_senseless_arguments_are_refused(sentinel: type, arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        sentinel(**arguments)
