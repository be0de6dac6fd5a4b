"""Benchmarks: what the toolbox does, in turn with a plain way of doing it, as a ratio.

python tools/bench.py data [--folder FOLDER] [--rounds 5]
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    data = commands.add_parser("data", help="crops per second from a folder of 2K images: Pillow against the cache")
    data.add_argument("--folder", type=Path, help="images to read (default: 2040x1356 PNGs made of the demo's photos)")
    data.add_argument("--rounds", type=int, default=5, help="how often the loaders take turns (default: 5)")
    data.add_argument("--crop", type=int, default=256, help="side of a crop in pixels (default: 256)")
    options = parser.parse_args()

    import bench_data

    bench_data.main(options.folder, options.rounds, options.crop)


if __name__ == "__main__":
    main()
