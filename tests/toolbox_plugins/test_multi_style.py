"""Many styles in one network: sizes, styles apart and mixed, tiles, a further style, and the formula of its norm."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from toolbox.io.errors import UserError
from toolbox.testing import assemble, check_generator
from toolbox.training.algorithm import Algorithm
from toolbox_plugins.gan_variants.lsgan import LSGAN
from toolbox_plugins.multi_style.algorithm import MultiStyle
from toolbox_plugins.multi_style.generator import MultiStyleNet


def network(styles: int = 3, **arguments: Any) -> MultiStyleNet:
    """A small one whose styles differ."""
    torch.manual_seed(0)
    made = MultiStyleNet(styles=[f"style-{'abcd'[i]}" for i in range(styles)], width=4, blocks=1, **arguments)
    for name, value in made.named_parameters():
        if "norm" in name:
            torch.nn.init.normal_(value, 1.0 if name.endswith("scale") else 0.0, 0.5)
    return made.eval()


def described(made: MultiStyleNet, images: Tensor, style: int) -> Tensor:
    """Table 1 of the paper for one style, from the state dict alone."""
    state = made.state_dict()

    def layer(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.conv.weight"]
        edge = weight.shape[-1] // 2
        x = F.conv2d(F.pad(x, (edge,) * 4, mode="reflect"), weight, stride=stride)
        x = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), correction=0, keepdim=True) + 1e-3).sqrt()
        scale, offset = (state[f"{name}.norm.{kind}"][style].view(1, -1, 1, 1) for kind in ("scale", "offset"))
        return x * scale + offset

    x = layer("down.0", 2 * images - 1).clamp(min=0)
    x = layer("down.2", layer("down.1", x, 2).clamp(min=0), 2).clamp(min=0)
    x = x + layer("blocks.0.1", layer("blocks.0.0", x).clamp(min=0))
    for name in ("up.0", "up.1"):
        x = layer(name, x.repeat_interleave(2, 2).repeat_interleave(2, 3)).clamp(min=0)
    return 1 / (1 + (-layer("last", x)).exp())


def test_each_style_is_what_the_papers_table_computes_with_its_numbers() -> None:
    made, images = network(), torch.rand(3, 3, 16, 20)
    with torch.no_grad():
        output = made(images, torch.eye(3))
        for i in range(3):
            torch.testing.assert_close(output[i : i + 1], described(made, images[i : i + 1], i), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(made(images), made(images, torch.eye(1, 3).expand(3, 3)))


def test_a_mixture_lies_between_and_moves_from_one_style_to_the_other() -> None:
    made, images = network(2), torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        first, *between, last = (made(images, torch.tensor([[1 - s, s]])) for s in (0.0, 0.25, 0.5, 0.75, 1.0))
    apart = [float((each - first).abs().mean()) for each in (*between, last)]
    assert apart == sorted(apart) and apart[0] > 1e-3


def test_the_sizes_are_those_of_the_table() -> None:
    made = MultiStyleNet(styles=["one", "two"])
    own = sum(value.numel() for name, value in made.named_parameters() if "norm" in name)
    assert own == 2 * 3_206 and sum(value.numel() for value in made.parameters()) - own == 1_674_432


def test_it_keeps_to_the_contract() -> None:
    check_generator(network(1, trains="all"), size=16)


def test_with_statistics_of_the_whole_a_part_is_painted_as_in_the_whole() -> None:
    made, images = network(), torch.rand(1, 3, 64, 64)
    style = torch.tensor([[0.2, 0.5, 0.3]])
    with torch.no_grad():
        whole = made(images, style)
        part = made(images[..., :48, :48], style, made.survey(images, style))
    assert (part - whole[..., :48, :48])[..., :16, :16].abs().max() < 1e-5


def test_a_further_style_begins_as_the_mean_and_alone_is_trained() -> None:
    old, new = network(2), network(3, trains="styles")
    new.load_state_dict(new.fitted(old.state_dict()))
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        shares = torch.tensor([[0.3, 0.7]])
        torch.testing.assert_close(new(images, F.pad(shares, (0, 1))), old(images, shares))
        torch.testing.assert_close(new(images, torch.tensor([[0.0, 0, 1]])), old(images, torch.full((1, 2), 0.5)))
    assert all(("norm" in name) == value.requires_grad for name, value in new.named_parameters())


def test_training_draws_a_style_for_each_sample_and_paints_in_it() -> None:
    class Seen(MultiStyleNet):
        def forward(self, images: Tensor, style: Any = None, statistics: Any = None) -> Tensor:
            self.seen = style
            return super().forward(images, style, statistics)

    model: Algorithm = assemble(MultiStyle, LSGAN, networks={"generator": Seen(styles=["a", "b"], width=4, blocks=0)})
    values: dict[str, Any] = {"real_a": torch.rand(64, 3, 8, 8)}
    model.translate(values)
    seen = model.generator.seen  # pyright: ignore[reportAttributeAccessIssue]
    assert torch.equal(seen.argmax(1), values["style_b"]) and (seen.sum(1) == 1).all()
    assert 16 < int(values["style_b"].sum()) < 48
    values = {"real_a": torch.rand(2, 3, 8, 8), "style_b": torch.tensor([1, 0])}
    model.translate(values)
    assert values["fake_b"].shape == (2, 3, 8, 8)
    assert torch.equal(model.generator.seen, torch.tensor([[0.0, 1], [1, 0]]))  # pyright: ignore


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"styles": []}, "styles must be a list"),
        ({"styles": ["a", "a"]}, "have one name"),
        ({"styles": ["a"], "width": 0}, "width must be at least 1"),
        ({"styles": ["a"], "trains": "norms"}, "trains must be all or styles"),
    ],
)
def test_arguments_without_sense_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        MultiStyleNet(**arguments)


def test_a_generator_without_styles_is_refused() -> None:
    with pytest.raises(UserError, match="has no styles; MultiStyleNet has"):
        assemble(MultiStyle, LSGAN, networks={"generator": torch.nn.Conv2d(3, 3, 1)})
