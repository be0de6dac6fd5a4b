"""The contracts of metrics of one image, of a pair and of two sets of images, as mmengine's metrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from torch import Tensor

from toolbox.io.errors import UserError, did_you_mean

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
        self.seen: set[str] = set()
        """Images that this rank's samples had, for the error that names one which none of them has."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """What was measured and how, in one word: `psnr[Y601,crop4,uint8,peak255]`."""

    @abstractmethod
    def value(self, sample: Mapping[str, Any], image: str) -> float:
        """Measure one of a sample's images; ValueError where it cannot be measured."""

    def needed(self) -> tuple[str, ...]:
        """Names of the images that are looked at: a sample has them, and no outputs that nobody names."""
        return (self.prediction,)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Measure every sample of a batch; a sample holds its images (C, H, W) by name.

        A sample without the prediction is one of another domain: it is counted, as mmengine wants, but not measured. Of
        clips (T, C, H, W) every frame is measured, and the mean over them is the sample's value.
        """
        for sample in data_samples:
            self.seen.update(names_of(sample))
            if self.prediction not in sample:
                self.results.append({})
                continue
            for name in self.needed():
                if name not in sample:
                    raise no_image(self, name, names_of(sample))
            try:
                result = {self.name: self._over_frames(sample, self.prediction)}
                if self.baseline:
                    result[f"{self.name}/{DO_NOTHING}"] = self._over_frames(
                        sample, baseline_of(sample, self.prediction)
                    )
            except ValueError as error:  # images that cannot be measured
                raise UserError(f"{sample.get('name') or type(self).__name__}: {error}") from error
            self.results.append(result)

    def _over_frames(self, sample: Mapping[str, Any], image: str) -> float:
        values = [self.value(frame, image) for frame in frames_of(sample, image)]
        return sum(values) / len(values)

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Average the results of all ranks. Raises UserError where no sample had the prediction."""
        measured = [result for result in results if result]
        if not measured:
            raise no_image(self, self.prediction, self.seen)
        return {key: sum(result[key] for result in measured) / len(measured) for key in measured[0]}


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


class SetMetric(BaseMetric):
    """Compares two sets of images, predictions and references; one result for both sets.

    The sets need not have the same length, nor come in the same samples: a sample gives what it has, so that every
    image counts once. Of an image only `describe`'s tensor is kept until the end, and gathered over ranks. With
    `baseline`, the set of do-nothing outputs is compared too, and reported as `<name>/do_nothing`.
    """

    name: str = ""
    """Key of the result, in lower case: `lite0_kid`."""
    higher_is_better: bool = False
    paired: bool = False
    """Whether each image is compared with the reference of its own sample: then both lists are of one order."""
    default_prefix = ""  # the evaluator would warn of none

    def __init__(self, *, prediction: str, reference: str | None, baseline: bool = True) -> None:
        """`reference` is None for metrics that hold the references themselves (`references`)."""
        super().__init__(collect_device="cpu")
        self.prediction, self.reference, self.baseline = prediction, reference, baseline
        self.seen: set[str] = set()
        self.counts: tuple[int, int] | None = None
        """Images of the predictions' and of the references' set, known once they were compared."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """What was measured and how, in one word, with `self.numbers`: `kid[lite0,crops64,n=24/18,unbiased]`."""

    @property
    def numbers(self) -> str:
        """The protocol's part that all metrics of sets share: `n=24/18`, or `n=?` before an evaluation."""
        return "n=?" if self.counts is None else f"n={self.counts[0]}/{self.counts[1]}"

    @abstractmethod
    def describe(self, image: Tensor) -> Tensor:
        """What is kept of an image (C, H, W) in [0, 1], on the CPU; ValueError where it cannot be measured."""

    def needed(self) -> tuple[str, ...]:
        """Names of the images that are looked at: samples have no outputs that nobody names."""
        return (self.prediction,) if self.reference is None else (self.prediction, self.reference)

    def keep(self, sample: Mapping[str, Any], name: str) -> Tensor:
        """What is kept of one of a sample's images; metrics that look at another one here name it in `needed`, too."""
        return self.describe(sample[name])

    @abstractmethod
    def compare(self, predictions: Sequence[Tensor], references: Sequence[Tensor]) -> float:
        """Compare two sets by what was kept of each image; ValueError where they are too small."""

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Any]]) -> None:
        """Keep what is needed of every sample of a batch; a sample holds its images (C, H, W) by name.

        Of a clip (T, C, H, W) every frame is an image of the set.
        """
        for sample in data_samples:
            self.seen.update(names_of(sample))
            wanted = {"reference": self.reference, "prediction": self.prediction}
            if self.paired and self.prediction not in sample:
                wanted = {}
            elif self.paired and self.reference not in sample:
                raise no_image(self, str(self.reference), names_of(sample))
            if self.baseline and self.prediction in sample:
                wanted[DO_NOTHING] = baseline_of(sample, self.prediction)
            try:
                kept = {part: self._kept(sample, name) for part, name in wanted.items() if name in sample}
            except ValueError as error:  # images that cannot be measured
                raise UserError(f"{sample.get('name') or type(self).__name__}: {error}") from error
            self.results.append(kept)  # one of each sample, even an empty one: mmengine counts them

    def _kept(self, sample: Mapping[str, Any], name: str) -> list[Tensor]:
        return [self.keep(frame, name) for frame in frames_of(sample, name)]

    def references(self, results: Sequence[Mapping[str, Sequence[Tensor]]]) -> list[Tensor]:
        """What was kept of the references."""
        return of_all(results, "reference")

    def compute_metrics(self, results: list[dict[str, list[Tensor]]]) -> dict[str, float]:
        """Compare the sets of all ranks.

        Raises:
            UserError: no sample of the evaluation had a prediction or a reference, or there are too few of them.
        """
        predictions, references = of_all(results, "prediction"), self.references(results)
        for found, name in ((predictions, self.prediction), (references, self.reference)):
            if not found:
                raise no_image(self, str(name), self.seen)
        self.counts = len(predictions), len(references)
        try:
            values = {self.name: self.compare(predictions, references)}
            if self.baseline:
                values[f"{self.name}/{DO_NOTHING}"] = self.compare(of_all(results, DO_NOTHING), references)
        except ValueError as error:
            raise UserError(f"{type(self).__name__}: {error}") from error
        return values


def frames_of(sample: Mapping[str, Any], image: str) -> list[Mapping[str, Any]]:
    """A sample whose `image` is a clip (T, C, H, W), as one sample for each frame; any other as it is, alone.

    Clips of as many frames go with it frame by frame; what is no clip belongs to all frames.

    Raises:
        ValueError: clips of the sample differ in length.
    """
    if sample[image].dim() != 4:
        return [sample]
    clips = {name: each for name, each in sample.items() if isinstance(each, Tensor) and each.dim() == 4}
    count = len(sample[image])
    for name, each in clips.items():
        if len(each) != count:
            raise ValueError(
                f"'{image}' has {count} frames and '{name}' {len(each)}; clips of a sample are equally long"
            )
    return [{**sample, **{name: each[i] for name, each in clips.items()}} for i in range(count)]


def of_all(results: Sequence[Mapping[str, Sequence[Tensor]]], part: str) -> list[Tensor]:
    """What was kept of one part of all samples, image after image."""
    return [image for kept in results for image in kept.get(part, ())]


def names_of(sample: Mapping[str, Any]) -> list[str]:
    """The images that a sample has."""
    return [name for name, value in sample.items() if isinstance(value, Tensor)]


def baseline_of(sample: Mapping[str, Any], output: str) -> str:
    """The name of an output's do-nothing baseline in a sample."""
    own = f"{DO_NOTHING}/{output}"
    return own if own in sample else DO_NOTHING


def no_image(metric: BaseMetric, name: str, known: Iterable[str]) -> UserError:
    """The error of a name that no image has."""
    return UserError(f"{type(metric).__name__}: no image is called '{name}'{did_you_mean(name, sorted(known))}")
