"""The distance to a style in the correlations of a network's channels."""

from __future__ import annotations

from itertools import accumulate, pairwise

import torch
from torch import Tensor

from toolbox import FeatureNetwork, UserError, did_you_mean

from .activations import activations_of
from .to_style import StyleDistance


class GramDistance(StyleDistance):
    """Squared difference of Gram matrices over the style's own square, mean over layers and images. Less is better.

    A Gram matrix (Gatys et al. 2016) is the mean over positions of the products of all channels' activations: it knows
    texture and colour, not where they are, so images may be of any size. Against a set it is compared with the mean of
    the set's matrices. 0 is equal, 1 what an image without any activation reaches. Called after the network:
    `lite0_gram`; `layers` are the network's `taps` where it names any, or else all that it knows.

    Against references each image's matrices are kept until the end: VGG19's 32 layers take 19 MB an image, the five
    that papers use 2.4 MB. `reference`, `style`, `style_size` and `paired` are StyleDistance's.
    """

    def __init__(
        self,
        *,
        prediction: str,
        features: FeatureNetwork,
        reference: str | None = None,
        style: str | None = None,
        style_size: int | None = None,
        layers: list[str] | None = None,
        paired: bool = False,
        quantize: bool = True,
        baseline: bool = True,
    ) -> None:
        super().__init__(
            prediction=prediction, reference=reference, style=style, style_size=style_size, paired=paired,
            quantize=quantize, baseline=baseline,
        )  # fmt: skip
        self.features = features
        self.layers: list[str] = [*(getattr(features, "taps", features.layers) if layers is None else layers)]
        if not self.layers:
            raise UserError(f"layers must name at least one layer of {type(features).__name__}")
        for layer in self.layers:
            if layer not in features.layers:
                name = type(features).__name__
                raise UserError(f"layers: {name} has no layer {layer!r}{did_you_mean(layer, features.layers)}")
        short = getattr(features, "short_name", type(features).__name__.lower())
        self.name = f"{short}_gram"
        side = max(getattr(features, "smallest", 1), 32)
        found = activations_of(features, torch.zeros(1, 3, side, side), self.layers)
        self.ends = [0, *accumulate(each.shape[1] ** 2 for each in found)]  # rank 0 splits what others described

    @property
    def protocol(self) -> str:
        return f"{self.name}[{type(self.features).__name__}:{'+'.join(self.layers)},{self.setting},relative]"

    @torch.no_grad()
    def describe(self, image: Tensor) -> Tensor:
        """The Gram matrices of all layers for an image (3, H, W) in [0, 1], one after the other."""
        image = self.rounded(image)[None]
        matrices = []
        for found in activations_of(self.features, image, self.layers):
            rows = found[0].flatten(1).double()  # (c, h*w)
            matrices.append((rows @ rows.T / rows.shape[1]).flatten())
        return torch.cat(matrices).float().cpu()

    def distance(self, described: Tensor, style: Tensor) -> float:
        """Compare all matrices, layer by layer."""
        found = []
        for start, end in pairwise(self.ends):
            wanted = style[start:end].double()
            difference = (described[start:end].double() - wanted).square().sum()
            found.append(float(difference / wanted.square().sum().clamp(min=1e-12)))
        return sum(found) / len(found)
