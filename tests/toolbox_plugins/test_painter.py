"""The painter: styles are chosen and mixed, strengths go from enlarging to painting, tiles agree with the whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from runs import command, pictures, write_config
from toolbox import UserError
from toolbox.assembly.build import build_algorithm
from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.output import Condition
from toolbox.inference.options import Options
from toolbox.inference.predictor import Predictor
from toolbox_plugins.painter import generator
from toolbox_plugins.painter.generator import StyleSPAN
from toolbox_plugins.painter.norm import Statistics, StyledNorm

STYLES = ["monet", "hokusai"]
MODEL: dict[str, Any] = {
    "type": "PaintedSuperResolution",
    "generator": {"type": "StyleSPAN", "styles": STYLES, "width": 8, "blocks": 1, "upscaler_width": 8, "scale": 4},
    "losses": {"content": {"type": "L1Loss"}},
    "degradation": {"type": "BicubicDegradation", "scale": 4},
}


def network(**arguments: Any) -> StyleSPAN:
    torch.manual_seed(0)
    made = StyleSPAN(**{"styles": STYLES, "width": 8, "blocks": 1, "upscaler_width": 8, "scale": 4} | arguments)
    for module in made.modules():  # styles differ, as after training
        if isinstance(module, StyledNorm):
            nn.init.normal_(module.scale, 1.0, 0.5)
            nn.init.normal_(module.offset, 0.0, 0.5)
    return made.eval()


def picture(height: int = 12, width: int = 16) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_strengths_go_from_the_upscaler_to_the_painting_in_even_steps() -> None:
    net, images = network(), picture()
    painted = net(images)
    assert torch.equal(net(images, torch.zeros(1)), net.upscaler(images))
    assert torch.allclose(net(images, torch.ones(1)), painted)
    half = net(images, torch.tensor([0.5]))
    assert torch.allclose(half, (painted + net.upscaler(images)) / 2, atol=1e-6)


@torch.no_grad()
def test_each_image_of_a_batch_has_its_own_style_and_strength() -> None:
    net, images = network(), picture().expand(3, -1, -1, -1)
    shares = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    strengths = torch.tensor([1.0, 0.5, 0.25])
    together = net(images, strengths, shares)
    for number in range(3):
        alone = net(images[:1], strengths[number : number + 1], shares[number : number + 1])
        assert torch.allclose(together[number], alone[0], atol=1e-5)
    assert (together[0] - net(images[:1], torch.ones(1), shares[1:2])[0]).abs().mean() > 0.01, "styles differ"


def test_the_upscaler_stands_still_and_everything_else_learns() -> None:
    net = network().train()
    net(picture(), None, torch.tensor([[0.5, 0.5]])).square().mean().backward()
    for name, parameter in net.named_parameters():
        stands = name.startswith("upscaler.")
        assert (parameter.grad is None) == stands and parameter.requires_grad != stands, name


@pytest.mark.parametrize("norm", ["every", "instance"])
@torch.no_grad()
def test_statistics_of_the_whole_are_used_for_a_part(norm: str) -> None:
    net, images = network(norm=norm), picture(48, 48)
    cut = images[..., 8:40, 8:40]
    part = net(cut, statistics=net.survey(images))
    inner = slice(4 * 13, 4 * 19)  # what the borders of the part do not reach
    assert torch.allclose(part[..., inner, inner], net(images)[..., 32:, 32:][..., inner, inner], atol=1e-4)
    assert (net(cut) - part).abs().max() > 1e-3, "a part by itself has statistics of its own"


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 3)])
@torch.no_grad()
def test_pictures_may_be_as_small_as_they_like(size: tuple[int, int]) -> None:
    made = network()(picture(*size))
    assert made.shape[-2:] == (4 * size[0], 4 * size[1]) and made.isfinite().all()


@torch.no_grad()
def test_without_norm_a_picture_is_known_by_its_surroundings_alone() -> None:
    net, images = network(norm="none"), picture(48, 48)
    assert net.survey(images) == []
    part, inner = net(images[..., 8:40, 8:40]), slice(4 * 13, 4 * 19)
    assert torch.allclose(part[..., inner, inner], net(images)[..., 32:, 32:][..., inner, inner], atol=1e-4)


@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@torch.no_grad()
def test_larger_features_are_measured_in_strips_as_in_one_piece(scale: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net, images = network(norm="every", scale=scale), picture(23, 17)
    measured = Statistics()
    painted = net.paint(images, net.shares(images, None), measured)
    for pixels in (17, 100, 10_000):  # strips of one row, of five, of all
        monkeypatch.setattr(generator, "STRIP", pixels)
        found = net.survey(images)
        assert len(found) == len(measured.found)
        for ours, theirs in zip(found, measured.found, strict=True):
            assert torch.allclose(torch.cat(ours), torch.cat(theirs), atol=1e-6)
        assert torch.allclose(net(images, statistics=found), painted, atol=1e-5)


@pytest.mark.parametrize("scale", [1, 2, 8])
@torch.no_grad()
def test_other_scales(scale: int) -> None:
    assert network(scale=scale)(picture()).shape[-2:] == (12 * scale, 16 * scale)


def test_norms_of_moments_given_are_those_of_moments_measured() -> None:
    features = torch.randn(2, 4, 5, 6) * 3 + 1
    measured = Statistics()
    first = measured.normalise(features)
    assert torch.allclose(Statistics(measured.found).normalise(features), first)
    expected = nn.functional.instance_norm(features, eps=1e-3)
    assert torch.allclose(first, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"styles": []}, "styles must be a list of at least one name"),
        ({"styles": ["a", "a"]}, "have one name"),
        ({"styles": ["a:b"]}, "is no name of a style"),
        ({"styles": ["3"]}, "is no name of a style"),
        ({"scale": 3}, "scale must be 1, 2, 4 or 8"),
        ({"tap": 7}, "tap from 0 to 6"),
        ({"norm": "batch"}, "norm must be every, instance or none"),
        ({"kernel": 4}, "kernel must be odd"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        network(**arguments)


def test_a_mixture_is_named_by_its_shares() -> None:
    style = Condition("style", "mixture", labels=STYLES)
    assert style.value("hokusai").tolist() == [[0.0, 1.0]]
    assert style.value("1").tolist() == [[0.0, 1.0]]
    assert style.value("monet:1,hokusai:3").tolist() == [[0.25, 0.75]]
    assert style.value({"monet": 2}).tolist() == [[1.0, 0.0]]
    assert style.value(torch.tensor([1, 0])).tolist() == [[0.0, 1.0], [1.0, 0.0]]
    for wrong, words in (
        ("hokusay", "no label 'hokusay'; did you mean 'hokusai'"),
        ("monet:x", "share of monet must be a number, got 'x'"),
        ("monet:-1,hokusai:2", "shares must be 0 or more"),
        ("monet:0", "shares must be 0 or more, and one above"),
        ("monet:nan", "shares must be 0 or more"),
    ):
        with pytest.raises(UserError, match=words):
            style.value(wrong)


def algorithm(**arguments: Any) -> Any:
    made: Any = build_algorithm(MODEL | {"generator": MODEL["generator"] | arguments})
    made.generator.load_state_dict(network(**arguments).state_dict())
    return made.eval()


def test_each_sample_is_painted_in_the_style_of_its_number() -> None:
    made = algorithm().train()
    values = {"real_a": torch.rand(2, 3, 32, 32), "lr_a": torch.rand(2, 3, 8, 8), "style_b": torch.tensor([1, 0])}
    made.translate(values)
    expected = made.generator(values["lr_a"], None, torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    assert torch.equal(values["fake_b"], expected)
    del values["style_b"]
    made.translate(values)
    assert values["style_b"].shape == (2,) and set(values["style_b"].tolist()) <= {0, 1}


@pytest.mark.parametrize("norm", ["every", "instance"])
def test_a_picture_in_tiles_equals_the_whole(norm: str) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (70, 90, 3), np.uint8)
    output = TrainedOutput(algorithm(norm=norm), "fake_b", {"style": "hokusai"})
    whole, tiled = (Predictor(output, options=Options(tile=tile))(pixels) for tile in (0, 32))
    assert np.abs(whole.astype(int) - tiled.astype(int)).max() <= 1


def test_at_strength_0_the_output_is_the_upscalers_and_keeps_colours() -> None:
    made = algorithm()
    output = TrainedOutput(made, "fake_b", {"strength": 0.0})
    assert output.keeps_colors and not TrainedOutput(made, "fake_b", {"strength": 0.1}).keeps_colors
    images = picture()
    made.generator.paint = None  # which is not asked
    with torch.no_grad():
        assert torch.equal(output(images), made.generator.upscaler(images).clamp(0, 1))
        assert torch.equal(TrainedOutput(made, "sr_a")(images), output(images))


def test_half_of_it_is_an_output_of_its_own() -> None:
    made = algorithm().eval()
    images = picture()
    half = made.predict(images, "half_b", {"style": "hokusai"})
    assert torch.equal(half, made.predict(images, "fake_b", {"style": "hokusai", "strength": 0.5}))
    assert not torch.equal(half, made.predict(images, "half_b"))


def test_losses_of_other_styles_are_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path, 1)
    loss = {
        "type": "StyleImagesLoss",
        "features": {"type": "RandomFeatures"},
        "layers": {"conv1_1": 1.0},
        "images": {"hokusai": str(folder), "monet": str(folder)},
    }
    with pytest.raises(UserError, match="they must be the same, in the same order"):
        build_algorithm({**MODEL, "losses": {"style": loss}})
    with pytest.raises(UserError, match="has no styles; StyleSPAN has"):
        build_algorithm({**MODEL, "generator": {"type": "StyleSRNet"}})


def test_a_new_style_begins_as_the_mean_of_those_that_the_network_knows_and_trains_alone() -> None:
    known, wider = network(), network(styles=[*STYLES, "new"], trains="styles")
    wider.load_state_dict(wider.fitted(known.state_dict()))
    norm, before = wider.blocks[0].get_submodule("norm1"), known.blocks[0].get_submodule("norm1")
    assert torch.equal(norm.scale[:2], before.scale) and torch.allclose(norm.scale[2], before.scale.mean(0))
    images, share = picture(), torch.tensor([[0.0, 1.0, 0.0]])
    with torch.no_grad():
        assert torch.allclose(wider(images, None, share), known(images, None, share[:, :2]), atol=1e-6)
    learned = {name for name, parameter in wider.named_parameters() if parameter.requires_grad}
    assert learned and all(name.rpartition(".")[2] in ("scale", "offset") for name in learned)
    with pytest.raises(UserError, match="trains must be all or styles"):
        network(trains="some")


def test_styles_without_pictures_are_not_drawn(tmp_path: Path) -> None:
    loss = {
        "type": "StyleImagesLoss", "features": {"type": "RandomFeatures"}, "layers": {"conv1_1": 1.0},
        "styles": STYLES, "images": {"hokusai": str(pictures(tmp_path, 1))},
    }  # fmt: skip
    made: Any = build_algorithm({**MODEL, "losses": {"style": loss}})
    values = {"real_a": torch.rand(8, 3, 32, 32), "lr_a": torch.rand(8, 3, 8, 8)}
    made.translate(values)
    assert values["style_b"].tolist() == [1] * 8
    assert made.outputs["fake_b"].chosen({})["style"].tolist() == [[0.0, 1.0]], "what is taught is measured and shown"
    assert made.losses["style"][0](values["fake_b"], values["style_b"]).isfinite()
    with pytest.raises(UserError, match="'hokusai' is none of the styles monet"):
        build_algorithm({**MODEL, "losses": {"style": loss | {"styles": ["monet"]}}})


def test_what_is_judged_moves_with_its_photograph() -> None:
    made: Any = build_algorithm({**MODEL, "shift": 8})
    large = torch.arange(40.0 * 40).reshape(1, 1, 40, 40).expand(2, 3, -1, -1)
    places = set()
    for _ in range(8):
        values = {"real_a": large, "fake_b": large + 0.5}
        made.move(values, "fake_b", "real_a")
        assert values["real_a"].shape[-2:] == (32, 32) and torch.all(values["fake_b"] - values["real_a"] == 0.5)
        places.add(values["real_a"][0, 0, 0, 0].item())
    assert len(places) > 1


def test_it_trains_against_discriminators_that_see_the_style_and_is_applied_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, styles = pictures(tmp_path / "photos", 3), {name: str(pictures(tmp_path / name, 2)) for name in STYLES}
    judge = {"type": "PatchDiscriminator", "in_channels": 5, "width": 8, "layers": 1, "norm": "none"}
    config = {
        "model": {
            **MODEL,
            "shift": 4,
            "discriminator": judge,
            "discriminator_small": judge,
            "variant": {"type": "RpGAN", "regularizers": [{"type": "R1", "weight": 1.0}]},
            "losses": {"content": {"type": "L1Loss"}, "smoothness": {"type": "LatticeLoss"}},
        },
        "train_dataloader": {
            "batch_size": 2,
            "dataset": {
                "type": "StyledFolders",
                "root_a": str(photos),
                "styles": styles,
                "transforms": [{"type": "RandomCrop", "size": 32}],
            },
        },
        "train_cfg": {"max_iters": 2},
        "optim_wrapper": {
            "generator": {"optimizer": {"type": "Adam", "lr": 1e-3}},
            "discriminator": {"optimizer": {"type": "Adam", "lr": 1e-3}},
        },
        "work_dir": str(tmp_path / "run"),
    }
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file) == 0
    assert command("export", file, tmp_path / "run" / "iter_2.pth", "-o", tmp_path / "x.safetensors") == 0
    out = tmp_path / "out"
    for style in STYLES:
        assert (
            command("infer", photos, "-o", out / style, "--weights", tmp_path / "x.safetensors", "--style", style) == 0
        )
    assert command("infer", photos, "-o", out, "--weights", tmp_path / "x.safetensors", "--style", "dali") == 2
    assert "--style dali: the model has monet, hokusai" in capsys.readouterr().err
