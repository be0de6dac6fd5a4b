"""Transforms: aligned crops, exact flips, and the style oracles' formulas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage.color import lab2rgb, rgb2lab

from toolbox.io.errors import UserError
from toolbox.io.images import find_images, read_image
from toolbox.io.resize import resize_bicubic
from toolbox_plugins.transforms.geometry import CenterCrop, ModCrop, RandomCrop, RandomFlip, Resize, Shrink
from toolbox_plugins.transforms.naming import Copy
from toolbox_plugins.transforms.oracle import InkOracle, PaletteOracle

PHOTOS = Path(__file__).parents[2] / "configs" / "demo" / "photos"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pair(height: int, width: int, factor: int) -> dict[str, np.ndarray]:
    """A small image of distinct pixels, and the same enlarged by repeating them."""
    small = rng().permutation(height * width * 3).reshape(height, width, 3).astype(np.uint8)
    return {"lr": small, "hr": small.repeat(factor, axis=0).repeat(factor, axis=1)}


def aligned(images: dict[str, np.ndarray], factor: int) -> bool:
    return np.array_equal(images["hr"], images["lr"].repeat(factor, axis=0).repeat(factor, axis=1))


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 8])
def test_every_crop_and_flip_keeps_pairs_aligned(factor):
    images = pair(7, 9, factor)
    transforms = [
        (RandomCrop(size=4 * factor), (4, 4)),
        (CenterCrop(size=4 * factor), (4, 4)),
        (ModCrop(multiple=2 * factor), (6, 8)),
        (RandomFlip(vertical=0.5), (7, 9)),
    ]
    for transform, size in transforms:
        for seed in range(20):
            changed = transform(images, rng(seed))
            assert changed["lr"].shape[:2] == size and aligned(changed, factor)
            assert all(image.flags["C_CONTIGUOUS"] for image in changed.values())


def test_a_random_crop_reaches_every_place_equally_often():
    image = np.arange(4, dtype=np.uint8).repeat(3).reshape(1, 4, 3)
    image = np.concatenate([image, image + 10, image + 20])
    corners = [
        int(RandomCrop(size=2)({"x": image}, generator)["x"][0, 0, 0]) for generator in [rng()] for _ in range(600)
    ]
    values, counts = np.unique(corners, return_counts=True)
    assert values.tolist() == [0, 1, 2, 10, 11, 12]
    assert counts.min() > 70 and counts.max() < 130  # 100 expected, 3.3 standard deviations


def test_a_crop_that_does_not_fit_is_refused_with_the_sizes():
    with pytest.raises(UserError, match=r"RandomCrop: the image of 7x9 is smaller than 8; .*Resize"):
        RandomCrop(size=8)({"x": np.zeros((7, 9, 3), np.uint8)}, rng())
    with pytest.raises(UserError, match=r"RandomCrop: 30 must be a multiple of the images' factor 4 .*hr 28x36"):
        RandomCrop(size=30)(pair(7, 9, 4), rng())
    with pytest.raises(UserError, match=r"differ by no whole factor .a 4x4, b 6x6"):
        CenterCrop(size=2)({"a": np.zeros((4, 4, 3)), "b": np.zeros((6, 6, 3))}, rng())
    with pytest.raises(UserError, match="size must be 1 or more, got 0"):
        RandomCrop(size=0)


def test_a_center_crop_takes_the_middle():
    image = np.arange(25, dtype=np.uint8).reshape(5, 5, 1)
    assert CenterCrop(size=3)({"x": image}, rng())["x"][..., 0].tolist() == [[6, 7, 8], [11, 12, 13], [16, 17, 18]]


def test_a_certain_flip_mirrors_and_an_impossible_one_does_not():
    image = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)[..., None]

    def flipped(horizontal: float, vertical: float, rotate: float) -> list[list[int]]:
        flip = RandomFlip(horizontal=horizontal, vertical=vertical, rotate=rotate)
        return flip({"x": image}, rng())["x"][..., 0].tolist()

    assert flipped(0, 0, 0) == [[1, 2, 3], [4, 5, 6]]
    assert flipped(1, 0, 0) == [[3, 2, 1], [6, 5, 4]]
    assert flipped(0, 1, 0) == [[4, 5, 6], [1, 2, 3]]
    assert flipped(0, 0, 1) == [[3, 6], [2, 5], [1, 4]]
    with pytest.raises(UserError, match="vertical must be a probability from 0 to 1, got 2"):
        RandomFlip(vertical=2)


def test_all_three_flips_give_the_eight_orientations():
    image, generator = np.arange(4, dtype=np.uint8).reshape(2, 2, 1), rng()
    flip = RandomFlip(horizontal=0.5, vertical=0.5, rotate=0.5)
    assert len({flip({"x": image}, generator)["x"].tobytes() for _ in range(200)}) == 8


def test_shrinking_by_two_is_the_mean_of_four_pixels():
    image = rng().integers(0, 256, (6, 8, 3), dtype=np.uint8)
    means = image.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(Resize(size=[3, 4])({"x": image}, rng())["x"] - means).max() <= 0.5


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize(("shrink", "grow"), [(4, 2), (8, 3), (2, 5)])
def test_a_side_that_shrinks_does_not_alias_while_the_other_grows(shrink: int, grow: int, across: bool) -> None:
    stripes = np.zeros((16, 6, 3), np.uint8)
    stripes[::2] = 200  # the finest there are: every pixel of the shrunk side is their mean, 100
    size = [16 // shrink, 6 * grow]
    image, size = (stripes.swapaxes(0, 1).copy(), size[::-1]) if across else (stripes, size)
    resized = Resize(size=size)({"x": image}, rng())["x"]
    assert resized.shape[:2] == tuple(size) and np.abs(resized.astype(int) - 100).max() <= 1


def test_the_short_side_decides_and_the_shape_is_kept():
    for shape, size in (((40, 60, 3), (20, 30)), ((60, 40, 3), (30, 20)), ((10, 15, 3), (20, 30))):
        assert Resize(short_side=20)({"x": np.zeros(shape, np.uint8)}, rng())["x"].shape[:2] == size
    with pytest.raises(UserError, match="either size"):
        Resize()
    with pytest.raises(UserError, match=r"the images differ in size .lr 2x2, hr 8x8"):
        Resize(short_side=4)(pair(2, 2, 4), rng())


def test_a_copy_is_independent_and_a_wrong_name_is_answered_with_the_known_ones():
    images = Copy(source="x", target="y")({"x": np.zeros((2, 2, 3), np.uint8)}, rng())
    images["x"][:] = 9
    assert images["y"].max() == 0
    for transform in (Copy(source="z", target="y"), PaletteOracle(source="z"), InkOracle(source="z")):
        with pytest.raises(UserError, match=f"{type(transform).__name__}: the sample has no image 'z'; it has x, y"):
            transform(images, rng())


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128), (200, 60, 30), (30, 90, 200)])
def test_the_palette_oracle_follows_its_formula_on_flat_colours(colour):
    """A bilateral filter leaves a flat image alone, so the curves can be checked by scikit-image's CIE Lab."""
    flat = np.full((9, 9, 3), colour, np.uint8)
    light, a, b = rgb2lab(flat[:1, :1] / 255.0)[0, 0]
    light /= 100
    painted = [92 * light**1.25, 0.7 * a + 10 + 8 * (light - 0.5), 0.6 * b + 22 * (1 - abs(2 * light - 1)) + 6]
    expected = (lab2rgb(np.array([[painted]])).clip(0, 1) * 255).round()
    result = PaletteOracle(source="x")({"x": flat}, rng())["x"]
    assert result.dtype == np.uint8 and np.abs(result - expected).max() <= 1


def test_the_palette_oracle_flattens_noise_and_keeps_edges():
    image = np.full((32, 32, 3), 60, np.uint8)
    image[:, 16:] = 200
    noisy = (image + rng().integers(-8, 9, image.shape)).astype(np.uint8)
    painted, clean = (PaletteOracle(source="x")({"x": x}, rng())["x"].astype(float) for x in (noisy, image))
    assert painted[:, 2:14].std(axis=(0, 1)).max() < 0.5 * noisy[:, 2:14].std(axis=(0, 1)).min()
    assert np.abs(painted - clean).max() < 12


@pytest.mark.parametrize(("oracle", "low", "high"), [(PaletteOracle, 16.0, 19.0), (InkOracle, 13.5, 18.5)])
def test_an_oracle_changes_photographs_as_much_as_was_measured(oracle, low, high):
    image = read_image(PHOTOS / "test" / "chelsea.jpg")
    paint = oracle(source="x", target="y")
    images = paint({"x": image}, rng())
    assert np.array_equal(images["x"], image), "with a target the source stays"
    assert np.array_equal(images["y"], paint({"x": image}, rng(1))["y"]), "deterministic"
    error = np.mean((images["y"].astype(float) - image) ** 2)
    assert low < 10 * np.log10(255**2 / error) < high


def test_the_demo_photographs_are_split_by_image_and_all_credited():
    names = [path.stem for path in find_images(PHOTOS)]
    assert len(names) == len(set(names)) == 16
    assert [path.stem for path in find_images(PHOTOS / "test")] == ["astronaut", "chelsea", "coffee"]
    assert abs(len(find_images(PHOTOS / "train" / "a")) - len(find_images(PHOTOS / "train" / "b"))) <= 1
    credits = (PHOTOS / "CREDITS.md").read_text()
    assert [name for name in names if f"`{name}.jpg`" not in credits] == []
    for path in find_images(PHOTOS):
        assert min(read_image(path).shape[:2]) >= 224, "room for a crop"


def test_shrinking_equals_the_bicubic_degradation_of_a_photograph() -> None:
    image = read_image(find_images(PHOTOS / "test")[0])[:96, :160]
    small = Shrink(factor=4)({"a": image}, rng())["a"]
    tensor = torch.from_numpy(np.ascontiguousarray(image)).movedim(2, 0)[None] / 255
    expected = (resize_bicubic(tensor, down=4)[0].clamp(0, 1) * 255).movedim(0, 2).numpy()
    assert small.dtype == np.uint8 and small.shape == (24, 40, 3)
    assert np.abs(small - expected).max() <= 0.501


def test_shrinking_refuses_sides_that_are_no_multiples() -> None:
    with pytest.raises(UserError, match=r"lr is 7x8, not multiples of 4; crop before it"):
        Shrink(factor=4)({"lr": np.zeros((7, 8, 3), np.uint8)}, rng())


@pytest.mark.parametrize(("dtype", "level"), [(np.uint8, 200), (np.uint16, 30_000), (np.float32, 0.7)])
def test_shrinking_keeps_the_type_and_its_levels(dtype: type, level: float) -> None:
    image = np.full((8, 8, 3), level, dtype)
    small = Shrink(factor=2)({"hr": image}, np.random.default_rng(0))["hr"]
    assert small.dtype == dtype and small.shape == (4, 4, 3) and np.allclose(small, image[:4, :4], rtol=1e-5)
