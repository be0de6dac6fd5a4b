"""Benchmarks: what the toolbox does, in turn with a plain way of doing it, as a ratio.

python tools/bench.py step     [--size 128] [--rounds 7]        the training step against the published one
python tools/bench.py data     [--folder FOLDER] [--rounds 5]   crops per second against Pillow
python tools/bench.py degrade  [--batch 16] [--rounds 20]       second-order degradation against numpy and OpenCV
python tools/bench.py overhead [--iterations 2000] [--rounds 5] the framework's own cost per iteration
python tools/bench.py networks GRID [--size 128] [--rounds 15]  a grid's generators in every runtime, in turn
python tools/bench.py backends [NETWORK ...] [--begun]          `infer --backend auto` against every runtime alone
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    step = commands.add_parser("step", help="steps of CycleGAN and ESRGAN: the published ones against the toolbox's")
    step.add_argument("--size", type=int, default=128, help="side of the images in pixels (default: 128)")
    step.add_argument("--rounds", type=int, default=7, help="how often the steps take turns (default: 7)")
    data = commands.add_parser("data", help="crops per second from a folder of 2K images: Pillow against the cache")
    data.add_argument("--folder", type=Path, help="images to read (default: 2040x1356 PNGs made of the demo's photos)")
    data.add_argument("--rounds", type=int, default=5, help="how often the loaders take turns (default: 5)")
    data.add_argument("--crop", type=int, default=256, help="side of a crop in pixels (default: 256)")
    degrade = commands.add_parser("degrade", help="second-order degradation of patches: numpy against the toolbox")
    degrade.add_argument("--batch", type=int, default=16, help="patches at once (default: 16)")
    degrade.add_argument("--rounds", type=int, default=20, help="how often the two take turns (default: 20)")
    degrade.add_argument("--processes", type=int, default=2, help="processes of one thread, one a core (default: 2)")
    overhead = commands.add_parser("overhead", help="a trivial GAN under the Runner against a bare loop")
    overhead.add_argument("--iterations", type=int, default=2000, help="iterations of each loop (default: 2000)")
    overhead.add_argument("--rounds", type=int, default=5, help="how often the loops take turns (default: 5)")
    networks = commands.add_parser("networks", help="a grid's generators: parameters, GMACs, and latency by runtime")
    networks.add_argument("grid", help="as of tools/benchmark.py")
    networks.add_argument("--size", type=int, default=128, help="side of the image in pixels (default: 128)")
    networks.add_argument("--rounds", type=int, default=15, help="how often each makes it (default: 15)")
    networks.add_argument("-o", "--out", type=Path, help="a Markdown file for the table")
    backends = commands.add_parser("backends", help="pictures by `--backend auto` against every runtime alone")
    backends.add_argument("networks", nargs="*", help="generators and shipped models (default: all built-in ones)")
    backends.add_argument("--sides", type=int, nargs="+", default=[192], help="of pictures, in pixels (default: 192)")
    backends.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], help="(default: fp32 bf16)")
    backends.add_argument("--rounds", type=int, default=7, help="how often the ways take turns (default: 7)")
    backends.add_argument("--begun", action="store_true", help="a new predictor for every picture")
    options = parser.parse_args()

    if options.command == "step":
        import bench_step

        bench_step.main(options.size, options.rounds)
    elif options.command == "data":
        import bench_data

        bench_data.main(options.folder, options.rounds, options.crop)
    elif options.command == "degrade":
        import bench_degrade

        bench_degrade.main(options.batch, options.rounds, options.processes)
    elif options.command == "networks":
        import bench_networks

        bench_networks.main(options.grid, options.size, options.rounds, options.out)
    elif options.command == "backends":
        import bench_backends

        bench_backends.main(options.networks, options.sides, options.precisions, options.rounds, options.begun)
    else:
        import bench_overhead

        bench_overhead.main(options.iterations, options.rounds)


if __name__ == "__main__":
    main()
