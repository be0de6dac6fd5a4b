"""NIQE against an independent computation in numpy, BasicSR's figures where its numbers are installed, and limits."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve
from scipy.special import gamma

from toolbox.contracts.metric import DO_NOTHING
from toolbox.io.errors import UserError
from toolbox.io.resize import resize_bicubic
from toolbox_plugins.metrics.niqe import NIQE, fit


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """Numbers of made-up pristine photos."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(36, 36))
    path = tmp_path_factory.mktemp("niqe") / "model.npz"
    np.savez(path, mu_pris_param=rng.normal(size=(1, 36)), cov_pris_param=root @ root.T / 36 + np.eye(36))
    return path


def textured(height: int = 200, width: int = 300) -> torch.Tensor:
    """An image (3, H, W) with texture everywhere and two flat areas inside blocks."""
    rng = np.random.default_rng(1)
    image = rng.normal(0.5, 0.2, (3, height, width))
    image[:, 20:60, 20:70] = 0.0
    image[:, 120:150, 100:170] = 0.7
    return torch.from_numpy(np.clip(image, 0, 1) * 255).round().float() / 255


def by_hand(image: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    """Block by block, with scipy's filters and gamma function, on a gray image (H, W) of 0 to 255."""
    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    shapes = np.arange(0.2, 10.0005, 0.001)
    table = gamma(2 / shapes) ** 2 / (gamma(1 / shapes) * gamma(3 / shapes))

    def fitted(x):
        left, right = np.sqrt((x[x < 0] ** 2).mean()), np.sqrt((x[x > 0] ** 2).mean())
        g, r = left / right, np.abs(x).mean() ** 2 / (x**2).mean()
        shape = shapes[np.argmin((table - r * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2) ** 2)]
        scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
        return shape, left * scale, right * scale

    rows, columns = (side // 96 for side in image.shape)
    image, scales = image[: rows * 96, : columns * 96], []
    for block in (96, 48):
        local = convolve(image, window, mode="nearest")
        spread = np.sqrt(np.abs(convolve(image**2, window, mode="nearest") - local**2))
        normal = (image - local) / (spread + 1)
        normal[np.abs(normal) < 1e-9] = 0
        numbers = []
        for row in range(rows):
            for column in range(columns):
                x = normal[row * block : (row + 1) * block, column * block : (column + 1) * block]
                shape, left, right = fitted(x)
                numbers.append([shape, (left + right) / 2])
                for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
                    shape, left, right = fitted(x * np.roll(x, shift, (0, 1)))
                    numbers[-1] += [shape, (right - left) * gamma(2 / shape) / gamma(1 / shape), left, right]
        scales.append(numbers)
        image = resize_bicubic(torch.from_numpy(image)[None, None] / 255, down=2)[0, 0].numpy() * 255
    features = np.concatenate(scales, axis=1)
    gap = mean.ravel() - features.mean(0)
    return float(np.sqrt(gap @ np.linalg.pinv((covariance + np.cov(features, rowvar=False)) / 2) @ gap))


def test_it_equals_an_independent_computation(model):
    image, numbers = textured(), np.load(model)
    levels = np.asarray((image.double() * 255).round())
    luma = (16 + np.tensordot([65.481 / 255, 128.553 / 255, 24.966 / 255], levels, 1)).round()
    metric = NIQE(prediction="sr", model=str(model), crop=4)
    expected = by_hand(luma[4:-4, 4:-4], numbers["mu_pris_param"], numbers["cov_pris_param"])
    assert metric.measure(image) == pytest.approx(expected, rel=1e-6)
    gray = NIQE(prediction="sr", model=str(model))
    expected = by_hand(levels[0], numbers["mu_pris_param"], numbers["cov_pris_param"])
    assert gray.measure(image[:1]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.skipif(find_spec("basicsr") is None, reason="basicsr is not installed")
@pytest.mark.parametrize(("photo", "figure"), [("astronaut", 3.0646), ("coffee", 4.1152), ("chelsea", 2.6255)])
def test_photos_have_basicsrs_figures(photo, figure):
    """BasicSR 1.4.2 run on the photos cut to multiples of 4; the largest difference measured is 0.001 (astronaut)."""
    data = pytest.importorskip("skimage.data")
    image = torch.from_numpy(getattr(data, photo)().copy()).permute(2, 0, 1) / 255
    height, width = (side // 4 * 4 for side in image.shape[1:])
    assert NIQE(prediction="sr").measure(image[:, :height, :width]) == pytest.approx(figure, abs=0.002)


def test_the_fit_finds_the_shape_and_the_scales_of_known_distributions():
    rng = torch.Generator().manual_seed(0)
    normal = torch.randn(1, 300, 300, generator=rng, dtype=torch.float64)
    sign = torch.where(torch.rand(1, 300, 300, generator=rng) < 0.5, -1.0, 1.0)
    laplace = sign * torch.empty(1, 300, 300, dtype=torch.float64).exponential_(generator=rng)
    shape, left, right = fit(torch.cat([normal, laplace]))
    torch.testing.assert_close(shape, torch.tensor([2.0, 1.0], dtype=torch.float64), atol=0.05, rtol=0)
    # exp(-(x / scale)^shape): a normal's scale is sqrt(2), a Laplacian's 1
    for side in (left, right):
        torch.testing.assert_close(side, torch.tensor([2**0.5, 1.0], dtype=torch.float64), atol=0.03, rtol=0)


def test_the_last_rows_that_no_block_covers_do_not_count(model):
    image = textured(200, 300)
    changed = image.clone()
    changed[:, 192:], changed[..., 288:] = 0, 1
    metric = NIQE(prediction="sr", model=str(model))
    assert metric.measure(changed) == metric.measure(image)


def test_an_image_of_one_colour_has_no_figure(model):
    metric = NIQE(prediction="sr", model=str(model))
    assert np.isnan(metric.measure(torch.full((3, 200, 200), 0.3)))


def test_no_reference_is_needed_and_doing_nothing_is_measured_beside(model):
    image = textured()
    metric = NIQE(prediction="sr", model=str(model))
    metric.process(None, [{"sr": image, DO_NOTHING: image * 0.5}])
    result = metric.compute_metrics(metric.results)
    assert result == {"niqe": metric.measure(image), "niqe/do_nothing": metric.measure(image * 0.5)}
    alone = NIQE(prediction="sr", model=str(model), baseline=False)
    alone.process(None, [{"sr": image}])
    assert list(alone.compute_metrics(alone.results)) == ["niqe"]
    other = NIQE(prediction="sr", model=str(model), baseline=False)
    other.process(None, [{"sr2": image}])  # perhaps of another domain
    with pytest.raises(UserError, match="NIQE: no image is called 'sr'; did you mean 'sr2'"):
        other.compute_metrics(other.results)


def test_the_protocol_tells_every_setting_and_less_is_better(model):
    metric = NIQE(prediction="sr", model=str(model), crop=4)
    assert metric.protocol == "niqe[Y601,crop4,uint8,blocks96]" and not metric.higher_is_better


def test_what_cannot_be_measured_is_refused_by_name(model, tmp_path):
    metric = NIQE(prediction="sr", model=str(model), crop=4)
    with pytest.raises(ValueError, match=r"NIQE: sr of 104x190 is too small: after cropping 4 .*, 96x192 pixels must"):
        metric.measure(torch.rand(3, 104, 190))
    with pytest.raises(ValueError, match="sr has 4 channels"):
        metric.measure(torch.rand(4, 200, 200))
    with pytest.raises(UserError, match="crop must be 0 or more, got -1"):
        NIQE(prediction="sr", model=str(model), crop=-1)
    with pytest.raises(UserError, match=r"model: there is no file .*none\.npz"):
        NIQE(prediction="sr", model=str(tmp_path / "none.npz"))
    (tmp_path / "text.npz").write_text("nothing of the kind")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.save(tmp_path / "plain.npy", np.zeros(3))
    np.savez(tmp_path / "code.npz", mu_pris_param=np.array([print], dtype=object), cov_pris_param=np.eye(36))
    for name in ("text.npz", "other.npz", "plain.npy", "code.npz"):
        with pytest.raises(UserError, match=f"{name} is no .npz with mu_pris_param"):
            NIQE(prediction="sr", model=str(tmp_path / name))
    np.savez(tmp_path / "small.npz", mu_pris_param=np.zeros(18), cov_pris_param=np.eye(18))
    with pytest.raises(UserError, match="not of 36"):
        NIQE(prediction="sr", model=str(tmp_path / "small.npz"))


@pytest.mark.skipif(find_spec("basicsr") is not None, reason="basicsr is installed")
def test_without_a_model_it_says_where_one_is():
    with pytest.raises(UserError, match=r"NIQE has no model .*pip download --no-deps basicsr"):
        NIQE(prediction="sr")
