"""SANTA: places on a path between two domains, and what changes along it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from toolbox import ConfigError, UserError
from toolbox.testing import assemble, batch_for, check_training
from toolbox.testing.networks import TinyDecoder
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.munit.content_encoder import MUNITContentEncoder
from toolbox_plugins.munit.decoder import MUNITDecoder
from toolbox_plugins.santa.algorithm import SANTA
from toolbox_plugins.santa.loss import PathLengthLoss


def translated(model: Any) -> dict[str, Any]:
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    return values


def test_it_trains_with_networks_of_munits() -> None:
    networks = {
        "encoder": MUNITContentEncoder(width=4, blocks=1),
        "decoder": MUNITDecoder(width=4, blocks=1, style_channels=2, style_width=8),
    }
    model: Any = assemble(SANTA, LSGAN, networks=networks)
    assert len(model.layers) == 5 and len(translated(model)["path_ends"]) == 5
    check_training(model)


def test_features_change_along_the_path_by_what_the_decoder_makes_of_a_step() -> None:
    model: Any = assemble(SANTA, LSGAN, interval=(0.1, 0.2))
    values = translated(model)
    (end,), (start,) = values["path_ends"], values["path_starts"]
    weight = model.decoder.only.weight  # the tiny decoder adds the style to its code, and is linear behind that
    step = conv2d(torch.ones(1, weight.shape[1], 3, 3), weight)  # (1, 3, 1, 1), away from the borders
    assert torch.allclose((end - start)[..., 2:-2, 2:-2], step.expand(2, -1, 28, 28), atol=1e-5)
    changed = PathLengthLoss()(values["path_ends"], values["path_starts"])
    assert torch.allclose(changed, (end - start).square().mean(), rtol=1e-5)


def test_the_loss_is_the_mean_of_the_layers_means() -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.normal(size=(2, 3, 4, 5)), rng.normal(size=(2, 3, 4, 5))), (rng.normal(size=(2, 7, 2, 2)),) * 2]
    first, second = ([torch.from_numpy(pair[side]) for pair in pairs] for side in (0, 1))
    expected = np.mean([np.mean((a - b) ** 2) for a, b in pairs])
    assert float(PathLengthLoss()(first, second)) == pytest.approx(expected, rel=1e-6)


def test_an_image_has_one_noise_for_all_places_and_each_its_own() -> None:
    model: Any = assemble(SANTA, LSGAN)
    values = translated(model)
    ways = values["fake_b"] - values["same_a"]
    bias = model.decoder.only.bias[:, None, None]
    step = conv2d(torch.ones(1, 8, 3, 3), model.decoder.only.weight, model.decoder.only.bias)[0] - bias
    assert torch.allclose(ways[..., 2:-2, 2:-2], step.expand(2, -1, 28, 28), atol=1e-5), "the noise is gone from it"
    again = translated(model)
    assert not torch.equal(values["fake_b"], again["fake_b"])
    quiet: Any = assemble(SANTA, LSGAN, noise=0.0)
    assert torch.equal(translated(quiet)["fake_b"], translated(quiet)["fake_b"])


def test_strength_is_the_place_on_the_path() -> None:
    model: Any = assemble(SANTA, LSGAN)
    images = torch.rand(2, 3, 16, 16)

    def at(place: float) -> Tensor:
        return model.decoder(model.encoder(images), torch.full((2, 8), place)).clamp(0, 1)

    assert torch.equal(model.predict(images), at(1.0))
    for place in (0.0, 0.5):
        assert torch.equal(model.predict(images, "fake_b", {"strength": place}), at(place))


def test_only_what_a_loss_needs_is_computed() -> None:
    assert set(translated(assemble(SANTA, LSGAN, losses=False))) == {"real_a", "real_b", "code_a", "fake_b"}
    named = {name for each in SANTA.roles.values() for names in each for name in names}
    assert named <= set(translated(assemble(SANTA, LSGAN)))


class Plain(TinyDecoder):
    """A decoder without a style."""

    style_channels = 0


class Dense(TinyDecoder):
    """A decoder without a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Identity()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"interval": (0.2, 0.1)}, UserError, "interval must be two numbers"),
        ({"interval": (0.0, 0.1)}, UserError, "interval must be two numbers"),
        ({"noise": -1.0}, UserError, "noise must be 0 or more"),
        ({"networks": {"decoder": Plain()}}, ConfigError, "must have `style_channels`"),
        ({"networks": {"decoder": Dense()}}, UserError, "has no convolution; name its modules in layers"),
        ({"layers": ["nothing"]}, UserError, "no module 'nothing'"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        translated(assemble(SANTA, LSGAN, **arguments))
