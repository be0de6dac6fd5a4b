"""Pixels without a value and floats beyond white: filled, put back, told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_networks import Painter, Smooth

from toolbox.inference import Options, Predictor
from toolbox.inference.picture import Picture, read_picture
from toolbox.inference.picture_write import write_picture
from toolbox.io.errors import UserError

FLAT = np.full((12, 10, 3), 0.25, np.float32)


def made_of(array: np.ndarray, **options: float) -> tuple[np.ndarray, list[str]]:
    notes: list[str] = []
    return Predictor(Smooth(), options=Options(**options), note=notes.append)(array), notes


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_nan_is_filled_for_the_network_put_back_and_told(gap: float) -> None:
    array = FLAT.copy()
    array[:3, :4] = gap
    made, notes = made_of(array)
    assert np.array_equal(~np.isfinite(made), (~np.isfinite(array)).repeat(4, 0).repeat(4, 1))
    assert np.array_equal(made[0, 0], [gap] * 3, equal_nan=True)
    assert np.allclose(made[np.isfinite(made)], 0.25, atol=1e-6), "nothing bleeds out of a gap"
    assert notes == ["the picture: 12 of 120 pixels are NaN, no data: filled for the network and put back"]


def test_a_gap_of_one_channel_is_a_gap_of_that_channel_alone() -> None:
    array = FLAT.copy()
    array[5, 5, 1] = np.nan
    made, _ = made_of(array, outscale=2)
    assert np.isnan(made).sum() == 4 and np.isnan(made[10:12, 10:12, 1]).all()


@pytest.mark.parametrize(("dtype", "value"), [(np.float32, -9999.0), (np.uint16, 0), (np.uint8, 255)])
def test_a_declared_value_is_no_data_and_so_is_one_named_by_the_user(dtype: type, value: float) -> None:
    array = (FLAT * (1 if dtype is np.float32 else 200)).astype(dtype)
    array[2:4, 2:4] = value
    for picture, options in (
        (Picture(array, geo={42113: f"{value:g}"}, name="dem.tif"), Options()),
        (Picture(array, name="dem.tif"), Options(nodata=value)),
    ):
        notes: list[str] = []
        (made,) = Predictor(Smooth(), options=options, note=notes.append).translate([picture])
        assert (made.array[8:16, 8:16] == value).all()
        assert np.allclose(np.delete(made.array.reshape(-1), np.flatnonzero(made.array == value)), array[0, 0, 0])
        assert notes == [f"dem.tif: 4 of 120 pixels are {value:g}, no data: filled for the network and put back"]


def test_a_painters_result_of_a_gray_raster_has_its_gaps_in_every_channel() -> None:
    array = np.full((6, 5, 1), 0.5, np.float32)
    array[0, 0] = np.nan
    (made,) = Predictor(Painter(), note=[].append).translate([Picture(array)])
    assert made.array.shape == (24, 20, 3) and np.isnan(made.array[:4, :4]).all() and np.isnan(made.array).sum() == 48


def test_a_picture_of_nothing_but_gaps_is_refused() -> None:
    with pytest.raises(UserError, match="the picture: no pixel holds data, all are NaN"):
        made_of(np.full((4, 4, 3), np.nan, np.float32))


def test_floats_of_0_to_255_are_refused_with_the_option_and_come_out_right_with_it() -> None:
    array = FLAT * 4 * 200
    with pytest.raises(UserError, match=r"its values reach 200, and 1 would be white; .* Options\(white=255\)"):
        made_of(array)
    made, notes = made_of(array, white=255)
    assert np.allclose(made, 200, atol=1e-3) and not notes


def test_hdr_and_values_below_0_are_told() -> None:
    array = FLAT.copy()
    array[0, 0], array[0, 1] = 3.5, -9999
    _, notes = made_of(array)
    assert notes == [
        "the picture: 3 of 360 values are over white, 1, and are cut to it; Options(white=3.5) keeps them",
        "the picture: 3 of 360 values are below 0 and become 0; if -9999 stands for no data, say so by "
        "Options(nodata=-9999)",
    ]
    made, notes = made_of(array, white=4, nodata=-9999)
    assert len(notes) == 1 and made.max() > 3 and (made[:4, 4:8] == -9999).all()


def test_a_format_without_a_number_for_nan_is_refused_and_tiff_keeps_it(tmp_path: Path) -> None:
    array = FLAT.copy()
    array[0, 0] = np.nan
    with pytest.raises(UserError, match=r"x\.png: the picture holds NaN, for which PNG has no number; .*tif"):
        write_picture(tmp_path / "x.png", Picture(array))
    write_picture(tmp_path / "x.tif", Picture(array))
    assert np.array_equal(read_picture(tmp_path / "x.tif").array, array, equal_nan=True)
