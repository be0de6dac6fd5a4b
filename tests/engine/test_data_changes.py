"""Data that changed between a run and its continuation: said in one line, with what it means."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runs import command, pictures, sr_config, style_config, write_config
from toolbox.contracts.dataset import ImageDataset
from toolbox.engine.data_changes import changed, described
from toolbox.weights.checkpoint import read_checkpoint, write_checkpoint
from toolbox_plugins.datasets.every import EveryImage
from toolbox_plugins.datasets.folders import ImageFolder, PairedFolders, UnpairedFolders
from toolbox_plugins.datasets.side_by_side import SideBySide


def resumed(file: Path, caplog: pytest.LogCaptureFixture, folder: Path) -> list[str]:
    """What a continuation by two iterations says of data."""
    assert command("train", file, "--resume", "--stop-at", 4) == 0
    logs = [path.read_text() for path in (folder / "run").rglob("*.log")]
    (log,) = [text for text in logs if "resumed" in text]
    return [line.partition("WARNING - ")[2] for line in log.splitlines() if "WARNING" in line and "dataloader" in line]


EXACT = "from here on other samples come than without the interruption: the run goes on, and is no exact one"


def shrink(folder: Path) -> None:
    (folder / "03.png").unlink()


def grow(folder: Path) -> None:
    shutil.copy(folder / "03.png", folder / "04.png")


def rename(folder: Path) -> None:
    (folder / "03.png").rename(folder / "3.png")


def exchange(folder: Path) -> None:
    shutil.copy(folder / "00.png", folder / "03.png")
    with (folder / "03.png").open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shrink, "had 4 samples and has 3"),
        (grow, "had 4 samples and has 5"),
        (rename, "has files of other names than it had"),
        (exchange, "has files of other sizes than it had ("),
        (lambda folder: None, None),
    ],
)
def test_data_that_changed_before_a_resume_are_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[[Path], None], said: str | None
) -> None:
    config = sr_config(tmp_path)
    config["val_dataloader"]["dataset"]["root"] = str(pictures(tmp_path / "other", 2))
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--stop-at", 2) == 0
    change(tmp_path / "photos")
    lines = resumed(file, caplog, tmp_path)
    if said is None:
        assert lines == []
    else:
        assert len(lines) == 1 and lines[0].startswith(f"train_dataloader.dataset {said}") and lines[0].endswith(EXACT)


def test_the_smaller_of_two_domains_and_validation_images_are_told_too(tmp_path, caplog) -> None:
    config = style_config(tmp_path)
    config["val_dataloader"]["dataset"]["root"] = str(pictures(tmp_path / "other", 3))
    file = write_config(config, tmp_path / "run.yaml")
    assert command("train", file, "--stop-at", 2) == 0
    (tmp_path / "b" / "02.png").unlink()
    (tmp_path / "other" / "02.png").unlink()
    assert resumed(file, caplog, tmp_path) == [
        f"train_dataloader.dataset had 8 files and has 7; {EXACT}",
        "val_dataloader.dataset had 3 samples and has 2; what validation measures from here on does not compare with "
        "what it measured before",
    ]


def test_a_checkpoint_of_an_older_version_says_nothing_of_data_and_a_damaged_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    file = write_config(sr_config(tmp_path), tmp_path / "run.yaml")
    assert command("train", file, "--stop-at", 2) == 0
    path = tmp_path / "run" / "iter_2.pth"
    whole = read_checkpoint(path)
    capsys.readouterr()
    data = whole["meta"]["data"]
    assert data["train"]["samples"] == data["train"]["files"] == 4 and data["train"] == data["val"]
    wrong: list[Any] = [3, {"train": 3}, {"train": {}}, {"train": {**data["train"], "names": None}},
                        {"val": {"samples": "4"}}, {"val": {"samples": True}}]  # fmt: skip
    for each in wrong:
        write_checkpoint({**whole, "meta": {**whole["meta"], "data": each}}, path)
        assert command("train", file, "--resume", "--stop-at", 4) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1 and "meta.data" in line and "load_from" in line, line
    write_checkpoint({**whole, "meta": {key: value for key, value in whole["meta"].items() if key != "data"}}, path)
    (tmp_path / "photos" / "03.png").unlink()
    assert resumed(file, caplog, tmp_path) == []


def test_every_shipped_dataset_of_files_names_all_of_them_wherever_they_lie(tmp_path: Path) -> None:
    for place in ("here", "there"):
        for name in ("a", "b"):
            pictures(tmp_path / place / name, 3)
    made: tuple[Callable[[Path], ImageDataset], ...] = (
        lambda root: ImageFolder(root=str(root / "a"), key="hr"),
        lambda root: PairedFolders(roots={"lr": str(root / "a"), "hr": str(root / "b")}),
        lambda root: UnpairedFolders(root_a=str(root / "a"), root_b=str(root / "b")),
        lambda root: SideBySide(root=str(root / "a")),
        lambda root: EveryImage(roots={"a": str(root / "a"), "b": str(root / "b")}),
    )
    for make, files in zip(made, (3, 6, 6, 3, 6), strict=True):
        here, there = (described(make(tmp_path / place)) for place in ("here", "there"))
        assert here == there and here["files"] == files and changed(here, there) is None
    before = [described(make(tmp_path / "there")) for make in made]
    (tmp_path / "there" / "a" / "01.png").write_bytes((tmp_path / "there" / "a" / "01.png").read_bytes() + b"x")
    for make, known in zip(made, before, strict=True):
        assert "other sizes" in str(changed(known, described(make(tmp_path / "there"))))


def test_of_a_dataset_that_names_no_files_the_samples_are_counted(tmp_path: Path) -> None:
    class Own(ImageDataset):
        count = 3

        def __len__(self) -> int:
            return self.count

        def sample(self, index: int, rng: np.random.Generator) -> dict[str, Any]:
            return {}

    own = Own()
    before = described(own)
    assert before == {"samples": 3}
    own.count = 2
    assert changed(before, described(own)) == "had 3 samples and has 2"
