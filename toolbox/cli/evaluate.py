"""`evaluate PRED REF`: price a folder of images or a film, from any program, against references."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from toolbox.cli.arguments import parser, use_plugins
from toolbox.inference.planning import refuse_unwritable
from toolbox.io.errors import UserError
from toolbox.io.images import MAX_PIXELS


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print one table and write it where asked; returns 0, or 1 where a metric asked for was left out."""
    made = parser(
        "evaluate",
        "Price a folder of images, or a video file, from any program, against references: images are paired by name, "
        "frames by number (metrics of two sets, such as KID, want no pairs), every column states its protocol. By "
        "default PSNR and SSIM on Y, and lite0_distance where its weights are installed.",
    )
    made.add_argument("predictions", type=Path, metavar="PRED", help="a folder of images, or a film, to judge")
    made.add_argument("references", type=Path, metavar="REF", help="what it should look like: a folder, or a film")
    made.add_argument(
        "--metric", dest="metrics", action="append", default=[], metavar="METRIC",
        help="a registered metric, as often as you like: NIQE, KID, or '{type: PSNR, channel: RGB, crop: 4}'",
    )  # fmt: skip
    made.add_argument(
        "--crop", type=int, metavar="N", help="pixels cut from every side (papers: the scale; default: 0)"
    )
    made.add_argument("--channel", choices=("Y", "RGB"), help="of the metrics that can do both (default: Y)")
    made.add_argument("--suffix", default="", metavar="TEXT", help="what predictions' names end in: x4 for babyx4.png")
    made.add_argument("--reference-suffix", default="", metavar="TEXT", help="the same of the references: _HR")
    made.add_argument("--mod-crop", action="store_true", help="cut the larger of two images at its right and bottom")
    made.add_argument("--partial", action="store_true", help="leave out images that have no partner")
    made.add_argument(
        "--device", default="cpu",
        help="cpu, cuda, cuda:1: where it is measured; the figures are a CPU's within rounding (default: cpu)",
    )  # fmt: skip
    made.add_argument("-o", dest="output", type=Path, metavar="FILE", help="write the table: .csv, .json or .md")
    made.add_argument(
        "--max-pixels", type=int, default=MAX_PIXELS, metavar="N",
        help=f"refuse larger images, which may be files made to fill memory ({MAX_PIXELS:,})",
    )  # fmt: skip
    options = made.parse_args(arguments)
    if options.crop is not None and options.crop < 0:
        raise UserError(f"--crop: must be 0 or more, got {options.crop}")
    if options.max_pixels < 1:
        raise UserError(f"--max-pixels: must be 1 or more, got {options.max_pixels}")
    if options.output and options.output.suffix.lower() not in (".csv", ".json", ".md"):
        raise UserError(f"-o: {options.output}: name a .csv, .json or .md file")
    if options.output:
        refuse_unwritable("-o", options.output)  # before the work
    use_plugins(options.plugins)

    from toolbox.assembly.loading import usable_device
    from toolbox.benchmark.evaluate import build_metrics
    from toolbox.benchmark.folders import price_folders
    from toolbox.config.yaml_loader import parse_value
    from toolbox.io.console import console

    device = usable_device(options.device)
    wanted = [parse_value(text, "--metric") for text in options.metrics]
    metrics, notes = build_metrics(wanted, crop=options.crop, channel=options.channel)
    prices = price_folders(
        options.predictions, options.references, metrics, suffix=options.suffix,
        reference_suffix=options.reference_suffix, cut=options.mod_crop, partial=options.partial, device=device,
        max_pixels=options.max_pixels,
    )  # fmt: skip
    prices.print()
    for note in notes:
        console.print(note, style="quiet", soft_wrap=True)
    if options.output:
        prices.write(options.output)
    return 1 if notes and wanted else 0
