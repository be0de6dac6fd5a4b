"""StarGAN keeps to the toolbox's contracts, and labels go where they should."""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from star_gan.algorithm import StarGAN
from star_gan.dataset import DomainFolders
from star_gan.discriminator import DomainDiscriminator
from star_gan.generator import DomainGenerator
from star_gan.loss import CrossEntropy

from toolbox import ConfigError
from toolbox.testing import assemble, batch_for, check_plugin, check_training
from toolbox.testing.objective import LeastSquares


def made(**arguments: Any) -> StarGAN:
    algorithm = assemble(StarGAN, LeastSquares, **StarGAN.example_arguments(), **arguments)
    assert isinstance(algorithm, StarGAN)
    return algorithm


def test_everything_that_is_registered_keeps_to_its_contract() -> None:
    results = list(check_plugin("star_gan"))
    assert [result for result in results if result.problem] == []
    assert {result.name for result in results if result.ran} >= {"StarGAN", "DomainGenerator", "DomainDiscriminator"}


def test_the_networks_and_the_losses_of_both_players_train() -> None:
    check_training(made())


def test_training_goes_to_labels_of_the_batch_and_evaluation_to_the_next_domain() -> None:
    algorithm, label = made(), torch.tensor([0, 1, 1, 1])
    values: dict[str, Any] = {"label": label}
    algorithm.prepare(values)
    assert values["target"].sort().values.equal(label)
    algorithm.eval().prepare(values)
    assert values["target"].tolist() == [1, 0, 0, 0]


def test_a_label_is_a_plane_of_ones_among_zeros() -> None:
    planes = made().planes(torch.tensor([1, 0]), torch.rand(2, 3, 4, 5))
    assert planes.shape == (2, 2, 4, 5) and planes.mean((2, 3)).tolist() == [[0, 1], [1, 0]]


def test_the_chosen_domain_counts_by_name_and_by_number() -> None:
    algorithm, images = made(domains=("photo", "painting")).eval(), batch_for(made())["picture"]
    by_name = algorithm.predict(images, chosen={"domain": "painting"})
    assert torch.equal(by_name, algorithm.predict(images, chosen={"domain": 1}))
    assert not torch.equal(by_name, algorithm.predict(images, chosen={"domain": "photo"}))


def test_equal_scores_of_four_domains_cost_log_four() -> None:
    assert CrossEntropy()(torch.zeros(3, 4), torch.tensor([0, 1, 3])).item() == pytest.approx(log(4))


@pytest.mark.parametrize(
    ("component", "arguments"),
    [
        (DomainGenerator, {"domains": 1}),
        (DomainDiscriminator, {"layers": 0}),
        (DomainFolders, {"domains": ["a"], "root": "."}),
    ],
)
def test_a_wrong_argument_is_refused(component: type, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="domains"):
        component(**arguments)


def test_domains_that_the_generator_does_not_know_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.domains: names 3"):
        made(domains=("a", "b", "c"))


def test_a_samples_label_is_the_number_of_its_folder(tmp_path: Path) -> None:

    for folder in ("cats", "dogs"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (9, 8)).save(tmp_path / folder / "one.png")
    dataset = DomainFolders(root=str(tmp_path), domains=["dogs", "cats"])
    sample = dataset.sample(1, np.random.default_rng(0))
    assert sample["label"] == 1 and sample["name"] == "cats/one.png" and sample["picture"].shape == (8, 9, 3)
