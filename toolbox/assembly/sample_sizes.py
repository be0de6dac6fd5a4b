"""Looks at the sizes of all samples before anything is computed: from the headers of their files, thousands a second.

What a training would meet hours later is refused here: an image that is smaller than its crop, or that the scale does
not divide, pairs that do not belong together, headers that are damaged. Pixels are decoded of evaluations alone, for
some seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from toolbox.contracts.dataset import ImageDataset, Sizes
from toolbox.io.errors import ConfigError, UserError
from toolbox.training.algorithm import Algorithm

logger = logging.getLogger("toolbox")
SECONDS = 60.0
"""How long the headers of one split are read: half a million files, on a disk of one's own."""
PIXEL_SECONDS = 5.0
"""How long samples of an evaluation are decoded beforehand: some hundred large pictures."""
_THREADS = 8
_AT_ONCE = 1024


@dataclass
class Looked:
    """What the headers of a split's samples say."""

    total: int
    seen: int = 0
    """Samples that were looked at: all, none where the dataset does not say, or those that the time was enough for."""
    kinds: list[Sizes] = field(default_factory=list)
    """The different sizes that samples have, in the order in which they come."""
    first: list[int] = field(default_factory=list)
    """The first sample of each kind."""
    kind_of: list[int] = field(default_factory=list)
    """The kind of each sample that was looked at, -1 where it does not say or is refused."""
    refused: dict[int, str] = field(default_factory=dict)
    """Samples that the dataset cannot give, and why."""

    def smallest(self) -> int | None:
        """The sample that holds the image with the shortest side, where sizes are known."""
        sides = [min(min(size) for size in kind.values()) for kind in self.kinds]
        return self.first[int(np.argmin(sides))] if sides else None


def look_at(dataset: ImageDataset, *, seconds: float = SECONDS) -> Looked:
    """Ask a dataset for the sizes of its samples, in several threads, for so many seconds at the most."""
    found, known = Looked(len(dataset)), {}
    if type(dataset).sizes_of is ImageDataset.sizes_of:
        return found
    until = time.monotonic() + seconds

    def one(index: int) -> Sizes | str | None:
        try:
            return dataset.sizes_of(index)
        except UserError as error:
            return str(error)

    with ThreadPoolExecutor(_THREADS) as pool:
        while found.seen < found.total and time.monotonic() < until:
            indices = range(found.seen, min(found.seen + _AT_ONCE, found.total))
            for index, sizes in zip(indices, pool.map(one, indices), strict=True):
                kind = -1
                if isinstance(sizes, str):
                    found.refused[index] = sizes
                elif sizes:
                    kind = known.setdefault(tuple(sizes.items()), len(known))
                    if kind == len(found.kinds):
                        found.kinds.append(sizes)
                        found.first.append(index)
                found.kind_of.append(kind)
            found.seen = indices.stop
    return found


def check_samples(split: str, section: Mapping[str, Any], looked: Looked) -> None:
    """Raise ConfigError for samples that the dataset cannot give, and for batches that cannot be stacked.

    With `skip_damaged` samples are left out with a warning, as long as one is left.
    """
    key, refused = f"{split}_dataloader.dataset", looked.refused
    if refused:
        first, more = next(iter(refused.values())), len(refused) - 1
        others = f" (and {more:,} more of {looked.total:,} samples)" if more else ""
        if not section.get("skip_damaged") or len(refused) == looked.total:
            raise ConfigError(f"{first}{others}", key=key)
        logger.warning("%s_dataloader.skip_damaged: %s%s: will be left out", split, first, others)
    if 0 < looked.seen < looked.total:
        logger.warning("%s: only %s of %s samples were looked at beforehand", key, looked.seen, looked.total)
    _check_batches(split, section.get("batch_size", 1), looked)


def check_pixels(split: str, dataset: ImageDataset, *, seconds: float = PIXEL_SECONDS) -> None:
    """Raise ConfigError for samples of an evaluation whose pixels are damaged, as far as the seconds reach.

    Headers do not tell of a file that is cut short, and the first evaluation may be hours away.
    """
    refused: list[str] = []
    until = time.monotonic() + seconds
    for index in range(len(dataset)):
        try:
            dataset.sample(index, np.random.default_rng(0))
        except UserError as error:
            refused.append(str(error))
        if time.monotonic() > until:
            break
    if refused:
        others = f" (and {len(refused) - 1:,} more of {len(dataset):,} samples)" if len(refused) > 1 else ""
        raise ConfigError(f"{refused[0]}{others}", key=f"{split}_dataloader.dataset")


def _check_batches(split: str, batch_size: int, looked: Looked) -> None:
    """In training any two samples may meet in a batch, in an evaluation those that follow each other."""
    if batch_size == 1 or len(looked.kinds) < 2:
        return
    if split == "train":
        met = range(len(looked.kinds))
    else:
        starts = range(0, len(looked.kind_of), batch_size)
        batches = (set(looked.kind_of[start : start + batch_size]) - {-1} for start in starts)
        met = next((sorted(batch) for batch in batches if len(batch) > 1), ())
    names = looked.kinds[met[0]].keys() if met else ()
    for name in names:
        shapes = dict.fromkeys("{}x{}".format(*looked.kinds[kind][name]) for kind in met if name in looked.kinds[kind])
        if len(shapes) > 1:
            raise ConfigError(
                f"images '{name}' are of unequal sizes ({', '.join([*shapes][:3])}) and make no batch of {batch_size}; "
                "add RandomCrop or Resize to the transforms, or set batch_size: 1",
                key=f"{split}_dataloader.dataset",
            )


def check_scales(split: str, dataset: ImageDataset, looked: Looked, algorithm: Algorithm) -> None:
    """Raise ConfigError, naming the file, for sizes that the degradation or the networks' scale do not fit."""
    degradation: Any = algorithm.data_preprocessor.degradation
    for sizes, index in zip(looked.kinds, looked.first, strict=True):
        for name, source in algorithm.derived.items():
            if source not in sizes:
                continue
            height, width = sizes[source]
            problem = ""
            if name not in sizes and degradation is not None:
                try:
                    degradation.check_size(height, width)
                except ValueError as error:
                    problem = f"model.degradation: '{source}': {error}"
            elif name in sizes:
                problem = _unlike(algorithm, name, sizes[name], source, sizes[source])
            if problem:
                file = dataset.sample(index, np.random.default_rng(0)).get("name", f"sample {index}")
                raise ConfigError(f"{file}: {problem}", key=f"{split}_dataloader.dataset")


def _unlike(algorithm: Algorithm, name: str, size: tuple[int, int], source: str, whole: tuple[int, int]) -> str:
    """What is wrong with the sizes of a pair, by the scale of the output that is made of its smaller image."""
    for output, each in algorithm.outputs.items():
        scale = algorithm.scale_of(output)
        if each.source == name and (size[0] * scale, size[1] * scale) != whole:
            return (
                f"'{source}' of {whole[0]}x{whole[1]} is not {scale} times '{name}' of {size[0]}x{size[1]}, "
                "as the networks make it; remove the pair, or mend its images"
            )
    return ""
