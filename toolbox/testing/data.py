"""Contract checks of what reads samples and of what measures outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from toolbox.contracts.clip_metric import ClipMetric
from toolbox.contracts.dataset import ImageDataset
from toolbox.contracts.metric import DO_NOTHING, PairedMetric
from toolbox.testing.components import images, require


def check_dataset(dataset: ImageDataset) -> None:
    """A length, named arrays or numbers with a `name`, and the same sample from the same random numbers, in any order.

    The values of a sample: images (H, W, C) uint8, float32 arrays as the step takes them, numbers, and text.
    """
    require(isinstance(dataset, ImageDataset), "a dataset derives from toolbox.ImageDataset")
    count = len(dataset)
    require(isinstance(count, int) and count > 0, f"len() must be the number of samples, got {count!r}")
    first = dataset.sample(0, np.random.default_rng(0))
    require(isinstance(first, Mapping), f"sample must return a mapping of names, got {type(first).__name__}")
    require(isinstance(first.get("name"), str), "a sample must have a `name`, the file's path below its root")
    for name, value in first.items():
        known = isinstance(value, (np.ndarray, str, int, float, np.number))
        require(known, f"'{name}' must be an array, a number or text, got {type(value).__name__}")
        if isinstance(value, np.ndarray) and value.ndim >= 3:
            fits = value.dtype == np.float32 or (value.dtype == np.uint8 and value.shape[-1] in (1, 3, 4))
            require(fits, f"'{name}' must be (H, W, C) uint8, got {value.shape} {value.dtype}")
    dataset.sample(count - 1, np.random.default_rng(1))
    again = dataset.sample(0, np.random.default_rng(0))
    same = again.keys() == first.keys() and all(np.array_equal(again[name], first[name]) for name in first)
    require(same, "the same index and generator give another sample: keep no state, and draw from `rng` alone")
    listed = dataset.examples()
    inside = listed and all(0 <= index < count for index in listed)
    require(inside, f"examples() must name samples from 0 to {count - 1}, got {listed}")


def check_metric(metric: BaseMetric, inputs: Sequence[Tensor] | None = None) -> None:
    """Finite results by name, a protocol in one word, and of a pair no better value for unlike images.

    `inputs` are the prediction and the reference, (C, H, W) in [0, 1]; a metric of motion gets clips of them.
    """
    require(isinstance(metric, BaseMetric), "a metric derives from one of toolbox's, or from mmengine's BaseMetric")
    prediction: Any = getattr(metric, "prediction", "prediction")
    reference: Any = getattr(metric, "reference", None) or "reference"
    results: list[Mapping[str, float]] = []
    clean = list(images(12, 3, 192, 192, seed=1)) if inputs is None else [inputs[-1]] * 12
    other = list(images(12, 3, 192, 192, seed=2)) if inputs is None else [inputs[0]] * 12
    if isinstance(metric, ClipMetric):  # each picture drifts by a pixel a frame, and the unlike one the other way
        clean, other = ([_drifting(each, step) for each in group] for group, step in ((clean, 1), (other, -1)))
    for shown in (clean, other):
        samples = [
            {"name": f"{i}.png", prediction: shown[i], reference: clean[i], DO_NOTHING: other[i]} for i in range(12)
        ]
        metric.results.clear()
        metric.process(None, samples)
        require(len(metric.results) == 12, f"process must add one result for each sample, got {len(metric.results)}")
        results.append(metric.compute_metrics(list(metric.results)))
        metric.results.clear()
    for name, value in results[1].items():
        require(isfinite(float(value)), f"{name} is {value}, which is no finite number")
    name: Any = getattr(metric, "name", None)
    if name is None:  # mmengine's own base asks for no more
        return
    require(isinstance(name, str) and name in results[1], f"`name` must be the key of the result, got {name!r}")
    protocol = str(getattr(metric, "protocol", name))
    require(protocol and not any(each.isspace() for each in protocol), f"protocol must be one word, got {protocol!r}")
    if isinstance(metric, PairedMetric):
        better, worse = (float(each[name]) for each in results)
        ordered = not isfinite(better) or (better >= worse if metric.higher_is_better else better <= worse)
        require(ordered, f"unlike images measure better than equal ones ({worse:g} and {better:g}): higher_is_better?")


def _drifting(picture: Tensor, step: int) -> Tensor:
    """A picture (C, H, W) as a clip of three frames, which moves by `step` pixels to the right each."""
    return torch.stack([picture.roll(step * number, -1) for number in range(3)])
