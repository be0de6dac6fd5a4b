"""Colours under transparency: no fringe over any background, and what lies hidden is kept where it is a picture."""

from __future__ import annotations

import numpy as np
import pytest
from known_networks import Painter, Smooth

from toolbox.inference import Options, Predictor
from toolbox.inference.filling import filled
from toolbox.inference.picture import Picture


def disc(dtype: type, colour: float = 1.0, hidden: float = 0.0) -> np.ndarray:
    """A disc of one colour, antialiased, on transparent pixels of another: (48, 48, 4)."""
    y, x = np.mgrid[:48, :48]
    alpha = np.clip(16.5 - np.hypot(x - 23.5, y - 23.5), 0, 1)
    array = np.dstack([np.where(alpha > 0, colour, hidden)] * 3 + [alpha])
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    return (array * white).round(0 if white > 1 else 7).astype(dtype)


def over(array: np.ndarray, background: float) -> np.ndarray:
    """The picture over a background, in [0, 1]."""
    values = array / (1 if array.dtype == np.float32 else np.iinfo(array.dtype).max)
    return values[..., :3] * values[..., 3:] + background * (1 - values[..., 3:])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("alpha", ["network", "resize"])
@pytest.mark.parametrize("colour", [0.0, 1.0])
def test_a_disc_over_its_own_colour_is_not_seen(dtype: type, alpha: str, colour: float) -> None:
    array = disc(dtype, colour, hidden=1 - colour)
    (made,) = Predictor(Smooth(), options=Options(alpha=alpha)).translate([Picture(array, alpha=True)])
    assert made.array.dtype == dtype and made.array.shape == (192, 192, 4)
    assert np.abs(over(made.array, colour) - colour).max() < 1e-4
    assert made.array[..., 3].min() == 0 and made.array[..., 3].max() == (1 if dtype is np.float32 else array.max())


def test_dropped_transparency_leaves_the_shape_and_no_ring() -> None:
    (made,) = Predictor(Smooth(), options=Options(alpha="drop")).translate([Picture(disc(np.uint8), alpha=True)])
    assert set(np.unique(made.array)) == {0, 255} and made.array.shape == (192, 192, 3)


def test_a_painters_colours_reach_under_the_edge_and_transparency_is_not_painted() -> None:
    (made,) = Predictor(Painter()).translate([Picture(disc(np.uint8), alpha=True)])
    assert (made.array[..., :3] == [0, 0, 255]).all()
    gray = Picture(disc(np.uint8)[..., [0, 3]], alpha=True)
    (made,) = Predictor(Painter()).translate([gray])
    assert (made.array[..., :3] == [0, 0, 255]).all() and made.alpha and made.array[..., 3].max() == 255


def test_a_hidden_picture_is_computed_and_kept_where_nothing_is_seen() -> None:
    array = disc(np.uint8)
    y, x = np.mgrid[:48, :48]
    hidden = np.dstack([y * 5, x * 5, 250 - y * 5]).astype(np.uint8)
    array[..., :3] = np.where(array[..., 3:] > 0, array[..., :3], hidden)
    (made,) = Predictor(Smooth()).translate([Picture(array, alpha=True)])
    bare = Predictor(Smooth())(array[..., :3])
    gone = made.array[..., 3] == 0
    assert np.array_equal(made.array[gone][:, :3], bare[gone]) and gone.sum() > 1000
    assert over(made.array, 1.0).min() > 0.999
    (made,) = Predictor(Smooth(), options=Options(alpha="drop")).translate([Picture(array, alpha=True)])
    assert np.array_equal(made.array, bare)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_transparency_that_is_the_same_everywhere_stays_so_exactly(level: int) -> None:
    array = np.random.default_rng(0).integers(0, 256, (9, 11, 4), dtype=np.uint8)
    array[..., 3] = level
    (made,) = Predictor(Smooth()).translate([Picture(array, alpha=True)])
    assert (made.array[..., 3] == level).all() and np.array_equal(
        made.array[..., :3], Predictor(Smooth())(array[..., :3])
    )


def test_gaps_are_filled_from_their_nearest_and_what_is_known_stays() -> None:
    array = np.zeros((8, 9, 1), np.float32)
    array[:, :3], array[:, 6:] = 0.2, 0.8
    known = np.ones((8, 9, 1), np.float32)
    known[:, 3:6] = 0
    made = filled(array, known)
    assert np.array_equal(made[known > 0], array[known > 0])
    assert made.min() >= 0.2 - 1e-6 and made.max() <= 0.8 + 1e-6 and (np.diff(made[0, :, 0]) >= -1e-6).all()
    nothing = filled(np.full((4, 4, 1), np.nan, np.float32), np.zeros((4, 4, 1), np.float32))
    assert (nothing == 0).all()


@pytest.mark.parametrize("kind", ["network", "resize"])
@pytest.mark.parametrize(
    ("dtype", "white", "opaque"), [("uint16", 4095, 65_535), ("uint16", 4095, 4095), ("float32", 255, 1)]
)
def test_white_is_said_of_colours_and_what_is_opaque_stays_so(dtype: str, white: int, opaque: int, kind: str) -> None:
    array = np.full((8, 8, 4), white // 2, dtype)
    array[:, :4, 3], array[:, 4:, 3] = opaque, opaque / 5
    made = Predictor(Smooth(), options=Options(white=white, alpha=kind))(array, alpha=True)
    assert made[:, :8, 3] == pytest.approx(opaque, rel=1e-3)
    assert made[:, -8:, 3] == pytest.approx(opaque / 5, rel=1e-2)
    assert made[..., :3] == pytest.approx(white // 2, rel=1e-2)
