"""The adapters to pyiqa, with a stand-in for the package alone: it needs torchvision, which is not installed here."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from toolbox.assembly.build import build_component
from toolbox.io.errors import ConfigError
from toolbox.testing import check_metric

KNOWN = {"NR": ["brightness", "musiq"], "FR": ["difference", "dists"]}


class Stand(nn.Module):
    """Says of a batch (1, 3, H, W) how bright it is, or how far from its reference, as pyiqa's give (1,) or (1, 1)."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lower_better = name == "difference"

    def forward(self, target: Tensor, ref: Tensor | None = None) -> Tensor:
        assert target.shape[0] == 1 and target.dtype == torch.float32
        return (target if ref is None else (target - ref).abs()).mean((1, 2, 3))[:, None]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A module with the two functions of pyiqa that are called; what they were called with."""
    calls: list[Any] = []
    module: Any = ModuleType("pyiqa")
    module.list_models = lambda metric_mode="NR": KNOWN[metric_mode]

    def create_metric(name: str, as_loss: bool = False, device: Any = None) -> Stand:
        calls.append((name, as_loss, device))
        return Stand(name)

    module.create_metric = create_metric
    monkeypatch.setitem(sys.modules, "pyiqa", module)
    return calls


def built(kind: str, metric: str, **more: Any) -> Any:
    reference = {"reference": "hr"} if kind == "ReferenceIQA" else {}
    return build_component("metrics", {"type": kind, "prediction": "sr", "metric": metric, **reference, **more}, "m")


def test_both_kinds_keep_to_the_contract_and_take_the_direction_from_the_package(package: list[Any]) -> None:
    alone, paired = built("IQA", "brightness"), built("ReferenceIQA", "difference")
    check_metric(alone), check_metric(paired)
    assert (alone.name, alone.higher_is_better) == ("pyiqa_brightness", True)
    assert (paired.name, paired.higher_is_better) == ("pyiqa_difference", False)
    assert alone.protocol == "pyiqa_brightness[RGB,uint8]"
    assert package == [("brightness", False, "cpu"), ("difference", False, "cpu")]


def test_images_are_rounded_as_saved_ones_unless_told_otherwise(package: list[Any]) -> None:
    image = torch.full((3, 8, 8), 100.4 / 255)
    assert built("IQA", "brightness").measure(image) == pytest.approx(100 / 255)
    assert built("IQA", "brightness", quantize=False).measure(image) == pytest.approx(100.4 / 255)
    assert built("ReferenceIQA", "difference").measure(image, image) == 0


@pytest.mark.parametrize(
    ("kind", "metric", "told"),
    [
        ("IQA", "musik", "pyiqa has no 'musik'; did you mean 'musiq'?"),
        ("IQA", "dists", "dists judges an image and its reference; write type: ReferenceIQA"),
        ("ReferenceIQA", "musiq", "musiq judges images alone; write type: IQA"),
    ],
)
def test_a_name_that_is_none_is_one_line(kind: str, metric: str, told: str, package: list[Any]) -> None:
    with pytest.raises(ConfigError, match=told.replace("?", r"\?")):
        built(kind, metric)


def test_without_the_package_one_line_says_what_to_install_and_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    with pytest.raises(ConfigError, match=r"pip install 'gan-toolbox\[pyiqa\]' \(for non-commercial use alone\)"):
        built("IQA", "musiq")
