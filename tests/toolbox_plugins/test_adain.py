"""AdaIN's statistics, its decoder, its algorithm, and the styles that prediction takes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolbox.assembly.loading import TrainedOutput
from toolbox.assembly.reach import reach
from toolbox.contracts.network import Decoder
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import TinyFeatures
from toolbox_plugins.adain.algorithm import AdaIN
from toolbox_plugins.adain.decoder import AdaINDecoder
from toolbox_plugins.adain.statistics import adapt
from toolbox_plugins.gan_variants.lsgan import LSGAN


class Same(Decoder):
    """Enlarges the first channels of a code, so that a painting shows its code."""

    channels = 8

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, code: Tensor) -> Tensor:
        """(B, 8, h, w) to (B, 3, 2h, 2w)."""
        return self.weight * code[:, :3].repeat_interleave(2, 2).repeat_interleave(2, 3)


def model_of(**networks: nn.Module) -> Any:
    return assemble(AdaIN, LSGAN, networks=networks)


def code_of(images: Tensor) -> Tensor:
    return TinyFeatures()(images, layers=["deep"])["deep"]


def test_adapted_codes_have_the_mean_and_the_deviation_of_the_style() -> None:
    content = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    style = torch.tensor([[[[10.0, 30.0, 20.0]]]])
    # mean 2.5 and deviation sqrt(5/3); mean 20 and deviation 10
    expected = (content - 2.5) / (5 / 3) ** 0.5 * 10 + 20
    assert torch.allclose(adapt(content, style), expected, atol=1e-3)
    flat = adapt(torch.ones(1, 1, 1, 1), style)
    assert torch.isfinite(flat).all() and flat.item() == pytest.approx(20)


def test_a_chosen_of_its_own_leaves_a_code_as_it_is() -> None:
    code = torch.randn(2, 4, 5, 6)
    assert torch.allclose(adapt(code, code), code, atol=1e-5)


def test_the_decoder_has_the_papers_size_and_the_places_of_its_convolutions() -> None:
    decoder = AdaINDecoder()
    assert sum(p.numel() for p in decoder.parameters()) == 3_505_219
    places = [int(key.split(".")[1]) for key in decoder.state_dict() if key.endswith("weight")]
    assert places == [1, 5, 8, 11, 14, 18, 21, 25, 28]
    assert AdaINDecoder(widths=[12, 6, 5, 4, 3], out_channels=1)(torch.rand(2, 12, 3, 2)).shape == (2, 1, 48, 32)
    thin = AdaINDecoder(channels=5, widths=[12, 6])
    assert thin.channels == 5 and thin(torch.rand(1, 5, 4, 4)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize(
    "arguments",
    [{"widths": [8, 4], "convs": [1]}, {"widths": []}, {"convs": [1, 0, 1, 1]}, {"unit": 0}, {"channels": 0}],
)
def test_a_decoder_without_sense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        AdaINDecoder(**arguments)


def test_translate_paints_from_the_styles_statistics_and_encodes_the_painting() -> None:
    model = model_of()
    values = model.data_preprocessor(batch_for(model), True)
    model.translate(values)
    wanted = adapt(code_of(values["real_a"]), code_of(values["real_b"]))
    assert torch.allclose(values["target"], wanted, atol=1e-5)
    assert torch.allclose(values["fake_b"], model.decoder(values["target"]), atol=1e-6)
    assert torch.allclose(values["fake_features"], code_of(values["fake_b"]), atol=1e-6)
    assert [len(values[name]) for name in ("fake_layers", "style_layers")] == [2, 2]
    assert torch.allclose(values["same_a"], model.decoder(code_of(values["real_a"])), atol=1e-6)


def test_content_and_style_may_differ_in_size_in_training() -> None:
    from toolbox.training.parts import WeightedLoss
    from toolbox_plugins.losses.activation_lists import MomentLoss

    model = model_of()
    model.parts.losses.pop("identity")
    model.parts.losses["style"] = [WeightedLoss("moments", MomentLoss())]
    model.judged.clear()
    batch = {"real_a": torch.rand(2, 3, 32, 32), "real_b": torch.rand(2, 3, 20, 44)}
    before = model.decoder.only.weight.clone()
    assert set(model.train_step(batch, optimizers_for(model))) == {"g/content", "g/style"}
    assert not torch.equal(before, model.decoder.only.weight)


def test_strength_goes_straight_from_the_photographs_code_to_the_adapted_one() -> None:
    model = model_of(decoder=Same())
    images, style = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 20, 30)
    painted = [
        model.generate(
            "fake_b", {"real_a": images}, model.conditioned("fake_b", {"style": style, "strength": strength})
        )
        for strength in (0.0, 0.25, 1.0)
    ]
    assert torch.allclose(painted[0], Same()(code_of(images)), atol=1e-6)
    assert torch.allclose(painted[2], Same()(adapt(code_of(images), code_of(style))), atol=1e-5)
    assert torch.allclose(painted[1], 0.75 * painted[0] + 0.25 * painted[2], atol=1e-6)


def test_one_style_serves_a_batch_and_odd_sizes_come_out_exact() -> None:
    model = model_of()
    images, style = torch.rand(2, 3, 17, 23), torch.rand(1, 3, 9, 13)
    both = model.predict(images, chosen={"style": style})
    assert both.shape == images.shape
    alone = model.predict(images[1:], chosen={"style": style})
    assert torch.allclose(both[1:], alone, atol=1e-6)
    assert not torch.allclose(both, model.predict(images, chosen={"style": 1 - style}), atol=1e-3)


def test_prediction_without_a_picture_or_with_a_tiny_one_is_refused_and_tells_the_way() -> None:
    model = model_of()
    with pytest.raises(UserError, match="--style FILE"):
        model.predict(torch.rand(1, 3, 8, 8))
    with pytest.raises(UserError, match="2x8; it must be 4"):
        model.predict(torch.rand(1, 3, 8, 8), chosen={"style": torch.rand(1, 3, 8, 2)})
    with pytest.raises(UserError, match="from 0 to 1"):
        model.predict(torch.rand(1, 3, 8, 8), chosen={"strength": 1.5})


def test_an_unfit_decoder_or_layer_is_refused_when_it_is_built() -> None:
    with pytest.raises(UserError, match="takes codes of 4 channels, and the encoder's deep has 8"):
        model_of(decoder=AdaINDecoder(widths=[4, 4]))
    with pytest.raises(UserError, match="enlarges 4 times, and deep of the encoder wants 2 times"):
        model_of(decoder=AdaINDecoder(widths=[8, 4, 4]))
    with pytest.raises(UserError, match="no layer 'deeep'; did you mean 'deep'"):
        assemble(AdaIN, LSGAN, layers=["deeep"])
    with pytest.raises(UserError, match="at least one layer"):
        assemble(AdaIN, LSGAN, layers=[])


def test_the_content_is_seen_whole_so_that_tiles_are_known_to_differ() -> None:
    network = TrainedOutput(model_of(), chosen={"style": torch.rand(1, 3, 24, 24)}).eval()
    assert not reach(network, channels=3, scale=1, multiple=network.multiple).local


def test_the_frozen_encoder_is_neither_trained_nor_averaged_nor_saved() -> None:
    model = assemble(AdaIN, LSGAN, ema=0.9)
    assert model.averaged == ["decoder"] and model.multiple_of("fake_b") == 2
