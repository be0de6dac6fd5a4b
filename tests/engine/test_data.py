"""Data order and augmentation as a function of seed and position."""

from __future__ import annotations

from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from runs import command, sr_config, write_config
from toolbox.contracts.dataset import ImageDataset
from toolbox.engine.data import EndlessSamples, EveryNth, EverySample, Positions, evaluation_loader, train_loader
from toolbox.io.errors import UserError
from toolbox.plugins.manager import PluginManager, use
from toolbox.plugins.registry import registry


class Numbers(ImageDataset):
    """Sample i is a picture filled with i, and a random number."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        return {"hr": np.full((2, 2, 3), index, np.uint8), "draw": float(rng.random())}


def first(loader: Any, count: int) -> list[tuple[int, float]]:
    samples: list[tuple[int, float]] = []
    for batch in loader:
        samples += [(int(i[0, 0, 0]), float(d)) for i, d in zip(batch["hr"], batch["draw"], strict=True)]
        if len(samples) >= count:
            return samples[:count]
    return samples


def test_an_epoch_shows_each_sample_once_in_an_order_of_its_own() -> None:
    stream = EndlessSamples(Numbers(7), seed=3)
    epochs = [[int(stream[e * 7 + i]["hr"][0, 0, 0]) for i in range(7)] for e in range(3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_workers_change_nothing() -> None:
    runs = [
        first(train_loader({"batch_size": 2, "num_workers": workers}, Numbers(5), 0, 0, 1), 14) for workers in (0, 2)
    ]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("start", ["spawn", "forkserver"])
def test_a_spawned_worker_imports_the_plugin_that_is_a_file(start: str, tmp_path: Path) -> None:
    (tmp_path / "own_data.py").write_text(OWN_DATA)
    manager = PluginManager(["no:toy", str(tmp_path / "own_data.py")])
    use(manager)
    try:
        dataset = registry("datasets").get("OwnData")()
        loader = DataLoader(EverySample(dataset), num_workers=1, multiprocessing_context=start)
        assert [int(sample["draw"]) for sample in loader] == [0, 7, 14]
    finally:
        use(None)


OWN_DATA = """
from toolbox import ImageDataset, hookimpl


class OwnData(ImageDataset):
    def __len__(self):
        return 3

    def sample(self, index, rng):
        return {"draw": 7 * index}


@hookimpl
def register_datasets(register):
    register("OwnData", OwnData)
"""


def test_a_resumed_loader_continues_where_the_first_stopped_without_reading_what_came_before() -> None:
    whole = first(train_loader({"batch_size": 2}, Numbers(5), 0, 0, 1), 20)
    read: list[int] = []

    class Watched(Numbers):
        def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
            read.append(index)
            return super().sample(index, rng)

    later = train_loader({"batch_size": 2}, Watched(5), 0, 0, 1)
    sampler = later.sampler
    assert isinstance(sampler, Positions)
    sampler.start = 12
    assert first(later, 8) == whole[12:]
    assert len(read) == 8


def test_the_ranks_share_the_stream_without_overlap() -> None:
    ranks = [first(train_loader({"batch_size": 1}, Numbers(6), 0, rank, 2), 6) for rank in range(2)]
    together = first(train_loader({"batch_size": 1}, Numbers(6), 0, 0, 1), 12)
    assert [sample for pair in zip(*ranks, strict=True) for sample in pair] == together


def test_every_rank_evaluates_as_often_and_every_sample_comes_once() -> None:
    shares = [list(EveryNth(7, rank, 2)) for rank in range(2)]
    assert [len(share) for share in shares] == [4, 4]
    interleaved = [index for pair in zip(*shares, strict=True) for index in pair]
    assert interleaved[:7] == list(range(7))
    assert [i for i, _ in first(evaluation_loader({"batch_size": 3}, Numbers(7), 0, 1), 99)] == list(range(7))


def test_loading_draws_nothing_from_the_global_random_numbers() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first(train_loader({"batch_size": 2}, Numbers(5), 0, 0, 1), 6)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_of_unequal_images_is_refused_with_the_way_out() -> None:
    class Unequal(Numbers):
        def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
            return {"hr": np.zeros((4 + index, 6, 3), np.uint8)}

    with pytest.raises(UserError, match=r"'hr' of unequal sizes \(4x6, 5x6\); add RandomCrop .* batch_size: 1"):
        next(iter(evaluation_loader({"batch_size": 2}, Unequal(2), 0, 1)))


class SomeDamaged(Numbers):
    """Samples 2 and 3 cannot be read."""

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        if index in (2, 3):
            raise UserError(f"{index}.png: damaged image")
        return super().sample(index, rng)


def test_damaged_samples_are_skipped_by_choice_named_once_and_alike_wherever_the_stream_is_entered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("WARNING", logger="toolbox")
    stream = EndlessSamples(SomeDamaged(5), seed=1, skip_damaged=True)
    first = [int(stream[position]["hr"][0, 0, 0]) for position in range(15)]
    assert len(first) == 15 and set(first) == {0, 1, 4}
    assert sorted(record.getMessage() for record in caplog.records) == [
        "2.png: damaged image; skipped, as skip_damaged says", "3.png: damaged image; skipped, as skip_damaged says",
    ]  # fmt: skip
    later = EndlessSamples(SomeDamaged(5), seed=1, skip_damaged=True)
    assert [int(later[position]["hr"][0, 0, 0]) for position in range(7, 15)] == first[7:]


def test_damaged_samples_stop_the_run_unless_skipped_and_nothing_but_damage_does_so_too() -> None:
    with pytest.raises(UserError, match=r"[23].png: damaged image$"):
        [EndlessSamples(SomeDamaged(5), seed=1)[position] for position in range(5)]

    class AllDamaged(Numbers):
        def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
            raise UserError(f"{index}.png: damaged image")

    with pytest.raises(UserError, match="damaged image; so were 4 others before it"):
        EndlessSamples(AllDamaged(5), seed=1, skip_damaged=True)[0]


def test_the_workers_end_with_the_training_and_with_the_test(tmp_path: Path) -> None:
    config, before = sr_config(tmp_path), set(active_children())
    for split, count in (("train", 2), ("val", 1)):
        config[f"{split}_dataloader"]["num_workers"] = count
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    assert set(active_children()) <= before
    assert command("test", file, tmp_path / "run" / "iter_6.pth") == 0
    assert set(active_children()) <= before
