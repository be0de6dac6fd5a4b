"""Bicubic resizing against an independent float64 rendering of MATLAB's imresize."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from toolbox.io.errors import UserError
from toolbox.io.images import read_image
from toolbox.io.resize import resize_bicubic, resize_to

PHOTOS = Path(__file__).parents[2] / "configs" / "demo" / "photos" / "test"


def imresize_matrix(length: int, target: int) -> np.ndarray:
    """The (target, length) matrix by which MATLAB's bicubic imresize, with antialiasing, resizes one axis."""
    scale = target / length
    stretch = min(scale, 1.0)
    centres = (np.arange(target) + 0.5) / scale - 0.5
    taps = np.arange(-length, 2 * length)
    distance = np.abs(stretch * (centres[:, None] - taps))
    weights = np.where(
        distance <= 1,
        1.5 * distance**3 - 2.5 * distance**2 + 1,
        np.where(distance <= 2, -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2, 0),
    )
    weights /= weights.sum(axis=1, keepdims=True)
    mirrored = np.concatenate([np.arange(length)[::-1], np.arange(length), np.arange(length)[::-1]])
    matrix = np.zeros((target, length))
    np.add.at(matrix.T, mirrored, weights.T)
    return matrix


def imresize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (H, W, C) float64."""
    rows, columns = imresize_matrix(image.shape[0], size[0]), imresize_matrix(image.shape[1], size[1])
    return np.einsum("yh,hwc,xw->yxc", rows, image, columns, optimize=True)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None].float() / 255


def levels(image: np.ndarray) -> np.ndarray:
    return (image.clip(0, 1) * 255).round()


@pytest.mark.parametrize("direction", ["down", "up"])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_photographs_are_resized_as_matlab_does(scale, direction):
    values = misses = 0
    for path in sorted(PHOTOS.glob("*.jpg")):
        image = read_image(path)
        if direction == "up":
            image = image[:96, 60:157]  # the border counts, the middle is much alike
        height, width = (side // scale * scale for side in image.shape[:2])
        image = image[:height, :width]
        size = (height * scale, width * scale) if direction == "up" else (height // scale, width // scale)
        expected = imresize(image / 255.0, size)
        actual = resize_bicubic(as_tensor(image), **{direction: scale})[0].permute(1, 2, 0).double().numpy()
        assert np.abs(actual - expected).max() < 1e-5
        tie = np.abs(expected * 255 % 1 - 0.5) < 1e-9  # of 8-bit images at x2 there are many, and either way is right
        difference = np.abs(levels(actual) - levels(expected))[~tie]
        assert difference.max() <= 1
        values, misses = values + difference.size, misses + int(difference.sum())
    assert misses <= 2.1e-5 * values


@pytest.mark.parametrize("size", [(2, 2), (4, 6), (8, 4)])
def test_an_image_smaller_than_the_kernel_is_resized_as_matlab_does(size):
    image = np.random.default_rng(0).random((*size, 1))
    images = torch.from_numpy(image.transpose(2, 0, 1))[None]
    for options, target in (({"down": 2}, (size[0] // 2, size[1] // 2)), ({"up": 4}, (size[0] * 4, size[1] * 4))):
        resized = resize_bicubic(images, **options)[0].permute(1, 2, 0).numpy()
        assert np.abs(resized - imresize(image, target)).max() < 1e-12


def test_gradients_are_right():
    images = torch.rand(1, 2, 8, 12, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resize_bicubic(x, down=4), (images,))
    assert torch.autograd.gradcheck(lambda x: resize_bicubic(x, up=2), (images[..., :3, :4],))


def test_half_precision_is_resized_in_float32():
    images = torch.rand(1, 3, 16, 16).to(torch.bfloat16)
    assert torch.equal(resize_bicubic(images, down=2), resize_bicubic(images.float(), down=2))


def test_a_size_that_is_no_multiple_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match=r"height 30 and width 32 must be multiples of 4 .* crop to 28x32"):
        resize_bicubic(torch.zeros(1, 3, 30, 32), down=4)
    with pytest.raises(ValueError, match=r"multiples of 4 .*, and one is smaller: leave the image out$"):
        resize_bicubic(torch.zeros(1, 3, 32, 1), down=4)
    with pytest.raises(ValueError, match="either up or down"):
        resize_bicubic(torch.zeros(1, 3, 8, 8), up=2, down=2)


def test_resizing_to_a_size_takes_the_exact_way_for_whole_factors():
    images = torch.rand(2, 3, 12, 20)
    assert resize_to(images, (12, 20)) is images
    assert torch.equal(resize_to(images, (48, 80)), resize_bicubic(images, up=4))
    assert torch.equal(resize_to(images, (3, 5)), resize_bicubic(images, down=4))
    with pytest.raises(UserError, match="cannot resize to 0x4"):
        resize_to(images, (0, 4))


@pytest.mark.parametrize("size", [(30, 50), (17, 55), (60, 41)])
def test_resizing_by_an_odd_factor_equals_matlab_away_from_the_border(size):
    image = np.random.default_rng(0).random((40, 44, 3))
    resized = resize_to(torch.from_numpy(image.transpose(2, 0, 1))[None], size)[0].permute(1, 2, 0).numpy()
    assert resized.shape[:2] == size
    assert np.abs(resized - imresize(image, size))[3:-3, 3:-3].max() < 1e-9
