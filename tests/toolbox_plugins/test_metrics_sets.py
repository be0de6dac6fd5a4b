"""Metrics of two sets of images: formulas against naive loops, every image counted once, ranks, and clean errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_up_features import Colours
from scipy import linalg
from set_metrics import evaluated, images, kid, unpaired
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from toolbox.contracts.metric import DO_NOTHING
from toolbox.io.errors import UserError
from toolbox.io.resize import resize_to
from toolbox.weights.packaged import packaged_file
from toolbox_plugins.features.efficientnet_lite0 import MEMBER, PACKAGE
from toolbox_plugins.metrics.artfid import ArtFID
from toolbox_plugins.metrics.feature_distance import FeatureDistance
from toolbox_plugins.metrics.fid import FID, frechet_distance
from toolbox_plugins.metrics.kid import KID, unbiased_mmd
from toolbox_plugins.metrics.luminance import LuminanceCorrelation
from two_ranks import on_two_ranks

needs_lite0 = pytest.mark.skipif(packaged_file(PACKAGE, MEMBER) is None, reason=f"{PACKAGE} is not installed")


def test_the_discrepancy_is_that_of_a_naive_double_loop_over_sets_of_unequal_length():
    x, y = torch.randn(5, 4).double(), torch.randn(7, 4).double() + 0.5

    def kernel(a: Tensor, b: Tensor) -> float:
        return (sum(float(i * j) for i, j in zip(a, b, strict=True)) / 4 + 1) ** 3

    within_x = sum(kernel(x[i], x[j]) for i in range(5) for j in range(5) if i != j) / (5 * 4)
    within_y = sum(kernel(y[i], y[j]) for i in range(7) for j in range(7) if i != j) / (7 * 6)
    between = sum(kernel(a, b) for a in x for b in y) / 35
    assert unbiased_mmd(x, y) == pytest.approx(within_x + within_y - 2 * between, rel=1e-12)


def test_the_discrepancy_of_sets_of_equal_length_is_torchmetrics():
    x, y = torch.randn(30, 16).double(), torch.randn(30, 16).double() * 1.2
    assert unbiased_mmd(x, y) == pytest.approx(float(poly_mmd(x, y)), rel=1e-10)


def test_kid_compares_whole_sets_that_come_in_different_samples_and_the_baseline_beside():
    predictions, references = images(6), images(9, seed=1)
    metric = kid(layer="colour")
    result = evaluated(metric, unpaired(predictions, references))
    x, y = (torch.stack(each).double().mean(dim=(2, 3)) for each in (predictions, references))
    assert result["colours_kid"] == pytest.approx(unbiased_mmd(x, y), abs=1e-6)
    assert result["colours_kid/do_nothing"] == pytest.approx(unbiased_mmd(x * 0.5, y), abs=1e-6)
    assert metric.protocol == "colours_kid[Colours:colour,native,float,n=6/9,poly3,unbiased,whole,x1]"


def test_subsets_are_drawn_where_a_set_is_large_and_the_same_ones_every_time():
    samples = unpaired(images(12), images(30, seed=1))
    few = kid(subsets=3, subset_size=10)
    first = evaluated(few, samples)
    assert first == evaluated(few, samples) and first != evaluated(kid(), samples)
    assert "n=12/30" in few.protocol and "3subsets10" in few.protocol and few.protocol.endswith("x1]")
    assert evaluated(kid(subsets=2000, subset_size=10), samples)["colours_kid"] == pytest.approx(
        evaluated(kid(), samples)["colours_kid"], abs=2e-3
    )


@pytest.mark.parametrize("dimensions", [6, 50])  # with full covariances, and with singular ones
def test_the_frechet_distance_is_scipys(dimensions):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, dimensions)), rng.normal(size=(30, dimensions)) @ np.diag(rng.random(dimensions)) + 0.3
    root = np.real(np.asarray(linalg.sqrtm(np.cov(x.T) @ np.cov(y.T))))
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root)
    assert frechet_distance(torch.from_numpy(x), torch.from_numpy(y)) == pytest.approx(expected, rel=1e-5)


def test_the_frechet_distance_of_two_gaussians_is_known_in_closed_form():
    """Independent numbers of deviation s and t, means m apart: d ((s - t)^2 + m^2). A set to itself: 0."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(20000, 3, generator=rng, dtype=torch.float64)
    y = torch.randn(20000, 3, generator=rng, dtype=torch.float64) * 2 + 5
    assert frechet_distance(x, y) == pytest.approx(3 * (1 + 25), rel=0.01)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(x, x + 2) == pytest.approx(12, rel=1e-10)


def test_fid_says_when_there_are_too_few_vectors():
    metric = FID(prediction="fake_b", reference="real_b", features=Colours(), layer="colour", quantize=False)
    few, many = unpaired(images(3), images(9, seed=1)), unpaired(images(8), images(9, seed=1))
    evaluated(metric, few)
    assert metric.protocol == "colours_fid[Colours:colour,native,float,n=3/9,biased,singular]"
    result = evaluated(metric, many)
    assert metric.protocol == "colours_fid[Colours:colour,native,float,n=8/9,biased]"
    x, y = (torch.stack(each).double().mean(dim=(2, 3)) for each in (images(8), images(9, seed=1)))
    assert result["colours_fid"] == pytest.approx(frechet_distance(x, y), abs=1e-6)
    with pytest.raises(UserError, match=r"FID: needs two images or more in both sets, got vectors 1 and 9"):
        evaluated(metric, unpaired(images(1), images(9)))


def test_crops_are_an_images_own_squares_around_its_middle():
    image = torch.zeros(3, 27, 18)
    for row in range(3):
        for column in range(2):
            image[:, 1 + 8 * row : 9 + 8 * row, 1 + 8 * column : 9 + 8 * column] = (2 * row + column + 1) / 10
    metric = kid(crops=8, layer="colour")
    expected = torch.arange(1, 7).view(6, 1).expand(6, 3) / 10
    assert torch.allclose(metric.describe(image), expected)
    evaluated(metric, unpaired([image], [image, image]))
    assert metric.protocol.startswith("colours_kid[Colours:colour,crops8,float,n=1/2,vectors=6/12,")
    with pytest.raises(UserError, match=r"dot\.png: the image of 6x40 is smaller than a crop of 8"):
        metric.process(None, [{"real_b": torch.rand(3, 6, 40), "name": "dot.png"}])


def test_resizing_makes_a_square_of_any_image():
    assert kid(resize=16).describe(torch.rand(3, 40, 9)).shape == (1, 3)
    assert "native" not in kid(resize=16).protocol and "float,n=?" in kid(resize=16).protocol
    image, cropped = torch.rand(3, 40, 9), kid(resize=24, crops=8)
    assert cropped.describe(image).shape == (5, 3) and "crops8,resize24" in cropped.protocol
    enlarged = resize_to(image[None, :, 8:16, :8], (24, 24)).clamp(0, 1)
    assert torch.allclose(cropped.describe(image)[1], enlarged.square().mean(dim=(0, 2, 3)), atol=1e-6)
    assert "resize16" in kid(resize=16).protocol
    assert kid().layer == "square"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": 7}, "resize must be 8 pixels or more, got 7"),
        ({"crops": 4}, "crops must be 8 pixels or more, got 4"),
        ({"layer": "colours"}, "layer: Colours has no layer 'colours'; did you mean 'colour'"),
        ({"subsets": 0}, "subsets must be 1 or more, got 0"),
        ({"subset_size": 1}, "subset_size must be 2 or more, got 1"),
    ],
)
def test_what_cannot_be_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        kid(**options)


def test_a_name_that_no_sample_has_is_refused_at_the_end():
    with pytest.raises(UserError, match="KID: no image is called 'fake_b'; did you mean 'fake_a'"):
        evaluated(kid(), [{"fake_a": torch.rand(3, 8, 8)}, {"real_b": torch.rand(3, 8, 8)}])
    with pytest.raises(UserError, match="KID: no image is called 'real_b'"):
        evaluated(kid(baseline=False), [{"fake_b": torch.rand(3, 8, 8)}])


def test_metrics_of_an_image_skip_samples_of_the_other_domain():
    image = torch.rand(3, 16, 16)
    metric = LuminanceCorrelation(prediction="fake_b", reference="real_a", baseline=False)
    samples = [{"real_b": image}, {"fake_b": image, "real_a": image}, {"real_b": image}]
    assert evaluated(metric, samples)["luminance_correlation"] == pytest.approx(1)
    metric.process(None, [{"real_b": image}])
    with pytest.raises(UserError, match="LuminanceCorrelation: no image is called 'fake_b'"):
        metric.compute_metrics(metric.results)
    with pytest.raises(UserError, match="no image is called 'real_a'"):
        metric.process(None, [{"fake_b": image}])


def test_artfid_multiplies_one_plus_both_distances():
    references = images(9, seed=1)
    samples = [
        {"fake_b": each * 0.7, "real_a": each, DO_NOTHING: each} for each in images(6)
    ] + [{"real_b": each} for each in references]  # fmt: skip
    metric = ArtFID(
        prediction="fake_b", reference="real_b", content="real_a", features=Colours(), layer="colour", quantize=False
    )
    result = evaluated(metric, samples)
    content = FeatureDistance(prediction="fake_b", reference="real_a", features=Colours(), quantize=False)
    distance = sum(content.measure(each * 0.7, each) for each in images(6)) / 6
    x, y = (torch.stack(each).double().mean(dim=(2, 3)) for each in (images(6), references))
    assert result["colours_artfid"] == pytest.approx((1 + distance) * (1 + frechet_distance(x * 0.7, y)), rel=1e-5)
    assert result["colours_artfid/do_nothing"] == pytest.approx(1 + frechet_distance(x, y), rel=1e-5)
    assert metric.protocol == "colours_artfid[Colours:colour,native,float,n=6/9,content=colour+square,biased]"


def two_ranks_evaluate(folder: Path, rank: int) -> dict[str, float]:
    torch.manual_seed(0)
    samples = unpaired(images(4), images(3, seed=1))
    mine = [samples[(rank + 2 * step) % 7] for step in range(4)]  # as EveryNth does: the last of rank 1 is a repeat
    metric = kid()
    metric.collect_dir = str(folder / "parts")
    metric.process(None, mine)
    result = metric.evaluate(len(samples))
    return {**result, "counted": float(metric.counts == (4, 3))}


def test_two_ranks_count_every_image_once_and_agree_with_one(tmp_path):
    both = on_two_ranks(two_ranks_evaluate, tmp_path)
    alone = evaluated(kid(), unpaired(images(4), images(3, seed=1)))
    for result in both:
        assert {name: result[name] for name in alone} == pytest.approx(alone, rel=1e-12)
    assert both[0]["counted"] == 1


@needs_lite0
def test_the_metrics_of_a_real_network_are_called_after_it():
    from toolbox_plugins.features.efficientnet_lite0 import EfficientNetLite0

    metric = KID(prediction="fake_b", reference="real_b", features=EfficientNetLite0(), crops=32)
    result = evaluated(metric, unpaired(images(1, size=64), images(2, seed=1, size=64)))
    assert metric.protocol.startswith("lite0_kid[EfficientNetLite0:head,crops32,uint8,n=1/2,vectors=4/8,poly3")
    assert result["lite0_kid"] < result["lite0_kid/do_nothing"]
