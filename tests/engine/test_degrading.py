"""Inputs that the loader degrades: the same whatever the batch, the workers or a resume; cut with their targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from toolbox.contracts.dataset import ImageDataset
from toolbox.engine.data import EverySample, evaluation_loader, train_loader
from toolbox.engine.degrading import Degrading
from toolbox.io.errors import UserError
from toolbox.testing.networks import TinyDegradation


class Noise(ImageDataset):
    """Pictures of noise, each its own."""

    def __init__(self, count: int = 5, *, size: int = 12, names: bool = True) -> None:
        self.count, self.size, self.names = count, size, names

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
        image = np.random.default_rng(index).integers(0, 256, (self.size, self.size, 3), np.uint8)
        return {"hr": image, "name": f"{index}.png" if self.names else "same.png"}


def degrading(crop: int | None = None) -> Degrading:
    made = TinyDegradation()
    made.crop = crop
    return Degrading(made, {"lr": "hr"})


def first(count: int, *, seed: int = 0, start: int = 0, crop: int | None = None, **config: Any) -> dict[str, Tensor]:
    """The first samples of a training, stacked."""
    loader = train_loader({"batch_size": 2, **config}, Noise(), seed, 0, 1, degrading(crop))
    loader.sampler.start = start  # pyright: ignore[reportAttributeAccessIssue]
    batches, seen = [], 0
    for batch in loader:
        batches.append(batch)
        seen += len(batch["hr"])
        if seen >= count:
            break
    return {name: torch.cat([batch[name] for batch in batches])[:count] for name in ("hr", "lr")}


def test_neither_batch_size_nor_workers_change_a_sample() -> None:
    expected = first(8)
    assert expected["lr"].shape == (8, 3, 6, 6) and expected["lr"].dtype == torch.float32
    for config in ({"batch_size": 4}, {"num_workers": 2}, {"batch_size": 1, "num_workers": 1}):
        found = first(8, **config)
        assert torch.equal(found["lr"], expected["lr"]) and torch.equal(found["hr"], expected["hr"])


def test_a_resumed_run_goes_on_and_another_seed_or_epoch_is_another_damage() -> None:
    whole = first(10)
    assert torch.equal(first(4, start=6)["lr"], whole["lr"][6:])
    again = Degrading(TinyDegradation(), {"lr": "hr"})
    sample = {"hr": whole["hr"][0]}
    kept, other, later = (again.train(sample, *key)["lr"] for key in ((0, 0), (1, 0), (0, 5)))
    assert not torch.equal(kept, other) and not torch.equal(kept, later)


def test_every_rank_damages_its_own_positions() -> None:
    ranks = []
    for rank in range(2):
        loader = train_loader({"batch_size": 1}, Noise(), 0, rank, 2, degrading())
        ranks.append(next(iter(loader))["lr"][0])
    alone = first(2)["lr"]
    assert torch.equal(ranks[0], alone[0]) and torch.equal(ranks[1], alone[1])


def test_an_evaluation_damages_by_an_images_name_alone_and_cuts_nothing() -> None:
    one, two = (
        torch.cat([batch["lr"] for batch in evaluation_loader({"batch_size": n}, Noise(), 0, 1, degrading(4))])
        for n in (1, 3)
    )
    assert torch.equal(one, two) and one.shape == (5, 3, 6, 6)
    same = EverySample(Noise(1, names=False), degrading())
    assert torch.equal(same[0]["lr"], same[0]["lr"])


def test_input_and_target_are_cut_alike_after_the_damage() -> None:
    found, whole = first(6, crop=8), first(6)
    assert found["hr"].shape == (6, 8, 8, 3) and found["lr"].shape == (6, 3, 4, 4)
    places = set()
    for hr, lr, large, small in zip(found["hr"], found["lr"], whole["hr"], whole["lr"], strict=True):
        at = [
            (y, x) for y in range(3) for x in range(3) if torch.equal(large[2 * y : 2 * y + 8, 2 * x : 2 * x + 8], hr)
        ]
        assert len(at) == 1
        y, x = at[0]
        assert lr.shape == small[:, y : y + 4, x : x + 4].shape
        mean = hr.float().div(255).reshape(4, 2, 4, 2, 3).mean((1, 3)).permute(2, 0, 1)
        assert (lr - mean).abs().max() < 0.06  # the noise of TinyDegradation, 0.01
        places.add(at[0])
    assert len(places) > 1


def test_a_picture_smaller_than_the_crop_is_refused_with_its_size() -> None:
    with pytest.raises(UserError, match=r"model\.degradation\.crop: is 16, and 'hr' is 12 x 12"):
        first(2, crop=16)


def test_what_the_dataset_gives_is_kept_and_what_has_no_source_is_left_to_the_preprocessor() -> None:
    given = {"lr": torch.zeros(3, 2, 2), "hr": torch.zeros(4, 4, 3, dtype=torch.uint8)}
    assert degrading(2).train(given, 0, 0) == given
    assert degrading().train({"name": "a"}, 0, 0) == {"name": "a"}


def test_floats_clips_and_masks_are_degraded_in_their_own_layouts() -> None:
    class Halved(TinyDegradation):
        def forward(self, images: Tensor, rng: torch.Generator) -> Tensor:
            return images[..., ::2, ::2]

    make = Degrading(Halved(), {"lr": "hr"}).evaluate
    assert make({"hr": torch.rand(3, 4, 6)})["lr"].shape == (3, 2, 3)
    assert make({"hr": torch.zeros(2, 4, 6, 3, dtype=torch.uint8)})["lr"].shape == (2, 3, 2, 3)
    assert make({"hr": torch.zeros(4, 6, dtype=torch.uint8)})["lr"].shape == (1, 2, 3)
