"""CUT: what is contrasted with what, and where the features come from."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from matrix import VARIANTS, algorithm_class
from toolbox.config import load_config
from toolbox.config.shipped import shipped_configs
from toolbox.io.errors import UserError
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import TinyGenerator
from toolbox.training.activations import activations
from toolbox_plugins.cnn.generator import ResidualCNN
from toolbox_plugins.cut.probe import probe_layers
from toolbox_plugins.cut.projector import PatchProjector, at_positions, draw_positions
from toolbox_plugins.cyclegan.generator import ResnetGenerator

PAPER = ["model.0", "model.4", "model.8", "model.12", "model.16"]


def small(**arguments: Any) -> ResnetGenerator:
    return ResnetGenerator(**{"width": 4, "blocks": 5, "antialias": True, **arguments})


def cut(generator: nn.Module | None = None, **arguments: Any) -> Any:
    networks = {"generator": generator} if generator is not None else {}
    return assemble(algorithm_class("CUT"), VARIANTS["LSGAN"], networks=networks, **arguments)


def translated(model: Any, **values: Tensor) -> dict[str, Any]:
    found: dict[str, Any] = batch_for(model) | values
    model.translate(found)
    return found


# ------------------------------------------------------------------ the layers


def test_the_published_layers_are_pixels_halvings_and_the_first_and_fifth_block() -> None:
    probed = probe_layers(ResnetGenerator(antialias=True, width=8), PAPER)
    assert probed.names == PAPER and probed.channels == [3, 16, 32, 32, 32] and probed.lasting


def test_without_names_five_convolutions_of_the_first_two_thirds_are_contrasted() -> None:
    network = small(blocks=1)  # convolutions: 1 and two ways down, two in the block, two ways up and 1
    assert probe_layers(network, None).names == ["model.1", "model.4", "model.8", "model.12.conv_block.1",
                                                 "model.12.conv_block.5"]  # fmt: skip
    assert probe_layers(TinyGenerator(), None).names == ["first"]


def test_probing_changes_neither_modes_nor_statistics_nor_random_numbers() -> None:
    network = small(norm="batch", dropout=True)
    network.model[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    probe_layers(network, None)
    assert torch.equal(torch.rand(3), expected)
    assert modes == [module.training for module in network.modules()]
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_generators_are_probed_with_as_many_channels_as_they_take() -> None:
    assert probe_layers(small(in_channels=1), ["model.0"]).channels == [1]
    assert probe_layers(small(in_channels=6), ["model.0"]).channels == [6]
    shrinking = ResidualCNN(channels=1, width=8, shrink=2)  # its first convolution takes four
    assert probe_layers(shrinking, ["first"]).channels == [8]
    with pytest.raises(UserError, match="Linear takes no images of 64x64"):
        probe_layers(nn.Linear(5, 5), None)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["model.4", "model.99"], "ResnetGenerator has no module 'model.99'"),
        ([], "layers must name modules of the generator, each once"),
        (["model.4", "model.4"], "each once"),
    ],
)
def test_wrong_layers_are_refused(layers: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        probe_layers(small(), layers)


def test_a_network_without_convolutions_or_maps_is_refused() -> None:
    with pytest.raises(UserError, match="calls no convolution; name its modules"):
        probe_layers(nn.Identity(), None)
    with pytest.raises(UserError, match=r"'0' of Sequential gives no map \(B, C, h, w\)"):
        probe_layers(nn.Sequential(nn.Flatten()), ["0"])


# ------------------------------------------------------------------ the features


class Overwriting(nn.Module):
    """Writes over what its first convolution gave."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.relu(self.first(images)))


@pytest.mark.parametrize("make", [small, Overwriting])
@pytest.mark.parametrize("shapes", ["equal", "different"])
def test_keys_are_the_projected_features_of_the_input_at_the_queries_places(make: Any, shapes: str) -> None:
    model = cut(make(), patches=7, layers=["model.8", "model.14"] if make is small else ["first"])
    assert model.lasting == (make is small)
    real_b = torch.rand(2, 3, 32, 32 if shapes == "equal" else 48)
    torch.manual_seed(5)
    values = translated(model, real_b=real_b)
    torch.manual_seed(5)
    for queries, keys, source, result in (
        ("queries", "keys", values["real_a"], values["fake_b"]),
        ("identity_queries", "identity_keys", real_b, model.generator(real_b)),
    ):
        expected = activations(model.generator, result, model.layers)
        places = draw_positions(expected, 7)
        wanted = model.projector(at_positions(expected, places))
        for given, each in zip(values[queries], wanted, strict=True):
            assert each.shape == (2, 7, 256)
            torch.testing.assert_close(given, each, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(given.norm(dim=-1), torch.ones(2, 7), atol=1e-5, rtol=0)
        wanted = model.projector(at_positions(activations(model.generator, source, model.layers), places))
        for given, each in zip(values[keys], wanted, strict=True):
            torch.testing.assert_close(given, each, atol=1e-4, rtol=1e-4)
            assert not given.requires_grad


def test_places_differ_from_image_to_image_none_is_drawn_twice_and_small_maps_give_all() -> None:
    maps = [torch.arange(64.0).reshape(1, 1, 8, 8).repeat(2, 3, 1, 1), torch.rand(2, 5, 2, 2)]
    torch.manual_seed(0)
    places = draw_positions(maps, 16)
    assert [each.shape for each in places] == [(2, 16), (2, 4)]
    assert all(len(set(row.tolist())) == len(row) for each in places for row in each)
    assert not torch.equal(places[0][0], places[0][1])
    found = at_positions(maps, places)
    assert [each.shape for each in found] == [(2, 16, 3), (2, 4, 5)]
    assert torch.equal(found[0][..., 2], places[0].float())


def test_the_projector_is_of_two_layers_with_the_published_keys_and_there_from_the_start() -> None:
    torch.manual_seed(0)
    network = PatchProjector(channels=[3, 128])
    assert list(network.state_dict())[:4] == ["mlp_0.0.weight", "mlp_0.0.bias", "mlp_0.2.weight", "mlp_0.2.bias"]
    weight = network.state_dict()["mlp_1.0.weight"]
    assert weight.shape == (256, 128) and weight.std().item() == pytest.approx(0.02 * (2 / 384) ** 0.5, rel=0.02)
    model = cut()
    assert "projector" in model.networks and not hasattr(model, "projector_ema")
    assert not hasattr(cut(losses=False), "projector"), "nothing would train it"


class Pointwise(nn.Module):
    """Knows neither left nor right."""

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Conv2d(3, 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.only(images)


def test_mirrored_images_get_their_features_mirrored_back() -> None:
    network = Pointwise()
    model = cut(network, flip_equivariance=True, layers=["only"], patches=9)
    straight, mirrored = 0, 0
    for seed in range(4):
        torch.manual_seed(seed)
        values = translated(model)
        for source, result in zip(values["real_a"], values["fake_b"], strict=True):
            straight += torch.allclose(result, network(source[None])[0], atol=1e-6)
            mirrored += torch.allclose(result, network(source[None])[0].flip(-1), atol=1e-6)
        torch.manual_seed(seed)
        _ = torch.rand(2), torch.rand(2)  # the flips of both domains
        places = draw_positions([values["real_a"]], 9)
        wanted = model.projector(at_positions([network(network(values["real_a"]))], places))
        torch.testing.assert_close(values["queries"][0], wanted[0], atol=1e-3, rtol=1e-3)
    assert straight and mirrored and straight + mirrored == 8


def test_a_generator_with_a_scale_is_contrasted_at_the_size_of_its_input() -> None:
    model = cut(TinyGenerator(scale=2), patches=4)
    values = translated(model, real_a=torch.rand(2, 3, 16, 16), real_b=torch.rand(2, 3, 32, 32))
    assert values["fake_b"].shape == (2, 3, 32, 32)
    assert values["queries"][0].shape == values["keys"][0].shape == (2, 4, 256)


def test_an_iteration_of_the_discriminator_alone_contrasts_nothing() -> None:
    model = cut()
    seen: list[int] = []
    model.projector.register_forward_hook(lambda *_: seen.append(1))
    model._translating_for_generators = False
    assert "queries" not in translated(model) and not seen


def test_the_projector_and_every_part_of_the_encoder_learn_from_the_contrast_alone() -> None:
    model = cut(small(norm="none"), layers=["model.4", "model.16"])
    values = translated(model)
    sum(query.square().mul(torch.rand_like(query)).sum() for query in values["queries"]).backward()  # pyright: ignore
    assert all(p.grad is not None for p in model.projector.parameters())
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.generator.parameters())


def test_one_step_of_two_halves_of_a_batch_is_one_step_of_the_batch() -> None:
    finals = []
    for accumulation in (1, 2):
        model = cut(patches=10_000)  # all places, so that the draw does not matter
        optimizers = optimizers_for(model, accumulation=accumulation, sgd=True)
        batch = batch_for(model, count=4)
        for part in range(accumulation):
            share = {name: each.chunk(accumulation)[part] for name, each in batch.items()}
            torch.manual_seed(0)
            model.train_step(share, optimizers)
        finals.append(model.generator.first.weight.detach().clone())
    torch.testing.assert_close(*finals, atol=1e-5, rtol=1e-4)


def test_the_recipes_are_the_published_ones() -> None:
    cut_config, fast = (load_config(shipped_configs()[f"style/{name}.yaml"]).data for name in ("cut", "fastcut"))
    assert cut_config["model"]["layers"] == PAPER and fast["model"]["layers"] == PAPER
    assert [each["weight"] for each in cut_config["model"]["losses"].values()] == [0.5, 0.5]  # the mean of both
    assert fast["model"]["flip_equivariance"] and list(fast["model"]["losses"]) == ["nce"]
    assert fast["model"]["losses"]["nce"]["weight"] == 10
    assert cut_config["train_cfg"]["max_iters"] == 400 * 1334 and fast["train_cfg"]["max_iters"] == 200 * 1334


def test_antialiasing_and_resizing_exclude_each_other() -> None:
    with pytest.raises(UserError, match="antialias has its own way up; leave upsample out"):
        ResnetGenerator(antialias=True, upsample="resize")
    with pytest.raises(UserError, match="initialization must be normal or xavier, got 'kaiming'"):
        ResnetGenerator(initialization="kaiming")
    with pytest.raises(UserError, match="patches must be at least 2"):
        cut(patches=1)
