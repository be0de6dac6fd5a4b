"""UVCGANv2's generator: modulation, attention and places against plain computations, its size, what it refuses."""

from __future__ import annotations

from math import exp, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from runs import command, style_config, write_config
from toolbox.io.errors import UserError
from toolbox.testing import check_generator
from toolbox_plugins.uvcgan.bottleneck import PixelTransformer, TransformerBlock, places
from toolbox_plugins.uvcgan.generator import UVCGANGenerator
from toolbox_plugins.uvcgan.modulation import EPSILON, ModulatedConv

SMALL: dict[str, Any] = {
    "widths": [4, 6], "features": 8, "heads": 2, "blocks": 2, "hidden": 12, "embedding": 6,
}  # fmt: skip


def awake(network: nn.Module) -> nn.Module:
    """With gains that let the style and the attention count."""
    for name, parameter in network.named_parameters():
        if name.rpartition(".")[2] == "gain":
            nn.init.constant_(parameter, 0.7)
    return network


def test_modulated_weights_are_scaled_and_normalised_for_each_sample() -> None:
    conv: Any = awake(ModulatedConv(3, 5, 4))
    nn.init.normal_(conv.bias)
    features, style = torch.randn(2, 3, 6, 7), torch.randn(2, 4)
    found = conv.requires_grad_(False)(features, style)
    for sample in range(2):
        scale = 1 + 0.7 * (conv.scale.weight @ style[sample] + conv.scale.bias)
        weight = torch.empty(5, 3, 3, 3)
        for out in range(5):
            for channel in range(3):
                weight[out, channel] = scale[channel] * conv.conv.weight[out, channel]
            weight[out] /= sqrt(float(weight[out].square().sum()) + EPSILON)
        wanted = F.conv2d(features[sample : sample + 1], weight, conv.bias, padding=1)
        torch.testing.assert_close(found[sample : sample + 1], wanted, atol=1e-5, rtol=1e-5)


def test_modulation_keeps_the_size_of_what_it_is_given() -> None:
    conv: Any = awake(ModulatedConv(64, 64, 4))
    nn.init.normal_(conv.conv.weight, 0, 100)
    made = conv(torch.randn(1, 64, 32, 32), torch.randn(1, 4) * 30)
    assert 0.8 < float(made[..., 1:-1, 1:-1].detach().std()) < 1.25


def test_attention_is_that_of_every_head_by_itself() -> None:
    block: Any = TransformerBlock(4, 2, 6)
    tokens = torch.randn(1, 5, 4)
    found = block.attend(tokens)[0].detach().numpy()
    weight, bias = block.qkv.weight.detach().numpy(), block.qkv.bias.detach().numpy()
    queries, keys, values = np.split(tokens[0].numpy() @ weight.T + bias, 3, 1)
    gathered = np.zeros((5, 4))
    for head in (slice(0, 2), slice(2, 4)):
        for n in range(5):
            shares = np.array([exp(queries[n, head] @ keys[m, head] / sqrt(2)) for m in range(5)])
            gathered[n, head] = shares / shares.sum() @ values[:, head]
    wanted = gathered @ block.proj.weight.detach().numpy().T + block.proj.bias.detach().numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_places_go_from_one_edge_to_the_other() -> None:
    found = places(3, 5, torch.empty(0)).reshape(3, 5, 2)
    assert found[0, 0].tolist() == [-1, -1] and found[-1, -1].tolist() == [1, 1] and found[1, 2].tolist() == [0, 0]
    assert found[0, :, 1].tolist() == [-1, -0.5, 0, 0.5, 1]
    assert places(1, 1, torch.empty(0)).tolist() == [[-1, -1]]


def test_the_middle_begins_as_two_linear_layers_and_a_style_of_its_own() -> None:
    middle: Any = PixelTransformer(3, width=8, heads=2, blocks=2, hidden=12, embedding=6)
    features = torch.randn(2, 3, 4, 5)
    made, style = middle(features)
    embedded = torch.sin(places(4, 5, features) @ middle.place.weight.T + middle.place.bias)
    beside = torch.cat([features.permute(0, 2, 3, 1).reshape(2, 20, 3), embedded.expand(2, -1, -1)], -1)
    wanted = middle.leave(middle.enter(beside)).reshape(2, 4, 5, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(made, wanted)
    assert torch.equal(style, middle.style[0].expand(2, -1))
    _, style = awake(middle)(features)
    assert not torch.allclose(style[0], style[1]), "once the blocks count, the style is the image's own"


def test_it_keeps_to_the_contract_and_is_of_the_papers_size() -> None:
    check_generator(UVCGANGenerator(**SMALL))
    check_generator(awake(UVCGANGenerator(**SMALL)))
    with torch.device("meta"):
        assert sum(each.numel() for each in UVCGANGenerator().parameters()) == 32_192_231


def test_the_style_reaches_every_convolution_of_the_way_up() -> None:
    network: Any = awake(UVCGANGenerator(**SMALL))
    network(torch.rand(1, 3, 8, 12)).mean().backward()
    grown = {name for name, each in network.named_parameters() if each.grad is not None and each.grad.any()}
    assert grown >= {f"decoder.{level}.{n}.scale.weight" for level in (0, 1) for n in (0, 1)} | {"middle.style"}


def test_any_size_that_is_a_multiple_and_other_channels_go() -> None:
    network = UVCGANGenerator(**SMALL, in_channels=1, out_channels=2)
    assert network.multiple == 4
    made = network(torch.rand(1, 1, 4, 20))
    assert made.shape == (1, 2, 4, 20) and 0 < float(made.detach().min()) <= float(made.detach().max()) < 1


def test_features_keep_their_size_on_the_way_down() -> None:
    network = UVCGANGenerator(widths=[16, 32, 64], features=8, heads=1, blocks=0, hidden=1, embedding=1)
    sizes: list[float] = []
    for halve in network.down:
        halve.register_forward_hook(lambda module, given, made: sizes.append(float(made.detach().std())))
    network(torch.rand(1, 3, 64, 64))
    assert all(0.2 < size < 10 for size in sizes), sizes


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"widths": []}, "widths must be numbers of 1 or more"),
        ({"heads": 3}, "heads must divide features, got 3 and 8"),
        ({"hidden": 0}, "hidden must be at least 1, got 0"),
        ({"blocks": -1}, "blocks 0 or more"),
    ],
)
def test_what_it_cannot_be_is_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        UVCGANGenerator(**{**SMALL, **arguments})


def test_the_whole_recipe_trains_from_yaml(tmp_path: Path) -> None:
    judge = {"type": "BatchHeadDiscriminator", "width": 4, "layers": 1, "norm": "none"}
    config = style_config(tmp_path, discriminator_a=judge, discriminator_b=judge)
    for slot in ("generator_ab", "generator_ba"):
        config["model"][slot] = {"type": "UVCGANGenerator", **SMALL}
    penalty = {"type": "GradientPenalty", "center": 0.0, "weight": 1.0, "image_span": 1.0}
    config["model"]["variant"] = {"type": "SpectralNorm", "base": {"type": "LSGAN", "regularizers": [penalty]}}
    config["train_cfg"] = {"max_iters": 4, "val_interval": 2}
    config["default_hooks"] = {**config.get("default_hooks", {}), "checkpoint": {"interval": 2, "max_keep_ckpts": 3}}
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    saved = torch.load(tmp_path / "run" / "iter_4.pth", weights_only=True)["state_dict"]
    kept: dict[str, Tensor] = saved["discriminator_a._extra_state"]
    assert set(kept) == {"real", "fake"} and all(len(each) == 3 for each in kept.values())
    (tmp_path / "run" / "iter_4.pth").unlink()
    assert command("train", file, "--resume", tmp_path / "run" / "iter_2.pth") == 0
    again = torch.load(tmp_path / "run" / "iter_4.pth", weights_only=True)["state_dict"]
    tensors = [name for name, each in saved.items() if isinstance(each, Tensor)]
    assert all(torch.equal(saved[name], again[name]) for name in tensors), "a resumed run has the same memory"
