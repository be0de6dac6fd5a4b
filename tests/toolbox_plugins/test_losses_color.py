"""Colours of a style: Reinhard's space by hand, moments and quantiles against numpy, and gradients in the dark."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.testing import check_loss
from toolbox_plugins.losses.color_style import ColorHistogramLoss, ColorMomentLoss, ColorStyleLoss, to_lab

LOSSES = [ColorMomentLoss(), ColorMomentLoss(moments="covariance"), ColorHistogramLoss()]


def lab(pixels: np.ndarray) -> np.ndarray:
    """Pixels (N, 3), all bright enough, by the two matrices of the paper."""
    cones = pixels @ np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]]).T
    scale = np.diag([1 / math.sqrt(3), 1 / math.sqrt(6), 1 / math.sqrt(2)])
    return np.log10(cones) @ (scale @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])).T


def photos() -> tuple[Tensor, Tensor]:
    """Two batches of different colours and sizes, away from black."""
    first = torch.rand(2, 3, 9, 8) * 0.4 + 0.1
    second = torch.rand(2, 3, 6, 5) * torch.tensor([0.8, 0.5, 0.2])[:, None, None] + 0.1
    return first, second


def rows(image: Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).reshape(-1, 3).double().numpy()


def test_gray_has_lightness_alone_and_any_colour_is_that_of_the_papers_matrices():
    gray = to_lab(torch.full((1, 3, 1, 1), 0.1)).flatten().tolist()
    assert gray[0] == pytest.approx(math.sqrt(3) * math.log10(0.1), abs=2e-3)
    assert gray[1:] == pytest.approx([0, 0], abs=2e-3)
    pixels = np.random.default_rng(0).random((20, 3)) * 0.9 + 0.1
    found = to_lab(torch.from_numpy(pixels).T.reshape(1, 3, 4, 5))[0].flatten(1).T.numpy()
    np.testing.assert_allclose(found, lab(pixels), rtol=1e-6, atol=1e-7)


def test_black_and_values_below_have_a_finite_colour_and_a_gradient_that_leads_up():
    for value in (0.0, -0.2, 1 / 255, 1.5):
        images = torch.full((1, 3, 2, 2), value, requires_grad=True)
        to_lab(images)[:, 0].sum().backward()
        assert images.grad is not None and torch.isfinite(images.grad).all() and (images.grad > 0).all()
    near = to_lab(torch.full((1, 3, 1, 1), 1 / 255 - 1e-6)), to_lab(torch.full((1, 3, 1, 1), 1 / 255 + 1e-6))
    torch.testing.assert_close(*near, rtol=0, atol=1e-3)


def test_colour_moments_are_those_of_numpy():
    a, b = photos()
    expected = {"deviation": 0.0, "covariance": 0.0}
    for first, second in zip(a, b, strict=True):
        x, y = lab(rows(first)), lab(rows(second))
        means = ((x.mean(0) - y.mean(0)) ** 2).sum() / 2
        expected["deviation"] += means + ((x.std(0) - y.std(0)) ** 2).sum() / 2
        covariances = [np.cov(each.T, bias=True) for each in (x, y)]
        expected["covariance"] += means + ((covariances[0] - covariances[1]) ** 2).sum() / 2
    for moments, value in expected.items():
        assert ColorMomentLoss(moments=moments)(a, b).item() == pytest.approx(value, rel=1e-4)


def test_the_histogram_loss_is_the_squared_wasserstein_distance():
    a, b = photos()[0], photos()[0].flip(1) * 0.5
    expected = 0.0
    for first, second in zip(a, b, strict=True):
        x, y = np.sort(lab(rows(first)), 0), np.sort(lab(rows(second)), 0)
        expected += ((x - y) ** 2).mean(0).sum() / 2  # optimal transport in one dimension pairs sorted values
    assert ColorHistogramLoss()(a, b).item() == pytest.approx(expected, rel=1e-4)
    wider = b.repeat(1, 1, 3, 2)  # each value six times: the same histogram
    assert ColorHistogramLoss()(a, wider).item() == pytest.approx(expected, rel=0.05)
    assert ColorHistogramLoss()(a, b) >= ColorMomentLoss()(a, b), "moments miss what shapes differ by"


def test_places_do_not_matter_and_equal_colours_cost_nothing():
    image = photos()[0]
    shuffled = image.flatten(2)[..., torch.randperm(72)].unflatten(2, (6, 12))
    for loss in LOSSES:
        assert loss(shuffled, image).item() == pytest.approx(0, abs=1e-9)
        assert loss(shuffled.flip(1), image).item() > 1e-4


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_gradients_are_those_of_differences(loss: ColorStyleLoss):
    images = (torch.rand(1, 3, 3, 4, dtype=torch.float64) * 0.8 + 0.1).requires_grad_()
    style = torch.rand(1, 3, 4, 4, dtype=torch.float64) * 0.8 + 0.1
    assert torch.autograd.gradcheck(lambda x: loss(x, style), (images,))


@pytest.mark.parametrize("make", [ColorMomentLoss, ColorHistogramLoss])
def test_a_files_colours_stand_in_for_the_second_value_and_a_folders_are_averaged(make, tmp_path):
    tensors = []
    for name in ("a", "b"):
        pixels = np.random.default_rng(ord(name)).integers(0, 256, (12, 10, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
        tensors.append(torch.from_numpy(pixels).permute(2, 0, 1)[None] / 255)
    images = photos()[0][:1]
    alone = make(image=str(tmp_path / "a.png"))
    torch.testing.assert_close(alone(images), make()(images, tensors[0]), rtol=1e-3, atol=0)  # quantiles are rounded
    assert alone(images, tensors[1]) == alone(images), "the file is the style"
    both = make(image=str(tmp_path))
    described = [both.kept(both.describe(to_lab(each))) for each in tensors]
    torch.testing.assert_close(both.style, (described[0] + described[1]) / 2)
    assert not both.state_dict() and both.to("meta").style.device.type == "meta"
    assert alone(photos()[0]).ndim == 0


def test_descending_paints_a_photograph_with_the_styles_palette():
    photo, style = photos()
    start = ColorMomentLoss()(photo, style).item()
    for loss in LOSSES:
        images = photo.clone().requires_grad_()
        optimizer = torch.optim.Adam([images], 0.02)
        for _ in range(45):
            optimizer.zero_grad()
            loss(images, style).backward()
            optimizer.step()
        assert ColorMomentLoss()(images, style).item() < start / 10


def test_the_target_gets_no_gradient_and_the_contract_is_kept():
    for loss in LOSSES:
        check_loss(loss)
        a, b = (each.requires_grad_() for each in photos())
        loss(a, b).backward()
        assert a.grad is not None and b.grad is None
        assert (a.grad.abs().sum(1) > 0).all(), "every pixel is pulled"
        plain = torch.full((1, 3, 4, 4), 0.5, requires_grad=True)
        loss(plain, photos()[1][:1]).backward()
        assert plain.grad is not None and torch.isfinite(plain.grad).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ColorMomentLoss(moments="std"), "moments must be deviation or covariance, got 'std'"),
        (lambda: ColorMomentLoss(size=0), "size must be at least 1 pixel, got 0"),
        (lambda: ColorMomentLoss(image="none.png"), "none.png: no such file"),
        (lambda: ColorHistogramLoss(quantiles=1), "quantiles must be at least 2, got 1"),
        (lambda: ColorMomentLoss()(photos()[0]), "ColorMomentLoss has no style: give image, or a role of two values"),
        (lambda: ColorHistogramLoss()(photos()[0], photos()[1][:1]), "batches of one length, got 2 and 1"),
        (lambda: to_lab(torch.rand(1, 1, 2, 2)), "images with 3 channels, got 1"),
    ],
)
def test_wrong_arguments_and_values_are_refused(make, message):
    with pytest.raises(UserError, match=message):
        make()


def test_losses_print_like_their_config():
    assert repr(LOSSES[0]) == "ColorMomentLoss(image=None, size=None, moments='deviation')"
    assert repr(LOSSES[2]) == "ColorHistogramLoss(image=None, size=None, quantiles=1024)"
