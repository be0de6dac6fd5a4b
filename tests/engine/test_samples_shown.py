"""What a contact sheet shows of pictures, clips, masks and labels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from toolbox import Output, UserError
from toolbox.engine.samples import SamplesHook, still


def runner(output: Output) -> Any:
    algorithm = SimpleNamespace(outputs={"made": output}, available=lambda values: ["made"])
    return SimpleNamespace(algorithm=algorithm, rank=0)


def test_a_clip_shows_its_middle_frame_and_a_mask_is_gray() -> None:
    clip = torch.arange(5)[:, None, None, None].expand(-1, 3, 4, 6) / 255
    assert np.array_equal(still(clip), np.full((4, 6, 3), 2, np.uint8))
    mask = torch.zeros(1, 4, 6)
    mask[0, 1, 2] = 1
    assert still(mask).shape == (4, 6, 3) and still(mask)[1, 2].tolist() == [255] * 3 and still(mask).sum() == 765


def test_the_columns_are_all_sources_that_are_pictures_and_a_label_is_none() -> None:
    sample = {"picture": torch.rand(3, 8, 8), "mask": torch.ones(1, 8, 8), "label": torch.tensor(1)}
    sample["made"] = torch.rand(3, 8, 8)
    hook, evaluator = SamplesHook(), SimpleNamespace(metrics=[SimpleNamespace(reference="label")])
    hook._collect(runner(Output(("picture", "mask"), keeps_colors=True)), [sample], evaluator)
    assert hook.shown == ["picture", "mask", "made"]
    assert [picture.shape for picture in hook.rows[0]] == [(8, 8, 3)] * 3


def test_a_label_that_is_asked_for_is_refused() -> None:
    sample = {"picture": torch.rand(3, 8, 8), "label": torch.tensor(1)}
    with pytest.raises(UserError, match=r"default_hooks\.samples\.columns: 'label' is no picture; leave it out"):
        hook = SamplesHook(columns=["picture", "label"])
        hook._collect(runner(Output("picture", keeps_colors=True)), [sample], SimpleNamespace(metrics=[]))
