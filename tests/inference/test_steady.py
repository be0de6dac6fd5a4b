"""Films are steadied: flicker goes, detail and motion stay, cuts begin anew, and a state goes on bit for bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from toolbox.inference.video.motion import contrast_of, evenness_of, filled, match_of
from toolbox.inference.video.steady import Steady
from toolbox.io.errors import UserError

FRAMES, SCALE = 6, 2


def photograph(seed: int = 0) -> np.ndarray:
    """Detail of all sizes, (96, 144, 3) uint8."""
    rng = np.random.default_rng(seed)
    mixed = sum(cv2.resize(rng.random((96 // s, 144 // s, 3)), (144, 96)) * weight for s, weight in ((3, 1), (12, 3)))
    return (255 * (mixed - mixed.min()) / np.ptp(mixed)).astype(np.uint8)


def pan(step: int = 2, seed: int = 0) -> list[np.ndarray]:
    """Frames (64, 96, 3) of a camera that moves over a photograph by `step` pixels a frame."""
    wide = photograph(seed)
    return [wide[16:80, 8 + step * number : 104 + step * number] for number in range(FRAMES)]


def sources(frames: list[np.ndarray]) -> list[np.ndarray]:
    """The frames at half their size."""
    return [cv2.resize(each, (48, 32), interpolation=cv2.INTER_AREA) for each in frames]


def noisy(frames: list[np.ndarray], seed: int = 1) -> list[np.ndarray]:
    """The frames with noise that differs from one to the next: the flicker of a network's detail."""
    rng = np.random.default_rng(seed)
    return [(each + rng.normal(0, 12, each.shape)).clip(0, 255).astype(np.uint8) for each in frames]


def error(result: np.ndarray, wanted: np.ndarray) -> float:
    """Mean squared difference within the frame, where nothing comes from outside."""
    inner = (slice(8, -8), slice(8, -20))
    return float(np.square(result[inner].astype(float) - wanted[inner]).mean())


def test_flicker_over_a_moving_film_is_halved_at_least_and_its_true_detail_stays() -> None:
    clean = pan()
    given = noisy(clean)
    steady = Steady(0.85)
    shown = [steady(small, result) for small, result in zip(sources(clean), given, strict=True)]
    assert np.array_equal(shown[0], given[0])
    assert error(shown[-1], clean[-1]) < 0.5 * error(given[-1], clean[-1])


def test_a_faithful_film_passes_nearly_unchanged() -> None:
    clean = pan()
    steady = Steady(0.85)
    shown = [steady(small, frame) for small, frame in zip(sources(clean), clean, strict=True)]
    assert error(shown[-1], clean[-1]) < 12  # levels squared: 37 dB


def test_a_still_painting_of_independent_strokes_settles_and_keeps_its_strength() -> None:
    still = [photograph()[:64, :96]] * FRAMES
    strokes = noisy([255 - still[0]] * FRAMES)  # not the source's colours: painted
    steady = Steady(0.85)
    shown = [steady(small, each).astype(float) for small, each in zip(sources(still), strokes, strict=True)]
    before = np.square(strokes[-1].astype(float) - strokes[-2]).mean()
    assert np.square(shown[-1] - shown[-2]).mean() < 0.1 * before


def test_at_a_cut_the_new_scene_is_shown_as_it_is() -> None:
    steady = Steady(0.9)
    old, new = pan(), pan(seed=7)
    for small, frame in zip(sources(old), noisy(old), strict=True):
        steady(small, frame)
    assert np.array_equal(steady(255 - sources(new)[0], 255 - new[0]), 255 - new[0])
    assert np.array_equal(steady.state()["shown"] // 257, 255 - new[0])


@pytest.mark.parametrize("deep", [False, True])
def test_a_run_that_goes_on_from_a_state_equals_an_undisturbed_one_bit_for_bit(deep: bool) -> None:
    frames = noisy(pan())
    smalls = sources(frames)
    if deep:
        frames, smalls = ([each.astype(np.uint16) * 257 + 3 for each in group] for group in (frames, smalls))
    whole = Steady(0.7)
    wanted = [whole(small, frame) for small, frame in zip(smalls, frames, strict=True)]
    assert wanted[-1].dtype == frames[0].dtype
    first, second = Steady(0.7), Steady(0.7)
    assert first.state() == {}
    made = [first(small, frame) for small, frame in zip(smalls[:3], frames[:3], strict=True)]
    second.load_state({name: array.copy() for name, array in first.state().items()})
    made += [second(small, frame) for small, frame in zip(smalls[3:], frames[3:], strict=True)]
    for one, other in zip(made, wanted, strict=True):
        assert np.array_equal(one, other)
    second.load_state({})
    assert np.array_equal(second(smalls[0], frames[0]), frames[0])


def test_amount_0_changes_nothing_and_amounts_outside_0_to_1_are_refused() -> None:
    frames = noisy(pan())
    steady = Steady(0)
    for small, frame in zip(sources(frames), frames, strict=True):
        assert steady(small, frame) is frame
    for wrong in (-0.1, 1.5, float("nan")):
        with pytest.raises(UserError, match="--temporal"):
            Steady(wrong)


def test_frames_of_another_size_gray_and_a_network_that_keeps_the_size_are_taken() -> None:
    frames = noisy(pan())
    steady = Steady(0.5)
    steady(sources(frames)[0], frames[0])
    small = frames[1][:40, :52]
    assert np.array_equal(steady(small, small), small)
    gray = [frame[..., :1] for frame in frames]
    for frame in gray:
        assert steady(frame, frame).shape == frame.shape
    assert steady(frames[0], gray[0]).shape == gray[0].shape


def test_a_flat_wall_moves_as_what_stands_around_it() -> None:
    flow = np.full((60, 60, 2), 9, np.float32)
    flow[:, :20] = (1, 0)
    contrast = np.zeros((60, 60), np.float32)
    contrast[:, :20] = 50
    made = filled(flow, np.ones((60, 60), bool), contrast)
    assert np.allclose(made, (1, 0), atol=1e-3)
    assert np.allclose(filled(flow, np.zeros((60, 60), bool), contrast), 0)  # nothing is known: nothing moves


def test_unlike_places_do_not_go_together_and_covered_ones_do_where_they_are_flat_or_painted() -> None:
    now = np.full((30, 30, 3), 100, np.uint8)
    moved = now.copy()
    moved[:10] = 200
    covered, flat, none = np.zeros((30, 30), bool), np.zeros((30, 30), np.float32), np.zeros((30, 30), np.float32)
    match = match_of(now, moved, covered, flat, none, none)
    assert match[:9].max() < 1e-6 and np.allclose(match[12:], 1)
    busy = np.full((30, 30), 50, np.float32)
    assert match_of(now, now, covered, busy, none, none).max() == 0
    assert np.allclose(match_of(now, now, covered, busy, none, none + 1), 1)
    assert np.allclose(contrast_of(now), 0)
    slope = np.repeat(np.arange(0, 120, 4, dtype=np.uint8)[None, :, None], 30, axis=0)  # 4 levels a pixel
    assert contrast_of(slope)[15, 15] == pytest.approx(4)


def test_a_flow_that_moves_all_as_one_is_even_and_one_that_tears_is_not() -> None:
    flow = np.full((40, 40, 2), (3, -5), np.float32)
    assert np.allclose(evenness_of(flow), 1)
    flow[:, 20:] = (-3, 5)
    torn = evenness_of(flow)
    assert torn[20, 20] < 1e-3 and np.allclose(torn[:, :15], 1)
    zoom = np.stack(np.meshgrid(np.arange(40), np.arange(40)), axis=2).astype(np.float32) * 0.02  # 2 % a frame
    assert evenness_of(zoom)[5:-5, 5:-5].min() > 0.9
