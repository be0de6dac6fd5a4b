"""Outputs say what they are made of and what can be chosen; what is chosen is prepared once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toolbox import SEED, STRENGTH, Algorithm, Condition, Generator, Output, Parts, UserError, Values
from toolbox.assembly.loading import TrainedOutput
from toolbox.inference import Options, Predictor
from toolbox.io.images import write_image

DOMAINS = Condition("domain", "label", source="target", labels=("day", "night"))


class Shift(Generator):
    """Adds planes that it is given to three channels."""

    multiple = 4

    def forward(self, images: Tensor) -> Tensor:
        return images[:, :3] + images[:, 3:]


class Shifter(Algorithm):
    """A picture, a mask where it is brightened, and a label by which."""

    inputs = ("picture", "mask", "target")
    generators = ("generator",)
    outputs = {"bright": Output(("picture", "mask"), "generator", keeps_colors=False, conditions=(DOMAINS, STRENGTH))}
    roles = {"pixel": [("bright", "picture")]}
    generator: nn.Module

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.prepared: list[dict[str, Any]] = []

    def prepare(self, values: Values) -> None:
        values["holes"] = 1 - values["mask"]

    def translate(self, values: Values) -> None:
        values["bright"] = self.generate("bright", values, values["target"] / 4)

    def condition(self, output: str, chosen: dict[str, Any]) -> Tensor:
        self.prepared.append(chosen)
        return chosen["domain"] / 4 * chosen["strength"]

    def generate(self, output: str, values: Values, state: Tensor) -> Tensor:
        shift = (1 - values["holes"]) * state.expand(len(values["picture"]))[:, None, None, None]
        return self.generator(torch.cat([values["picture"], shift], 1))


def shifter() -> Shifter:
    return Shifter(Parts(networks={"generator": Shift()}))


def test_what_is_chosen_is_known_by_name_number_or_tensor() -> None:
    chosen = shifter().outputs["bright"].chosen
    assert chosen({"domain": "night"})["domain"].tolist() == [1] == chosen({"domain": "1"})["domain"].tolist()
    assert chosen({})["domain"] is None and chosen({})["strength"].tolist() == [1.0]
    assert chosen({"domain": torch.tensor([[0], [1]])})["domain"].tolist() == [0, 1]
    assert SEED.value("7") == 7 and Condition("count", "label", labels=3).value(2).tolist() == [2]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"domain": "dusk"}, "domain has no label 'dusk'; known: day, night"),
        ({"domain": 2}, "domain has no label 2; known: day, night"),
        ({"strength": 1.5}, "strength must be from 0 to 1, got 1.5"),
        ({"strength": "much"}, "strength must be a number, got 'much'"),
        ({"domian": 1}, "there is no 'domian' to choose; did you mean 'domain'?"),
    ],
)
def test_what_cannot_be_chosen_is_one_line(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError) as caught:
        shifter().outputs["bright"].chosen(given)
    assert str(caught.value) == words


@pytest.mark.parametrize("given", [10**400, 10**5000, float("inf"), float("nan"), "9" * 5000, [1], {}, b"x"], ids=type)
@pytest.mark.parametrize("condition", [STRENGTH, SEED, DOMAINS, Condition("style", "mixture", labels=("a", "b"))])
def test_numbers_of_any_length_and_what_is_none_are_one_short_line(condition: Condition, given: Any) -> None:
    with pytest.raises(UserError, match=f"^{condition.name}") as caught:
        condition.value({"a": given} if condition.kind == "mixture" else given)
    assert len(str(caught.value)) < 200


def test_a_style_that_is_named_twice_has_no_one_share() -> None:
    style = Condition("style", "mixture", labels=("a", "b"))
    with pytest.raises(UserError, match="style: 'a' has two shares; give it one"):
        style.value("a:0.2,b:0.2, a:0.6")


def test_several_sources_are_padded_prepared_and_cropped_alike() -> None:
    picture, mask = torch.full((2, 3, 5, 7), 0.25), torch.zeros(2, 1, 5, 7)
    mask[..., :2, :] = 1
    made = shifter().predict({"picture": picture, "mask": mask}, "bright", {"domain": torch.tensor([0, 1])})
    assert made.shape == picture.shape
    assert torch.equal(made[0], picture[0]) and made[1, :, :2].eq(0.5).all() and made[1, :, 2:].eq(0.25).all()


def test_evaluation_takes_conditions_from_the_sample() -> None:
    data = {
        "picture": torch.full((2, 4, 4, 3), 51, dtype=torch.uint8),
        "mask": torch.full((2, 4, 4), 255, dtype=torch.uint8),
        "target": torch.tensor([1, 0]),
        "name": ["a", "b"],
    }
    first, second = shifter().val_step(data)
    assert first["mask"].shape == (1, 4, 4) and first["target"] == 1
    assert torch.allclose(first["bright"], torch.tensor(0.45)) and torch.allclose(second["bright"], torch.tensor(0.2))
    assert torch.equal(first["do_nothing"], first["picture"])


def test_a_condition_is_prepared_once_for_all_tiles_and_pictures() -> None:
    network = TrainedOutput(shifter().eval(), "bright", {"domain": "night", "strength": 0.5, "mask": "masks"})
    predictor = Predictor(network, options=Options(tile=32, overlap=4), note=[].append)
    assert predictor.masks == {"mask": "masks"} and predictor.channels == 4
    array = np.zeros((72, 72, 4), np.uint8)
    array[..., 3] = 255
    for _ in range(2):
        assert (predictor(array) == 32).all()  # 0.125
    algorithm: Any = network.algorithm
    assert len(algorithm.prepared) == 1


def test_a_style_is_encoded_once_for_sixteen_tiles() -> None:
    from toolbox.plugins.registry import registry
    from toolbox.testing.networks import TinyDecoder, TinyFeatures

    pixels: list[int] = []

    class Counted(TinyFeatures):
        def forward(self, images: Tensor, *, layers: Any) -> dict[str, Tensor]:
            pixels.append(images.shape[-2] * images.shape[-1])
            return super().forward(images, layers=layers)

    adain = registry("algorithms").get("AdaIN")(Parts(networks={"encoder": Counted(), "decoder": TinyDecoder()}))
    network = TrainedOutput(adain.eval(), chosen={"style": torch.rand(1, 3, 256, 256)})
    predictor = Predictor(network, options=Options(tile=32, overlap=0), note=[].append)
    predictor(np.zeros((128, 128, 3), np.uint8))
    assert pixels.count(256 * 256) == 1 and pixels.count(32 * 32) == 16


def test_colors_are_the_inputs_own_where_an_output_says_so_and_at_strength_0() -> None:
    output = shifter().outputs["bright"]
    assert not output.keeps_colors_at({}) and not output.keeps_colors_at({"strength": 0.5})
    assert output.keeps_colors_at({"strength": 0.0}) and output.keeps_colors_at({"strength": "0"})
    assert output.keeps_colors_at({"strength": "0.00"}) and output.keeps_colors_at({"strength": torch.tensor(0.0)})
    assert not output.keeps_colors_at({"strength": torch.zeros(2)}) and not output.keeps_colors_at({"strength": "half"})


def test_the_short_form_of_before_still_works_and_what_has_gone_is_refused_with_the_new_name() -> None:
    class Short(Shifter):
        derived = {"small": "picture"}
        outputs = {"a": ("small", "generator"), "b": ("picture", "generator")}  # pyright: ignore

    assert Short.outputs["a"] == Output("small", "generator", keeps_colors=True)
    assert not Short.outputs["b"].keeps_colors
    with pytest.raises(TypeError, match=r"Old\.graded: since toolbox 0\.2 outputs say what can be chosen"):
        type("Old", (Shifter,), {"graded": ("bright",)})
    with pytest.raises(TypeError, match=r"generate\(output, images, style\): since toolbox 0\.2"):
        type("Old", (Shifter,), {"generate": lambda self, output, images, style: images})


def test_a_picture_may_be_chosen_by_its_file(tmp_path: Any) -> None:
    write_image(tmp_path / "red.png", np.full((2, 3, 3), (255, 0, 0), np.uint8))
    style = Condition("style", "picture")
    assert style.value(tmp_path / "red.png").shape == (1, 3, 2, 3)
    assert style.value(str(tmp_path / "red.png"))[0, :, 0, 0].tolist() == [1, 0, 0]
    with pytest.raises(UserError, match=r"--style .*none\.png: cannot be read"):
        style.value(tmp_path / "none.png")
