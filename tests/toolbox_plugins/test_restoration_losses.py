"""Losses that restoration is trained with, against numpy, by hand, and against the metric of the same name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from made_up_features import Colours
from torch import Tensor, nn

from toolbox import Loss
from toolbox.io.errors import UserError
from toolbox.testing import check_loss
from toolbox_plugins.metrics.msssim import MSSSIM
from toolbox_plugins.restoration_losses.contextual import ContextualLoss
from toolbox_plugins.restoration_losses.focal_frequency import FocalFrequencyLoss
from toolbox_plugins.restoration_losses.gradient_variance import GradientVarianceLoss
from toolbox_plugins.restoration_losses.ms_ssim import MSSSIMLoss
from toolbox_plugins.restoration_losses.oklab import DARKEST, OklabLoss, to_oklab
from toolbox_plugins.restoration_losses.wavelet import WaveletLoss

ALL = [
    MSSSIMLoss(scales=2), OklabLoss(), OklabLoss(lightness=0), FocalFrequencyLoss(), WaveletLoss(low=0.5),
    GradientVarianceLoss(patch=4), ContextualLoss(features=Colours(), layers={"colour": 1.0}),
]  # fmt: skip


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(shape, generator=rng), torch.rand(shape, generator=rng)


@pytest.mark.parametrize("loss", ALL, ids=lambda each: type(each).__name__)
def test_each_keeps_to_the_contract_and_is_nothing_for_equal_images(loss: Loss) -> None:
    check_loss(loss)
    images = pair(2, 3, 32, 40)[0]
    assert float(loss(images, images)) == pytest.approx(0, abs=5e-3)
    assert float(loss(images, images.flip(0))) > 1e-3


def test_ms_ssim_is_one_minus_the_metric() -> None:
    metric = MSSSIM(prediction="a", reference="b", channel="RGB", quantize=False)
    images = torch.rand(3, 24, 24)
    images = nn.functional.interpolate(images[None], (176, 200), mode="bicubic").clamp(0, 1)[0]
    for noise in (0.02, 0.2):
        damaged = (images + noise * torch.randn(images.shape)).clamp(0, 1)
        loss = float(MSSSIMLoss()(damaged[None], images[None]))
        assert loss == pytest.approx(1 - metric.measure(damaged, images), abs=2e-5)
        both = MSSSIMLoss()(torch.stack([damaged, images]), torch.stack([images, images]))
        assert float(both) == pytest.approx(loss / 2, abs=1e-6)


def test_ms_ssim_of_one_scale_is_that_of_numpy_at_one_window() -> None:
    first, second = pair(1, 1, 11, 11)
    second = (first + second) / 2
    bell = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    window = np.outer(bell, bell) / bell.sum() ** 2
    x, y = (each[0, 0].double().numpy() for each in (first, second))
    mx, my = (window * x).sum(), (window * y).sum()
    vx, vy, cov = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum(), (window * (x - mx) * (y - my)).sum()
    wanted = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4) * (2 * cov + 9e-4) / (vx + vy + 9e-4)
    assert float(MSSSIMLoss(scales=1)(first, second)) == pytest.approx(1 - wanted, abs=1e-5)


def test_ms_ssim_of_opposite_images_has_a_finite_gradient() -> None:
    images = pair(1, 3, 32, 32)[0].requires_grad_()
    loss = MSSSIMLoss(scales=2)(images, 1 - images.detach())
    loss.backward()
    assert images.grad is not None and images.grad.isfinite().all() and images.grad.abs().max() > 0
    assert 0.99 < float(loss.detach()) <= 1


def test_images_too_small_for_the_scales_are_refused_with_the_scales_that_fit() -> None:
    with pytest.raises(UserError, match=r"5 scales want images of 176x176 at least, got 128x128; write scales: 4"):
        MSSSIMLoss()(*pair(1, 3, 128, 128))
    assert MSSSIMLoss(scales=4)(*pair(1, 1, 128, 128)) > 0


@pytest.mark.parametrize(
    ("color", "wanted"),
    [  # Ottosson's reference: white, and the primaries of sRGB
        ((1, 1, 1), (1.0, 0.0, 0.0)),
        ((1, 0, 0), (0.62796, 0.22486, 0.12585)),
        ((0, 1, 0), (0.86644, -0.23389, 0.17950)),
        ((0, 0, 1), (0.45201, -0.03246, -0.31153)),
        ((0.5, 0.5, 0.5), (0.59818, 0.0, 0.0)),
    ],
)
def test_oklab_of_known_colours(color: tuple[float, ...], wanted: tuple[float, ...]) -> None:
    found = to_oklab(torch.tensor(color, dtype=torch.float32).view(1, 3, 1, 1)).flatten()
    np.testing.assert_allclose(found, wanted, atol=2e-4)


def test_oklab_is_smooth_where_its_cube_root_is_replaced_and_black_has_a_gradient() -> None:
    level = DARKEST * 12.92
    near = to_oklab(torch.tensor([level * 0.999, level * 1.001]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    torch.testing.assert_close(near[0], near[1], rtol=0, atol=1e-3)
    for value in (-0.3, 0.0, 0.04045, 1.4):
        images = torch.full((1, 3, 2, 2), value, requires_grad=True)
        to_oklab(images)[:, 0].sum().backward()
        assert images.grad is not None and images.grad.isfinite().all() and (images.grad > 0).all()


def test_the_parts_of_oklab_are_weighed_apart() -> None:
    first, second = pair(1, 3, 4, 4)
    apart = (to_oklab(first) - to_oklab(second)).abs()
    found = OklabLoss(lightness=2, color=0.5)(first, second)
    assert float(found) == pytest.approx(2 * float(apart[:, 0].mean()) + 0.5 * float(apart[:, 1:].mean()), rel=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 2.0])
def test_the_focal_frequency_loss_is_that_of_numpy(alpha: float) -> None:
    first, second = pair(2, 3, 6, 8)
    terms = []
    for x, y in zip(first.flatten(0, 1).double().numpy(), second.flatten(0, 1).double().numpy(), strict=True):
        distance = np.abs(np.fft.fft2(x, norm="ortho") - np.fft.fft2(y, norm="ortho"))
        terms.append((distance**alpha / (distance**alpha).max() * distance**2).mean())
    found = float(FocalFrequencyLoss(alpha=alpha)(first, second))
    assert found == pytest.approx(np.mean(terms), rel=1e-4)
    if alpha == 0:  # Parseval
        assert found == pytest.approx(float((first - second).square().mean()), rel=1e-5)


def test_wavelet_details_by_hand() -> None:
    images = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]).view(1, 1, 4, 4)
    nothing = torch.zeros_like(images)
    # level 1: three details of 1/2 at one of four places; level 2: a low of 1/2, three details and a rest of 1/4
    assert float(WaveletLoss(levels=(1.0,))(images, nothing)) == pytest.approx(3 * 0.5 / 12)
    assert float(WaveletLoss(levels=(0.0, 1.0))(images, nothing)) == pytest.approx(0.25)
    assert float(WaveletLoss(levels=(0.0, 0.0), low=1.0)(images, nothing)) == pytest.approx(0.25)
    smooth = torch.full((1, 3, 9, 9), 0.25)
    assert float(WaveletLoss()(smooth, torch.zeros_like(smooth))) == 0
    assert float(WaveletLoss(low=1.0)(smooth, torch.zeros_like(smooth))) == pytest.approx(0.25 * 8)


def test_gradient_variance_is_that_of_numpy() -> None:
    first, second = pair(2, 1, 11, 10)
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])

    def variances(image: np.ndarray) -> np.ndarray:
        found = []
        for kernel in (sobel, sobel.T):
            windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
            gradient = (windows * kernel).sum((2, 3))  # (9, 8)
            found.append([gradient[i : i + 4, j : j + 4].var(ddof=1) for i in (0, 4) for j in (0, 4)])
        return np.array(found)

    wanted = np.mean(
        [
            ((variances(a[0]) - variances(b[0])) ** 2).mean(1).sum()
            for a, b in zip(first.numpy(), second.numpy(), strict=True)
        ]
    )
    assert float(GradientVarianceLoss(patch=4)(first, second)) == pytest.approx(wanted, rel=1e-4)


def test_the_contextual_loss_is_that_of_numpy_and_knows_no_places() -> None:
    first, second = pair(2, 3, 3, 4)
    second = second[..., :3]
    loss = ContextualLoss(features=Colours(), layers={"colour": 2.0}, bandwidth=0.3)
    terms = []
    for a, b in zip(first, second, strict=True):
        x, y = (each.flatten(1).T.double().numpy() for each in (a, b))
        x, y = x - y.mean(0), y - y.mean(0)
        x, y = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (x, y))
        distance = 1 - x @ y.T
        similar = np.exp((1 - distance / (distance.min(1, keepdims=True) + 1e-5)) / 0.3)
        terms.append(-np.log((similar / similar.sum(1, keepdims=True)).max(0).mean()))
    assert float(loss(first, second)) == pytest.approx(2 * np.mean(terms), rel=1e-3)
    assert float(loss(first, second.flip(2))) == pytest.approx(float(loss(first, second)), rel=1e-5)


def test_the_contextual_loss_averages_large_layers_to_the_positions_that_it_may_compare() -> None:
    loss = ContextualLoss(features=Colours(), layers={"colour": 1.0}, positions=50)
    for size in ((64, 64), (8, 200), (200, 8), (7, 7), (1, 300)):
        assert loss.listed(torch.rand(1, 3, *size)).shape[2] <= 50
    assert loss.listed(torch.rand(1, 3, 64, 64)).shape[2] == 49


@pytest.mark.parametrize(
    ("kind", "arguments", "said"),
    [
        (MSSSIMLoss, {"scales": 6}, "scales must be 1 to 5, got 6"),
        (OklabLoss, {"lightness": 0, "color": 0}, "lightness and color must be 0 or more and not both 0"),
        (FocalFrequencyLoss, {"alpha": -1}, "alpha must be 0 or more"),
        (WaveletLoss, {"levels": ()}, "levels must hold weights"),
        (GradientVarianceLoss, {"patch": 1}, "patch must be at least 2"),
        (ContextualLoss, {"features": Colours(), "layers": {"colour": 1.0}, "bandwidth": 0}, "bandwidth must be above"),
    ],
)
def test_arguments_without_sense_are_refused(kind: type[Loss], arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        kind(**arguments)


@pytest.mark.parametrize("loss", [MSSSIMLoss(scales=1), OklabLoss(), FocalFrequencyLoss(), WaveletLoss()], ids=str)
def test_other_shapes_are_refused(loss: Loss) -> None:
    with pytest.raises(UserError, match="one shape"):
        loss(torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 17))
