"""VGG19's plumbing with random weights made here, against functions alone; no real weights and no network needed."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox_plugins.features.vgg19 import VGG19

# torchvision's `vgg19().features`: a number is a convolution of that width, "M" a maximum; each convolution has a ReLU.
LAYOUT = [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"]
PLACES = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)


def random_state(classifier: bool = False) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    state, into = {}, 3
    for place, width in zip(PLACES, [width for width in LAYOUT if width != "M"], strict=True):
        state[f"features.{place}.weight"] = torch.empty(width, into, 3, 3).normal_(
            0, (2 / (9 * into)) ** 0.5, generator=rng
        )
        state[f"features.{place}.bias"] = torch.empty(width).normal_(0, 0.1, generator=rng)
        into = width
    return state | ({"classifier.0.weight": torch.zeros(2, 2)} if classifier else {})


def activations(state: dict[str, Tensor], images: Tensor) -> dict[str, Tensor]:
    """Every named activation, with functions only."""
    x = (images - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    found, place, block, index = {}, 0, 1, 1
    for width in LAYOUT:
        if width == "M":
            x = F.max_pool2d(x, 2)
            place, block, index = place + 1, block + 1, 1
        else:
            x = F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], padding=1)
            found[f"conv{block}_{index}"] = x
            x = found[f"relu{block}_{index}"] = x.clamp(min=0)
            place, index = place + 2, index + 1
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(random_state(classifier=True), path)
    return path


@pytest.fixture(scope="module")
def network(file) -> VGG19:
    return VGG19(weights=str(file))


@pytest.fixture
def small(monkeypatch) -> dict[str, Tensor]:
    """A VGG19 of two convolutions, so that the files of the download tests are small."""
    monkeypatch.setattr("toolbox_plugins.features.vgg19.CONVOLUTIONS", ((4, 2),))
    return {
        "features.0.weight": torch.rand(4, 3, 3, 3),
        "features.0.bias": torch.rand(4),
        "features.2.weight": torch.rand(4, 4, 3, 3),
        "features.2.bias": torch.rand(4),
    }


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def save(state: dict[str, Tensor], path: Path) -> str:
    torch.save(state, path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_layer_equals_the_functional_computation(network):
    images = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    expected = activations(random_state(), images)
    assert tuple(network.layers) == tuple(expected)
    found = network(images, layers=list(expected))
    assert list(found) == list(expected)
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-5, msg=lambda m, name=name: f"{name}: {m}")


def test_the_layers_of_published_losses_stand_where_torchvision_has_them(network):
    images = torch.rand(1, 3, 32, 32)
    indices = {"conv1_2": 2, "conv2_2": 7, "conv3_4": 16, "conv4_4": 25, "conv5_4": 34}  # Real-ESRGAN's
    x, expected = (images - network.mean) / network.std, {}
    for index, layer in enumerate(network.features):
        x = layer(x)
        expected[index] = x
    for name, value in network(images, layers=list(indices)).items():
        torch.testing.assert_close(value, expected[indices[name]])


def test_a_layer_before_its_relu_keeps_its_negative_values(network):
    found = network(torch.rand(1, 3, 16, 16), layers=["relu1_1", "conv1_1"])
    assert list(found) == ["relu1_1", "conv1_1"] and found["conv1_1"].min() < 0
    torch.testing.assert_close(found["relu1_1"], found["conv1_1"].relu())


def test_nothing_deeper_than_asked_for_is_computed(network):
    ran = []
    handles = [layer.register_forward_hook(lambda *_, i=i: ran.append(i)) for i, layer in enumerate(network.features)]
    network(torch.rand(1, 3, 8, 8), layers=["relu1_2", "conv1_1"])
    for handle in handles:
        handle.remove()
    assert ran == [0, 1, 2, 3]


def test_it_is_frozen_stays_in_evaluation_mode_and_lets_gradients_through(network):
    assert not network.train().training and not any(m.training for m in network.modules())
    assert not any(p.requires_grad for p in network.parameters())
    images = torch.rand(1, 3, 16, 16, requires_grad=True)
    network(images, layers=["conv2_1"])["conv2_1"].sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0
    assert all(p.grad is None for p in network.parameters())


def test_its_state_has_torchvisions_keys(network):
    assert set(network.state_dict()) == {f"features.{place}.{kind}" for place in PLACES for kind in ("weight", "bias")}


def test_building_it_draws_no_random_numbers(tmp_path, small):
    save(small, tmp_path / "a.pth")
    before = torch.get_rng_state()
    VGG19(weights=str(tmp_path / "a.pth"))
    assert torch.equal(torch.get_rng_state(), before)


def test_it_prints_like_its_config(network, file):
    assert repr(network) == f"VGG19(weights={str(file)!r})"


def test_unknown_layers_and_other_than_three_channels_are_refused(network):
    with pytest.raises(UserError, match="VGG19 has no layer 'conv5_5'; did you mean 'conv5_"):
        network(torch.rand(1, 3, 16, 16), layers=["conv5_5"])
    with pytest.raises(UserError, match="3 channels, got 1"):
        network(torch.rand(1, 1, 16, 16), layers=["conv1_1"])


def test_a_missing_file_says_where_the_official_one_is(tmp_path):
    with pytest.raises(
        UserError, match=r"there is no file .*none\.pth; torchvision's VGG19 is https://download\.pytorch"
    ):
        VGG19(weights=str(tmp_path / "none.pth"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("features.2.bias"), r"no VGG19, it lacks features\.2\.bias"),
        (lambda s: s.update({"features.2.bias": torch.rand(5)}), r"its features\.2\.bias is \(5,\) instead of \(4,\)"),
        (lambda s: s.update({"features.1.running_mean": torch.rand(4)}), r"it also has features\.1\.running_mean"),
        (lambda s: s.update({"epoch": 3}), "not a plain dictionary of tensors"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path, small, change, message):
    change(small)
    save(small, tmp_path / "a.pth")
    with pytest.raises(UserError, match=message):
        VGG19(weights=str(tmp_path / "a.pth"))


def test_a_damaged_file_and_a_file_with_code_are_refused(tmp_path):
    class Code:
        def __reduce__(self):
            return print, ("this must not run",)

    (tmp_path / "damaged.pth").write_bytes(b"PK\x03\x04 half a file")
    torch.save({"features.0.weight": Code()}, tmp_path / "code.pth")
    for name in ("damaged.pth", "code.pth"):
        with pytest.raises(UserError, match="cannot be read as weights"):
            VGG19(weights=str(tmp_path / name))


def test_a_local_file_is_checked_against_sha256(tmp_path, small):
    right = save(small, tmp_path / "a.pth")
    VGG19(weights=str(tmp_path / "a.pth"), sha256=right.upper())
    with pytest.raises(UserError, match=f"has SHA-256 {right}, not {'0' * 64}"):
        VGG19(weights=str(tmp_path / "a.pth"), sha256="0" * 64)
    with pytest.raises(UserError, match="sha256 must be 64 hexadecimal digits, got 'dcbb'"):
        VGG19(weights=str(tmp_path / "a.pth"), sha256="dcbb")


def test_safetensors_are_read_too(tmp_path, small):
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(small, tmp_path / "a.safetensors")
    network = VGG19(weights=str(tmp_path / "a.safetensors"))
    torch.testing.assert_close(network.state_dict(), small, check_stride=False)
    (tmp_path / "b.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match="cannot be read as weights"):
        VGG19(weights=str(tmp_path / "b.safetensors"))


def test_a_url_is_downloaded_once_into_torch_hubs_folder(tmp_path, hub, small):
    digest = save(small, tmp_path / "a.pth")
    source = (tmp_path / "a.pth").rename(tmp_path / f"vgg19-{digest[:8]}.pth")
    VGG19(weights=source.as_uri())
    assert [path.name for path in hub.iterdir()] == [source.name]
    source.unlink()
    torch.testing.assert_close(dict(VGG19(weights=source.as_uri()).state_dict()), small)


def test_a_download_without_any_hash_is_refused_and_with_sha256_taken(tmp_path, hub, small):
    digest = save(small, tmp_path / "a.pth")
    url = (tmp_path / "a.pth").as_uri()
    with pytest.raises(UserError, match="no hash in its name, so give sha256 too"):
        VGG19(weights=url)
    VGG19(weights=url, sha256=digest)


@pytest.mark.parametrize("sha256", [None, "0" * 64])
def test_a_download_of_another_hash_is_refused_and_leaves_nothing_behind(tmp_path, hub, small, sha256):
    save(small, tmp_path / "vgg19-00000000.pth")
    with pytest.raises(UserError, match=r"not 00000000.*: the download was damaged, or the file is another one"):
        VGG19(weights=(tmp_path / "vgg19-00000000.pth").as_uri(), sha256=sha256)
    assert list(hub.iterdir()) == []


def test_a_cached_file_that_was_damaged_is_refused(tmp_path, hub, small):
    hub.mkdir(parents=True)
    (hub / "vgg19-dcbb9e9d.pth").write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"not dcbb9e9d: delete it to download https://example\.invalid/"):
        VGG19(weights="https://example.invalid/vgg19-dcbb9e9d.pth")


def test_a_failed_download_says_what_to_do_instead(tmp_path, hub):
    url = (tmp_path / "vgg19-dcbb9e9d.pth").as_uri()
    with pytest.raises(UserError, match=f"{re.escape(url)} could not be downloaded .*; download it elsewhere and give"):
        VGG19(weights=url)
    with pytest.raises(UserError, match="must be a path or an http, https or file URL"):
        VGG19(weights="s3://bucket/vgg19-dcbb9e9d.pth")
