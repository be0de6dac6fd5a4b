"""Parts of a folder: every so many-th image is kept apart, and no image is in both parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from toolbox.io.errors import UserError
from toolbox.io.images import write_image
from toolbox_plugins.datasets.every import EveryImage
from toolbox_plugins.datasets.folders import ImageFolder, PairedFolders, UnpairedFolders
from toolbox_plugins.datasets.parts import part
from toolbox_plugins.datasets.side_by_side import SideBySide
from toolbox_plugins.datasets.styled import StyledFolders


def put(folder: Path, *names: str) -> str:
    for name in names:
        write_image(folder / name, np.zeros((8, 16, 3), np.uint8))
    return str(folder)


def test_every_third_is_kept_apart() -> None:
    assert part(7, 3, False) == [0, 1, 3, 4, 6]
    assert part(7, 3, True) == [2, 5]
    assert part(3, None, False) == [0, 1, 2]


@pytest.mark.parametrize(
    ("hold_out", "held_out", "message"),
    [
        (1, False, "2 or more"),
        (8, True, "keeps none of 7 apart; write a number up to 7"),
        (None, True, "write hold_out"),
    ],
)
def test_a_part_of_nothing_is_refused(hold_out: int | None, held_out: bool, message: str) -> None:
    with pytest.raises(UserError, match=message):
        part(7, hold_out, held_out)


@pytest.mark.parametrize("cache", [False, True])
def test_two_parts_make_the_folder_and_share_its_cache(
    cache: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLBOX_CACHE", str(tmp_path / "cache"))
    for level, name in enumerate("abcde"):
        write_image(tmp_path / "x" / f"{name}.png", np.full((8, 8, 3), level, np.uint8))
    root = str(tmp_path / "x")
    kept, apart = (ImageFolder(root=root, key="x", cache=cache, hold_out=2, held_out=held) for held in (False, True))

    def seen(dataset: ImageFolder) -> list[tuple[str, int]]:
        samples = [dataset.sample(index, np.random.default_rng(0)) for index in range(len(dataset))]
        return [(each["name"], int(each["x"].flat[0])) for each in samples]

    assert seen(kept) == [("a.png", 0), ("c.png", 2), ("e.png", 4)]
    assert seen(apart) == [("b.png", 1), ("d.png", 3)]
    assert [name for name, _ in apart.named_files()] == ["b.png", "d.png"]
    assert len(list((tmp_path / "cache").rglob("*.raw"))) == int(cache)


def test_every_dataset_of_folders_has_both_parts(tmp_path: Path) -> None:
    a, b = (
        put(tmp_path / "a", "1.png", "2.png", "3.png", "4.png"),
        put(tmp_path / "b", "1.png", "2.png", "3.png", "4.png"),
    )
    for held, count in ((False, 2), (True, 2)):
        some = {"hold_out": 2, "held_out": held}
        assert len(PairedFolders(roots={"lr": a, "hr": b}, **some)) == count
        assert len(SideBySide(root=a, **some)) == count
        assert len(StyledFolders(root_a=a, styles={"x": b}, **some)) == count
        assert len(EveryImage(roots={"a": a, "b": b}, **some)) == count + 4
        unpaired = UnpairedFolders(root_a=a, root_b=b, **some)
        assert (len(unpaired.folder_a), len(unpaired.folder_b)) == (count, 4)


def test_pairs_may_share_a_folder_by_their_suffixes(tmp_path: Path) -> None:
    root = put(tmp_path, "1_LR.png", "1_HR.png", "2_LR.png", "2_HR.png")
    pairs = PairedFolders(roots={"lr": root, "hr": root}, suffixes={"lr": "_LR", "hr": "_HR"})
    assert [name for name, _ in pairs.named_files()] == ["lr: 1_LR.png", "lr: 2_LR.png", "hr: 1_HR.png", "hr: 2_HR.png"]
    assert len(pairs) == 2


def test_a_mark_of_one_side_alone_is_enough(tmp_path: Path) -> None:
    root = put(tmp_path, "1x4.png", "1.png", "2x4.png", "2.png")
    pairs = PairedFolders(roots={"lr": root, "hr": root}, suffixes={"lr": "x4"})
    assert [name for name, _ in pairs.named_files()] == ["lr: 1x4.png", "lr: 2x4.png", "hr: 1.png", "hr: 2.png"]
