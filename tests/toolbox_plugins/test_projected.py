"""The projected discriminator: what is fixed, what is learned, what it is told, and what its checkpoints hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from toolbox import FeatureNetwork
from toolbox.contracts.gan_variant import refuse_batch_norm
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.testing import check_discriminator
from toolbox.training.network_call import mixes_samples
from toolbox.weights.spectral_norm import normalize_spectrally
from toolbox_plugins.features.random_features import RandomFeatures
from toolbox_plugins.projected.discriminator import ProjectedDiscriminator

LAYERS = ["relu1_2", "relu3_3"]


class NormedFeatures(FeatureNetwork):
    """A frozen convolution and batch norm."""

    layers = ("first",)

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> NormedFeatures:
        return super().train(False)

    def forward(self, images: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
        return {"first": self.norm(self.convolution(images))}


def judge(**arguments: Any) -> ProjectedDiscriminator:
    return ProjectedDiscriminator(features=RandomFeatures(width=4), **{"layers": LAYERS, "width": 4} | arguments)


def test_each_layer_is_judged_at_its_own_size_and_each_image_alone() -> None:
    network = judge().eval()
    images = torch.rand(2, 3, 36, 40)
    both = network(images)
    assert [tuple(each.shape) for each in both] == [(2, 1, 36, 40), (2, 1, 9, 10)]
    for together, alone in zip(both, network(images[1:]), strict=True):
        torch.testing.assert_close(together[1:], alone)
    assert len(judge(layers=None)(images)) == len(RandomFeatures.taps)


def test_only_its_judges_learn_and_images_get_gradients() -> None:
    network = judge()
    learning = {name.split(".")[0] for name, each in network.named_parameters() if each.requires_grad}
    assert learning == {"judges"}
    check_discriminator(network, size=32)


def test_a_fine_layer_sees_what_only_deep_ones_saw() -> None:
    """Mixing across scales: what changes in the deepest activations alone changes the finest verdicts."""
    network = judge()
    fine, deep = torch.rand(1, 4, 16, 16), torch.rand(1, 16, 4, 4)
    before, after = (network.mixing([fine, each])[0] for each in (deep, deep + 1))
    assert (before - after).abs().mean() > 0.01


def test_what_is_mixed_has_one_scale_and_is_the_same_for_a_seed() -> None:
    features = RandomFeatures(width=4)
    noise = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    seen = [*features(noise, layers=LAYERS).values()]
    for mixed in judge().mixing(seen):
        assert mixed.std().item() == pytest.approx(1, abs=1e-3)
    drawn = [judge(seed=seed).mixing.across_scales[0].weight for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_it_is_told_the_planes_beside_the_picture() -> None:
    network = judge(in_channels=5).eval()
    picture, planes = torch.rand(1, 3, 32, 32), torch.zeros(1, 2, 32, 32)
    said = [network(torch.cat([picture, each], 1))[0] for each in (planes, planes + 1)]
    assert (said[0] - said[1]).abs().mean() > 1e-3


def test_checkpoints_hold_what_is_drawn_and_learned_but_not_the_feature_network() -> None:
    first, second = judge(seed=0), judge(seed=1)
    state = first.state_dict()
    assert {key.split(".")[0] for key in state} == {"mixing", "judges"}
    second.load_state_dict(state)
    images = torch.rand(1, 3, 32, 32)
    for ours, theirs in zip(first.eval()(images), second.eval()(images), strict=True):
        torch.testing.assert_close(ours, theirs)
    del state["judges.0.0.bias"]
    with pytest.raises(RuntimeError, match=r"judges\.0\.0\.bias"):
        second.load_state_dict(state)


@pytest.mark.parametrize("name", registry("regularizers").names())
def test_each_penalty_gives_a_gradient(name: str) -> None:
    network, penalty = judge(), registry("regularizers").get(name)()
    penalty(network, torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)).backward()
    gradients = [each.grad for each in network.parameters() if each.requires_grad and each.dim() > 1]
    assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)


def test_what_stands_still_in_it_is_no_batch_norm_and_is_not_normalised() -> None:
    """A feature network's batch norm sees each image alone: penalties are allowed, images judged together."""
    network = ProjectedDiscriminator(features=NormedFeatures(), layers=["first"], width=4)
    refuse_batch_norm(network, "R1")
    assert not mixes_samples(network)
    before = network.mixing.across_channels[0].weight
    normalize_spectrally(network)
    assert network.mixing.across_channels[0].weight is before
    assert not hasattr(network.features.convolution, "parametrizations")
    with pytest.raises(UserError, match="has batch norm"):
        refuse_batch_norm(torch.nn.Sequential(network, torch.nn.BatchNorm2d(1)), "R1")


def test_what_it_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="in_channels 3 or more and seed 0 or more, got 4, 2, 0"):
        judge(in_channels=2)
    with pytest.raises(UserError, match="RandomFeatures has no layer 'relu9'"):
        judge(layers=["relu9"])
    with pytest.raises(UserError, match="at least one layer"):
        judge(layers=[])
