"""MUNIT: its networks against an independent computation, and styles drawn, taken from pictures and mixed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from toolbox.io.errors import ConfigError, UserError
from toolbox.testing import (
    assemble,
    batch_for,
    check_decoder,
    check_encoder,
    check_generator,
    check_style_encoder,
    check_training,
    optimizers_for,
)
from toolbox.testing.networks import TinyDecoder, TinyStyleEncoder
from toolbox.training.algorithm import Algorithm
from toolbox.weights.importing import import_state, load_network
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.munit.algorithm import MUNIT
from toolbox_plugins.munit.content_encoder import MUNITContentEncoder
from toolbox_plugins.munit.decoder import MUNITDecoder
from toolbox_plugins.munit.generator import MUNITGenerator
from toolbox_plugins.munit.style_encoder import MUNITStyleEncoder
from toolbox_plugins.unit.algorithm import UNIT

State = dict[str, Tensor]


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def conv(state: State, name: str, x: Tensor, padding: int, stride: int = 1) -> Tensor:
    x = F.pad(x, (padding,) * 4, mode="reflect")
    return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride=stride)


def normal(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    variance, mean = torch.var_mean(x, dims, correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def painted(state: State, code: Tensor, style: Tensor, blocks: int) -> Tensor:
    """MUNIT's decoder for one image, written from its paper and its keys, to [0, 1]."""
    numbers = style
    for layer in range(3):
        numbers = F.linear(numbers, state[f"mlp.model.{layer}.fc.weight"], state[f"mlp.model.{layer}.fc.bias"])
        numbers = numbers.relu() if layer < 2 else numbers
    chunks = iter(numbers[0].split(code.shape[1]))
    x = code
    for block in range(blocks):
        y = x
        for layer in (0, 1):
            y = normal(conv(state, f"model.0.model.{block}.model.{layer}.conv", y, 1), (2, 3))
            mean, deviation = next(chunks).view(1, -1, 1, 1), next(chunks).view(1, -1, 1, 1)
            y = y * deviation + mean
            y = y.relu() if layer == 0 else y
        x = x + y
    assert next(chunks, None) is None, "every number that the style makes is used"
    for layer in (2, 4):
        x = conv(state, f"model.{layer}.conv", x.repeat_interleave(2, 2).repeat_interleave(2, 3), 2)
        x = (x - x.mean()) / (x.std() + 1e-5)
        gamma, beta = (state[f"model.{layer}.norm.{name}"].view(1, -1, 1, 1) for name in ("gamma", "beta"))
        x = (x * gamma + beta).relu()
    return (conv(state, "model.5.conv", x, 3).tanh() + 1) / 2


def test_the_sizes_are_those_of_the_paper_s_layers() -> None:
    assert parameters(MUNITContentEncoder()) == 5_385_856
    assert parameters(MUNITStyleEncoder()) == 2_764_936
    assert parameters(MUNITDecoder()) == 6_875_395


def test_the_networks_keep_to_their_contracts() -> None:
    check_encoder(MUNITContentEncoder(width=4, blocks=1))
    check_style_encoder(MUNITStyleEncoder(width=4, style_channels=3))
    check_decoder(MUNITDecoder(width=4, blocks=1, style_channels=3, style_width=5))
    check_generator(MUNITGenerator(width=4, blocks=1))


def test_the_decoder_is_the_one_that_its_paper_describes() -> None:
    torch.manual_seed(0)
    network = MUNITDecoder(width=4, blocks=2, style_width=16)
    for name, parameter in network.named_parameters():
        if name.endswith(("bias", "beta")):
            nn.init.normal_(parameter, std=0.1)
    code, styles = torch.randn(2, 16, 6, 5), torch.randn(2, 8)
    with torch.no_grad():
        found = network(code, styles)
        for one, style, image in zip(code, styles, found, strict=True):
            expected = painted(network.state_dict(), one[None], style[None], 2)[0]
            torch.testing.assert_close(image, expected, atol=1e-5, rtol=1e-5)


def encoded(state: State, images: Tensor, blocks: int) -> Tensor:
    """MUNIT's content encoder, from images in [0, 1]."""
    x = normal(conv(state, "model.0.conv", images * 2 - 1, 3), (2, 3)).relu()
    for layer in (1, 2):
        x = normal(conv(state, f"model.{layer}.conv", x, 1, stride=2), (2, 3)).relu()
    for block in range(blocks):
        y = normal(conv(state, f"model.3.model.{block}.model.0.conv", x, 1), (2, 3)).relu()
        x = x + normal(conv(state, f"model.3.model.{block}.model.1.conv", y, 1), (2, 3))
    return x


def part(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def official(seed: int) -> State:
    """One half of a `gen_00000001.pt`, with a style encoder and the adaptive norms' unused statistics."""
    torch.manual_seed(seed)
    content, style = MUNITContentEncoder(width=4, blocks=2), MUNITStyleEncoder(width=4)
    decoder = MUNITDecoder(width=4, blocks=2, style_width=16)
    state = {f"enc_content.{key}": value for key, value in content.state_dict().items()}
    state |= {f"enc_style.{key}": value for key, value in style.state_dict().items()}
    state |= {(k if k.startswith("mlp.") else f"dec.{k}"): value for k, value in decoder.state_dict().items()}
    for name in ("running_mean", "running_var"):
        state[f"dec.model.0.model.0.model.0.norm.{name}"] = torch.rand(16)
    return {
        key: torch.randn_like(value) * 0.1 if key.endswith(("bias", "beta")) else value for key, value in state.items()
    }


def test_an_official_file_translates_from_a_to_b_and_from_b_to_a(tmp_path: Path) -> None:
    a, b, file = official(1), official(2), tmp_path / "gen_00000001.pt"
    torch.save({"a": a, "b": b}, file)
    image = torch.rand(1, 3, 16, 24)
    style = torch.randn(1, 8, generator=torch.Generator().manual_seed(0))
    for output, here, there in ((None, a, b), ("fake_a", b, a)):
        code = encoded(part(here, "enc_content."), image, 2)
        decoder = part(there, "dec.") | {f"mlp.{key}": value for key, value in part(there, "mlp.").items()}
        with torch.no_grad():
            found = load_network(file, output=output)(image)
        torch.testing.assert_close(found, painted(decoder, code, style, 2), atol=1e-5, rtol=1e-5)


def test_each_network_of_the_algorithm_is_found_in_an_official_file(tmp_path: Path) -> None:
    halves, file = {"a": official(1), "b": official(2)}, tmp_path / "gen_00000001.pt"
    torch.save(halves, file)
    networks: dict[str, nn.Module] = {
        "content_encoder": MUNITContentEncoder(width=4, blocks=2),
        "style_encoder": MUNITStyleEncoder(width=4),
        "decoder": MUNITDecoder(width=4, blocks=2, style_width=16),
    }
    for kind, network in networks.items():
        for domain, half in halves.items():
            state = import_state(file, network, slot=f"{kind}_{domain}")
            network.load_state_dict(state)
            assert all(any(value is theirs or torch.equal(value, theirs) for theirs in half.values())
                       for value in state.values())  # fmt: skip


def test_the_style_encoder_is_the_one_that_its_paper_describes() -> None:
    torch.manual_seed(0)
    network = MUNITStyleEncoder(width=4)
    state, images = network.state_dict(), torch.rand(2, 3, 32, 48)
    x = conv(state, "model.0.conv", images * 2 - 1, 3).relu()
    for layer in range(1, 5):
        x = conv(state, f"model.{layer}.conv", x, 1, stride=2).relu()
    expected = F.linear(x.mean((2, 3)), state["model.6.weight"].flatten(1), state["model.6.bias"])
    torch.testing.assert_close(network(images), expected)
    with pytest.raises(UserError, match="sees a style in 16 pixels each way, got 20x12"):
        network(torch.rand(1, 3, 12, 20))


def test_a_seed_draws_one_style_for_a_whole_batch() -> None:
    model: Any = assemble(MUNIT, LSGAN)
    images = torch.rand(2, 3, 16, 16)
    one, other = (model.predict(images, "fake_b", {"seed": seed}) for seed in (0, 1))
    assert not torch.allclose(one, other)
    assert torch.equal(one, model.predict(images, "fake_b", {"seed": 0}))
    assert torch.equal(one, model.predict(images)), "without a style, the one of seed 0"
    assert torch.allclose(one[1:], model.predict(images[1:]), atol=1e-6), "the same style for all of a batch"
    before = torch.get_rng_state()
    model.predict(images)
    assert torch.equal(before, torch.get_rng_state()), "the training's random numbers are left alone"


def test_a_picture_s_style_is_read_by_the_encoder_of_the_output_s_domain() -> None:
    model: Any = assemble(MUNIT, LSGAN)
    images, picture = torch.rand(2, 3, 16, 16), torch.rand(1, 3, 24, 40)
    for output, here, there in (("fake_b", "a", "b"), ("fake_a", "b", "a")):
        code = getattr(model, f"content_encoder_{here}")(images)
        encoder, decoder = getattr(model, f"style_encoder_{there}"), getattr(model, f"decoder_{there}")
        wanted = decoder(code, encoder(picture).expand(2, -1)).clamp(0, 1)
        assert torch.allclose(model.predict(images, output, {"style": picture}), wanted)
        half = decoder(code, (encoder(picture) + encoder(images)) / 2).clamp(0, 1)
        assert torch.allclose(model.predict(images, output, {"style": picture, "strength": 0.5}), half, atol=1e-6)
        none = decoder(code, encoder(images)).clamp(0, 1)
        assert torch.allclose(model.predict(images, output, {"style": picture, "strength": 0.0}), none, atol=1e-6)
    each = torch.rand(2, 3, 24, 24)
    result = model.predict(images, "fake_b", {"style": each})
    assert torch.allclose(result[1:], model.predict(images[1:], "fake_b", {"style": each[1:]}), atol=1e-6)


def test_evaluation_takes_the_style_of_the_picture_beside_the_input() -> None:
    model = assemble(MUNIT, LSGAN)
    batch = batch_for(model)
    samples = model.val_step(batch)
    wanted = model.predict(batch["real_a"], "fake_b", {"style": batch["real_b"]})
    assert torch.allclose(samples[1]["fake_b"], wanted[1], atol=1e-6)


def translated(model: Algorithm) -> dict[str, Any]:
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    return values


def test_styles_are_drawn_for_each_sample_from_the_normal_distribution() -> None:
    values = translated(assemble(MUNIT, LSGAN))
    assert not torch.equal(values["drawn_b"][0], values["drawn_b"][1])
    assert not torch.equal(values["drawn_a"], values["drawn_b"])
    model = assemble(MUNIT, LSGAN, losses=False)
    drawn = torch.stack([translated(model)["drawn_b"] for _ in range(100)])
    assert drawn.mean().item() == pytest.approx(0, abs=0.1) and drawn.std().item() == pytest.approx(1, abs=0.1)


def test_only_what_a_loss_needs_is_computed() -> None:
    always = {f"{name}_{domain}" for name in ("real", "content", "drawn", "fake") for domain in "ab"}
    assert set(translated(assemble(MUNIT, LSGAN, losses=False))) == always
    named = {name for each in MUNIT.roles.values() for names in each for name in names}
    assert named <= set(translated(assemble(MUNIT, LSGAN)))


def test_it_trains_with_its_own_networks() -> None:
    def content() -> nn.Module:
        return MUNITContentEncoder(width=4, blocks=1)

    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {}
    for domain in "ab":
        networks[f"content_encoder_{domain}"] = content()
        networks[f"style_encoder_{domain}"] = MUNITStyleEncoder(width=4)
        networks[f"decoder_{domain}"] = MUNITDecoder(width=4, blocks=1, style_width=8)
    model = assemble(MUNIT, LSGAN, networks=networks, ema=0.5)
    check_training(model)
    model.train_step(batch_for(model), optimizers_for(model))
    assert model.predict(torch.rand(1, 3, 17, 23)).shape == (1, 3, 17, 23)


def test_networks_whose_styles_do_not_fit_are_refused() -> None:
    class Long(TinyStyleEncoder):
        style_channels = 12

    class Plain(TinyDecoder):
        style_channels = 0

    with pytest.raises(ConfigError, match=r"model\.decoder_b: has style_channels 8, and style_encoder_b has 12"):
        assemble(MUNIT, LSGAN, networks={"style_encoder_b": Long()})
    with pytest.raises(
        ConfigError, match=r"model\.decoder_a: Plain must have `style_channels`, a whole number above 0"
    ):
        assemble(MUNIT, LSGAN, networks={"decoder_a": Plain()})
    with pytest.raises(
        ConfigError, match=r"model\.decoder_a: MUNITDecoder wants a style beside the code, and UNIT has"
    ):
        assemble(UNIT, LSGAN, networks={"decoder_a": MUNITDecoder(width=2, blocks=1)})
