"""Metrics of motion: values worked out by hand, an independent formula, cuts, masks, clips and what is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from made_up_features import Doubles
from torch import Tensor

from toolbox import ClipMetric, Frame, UserError
from toolbox_plugins.metrics.clip_pixels import Motion, motion_of, pixels
from toolbox_plugins.metrics.feature_distance import FeatureDistance
from toolbox_plugins.metrics.tecogan import TLP, TOF
from toolbox_plugins.metrics.warping import RelativeWarpingError, WarpingError, gradient_energy, warping_error

NAMES = {"prediction": "sr", "reference": "hr", "baseline": False}


def photograph(seed: int = 0) -> np.ndarray:
    """(80, 120, 3) uint8 of detail of all sizes."""
    rng = np.random.default_rng(seed)
    mixed = sum(cv2.resize(rng.random((80 // s, 120 // s, 3)), (120, 80)) * weight for s, weight in ((2, 1), (10, 3)))
    return (255 * (mixed - mixed.min()) / np.ptp(mixed)).astype(np.uint8)


def tensor(*frames: np.ndarray) -> Tensor:
    """Frames as a clip (T, C, H, W) in [0, 1]."""
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def pan() -> Tensor:
    """Four frames (3, 64, 96) of a camera that moves by two pixels a frame."""
    return tensor(*(photograph()[8:72, 8 + 2 * t : 104 + 2 * t] for t in range(4)))


@pytest.fixture(scope="module")
def still() -> Tensor:
    """Four equal frames."""
    return tensor(*[photograph()[8:72, 8:104]] * 4)


def test_flicker_of_brightness_over_a_still_film_is_its_square(still: Tensor) -> None:
    """±2 levels of 255 in turn: each two frames differ by 4 levels."""
    dim = still * 0.8 + 0.1
    levels = (dim * 255).round()
    flickering = (levels + torch.tensor([2, -2, 2, -2])[:, None, None, None]) / 255
    wanted = pytest.approx(1000 * (4 / 255) ** 2, rel=1e-4)
    assert WarpingError(**NAMES).measure(flickering, levels / 255) == wanted
    assert WarpingError(of="error", **NAMES).measure(flickering, levels / 255) == wanted
    assert WarpingError(**NAMES).measure(levels / 255, levels / 255) == 0


def test_a_warping_error_follows_the_reference_and_equals_an_independent_formula(pan: Tensor) -> None:
    """At whole pixels bicubic sampling is none: the frames differ as arrays that were cut out shifted."""
    now = pixels(pan[1]).astype(np.float32) / 255
    flow = np.zeros((64, 96, 2), np.float32)
    flow[..., 0] = 2  # what is at x now was at x + 2 before
    agrees = np.zeros((64, 96), bool)
    agrees[10:50, 10:80] = True
    motion = Motion(flow, -flow, agrees, False)
    shifted = np.random.default_rng(3).random((64, 96, 3)).astype(np.float32)
    wanted = np.mean((now[10:50, 10:80] - shifted[10:50, 12:82]) ** 2)
    assert warping_error(shifted, now, motion) == pytest.approx(wanted, rel=1e-4)
    metric = WarpingError(**NAMES)
    sharp = metric.measure(pan, pan)
    noise = torch.randn(pan.shape, generator=torch.Generator().manual_seed(0)) * 8 / 255
    noisy = metric.measure((pan + noise).clamp(0, 1), pan)
    assert noisy - sharp == pytest.approx(1000 * 2 * (8 / 255) ** 2, rel=0.2)  # bicubic sampling averages a little


def test_the_error_of_a_constant_offset_does_not_flicker_whatever_moves(pan: Tensor) -> None:
    grey = pan * 0.5 + 0.2
    darker = ((grey * 255).round() - 20) / 255
    assert WarpingError(of="error", **NAMES).measure(darker, (grey * 255).round() / 255) < 1e-6
    lighter = ((grey * 255).round() + torch.tensor([0, 3, 0, 3])[:, None, None, None]) / 255
    metric = WarpingError(of="error", **NAMES)
    assert metric.measure(lighter, (grey * 255).round() / 255) == pytest.approx(1000 * (3 / 255) ** 2, rel=1e-4)


def test_gradient_energy_of_a_ramp_is_its_squared_slope() -> None:
    ramp = np.repeat(np.arange(20, dtype=np.float32)[None, :, None] * 0.02, 12, axis=0)
    inner = gradient_energy(ramp) * 20 / 18  # at both borders Sobel sees a mirror, and no slope
    assert inner == pytest.approx(0.02**2, rel=1e-4)


def test_a_film_is_as_steady_as_itself_and_contrast_changes_nothing(pan: Tensor) -> None:
    metric = RelativeWarpingError(**NAMES)
    noise = torch.randn(pan.shape, generator=torch.Generator().manual_seed(0)) * 8 / 255
    source = (pan + noise).clamp(0, 1)
    assert metric.measure(source, source) == pytest.approx(1)
    assert metric.measure(source * 0.5 + 0.25, source) == pytest.approx(1, abs=0.1)
    assert metric.measure((source + noise).clamp(0, 1), source) > 2
    with pytest.raises(ValueError, match="no gradient"):
        metric.measure(torch.zeros_like(pan), pan)


def test_tof_is_the_mean_distance_of_flows(pan: Tensor, still: Tensor) -> None:
    assert TOF(**NAMES).measure(pan, pan) == 0
    assert TOF(**NAMES).measure(still, pan) == pytest.approx(2, abs=0.5)
    flow = [
        cv2.calcOpticalFlowFarneback(
            *(cv2.cvtColor(pixels(each), cv2.COLOR_RGB2GRAY) for each in clip[:2]),
            np.zeros((64, 96, 2), np.float32), 0.5, 3, 15, 3, 5, 1.2, 0,
        )
        for clip in (still, pan)
    ]  # fmt: skip
    wanted = np.sqrt(((flow[0] - flow[1]) ** 2).sum(axis=2)).mean()
    assert TOF(**NAMES).measure(still[:2], pan[:2]) == pytest.approx(wanted, rel=1e-5)


def test_tlp_is_the_difference_of_what_changes_to_the_eye(pan: Tensor, still: Tensor) -> None:
    features = Doubles()
    metric = TLP(features=features, **NAMES)
    assert metric.measure(pan, pan) == 0
    change = FeatureDistance(prediction="a", reference="b", features=features).measure(pan[0], pan[1])
    assert metric.measure(still[:2], pan[:2]) == pytest.approx(100 * change, rel=1e-5)


def test_cuts_are_left_out(pan: Tensor) -> None:
    other = tensor(*(255 - photograph(9)[8:72, 8 + t : 104 + t] for t in range(2)))
    metric = WarpingError(**NAMES)
    together = torch.cat([pan, other])
    parts = [metric.measure(pan, pan)] * 3 + [metric.measure(other, other)]
    assert metric.measure(together, together) == pytest.approx(np.mean(parts), rel=1e-4)
    assert motion_of(pan[-1], other[0], "dis-medium").cut
    cut = torch.stack([pan[0], other[0]])
    assert np.isnan(metric.measure(cut, cut))


def test_clips_of_an_evaluation_count_alike_and_those_of_cuts_alone_not_at_all(pan: Tensor, still: Tensor) -> None:
    metric = WarpingError(**{**NAMES, "baseline": True})
    levels = (still * 200).round()
    flickering = (levels + torch.tensor([2, -2, 2, -2])[:, None, None, None] + 2) / 255
    cut = torch.stack([pan[0], 1 - tensor(photograph(9)[8:72, 8:104])[0]])
    steady = levels / 255
    samples = [
        {"sr": flickering, "hr": steady, "do_nothing": steady},
        {"sr": steady, "hr": steady, "do_nothing": steady},
        {"sr": cut, "hr": cut, "do_nothing": cut},
    ]
    metric.process(None, samples)
    assert metric.compute_metrics(metric.results) == pytest.approx(
        {"warping_error": 1000 * (4 / 255) ** 2 / 2, "warping_error/do_nothing": 0}, rel=1e-4
    )


def test_pictures_single_frames_and_wrong_arguments_are_refused(pan: Tensor) -> None:
    metric = WarpingError(**NAMES)
    with pytest.raises(UserError, match="two frames or more"):
        metric.process(None, [{"sr": pan[0], "hr": pan[0]}])
    with pytest.raises(ValueError, match="two frames or more"):
        metric.measure(pan[:1], pan[:1])
    with pytest.raises(ValueError, match="one size"):
        metric.between(Frame(pan[0], pan[0]), Frame(pan[1, :, ::2], pan[1]))
    with pytest.raises(ValueError, match="1 or 3 channels"):
        metric.between(Frame(pan[0, :2], pan[0, :2]), Frame(pan[1, :2], pan[1, :2]))
    for wrong in ({"of": "both"}, {"method": "raft"}):
        with pytest.raises(UserError, match="must be"):
            WarpingError(**NAMES, **wrong)
    assert issubclass(TLP, ClipMetric)
