"""Films without flicker: what was shown is carried along by optical flow, and new frames are blended into it."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from toolbox.inference.video.motion import contrast_of, evenness_of, filled, match_of
from toolbox.io.errors import UserError
from toolbox.video.flow import agreeing, dense_flow, is_cut, warped

_FLOW_SIDE, _FLOW_FACTOR = 640, 4.0
"""Flow is measured on the source enlarged to the result's size, this many times and this long at most."""
_AWAY = 6.0
"""Levels by which a result's coarse parts may differ from the source's and count as its own."""
_SHARPER, _SHARP, _NOISE = 1.15, 2.0, 1.0
"""Most that detail is strengthened; the sigma below which it is fine; variance that needs no strengthening."""
_STEP = 257
"""History has 16 bits, so that small changes add up: steps of a level."""


class _Seen(NamedTuple):
    """What is remembered: the source at the flow's size, (h, w, 3) uint8, and what was shown, (H, W, C) uint16."""

    source: np.ndarray
    shown: np.ndarray


class Steady:
    """Takes flicker out of a film that a network enlarges or paints frame by frame.

    What was shown is carried to the new frame by flow between the source's frames (OpenCV's DIS), and `amount` of it
    stays where flow forward and back meet and the sources look alike. Coarse parts that the network left as the
    source has them are taken from the new frame, since flow could only move them wrongly: of an enlargement detail
    alone is blended. Where the network paints, coarse parts are blended too, and fine detail keeps the strength that
    it has in the new frame. At a cut everything begins anew.

    After Ruder et al. (GCPR 2016) and Lai et al. (ECCV 2018), without training; the split into coarse and fine is ours.

    Args:
        amount: 0 leaves every frame as it is; at 1 nothing new is shown where the film only moves.

    Raises:
        UserError: the amount is not from 0 to 1.
    """

    def __init__(self, amount: float) -> None:
        if not 0 <= amount <= 1:
            raise UserError(f"--temporal {amount:g}: must be from 0 (every frame by itself) to 1")
        self.amount = amount
        self._seen: _Seen | None = None

    def state(self) -> dict[str, np.ndarray]:
        """What is remembered, by name; empty before the first frame."""
        return {} if self._seen is None else self._seen._asdict()

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state, bit for bit as if never stopped; from an empty one, anew."""
        self._seen = _Seen(state["source"], state["shown"]) if state else None

    def __call__(self, source: np.ndarray, result: np.ndarray) -> np.ndarray:
        """A source frame (H, W, C) and its result (sH, sW, C'), uint8 or uint16, to the result as it is shown."""
        if self.amount == 0:
            return result
        source = _bytes(source)
        now = _at_flow_size(source, result.shape[:2])
        shown = result if result.dtype == np.uint16 else result.astype(np.uint16) * _STEP
        if self._seen is not None and self._seen.source.shape == now.shape and self._seen.shown.shape == shown.shape:
            shown = self._blended(source, now, shown, self._seen)
        self._seen = _Seen(now, shown)
        return (
            shown if result.dtype == np.uint16 else ((shown.astype(np.uint32) + _STEP // 2) // _STEP).astype(np.uint8)
        )

    def _blended(self, source: np.ndarray, now: np.ndarray, new: np.ndarray, seen: _Seen) -> np.ndarray:
        """The new frame (H, W, C) uint16 with as much of what was shown as goes with it."""
        flow, back = dense_flow(now, seen.source), dense_flow(seen.source, now)
        agrees = agreeing(flow, back)
        contrast = contrast_of(now)
        flow = filled(flow, agrees, contrast)
        moved = warped(seen.source, flow)
        if is_cut(now, moved, agrees):
            return new
        size, flow_size = new.shape[1::-1], now.shape[1::-1]
        scale = np.array([size[0] / flow_size[0], size[1] / flow_size[1]], np.float32)
        carried = warped(seen.shown, cv2.resize(flow, size) * scale, "lanczos").astype(np.float32)
        fresh = new.astype(np.float32)
        coarse_size = _coarse_size(source.shape[1::-1], size)
        own = _own(source, fresh, coarse_size)  # (h, w): 1 where coarse parts are the source's
        painted = cv2.resize(1 - own, flow_size)
        sure = painted * evenness_of(flow)  # strokes that are carried through uneven flow become whirls
        weight = cv2.resize(match_of(now, moved, agrees, contrast, painted, sure), size) * self.amount
        carried -= fresh  # what blending all of it would change
        coarse = cv2.resize(carried, coarse_size, interpolation=cv2.INTER_AREA).reshape(*own.shape, -1)
        carried -= cv2.resize(coarse * own[..., None], size, interpolation=cv2.INTER_CUBIC).reshape(carried.shape)
        carried *= weight[..., None]
        carried += fresh
        if painted.max() > 0.1:
            carried = _as_sharp(carried, fresh, cv2.resize(painted, size))
        return np.rint(carried.clip(0, 65535, out=carried)).astype(np.uint16)


def _bytes(source: np.ndarray) -> np.ndarray:
    return source if source.dtype == np.uint8 else cv2.convertScaleAbs(source, alpha=1 / _STEP).reshape(source.shape)


def _at_flow_size(source: np.ndarray, result: tuple[int, int]) -> np.ndarray:
    """The source (h, w, C) as large as flow is measured: sub-pixel motion is seen better on an enlarged one."""
    longest = max(source.shape[:2])
    factor = min(_FLOW_FACTOR, max(1.0, max(result) / longest), _FLOW_SIDE / longest)
    size = [max(1, round(side * factor)) for side in source.shape[1::-1]]
    made = cv2.resize(source, size, interpolation=cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA)
    return made.reshape(*made.shape[:2], -1)


def _coarse_size(source: tuple[int, int], result: tuple[int, int]) -> tuple[int, int]:
    """Width and height of coarse parts: the source's of what is enlarged, a quarter of what keeps its size."""
    share = 1 if result[0] >= 2 * source[0] else 4
    return max(1, source[0] // share), max(1, source[1] // share)


def _own(source: np.ndarray, result: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """From 1, where a result's coarse parts are its source's own, to 0, where they are painted: (h, w)."""
    small = cv2.resize(result, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1) / np.float32(_STEP)
    there = cv2.resize(source, size, interpolation=cv2.INTER_AREA).reshape(size[1], size[0], -1)
    if there.shape[2] != small.shape[2]:
        there, small = there.mean(axis=2, dtype=np.float32, keepdims=True), small.mean(axis=2, keepdims=True)
    away = np.abs(cv2.blur(small - there, (5, 5)).reshape(small.shape)).max(axis=2)
    return np.exp(-((away / _AWAY) ** 2))


def _as_sharp(made: np.ndarray, fresh: np.ndarray, painted: np.ndarray) -> np.ndarray:
    """`made` with its fine detail as strong as `fresh`'s where it is painted: averaging strokes wears them down."""
    smooth = cv2.GaussianBlur(made, (0, 0), _SHARP).reshape(made.shape)
    fine = made - smooth
    wanted = _energy(fresh - cv2.GaussianBlur(fresh, (0, 0), _SHARP).reshape(fresh.shape))
    gain = np.sqrt(wanted / _energy(fine)).clip(1, _SHARPER)
    fine *= (1 + (gain - 1) * painted)[..., None]
    return fine + smooth


def _energy(fine: np.ndarray) -> np.ndarray:
    return cv2.blur(np.square(fine / _STEP).mean(axis=2), (9, 9)) + _NOISE
