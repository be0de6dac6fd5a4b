"""Style transfer and super-resolution in one network: how images flow, what strength does, what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from toolbox.contracts.network import Generator
from toolbox.io.errors import UserError
from toolbox.io.resize import resize_bicubic
from toolbox.plugins.registry import registry
from toolbox.testing.components import check_generator
from toolbox.testing.networks import TinyGenerator
from toolbox.testing.objective import LeastSquares
from toolbox.testing.training import assemble, batch_for
from toolbox.training.parts import Phase
from toolbox_plugins.cascade.algorithm import Cascade
from toolbox_plugins.joint.algorithm import StyleSuperResolution, in_one_pass
from toolbox_plugins.joint.compact import StyleSRNet
from toolbox_plugins.joint.flatten import flatten


def joint(**arguments):
    return assemble(StyleSuperResolution, LeastSquares, **arguments)


def translated(algorithm):
    values = algorithm.data_preprocessor(batch_for(algorithm), True)
    algorithm.translate(values)
    return values


def lively(**arguments) -> StyleSRNet:
    """A network that does something already."""
    torch.manual_seed(0)
    network = StyleSRNet(width=8, blocks=2, fine=4, **arguments)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return network


def test_values_have_the_sizes_of_their_names():
    values = translated(joint())
    large, small = (2, 3, 32, 32), (2, 3, 16, 16)
    for name in ("fake_b", "sr_a", "sr_b", "rec_b", "part_b", "mixed_b"):
        assert values[name].shape == large
    for name in ("lr_a", "small_a", "small_b", "fake_small", "fake_a", "rec_a", "same_a"):
        assert values[name].shape == small


def test_values_are_what_their_names_say():
    algorithm = joint(noise=0.0)
    values = translated(algorithm)
    one, none = torch.ones(2), torch.zeros(2)
    up, back = algorithm.generator_ab, algorithm.generator_ba
    expected = {
        "fake_b": up(values["lr_a"], one),
        "sr_a": up(values["lr_a"], none),
        "sr_b": up(values["lr_b"], none),
        "fake_small": resize_bicubic(values["fake_b"], down=2),
        "fake_a": back(values["small_b"]),
        "rec_a": back(values["fake_small"]),
        "rec_b": up(values["fake_a"], one),
        "same_a": back(values["small_a"]),
    }
    for name, value in expected.items():
        assert torch.allclose(values[name], value, atol=1e-6), name
    assert not values["mixed_b"].requires_grad


def test_each_image_is_destroyed_by_itself_and_gradients_pass():
    algorithm = joint(noise=0.05, jpeg_quality=[40, 90])
    images = (0.4 + 0.2 * torch.rand(1, 3, 16, 16)).expand(2, -1, -1, -1).clone().requires_grad_()
    destroyed = algorithm.destroy(images)
    assert (destroyed[0] - destroyed[1]).abs().max() > 0.01
    destroyed.sum().backward()
    assert images.grad is not None and images.grad.abs().min() > 0


def test_only_what_a_role_or_a_discriminator_asks_for_is_computed():
    values = translated(joint(losses=False))
    assert {"fake_b", "fake_small", "fake_a"} <= values.keys()
    assert not {"sr_a", "sr_b", "rec_a", "rec_b", "same_a", "part_b"} & values.keys()


def test_a_phase_of_super_resolution_alone_pays_for_nothing_else():
    algorithm = joint()
    phases = [Phase("sr", losses=["super_resolution"], adversaries=[])]
    algorithm.parts = replace(algorithm.parts, phases=phases)
    values = translated(algorithm)
    assert {"sr_a", "sr_b"} <= values.keys()
    assert not {"fake_b", "fake_small", "fake_a", "rec_a", "rec_b"} & values.keys()


def test_prediction_goes_by_strength_and_has_no_picture_of_a_style():
    algorithm = joint(generator=lambda scale: lively(scale=scale))
    images = torch.rand(1, 3, 9, 11)
    weak, strong = (algorithm.predict(images, "fake_b", {"strength": s}) for s in (0.0, 1.0))
    assert strong.shape == (1, 3, 18, 22)
    assert torch.equal(weak, algorithm.predict(images, "sr_a")) and not torch.equal(weak, strong)
    half = algorithm.predict(images, chosen={"strength": 0.5})
    assert torch.equal(half, algorithm.predict(images, "half_b")) and not torch.equal(half, strong)
    assert torch.equal(strong, algorithm.predict(images))
    with pytest.raises(UserError, match="leave --style out"):
        algorithm.predict(images, "fake_b", {"style": torch.rand(1, 3, 8, 8)})
    with pytest.raises(UserError, match="one style for sr_a"):
        algorithm.predict(images, "sr_a", {"strength": 0.5})


def test_a_generator_without_strength_or_a_way_back_that_enlarges_is_refused_by_name():
    class Plain(Generator):
        scale = 2

        def forward(self, images):
            return images

    with pytest.raises(UserError, match=r"generator_ab: Plain takes images alone"):
        joint(networks={"generator_ab": Plain()})
    with pytest.raises(UserError, match="its scale must be 1, got 2"):
        joint(networks={"generator_ba": TinyGenerator(scale=2)})
    for arguments in ({"noise": 1.5}, {"jpeg_quality": [90, 40]}):
        with pytest.raises(UserError, match=next(iter(arguments))):
            joint(**arguments)


def test_named_batches_share_one_pass():
    calls = []

    def network(images, strengths):
        calls.append(len(images))
        return images * strengths[:, None]

    found = in_one_pass(
        network, {"x": torch.ones(2, 3), "y": torch.ones(1, 3)}, {"x": torch.zeros(2), "y": torch.full((1,), 2.0)}
    )
    assert calls == [3] and found["x"].eq(0).all() and found["y"].eq(2).all()


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_the_compact_network_keeps_to_the_contract_and_starts_as_bicubic_resizing(scale):
    network = StyleSRNet(width=8, blocks=1, fine=4, scale=scale)
    images = torch.rand(2, 3, 8, 12)
    resized = images if scale == 1 else nn.functional.interpolate(images, scale_factor=scale, mode="bicubic")
    assert torch.allclose(network(images, torch.tensor([0.0, 1.0])), resized, atol=1e-6)
    check_generator(lively(scale=scale))


def test_strength_is_of_each_image_and_one_by_default():
    network, images = lively(), torch.rand(1, 3, 8, 8).expand(3, -1, -1, -1)
    outputs = network(images, torch.tensor([0.0, 0.5, 1.0]))
    assert (outputs[0] - outputs[2]).abs().max() > 1e-3
    assert torch.allclose(outputs[2:], network(images[:1]), rtol=1e-4, atol=1e-4)
    assert torch.allclose(outputs[1:2], network(images[:1], torch.tensor([0.5])), rtol=1e-4, atol=1e-4)


def test_a_cascade_applies_one_network_after_the_other():
    algorithm = assemble(registry("algorithms").get("Cascade"), LeastSquares)
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        expected = algorithm.second(algorithm.first(images).clamp(0, 1)).clamp(0, 1)
    assert algorithm.scale_of("fake_b") == 2 and torch.equal(algorithm.predict(images), expected)
    with torch.no_grad():
        [each.mul_(40) for each in algorithm.first.parameters()]  # what leaves [0, 1] is cut, as in a picture's file
        first = algorithm.first(images)
        assert first.min() < 0 and first.max() > 1
        assert torch.equal(algorithm.predict(images), algorithm.second(first.clamp(0, 1)).clamp(0, 1))


def test_a_cascades_pictures_may_be_flattened_as_a_joint_networks():
    plain, flat = (assemble(Cascade, LeastSquares, flatten=each) for each in (0.0, 0.2))
    flat.load_state_dict(plain.state_dict())
    images = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        expected = flatten(plain.second(plain.first(images).clamp(0, 1)), 0.2, scale=2).clamp(0, 1)
    assert torch.allclose(flat.predict(images), expected, atol=1e-6)
    assert (plain.predict(images) - expected).abs().mean() > 1e-3
    with pytest.raises(UserError, match="flatten must be from 0 to below 1"):
        assemble(Cascade, LeastSquares, flatten=1.0)


def test_bicubic_is_a_generator_without_parameters():
    bicubic = registry("generators").get("Bicubic")(scale=4)
    images = torch.rand(1, 3, 8, 8)
    assert torch.equal(bicubic(images), resize_bicubic(images, up=4)) and not list(bicubic.parameters())


def test_sub_pixels_begin_alike_so_that_no_screen_door_is_there_to_unlearn():
    torch.manual_seed(0)
    network = StyleSRNet(width=8, blocks=1, fine=4, scale=4)
    with torch.no_grad():
        enlarged = nn.functional.pixel_shuffle(network.enlarge(torch.rand(1, 8, 5, 5)), 4)
    blocks = enlarged.unfold(2, 4, 4).unfold(3, 4, 4)
    assert blocks.flatten(-2).std(-1).max() < 1e-6 < enlarged.std()


def test_no_channel_at_high_resolution_can_die():
    network = lively()
    with torch.no_grad():
        network.enlarge.bias.fill_(-100.0)  # pyright: ignore[reportOptionalMemberAccess]
    network(torch.rand(2, 3, 8, 8)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in (network.enlarge.weight, network.first.weight))
