"""UNIT's latent space: noise in training, one shared block for both domains, codes that fit each other."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from toolbox.io.errors import ConfigError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import TinyDecoder, TinyEncoder
from toolbox.training.algorithm import Algorithm
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.unit.algorithm import UNIT


def translated(model: Algorithm, seed: int = 0) -> dict[str, Any]:
    values = model.data_preprocessor(batch_for(model), True)
    torch.manual_seed(seed)
    model.translate(values)
    return values


@pytest.mark.parametrize("shared", [True, False])
def test_the_noise_differs_for_each_sample_and_is_absent_in_prediction(shared: bool) -> None:
    model = assemble(UNIT, LSGAN, shared=shared)
    values = model.data_preprocessor(batch_for(model), True)
    values = {name: value[:1].repeat(2, 1, 1, 1) for name, value in values.items()}
    images = values["real_a"]
    model.translate(values)
    assert torch.equal(values["code_a"][0], values["code_a"][1])
    assert not torch.allclose(values["fake_b"][0], values["fake_b"][1])
    predicted = model.predict(images)
    assert torch.equal(predicted[0], predicted[1]) and torch.equal(predicted, model.predict(images))
    mean = model.decode("b", model.encode("a", images))  # pyright: ignore[reportCallIssue]
    assert torch.equal(predicted, mean.clamp(0, 1))


def test_the_noise_has_unit_variance_and_is_the_same_in_reconstruction_and_translation() -> None:
    model = assemble(UNIT, LSGAN, shared=False)
    seen: dict[str, torch.Tensor] = {}
    for slot in ("decoder_a", "decoder_b"):
        getattr(model, slot).register_forward_pre_hook(lambda _, given, slot=slot: seen.setdefault(slot, given[0]))
    values = translated(model)
    noise = seen["decoder_b"] - values["code_a"]  # the first call of each decoder gets the code of real_a
    assert torch.equal(seen["decoder_a"], seen["decoder_b"])
    assert noise.mean().item() == pytest.approx(0, abs=0.05) and noise.std().item() == pytest.approx(1, abs=0.05)


def test_one_shared_block_gets_its_gradient_from_both_directions() -> None:
    model: Any = assemble(UNIT, LSGAN, losses=False)
    ends = ("shared_encoder", "shared_decoder")
    assert all(sum(name.startswith(f"{end}.") for name, _ in model.named_parameters()) == 4 for end in ends)
    values = translated(model)
    for end in ends:
        weight = getattr(model, end).model[0].conv.weight
        for fake in ("fake_a", "fake_b"):
            (gradient,) = torch.autograd.grad(values[fake].square().sum(), weight, retain_graph=True)
            assert gradient.abs().sum() > 0
    assert model.outputs["fake_b"].networks == ("encoder_a", *ends, "decoder_b")
    before = model.shared_encoder.model[0].conv.weight.clone()
    model.train_step(batch_for(model), optimizers_for(model))
    assert not torch.equal(before, model.shared_encoder.model[0].conv.weight)


def test_the_code_of_2018_shares_nothing() -> None:
    model = assemble(UNIT, LSGAN, shared=False)
    assert not hasattr(model, "shared_encoder") and model.networks == UNIT.generators
    assert model.outputs is UNIT.outputs


def test_shared_blocks_are_averaged_saved_and_restored() -> None:
    model, other = assemble(UNIT, LSGAN, ema=0.5), assemble(UNIT, LSGAN, ema=0.5, seed=1)
    model.train_step(batch_for(model), optimizers_for(model))
    assert "shared_decoder_ema.model.0.conv.weight" in model.state_dict()
    images = torch.rand(1, 3, 8, 8)
    assert not torch.equal(model.predict(images), other.predict(images))
    other.load_state_dict(model.state_dict())
    assert torch.equal(model.predict(images, "fake_a"), other.predict(images, "fake_a"))


def test_only_what_a_loss_needs_is_computed() -> None:
    values = translated(assemble(UNIT, LSGAN, losses=False))
    assert set(values) == {"real_a", "real_b", "code_a", "code_b", "fake_a", "fake_b"}
    values = translated(assemble(UNIT, LSGAN))
    roles = [name for each in UNIT.roles.values() for names in each for name in names]
    assert set(roles) <= set(values)


def test_networks_whose_codes_do_not_fit_are_refused() -> None:
    class Wide(TinyDecoder):
        channels = 12

    with pytest.raises(ConfigError, match=r"model\.decoder_b: has channels 12, and encoder_a has 8: they must agree"):
        assemble(UNIT, LSGAN, networks={"decoder_b": Wide()})
    mute = TinyEncoder()
    mute.channels = None  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ConfigError, match=r"model\.encoder_a: TinyEncoder must have `channels`, a whole number"):
        assemble(UNIT, LSGAN, networks={"encoder_a": mute})
