"""Learned perceptual image patch similarity."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from toolbox import MissingWeights, UserError
from toolbox.weights.packaged import packaged_file
from toolbox_plugins.features.lpips_trunks import VGG16, AlexNet, Trunk
from toolbox_plugins.features.weights import find_weights, read_tensors

from .deep import DeepMetric

TRUNKS: dict[str, type[Trunk]] = {"alex": AlexNet, "vgg": VGG16}
HEADS = {
    "torchmetrics": "functional/image/lpips_models/{}.pth",
    "lpips": "weights/v0.1/{}.pth",
}
"""Packages that carry the learned weights of version 0.1, byte for byte the same."""


class LPIPS(DeepMetric):
    """LPIPS, version 0.1 (Zhang et al. 2018): learned weights of channels, summed over five layers. Less is better.

    `network`: `alex`, which papers report, or `vgg`. `weights` is torchvision's file of that network, a path or a
    URL, by default the official URL: it is downloaded once and checked against the hash in its name. `heads` is the
    file of the learned weights; by default the one inside torchmetrics, or else inside the package lpips.
    """

    name = "lpips"

    def __init__(
        self,
        *,
        prediction: str,
        reference: str,
        network: Literal["alex", "vgg"] = "alex",
        weights: str | None = None,
        heads: str | None = None,
        crop: int = 0,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        if network not in TRUNKS:
            raise UserError(f"network must be alex or vgg, got {network!r}")
        kind = TRUNKS[network]
        learned = _read_heads(network, heads)
        super().__init__(
            prediction=prediction, reference=reference, features=kind(weights=weights or kind.official),
            layers=kind.taps, crop=crop, quantize=quantize, baseline=baseline,
        )  # fmt: skip
        self.network = network
        with torch.no_grad():
            found = self.features(torch.zeros(1, 3, kind.smallest, kind.smallest), layers=self.layers)
        widths = [value.shape[1] for value in found.values()]
        if [head.numel() for head in learned] != widths:
            raise UserError(f"heads: {heads} weighs {[h.numel() for h in learned]} channels, {network} has {widths}")
        self.heads = [head.flatten() for head in learned]

    @property
    def protocol(self) -> str:
        return f"lpips[{self.setting},{self.network},v0.1]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (3, H, W) in [0, 1]."""
        differences = self.differences(prediction, reference)
        means = (each.mean(dim=(1, 2)) for each in differences)  # (c,): weighing is linear, so the mean may come first
        return sum(float(mean @ head.to(mean)) for mean, head in zip(means, self.heads, strict=True))


def _read_heads(network: str, heads: str | None) -> list[Tensor]:
    path = find_weights(heads) if heads is not None else None
    for package, member in HEADS.items():
        path = path or packaged_file(package, member.format(network))
    if path is None:
        raise MissingWeights("LPIPS has no learned weights; pip install --no-deps lpips, or give heads")
    state = read_tensors(path)
    keys = [f"lin{layer}.model.1.weight" for layer in range(5)]
    if missing := [key for key in keys if key not in state]:
        raise UserError(f"heads: {path} is no file of LPIPS, it lacks {missing[0]}")
    return [state[key].float() for key in keys]
