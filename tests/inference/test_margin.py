"""A picture's surroundings, mirrored for networks that want them: seen by the network, and gone from the result."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toolbox.assembly.loading import trained_network
from toolbox.inference import Options, Predictor
from toolbox.inference.picture import read_picture
from toolbox.inference.whole_picture import mirrored_around

PHOTOGRAPHS = Path(__file__).parents[2] / "configs/demo/photos/test"


class Blur(nn.Module):
    """Means of 3x3 pixels, dark beyond the borders, twice as large; it remembers the sizes that it saw."""

    scale, margin = 2, 3

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, int]] = []

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append((images.shape[-2], images.shape[-1]))
        made = nn.functional.avg_pool2d(images, 3, 1, 1)
        return nn.functional.interpolate(made, scale_factor=2.0)


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (2, 9), (17, 24)], ids=str)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_borders_are_made_as_if_the_picture_went_on(size: tuple[int, int], channels: int) -> None:
    network = Blur().eval()
    given = picture(*size, channels)
    given[..., 3:] = 255
    made = Predictor(network)(given, alpha=channels == 4)
    assert network.seen[-1] == (size[0] + 6, size[1] + 6)
    around = np.pad(given, ((3, 3), (3, 3), (0, 0)), mode="symmetric")
    wanted = Predictor(Plain())(around, alpha=channels == 4)[6:-6, 6:-6]
    assert made.shape == (2 * size[0], 2 * size[1], channels)
    np.testing.assert_array_equal(made, wanted)


class Plain(Blur):
    margin = 0


def test_tiles_with_a_margin_equal_the_whole() -> None:
    given = picture(90, 70)
    whole = Predictor(Blur(), options=Options(tile=0))(given)
    np.testing.assert_array_equal(Predictor(Blur(), options=Options(tile=32))(given), whole)


def test_what_wraps_is_not_mirrored() -> None:
    given = picture(20, 30)
    made = Predictor(Blur(), options=Options(tileable=True))(given)
    np.testing.assert_array_equal(made, Predictor(Plain(), options=Options(tileable=True))(given))


def test_mirrored_pictures_repeat_their_edge_and_go_on_however_small() -> None:
    row = torch.tensor([[[[1.0, 2.0]]]])
    assert mirrored_around(row, 3)[0, 0, 0].tolist() == [2, 2, 1, 1, 2, 2, 1, 1]
    assert mirrored_around(row, 0) is row


@pytest.mark.parametrize(("strength", "margin"), [(1.0, 4), (0.3, 4), (0.0, 0)])
def test_painters_want_a_margin_and_enlargers_none(strength: float, margin: int) -> None:
    assert getattr(trained_network("painter-x4", chosen={"strength": strength}), "margin", 0) == margin
    assert getattr(trained_network("enlarge-x4"), "margin", 0) == 0


def test_strokes_go_on_to_the_border() -> None:
    """Along its borders, 8 pixels wide, a painting of photographs has more strokes than one made without a margin."""
    photographs = [read_picture(file).array[:240, :240] for file in sorted(PHOTOGRAPHS.iterdir())]
    small = [each.reshape(60, 4, 60, 4, 3).mean((1, 3)).round().astype(np.uint8) for each in photographs]
    network = trained_network("painter-x4", chosen={"style": "van-gogh"})
    with_margin = np.mean([richness(Predictor(network)(each)) for each in small])
    network.margin = 0  # pyright: ignore[reportArgumentType]
    assert with_margin > 1.08 * np.mean([richness(Predictor(network)(each)) for each in small])


def richness(painting: np.ndarray) -> float:
    """Mean step from pixel to pixel along the left and the right border."""
    along = np.abs(np.diff(painting.astype(np.float32), axis=0)).mean((0, 2))
    return float(np.concatenate([along[:8], along[-8:]]).mean())
