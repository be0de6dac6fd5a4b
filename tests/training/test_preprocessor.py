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


def test_what_the_loader_has_degraded_is_taken_as_it_is() -> None:
    preprocessor = Preprocessor(inputs=("lr", "hr"), derived={"lr": "hr"}, degradation=TinyDegradation())
    given, before = torch.rand(1, 3, 8, 8), preprocessor.rng.get_state()
    values = preprocessor({"hr": images(1, 3, 16, 16), "lr": given}, True)
    assert torch.equal(values["lr"], given) and torch.equal(preprocessor.rng.get_state(), before)


def test_a_degradation_on_the_device_cuts_too() -> None:
    degradation = TinyDegradation()
    degradation.crop = 8
    preprocessor = Preprocessor(inputs=("lr", "hr"), derived={"lr": "hr"}, degradation=degradation)
    values = preprocessor({"hr": images(4, 3, 16, 16)}, True)
    assert values["hr"].shape == (4, 3, 8, 8) and values["lr"].shape == (4, 3, 4, 4)
    small = torch.nn.functional.avg_pool2d(values["hr"], 2)
    assert (values["lr"] - small).abs().max() < 0.06  # the noise of TinyDegradation, 0.01
    assert preprocessor({"hr": images(1, 3, 16, 16), "name": ["a"]}, False)["hr"].shape == (1, 3, 16, 16)


def test_in_training_every_sample_is_damaged_in_its_own_way() -> None:
    first, second = made(["a.png", "a.png"], training=True)
    assert not torch.equal(first, second)
