"""Flow points where pixels went, its check finds what is covered, cuts are seen, and no size ends the process."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from toolbox.video.flow import METHODS, Method, agreeing, dense_flow, gray_of, is_cut, warped


def texture(height: int = 64, width: int = 96, seed: int = 0) -> np.ndarray:
    """A picture with detail of all sizes, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    octaves = [
        cv2.resize(rng.random((max(2, height // s), max(2, width // s), 3)), (width, height)) for s in (2, 4, 16)
    ]
    mixed = sum(octaves)
    return (255 * (mixed - mixed.min()) / np.ptp(mixed)).astype(np.uint8)


@pytest.mark.parametrize("method", METHODS)
def test_a_shifted_picture_has_the_flow_of_its_shift(method: Method) -> None:
    """What lies at x in the first frame lies at x + (3, -2) in the second."""
    wide = texture(80, 112)
    first, second = wide[8:72, 8:104], wide[10:74, 5:101]
    flow = dense_flow(first, second, method)
    assert flow.shape == (64, 96, 2) and flow.dtype == np.float32
    for axis, moved_by in enumerate((3, -2)):
        assert np.median(flow[..., axis]) == pytest.approx(moved_by, abs=0.2)
    inner = (slice(12, -12), slice(12, -12))
    moved = warped(second, flow)
    assert np.abs(moved[inner].astype(int) - first[inner]).mean() < 4
    assert np.abs(second[inner].astype(int) - first[inner]).mean() > 10


def test_warping_by_whole_pixels_is_exact_for_every_type_and_repeats_the_border() -> None:
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1)):
        image = (np.random.default_rng(0).random((20, 30, 3)) * top).astype(dtype)
        flow = np.zeros((20, 30, 2), np.float32)
        flow[..., 0] = 4
        for sampling in ("linear", "cubic", "lanczos"):
            moved = warped(image, flow, sampling)
            assert moved.dtype == dtype and moved.shape == image.shape
            assert np.array_equal(moved[:, :26], image[:, 4:]) and np.array_equal(moved[:, 26:], image[:, [-1] * 4])
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    assert np.array_equal(warped(gray, np.zeros((3, 4, 2), np.float32)), gray)


def test_flows_that_meet_agree_and_what_is_covered_or_leaves_the_frame_does_not() -> None:
    flow, back = np.zeros((20, 20, 2), np.float32), np.zeros((20, 20, 2), np.float32)
    flow[..., 0], back[..., 0] = 2, -2
    flow[5:10, 5:10] = (6, 0)  # an object that runs ahead: the way back from where it comes to leads elsewhere
    agrees = agreeing(flow, back)
    assert not agrees[:, 18:].any()  # leaves the frame
    assert not agrees[5:10, 5:10].any()
    rest = np.ones_like(agrees)
    rest[:, 18:], rest[5:10, 5:10] = False, False
    assert agrees[rest].all()


def test_a_cut_is_seen_and_motion_is_none() -> None:
    wide, other = texture(80, 112), texture(seed=5) // 2 + 120
    frame, next_one = wide[8:72, 8:104], wide[9:73, 10:106]
    for second, cut in ((next_one, False), (other, True), (frame, False)):
        flow, back = dense_flow(frame, second), dense_flow(second, frame)
        assert is_cut(frame, warped(second, flow), agreeing(flow, back)) is cut


@pytest.mark.parametrize("size", [(1, 1), (2, 50), (8, 100), (24, 500), (33, 90), (100, 9)])
def test_no_size_ends_the_process(size: tuple[int, int]) -> None:
    """DIS itself reads beside narrow strips, and segments fault."""
    frame = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    for method in METHODS:
        flow = dense_flow(frame, np.roll(frame, 1, 1), method)
        assert flow.shape == (*size, 2) and np.isfinite(flow).all()


def test_frames_of_every_type_are_seen_alike() -> None:
    frame = texture()
    gray = gray_of(frame)
    assert gray.dtype == np.uint8 and gray.shape == (64, 96)
    assert np.abs(gray_of(frame.astype(np.uint16) * 257).astype(int) - gray).max() <= 1
    assert np.abs(gray_of(frame.astype(np.float32) / 255).astype(int) - gray).max() <= 1
    assert np.array_equal(gray_of(frame[..., :1]), frame[..., 0])


def test_unlike_sizes_and_unknown_methods_are_refused() -> None:
    frame = texture()
    with pytest.raises(ValueError, match="one size"):
        dense_flow(frame, frame[:32])
    with pytest.raises(ValueError, match="dis-fast"):
        dense_flow(frame, frame, "raft")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="one size"):
        warped(frame, np.zeros((3, 3, 2), np.float32))
