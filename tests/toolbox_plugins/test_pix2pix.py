"""pix2pix: the U-Net against a walk over the official state dictionary, its size by arithmetic, and the pairs."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from matrix import VARIANTS, algorithm_class
from runs import command, style_config, write_config
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for
from toolbox.testing.networks import TinyGenerator
from toolbox_plugins.pix2pix.algorithm import Pix2Pix
from toolbox_plugins.pix2pix.generator import UnetGenerator

State = dict[str, Tensor]


def official_unet(*, levels: int, norm: str, width: int = 2) -> State:
    """A random file in the layout of the official ones, made without our module."""
    state: State = {}

    def conv(name: str, *shape: int, out: int, bias: bool) -> None:
        state[f"{name}.weight"] = torch.randn(*shape) * (shape[1] * 4) ** -0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(out) * 0.1

    def normalisation(name: str, channels: int) -> None:
        if norm == "batch":
            state[f"{name}.weight"], state[f"{name}.bias"] = torch.rand(channels) + 0.5, torch.randn(channels) * 0.2
            state[f"{name}.running_mean"] = torch.randn(channels) * 0.1
            state[f"{name}.running_var"] = torch.rand(channels) + 0.5
            state[f"{name}.num_batches_tracked"] = torch.tensor(3)

    place, bias = "model.model", norm != "batch"
    widths = [width * min(2**level, 8) for level in range(levels)]
    conv(f"{place}.0", widths[0], 3, 4, 4, out=widths[0], bias=bias)
    conv(f"{place}.3", 2 * widths[0], 3, 4, 4, out=3, bias=True)
    place = f"{place}.1.model"
    for level in range(1, levels):
        inner, outer, last = widths[level], widths[level - 1], level == levels - 1
        up = 3 if last else 5
        conv(f"{place}.1", inner, outer, 4, 4, out=inner, bias=bias)
        if not last:
            normalisation(f"{place}.2", inner)
        conv(f"{place}.{up}", inner if last else 2 * inner, outer, 4, 4, out=outer, bias=bias)
        normalisation(f"{place}.{up + 1}", outer)
        place = f"{place}.3.model"
    return state


def translate(state: State, images: Tensor, *, levels: int, norm: str) -> Tensor:
    """What the paper describes: down with every level kept, up with each kept level beside."""

    def weights(name: str) -> tuple[Tensor, Tensor | None]:
        return state[f"{name}.weight"], state.get(f"{name}.bias")

    def normalised(name: str, x: Tensor) -> Tensor:
        if norm == "batch":
            mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
            return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        x = (x - mean) / (variance + 1e-5).sqrt()
        if norm == "none":
            return x
        return x * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]

    places = ["model.model"] + ["model.model" + ".1.model" + ".3.model" * level for level in range(levels - 1)]
    kept = [F.conv2d(images * 2 - 1, *weights("model.model.0"), stride=2, padding=1)]
    for place in places[1:]:
        x = F.conv2d(F.leaky_relu(kept[-1], 0.2), *weights(f"{place}.1"), stride=2, padding=1)
        kept.append(x if place == places[-1] else normalised(f"{place}.2", x))
    x = kept[-1]
    for place, beside in zip(places[:0:-1], kept[-2::-1], strict=True):
        up = 3 if place == places[-1] else 5
        x = F.conv_transpose2d(x.relu(), *weights(f"{place}.{up}"), stride=2, padding=1)
        x = torch.cat([beside, normalised(f"{place}.{up + 1}", x)], 1)
    return (F.conv_transpose2d(x.relu(), *weights("model.model.3"), stride=2, padding=1).tanh() + 1) / 2


@pytest.mark.parametrize("levels", [3, 6])
@pytest.mark.parametrize(("in_file", "norm"), [("batch", "batch"), ("batch", "instance_affine"), ("none", "instance")])
def test_official_files_give_what_the_paper_describes(levels: int, in_file: str, norm: str) -> None:
    torch.manual_seed(0)
    state = official_unet(levels=levels, norm=in_file)
    network = UnetGenerator(width=2, levels=levels, norm=norm).eval()
    network.load_state_dict(state, strict=True)
    images = torch.rand(2, 3, 2 ** (levels + 1), 2**levels * 3)
    expected = translate(state, images, levels=levels, norm={"instance": "none"}.get(norm, norm))
    with torch.no_grad():
        torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("levels", "published"), [(7, 41.83), (8, 54.41)])
def test_the_unet_has_the_published_size(levels: int, published: float) -> None:
    widths = [64 * min(2**level, 8) for level in range(levels)]
    ends = 16 * 3 * 64 + 16 * 2 * 64 * 3 + 3  # only the last has a bias
    down = sum(16 * a * b for a, b in pairwise(widths))
    up = sum(16 * 2 * a * b for a, b in pairwise(widths)) - 16 * widths[-1] * widths[-2]
    norms = 2 * sum(widths[1:-1]) + 2 * sum(widths[:-1])
    for norm in ("batch", "instance_affine"):
        with torch.device("meta"):
            network = UnetGenerator(levels=levels, norm=norm)
        assert sum(p.numel() for p in network.parameters()) == ends + down + up + norms
    assert (ends + down + up + norms) / 1e6 == pytest.approx(published, abs=0.005)


def test_dropout_is_in_the_inner_levels_only_and_off_when_predicting() -> None:
    network = UnetGenerator(width=2, levels=8)
    places = [name for name, module in network.named_modules() if isinstance(module, torch.nn.Dropout)]
    assert [name.count("model.3") for name in places] == [5, 4, 3]  # inner levels come first
    assert not [m for m in UnetGenerator(width=2, levels=8, dropout=False).modules() if isinstance(m, torch.nn.Dropout)]
    images = torch.rand(1, 3, 256, 256)
    with torch.no_grad():
        assert not torch.equal(network(images), network(images))
        network.eval()
        assert torch.equal(network(images), network(images))


def test_every_weight_of_the_unet_gets_a_gradient_and_its_sizes_are_checked() -> None:
    network = UnetGenerator(in_channels=1, out_channels=2, width=2, levels=3, norm="none")
    assert (network.scale, network.multiple) == (1, 8)
    output = network(torch.rand(1, 1, 16, 8))
    assert output.shape == (1, 2, 16, 8)
    output.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())
    with pytest.raises(UserError, match="levels must be at least 2, got 1"):
        UnetGenerator(levels=1)


def test_the_discriminator_sees_the_input_beside_either_output() -> None:
    model = assemble(algorithm_class("Pix2Pix"), VARIANTS["LSGAN"])
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    assert torch.equal(values["real_pair"], torch.cat([values["real_a"], values["real_b"]], 1))
    assert torch.equal(values["fake_pair"], torch.cat([values["real_a"], values["fake_b"]], 1))
    assert model.get_submodule("discriminator").first.in_channels == 6  # pyright: ignore


def test_a_generator_with_a_scale_is_judged_beside_its_enlarged_input() -> None:
    model = assemble(Pix2Pix, VARIANTS["LSGAN"], networks={"generator": TinyGenerator(scale=2)})
    values = {"real_a": torch.rand(2, 3, 8, 8), "real_b": torch.rand(2, 3, 16, 16)}
    model.translate(values)
    assert values["fake_pair"].shape == values["real_pair"].shape == (2, 6, 16, 16)


UNET = {"type": "UnetGenerator", "width": 4, "levels": 3}


def test_cyclegan_trains_with_unets_and_with_resized_upsampling(tmp_path) -> None:
    resizing = {"type": "ResnetGenerator", "width": 4, "blocks": 1, "upsample": "resize", "dropout": True}
    config = style_config(tmp_path, generator_ab=UNET, generator_ba=resizing)
    config["train_cfg"] = {"max_iters": 2, "val_interval": 2}
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    assert (tmp_path / "run" / "iter_2.pth").is_file()
