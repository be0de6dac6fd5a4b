"""Pixel art, sprite sheets and normal maps: few colours stay few, cells stay apart, vectors keep their length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_networks import Painter, Smooth
from PIL import Image

from toolbox.inference import Options, Predictor, plan, translate
from toolbox.inference.normals import unit
from toolbox.inference.palette import as_palette, in_colours_of
from toolbox.inference.picture import Picture, read_picture
from toolbox.io.errors import UserError

FIVE = [[0, 0, 0], [250, 250, 250], [200, 30, 30], [30, 160, 60], [40, 60, 200]]


def sprite(path: Path, clear: int | None = None) -> Path:
    """A picture of 5 colours, numbered by a palette."""
    numbers = np.random.default_rng(0).integers(0, 5, (4, 4), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    image = Image.fromarray(numbers, "P")
    image.putpalette([level for colour in FIVE for level in colour])
    image.save(path, **({} if clear is None else {"transparency": clear}))
    return path


def made_from(source: Path, folder: Path, network: object = None, **options: object) -> tuple[Path, list[str]]:
    notes: list[str] = []
    predictor = Predictor(network or Smooth(), options=Options(**options), note=notes.append)  # pyright: ignore
    made = plan([source], folder)
    assert [problem for _, problem in translate(predictor, made.jobs)] == [None]
    return made.jobs[0].target, notes


def mode_of(path: Path) -> str:
    with Image.open(path) as image:
        return image.mode


@pytest.mark.parametrize("suffix", [".png", ".gif", ".tif", ".bmp", ".tga"])
def test_a_sprite_comes_out_in_its_own_colours_and_as_a_palette_picture(tmp_path: Path, suffix: str) -> None:
    target, notes = made_from(sprite(tmp_path / f"x{suffix}"), tmp_path / "out")
    with Image.open(target) as image:
        assert image.mode == "P" and image.size == (64, 64)
        colours = np.unique(np.array(image.convert("RGB")).reshape(-1, 3), axis=0)
    assert colours.tolist() == sorted(FIVE)
    assert notes == [f"{tmp_path / f'x{suffix}'}: keeps its 5 colours; --palette free lets new ones in"]


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_a_sprites_clear_colour_stays_clear(tmp_path: Path, suffix: str) -> None:
    target, _ = made_from(sprite(tmp_path / f"x{suffix}", clear=2), tmp_path / "out")
    found, before = read_picture(target), read_picture(tmp_path / f"x{suffix}")
    assert set(np.unique(found.array[..., 3])) == {0, 255}
    assert np.array_equal(found.array[2::16, 2::16, 3] > 0, before.array[::4, ::4, 3] > 0)
    seen = {tuple(colour) for colour in found.array[found.array[..., 3] > 0][:, :3].tolist()}
    assert seen <= {tuple(colour) for colour in FIVE}


def test_new_colours_come_where_they_are_asked_for_or_painted(tmp_path: Path) -> None:
    target, notes = made_from(sprite(tmp_path / "x.png"), tmp_path / "free", palette="free")
    assert mode_of(target) == "RGB" and not notes
    target, notes = made_from(sprite(tmp_path / "x.png"), tmp_path / "paint", Painter())
    assert (read_picture(target).array == [0, 0, 255]).all() and not notes


def test_few_colours_are_kept_of_any_picture_where_that_is_asked_for(tmp_path: Path) -> None:
    array = read_picture(sprite(tmp_path / "x.png")).array
    Image.fromarray(array).save(tmp_path / "rgb.png")
    target, _ = made_from(tmp_path / "rgb.png", tmp_path / "out", palette="keep")
    assert mode_of(target) == "P"
    target, _ = made_from(tmp_path / "rgb.png", tmp_path / "auto")
    assert mode_of(target) == "RGB", "a picture that is no palette's is free"


def test_a_pixel_takes_the_nearest_colour_of_those_around_it_and_what_is_clear_is_alike() -> None:
    source = np.array([[[0, 0, 0, 255], [240, 0, 0, 255], [9, 9, 9, 0], [120, 0, 0, 255]]], np.uint8)
    array = np.array([[[110, 0, 0, 255], [130, 0, 0, 255], [255, 255, 255, 3], [110, 0, 0, 255]]], np.uint8)
    wanted = [[[0, 0, 0, 255], [240, 0, 0, 255], [9, 9, 9, 0], [120, 0, 0, 255]]]
    assert in_colours_of(array, source).tolist() == wanted, "the last colour is too far for the first two pixels"
    assert as_palette(array, source[0]) is None


@pytest.mark.parametrize("outscale", [None, 1.5])
def test_cells_of_a_grid_are_what_each_is_alone(outscale: float | None) -> None:
    sheet = np.random.default_rng(0).integers(0, 256, (20, 28, 4), dtype=np.uint8)
    options = Options(grid=8, outscale=outscale)
    (made,) = Predictor(Smooth(), options=options).translate([Picture(sheet, alpha=True)])
    scale = outscale or 4
    assert made.array.shape == (20 * scale, 28 * scale, 4) and made.alpha
    alone = Predictor(Smooth(), options=Options(outscale=outscale))
    for y, x in ((0, 0), (8, 16), (16, 24)):
        cell = sheet[y : y + 8, x : x + 8]
        (wanted,) = alone.translate([Picture(cell, alpha=True)])
        top, left = round(y * scale), round(x * scale)
        height, width = wanted.array.shape[:2]
        assert np.array_equal(made.array[top : top + height, left : left + width], wanted.array)


def test_a_grid_whose_cells_have_no_whole_size_is_refused() -> None:
    with pytest.raises(UserError, match=r"--grid: a picture of 20x20 pixels times 1\.33333 is no whole number"):
        Predictor(Smooth(), options=Options(grid=6, outscale=1.3))(np.zeros((20, 20, 3), np.uint8))
    with pytest.raises(UserError, match="--grid 0: must be 1 pixel or more"):
        Options(grid=0)


def bumps(side: int) -> np.ndarray:
    """Normals (side, side, 3) of a landscape, the same at any size."""
    y, x = np.mgrid[:side, :side] / side * 4 * np.pi
    return unit(np.dstack([-np.cos(x) * 0.9, -np.cos(y + np.sin(x)) * 0.7, np.ones_like(x)]))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_vectors_of_a_normal_map_have_length_1_again(dtype: type) -> None:
    white = 1 if dtype is np.float32 else np.iinfo(dtype).max
    low = ((bumps(24) + 1) / 2 * white).round(0 if white > 1 else 7).astype(dtype)
    made = Predictor(Smooth(), options=Options(normals=True))(low)
    vectors = made / white * 2 - 1
    lengths = np.linalg.norm(vectors, axis=-1)
    assert made.shape == (96, 96, 3) and np.abs(lengths - 1).max() < (0.01 if dtype is np.uint8 else 1e-4)
    inside = np.s_[8:-8, 8:-8]
    angle = np.degrees(np.arccos((unit(vectors) * bumps_shifted()).sum(-1).clip(-1, 1)))[inside]
    assert angle.mean() < 1.5


def bumps_shifted() -> np.ndarray:
    """The landscape at the places of pixels enlarged by 4, whose centres lie between those of the low ones."""
    y, x = ((np.mgrid[:96, :96] + 0.5) / 4 - 0.5) / 24 * 4 * np.pi
    return unit(np.dstack([-np.cos(x) * 0.9, -np.cos(y + np.sin(x)) * 0.7, np.ones_like(x)]))


def test_normal_maps_of_other_kinds_and_through_painters_are_refused() -> None:
    with pytest.raises(UserError, match="has 1 channels, and --normals wants the three of vectors"):
        Predictor(Smooth(), options=Options(normals=True))(np.zeros((4, 4), np.uint8))
    with pytest.raises(UserError, match="--normals wants a network that enlarges"):
        Predictor(Painter(), options=Options(normals=True))(np.zeros((4, 4, 3), np.uint8))
