"""Gram matrices of several styles at once, each image against its own: how one network learns many painters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from toolbox import FeatureNetwork, Loss, UserError, resize_to

from .perceptual import check_layers, in_precision
from .style_criteria import CRITERIA
from .style_files import check_size, style_images


class StyleImagesLoss(Loss):
    """How far the style of images is from that of their own style's pictures, at several sizes.

    For each size, the images are shrunk by it, and so are the pictures, or enlarged where it is below 1, so that a
    network whose first convolution takes steps of two pixels sees each. Layer by layer, `gram` compares Gram matrices
    (Johnson et al. 2016, section 3.2), `moments` means and deviations (Huang and Belongie 2017), and `sliced` the
    activations themselves as sets (Heitz et al. 2021), which takes longer and leaves less to chance. A layer's
    difference is divided by what an image without any activation would cost: 0 is the style, 1 far from it, and layers
    and sizes count alike. Strokes are as large as in the pictures, times `enlarge`.

    Args:
        images: for each style by its name, a file or a folder, over whose images statistics are averaged: few, or one,
            keep a hand that many blur.
        layers: the weight of each layer.
        texture: a second network, whose layers `texture_layers` count beside those, with weights of their own, always
            by Gram matrices. A generator finds patterns that please one network and no other; a second one, which may
            be untrained (`RandomFeatures`), sees them.
        styles: the names of all styles in the order of their numbers, where `images` has some of them alone.
        enlarge: what the pictures are resized by first, for all styles or by name.
        size: pixels that their shorter side is resized to before that; without it they stay as they are.
        sizes: what both are shrunk by before they are compared: whole numbers, or 0.5, 0.25 and so on, which enlarge.
            Of the images a part, drawn at random, is enlarged to what the whole measures.
        amp: compute the features of the images in the run's precision; the pictures' always are in float32.

    Raises:
        UserError: a layer that the network has not, an unknown criterion or style, a size that is none, a bad file.
    """

    def __init__(
        self,
        *,
        features: FeatureNetwork,
        images: Mapping[str, str],
        layers: dict[str, float],
        texture: FeatureNetwork | None = None,
        texture_layers: dict[str, float] | None = None,
        styles: Sequence[str] | None = None,
        enlarge: float | dict[str, float] = 1.0,
        size: int | None = None,
        sizes: Sequence[float] = (1, 2),
        criterion: str = "gram",
        amp: bool = True,
    ) -> None:
        super().__init__()
        if criterion not in CRITERIA:
            raise UserError(f"criterion must be gram, moments or sliced, got {criterion!r}")
        if not images:
            raise UserError("images must name at least one style with its file or folder")
        if not sizes or not all(size > 0 and (size if size >= 1 else 1 / size) % 1 == 0 for size in sizes):
            raise UserError(f"sizes must be whole numbers of 1 or more, or 0.5, 0.25 and so on, got {list(sizes)}")
        factors = enlarge if isinstance(enlarge, Mapping) else dict.fromkeys(images, enlarge)
        unknown = [name for name in factors if name not in images]
        if unknown or any(factor <= 0 for factor in factors.values()):
            raise UserError(f"enlarge must be above 0, of styles that images names, got {enlarge}")
        self.features, self.layers, self.sizes, self.amp = features, check_layers(features, layers), list(sizes), amp
        if (texture is None) != (texture_layers is None):
            raise UserError("texture is a network and texture_layers the weights of its layers: give both or neither")
        self.texture = texture
        self.texture_layers = check_layers(texture, texture_layers or {}, "texture_layers") if texture else {}
        self.images, self.enlarge, self.criterion = dict(images), enlarge, criterion
        check_size(size)
        self.size = size
        self.styles = list(images if styles is None else styles)
        if strangers := [name for name in images if name not in self.styles]:
            raise UserError(f"images: {strangers[0]!r} is none of the styles {', '.join(self.styles)}")
        self.register_buffer("drawn", torch.tensor([self.styles.index(name) for name in images]), persistent=False)
        places = [list(images).index(name) if name in images else 0 for name in self.styles]
        self.register_buffer("places", torch.tensor(places), persistent=False)
        first, second = CRITERIA[criterion], CRITERIA["gram"]
        self.criteria = [*[first] * len(self.layers), *[second] * len(self.texture_layers)] * len(self.sizes)
        targets = [self.targets(file, factors.get(name, 1.0)) for name, file in images.items()]
        for number, (how, each) in enumerate(zip(self.criteria, zip(*targets, strict=True), strict=True)):
            self.register_buffer(f"target_{number}", torch.cat(each), persistent=False)  # (styles, ...)
            self.register_buffer(f"norm_{number}", how.size(torch.cat(each)).clamp(min=1e-12), persistent=False)

    @torch.no_grad()
    def targets(self, file: str, factor: float) -> list[Tensor]:
        """What is compared with of a style's pictures (1, ...), size by size and layer by layer."""
        described = [self.described(picture, factor) for picture in style_images(file, self.size)]
        return [how.merged(each) for how, each in zip(self.criteria, zip(*described, strict=True), strict=True)]

    def described(self, picture: Tensor, factor: float) -> list[Tensor]:
        """What is kept of one picture (1, 3, H, W), resized by a factor: (1, ...) each."""
        height, width = (max(ceil(max(self.sizes)), round(side * factor)) for side in picture.shape[-2:])
        whole = resize_to(picture, (height, width)).clamp(0, 1)
        seen = [each for size in self.sizes for each in self.activations(shrunk(whole, size))]
        return [how.describe(each) for how, each in zip(self.criteria, seen, strict=True)]

    def activations(self, images: Tensor) -> list[Tensor]:
        """Of images (B, 3, H, W) in [0, 1], (B, c, h, w) for each layer of both networks, float32."""
        found: list[Tensor] = []
        for network, layers in ((self.features, self.layers), (self.texture, self.texture_layers)):
            if network is not None:
                with in_precision(self.amp):
                    activations = network(images.float(), layers=list(layers))
                found += [activations[name].float() for name in layers]
        return found

    def asks(self, prediction: Tensor, style: Tensor | None = None) -> list[tuple[nn.Module, Tensor, list[str]]]:
        """What `forward` is going to ask of the network for the images as they are, so that losses share the pass."""
        return [(self.features, prediction.float(), [*self.layers] if self.amp and 1 in self.sizes else [])]

    def forward(self, prediction: Tensor, style: Tensor | None = None) -> Tensor:
        """Compare images (B, 3, H, W) in [0, 1] with the styles of numbers (B,), or all with the first; a scalar."""
        if style is None:
            style = self.get_buffer("drawn")[:1].expand(len(prediction))
        place = self.get_buffer("places").index_select(0, style.long().flatten())
        found = [each for size in self.sizes for each in self.activations(shrunk(part_of(prediction, size), size))]
        weights = [*self.layers.values(), *self.texture_layers.values()] * len(self.sizes)
        terms = []
        for number, (how, each, weight) in enumerate(zip(self.criteria, found, weights, strict=True)):
            cost = how.cost(each, self.get_buffer(f"target_{number}"), place)
            terms.append(weight * (cost / self.get_buffer(f"norm_{number}").index_select(0, place)).mean())
        return torch.stack(terms).sum()

    def __repr__(self) -> str:
        """As in the config."""
        return (
            f"StyleImagesLoss(features={self.features!r}, images={self.images}, layers={self.layers}, "
            f"styles={self.styles}, enlarge={self.enlarge}, sizes={self.sizes}, criterion={self.criterion!r}"
            f"{f', texture={self.texture!r}, texture_layers={self.texture_layers}' if self.texture else ''}"
            f"{'' if self.size is None else f', size={self.size}'}{'' if self.amp else ', amp=False'})"
        )


def shrunk(images: Tensor, size: float) -> Tensor:
    """Images (B, C, H, W), each `size` by `size` pixels one, their mean; below 1 they are enlarged, bilinearly."""
    if size < 1:
        return interpolate(images, scale_factor=round(1 / size), mode="bilinear", align_corners=False)
    return images if size == 1 else avg_pool2d(images, int(size))


def part_of(images: Tensor, size: float) -> Tensor:
    """Of images (B, C, H, W) that are going to be enlarged, the same part of each, drawn at random."""
    if size >= 1:
        return images
    height, width = (max(1, round(side * size)) for side in images.shape[-2:])
    top, left = (
        int(torch.randint(side - kept + 1, ()))  # on the CPU, as all random sizes
        for side, kept in zip(images.shape[-2:], (height, width), strict=True)
    )
    return images[..., top : top + height, left : left + width]
