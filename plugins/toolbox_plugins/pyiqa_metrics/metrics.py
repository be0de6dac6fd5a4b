"""Adapters to pyiqa, IQA-PyTorch (Chen and Mo, 2022): any of its metrics, of an image alone and of a pair."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from toolbox import PairedMetric, SingleMetric, UserError, did_you_mean

MODES = {"NR": ("IQA", "images alone"), "FR": ("ReferenceIQA", "an image and its reference")}
"""What pyiqa calls its two kinds, with the adapter of each."""


def create(name: str, mode: str) -> Any:
    """pyiqa's metric of that name, which downloads its weights by itself when it is first made.

    Raises:
        UserError: the package is missing or cannot be imported, or has no such metric of that kind.
    """
    try:
        package: Any = import_module("pyiqa")
    except ImportError as error:
        lacking = "" if error.name == "pyiqa" else f", and {error.name} besides"
        raise UserError(
            f"metric {name} is pyiqa's{lacking}: pip install 'gan-toolbox[pyiqa]' (for non-commercial use alone)"
        ) from None
    known = package.list_models(metric_mode=mode)
    if name not in known:
        (other,) = (each for each in MODES if each != mode)
        if name in package.list_models(metric_mode=other):
            raise UserError(f"metric: {name} judges {MODES[other][1]}; write type: {MODES[other][0]}")
        raise UserError(f"metric: pyiqa has no {name!r}{did_you_mean(name, known)}")
    return package.create_metric(name, as_loss=False, device="cpu")


def judged(metric: Any, *images: Tensor, quantize: bool) -> float:
    """What pyiqa says of images (C, H, W) in [0, 1], on their device, in float32."""
    batches = [each[None].float().clamp(0, 1) for each in images]
    batches = [(each * 255).round() / 255 for each in batches] if quantize else batches
    metric.to(batches[0].device)
    with torch.no_grad():
        return float(metric(*batches))


class IQA(SingleMetric):
    """A metric of pyiqa that judges an image alone: `metric: topiq_nr`, `musiq`, `clipiqa`, `maniqa`, `niqe`, …

    Called `pyiqa_topiq_nr` then. Whether more is better is what pyiqa says. `quantize` rounds to 8 bits first, as a
    saved picture is. The package and its weights are licensed for non-commercial use (PolyForm Noncommercial 1.0.0,
    and the S-Lab licence for parts): figures of it may not be a business's. Install it yourself.

    Raises:
        UserError: the package is missing, or knows no such metric.
    """

    def __init__(self, *, prediction: str, metric: str, quantize: bool = True, baseline: bool = True) -> None:
        super().__init__(prediction=prediction, baseline=baseline)
        self.metric, self.quantize, self.name = create(metric, "NR"), quantize, f"pyiqa_{metric}"
        self.higher_is_better = not self.metric.lower_better

    @property
    def protocol(self) -> str:
        return f"{self.name}[RGB,{'uint8' if self.quantize else 'float'}]"

    def measure(self, image: Tensor) -> float:
        """Judge one image (3, H, W) in [0, 1]."""
        return judged(self.metric, image, quantize=self.quantize)


class ReferenceIQA(PairedMetric):
    """A metric of pyiqa that compares an image with its reference: `metric: topiq_fr`, `dists`, `lpips`, `vif`, …

    The rest is as in `IQA`, the licence too.

    Raises:
        UserError: the package is missing, or knows no such metric.
    """

    def __init__(
        self, *, prediction: str, reference: str, metric: str, quantize: bool = True, baseline: bool = True
    ) -> None:
        super().__init__(prediction=prediction, reference=reference, baseline=baseline)
        self.metric, self.quantize, self.name = create(metric, "FR"), quantize, f"pyiqa_{metric}"
        self.higher_is_better = not self.metric.lower_better

    @property
    def protocol(self) -> str:
        return f"{self.name}[RGB,{'uint8' if self.quantize else 'float'}]"

    def measure(self, prediction: Tensor, reference: Tensor) -> float:
        """Compare two images (3, H, W) in [0, 1]."""
        if prediction.shape != reference.shape:
            sizes = f"{tuple(prediction.shape)} and {tuple(reference.shape)}"
            raise ValueError(f"{self.name}: {self.prediction} and {self.reference} are of unequal sizes, {sizes}")
        return judged(self.metric, prediction, reference, quantize=self.quantize)
