"""MS-SSIM against an independent computation with scipy, and at its limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from toolbox_plugins.metrics.msssim import MSSSIM

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def metric(**options) -> MSSSIM:
    return MSSSIM(prediction="sr", reference="hr", **options)


def pair(height: int = 177, width: int = 200) -> tuple[torch.Tensor, torch.Tensor]:
    """A smooth picture and a noisier one, of whole levels."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:height, :width]
    base = np.stack([128 + 90 * np.sin(rows / (7 + c) + columns / 11) for c in range(3)])
    images = (base, base * 0.9 + rng.normal(0, 12, base.shape))
    return tuple(torch.from_numpy(np.clip(each, 0, 255).round() / 255).float() for each in images)  # pyright: ignore


def blurred(image: np.ndarray) -> np.ndarray:
    """Gaussian of 11 pixels and sigma 1.5 along the last two axes, where the window lies inside."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    line /= line.sum()
    for axis in (-2, -1):
        image = correlate1d(image, line, axis=axis)
    return image[..., 5:-5, 5:-5]


def by_hand(a: np.ndarray, b: np.ndarray) -> float:
    """Wang et al. 2003, equation 7, on images (C, H, W) of 0 to 255."""
    c1, c2, product = (0.01 * 255) ** 2, (0.03 * 255) ** 2, 1.0
    for scale, weight in enumerate(WEIGHTS):
        ma, mb = blurred(a), blurred(b)
        va, vb, vab = blurred(a * a) - ma**2, blurred(b * b) - mb**2, blurred(a * b) - ma * mb
        value = (2 * vab + c2) / (va + vb + c2)
        if scale == len(WEIGHTS) - 1:
            value = value * (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        product *= value.mean() ** weight
        height, width = (side // 2 * 2 for side in a.shape[1:])
        a, b = (
            (x[:, 0:height:2, 0:width:2] + x[:, 1:height:2, 0:width:2] + x[:, 0:height:2, 1:width:2]
             + x[:, 1:height:2, 1:width:2]) / 4
            for x in (a, b)
        )  # fmt: skip
    return product


@pytest.mark.parametrize("channel", ["Y", "RGB"])
def test_it_equals_an_independent_computation(channel):
    first, second = pair()
    a, b = (np.asarray((image.double() * 255).round()) for image in (first, second))
    if channel == "Y":
        a, b = (16 + np.tensordot([65.481 / 255, 128.553 / 255, 24.966 / 255], x, 1)[None] for x in (a, b))
    expected = by_hand(a, b)
    assert 0.5 < expected < 0.99
    assert metric(channel=channel).measure(first, second) == pytest.approx(expected, abs=1e-6)


def test_equal_images_have_one_and_the_inverse_none():
    image, _ = pair()
    assert metric().measure(image, image) == pytest.approx(1, abs=1e-12)
    assert metric().measure(1 - image, image) == 0  # contrast correlates negatively: no real power of it


def test_the_crop_takes_what_is_wrong_at_the_border_away():
    image, _ = pair(190, 190)
    framed = image.clone()
    framed[:, :4], framed[:, -4:], framed[..., :4], framed[..., -4:] = 0, 0, 0, 0
    assert metric(crop=4).measure(framed, image) == pytest.approx(1, abs=1e-12)
    assert metric(crop=3).measure(framed, image) < 0.9999


def test_the_protocol_tells_every_setting():
    assert metric(crop=4).protocol == "ms_ssim[Y601,crop4,uint8,gauss11,valid,5scales]"
    assert metric(channel="RGB", quantize=False).protocol == "ms_ssim[RGB,crop0,float,gauss11,valid,5scales]"


def test_176_pixels_are_enough_and_175_are_refused_by_name():
    image = torch.rand(3, 176, 180)
    assert metric().measure(image, image) == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match=r"MSSSIM: hr of 175x180 is too small: after cropping 0 .* 176 pixels must be"):
        metric().measure(image[:, 1:], image[:, 1:])
