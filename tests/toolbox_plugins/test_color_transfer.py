"""Colour transfer without training: moments and histograms of the style, luminance kept, nothing random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.color import rgb2lab
from skimage.exposure import match_histograms

from toolbox.io.errors import UserError
from toolbox.io.images import write_image
from toolbox.testing import check_transform
from toolbox_plugins.metrics.color_histogram import ColorHistogramDistance
from toolbox_plugins.transforms.color_transfer import HistogramTransfer, ReinhardTransfer

KINDS = [ReinhardTransfer, HistogramTransfer]


def soft(seed: int, low: int = 60, high: int = 200, size: tuple[int, int] = (32, 24)) -> np.ndarray:
    """An image (H, W, 3) of muted colours, so that what a transfer asks for can be shown."""
    gray = np.random.default_rng(seed).integers(low, high, (*size, 1))
    tint = np.random.default_rng(seed + 100).integers(-20, 21, (*size, 3))
    return (gray + tint).clip(0, 255).astype(np.uint8)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def style(tmp_path: Path) -> Path:
    write_image(tmp_path / "style.png", soft(7, 90, 150, (20, 40)) + np.array([40, 10, 0], np.uint8))
    return tmp_path / "style.png"


def test_reinhard_gives_mean_and_deviation_of_each_channel(style):
    transfer = ReinhardTransfer(source="x", style=str(style))
    painted = transfer.decode(transfer.moved(transfer.encode(soft(0))))
    assert painted.min() > 0 and painted.max() < 1  # nothing is clipped below
    found = transfer.encode(transfer({"x": soft(0)}, rng())["x"])
    assert found.mean(axis=0) == pytest.approx(transfer.style[0], abs=2e-3)
    assert found.std(axis=0) == pytest.approx(transfer.style[1], abs=2e-3)


def test_reinhards_space_is_that_of_the_paper():
    """White has cone responses near 1, so logarithms near 0; l of a gray g is sqrt(3) log10 g plus that of white."""
    white = ReinhardTransfer.encode(None, np.full((1, 1, 3), 255, np.uint8))[0]  # pyright: ignore[reportArgumentType]
    gray = ReinhardTransfer.encode(None, np.full((1, 1, 3), 51, np.uint8))[0]  # pyright: ignore[reportArgumentType]
    assert white == pytest.approx([0, 0, 0], abs=5e-3)
    assert gray - white == pytest.approx([3**0.5 * np.log10(0.2), 0, 0], abs=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_in_its_own_style_stays_as_it_is(kind, style, tmp_path):
    image = soft(3)
    image[:4], image[4:8] = 0, 255
    write_image(tmp_path / "own.png", image)
    found = kind(source="x", style=str(tmp_path / "own.png"))({"x": image}, rng())["x"]
    assert np.abs(found.astype(int) - image).max() <= (0 if kind is ReinhardTransfer else 2)


def test_histograms_are_matched_as_scikit_image_does(style):
    transfer = HistogramTransfer(source="x", style=str(style))
    image = soft(1)
    found = transfer.moved(transfer.encode(image))
    from toolbox.io.images import read_image

    reference = rgb2lab(read_image(style)).reshape(-1, 3)
    expected = match_histograms(transfer.encode(image), reference, channel_axis=1)
    assert found == pytest.approx(expected, abs=1.5) and np.abs(found - expected).mean() < 0.2


@pytest.mark.parametrize("kind", KINDS)
def test_the_colours_come_nearer_to_the_style(kind, style):
    metric = ColorHistogramDistance(prediction="x", style=str(style), baseline=False)
    distances = []
    for image in (soft(0), kind(source="x", style=str(style))({"x": soft(0)}, rng())["x"]):
        distances.append(float(metric.keep({"x": torch.from_numpy(image).permute(2, 0, 1) / 255}, "x")))
    assert distances[1] < distances[0] * (0.35 if kind is ReinhardTransfer else 0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_luminance_is_kept_where_that_is_wanted(kind, style):
    image = soft(0)
    weights = np.array([0.299, 0.587, 0.114])
    kept = kind(source="x", style=str(style), preserve_luminance=True)({"x": image}, rng())["x"]
    changed = kind(source="x", style=str(style))({"x": image}, rng())["x"]
    assert np.abs(kept @ weights - image @ weights).max() <= 1
    assert np.abs(changed @ weights - image @ weights).max() > 10
    assert np.abs(kept.astype(int) - image).max() > 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_is_one_style_in_which_each_image_counts_the_same(kind, tmp_path):
    small, large = np.full((4, 4, 3), 50, np.uint8), np.full((40, 40, 3), 200, np.uint8)
    write_image(tmp_path / "s" / "1.png", small)
    write_image(tmp_path / "s" / "2.png", large)
    transfer = kind(source="x", style=str(tmp_path / "s"))
    means = [transfer.encode(each).mean(axis=0)[0] for each in (small, large)]
    lightness = transfer.moved(transfer.encode(soft(0)))[:, 0].mean()
    assert lightness == pytest.approx(np.mean(means), abs=0.02 * abs(means[0] - means[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_holds_and_one_colour_and_other_names_do_too(kind, style):
    check_transform(kind(source="hr", style=str(style)))
    transfer = kind(source="x", target="y", style=str(style))
    flat = np.full((4, 4, 3), 90, np.uint8)
    found = transfer({"x": flat}, rng())
    assert found["x"] is flat and len(np.unique(found["y"].reshape(-1, 3), axis=0)) == 1
    with pytest.raises(UserError, match="the sample has no image 'x'; it has z"):
        transfer({"z": flat}, rng())
    with pytest.raises(UserError, match="nowhere: no such folder"):
        kind(source="x", style="nowhere")
