"""The head that compares samples: its statistics, its memory, on several ranks, under penalties and every objective."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.model import MMSeparateDistributedDataParallel
from torch import Tensor, nn

from matrix import VARIANTS
from toolbox import UserError
from toolbox.plugins.registry import registry
from toolbox.testing import assemble, batch_for, check_discriminator, check_training, optimizers_for
from toolbox.training.network_call import frozen, judge, mixes_samples
from toolbox_plugins.cyclegan.algorithm import CycleGAN
from toolbox_plugins.cyclegan.discriminator import PatchDiscriminator
from toolbox_plugins.detail.discriminator import DetailDiscriminator
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.regularizers.slope import R1, GradientPenalty
from toolbox_plugins.srgan.algorithm import SRGAN
from toolbox_plugins.uvcgan.discriminator import EPSILON, BatchHeadDiscriminator, deviation
from two_ranks import on_two_ranks


def small(channels: int = 3, **arguments: Any) -> BatchHeadDiscriminator:
    return BatchHeadDiscriminator(**{"in_channels": channels, "width": 4, "layers": 1, "norm": "none", **arguments})


def images(count: int, seed: int = 0, size: int = 16) -> Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def spread_in(network: BatchHeadDiscriminator, given: Tensor, side: str | None) -> Tensor:
    """The channel that the head is given beside the features."""
    seen: list[Tensor] = []
    handle = network.head.register_forward_hook(lambda module, values, made: seen.append(values[0][:, -1]))
    network(given, side)
    handle.remove()
    return seen[0].detach()


def plainly(features: Tensor) -> float:
    """The deviation of features (n, c, h, w), by numpy."""
    return float(np.sqrt(features.numpy().astype(float).var(0) + EPSILON).mean())


def test_the_deviation_is_that_of_every_place_and_channel_and_then_a_mean() -> None:
    features = torch.randn(5, 3, 2, 4)
    columns = features.numpy().reshape(5, -1).T
    wanted = np.mean([np.sqrt(np.mean((column - np.mean(column)) ** 2) + EPSILON) for column in columns])
    assert float(deviation(features[:2], features[2:])) == pytest.approx(wanted, rel=1e-5)
    assert plainly(features) == pytest.approx(wanted, rel=1e-5)
    assert float(deviation(features[:1])) == pytest.approx(EPSILON**0.5)


def test_a_batch_is_compared_with_what_is_remembered_of_its_side() -> None:
    network = small()
    first, second, other = images(2), images(1, 1), images(3, 2)
    network(first, "real")
    network(other, "fake")
    bodies = [network.body(each * 2 - 1).detach() for each in (first, second)]
    found = spread_in(network, second, "real")
    assert torch.allclose(found, torch.full_like(found, plainly(torch.cat(bodies))), rtol=1e-4)
    kept = network.remembered["real"]
    assert torch.equal(kept, torch.cat(bodies)) and not kept.requires_grad, "then it is remembered itself"
    network(images(2, 3), "real")
    assert len(network.remembered["real"]) == 3 and torch.equal(network.remembered["real"][0], bodies[1][0])


def test_fakes_that_are_all_alike_show_in_the_head() -> None:
    network = small(memory=0)
    one = images(1)
    alike, apart = spread_in(network, one.expand(4, -1, -1, -1), "fake"), spread_in(network, images(4), "fake")
    assert float(alike.max()) == pytest.approx(EPSILON**0.5, rel=0.1) and float(apart.min()) > 2 * EPSILON**0.5
    assert not network.remembered


def test_without_a_side_each_image_stands_beside_both_memories() -> None:
    network = small()
    network(images(2), "real")
    network(images(1, 1), "fake")
    given = images(2, 2)
    remembered = [network.remembered[side] for side in ("real", "fake")]
    found = spread_in(network, given, None)
    for number in range(2):
        together = torch.cat([*remembered, network.body(given[number : number + 1] * 2 - 1).detach()])
        assert torch.allclose(found[number], torch.full_like(found[number], plainly(together)), rtol=1e-4)
    assert [len(each) for each in network.remembered.values()] == [2, 1], "and is not remembered"


def test_it_learns_by_heart_only_what_it_learns_from() -> None:
    network = small()
    with frozen(network):
        network(images(1), "fake")
    with torch.no_grad():
        network(images(1), "real")
    network.eval()
    network(images(1), "real")
    assert not network.remembered
    network.train()
    network(images(1), "real")
    network(images(1, size=24), "real")
    assert network.remembered["real"].shape[-1] == 11, "another size begins anew"


def test_a_penalty_sees_each_images_own_slope() -> None:
    network = small().double()
    network(images(2).double(), "real")
    given = images(3, 1).double().requires_grad_()
    critics = network(given)[0].flatten(1).mean(1)
    (together,) = torch.autograd.grad(critics.sum(), given)
    for number in range(3):
        alone = given[number : number + 1].detach().requires_grad_()
        (own,) = torch.autograd.grad(network(alone)[0].mean(), alone)
        torch.testing.assert_close(together[number : number + 1], own)
    numbers = network(given, "real")[0].flatten(1).mean(1)
    (mixed,) = torch.autograd.grad(numbers[0], given)
    assert mixed[1].abs().sum() > 0, "with a side the images of a batch do see each other"


def test_the_memory_bears_no_gradient_but_bends_the_slope() -> None:
    network, given = small().double(), images(1, 1).double()
    penalty = GradientPenalty(center=0.0, image_span=1.0)
    before = penalty(network, given, given)
    network(images(1, 2).double(), "real")
    after = penalty(network, given, given)
    assert not torch.isclose(before, after, rtol=1e-3, atol=0)
    after.backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in network.parameters() if each.dim() > 1)


def test_a_flat_slope_is_what_a_center_of_0_asks_for() -> None:
    weight = torch.randn(48, dtype=torch.float64)
    critic = lambda given: [given.flatten(1) @ weight[:, None]]  # noqa: E731
    real, fake = torch.rand(2, 2, 3, 4, 4, dtype=torch.float64)
    found = GradientPenalty(center=0.0, image_span=1.0)(critic, real, fake)
    torch.testing.assert_close(found, weight.square().sum())
    with pytest.raises(UserError, match="center must be 0 or more"):
        GradientPenalty(center=-1.0)


def test_real_and_fake_are_judged_apart_and_told_their_side() -> None:
    network = small()
    assert mixes_samples(network)
    told: list[str] = []
    network.register_forward_pre_hook(lambda module, given, named: told.append(named["side"]), with_kwargs=True)
    judge(network, {"real": images(2), "fake": images(2, 1)}, apart=True)
    assert told == ["real", "fake"]


def test_another_discriminator_passes_the_side_on() -> None:
    detailed: Any = DetailDiscriminator(discriminator=small(6))
    assert detailed.knows_sides and not DetailDiscriminator(discriminator=PatchDiscriminator(in_channels=6)).knows_sides
    check_discriminator(detailed, size=32)
    assert set(detailed.discriminator.remembered) == {"real", "fake"}


def test_it_keeps_to_the_contract() -> None:
    check_discriminator(small(), size=32)
    check_discriminator(BatchHeadDiscriminator(width=8, memory=0), size=64)


@pytest.mark.parametrize("variant", VARIANTS)
def test_it_trains_under_every_objective(variant: str) -> None:
    model: Any = assemble(CycleGAN, VARIANTS[variant], discriminator=small)
    check_training(model)
    assert set(model.discriminator_a.remembered) == {"real", "fake"}


@pytest.mark.parametrize("name", registry("regularizers").names())
def test_each_penalty_gives_its_head_a_gradient(name: str) -> None:
    network: Any = small()
    network(images(1), "real")
    registry("regularizers").get(name)()(network, images(2, 1), images(2, 2)).backward()
    for gradient in (network.head[0].weight.grad, network.body[0].weight.grad):
        assert gradient is not None and gradient.isfinite().all() and gradient.any()


def test_a_checkpoint_brings_the_memory_back() -> None:
    network, again = small(), small()
    network(images(2), "real")
    again.load_state_dict(network.state_dict())
    assert torch.equal(again(images(1, 1), "real")[0], network(images(1, 1), "real")[0])
    with pytest.raises(UserError, match="memory of features holds something else"):
        again.set_extra_state({"real": [1]})


def trained(folder: Path, rank: int) -> dict[str, Any]:
    """Train on this rank's own images; returns its weights and its memory."""
    model: Any = assemble(SRGAN, lambda: with_slopes(LSGAN()), discriminator=small)
    wrapped = MMSeparateDistributedDataParallel(model, device_ids=None)
    torch.manual_seed(rank)
    optimizers = optimizers_for(model)
    for step in range(4):
        wrapped.train_step(batch_for(model, count=1, seed=10 * step + rank), optimizers)
    memory = model.discriminator.module.remembered
    return {"weights": torch.cat([each.detach().flatten() for each in model.parameters()]), **memory}


def with_slopes(variant: Any) -> Any:
    variant.regularizers.extend(nn.ModuleList([R1(), GradientPenalty(center=0.0)]))
    return variant


def test_ranks_share_weights_and_each_remembers_its_own_images(tmp_path: Path) -> None:
    first, second = on_two_ranks(trained, tmp_path)
    assert torch.equal(first["weights"], second["weights"])
    assert len(first["real"]) == len(second["real"]) == 3 and not torch.allclose(first["real"], second["real"])


def test_a_memory_below_0_is_refused() -> None:
    with pytest.raises(UserError, match="memory must be 0 or more, got -1"):
        BatchHeadDiscriminator(memory=-1)
