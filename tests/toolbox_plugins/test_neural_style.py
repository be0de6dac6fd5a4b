"""Johnson's network, its published files, and the algorithm's roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.weights.importing import load_network
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.neural_style.algorithm import NeuralStyle
from toolbox_plugins.neural_style.transform_net import TransformNet


def by_the_book(state: dict[str, Tensor], images: Tensor, blocks: int) -> Tensor:
    """The network of PyTorch's example, from its description, on images (B, 3, H, W) in [0, 255]."""

    def convolve(x: Tensor, name: str, stride: int = 1) -> Tensor:
        kernel = state[f"{name}.conv2d.weight"]
        x = F.pad(x, [kernel.shape[-1] // 2] * 4, mode="reflect")
        return F.conv2d(x, kernel, state[f"{name}.conv2d.bias"], stride)

    def norm(x: Tensor, name: str) -> Tensor:
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        weight, bias = (state[f"{name}.{each}"].view(1, -1, 1, 1) for each in ("weight", "bias"))
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    x = images
    for number, stride in ((1, 1), (2, 2), (3, 2)):
        x = norm(convolve(x, f"conv{number}", stride), f"in{number}").relu()
    for block in range(1, blocks + 1):
        inner = norm(convolve(x, f"res{block}.conv1"), f"res{block}.in1").relu()
        x = x + norm(convolve(inner, f"res{block}.conv2"), f"res{block}.in2")
    for number in (1, 2):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = norm(convolve(x, f"deconv{number}"), f"in{number + 3}").relu()
    return convolve(x, "deconv3")


def lively(network: nn.Module) -> dict[str, Tensor]:
    """Give every norm weights of its own, so that a swapped one shows; returns the state."""
    torch.manual_seed(3)
    for name, parameter in network.named_parameters():
        if ".in" in f".{name}":
            nn.init.normal_(parameter, 1.0, 0.3)
    return network.state_dict()


def test_it_has_the_parameters_and_the_keys_of_the_public_example() -> None:
    network = TransformNet()
    assert sum(p.numel() for p in network.parameters()) == 1_679_235
    keys = list(network.state_dict())
    assert keys[:4] == ["conv1.conv2d.weight", "conv1.conv2d.bias", "in1.weight", "in1.bias"]
    assert {"res5.conv2.conv2d.weight", "res5.in2.bias", "deconv1.conv2d.weight", "in5.bias"} <= set(keys)
    assert len(keys) == 62


def test_it_computes_what_the_example_computes_on_images_up_to_255() -> None:
    network = TransformNet(width=6, blocks=2)
    state = lively(network)
    images = torch.rand(2, 3, 20, 24)
    with torch.no_grad():
        assert torch.allclose(network(images) * 255, by_the_book(state, images * 255, 2), atol=1e-3)


def test_a_published_file_loads_with_the_statistics_that_old_ones_carry(tmp_path: Path) -> None:
    network = TransformNet(width=4, blocks=3)
    state = dict(lively(network))
    old = state | {f"in{n}.{name}": torch.zeros(4) for n in (1, 5) for name in ("running_mean", "running_var")}
    torch.save(old, tmp_path / "candy.pth")
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(load_network(tmp_path / "candy.pth")(images), network(images))
    network.load_state_dict(old)


@pytest.mark.parametrize("arguments", [{"width": 0}, {"in_channels": 0}, {"blocks": -1}])
def test_impossible_sizes_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        TransformNet(**arguments)


@pytest.mark.parametrize("role", NeuralStyle.roles)
def test_each_role_trains_alone_and_the_generator_runs_once_or_again_for_a_picture_that_moved(role: str) -> None:
    model = assemble(NeuralStyle, LSGAN, losses=True, generator=lambda _: TransformNet(width=4, blocks=1))
    kept = model.parts.losses[role]
    model.parts.losses.clear()
    model.parts.losses[role] = kept
    calls = []
    model.generator.register_forward_hook(lambda *_: calls.append(1))
    logs = model.train_step(batch_for(model), optimizers_for(model))
    assert len(calls) == 1 + (role == "temporal") and f"g/{role}" in logs


def test_it_trains_without_a_discriminator() -> None:
    from toolbox.testing.networks import Distance
    from toolbox.training.parts import Parts, WeightedLoss

    losses = {"style": [WeightedLoss("distance", Distance())]}
    model = NeuralStyle(Parts(networks={"generator": TransformNet(width=4, blocks=1)}, losses=losses))
    before = model.generator.get_parameter("conv1.conv2d.weight").clone()
    assert set(model.train_step(batch_for(model), optimizers_for(model))) == {"g/style"}
    assert not torch.equal(before, model.generator.get_parameter("conv1.conv2d.weight"))
