"""Looks at the first sample of an evaluation before training begins, not hours later at the first validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from toolbox.contracts.metric import DO_NOTHING, ImageMetric, frames_of
from toolbox.engine.random_state import undisturbed
from toolbox.io.errors import ConfigError, did_you_mean
from toolbox.io.resize import resize_to
from toolbox.training.algorithm import Algorithm


def check_first_sample(
    split: str,
    loader: DataLoader,
    algorithm: Algorithm,
    metrics: Sequence[Any],
    columns: Iterable[str] = (),
    *,
    smallest: int | None = None,
) -> None:
    """Refuse metrics and contact sheets that name images which the evaluation `split` will not have.

    The first sample (of each domain, where they come one by one) is read, degraded and prepared as the evaluation will
    do it; no network runs. A label has a name too, and is no image. The `smallest` sample is measured with its
    do-nothing output: a metric may need larger images.
    """
    dataset: Any = loader.dataset
    if not len(dataset):
        raise ConfigError("holds no images", key=f"{split}_dataloader.dataset")
    preprocessor: Any = algorithm.data_preprocessor
    values: dict[str, Any] = {}
    for index in dataset.examples():  # one, unless samples differ in what they hold
        values |= preprocessor(default_collate([dataset[index]]), False)
    outputs = _prepared(algorithm, values)
    if not outputs:
        sources = (" and ".join(f"'{name}'" for name in each.sources) for each in algorithm.outputs.values())
        wanted = " or ".join(dict.fromkeys(sources))
        for source in algorithm.derived.values():
            wanted += f", or '{source}' and model.degradation to make it" if source != wanted else ""
        message = f"gives {', '.join(values) or 'no images'}, and the model needs {wanted}"
        raise ConfigError(message, key=f"{split}_dataloader.dataset")
    known = [name for name, value in values.items() if isinstance(value, Tensor) and value.dim() > 3]
    known += [*outputs, DO_NOTHING]
    places = [
        (f"{split}_evaluator.{i}.{name}", getattr(metric, name, None))
        for i, metric in enumerate(metrics)
        for name in ("prediction", "reference")
    ]
    places += [("default_hooks.samples.columns", name) for name in columns]
    for key, name in places:
        if isinstance(name, str) and name not in known:
            raise ConfigError(f"no image of the evaluation is called '{name}'{did_you_mean(name, known)}", key=key)
    if smallest is not None:
        _measure(split, algorithm, metrics, dataset[smallest])


@torch.no_grad()
def _measure(split: str, algorithm: Algorithm, metrics: Sequence[Any], sample: dict[str, Any]) -> None:
    """Try every metric of an image on one sample, its outputs replaced by what doing nothing would give."""
    preprocessor: Any = algorithm.data_preprocessor
    batch = default_collate([sample])
    values = preprocessor(batch, False)
    for output in _prepared(algorithm, values):
        source, scale = values[algorithm.outputs[output].source], algorithm.scale_of(output)
        if source.dim() < 4:  # such as noise
            continue
        values[output] = resize_to(source, (source.shape[-2] * scale, source.shape[-1] * scale)).clamp(0, 1)
    images = {name: value[0] for name, value in values.items()}
    for i, metric in enumerate(metrics):
        if not isinstance(metric, ImageMetric) or not all(name in images for name in metric.needed()):
            continue
        if metric.prediction not in algorithm.outputs:
            continue
        try:
            with undisturbed():
                metric.value(frames_of(images, metric.prediction)[0], metric.prediction)  # of a clip, its first frame
        except ValueError as error:
            message = f"{batch.get('name', [''])[0]}: {error}"
            raise ConfigError(message, key=f"{split}_evaluator.{i}") from error


def _prepared(algorithm: Algorithm, values: dict[str, Any]) -> list[str]:
    """The outputs that can be made, with what the algorithm makes of the inputs added to the values.

    Where inputs are missing, `prepare` may be too: then what is missing is named, and not what it stumbled over.
    """
    training = algorithm.training
    algorithm.eval()  # as in an evaluation, which draws nothing
    try:
        with torch.no_grad():
            algorithm.prepare(values)
    except KeyError:
        pass
    finally:
        algorithm.train(training)
    return algorithm.available(values)
