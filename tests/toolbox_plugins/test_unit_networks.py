"""UNIT's networks against their published sizes, and an implementation from the official files' layout alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from runs import command, pictures, style_config, weights, write_config
from toolbox.io.errors import UserError
from toolbox.io.images import read_image
from toolbox.testing import check_decoder, check_discriminator, check_encoder, check_generator
from toolbox.weights.importing import import_state, load_network
from toolbox_plugins.unit.decoder import UNITDecoder
from toolbox_plugins.unit.discriminator import MultiScaleDiscriminator
from toolbox_plugins.unit.encoder import UNITEncoder
from toolbox_plugins.unit.generator import UNITGenerator
from toolbox_plugins.unit.layers import SampleNorm

State = dict[str, Tensor]
WIDTH, BLOCKS = 4, 2


def parameters(*networks: nn.Module) -> int:
    return sum(p.numel() for network in networks for p in network.parameters())


def conv(state: State, name: str, x: Tensor, padding: int, stride: int = 1) -> Tensor:
    x = F.pad(x, (padding,) * 4, mode="reflect")
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=stride)


def instance(x: Tensor) -> Tensor:
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def whole(state: State, name: str, x: Tensor) -> Tensor:
    flat = x.flatten(1)
    mean, deviation = flat.mean(1), flat.std(1)
    normal = (x - mean[:, None, None, None]) / (deviation[:, None, None, None] + 1e-5)
    return normal * state[f"{name}.gamma"].view(1, -1, 1, 1) + state[f"{name}.beta"].view(1, -1, 1, 1)


def residual(state: State, name: str, x: Tensor) -> Tensor:
    for block in range(BLOCKS):
        inner = instance(conv(state, f"{name}.model.{block}.model.0.conv", x, 1)).relu()
        x = x + instance(conv(state, f"{name}.model.{block}.model.1.conv", inner, 1))
    return x


def encoded(state: State, images: Tensor) -> Tensor:
    """The official content encoder, from images in [-1, 1]."""
    x = instance(conv(state, "enc.model.0.conv", images, 3)).relu()
    for layer in (1, 2):
        x = instance(conv(state, f"enc.model.{layer}.conv", x, 1, stride=2)).relu()
    return residual(state, "enc.model.3", x)


def decoded(state: State, code: Tensor) -> Tensor:
    """The official decoder, to images in [-1, 1]."""
    x = residual(state, "dec.model.0", code)
    for layer in (2, 4):
        x = conv(state, f"dec.model.{layer}.conv", x.repeat_interleave(2, 2).repeat_interleave(2, 3), 2)
        x = whole(state, f"dec.model.{layer}.norm", x).relu()
    return conv(state, "dec.model.5.conv", x, 3).tanh()


def official(seed: int, width: int = WIDTH) -> State:
    """One half of a `gen_00000001.pt` with random weights, made without our modules."""
    rng = torch.Generator().manual_seed(seed)
    state: State = {}

    def add(name: str, out: int, into: int, kernel: int) -> None:
        state[f"{name}.weight"] = torch.randn(out, into, kernel, kernel, generator=rng) / (into**0.5 * kernel)
        state[f"{name}.bias"] = torch.randn(out, generator=rng) * 0.1

    deep = 4 * width
    for layer, (out, into, kernel) in enumerate(((width, 3, 7), (2 * width, width, 4), (deep, 2 * width, 4))):
        add(f"enc.model.{layer}.conv", out, into, kernel)
    for part in ("enc.model.3", "dec.model.0"):
        for block in range(BLOCKS):
            for layer in (0, 1):
                add(f"{part}.model.{block}.model.{layer}.conv", deep, deep, 3)
    for layer, out in ((2, 2 * width), (4, width)):
        add(f"dec.model.{layer}.conv", out, 2 * out, 5)
        state[f"dec.model.{layer}.norm.gamma"] = torch.rand(out, generator=rng) + 0.5
        state[f"dec.model.{layer}.norm.beta"] = torch.randn(out, generator=rng) * 0.1
    add("dec.model.5.conv", 3, width, 7)
    return state


@pytest.fixture
def halves(tmp_path: Path) -> tuple[State, State, Path]:
    a, b, file = official(1), official(2), tmp_path / "gen_00000001.pt"
    torch.save({"a": a, "b": b}, file)
    return a, b, file


def test_the_sizes_are_the_official_ones() -> None:
    assert parameters(UNITEncoder(), UNITDecoder()) == 11_140_483
    assert parameters(UNITGenerator()) == 11_140_483
    assert parameters(MultiScaleDiscriminator()) == 8_271_171


def test_the_networks_keep_to_their_contracts() -> None:
    check_encoder(UNITEncoder(width=4, blocks=1))
    check_encoder(UNITEncoder(in_channels=1, width=4, downsamplings=3, blocks=1), channels=1)
    check_decoder(UNITDecoder(width=4, blocks=1))
    check_decoder(UNITDecoder(width=4, blocks=1, upsamplings=1, out_channels=5))
    check_generator(UNITGenerator(width=4, blocks=1))
    for norm in ("none", "instance", "batch", "layer"):
        check_discriminator(MultiScaleDiscriminator(width=4, norm=norm))


def test_an_official_file_translates_from_a_to_b_and_from_b_to_a(halves: tuple[State, State, Path]) -> None:
    a, b, file = halves
    images = torch.rand(2, 3, 16, 24)
    for output, encoder, decoder in ((None, a, b), ("fake_b", a, b), ("fake_a", b, a)):
        network = load_network(file, output=output)
        assert type(network) is UNITGenerator
        expected = (decoded(decoder, encoded(encoder, images * 2 - 1)) + 1) / 2
        with torch.no_grad():
            torch.testing.assert_close(network(images), expected, atol=1e-5, rtol=1e-5)


def test_a_half_of_a_file_reconstructs(halves: tuple[State, State, Path], tmp_path: Path) -> None:
    a = halves[0]
    torch.save(a, tmp_path / "half.pth")
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        found = load_network(tmp_path / "half.pth")(images)
    torch.testing.assert_close(found, (decoded(a, encoded(a, images * 2 - 1)) + 1) / 2, atol=1e-5, rtol=1e-5)


def test_an_output_that_a_file_does_not_give_is_refused(halves: tuple[State, State, Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--output fake_c: gen_00000001\.pt gives fake_b and fake_a; did you"):
        load_network(halves[2], output="fake_c")
    torch.save(halves[0], tmp_path / "half.pth")
    with pytest.raises(UserError, match=r"--output fake_a: half\.pth holds one network, which has one output"):
        load_network(tmp_path / "half.pth", output="fake_a")


def test_infer_takes_an_official_file_in_both_directions(halves: tuple[State, State, Path], tmp_path: Path) -> None:
    folder = pictures(tmp_path / "photos", 1, 24)
    for output in ("fake_b", "fake_a"):
        asked = ("--output", output) if output == "fake_a" else ()
        assert command("infer", folder, "-o", tmp_path / output, "--weights", halves[2], *asked) == 0
    one, other = (read_image(tmp_path / output / "00.png") for output in ("fake_b", "fake_a"))
    assert one.shape == other.shape == (24, 24, 3) and (one != other).any()


def test_unit_begins_with_the_halves_of_an_official_file(halves: tuple[State, State, Path], tmp_path: Path) -> None:
    a, b, file = halves
    slots = [f"{kind}_{domain}" for domain in "ab" for kind in ("encoder", "decoder")]
    config = style_config(tmp_path)
    network = {"width": WIDTH, "blocks": BLOCKS}
    kinds = {"encoder": {"type": "UNITEncoder", **network}, "decoder": {"type": "UNITDecoder", **network}}
    judges = {slot: config["model"][slot] for slot in ("discriminator_a", "discriminator_b")}
    config["model"] = {"type": "UNIT", "shared": False, "variant": {"type": "LSGAN"}, "ema": 0.9, **judges}
    config["model"] |= {slot: kinds[slot[:-2]] for slot in slots}
    config["load_from"] = dict.fromkeys(slots, str(file))
    config["train_cfg"] = {"max_iters": 1, "val_interval": 1}
    config["optim_wrapper"] = {
        group: {"optimizer": {"type": "SGD", "lr": 1e-12}} for group in ("generator", "discriminator")
    }
    assert command("train", write_config(config, tmp_path / "run.yaml")) == 0
    found = weights(tmp_path / "run" / "iter_1.pth")
    for domain, half in (("a", a), ("b", b)):
        for key, value in half.items():
            kind, rest = ("encoder" if key.startswith("enc.") else "decoder"), key[4:]
            assert torch.allclose(found[f"{kind}_{domain}.{rest}"], value, atol=1e-6)
            assert torch.allclose(found[f"{kind}_{domain}_ema.{rest}"], value, atol=1e-6)


def test_a_half_that_does_not_fit_is_refused(halves: tuple[State, State, Path]) -> None:
    with pytest.raises(UserError, match=r"gen_00000001\.pt: its encoder_a is not this UNITEncoder: .* has shape"):
        import_state(halves[2], UNITEncoder(width=WIDTH + 1, blocks=BLOCKS), slot="encoder_a")


def test_the_discriminator_is_the_official_one_at_each_scale() -> None:
    torch.manual_seed(0)
    network = MultiScaleDiscriminator(width=4)
    state = network.state_dict()
    assert set(state) == {
        f"cnns.{scale}.{layer}.{name}"
        for scale in range(3)
        for layer in ("0.conv", "1.conv", "2.conv", "3.conv", "4")
        for name in ("weight", "bias")
    }
    images = torch.rand(2, 3, 64, 96)
    x = images * 2 - 1
    for scale, logits in enumerate(network(images)):
        y = x
        for layer in range(4):
            y = F.leaky_relu(conv(state, f"cnns.{scale}.{layer}.conv", y, 1, stride=2), 0.2)
        expected = F.conv2d(y, state[f"cnns.{scale}.4.weight"], state[f"cnns.{scale}.4.bias"])
        torch.testing.assert_close(logits, expected)
        ones = F.avg_pool2d(torch.ones_like(x[:, :1]), 3, 2, 1)
        x = F.avg_pool2d(x, 3, 2, 1) / ones  # the border's windows hold fewer pixels


def test_a_discriminator_says_how_large_images_must_be() -> None:
    with pytest.raises(UserError, match="images of 64 pixels at least, got 80x48; train on larger crops"):
        MultiScaleDiscriminator(width=4)(torch.rand(1, 3, 48, 80))
    assert len(MultiScaleDiscriminator(width=4, scales=2, layers=3)(torch.rand(1, 3, 16, 16))) == 2


def test_sample_norm_gives_each_sample_mean_zero_and_deviation_one_and_a_flat_one_no_nan() -> None:
    norm = SampleNorm(3)
    nn.init.ones_(norm.gamma)
    normal = norm(torch.randn(2, 3, 5, 7) * 9 + 4)
    assert torch.allclose(normal.flatten(1).mean(1), torch.zeros(2), atol=1e-5)
    assert torch.allclose(normal.flatten(1).std(1), torch.ones(2), atol=1e-4)
    white = torch.ones(1, 3, 4, 4, requires_grad=True)
    result = norm(white)
    result.square().sum().backward()
    assert torch.equal(result, torch.zeros_like(result)) and white.grad is not None and white.grad.isfinite().all()


def test_sample_norm_of_large_half_values_is_finite_and_that_of_their_float32() -> None:
    norm, features = SampleNorm(3), (torch.randn(2, 3, 8, 8) * 3000).half()
    result = norm(features)
    assert result.dtype == torch.float16 and result.isfinite().all()
    assert torch.equal(result, norm(features.float()).half())
