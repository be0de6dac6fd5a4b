"""Contact sheets written while training and testing: the input, the do-nothing baseline, the outputs, the reference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from torch import Tensor, nn

from toolbox.contracts.metric import DO_NOTHING
from toolbox.io.contact_sheet import contact_sheet, detail
from toolbox.io.errors import UserError
from toolbox.io.images import images_to_float, tensor_to_image, write_image
from toolbox.io.sheets import FOLDER, sheet_of
from toolbox.training.network_call import call_padded


class SamplesHook(Hook):
    """After each evaluation, writes `samples/iter_N.png` in the run's folder with the first `count` images.

    Without validation data it is the training batch of that iteration.

    `columns` names the values to show; by default the first output's input, the baseline where it differs in size,
    the output, and the references that the metrics compare with. `detail` shows a window of so many pixels of the
    output instead of the whole picture, where it has most contrast. `rivals` are shown beside: columns by name, each
    with the trained network (anything that `infer --weights` takes) that is applied to the first output's input.

    Of a clip the middle frame is shown; a mask is gray. A label is no picture.
    """

    def __init__(
        self,
        *,
        count: int = 4,
        columns: list[str] | None = None,
        cell: int = 256,
        detail: int | None = None,
        rivals: dict[str, str] | None = None,
        keep: bool = False,
    ) -> None:
        if count < 1 or cell < 16:
            raise ValueError(f"count must be at least 1 and cell at least 16, got {count} and {cell}")
        self.count, self.columns, self.cell, self.detail = count, columns, cell, detail
        self.rivals, self.keep = rivals or {}, keep
        self.load: Callable[[str], nn.Module] = _nobody
        """From what names a rival to its network; whoever puts the run together sets it."""
        self.loaded: dict[str, nn.Module] = {}
        self.rows: list[list[np.ndarray]] = []
        self.shown: list[str] = []

    def needed(self) -> Sequence[str] | None:
        """The images that the sheet shows; None before that is known, and nothing once it is full."""
        if get_rank() or len(self.rows) >= self.count:
            return ()
        return self.shown or self.columns

    def _collect(self, runner: Any, outputs: Any, evaluator: Any) -> None:
        for sample in outputs if runner.rank == 0 else ():
            if len(self.rows) >= self.count:
                return
            if not self.shown:
                self.shown = self.columns or self._default_columns(runner, sample, evaluator)
            if any(name not in sample and name not in self.rivals for name in self.shown):  # it is of the other domain
                continue
            for name in self.shown:
                if name in sample and sample[name].dim() < 3:
                    raise UserError(f"default_hooks.samples.columns: '{name}' is no picture; leave it out")
            row = [self._picture(runner, sample, name) for name in self.shown]
            self.rows.append(detail(row, self.detail) if self.detail else row)

    def _picture(self, runner: Any, sample: dict[str, Any], name: str) -> np.ndarray:
        if name in sample:
            return still(sample[name].nan_to_num())
        if name not in self.loaded:
            self.loaded[name] = self.load(self.rivals[name])
        outputs = runner.algorithm.outputs
        source = outputs[runner.algorithm.available(sample)[0]].source
        shown = images_to_float(torch.from_numpy(still(sample[source])).permute(2, 0, 1)[None])  # 8 bits, as a file
        with torch.inference_mode():
            return tensor_to_image(call_padded(self.loaded[name], shown)[0])

    def _default_columns(self, runner: Any, sample: dict[str, Any], evaluator: Any) -> list[str]:
        outputs = runner.algorithm.outputs
        known = runner.algorithm.available(sample)
        if not known:
            return []
        source, sources = outputs[known[0]].source, outputs[known[0]].sources
        results = [name for name in known if outputs[name].source == source]
        references = [m.reference for m in evaluator.metrics if getattr(m, "reference", None) in sample]
        enlarged = sample[source].shape[-2:] != sample[results[0]].shape[-2:]
        shown = [*sources, *([DO_NOTHING] if enlarged else []), *results, *self.rivals, *references]
        return [name for name in dict.fromkeys(shown) if name in self.rivals or sample[name].dim() > 2]

    def _write(self, runner: Any, file: Path) -> None:
        if self.rows:
            captions = ["bicubic" if column == DO_NOTHING else column for column in self.shown]
            sheet = contact_sheet(self.rows, captions, file, cell=self.cell)
            for number, row in enumerate(self.rows if self.keep else ()):
                for caption, picture in zip(captions, row, strict=True):
                    write_image(sheet.with_suffix("") / f"{number}_{caption}.png", picture)
        self.rows, self.shown = [], []

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Keep what will be shown."""
        self._collect(runner, outputs, runner.val_evaluator)

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        """Write the sheet of this iteration."""
        self._write(runner, sheet_of(Path(runner.work_dir), runner.iter))

    def instead_of_val(self, runner: Any, data_batch: Any) -> None:
        """Without validation data, write a sheet of a training batch, whose crops the networks have just seen."""
        runner.algorithm.asked = frozenset(self.columns) if self.columns else None
        outputs = [each for each in runner.model.val_step(data_batch) if runner.algorithm.available(each)]
        runner.algorithm.asked = None
        self._collect(runner, outputs, SimpleNamespace(metrics=()))
        self._write(runner, sheet_of(Path(runner.work_dir), runner.iter))

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Keep what will be shown."""
        self._collect(runner, outputs, runner.test_evaluator)

    def after_test_epoch(self, runner: Any, metrics: Any = None) -> None:
        """Write the sheet of the test."""
        self._write(runner, Path(runner.work_dir) / FOLDER / "test.png")


def still(value: Tensor) -> np.ndarray:
    """A picture or a mask (C, H, W), or the middle frame of a clip (T, C, H, W), as (H, W, 3) uint8."""
    image = tensor_to_image(value[len(value) // 2] if value.dim() == 4 else value)
    return image.repeat(3, 2) if image.shape[2] == 1 else image


def _nobody(name: str) -> nn.Module:
    raise UserError(f"default_hooks.samples.rivals: nobody here can load {name}")
