"""FeatureDistance and LPIPS against hand-worked values and functions alone.

No figure of the published LPIPS is checked: the trunks' official weights cannot be committed and tests download
nothing. What is checked is the formula, the layers, the learned weights' file, and torchvision's layout of keys.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.assembly.build import build_component
from toolbox.contracts.metric import DO_NOTHING
from toolbox.contracts.network import FeatureNetwork
from toolbox.io.errors import UserError
from toolbox.weights.packaged import packaged_file
from toolbox_plugins.features.lpips_trunks import VGG16, AlexNet
from toolbox_plugins.metrics.feature_distance import FeatureDistance
from toolbox_plugins.metrics.lpips import LPIPS

ALEX = [(0, 64, 11, 4, 2), "M3", (3, 192, 5, 1, 2), "M3", (6, 384, 3, 1, 1), (8, 256, 3, 1, 1), (10, 256, 3, 1, 1)]
VGG = [
    (0, 64, 3, 1, 1), (2, 64, 3, 1, 1), "M2", (5, 128, 3, 1, 1), (7, 128, 3, 1, 1), "M2",
    (10, 256, 3, 1, 1), (12, 256, 3, 1, 1), (14, 256, 3, 1, 1), "M2",
    (17, 512, 3, 1, 1), (19, 512, 3, 1, 1), (21, 512, 3, 1, 1), "M2",
    (24, 512, 3, 1, 1), (26, 512, 3, 1, 1), (28, 512, 3, 1, 1),
]  # fmt: skip
"""torchvision's `features`: place, width, kernel, stride and padding of each convolution; maxima between."""
TAPS = {"alex": (0, 3, 6, 8, 10), "vgg": (2, 7, 14, 21, 28)}
LAYOUTS = {"alex": ALEX, "vgg": VGG}


class Colours(FeatureNetwork):
    """Two layers that can be worked out by hand: the colours, and the colours of 2x2 means."""

    layers = ("full", "half")

    def forward(self, images: Tensor, layers) -> dict[str, Tensor]:
        found = {"full": images, "half": F.avg_pool2d(images, 2)}
        return {layer: found[layer] for layer in layers}


def distance(**options) -> FeatureDistance:
    return FeatureDistance(prediction="sr", reference="hr", features=Colours(), **options)


def plain(red: float, green: float, blue: float, size: int = 4) -> Tensor:
    return torch.tensor([red, green, blue])[:, None, None].expand(3, size, size).clone()


def random_state(layout) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(0)
    state, into = {"classifier.1.weight": torch.zeros(2, 2)}, 3
    for place, width, kernel, *_ in (item for item in layout if not isinstance(item, str)):
        weight = torch.empty(width, into, kernel, kernel).normal_(0, (2 / (kernel**2 * into)) ** 0.5, generator=rng)
        state |= {f"features.{place}.weight": weight, f"features.{place}.bias": torch.full((width,), 0.01)}
        into = width
    return state


def taps(network: str, state: dict[str, Tensor], image: Tensor) -> list[Tensor]:
    """The activations that LPIPS compares, with functions only; its scaling is written for [-1, 1]."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    x, found = (image[None] * 2 - 1 - shift[:, None, None]) / scale[:, None, None], []
    for item in LAYOUTS[network]:
        if isinstance(item, str):
            x = F.max_pool2d(x, int(item[1]), 2)
            continue
        place, _, _, stride, padding = item
        x = F.conv2d(x, state[f"features.{place}.weight"], state[f"features.{place}.bias"], stride, padding).relu()
        found += [x] if place in TAPS[network] else []
    return found


@pytest.fixture(scope="module")
def trunks(tmp_path_factory) -> dict[str, tuple[Path, dict[str, Tensor]]]:
    folder, made = tmp_path_factory.mktemp("trunks"), {}
    for name, layout in LAYOUTS.items():
        made[name] = folder / f"{name}.pth", random_state(layout)
        torch.save(made[name][1], made[name][0])
    return made


def test_orthogonal_colours_are_2_apart_and_brightness_does_not_count():
    red, green = plain(1, 0, 0), plain(0, 1, 0)
    assert distance().measure(red, green) == pytest.approx(2)
    assert distance().measure(red * 0.2, red) == pytest.approx(0, abs=1e-12)
    # unit vectors (1, 0, 0) and (1, 1, 0) / sqrt(2): 2 - 2 / sqrt(2)
    assert distance().measure(plain(1, 1, 0), red) == pytest.approx(2 - 2**0.5, abs=1e-6)


def test_positions_are_averaged_and_then_layers():
    reference, image = plain(1, 0, 0), plain(1, 0, 0)
    image[:, :2, :2] = plain(0, 1, 0, 2)  # a quarter of both layers
    assert distance().measure(image, reference) == pytest.approx(0.5)
    reference, image = plain(1, 0, 0), plain(1, 0, 0)
    image[:, 0, 0] = torch.tensor([0.0, 1.0, 0.0])  # full: 2 / 16; half: one of 4 is (3, 1, 0) / sqrt(10)
    half = (2 - 2 * 3 / 10**0.5) / 4
    assert distance().measure(image, reference) == pytest.approx((2 / 16 + half) / 2, abs=1e-6)
    assert distance(layers=["half"]).measure(image, reference) == pytest.approx(half, abs=1e-6)


def test_crop_and_rounding_come_first():
    reference, image = plain(1, 0, 0, 8), plain(1, 0, 0, 8)
    image[1, 0] = 1
    assert distance(crop=2).measure(image, reference) == 0 < distance().measure(image, reference)
    assert distance().measure(reference + 0.4 / 255, reference) == 0
    assert distance(quantize=False).measure(plain(1, 0.4 / 255, 0), plain(1, 0, 0)) > 0


def test_the_name_and_the_protocol_tell_network_and_layers_and_that_it_is_no_lpips():
    assert distance().name == "colours_distance" and not distance().higher_is_better
    expected = "colours_distance[RGB,crop2,uint8,Colours:half,unit,no_lpips]"
    assert distance(crop=2, layers=["half"]).protocol == expected


def test_what_cannot_be_compared_or_built_is_refused_by_name():
    with pytest.raises(ValueError, match=r"FeatureDistance: sr \(3, 4, 4\) and hr \(3, 8, 8\) must be of one size"):
        distance().measure(plain(1, 0, 0), plain(1, 0, 0, 8))
    with pytest.raises(ValueError, match="hr of 4x4 is too small: after cropping 2"):
        distance(crop=2).measure(plain(1, 0, 0), plain(1, 0, 0))
    with pytest.raises(UserError, match="layers: Colours has no layer 'hal'; did you mean 'half'"):
        distance(layers=["hal"])
    with pytest.raises(UserError, match="layers must name at least one layer of Colours"):
        distance(layers=[])
    with pytest.raises(UserError, match="crop must be 0 or more, got -1"):
        distance(crop=-1)


@pytest.mark.parametrize("network", ["alex", "vgg"])
def test_lpips_equals_the_formula_worked_with_functions_alone(network, trunks):
    path, state = trunks[network]
    metric = LPIPS(prediction="sr", reference="hr", network=network, weights=str(path), quantize=False)
    a, b = torch.rand(2, 3, 40, 52, generator=torch.Generator().manual_seed(1))
    heads_file = packaged_file("torchmetrics", f"functional/image/lpips_models/{network}.pth")
    assert heads_file is not None
    heads = torch.load(heads_file, weights_only=True, map_location="cpu")
    expected = 0.0
    for layer, (x, y) in enumerate(zip(taps(network, state, a), taps(network, state, b), strict=True)):
        difference = (F.normalize(x, dim=1) - F.normalize(y, dim=1)) ** 2
        expected += float(F.conv2d(difference, heads[f"lin{layer}.model.1.weight"]).mean())
    assert expected > 1e-3
    assert metric.measure(a, b) == pytest.approx(expected, rel=1e-4)
    assert metric.measure(a, a) == 0
    assert metric.protocol == f"lpips[RGB,crop0,float,{network},v0.1]" and metric.name == "lpips"


def test_the_learned_weights_are_positive_and_those_of_the_package_lpips(tmp_path):
    ours = packaged_file("torchmetrics", "functional/image/lpips_models/alex.pth")
    assert ours is not None
    heads = torch.load(ours, weights_only=True, map_location="cpu")
    assert all(float(head.min()) >= 0 for head in heads.values())  # Zhang et al.: a distance must not shrink
    theirs = packaged_file("lpips", "weights/v0.1/alex.pth")
    if theirs is None:
        pytest.skip("lpips is not installed")
    assert theirs.read_bytes() == ours.read_bytes()


@pytest.mark.parametrize("kind", [AlexNet, VGG16])
def test_a_trunk_needs_the_size_it_says(kind, trunks):
    network = kind(weights=str(trunks[kind.short_name][0]))
    deepest = network.layers[-1]
    assert network(torch.rand(1, 3, kind.smallest, kind.smallest), layers=[deepest])[deepest].shape[-1] == 1
    with pytest.raises(RuntimeError):
        network(torch.rand(1, 3, kind.smallest - 1, kind.smallest - 1), layers=[deepest])
    metric = FeatureDistance(prediction="sr", reference="hr", features=network)
    small = torch.rand(3, kind.smallest - 1, 64)
    with pytest.raises(ValueError, match=rf"too small: after cropping 0 from every side {kind.smallest} pixels"):
        metric.measure(small, small)


def test_a_trunk_is_frozen_and_lets_gradients_through(trunks):
    network = AlexNet(weights=str(trunks["alex"][0])).train()
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    images = torch.rand(1, 3, 40, 40, requires_grad=True)
    network(images, layers=["relu3"])["relu3"].sum().backward()
    assert images.grad is not None and images.grad.abs().max() > 0


def test_files_of_something_else_and_unknown_choices_are_refused(trunks, tmp_path):
    alex, vgg = (str(trunks[name][0]) for name in ("alex", "vgg"))
    with pytest.raises(UserError, match=r"vgg\.pth is no AlexNet, its features\.0\.weight is .*alexnet-owt-7be5be79"):
        AlexNet(weights=vgg)
    with pytest.raises(UserError, match=r"there is no file none\.pth; torchvision's VGG16 is https://download"):
        VGG16(weights="none.pth")
    with pytest.raises(UserError, match="network must be alex or vgg, got 'squeeze'"):
        LPIPS(prediction="sr", reference="hr", network="squeeze", weights=alex)  # pyright: ignore
    with pytest.raises(UserError, match=r"heads: .* is no file of LPIPS, it lacks lin0"):
        LPIPS(prediction="sr", reference="hr", weights=alex, heads=alex)
    heads = packaged_file("torchmetrics", "functional/image/lpips_models/vgg.pth")
    with pytest.raises(UserError, match=r"weighs \[64, 128, .* channels, alex has \[64, 192"):
        LPIPS(prediction="sr", reference="hr", weights=alex, heads=str(heads))


def test_a_config_nests_the_network_and_doing_nothing_is_measured_beside(trunks):
    config = {
        "type": "FeatureDistance",
        "prediction": "sr",
        "reference": "hr",
        "features": {"type": "AlexNet", "weights": str(trunks["alex"][0])},
    }
    metric = build_component("metrics", config)
    a, b = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    metric.process(None, [{"sr": a, "hr": b, DO_NOTHING: b}])
    result = metric.compute_metrics(metric.results)
    assert result["alex_distance/do_nothing"] == 0 < result["alex_distance"]
