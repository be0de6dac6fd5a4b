"""Data as a function of seed and position: the order of samples and their augmentation need no state to resume."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, default_collate

from toolbox.contracts.dataset import ImageDataset
from toolbox.engine.degrading import Degrading
from toolbox.engine.sending import Sent
from toolbox.io.errors import UserError

logger = logging.getLogger("toolbox")
MOST_SKIPPED = 100
"""So many damaged samples in a row are no accident: the data are wrong, or the transforms."""


class EndlessSamples(Sent, Dataset[dict[str, Any]]):
    """The training stream: position p is sample p mod n of epoch p // n, in that epoch's own order.

    Order and augmentation are drawn from (seed, epoch) and (seed, position): whoever asks for a position, in
    whichever worker or rank, gets the same sample.
    """

    metainfo: dict[str, Any] = {}
    """mmengine warns where it is missing."""

    def __init__(
        self, dataset: ImageDataset, seed: int, *, skip_damaged: bool = False, degrading: Degrading | None = None
    ) -> None:
        """With `skip_damaged`, a sample that cannot be read is named once, and the one after it taken instead.

        `degrading` makes the inputs that the dataset does not give.
        """
        if len(dataset) == 0:
            raise UserError("train_dataloader.dataset: holds no images")
        self.dataset, self.seed, self.degrading = dataset, seed, degrading
        self.tries = min(len(dataset), MOST_SKIPPED) if skip_damaged else 1
        self._epoch, self._order = -1, np.arange(0)
        self._named: set[str] = set()

    def __getitem__(self, position: int) -> dict[str, Any]:
        sample = self.read(position)
        return sample if self.degrading is None else self.degrading.train(sample, self.seed, position)

    def read(self, position: int) -> dict[str, Any]:
        """The sample at a position, as the dataset gives it."""
        epoch, place = divmod(position, len(self.dataset))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self.seed, 0, epoch)).permutation(len(self.dataset))
        for attempt in range(1, self.tries + 1):
            try:
                rng = np.random.default_rng((self.seed, 1, position))
                return as_tensors(self.dataset.sample(int(self._order[place]), rng))
            except UserError as error:
                if attempt == self.tries:
                    more = f"; so were {attempt - 1} others before it" if attempt > 1 else ""
                    raise UserError(f"{error}{more}") from error
                if str(error) not in self._named:
                    self._named.add(str(error))
                    logger.warning("%s; skipped, as skip_damaged says", error)
                place = (place + 1) % len(self.dataset)
        raise AssertionError("the last attempt returns or raises")


class Positions(Sampler[int]):
    """Positions start, start + 1, ... without end, interleaved over the ranks."""

    def __init__(self, rank: int, world_size: int) -> None:
        self.rank, self.world_size = rank, world_size
        self.start = 0
        """How many positions this rank has consumed; set it before iterating to resume."""

    def __len__(self) -> int:
        """Without end; mmengine asks."""
        return sys.maxsize

    def __iter__(self) -> Iterator[int]:
        count = self.start
        while True:
            yield count * self.world_size + self.rank
            count += 1


class EverySample(Sent, Dataset[dict[str, Any]]):
    """The samples of an evaluation, in order, each with random numbers of its own index."""

    metainfo: dict[str, Any] = {}

    def __init__(self, dataset: ImageDataset, degrading: Degrading | None = None) -> None:
        self.dataset, self.degrading = dataset, degrading

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any]:
        sample = as_tensors(self.dataset.sample(index, np.random.default_rng((0, 2, index))))
        return sample if self.degrading is None else self.degrading.evaluate(sample)

    def examples(self) -> list[int]:
        """The dataset's own."""
        return self.dataset.examples()


class EveryNth(Sampler[int]):
    """Each rank's share of an evaluation: samples rank, rank + n, ..., padded so that all ranks run as often.

    mmengine's evaluator cuts the repeated samples off again, so metrics do not depend on the number of ranks.
    """

    def __init__(self, length: int, rank: int, world_size: int) -> None:
        self.length, self.rank, self.world_size = length, rank, world_size

    def __len__(self) -> int:
        return -(-self.length // self.world_size)

    def __iter__(self) -> Iterator[int]:
        return iter([(self.rank + step * self.world_size) % self.length for step in range(len(self))])


def train_loader(
    config: Mapping[str, Any],
    dataset: ImageDataset,
    seed: int,
    rank: int,
    world_size: int,
    degrading: Degrading | None = None,
) -> DataLoader:
    """The endless loader of `train_dataloader`."""
    samples = EndlessSamples(dataset, seed, skip_damaged=config.get("skip_damaged", False), degrading=degrading)
    return _loader(config, samples, Positions(rank, world_size), drop_last=True)


def evaluation_loader(
    config: Mapping[str, Any], dataset: ImageDataset, rank: int, world_size: int, degrading: Degrading | None = None
) -> DataLoader:
    """The loader of `val_dataloader` or `test_dataloader`: every sample once."""
    return _loader(config, EverySample(dataset, degrading), EveryNth(len(dataset), rank, world_size), drop_last=False)


def _loader(config: Mapping[str, Any], dataset: Dataset, sampler: Sampler, *, drop_last: bool) -> DataLoader:
    workers = config.get("num_workers", 0)
    extra = {"prefetch_factor": config["prefetch_factor"]} if workers and "prefetch_factor" in config else {}
    return DataLoader(
        dataset,
        batch_size=config.get("batch_size", 1),
        sampler=sampler,
        num_workers=workers,
        persistent_workers=bool(workers) and config.get("persistent_workers", True),
        pin_memory=config.get("pin_memory", torch.cuda.is_available()),
        drop_last=drop_last,
        collate_fn=collate,
        generator=torch.Generator(),  # its own, so that starting the workers leaves the global one alone
        **extra,
    )


@contextmanager
def ending_workers(*loaders: Any) -> Iterator[None]:
    """Within, loaders start workers; in the end these end too.

    Without this Python's collector of cycles would end them, some time later. It closes their queues first, so that
    none hears of it, and waits five seconds for each.
    """
    try:
        yield
    finally:
        for loader in [each for each in loaders if each is not None]:
            workers: Any = loader._iterator  # None where there are none that outlast a pass over the data
            if workers is not None:
                workers._shutdown_workers()
                loader._iterator = None


def collate(samples: list[dict[str, Any]]) -> dict[str, Any]:
    """Stack a batch; samples of other values and pictures of unequal size are refused by name."""
    for sample in samples[1:]:
        if sample.keys() != samples[0].keys():
            shown = [", ".join(name for name in each if name != "name") for each in (samples[0], sample)]
            raise UserError(f"a batch holds samples of {shown[0]} and of {shown[1]}; set batch_size: 1")
    for key, first in samples[0].items():
        if isinstance(first, torch.Tensor):
            shapes = sorted({tuple(sample[key].shape) for sample in samples})
            if len(shapes) > 1:
                plain = first.dtype == torch.uint8 and first.dim() == 3  # (H, W, C): the channels say nothing
                sizes = sorted({shape[:2] for shape in shapes}) if plain else shapes
                shown = ", ".join("x".join(map(str, size)) for size in sizes[:3])
                pictures = first.dim() > 1
                way = "add RandomCrop or Resize to the transforms, or set" if pictures else "make them alike, or set"
                raise UserError(f"a batch holds '{key}' of unequal sizes ({shown}); {way} batch_size: 1")
    return default_collate(samples)


def as_tensors(sample: dict[str, Any]) -> dict[str, Any]:
    """A sample's arrays as tensors: bytes as they are, to be scaled on the device, and others ready to use.

    Raises:
        UserError: an array is no picture (H, W, C), clip (T, H, W, C), mask (H, W) or row of numbers.
    """
    return {name: _as_tensor(name, value) if isinstance(value, np.ndarray) else value for name, value in sample.items()}


def _as_tensor(name: str, array: np.ndarray) -> torch.Tensor:
    if array.ndim > 4 or (array.ndim > 2 and array.shape[-1] > max(4, min(array.shape[-3:-1]))):
        shape = " x ".join(map(str, array.shape))
        raise UserError(
            f"the dataset gives '{name}' as an array {shape}; pictures are (height, width, channels), and clips "
            "(pictures, height, width, channels); a tensor may have another order"
        )
    if array.ndim < 2 or array.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(array))
    levels = np.float32(np.iinfo(array.dtype).max if array.dtype.kind == "u" else 1)
    planes = array[None] if array.ndim == 2 else np.moveaxis(array, -1, -3)
    return torch.from_numpy(np.ascontiguousarray(planes, dtype=np.float32) / levels)
