"""Run by test_full_disk.py in a process of its own: commands whose files may not grow beyond some bytes.

RLIMIT_FSIZE stands for a disk that fills up: it needs no rights, and every write beyond it fails midway.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from file_limit import limited
from runs import command, pictures, sr_config, write_config
from toolbox.benchmark import repeat
from toolbox.weights.file import read_weights

READ: dict[str, Any] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".yaml": lambda path: yaml.safe_load(path.read_text()) or 1 / 0,
    ".pth": read_weights,
    ".safetensors": read_weights,
    ".md": lambda path: path.read_text().endswith("\n") or 1 / 0,
    ".csv": lambda path: path.read_bytes().endswith(b"\n") or 1 / 0,
    **{suffix: lambda path: Image.open(path).load() for suffix in (".png", ".jpg", ".tif", ".bmp", ".gif")},
    ".partial": lambda path: 1 / 0,
}
"""What raises for half a file; logs and curves are lines, of which the last may be cut."""


def halves(folder: Path) -> list[str]:
    """Files that are not whole."""
    found = []
    for path in (path for path in folder.rglob("*") if path.is_file() and path.parent.name != "vis_data"):
        try:
            READ.get(path.suffix, lambda path: None)(path)
        except Exception as error:
            found.append(f"{path.name}: {error}")
    return found


def situations(folder: Path) -> Iterator[tuple[int, list[Any]]]:
    """Each with the bytes that a file may have, and the command."""
    config = write_config(sr_config(folder), folder / "run.yaml")
    health = write_config(sr_config(folder) | {"custom_hooks": [{"type": "HealthMonitor", "interval": 2}]},
                          folder / "health.yaml")  # fmt: skip
    photos, out = pictures(folder / "photos"), folder / "out"
    assert command("train", config, "--work-dir", folder / "done") == 0
    checkpoint, weights = folder / "done" / "iter_6.pth", folder / "x.safetensors"
    assert command("export", config, checkpoint, "-o", weights) == 0
    for size in (0, 1000, 4096):
        yield size, ["preview", config, photos, "-o", out / "sheet.png"]
    for suffix in ("csv", "json", "md"):
        yield 20, ["evaluate", photos, photos, "--metric", "PSNR", "-o", out / f"table.{suffix}"]
    for kind in ("jpg", "png", "tif", "bmp", "gif"):
        yield 700, ["infer", "--weights", weights, "-o", out, "--format", kind, photos]
    for target in ("x.safetensors", "x.pth"):
        yield 3000, ["export", config, checkpoint, "-o", out / target]
    for size in (1, 1000, 2500, 8000):
        yield size, ["test", config, checkpoint, "--work-dir", out]
    for size in (1, 1000, 2200, 4000, 40_000):
        yield size, ["train", config, "--work-dir", out]
    for size in (2500, 5000):
        yield size, ["train", health, "--work-dir", out]
    for size in (1000, 3000):
        yield size, ["repeat", config, "--seeds", 0, "--work-dir", out]
    yield 100, ["plugins", "new", out / "own"]
    axes = {"variant": {"LSGAN": {"model.variant": {"type": "LSGAN"}}}}
    grid = {"base": "run.yaml", "axes": axes, "budget": {"iterations": 6}, "sizes": [16], "samples": 1}
    for size in (10, 700):
        yield size, ["benchmark", write_config(grid, folder / "grid.yaml"), "-o", out]


def main(folder: Path) -> None:
    """Print a line of JSON for each situation."""
    repeat.in_a_process = lambda arguments: None if command(*arguments) == 0 else "it failed"
    told = sys.stdout
    with redirect_stdout(io.StringIO()):
        for number, (size, arguments) in enumerate(situations(folder)):
            place = folder / f"place_{number}"
            arguments = [Path(str(each).replace(str(folder / "out"), str(place))) if isinstance(each, Path) else each
                         for each in arguments]  # fmt: skip
            with redirect_stderr(io.StringIO()) as said, limited(size):
                try:
                    code: int | str = command(*arguments)
                except BaseException as error:
                    code = f"{type(error).__name__}: {error}"
            content = {"command": " ".join(map(str, arguments)), "size": size, "code": code, "halves": halves(place)}
            print(json.dumps({**content, "said": said.getvalue()}), file=told, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
