"""Looks at the first sample of an evaluation before training begins, not hours later at the first validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate

from toolbox.contracts.metric import DO_NOTHING
from toolbox.io.errors import ConfigError, did_you_mean
from toolbox.training.algorithm import Algorithm


def check_first_sample(
    split: str, loader: DataLoader, algorithm: Algorithm, metrics: Sequence[Any], columns: Iterable[str] = ()
) -> None:
    """Refuse metrics and contact sheets that name images which the evaluation `split` will not have.

    The first sample (of each domain, where they come one by one) is read, degraded and prepared as the evaluation will
    do it; no network runs. A label has a name too, and is no image.
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
