"""What the preprocessor makes of a batch: damage drawn anew in training, and by an image's name in validation."""

from __future__ import annotations

import torch
from torch import Tensor

from toolbox.testing.components import images
from toolbox.testing.networks import TinyDegradation
from toolbox.training.preprocessor import Preprocessor


def made(names: list[str], *, training: bool = False) -> Tensor:
    """The low-resolution inputs of equal images with these names."""
    preprocessor = Preprocessor(inputs=("lr", "hr"), derived={"lr": "hr"}, degradation=TinyDegradation())
    batch = {"hr": images(1).repeat(len(names), 1, 1, 1), "name": names}
    return preprocessor(batch, training)["lr"]


def test_in_validation_an_image_is_damaged_by_its_name_whatever_batch_it_comes_in() -> None:
    together, alone = made(["a.png", "b.png", "a.png"]), made(["b.png"])
    assert torch.equal(together[0], together[2]) and torch.equal(together[1], alone[0])
    assert not torch.equal(together[0], together[1])


def test_in_training_every_sample_is_damaged_in_its_own_way() -> None:
    first, second = made(["a.png", "a.png"], training=True)
    assert not torch.equal(first, second)
