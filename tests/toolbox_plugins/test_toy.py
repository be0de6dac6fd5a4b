"""The textbook's test of an objective: eight Gaussians on a ring."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from toolbox.io.errors import UserError
from toolbox_plugins.toy.coverage import covered
from toolbox_plugins.toy.experiment import train
from toolbox_plugins.toy.mixture import SPREAD, GaussianMixture, centres

RPGAN = {"type": "RpGAN", "regularizers": [{"type": name, "weight": 0.1, "image_span": 10.0} for name in ("R1", "R2")]}


def test_points_lie_around_the_modes_and_are_the_generators_alone() -> None:
    data = GaussianMixture(layout="grid", latent=4)
    samples = [data.sample(0, np.random.default_rng(seed)) for seed in range(400)]
    points = (np.stack([each["real"].reshape(2) for each in samples]) - 0.5) * 10
    distance = np.linalg.norm(points[:, None] - centres("grid"), axis=-1).min(1)
    assert abs(np.sqrt((distance**2).mean() / 2) - SPREAD) < 0.01 and samples[0]["noise"].shape == (4, 1, 1)
    assert np.array_equal(data.sample(7, np.random.default_rng(1))["real"], samples[1]["real"])
    assert covered(points, "grid") == (25, pytest.approx(1, abs=0.03))


def test_a_mode_counts_from_a_fifth_of_its_share() -> None:
    ring = centres("ring")
    assert covered(np.repeat(ring, 10, 0), "ring") == (8, 1.0)
    points = np.concatenate([np.repeat(ring[:4], 20, 0), ring[4:5], np.full((15, 2), 9.0)])
    assert covered(points, "ring") == (4, pytest.approx(81 / 96))
    with pytest.raises(UserError, match="ring or grid"):
        centres("line")


def test_rpgan_with_both_penalties_covers_the_ring_where_the_original_collapses() -> None:
    torch.set_num_threads(1)
    assert train(RPGAN, steps=750).first is not None
    assert train({"type": "Vanilla"}, steps=600, batch=128).modes <= 3
