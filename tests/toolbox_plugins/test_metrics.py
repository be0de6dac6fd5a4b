"""Metrics against published golden values, hand-worked values and scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from toolbox.contracts.metric import DO_NOTHING
from toolbox.io.errors import UserError
from toolbox_plugins.metrics.luminance import LuminanceCorrelation
from toolbox_plugins.metrics.psnr import PSNR
from toolbox_plugins.metrics.ssim import SSIM


def metric(kind, **options):
    return kind(prediction="sr", reference="hr", **options)


def as_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255


def golden_pair() -> tuple[np.ndarray, np.ndarray]:
    """BasicSR's arrays are BGR; the channels are turned here."""
    random = np.random.RandomState(0)
    first = random.randint(0, 256, (40, 48, 3))
    second = np.clip(first + random.randint(-20, 21, first.shape), 0, 255)
    return first[..., ::-1].astype(np.uint8), second[..., ::-1].astype(np.uint8)


@pytest.mark.parametrize(("channel", "psnr", "ssim"), [("RGB", 26.957555, 0.987552), ("Y", 31.739676, 0.986491)])
def test_psnr_and_ssim_reproduce_basicsr(channel, psnr, ssim):
    first, second = map(as_tensor, golden_pair())
    assert metric(PSNR, channel=channel, crop=4).measure(first, second) == pytest.approx(psnr, abs=1e-4)
    assert metric(SSIM, channel=channel, crop=4).measure(first, second) == pytest.approx(ssim, abs=1e-4)


@pytest.mark.parametrize("crop", [0, 3])
def test_psnr_and_ssim_agree_with_scikit_image(crop):
    first, second = golden_pair()
    a, b = as_tensor(first), as_tensor(second)
    inside = np.s_[crop : first.shape[0] - crop, crop : first.shape[1] - crop]
    gaussian = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    y1, y2 = (16 + image[inside] @ np.array([65.481, 128.553, 24.966]) / 255 for image in (first, second))
    assert metric(PSNR, crop=crop).measure(a, b) == pytest.approx(peak_signal_noise_ratio(y1, y2, data_range=255))
    assert metric(SSIM, crop=crop).measure(a, b) == pytest.approx(structural_similarity(y1, y2, **gaussian), abs=1e-6)
    r1, r2 = (image[inside].astype(float) for image in (first, second))
    expected = structural_similarity(r1, r2, channel_axis=2, **gaussian)
    assert metric(SSIM, crop=crop, channel="RGB").measure(a, b) == pytest.approx(expected, abs=1e-5)


def test_psnr_of_one_level_everywhere_is_48_13_db_and_of_equal_images_infinite():
    image = torch.full((3, 16, 16), 100 / 255)
    assert metric(PSNR, channel="RGB").measure(image + 1 / 255, image) == pytest.approx(20 * math.log10(255))
    assert metric(PSNR).measure(image, image) == math.inf
    assert metric(SSIM).measure(image, image) == 1


def test_full_y_scale_is_219_levels():
    """A gray step of 10 levels is 10 * 219 / 255 in Y: the 1.32 dB by which full-range Y is off."""
    image = torch.full((3, 16, 16), 100 / 255)
    expected = 20 * math.log10(255 / (10 * 219 / 255))
    assert metric(PSNR).measure(image + 10 / 255, image) == pytest.approx(expected, abs=1e-5)


def test_quantizing_rounds_and_clamps_first():
    image = torch.full((3, 12, 12), 100 / 255)
    assert metric(PSNR, channel="RGB").measure(image + 0.4 / 255, image) == math.inf
    unrounded = metric(PSNR, channel="RGB", quantize=False)
    assert unrounded.measure(image + 0.4 / 255, image) == pytest.approx(20 * math.log10(255 / 0.4), abs=1e-3)
    assert metric(PSNR, channel="RGB").measure(image * 0 + 3, image * 0 + 1) == math.inf


def test_a_wrong_border_does_not_count_when_cropped():
    image = torch.rand(3, 24, 24)
    framed = image.clone()
    framed[:, :4], framed[:, -4:], framed[..., :4], framed[..., -4:] = 0, 0, 0, 0
    assert metric(PSNR, crop=4).measure(framed, image) == math.inf
    assert metric(PSNR, crop=3).measure(framed, image) < 40


def test_the_protocol_tells_every_setting():
    assert metric(PSNR, crop=4).protocol == "psnr[Y601,crop4,uint8,peak255]"
    assert metric(PSNR, channel="RGB", quantize=False).protocol == "psnr[RGB,crop0,float,peak255]"
    assert metric(SSIM, crop=2).protocol == "ssim[Y601,crop2,uint8,gauss11,valid]"
    assert metric(LuminanceCorrelation).protocol == "luminance_correlation[rec601,pearson,float]"


def test_the_do_nothing_baseline_is_measured_beside_and_results_are_means_over_images():
    image = torch.full((3, 12, 12), 100 / 255)
    samples = [
        {"sr": image + 1 / 255, "hr": image, DO_NOTHING: image + 4 / 255},
        {"sr": image + 2 / 255, "hr": image, DO_NOTHING: image + 4 / 255},
    ]
    psnr = metric(PSNR, channel="RGB")
    psnr.process(None, samples)
    result = psnr.compute_metrics(psnr.results)
    assert result["psnr"] == pytest.approx(20 * math.log10(255) - 10 * math.log10(2))
    assert result["psnr/do_nothing"] == pytest.approx(20 * math.log10(255 / 4))
    alone = metric(SSIM, baseline=False)
    alone.process(None, [{"sr": image, "hr": image}])
    assert alone.compute_metrics(alone.results) == {"ssim": 1.0}


def test_luminance_correlation_is_blind_to_contrast_and_sees_inversion():
    image = torch.rand(3, 16, 16)
    correlation = metric(LuminanceCorrelation)
    assert correlation.measure(image * 0.5 + 0.2, image) == pytest.approx(1, abs=1e-6)
    assert correlation.measure(1 - image, image) == pytest.approx(-1, abs=1e-6)
    assert abs(correlation.measure(torch.rand(3, 64, 64), torch.rand(3, 64, 64))) < 0.1
    assert correlation.measure(torch.full((3, 8, 8), 0.3), torch.rand(3, 8, 8)) == 0


def test_luminance_correlation_agrees_with_numpy():
    a, b = torch.rand(3, 9, 11), torch.rand(3, 9, 11)
    lights = [np.tensordot([0.299, 0.587, 0.114], x.double().numpy(), 1).ravel() for x in (a, b)]
    assert metric(LuminanceCorrelation).measure(a, b) == pytest.approx(np.corrcoef(*lights)[0, 1], abs=1e-9)


def test_what_cannot_be_compared_is_refused_by_name():
    image = torch.rand(3, 16, 16)
    for kind in (PSNR, SSIM, LuminanceCorrelation):
        with pytest.raises(ValueError, match=r"sr.*\(3, 4, 4\).*hr.*\(3, 16, 16\)"):
            metric(kind).measure(image[:, :4, :4], image)
    with pytest.raises(ValueError, match=r"SSIM: hr of 16x16 is too small: after cropping 4 .* 11 pixels must be left"):
        metric(SSIM, crop=4).measure(image, image)
    with pytest.raises(ValueError, match="Y needs 3 channels, hr has 1; use channel: RGB"):
        metric(PSNR).measure(image[:1], image[:1])
    with pytest.raises(UserError, match="channel must be Y or RGB, got 'L'"):
        metric(PSNR, channel="L")
    with pytest.raises(UserError, match="crop must be 0 or more, got -1"):
        metric(SSIM, crop=-1)
