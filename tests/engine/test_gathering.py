"""Metrics of several ranks: the numbers of one process, without a folder that all ranks see."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.evaluator import BaseMetric

from toolbox.engine.gathering import GatheringEvaluator, collect_results
from two_ranks import on_two_ranks


class InOrder(BaseMetric):
    """Tells the numbers of the samples in the order in which they came together."""

    default_prefix = ""

    def process(self, data_batch: Any, data_samples: Any) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        return {"order": [int(each["number"]) for each in results]}


def _measured_apart(folder: Path, rank: int) -> dict[str, Any]:
    """Seven samples dealt to two ranks; the last rank's eighth repeats one. Each rank has a machine of its own."""
    own = folder / f"machine{rank}"
    own.mkdir()
    os.chdir(own)
    os.environ["TMPDIR"] = tempfile.tempdir = str(own)
    evaluator = GatheringEvaluator([InOrder(collect_device="cpu")])
    numbers = range(rank, 8, 2)
    evaluator.process([{"number": torch.tensor(number % 7)} for number in numbers])
    found = evaluator.evaluate(7)
    return {"order": found["order"], "litter": [path.name for path in own.rglob("*")]}


def test_ranks_on_two_machines_measure_in_the_order_of_one_and_write_nothing(tmp_path: Path) -> None:
    for result in on_two_ranks(_measured_apart, tmp_path):
        assert result == {"order": [0, 1, 2, 3, 4, 5, 6], "litter": []}


@pytest.mark.parametrize("size", [2, 3, 9])
def test_one_process_keeps_its_results_up_to_the_size(size: int) -> None:
    assert collect_results([1, None, 3], size) == [1, None, 3][:size]


def test_metrics_outside_a_run_are_mmengines_own() -> None:
    import mmengine.evaluator.metric as module

    theirs = module.collect_results
    evaluator = GatheringEvaluator([InOrder(collect_device="cpu")])
    evaluator.process([{"number": torch.tensor(4)}])
    assert evaluator.evaluate(1) == {"order": [4]} and module.collect_results is theirs
