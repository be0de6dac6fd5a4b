"""The plugin keeps to the toolbox's contracts, and each component gives a value worked out by hand."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from my_gan.algorithm import ConsistentUpscaler
from my_gan.dataset import StripedImages
from my_gan.degradation import SensorDegradation
from my_gan.discriminator import TwoScalePatchDiscriminator
from my_gan.generator import SmoothShuffleUpscaler
from my_gan.hook import LossTable
from my_gan.loss import EdgeWeightedL1
from my_gan.metric import EdgeError
from my_gan.transform import GammaJitter
from my_gan.variant import SoftHinge
from my_gan.weights import SmoothShuffleFlat
from torch.nn.functional import interpolate, relu

from toolbox import UserError
from toolbox.testing import assemble, batch_for, check_format, check_generator, check_plugin, check_variant
from toolbox.testing.objective import LeastSquares


def test_everything_that_is_registered_keeps_to_its_contract() -> None:
    results = list(check_plugin("my_gan"))
    assert {result.name for result in results} >= {"SmoothShuffleUpscaler", "SoftHinge", "SensorDegradation"}
    assert [result for result in results if result.problem or not result.ran] == []


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_generator_keeps_to_its_contract_at_every_scale(scale: int) -> None:
    check_generator(SmoothShuffleUpscaler(width=8, depth=2, scale=scale))


def test_an_untrained_generator_is_the_bicubic_enlargement() -> None:
    images = torch.rand(2, 3, 7, 9)
    assert torch.equal(SmoothShuffleUpscaler()(images), interpolate(images, scale_factor=2, mode="bicubic"))


def test_the_generators_detail_has_no_checkerboard() -> None:
    network = SmoothShuffleUpscaler(channels=1, width=8)
    torch.nn.init.normal_(network.detail.weight)
    flat = network(torch.full((1, 1, 16, 16), 0.5))[..., 14:18, 14:18]
    assert torch.allclose(flat, flat[..., :1, :1].expand_as(flat), atol=1e-5)


def test_the_discriminator_judges_at_two_sizes() -> None:
    full, half = TwoScalePatchDiscriminator(width=4)(torch.rand(2, 3, 32, 48))
    assert full.shape == (2, 1, 8, 12) and half.shape == (2, 1, 4, 6)


def test_an_error_at_a_full_edge_counts_five_times() -> None:
    target = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 3, 1, 4)  # the slope is 1 at the second pixel, 0 elsewhere
    loss = EdgeWeightedL1(strength=4.0)
    assert torch.isclose(loss(target + 0.1, target), torch.tensor(0.1 * (1 + 5 + 1 + 1) / 4))


def test_a_sharp_soft_hinge_is_the_hinge() -> None:
    real, fake = torch.randn(2, 4, 1, 5, 5)
    hinge = relu(1 - real).mean() + relu(1 + fake).mean()
    assert torch.isclose(SoftHinge(sharpness=1e4).d_loss([real], [fake]), hinge, atol=1e-4)
    assert SoftHinge().g_loss([fake, fake], None) == -2 * fake.mean()


def test_the_soft_hinge_trains_the_plugins_own_discriminator() -> None:
    check_variant(SoftHinge, lambda: TwoScalePatchDiscriminator(width=8))


def test_noise_has_the_variance_that_was_asked_for() -> None:
    grey = torch.full((64, 1, 64, 64), 0.5)
    noisy = SensorDegradation(scale=2, shot=0.01, read=0.02)(grey, torch.Generator().manual_seed(0))
    variance = noisy.var(dim=(1, 2, 3))  # of each sample: 0.5 * shot + 0.02^2, with shot between 0 and 0.01
    assert 0.0003 < variance.min() < 0.0008 < 0.0045 < variance.max() < 0.0059
    assert variance.mean().item() == pytest.approx(0.5 * 0.005 + 0.0004, rel=0.15)


def test_gamma_keeps_black_and_white_and_treats_a_samples_images_alike() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    changed = GammaJitter(strength=2.0)({"a": ramp, "b": ramp}, np.random.default_rng(0))
    assert np.array_equal(changed["a"], changed["b"]) and not np.array_equal(changed["a"], ramp)
    assert changed["a"].min() == 0 and changed["a"].max() == 255


def test_the_upscaled_image_is_shrunk_again_only_if_a_loss_asks_for_it() -> None:
    with_losses = assemble(ConsistentUpscaler, LeastSquares)
    values = with_losses.data_preprocessor(batch_for(with_losses), True)
    with_losses.translate(values)
    assert torch.equal(values["small"], torch.nn.functional.avg_pool2d(values["sr"], 2))
    without = assemble(ConsistentUpscaler, LeastSquares, losses=False)
    values = without.data_preprocessor(batch_for(without), True)
    without.translate(values)
    assert "small" not in values
    with pytest.raises(UserError, match=r"model\.shrink: must be the generator's scale, got 4"):
        assemble(ConsistentUpscaler, LeastSquares, shrink=4)


def test_stripes_have_two_colours_and_repeat_with_the_generator() -> None:
    dataset = StripedImages(size=32)
    first = dataset.sample(3, np.random.default_rng(0))
    assert first["hr"].shape == (32, 32, 3) and first["name"] == "stripes_3" and len(dataset) == 64
    assert np.array_equal(first["hr"], dataset.sample(3, np.random.default_rng(0))["hr"])
    assert not np.array_equal(first["hr"], dataset.sample(3, np.random.default_rng(1))["hr"])
    colors = np.random.default_rng(3)
    colors.uniform(4, 16), colors.uniform(0, np.pi)
    low, high = np.sort(colors.integers(0, 256, (2, 3)), axis=0)
    assert (first["hr"] >= low).all() and (first["hr"] <= high).all()


def test_a_step_of_ten_grey_levels_in_four_columns_is_an_edge_error_by_hand() -> None:
    flat, step = torch.zeros(3, 4, 4), torch.zeros(3, 4, 4)
    step[:, :, 2:] = 10 / 255  # of the three differences along x, one is 10 and two are 0; along y all are 0
    metric = EdgeError(prediction="sr", reference="hr")
    assert metric.measure(step, flat) == pytest.approx((10 / 3 + 0) / 2) and metric.measure(flat, flat) == 0


def test_the_losses_of_every_second_iteration_are_a_line_of_the_table(tmp_path: Path) -> None:
    runner = SimpleNamespace(rank=0, work_dir=str(tmp_path))
    for i in range(4):
        LossTable(interval=2).after_train_iter(runner, i, None, {"g/pixel": torch.tensor(i / 8)})
    assert (tmp_path / "losses.csv").read_text() == "iteration,g/pixel\n2,0.125\n4,0.375\n"


@pytest.mark.parametrize("arguments", [{}, {"channels": 1, "width": 4, "depth": 1, "scale": 3}])
def test_somebody_elses_file_is_read_and_written_as_it_was(arguments: dict[str, int]) -> None:
    network = SmoothShuffleUpscaler(**arguments)
    check_format(SmoothShuffleFlat(), network)
    theirs = SmoothShuffleFlat().restore(network.state_dict())
    assert set(theirs) >= {"net.0.weight", "tail.bias"} and not [key for key in theirs if key.startswith("detail")]
    theirs["tail.weight"] = theirs["tail.weight"][:-1]
    with pytest.raises(UserError, match=r"'tail\.weight' has \d+ channels, which is no square times"):
        SmoothShuffleFlat().arguments(theirs)


@pytest.mark.parametrize(
    ("component", "argument"),
    [
        (SmoothShuffleUpscaler, {"scale": 5}),
        (TwoScalePatchDiscriminator, {"layers": 0}),
        (EdgeWeightedL1, {"strength": -1.0}),
        (SoftHinge, {"margin": 0.0}),
        (SensorDegradation, {"read": 0.0}),
        (GammaJitter, {"strength": 0.5}),
        (StripedImages, {"size": 4}),
        (LossTable, {"interval": 0}),
    ],
)
def test_a_wrong_argument_is_refused_with_its_name_and_value(component: type, argument: dict[str, float]) -> None:
    (name, value), *_ = argument.items()
    with pytest.raises(ValueError, match=rf"{name}.* got .*{value}"):
        component(**argument)
