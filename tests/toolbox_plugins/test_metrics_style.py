"""Distances of styles, colours and content: Gram matrices, Lab, activations, against naive loops and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_up_features import Colours
from scipy.stats import wasserstein_distance
from set_metrics import evaluated, images, unpaired
from skimage.color import rgb2lab
from torch import Tensor

from toolbox.contracts.metric import DO_NOTHING
from toolbox.io.errors import UserError
from toolbox.io.images import read_image, write_image
from toolbox_plugins.metrics.color_histogram import ColorHistogramDistance
from toolbox_plugins.metrics.content import ContentDistance
from toolbox_plugins.metrics.gram import GramDistance


def naive_gram(image: Tensor) -> list[list[float]]:
    pixels = image.flatten(1).double()
    return [[float((one * other).mean()) for other in pixels] for one in pixels]


def gram(**options) -> GramDistance:
    return GramDistance(
        **{"prediction": "fake_b", "features": Colours(), "layers": ["colour"], "quantize": False, **options}
    )


def test_the_gram_distance_is_a_naive_loops_over_the_mean_gram_matrix_of_a_set():
    predictions, references = images(2), images(3, seed=1, size=12)
    result = evaluated(gram(reference="real_b"), unpaired(predictions, references))
    grams = [naive_gram(each) for each in references]
    style = [[sum(each[i][j] for each in grams) / 3 for j in range(3)] for i in range(3)]
    size = sum(value**2 for row in style for value in row)
    expected = [
        sum((naive_gram(each)[i][j] - style[i][j]) ** 2 for i in range(3) for j in range(3)) / size
        for each in predictions
    ]
    assert result["colours_gram"] == pytest.approx(sum(expected) / 2, rel=1e-5)


def test_the_gram_distance_ignores_places_and_a_black_image_is_at_1():
    image, black = torch.rand(3, 8, 8), torch.zeros(3, 8, 8)
    metric = gram(reference="real_b")
    assert evaluated(metric, unpaired([image.flip(1)], [image]))["colours_gram"] == pytest.approx(0, abs=1e-9)
    assert evaluated(metric, unpaired([black], [image]))["colours_gram"] == pytest.approx(1)
    assert metric.protocol == "colours_gram[Colours:colour,float,to_set,n=1/1,relative]"


def test_a_style_may_be_a_file_of_which_no_sample_knows(tmp_path):
    write_image(tmp_path / "style.png", np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8))
    style = torch.from_numpy(read_image(tmp_path / "style.png")).permute(2, 0, 1) / 255
    sample = {"fake_b": torch.rand(3, 8, 8), DO_NOTHING: style}
    metric = gram(style=str(tmp_path / "style.png"))
    result = evaluated(metric, [sample])
    assert result["colours_gram/do_nothing"] == pytest.approx(0, abs=1e-9) and metric.reference is None
    expected = evaluated(gram(reference="real_b"), [sample, {"real_b": style}])
    assert result["colours_gram"] == pytest.approx(expected["colours_gram"])
    assert "style10" in gram(style=str(tmp_path), style_size=10).protocol


def test_pairs_are_compared_each_with_its_own_reference():
    a, b = images(2)
    samples = [{"fake_b": a, "oracle": a}, {"fake_b": b, "oracle": b}]
    assert evaluated(gram(reference="oracle", paired=True, baseline=False), samples)["colours_gram"] == 0
    assert evaluated(gram(reference="oracle", baseline=False), samples)["colours_gram"] > 0
    others = [{"oracle": b}, *samples, {"real_b": a}]
    assert evaluated(gram(reference="oracle", paired=True, baseline=False), others)["colours_gram"] == 0
    with pytest.raises(UserError, match="GramDistance: no image is called 'oracle'"):
        evaluated(gram(reference="oracle", paired=True, baseline=False), [*samples, {"fake_b": a}])


def test_the_colour_distance_is_scipys_in_scikit_images_lab():
    (image,), (other,) = images(1, size=24), images(1, seed=1, size=16)
    other = other * 0.5
    metric = ColorHistogramDistance(prediction="fake_b", reference="real_b", quantize=False, baseline=False)
    result = evaluated(metric, unpaired([image], [other]))["color_histogram"]
    one, two = (rgb2lab(each.permute(1, 2, 0).numpy()).reshape(-1, 3) for each in (image, other))
    expected = np.mean([wasserstein_distance(one[:, i], two[:, i]) for i in range(3)])
    assert result == pytest.approx(expected, abs=0.05)
    assert metric.protocol == "color_histogram[CIELab,D65,wasserstein1,float,to_set,n=1/1,units=Lab]"


def test_the_colour_distance_of_two_grays_is_their_difference_in_lightness():
    dark, light = torch.full((3, 8, 8), 0.2), torch.full((3, 8, 8), 0.8)
    metric = ColorHistogramDistance(prediction="fake_b", reference="real_b", baseline=False)
    lightness = [float(rgb2lab(np.full((1, 1, 3), level))[0, 0, 0]) for level in (51 / 255, 204 / 255)]
    result = evaluated(metric, unpaired([dark], [light]))["color_histogram"]
    assert result == pytest.approx((lightness[1] - lightness[0]) / 3, abs=0.25)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either reference, a name of the evaluation's images, or style"),
        ({"reference": "x", "style": "y"}, "give either reference"),
        ({"style": "nowhere"}, "nowhere: no such folder"),
        ({"style": "x", "paired": True}, "paired compares with the sample's own reference"),
        ({"reference": "x", "style_size": 64}, "style_size is of style, and 8 pixels or more, got 64"),
        ({"reference": "x", "layers": []}, "layers must name at least one layer of Colours"),
        ({"reference": "x", "layers": ["colors"]}, "layers: Colours has no layer 'colors'; did you mean 'colour'"),
    ],
)
def test_a_style_that_cannot_be_is_refused(options, message):
    with pytest.raises(UserError, match=message):
        gram(**options)


def test_the_content_distance_is_the_mean_square_and_instance_normalised_blind_to_contrast():
    a, b = images(2)
    names = {"prediction": "fake_b", "reference": "real_a", "features": Colours(), "quantize": False}
    raw, normalised = (ContentDistance(**names, layer="colour", normalize=each) for each in (False, True))
    assert raw.measure(a, b) == pytest.approx(float((a - b).square().mean()), rel=1e-5)
    assert normalised.measure(a * 0.5 + 0.2, a) == pytest.approx(0, abs=1e-6)
    rng = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, 64, 64, generator=rng)
    assert normalised.measure(noise[0], noise[1]) == pytest.approx(2, abs=0.1)
    assert raw.protocol == "colours_content[RGB,crop0,float,Colours:colour,mse,raw]" and raw.name == "colours_content"
    assert "instance" in normalised.protocol and not raw.higher_is_better
