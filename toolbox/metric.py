"""The contracts of a metric on images, alone or with a reference, as mmengine's metrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from torch import Tensor

from toolbox.errors import UserError, did_you_mean

DO_NOTHING = "do_nothing"
"""Name of the baseline that every evaluated sample carries: the input, resized bicubically where sizes differ.

It belongs to the first output; that of another output is called `do_nothing/<output>`.
"""


class ImageMetric(BaseMetric):
    """What metrics of one image and of a pair share; the result is the mean over images.

    Every result carries its protocol (colour space, crop, rounding), so that unlike numbers are never compared.
    With `baseline`, the same is measured for the do-nothing output and reported as `<name>/do_nothing`.
    """

    name: str = ""
    """Key of the result, in lower case: `psnr`."""
    higher_is_better: bool = True
    default_prefix = ""  # the evaluator would warn of none

    def __init__(self, *, prediction: str, baseline: bool = True) -> None:
        super().__init__(collect_device="cpu")
        self.prediction, self.baseline = prediction, baseline

    @property
    @abstractmethod
    def protocol(self) -> str:
        """What was measured and how, in one word: `psnr[Y601,crop4,uint8,peak255]`."""

    @abstractmethod
    def value(self, sample: Mapping[str, Any], image: str) -> float:
        """Measure one of a sample's images; ValueError where it cannot be measured."""

    def needed(self) -> tuple[str, ...]:
        """Names of the images that a sample must have."""
        return (self.prediction,)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Measure every sample of a batch; a sample holds its images (C, H, W) by name."""
        for sample in data_samples:
            for name in self.needed():
                if name not in sample:
                    known = [name for name, value in sample.items() if isinstance(value, Tensor)]
                    raise UserError(f"{type(self).__name__}: no image is called '{name}'{did_you_mean(name, known)}")
            own_baseline = f"{DO_NOTHING}/{self.prediction}"
            try:
                result = {self.name: self.value(sample, self.prediction)}
                if self.baseline:
                    baseline = own_baseline if own_baseline in sample else DO_NOTHING
                    result[f"{self.name}/{DO_NOTHING}"] = self.value(sample, baseline)
            except ValueError as error:  # images that cannot be measured
                raise UserError(f"{sample.get('name') or type(self).__name__}: {error}") from error
            self.results.append(result)

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Average the results of all ranks."""
        return {key: sum(result[key] for result in results) / len(results) for key in results[0]}


class PairedMetric(ImageMetric):
    """Compares one image with its reference; the result is the mean over images."""

    def __init__(self, *, prediction: str, reference: str, baseline: bool = True) -> None:
        super().__init__(prediction=prediction, baseline=baseline)
        self.reference = reference

    @abstractmethod
    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (C, H, W) in [0, 1]."""

    def value(self, sample: Mapping[str, Any], image: str) -> float:
        """Compare one of a sample's images with the reference."""
        return self.measure(sample[image], sample[self.reference])

    def needed(self) -> tuple[str, ...]:
        """The image and its reference."""
        return (self.prediction, self.reference)


class SingleMetric(ImageMetric):
    """Judges one image without a reference; the result is the mean over images."""

    @abstractmethod
    def measure(self, image: Tensor) -> float:
        """Judge one image (C, H, W) in [0, 1]."""

    def value(self, sample: Mapping[str, Any], image: str) -> float:
        """Judge one of a sample's images."""
        return self.measure(sample[image])
