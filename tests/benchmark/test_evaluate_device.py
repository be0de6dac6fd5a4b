"""`gan-toolbox evaluate --device`: where images are measured, and that nothing is measured less exactly there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from runs import command, pictures, refused
from toolbox.benchmark.evaluate import evaluate, evaluate_sets, find_pairs
from toolbox.contracts.metric import PairedMetric, SetMetric


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two predictions and two references."""
    return pictures(tmp_path / "pred", 2), pictures(tmp_path / "ref", 2, seed=1)


class Where(PairedMetric):
    """Tells where its images are: 1 where both are on the device that holds no values."""

    name = "where"

    @property
    def protocol(self) -> str:
        return "where"

    def measure(self, prediction: torch.Tensor, reference: torch.Tensor) -> float:
        assert not torch.backends.cudnn.allow_tf32, "a GPU would measure with ten bits of mantissa"
        return float(prediction.device.type == reference.device.type == "meta")


class WhereSets(SetMetric):
    """The same of sets."""

    name = "where_sets"

    @property
    def protocol(self) -> str:
        return "where_sets"

    def describe(self, image: torch.Tensor) -> torch.Tensor:
        return torch.tensor(float(image.device.type == "meta"))

    def compare(self, predictions: Sequence[torch.Tensor], references: Sequence[torch.Tensor]) -> float:
        return float(sum(map(float, [*predictions, *references])))


def test_images_are_measured_on_the_device_that_was_asked_for(folders: tuple[Path, Path]):
    tf32 = torch.backends.cudnn.allow_tf32
    pairs, _ = find_pairs(*folders)
    metric = Where(prediction="prediction", reference="reference", baseline=False)
    sets = WhereSets(prediction="prediction", reference="reference", baseline=False)
    prices = evaluate(pairs, [metric], device="meta")
    assert [row["where"] for row in prices.rows.values()] == [1.0, 1.0]
    assert evaluate_sets(*folders, [sets], device="meta").sets == {"where_sets": 4.0}
    assert torch.backends.cudnn.allow_tf32 == tf32


def test_a_device_that_is_not_there_is_refused_in_one_line(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
):
    assert "--device cuda:99: cannot be used here" in refused(capsys, "evaluate", *folders, "--device", "cuda:99")
    assert command("evaluate", *folders, "--device", "cpu") == 0
