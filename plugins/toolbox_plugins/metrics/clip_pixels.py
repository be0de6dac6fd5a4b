"""What metrics of motion share: frames as pixels, and the motion of the reference, measured once for all of them."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from toolbox import ClipMetric, Frame, UserError
from toolbox.video.flow import METHODS, Method, agreeing, dense_flow, is_cut, warped


class Motion(NamedTuple):
    """Flow from a frame to the one before it and back, (H, W, 2), where both agree, (H, W), and whether it is a cut."""

    flow: np.ndarray
    back: np.ndarray
    agrees: np.ndarray
    cut: bool


class MotionMetric(ClipMetric):
    """Base of metrics that follow the reference's motion; both clips are rounded to 8 bits, as saving them would."""

    def __init__(self, *, prediction: str, reference: str, method: Method, baseline: bool) -> None:
        super().__init__(prediction=prediction, reference=reference, baseline=baseline)
        if method not in METHODS:
            raise UserError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        self.method: Method = method

    @property
    def setting(self) -> str:
        """The protocol's part that all share: `RGB,uint8,dis-medium@reference,no_cuts`."""
        return f"RGB,uint8,{self.method}@reference,no_cuts"

    def between(self, before: Frame, now: Frame) -> tuple[float, ...] | None:
        """As `compare` of the pixels, where the reference goes on."""
        if before.prediction.shape != now.reference.shape or now.prediction.shape != now.reference.shape:
            raise ValueError(
                f"{type(self).__name__}: {self.prediction} {tuple(now.prediction.shape)} and {self.reference} "
                f"{tuple(now.reference.shape)} must be of one size (is the scale right?)"
            )
        if len(now.reference) not in (1, 3):
            raise ValueError(f"{type(self).__name__}: wants 1 or 3 channels, {self.reference} has {len(now.reference)}")
        motion = motion_of(before.reference, now.reference, self.method)
        return None if motion.cut else self.compare(before, now, motion)

    @abstractmethod
    def compare(self, before: Frame, now: Frame, motion: Motion) -> tuple[float, ...]:
        """The numbers of two frames of one scene."""


_last: dict[Method, tuple[Tensor, Tensor, Motion]] = {}


def motion_of(before: Tensor, now: Tensor, method: Method) -> Motion:
    """The motion between two frames (C, H, W) in [0, 1]; the last one of each method is kept for the next metric."""
    kept = _last.get(method)
    if kept is None or not (_equal(kept[0], before) and _equal(kept[1], now)):
        first, second = pixels(now), pixels(before)
        flow, back = dense_flow(first, second, method), dense_flow(second, first, method)
        agrees = agreeing(flow, back)
        kept = before, now, Motion(flow, back, agrees, is_cut(first, warped(second, flow), agrees))
        _last[method] = kept
    return kept[2]


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.device == other.device and bool(torch.equal(one, other))


def pixels(image: Tensor) -> np.ndarray:
    """(C, H, W) in [0, 1] to (H, W, C) uint8."""
    levels = (image.detach().float().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(1, 2, 0).cpu().numpy())
