"""Inception v3 against the paper's figures written out by torchvision's names, and the two files of its weights."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from script_packages import model, packed
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import MissingWeights, UserError
from toolbox.testing import check_features
from toolbox_plugins.features.inception_v3 import NPM, InceptionV3

EVEN = ["branch1x1", "branch5x5_1", "branch5x5_2", *(f"branch3x3dbl_{n}" for n in (1, 2, 3)), "branch_pool"]
LONG = [
    "branch1x1", *(f"branch7x7_{n}" for n in (1, 2, 3)), *(f"branch7x7dbl_{n}" for n in (1, 2, 3, 4, 5)), "branch_pool",
]  # fmt: skip
WIDE = [
    "branch1x1", "branch3x3_1", "branch3x3_2a", "branch3x3_2b", "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3a",
    "branch3x3dbl_3b", "branch_pool",
]  # fmt: skip
FIRST_HALVING = ["branch3x3", "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"]
SECOND_HALVING = ["branch3x3_1", "branch3x3_2", *(f"branch7x7x3_{n}" for n in (1, 2, 3, 4))]
NAMES = [
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
    *(f"Mixed_5{block}.{name}" for block in "bcd" for name in EVEN),
    *(f"Mixed_6a.{name}" for name in FIRST_HALVING),
    *(f"Mixed_6{block}.{name}" for block in "bcde" for name in LONG),
    *(f"Mixed_7a.{name}" for name in SECOND_HALVING),
    *(f"Mixed_7{block}.{name}" for block in "bc" for name in WIDE),
]
"""torchvision's names of all convolutions, in its file's order."""


class Drawn(dict[str, Tensor]):
    """The tensors of torchvision's file, drawn when the network written out below first asks for them."""

    def convolution(self, name: str, x: Tensor, width: int, kernel: tuple[int, int], stride: int, pad: bool) -> Tensor:
        rng = torch.Generator().manual_seed(NAMES.index(name))
        fan = x.shape[1] * kernel[0] * kernel[1]
        for part, value in (
            ("conv.weight", torch.randn(width, x.shape[1], *kernel, generator=rng) * (2 / fan) ** 0.5),
            ("bn.weight", torch.rand(width, generator=rng) + 0.5),
            ("bn.bias", torch.randn(width, generator=rng) / 10),
            ("bn.running_mean", torch.randn(width, generator=rng) / 10),
            ("bn.running_var", torch.rand(width, generator=rng) + 0.5),
        ):
            self.setdefault(f"{name}.{part}", value)
        padding = (kernel[0] // 2, kernel[1] // 2) if pad else 0
        y = F.conv2d(x, self[f"{name}.conv.weight"], stride=stride, padding=padding)
        parts = (self[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return F.relu(F.batch_norm(y, *parts, eps=1e-3))


def written_out(state: Drawn, images: Tensor) -> dict[str, Tensor]:
    """Every named activation: table 1 and figures 5, 6 and 7 of the paper, with torchvision's widths."""

    def conv(name: str, x: Tensor, width: int, *kernel: int, stride: int = 1, pad: bool = True) -> Tensor:
        high, wide = kernel if len(kernel) == 2 else kernel * 2
        return state.convolution(name, x, width, (high, wide), stride, pad)

    def chain(block: str, x: Tensor, *steps: tuple[str, int, int, int]) -> Tensor:
        for name, *step in steps:
            x = conv(f"{block}.{name}", x, *step)
        return x

    def mean(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, 1, 1)

    found = {}
    x = conv("Conv2d_1a_3x3", images * 2 - 1, 32, 3, stride=2, pad=False)
    x = conv("Conv2d_2b_3x3", conv("Conv2d_2a_3x3", x, 32, 3, pad=False), 64, 3)
    x = found["pool1"] = F.max_pool2d(x, 3, 2)
    x = conv("Conv2d_4a_3x3", conv("Conv2d_3b_1x1", x, 80, 1), 192, 3, pad=False)
    x = found["pool2"] = F.max_pool2d(x, 3, 2)
    for number, (letter, pooled) in enumerate(zip("bcd", (32, 64, 64), strict=True)):
        block = f"Mixed_5{letter}"
        x = found[f"mixed{number}"] = torch.cat([
            conv(f"{block}.branch1x1", x, 64, 1),
            chain(block, x, ("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 5)),
            chain(block, x, ("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3), ("branch3x3dbl_3", 96, 3, 3)),
            conv(f"{block}.branch_pool", mean(x), pooled, 1),
        ], 1)  # fmt: skip
    doubled = chain("Mixed_6a", x, ("branch3x3dbl_1", 64, 1, 1), ("branch3x3dbl_2", 96, 3, 3))
    x = found["mixed3"] = torch.cat([
        conv("Mixed_6a.branch3x3", x, 384, 3, stride=2, pad=False),
        conv("Mixed_6a.branch3x3dbl_3", doubled, 96, 3, stride=2, pad=False), F.max_pool2d(x, 3, 2),
    ], 1)  # fmt: skip
    for number, (letter, inner) in enumerate(zip("bcde", (128, 160, 160, 192), strict=True), 4):
        block = f"Mixed_6{letter}"
        across, down = (1, 7), (7, 1)
        double = [(inner, 1, 1), (inner, *down), (inner, *across), (inner, *down), (192, *across)]
        x = found[f"mixed{number}"] = torch.cat([
            conv(f"{block}.branch1x1", x, 192, 1),
            chain(block, x, ("branch7x7_1", inner, 1, 1), ("branch7x7_2", inner, *across), ("branch7x7_3", 192, *down)),
            chain(block, x, *((f"branch7x7dbl_{at}", *step) for at, step in enumerate(double, 1))),
            conv(f"{block}.branch_pool", mean(x), 192, 1),
        ], 1)  # fmt: skip
    steps = ("branch7x7x3_1", 192, 1, 1), ("branch7x7x3_2", 192, 1, 7), ("branch7x7x3_3", 192, 7, 1)
    x = found["mixed8"] = torch.cat([
        conv("Mixed_7a.branch3x3_2", conv("Mixed_7a.branch3x3_1", x, 192, 1), 320, 3, stride=2, pad=False),
        conv("Mixed_7a.branch7x7x3_4", chain("Mixed_7a", x, *steps), 192, 3, stride=2, pad=False),
        F.max_pool2d(x, 3, 2),
    ], 1)  # fmt: skip
    for number, letter in enumerate("bc", 9):
        block = f"Mixed_7{letter}"
        once = conv(f"{block}.branch3x3_1", x, 384, 1)
        twice = chain(block, x, ("branch3x3dbl_1", 448, 1, 1), ("branch3x3dbl_2", 384, 3, 3))
        x = found[f"mixed{number}"] = torch.cat([
            conv(f"{block}.branch1x1", x, 320, 1),
            conv(f"{block}.branch3x3_2a", once, 384, 1, 3), conv(f"{block}.branch3x3_2b", once, 384, 3, 1),
            conv(f"{block}.branch3x3dbl_3a", twice, 384, 1, 3), conv(f"{block}.branch3x3dbl_3b", twice, 384, 3, 1),
            conv(f"{block}.branch_pool", mean(x), 192, 1),
        ], 1)  # fmt: skip
    return found


IMAGES = torch.rand(1, 3, 79, 98, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def drawn() -> tuple[Drawn, dict[str, Tensor]]:
    state = Drawn()
    with torch.no_grad():
        return state, written_out(state, IMAGES)


@pytest.fixture(scope="module")
def file(drawn: tuple[Drawn, dict[str, Tensor]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As torchvision's: in the order of its modules, with the auxiliary classifier and the last layer."""
    state, path = drawn[0], tmp_path_factory.mktemp("inception") / "inception_v3.pth"
    ordered = {key: state[key] for name in NAMES for key in state if key.startswith(f"{name}.")}
    extra = {"AuxLogits.conv0.conv.weight": torch.zeros(128, 768, 1, 1), "fc.weight": torch.zeros(2, 2)}
    before = [key for key in ordered if not key.startswith("Mixed_7")]
    torch.save({**{key: ordered[key] for key in before}, **extra, **ordered}, path)
    return path


@pytest.fixture(scope="module")
def network(file: Path) -> InceptionV3:
    return InceptionV3(weights=str(file))


def test_every_layer_is_the_papers_written_out_by_torchvisions_names(network, drawn):
    expected = drawn[1]
    found = network(IMAGES, layers=network.layers)
    assert list(found) == list(expected) == list(network.layers)
    for layer, value in found.items():
        torch.testing.assert_close(value, expected[layer], rtol=1e-4, atol=1e-4)
    assert found["mixed10"].shape == (1, 2048, 1, 1) and found["mixed2"].shape == (1, 288, 7, 9)
    assert sum(each.numel() for each in network.parameters()) == 21_768_352  # without classifiers, norms as offsets


def test_it_keeps_to_the_contract_and_goes_no_deeper_than_asked(network, monkeypatch):
    check_features(network.train())
    assert not network.training and network.short_name == "inception"
    assert set(network.taps) <= set(network.layers)
    calls, kept = [], InceptionV3.convolved

    def noted(self, place, *rest, **more):
        calls.append(place)
        return kept(self, place, *rest, **more)

    monkeypatch.setattr(InceptionV3, "convolved", noted)
    network(IMAGES, layers=["mixed0", "pool1"])
    assert calls == list(range(12))  # five of the stem, seven of the first block
    network(IMAGES, layers=["pool1"])
    assert calls[12:] == [0, 1, 2]


def test_what_it_cannot_see_is_refused_in_one_line(network, file):
    with pytest.raises(UserError, match="InceptionV3 has no layer 'mixed11'; did you mean 'mixed1"):
        network(IMAGES, layers=["mixed11"])
    for layer, pixels in (("pool1", 11), ("mixed2", 27), ("mixed3", 43), ("mixed8", 75)):
        network(IMAGES[..., :pixels, :pixels], layers=[layer])
        with pytest.raises(UserError, match=f"needs {pixels} pixels or more for {layer}, got {pixels - 1}x98"):
            network(IMAGES[..., : pixels - 1, :], layers=[layer])
    with pytest.raises(UserError, match="InceptionV3 sees images of 3 channels, got 1"):
        network(IMAGES[:, :1], layers=["mixed0"])
    with pytest.raises(MissingWeights, match=r"there is no file none\.tgz; InceptionV3 is in https://registry\.npmjs"):
        InceptionV3(weights="none.tgz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("Mixed_6c.branch_pool.conv.weight"), "has 93 convolutions instead of 94"),
        (lambda state: state.pop("Mixed_6c.branch_pool.bn.bias"), "it lacks Mixed_6c.branch_pool.bn.bias"),
        (
            lambda state: state.update({"Conv2d_3b_1x1.conv.weight": torch.zeros(80, 64, 3, 3)}),
            r"convolution 4 is \(80, 64, 3, 3\), not \(80, 64, 1, 1\)",
        ),
    ],
    ids=["a convolution short", "an offset short", "another kernel"],
)
def test_other_networks_are_named(change: Callable[[dict[str, Tensor]], object], words, file, tmp_path):
    state = torch.load(file, weights_only=True, mmap=True)
    change(state)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(UserError, match=f"is no Inception v3, .*{words}"):
        InceptionV3(weights=str(tmp_path / "other.pth"))


def keras(drawn: Drawn) -> dict[str, Tensor]:
    """Tensors of 8 bits with the names and shapes of Keras's file, in alphabetical order as there."""
    rng, found = torch.Generator().manual_seed(5), {}
    for number, name in enumerate(NAMES, 1):
        kernel = drawn[f"{name}.conv.weight"].permute(2, 3, 1, 0)
        width = kernel.shape[-1]
        for part in ("beta", "moving_mean", "moving_variance"):
            found[f"batch_normalization_{number}/{part}"] = torch.randint(
                7, 255, (width,), generator=rng, dtype=torch.uint8
            )
        found[f"conv2d_{number}/kernel"] = torch.randint(0, 12, kernel.shape, generator=rng, dtype=torch.uint8)
    return dict(sorted(found.items()))


def test_kerass_network_is_read_out_of_the_npm_package_without_running_it(drawn, tmp_path):
    tensors = keras(drawn[0])
    network = InceptionV3(weights=str(packed(tmp_path / "nsfwjs-4.4.0.tgz", model(tensors, parts=6))))
    for number in (1, 2, 50, 94):
        kernel, beta, mean, variance = (
            tensors[name].float() * 0.5 - 3
            for name in (
                f"conv2d_{number}/kernel",
                *(f"batch_normalization_{number}/{part}" for part in ("beta", "moving_mean", "moving_variance")),
            )
        )
        scale = (variance + 1e-3).rsqrt()
        torch.testing.assert_close(network.kernels[number - 1], kernel.permute(3, 2, 0, 1) * scale[:, None, None, None])
        torch.testing.assert_close(network.biases[number - 1], beta - mean * scale)
    assert not network.counts_outside, "Keras's means at borders are of what lies inside"


def test_means_at_borders_are_each_files_own(network):
    """A block of four empty branches: the fourth is the mean alone."""
    x = torch.rand(1, 5, 4, 4)
    outside = network.mixed(0, x, [[]] * 4)[0]
    network.counts_outside = False
    try:
        inside = network.mixed(0, x, [[]] * 4)[0]
    finally:
        network.counts_outside = True
    corner = x[0, :, :2, :2].sum((1, 2))
    torch.testing.assert_close(outside[0, 15:, 0, 0], corner / 9)
    torch.testing.assert_close(inside[0, 15:, 0, 0], corner / 4)


@pytest.mark.skipif("INCEPTION" not in os.environ, reason="25 MB of npm's are fetched where INCEPTION is set, as in CI")
def test_the_published_package_sees_a_photograph_as_keras_does() -> None:
    """The figures are of the topology that the package describes, interpreted layer by layer by other code."""
    photo = torch.from_numpy(pytest.importorskip("skimage.data").coffee()).permute(2, 0, 1)[None].float() / 255
    found = InceptionV3(weights=NPM)(F.interpolate(photo[..., :480], (128, 160), mode="area"), layers=list(KERAS))
    for layer, (mean, deviation, *first) in KERAS.items():
        seen = [found[layer].mean(), found[layer].std(), *found[layer].mean((2, 3))[0, :3]]
        assert [float(each) for each in seen] == pytest.approx([mean, deviation, *first], rel=1e-3, abs=1e-4), layer


KERAS = {
    "mixed0": (0.847707, 1.460992, 3.08713, 1.27019, 2.62741),
    "mixed2": (0.321677, 0.729810, 0.4782, 0.0985, 2.30573),
    "mixed4": (0.228173, 0.527651, 0.19323, 0.69111, 0.09983),
    "mixed7": (0.115252, 0.396138, 0.01626, 0.00026, 0.07712),
    "mixed10": (0.028138, 0.139278, 1.17955, 0.0, 0.70055),
}
"""Mean, deviation, and the means of the first three channels."""
