"""What distances to a style share: the style is an image, a folder, or the references of an evaluation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import Tensor

from toolbox import SetMetric, UserError, images_at, images_to_float, read_image
from toolbox.io.search import place


class StyleDistance(SetMetric):
    """Base of GramDistance and ColorHistogramDistance: the mean over images of a distance to the mean of the style's.

    The style is `style`, an image or a folder (read as they are, or with the shorter side resized to `style_size`
    pixels, by area), or else all images called `reference`. With `paired` each image is compared with its own sample's
    reference instead.
    """

    def __init__(
        self,
        *,
        prediction: str,
        reference: str | None,
        style: str | None,
        style_size: int | None,
        paired: bool,
        quantize: bool,
        baseline: bool,
    ) -> None:
        """`quantize` rounds images to 8 bits, as saving them would."""
        super().__init__(prediction=prediction, reference=reference, baseline=baseline)
        if (reference is None) == (style is None):
            raise UserError("give either reference, a name of the evaluation's images, or style, a file or folder")
        if paired and style is not None:
            raise UserError("paired compares with the sample's own reference; leave style out")
        if style_size is not None and (style is None or style_size < 8):
            raise UserError(f"style_size is of style, and 8 pixels or more, got {style_size}")
        self.files = None if style is None else images_at(place(style))
        self.style_size, self.paired, self.quantize = style_size, paired, quantize
        self._known: list[Tensor] | None = None
        self._mean: Tensor | None = None

    @property
    def setting(self) -> str:
        """The protocol's part that both share: `uint8,to_set,n=24/1`."""
        to = "paired" if self.paired else "to_set"
        size = f",style{self.style_size}" if self.style_size else ""
        return f"{'uint8' if self.quantize else 'float'},{to}{size},{self.numbers}"

    @abstractmethod
    def distance(self, described: Tensor, style: Tensor) -> float:
        """The distance of what `describe` says of an image to that of another, or to the mean of a style."""

    def rounded(self, image: Tensor) -> Tensor:
        """Clamp and round an image (C, H, W); ValueError for other than 3 channels."""
        if image.shape[0] != 3:
            raise ValueError(f"{type(self).__name__}: needs images of 3 channels, got {image.shape[0]}")
        image = image.float().clamp(0, 1)
        return (image * 255).round() / 255 if self.quantize else image

    def keep(self, sample: Mapping[str, Any], name: str) -> Tensor:
        """What is said of an image; where the style's files are known its distance is, and nothing else is needed."""
        described = self.describe(sample[name])
        if self.files is None:
            return described
        if self._mean is None:
            self._mean = self._style(self.references([]))
        return torch.tensor(self.distance(described, self._mean), dtype=torch.float64)

    def references(self, results: Sequence[Mapping[str, Sequence[Tensor]]]) -> list[Tensor]:
        """What was kept of the references, or what is said of the files of `style`."""
        if self.files is None:
            return super().references(results)
        if self._known is None:
            self._known = [self.describe(self._read(file)) for file in self.files]
        return self._known

    def compare(self, predictions: Sequence[Tensor], references: Sequence[Tensor]) -> float:
        """The mean distance."""
        if self.files is not None:
            found = [float(each) for each in predictions]
        elif self.paired:
            found = [self.distance(one, other) for one, other in zip(predictions, references, strict=True)]
        else:
            style = self._style(references)
            found = [self.distance(each, style) for each in predictions]
        return sum(found) / len(found)

    def _style(self, references: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(references)).mean(dim=0)

    def _read(self, file: Path) -> Tensor:
        image = read_image(file)  # (H, W, 3)
        if self.style_size:
            factor = self.style_size / min(image.shape[:2])
            size = (max(round(image.shape[1] * factor), 1), max(round(image.shape[0] * factor), 1))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
        return images_to_float(torch.from_numpy(image).permute(2, 0, 1)[None])[0]
