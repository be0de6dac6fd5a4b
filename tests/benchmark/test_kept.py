"""What runs leave for later commands: damaged, it is one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from attacks.reports import WAYS
from toolbox.benchmark.kept import REPORT, read_typed
from toolbox.io.errors import UserError
from toolbox.io.files import read_json


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff", b"[" * 100_000, b'{"rows": {"test": {"psnr": "high"}}}',
                                     b'{"rows": []}', b'{"protocols": {"psnr": 1}}'])  # fmt: skip
def test_a_damaged_report_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(UserError, match=r"report\.json: is damaged: .*; remove it to have it made anew"):
        read_typed(tmp_path / "report.json", REPORT)


def test_infinities_are_text_and_nothing_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"rows": {"test": {"psnr": "inf", "ssim": 0.5}}, "seed": 1}')
    assert read_typed(tmp_path / "report.json", REPORT)["seed"] == 1
    assert read_typed(tmp_path / "none.json", REPORT) == {}
    with pytest.raises(FileNotFoundError):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("way", [way for way in WAYS if way != "claim"])
def test_every_reader_refuses_what_is_no_json(way: str, tmp_path: Path) -> None:
    name, _, read = WAYS[way]
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{")
    with pytest.raises(UserError, match=f"{Path(name).name}: is damaged"):
        read(tmp_path)
