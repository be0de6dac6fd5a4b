"""TecoGAN's two metrics of motion (Chu et al., ACM TOG 2020): of optical flow, and of perceived change."""

from __future__ import annotations

import numpy as np

from toolbox import FeatureNetwork, Frame
from toolbox.video.flow import dense_flow

from .clip_pixels import Motion, MotionMetric, pixels
from .feature_distance import FeatureDistance


class TOF(MotionMetric):
    """Mean length, in pixels, of the difference of two films' Farnebäck flows. Less is better.

    The flow's settings are the paper's; unlike there no border is cut, and nothing is measured between scenes.
    """

    name = "tof"

    def __init__(self, *, prediction: str, reference: str, baseline: bool = True) -> None:
        super().__init__(prediction=prediction, reference=reference, method="farneback", baseline=baseline)

    @property
    def protocol(self) -> str:
        return "tof[rec601,uint8,farneback(.5,3,15,3,5,1.2),no_cuts]"

    def compare(self, before: Frame, now: Frame, motion: Motion) -> tuple[float, ...]:
        """The flows' mean distance."""
        flow = dense_flow(pixels(before.prediction), pixels(now.prediction), "farneback")
        return (float(np.linalg.norm(flow - motion.back, axis=2).mean()),)


class TLP(MotionMetric):
    """How unlike two films change to the eye: |d(frames of one) - d(frames of the other)| x 100. Less is better.

    `d` is `FeatureDistance`'s, where the paper has LPIPS: figures compare among themselves. It rewards change as the
    reference has it, not steadiness.
    """

    def __init__(
        self, *, prediction: str, reference: str, features: FeatureNetwork, layers: list[str] | None = None,
        baseline: bool = True,
    ) -> None:  # fmt: skip
        super().__init__(prediction=prediction, reference=reference, method="dis-medium", baseline=baseline)
        self.distance = FeatureDistance(prediction=prediction, reference=reference, features=features, layers=layers)
        self.name = f"tlp_{self.distance.name.removesuffix('_distance')}"

    @property
    def protocol(self) -> str:
        return f"{self.name}[{self.distance.protocol},x100,no_cuts]"

    def compare(self, before: Frame, now: Frame, motion: Motion) -> tuple[float, ...]:
        """The difference of the two changes."""
        ours, theirs = (self.distance.measure(first, second) for first, second in zip(before, now, strict=True))
        return (100 * abs(ours - theirs),)
