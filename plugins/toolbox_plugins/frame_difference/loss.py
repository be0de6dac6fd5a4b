"""A loss that sees flicker, without optical flow."""

from __future__ import annotations

from torch import Tensor

from toolbox import FeatureNetwork, Loss, UserError
from toolbox_plugins.losses.perceptual import check_layers, in_precision
from toolbox_plugins.matching.loss import check_clips


class FrameDifferenceLoss(Loss):
    """The distance of what changes between a clip's frames from what changes between the reference's; a scalar.

    (o_t - o_(t-1)) - (x_t - x_(t-1)), in pixels and, with `features`, in activations (Xu, Xiong and Hu 2021, section
    3): as steady as losses along optical flow, by the votes of 62 people, and no flow is estimated. The mean over
    frames and values. For an enlarger the reference is the large clip, for a painter the video that it paints.

    Args:
        pixels: the weight of the difference of pixels; 0 leaves it out.
        features: a network whose activations are compared too.
        layers: the weight of each of its layers.
        squared: the square instead of the absolute difference.

    Raises:
        UserError: a weight below 0, nothing to compare, or a layer that the network has not.
    """

    def __init__(
        self,
        *,
        pixels: float = 1.0,
        features: FeatureNetwork | None = None,
        layers: dict[str, float] | None = None,
        squared: bool = False,
    ) -> None:
        super().__init__()
        if pixels < 0 or (pixels == 0 and features is None):
            raise UserError(f"pixels must be 0 or more, and above 0 where there are no features, got {pixels}")
        if (features is None) != (layers is None):
            raise UserError("features and layers go together: name a network, and its layers with their weights")
        self.pixels, self.features, self.squared = pixels, features, squared
        self.layers = check_layers(features, layers) if features is not None and layers is not None else {}

    @classmethod
    def example_inputs(cls) -> tuple[Tensor, Tensor]:
        """Two clips of three frames."""
        from toolbox.testing.clips import moving_clips

        return moving_clips(seed=1), moving_clips()

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare clips (B, T, C, H, W) in [0, 1] of two frames or more; the target gets no gradient."""
        check_clips(self, prediction, target)
        prediction, target = prediction.float(), target.detach().float()
        total = self.pixels * self.distance(prediction, target)
        if self.features is not None:
            made, wanted = self.activations(prediction), self.activations(target)
            for layer, weight in self.layers.items():
                total = total + weight * self.distance(made[layer], wanted[layer])
        return total

    def distance(self, prediction: Tensor, target: Tensor) -> Tensor:
        """The mean difference of the changes of clips (B, T, ...)."""
        off = prediction.diff(dim=1) - target.diff(dim=1)
        return off.square().mean() if self.squared else off.abs().mean()

    def activations(self, clips: Tensor) -> dict[str, Tensor]:
        """Of clips (B, T, C, H, W), by layer, each (B, T, c, h, w) in float32."""
        assert self.features is not None
        with in_precision(True):
            found = self.features(clips.flatten(0, 1), layers=list(self.layers))
        return {name: each.float().unflatten(0, clips.shape[:2]) for name, each in found.items()}
