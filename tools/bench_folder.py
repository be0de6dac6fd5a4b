"""A long folder through infer: memory and open files at file 50 and at the last, killed in the middle and continued.

`python tools/bench_folder.py [--count 500]` makes that many small files of twelve formats, some damaged; the default
model enlarges them on the CPU. Results of the run that was killed must equal the whole one's, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = ("png", "jpg", "webp", "tif", "gif", "bmp", "jp2", "tga", "dds", "qoi", "jfif", "avif")
MODES = ("RGB", "L", "RGBA")


def files(folder: Path, count: int) -> None:
    """Write pictures of random sizes from 24 to 64 pixels, of every format and mode; each fiftieth is cut short."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        suffix = SUFFIXES[number % len(SUFFIXES)]
        mode = MODES[number % 3] if suffix in ("png", "webp", "tif", "tga", "dds") else "RGB"
        height, width = rng.integers(3, 9, 2)
        coarse = rng.integers(0, 256, (height, width, len(mode)), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        path = folder / f"{number:04}.{suffix}"
        image = Image.fromarray(coarse[..., 0] if mode == "L" else coarse)
        image.save(path, format="JPEG" if suffix == "jfif" else None)
        if number % 50 == 7:
            path.write_bytes(path.read_bytes()[:-40])


def measured(folder: Path, out: Path) -> None:
    """Run the folder in this process; print memory and open files on the way."""
    from toolbox.inference import load, plan, translate
    from toolbox.inference.planning import make_folder
    from toolbox.plugins.manager import PluginManager, use

    use(PluginManager([]))
    made = plan([folder], out)
    make_folder(out)
    predictor = load("palette-x4", note=lambda line: None)
    page, started = os.sysconf("SC_PAGE_SIZE"), time.monotonic()
    problems = 0
    for number, (_, problem) in enumerate(translate(predictor, made.jobs), start=1):
        problems += problem is not None
        if number in (50, len(made.jobs) // 2, len(made.jobs)):
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * page
            handles = len(os.listdir("/proc/self/fd"))
            seconds = time.monotonic() - started
            print(f"file {number:4}: {resident / 1e6:7.1f} MB resident, {handles} open files, {seconds:.0f} s")
    print(f"{len(made.jobs)} of {made.count} computed; {len(made.refused)} refused before, {problems} at reading")


def infer(folder: Path, out: Path) -> subprocess.Popen[bytes]:
    """Start the command line over the folder."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("infer.py")),
        str(folder),
        "-o",
        str(out),
        "--skip-existing",
    ]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def killed_and_continued(folder: Path, whole: Path, out: Path) -> None:
    """Kill a run after a third of the results, continue it, and compare everything with the whole run's."""
    wanted = len(list(whole.iterdir()))
    run = infer(folder, out)
    while run.poll() is None and (not out.is_dir() or len(list(out.glob("[!.]*"))) < wanted // 3):
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    there = len(list(out.glob("[!.]*")))
    infer(folder, out).wait()
    hashes = [
        {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in place.glob("[!.]*")}
        for place in (whole, out)
    ]
    print(
        f"killed with {there} of {wanted} written, continued: {'equal bytes' if hashes[0] == hashes[1] else 'UNEQUAL'}"
    )


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    made.add_argument("--count", type=int, default=500, metavar="N", help="files (500)")
    options = made.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, whole, out = (Path(place) / name for name in ("in", "whole", "out"))
        files(folder, options.count)
        measured(folder, whole)
        killed_and_continued(folder, whole, out)


if __name__ == "__main__":
    main()
