"""One network that enlarges small photographs faithfully, and paints them large in one of several styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import log2
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from toolbox import GradedGenerator, UserError
from toolbox_plugins.cyclegan.resampling import Blur, blockwise_convolution, enlarged_convolution
from toolbox_plugins.span.generator import SPAN

from .chroma import ChromaHead, coloured
from .layers import StyledBlock, padded_convolution
from .norm import Moments, Statistics, StyledNorm, with_more_styles
from .strokes import Grain, StrokeField, directions_of

FINE = 24
"""Channels at the output's size at least."""
MARGIN = 4
"""Small pixels by which a picture is continued for the upscaler, whose convolutions are padded with zeros."""
NORMS = ("instance", "none")
BRUSHES = ((3.5, 0.85), (5.0, 0.8))
"""How far noise is drawn out, along and across, at low resolution and enlarged twice."""
PERIOD = 64
"""Small pixels after which the noise that strokes are made of repeats."""


class StyleSPAN(GradedGenerator):
    """Images (B, 3, H, W) in [0, 1] to (B, 3, scale*H, scale*W): enlarged at strength 0, painted at strength 1.

    `upscaler` is SPAN (Wan et al., 2024), which keeps its published weights: it is never trained here. The painter
    begins with the features of its block `tap`, normalised, and the small picture: residual blocks with conditional
    instance norm (Dumoulin et al., 2017) at low resolution, then nearest-neighbour enlargement and convolutions
    (Odena et al., 2016), whose features have a scale and an offset for each style too. Between the strengths the
    two pictures are mixed, so that a style's distance falls and the content's rises at every step.

    Statistics are those of the image given, or of a whole picture by `survey`, so that its tiles agree.

    Args:
        styles: their names. A style is 2 numbers a channel of each norm.
        width: channels of the painter at low resolution; halved, down to 24, each time it enlarges.
        blocks: its residual blocks.
        tap: the block of the upscaler whose features it sees, 1 to 6; 0 for none.
        norm: `instance`: features are normalised at low resolution. `none`: the network knows absolute colours, and no
            picture but its surroundings, as a filter does; strokes come late.
        upscaler_width: channels of the upscaler; published files have 48 and 52.
        trains: `all` of the painter, or `styles` alone, their scales and offsets, which teaches it a new one in
            minutes. Weights of a network with fewer styles load as those of the first.
        strokes: planes of noise that the painter sees at low resolution, and as many that it sees enlarged twice, to
            paint strokes where the photograph is plain. They are drawn out along what it shows (`StrokeField`), as
            lines are by line integral convolution (Cabral and Leedom, 1993).
        antialias: features are blurred before each enlargement (Zhang, 2019): what alternates from one to the next, of
            which a network makes a weave in plain areas, is lost, and outlines are drawn behind it.
        chroma_subsampling: light and shade are painted at the output's size, colour at the small picture's, enlarged
            bilinearly. Otherwise a network draws dots and a weave of colours finer than any painting's, and pays for
            three planes at full size where one is seen.
        grain: a plane of noise is seen before the last enlargement's convolution, to paint what is finer than a small
            pixel where the photograph shows nothing: a canvas, the hairs of a brush.

    Raises:
        UserError: an argument is out of range, or two styles have one name.
    """

    def __init__(
        self,
        *,
        styles: Sequence[str],
        width: int = 64,
        blocks: int = 4,
        tap: int = 2,
        scale: int = 4,
        upscaler_width: int = 52,
        trains: str = "all",
        norm: str = "instance",
        strokes: int = 0,
        antialias: bool = False,
        chroma_subsampling: bool = False,
        grain: bool = False,
    ) -> None:
        super().__init__()
        self.styles = check_styles(styles)
        if scale not in (1, 2, 4, 8):
            raise UserError(f"scale must be 1, 2, 4 or 8, got {scale}")
        if min(width, upscaler_width) < 1 or min(blocks, strokes) < 0 or not 0 <= tap <= 6:
            got = f"{width}, {upscaler_width}, {blocks}, {strokes}, {tap}"
            raise UserError(
                f"width and upscaler_width must be above 0, blocks and strokes 0 or more and tap from 0 to 6, got {got}"
            )
        if grain and scale == 1:
            raise UserError("grain is seen where the painter enlarges: scale must be 2, 4 or 8")
        if norm not in NORMS:
            raise UserError(f"norm must be instance or none, got {norm!r}")
        self.scale, self.tap, count = scale, tap, len(self.styles)
        self.normed = norm != "none"
        self.upscaler = SPAN(width=upscaler_width, scale=scale).requires_grad_(False)
        self.first = padded_convolution(3 + (upscaler_width if tap else 0) + strokes, width)
        self.first_norm = StyledNorm(width, count, normed=self.normed)
        self.blocks = nn.ModuleList(StyledBlock(width, count, normed=self.normed) for _ in range(blocks))
        widths = [width] + [max(FINE, width >> step) for step in range(1, int(log2(scale)) + 1)]
        seen = [widths[0] + strokes, *widths[1:]]
        if grain:
            seen[-2] += 1
        self.finer = nn.ModuleList(padded_convolution(*pair) for pair in zip(seen[:-1], widths[1:], strict=True))
        self.blurs = nn.ModuleList(Blur(each) if antialias else nn.Identity() for each in widths[:-1])
        self.finer_norms = nn.ModuleList(StyledNorm(each, count, normed=False) for each in widths[1:])
        self.last = padded_convolution(widths[-1], 1 if chroma_subsampling else 3, 5)
        self.chroma = ChromaHead(width, count) if chroma_subsampling else None
        self.brushes = nn.ModuleList(  # at low resolution, and at twice that
            StrokeField(strokes, period=PERIOD << level, along=along, across=across, seed=level)
            for level, (along, across) in enumerate(BRUSHES[: min(2, len(widths)) if strokes else 0])
        )
        self.grain = Grain(period=PERIOD * scale) if grain else None
        self.period = PERIOD if strokes or grain else 1
        if trains not in ("all", "styles"):
            raise UserError(f"trains must be all or styles, got {trains!r}")
        if trains == "styles":
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    module.requires_grad_(False)

    @classmethod
    def example_arguments(cls) -> dict[str, Any]:
        """A small one of two styles."""
        return {"styles": ["first", "second"], "width": 8, "blocks": 1, "upscaler_width": 8}

    def forward(
        self,
        images: Tensor,
        strength: Tensor | float | None = None,
        style: Tensor | None = None,
        statistics: Sequence[Moments] | None = None,
    ) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] to (B, 3, scale*H, scale*W), nominally in [0, 1].

        Args:
            strength: (B,) in [0, 1]; without it images are painted, and the upscaler ends at its tap. The number 0 is
                that of all, and the painter is not asked.
            style: (B, styles), shares that add up to 1; without it the first style.
            statistics: what `survey` gave for the whole picture.
        """
        if isinstance(strength, (int, float)):
            if strength == 0:
                return self.enlarge(images)
            strength = images.new_full((images.shape[0],), strength)
        painted = self.paint(images, self.shares(images, style), Statistics(statistics))
        if strength is None:
            return painted
        return torch.lerp(self.enlarge(images), painted.float(), strength.float()[:, None, None, None])

    def fitted(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Weights of a network with fewer styles are those of the first ones; a new style begins as their mean."""
        return with_more_styles(self, state)

    def enlarge(self, images: Tensor) -> Tensor:
        """Strength 0: images (B, 3, H, W) in [0, 1] to (B, 3, scale*H, scale*W), float32."""
        return self.upscaler(images).float()

    @torch.no_grad()
    def survey(self, images: Tensor, style: Tensor | None = None) -> list[Moments]:
        """The statistics of whole images (B, 3, H, W) in a style: what `forward` takes for their tiles."""
        statistics = Statistics()
        self.sketch(images, self.shares(images, style), statistics, self.strokes(images))
        return statistics.found

    def shares(self, images: Tensor, style: Tensor | None) -> Tensor:
        """The shares of the styles (B, styles), float32, by default all of the first."""
        if style is None:
            style = torch.eye(1, len(self.styles), device=images.device)
        return style.float().expand(images.shape[0], -1)

    def paint(self, images: Tensor, shares: Tensor, statistics: Statistics) -> Tensor:
        """Strength 1."""
        strokes = self.strokes(images)
        return self.finish(self.sketch(images, shares, statistics, strokes), shares, statistics, strokes)

    def strokes(self, images: Tensor) -> list[Tensor]:
        """Noise drawn out along what small images show (B, planes, H, W), and (B, planes, 2H, 2W); none without."""
        if not self.brushes:
            return []
        directions, (height, width) = directions_of(images), images.shape[-2:]
        last = images.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        return [
            brush(directions, (height * 2**level, width * 2**level)).to(images.dtype, memory_format=layout)
            for level, brush in enumerate(self.brushes)
        ]

    def finish(self, features: Tensor, shares: Tensor, statistics: Statistics, strokes: Sequence[Tensor]) -> Tensor:
        """What was sketched (B, width, H, W), enlarged and painted out (B, 3, scale*H, scale*W) in [0, 1]."""
        chroma = None if self.chroma is None else self.chroma(features, shares, statistics)
        for level in range(len(self.finer)):
            features = self.finer_step(level, features, shares, statistics, strokes)
        convolution: Any = self.last
        wide = pad(features, (2, 2, 2, 2), mode="replicate")
        last = torch.sigmoid(blockwise_convolution(wide, convolution.weight, convolution.bias, min(self.scale, 4)))
        return last if chroma is None else coloured(last, chroma, self.scale)

    def finer_step(
        self, level: int, features: Tensor, shares: Tensor, statistics: Statistics, strokes: Sequence[Tensor]
    ) -> Tensor:
        """Features (B, c, H, W) to twice their size, (B, d, 2H, 2W)."""
        convolution: Any = self.finer[level]
        beside = [*strokes[1:]] if level == 0 else []
        if self.grain is not None and level == len(self.finer) - 1:
            size = [2 * side for side in features.shape[-2:]]
            beside.append(self.grain(size).to(features.dtype).expand(len(features), -1, -1, -1))
        planes = torch.cat(beside, 1) if beside else None
        found = enlarged_convolution(self.blurs[level](features), convolution.weight, convolution.bias, planes)
        return self.finer_norms[level](found, shares, statistics).relu_()  # in place: these are the largest features

    def sketch(
        self,
        images: Tensor,
        shares: Tensor,
        statistics: Statistics,
        strokes: Sequence[Tensor],
        remembered: Tensor | None = None,
    ) -> Tensor:
        """What is painted at low resolution (B, width, H, W): all that looks at the whole picture.

        What is `remembered` of frames before, (B, width, H, W), is added to what is seen.
        """
        seen = [images * 2 - 1]
        if self.tap:
            with torch.no_grad():
                features = self.features_of(images)
            seen.append((statistics.normalise(features) if self.normed else features / 255).to(images))
        found = self.first(torch.cat([*seen, *strokes[:1]], 1))
        found = found if remembered is None else found + remembered
        features = relu(self.first_norm(found, shares, statistics))
        for block in self.blocks:
            features = block(features, shares, statistics)
        return features

    def features_of(self, images: Tensor) -> Tensor:
        """The upscaler's features (B, c, H, W) at its tap, as if the picture went on: beside zeros it sees edges."""
        wide = pad(images, (MARGIN,) * 4, mode="replicate")
        return self.upscaler.features_until(wide, self.tap)[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def check_styles(styles: Sequence[str]) -> list[str]:
    """The names of styles. Raises UserError where there is none, one is no name, or two are the same."""
    names = [str(each) for each in styles]
    if not names or isinstance(styles, str):
        raise UserError(f"styles must be a list of at least one name, got {styles!r}")
    wrong = [name for name in names if not name or name.isdigit() or set(name) & set(",:/\\")]
    if wrong:
        raise UserError(f"styles: {wrong[0]!r} is no name of a style; letters and dashes are")
    if len(set(names)) < len(names):
        raise UserError(f"styles: two of {', '.join(names)} have one name")
    return names
