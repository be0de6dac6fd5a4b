"""Damage of prints, broadcasts and careless processing: hand-worked values, limits, gradients and the contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from toolbox import Degradation
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.testing import check_degradation
from toolbox.testing.components import images as smooth
from toolbox_plugins.degradations.noise import luminance
from toolbox_plugins.media.edges import Aliasing, Halo, ThickLines
from toolbox_plugins.media.printing import Banding, Dither, Screentone, bayer
from toolbox_plugins.media.signal import ChromaShift, ChromaSubsampling, ColorCast, Ghosting, Interlacing, shifted

NAMES = (
    "Halo", "Aliasing", "ThickLines", "Banding", "Dither", "Screentone",
    "ChromaSubsampling", "ChromaShift", "ColorCast", "Ghosting", "Interlacing",
)  # fmt: skip


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def made(name: str, **arguments: Any) -> Degradation:
    return registry("degradations").get(name)(**arguments)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_each_keeps_to_the_contract_with_any_channels(name: str, channels: int) -> None:
    check_degradation(made(name), channels=channels)


@pytest.mark.parametrize("name", NAMES)
def test_each_changes_colour_pictures_by_both_ways_and_stays_finite_for_small_ones(name: str) -> None:
    stage = made(name)
    pictures = torch.rand(2, 3, 24, 20)
    assert (stage(pictures, rng()) - pictures).abs().mean() > 1e-3
    array = np.ascontiguousarray(pictures[0].permute(1, 2, 0).numpy())
    found = stage.degrade(array.copy(), np.random.default_rng(0))
    assert found.shape == array.shape and found.dtype == np.float32 and 0 <= found.min() <= found.max() <= 1
    assert np.abs(found - array).mean() > 1e-3
    assert stage(torch.rand(1, 3, 2, 3), rng()).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_gradient_passes(name: str) -> None:
    pictures = smooth(2, 3, 24, 24).mul(0.5).add(0.25).requires_grad_()
    made(name)(pictures, rng()).sum().backward()
    assert pictures.grad is not None and pictures.grad.isfinite().all() and pictures.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Halo", {"strength": [0, 0]}), ("Aliasing", {"factor": [1, 1]}), ("ThickLines", {"radius": [0, 0]}),
        ("Banding", {"levels": [256, 256]}), ("Dither", {"levels": [256, 256]}), ("Screentone", {"opacity": [0, 0]}),
        ("ChromaSubsampling", {"patterns": ["4:4:4"]}), ("ChromaShift", {"shift": 0}),
        ("ColorCast", {"gain": [1, 1], "offset": [0, 0]}), ("Ghosting", {"opacity": [0, 0]}),
        ("Interlacing", {"distance": [0, 0]}),
    ],
)  # fmt: skip
def test_the_weakest_damage_is_none(name: str, arguments: dict[str, Any]) -> None:
    pictures = (torch.rand(2, 3, 16, 18) * 255).round() / 255
    found = made(name, **arguments)(pictures, rng())
    assert (found - pictures).abs().max() < 1e-5


def step(height: int = 8, width: int = 16) -> Tensor:
    """Dark at the left, bright at the right."""
    return torch.where(torch.arange(width) < width // 2, 0.3, 0.7).expand(1, 3, height, width).clone()


def test_a_halo_overshoots_at_an_edge_and_leaves_plain_places_alone() -> None:
    found = Halo(strength=(1, 1), sigma=(1, 1))(step(), rng())
    assert found[0, 0, 4, 7] < 0.25 and found[0, 0, 4, 8] > 0.75
    torch.testing.assert_close(found[..., :4], step()[..., :4], atol=2e-3, rtol=0)
    torch.testing.assert_close(found.mean(), step().mean(), atol=1e-5, rtol=0)


def test_aliasing_by_two_repeats_every_second_pixel() -> None:
    pictures = torch.rand(1, 3, 8, 10)
    found = Aliasing(factor=(2, 2), nearest_probability=1)(pictures, rng())
    assert torch.equal(found, pictures[..., ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize(("radius", "thickness"), [(1.0, 3), (2.0, 5)])
def test_a_dark_line_grows_by_twice_the_radius(radius: float, thickness: int) -> None:
    pictures = torch.ones(1, 1, 9, 15)
    pictures[..., 7] = 0
    found = ThickLines(radius=(radius, radius))(pictures, rng())
    assert int((found[0, 0, 4] == 0).sum()) == thickness
    half = ThickLines(radius=(0.5, 0.5))(pictures, rng())
    assert half[0, 0, 4, 6:9].tolist() == [0.5, 0.0, 0.5]


def test_bands_are_the_tones_that_are_left() -> None:
    ramp = torch.linspace(0, 1, 101).expand(1, 3, 2, 101)
    found = Banding(levels=(5, 5))(ramp, rng())
    assert found.unique().tolist() == [0, 0.25, 0.5, 0.75, 1]
    torch.testing.assert_close(found, (ramp * 4).round() / 4)


@pytest.mark.parametrize("ordered", [0.0, 1.0])
def test_dithering_keeps_the_mean_of_a_tone_with_few_levels(ordered: float) -> None:
    for tone in (0.0, 0.1, 0.5, 0.77, 1.0):
        plain = torch.full((1, 3, 64, 64), tone)
        found = Dither(levels=(3, 3), ordered_probability=ordered)(plain, rng())
        assert set(found.unique().tolist()) <= {0.0, 0.5, 1.0}
        assert float(found.mean()) == pytest.approx(tone, abs=0.008 if ordered else 0.02)
        assert torch.equal(found[:, 0], found[:, 1]), "one threshold for all channels: gray stays gray"


def test_the_matrix_of_the_ordered_dither_is_bayers() -> None:
    assert (bayer(2) * 4 - 0.5).tolist() == [[0, 2], [3, 1]]
    assert (bayer(4) * 16 - 0.5)[0].tolist() == [0, 8, 2, 10]
    assert sorted((bayer(8) * 64 - 0.5).flatten().tolist()) == list(range(64))


def test_dots_cover_more_where_the_tone_is_darker() -> None:
    stage = Screentone(period=(6, 6), opacity=(1, 1), color_probability=0)
    covered = [float((stage(torch.full((1, 3, 48, 48), tone), rng()) < 0.5).float().mean()) for tone in (0.2, 0.5, 0.8)]
    assert covered[0] > 0.7 > covered[1] > 0.3 > covered[2] > 0.02
    gray = stage(smooth(1, 3, 32, 32), rng())
    assert torch.equal(gray[:, 0], gray[:, 2])
    color = Screentone(opacity=(1, 1), color_probability=1)(torch.full((1, 3, 32, 32), 0.5), rng())
    assert not torch.allclose(color[:, 0], color[:, 1])


@pytest.mark.parametrize(("pattern", "rows", "columns"), [("4:2:0", 2, 2), ("4:2:2", 1, 2), ("4:1:1", 1, 4)])
def test_subsampling_keeps_brightness_and_shares_colours(pattern: Any, rows: int, columns: int) -> None:
    pictures = 0.4 + 0.2 * torch.rand(1, 3, 8, 8)  # far from where colours would be cut
    found = ChromaSubsampling(patterns=(pattern,), nearest_probability=1)(pictures, rng())
    torch.testing.assert_close(luminance(found), luminance(pictures), atol=1e-5, rtol=0)
    red = (found - luminance(found))[0, 0]
    blocks = red.unfold(0, rows, rows).unfold(1, columns, columns)
    assert (blocks - blocks[..., :1, :1]).abs().max() < 1e-5
    wanted = (pictures - luminance(pictures))[0, 0].unfold(0, rows, rows).unfold(1, columns, columns).mean((2, 3))
    torch.testing.assert_close(blocks[..., 0, 0], wanted, atol=1e-5, rtol=0)
    gray = pictures[:, :1].expand(1, 3, 8, 8)
    torch.testing.assert_close(ChromaSubsampling(patterns=(pattern,))(gray, rng()), gray, atol=1e-5, rtol=0)


def test_colours_move_and_brightness_stays() -> None:
    pictures = 0.4 + 0.2 * torch.rand(4, 3, 10, 12)
    found = ChromaShift(shift=2)(pictures, rng())
    torch.testing.assert_close(luminance(found), luminance(pictures), atol=1e-5, rtol=0)
    assert ((found - pictures).abs().amax((1, 2, 3)) > 1e-3).all()


def test_whole_pixels_move_exactly_and_the_border_is_continued() -> None:
    pictures = torch.arange(12.0).view(1, 1, 3, 4)
    moved = shifted(pictures, torch.tensor([1.0]), torch.tensor([-1.0]))[0, 0]
    torch.testing.assert_close(moved, torch.tensor([[1.0, 2, 3, 3], [1, 2, 3, 3], [5, 6, 7, 7]]), atol=1e-4, rtol=0)


def test_a_cast_is_a_gain_and_an_offset_of_each_channel() -> None:
    plain = torch.full((2, 3, 4, 4), 0.5)
    found = ColorCast(gain=(0.8, 1.2), offset=(0, 0))(plain, rng())
    assert (found == found[..., :1, :1]).all() and len(found[..., 0, 0].unique()) == 6
    assert 0.4 <= float(found.min()) < float(found.max()) <= 0.6
    assert float(ColorCast(gain=(1, 1), offset=(0.1, 0.1))(plain, rng())[0, 0, 0, 0]) == pytest.approx(0.6)


def test_a_ghost_lies_beside_and_adds_up_to_the_same_tone() -> None:
    found = Ghosting(distance=(3, 3), opacity=(0.25, 0.25))(step(), rng())[0, 0, 0]
    apart = (found - step()[0, 0, 0]).abs()
    assert int((apart > 0.05).sum()) == 3 and float(apart.max()) == pytest.approx(0.1, abs=1e-4)


def test_every_second_row_is_of_another_moment() -> None:
    found = Interlacing(distance=(2, 2))(step(), rng())
    assert torch.equal(found[..., ::2, :], step()[..., ::2, :])
    assert int(((found - step())[0, 0, 1].abs() > 0.1).sum()) == 2


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("Banding", {"levels": [1, 4]}, "levels must be"),
        ("Dither", {"ordered_probability": 2}, "ordered_probability must be a probability"),
        ("Screentone", {"period": [1, 4]}, "period must be"),
        ("ChromaSubsampling", {"patterns": ["4:2:1"]}, "patterns must be of 4:4:4"),
        ("ChromaSubsampling", {"patterns": []}, "patterns must name at least one"),
        ("Aliasing", {"factor": [0.5, 1]}, "factor must be"),
        ("Halo", {"sigma": [0, 1]}, "sigma must be"),
    ],
)
def test_arguments_without_sense_are_refused(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(name, **arguments)
