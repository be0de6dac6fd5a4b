"""`export (CONFIG [CHECKPOINT] | --weights FILE|NAME) -o FILE`: trained networks, for `infer` and for others."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from toolbox.cli.arguments import add_choice, add_config_options, parser, read_config, use_plugins
from toolbox.config import naming_the_file
from toolbox.inference.chosen import chosen_of
from toolbox.io.errors import UserError

WEIGHTS = "safetensors"
"""The format of weights alone, a network's own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Export; returns the exit code."""
    made = parser(
        "export", "Write trained generators (their averages, if there are any) with a description; in a format of "
        "another runtime, one output of them, tried there before it is called done."
    )  # fmt: skip
    made.add_argument("config", nargs="?", metavar="CONFIG", help="the YAML file it was trained with")
    made.add_argument(
        "checkpoint",
        nargs="?",
        type=Path,
        metavar="CHECKPOINT",
        help="a checkpoint of that config; without: its load_from",
    )
    made.add_argument(
        "--weights", type=Path, metavar="FILE|NAME",
        help="instead of both: what `export` wrote, a published file of any known format, or a model's name",
    )  # fmt: skip
    made.add_argument(
        "-o", dest="target", type=Path, required=True, metavar="FILE",
        help=".safetensors, or .pth for a plain state_dict; of several generators each has its name added",
    )  # fmt: skip
    made.add_argument(
        "--format", default=WEIGHTS, metavar="NAME",
        help="safetensors, or one of another runtime: onnx, openvino, torch, executorch, ncnn, tensorflow, and what "
        "plugins add (`plugins show exporters`)",
    )  # fmt: skip
    made.add_argument(
        "--layout", metavar="NAME",
        help="write the keys of a published layout (basicsr, xinntao, old-arch, mmagic, cyclegan) instead of the "
        "network's own; a .pth of basicsr holds 'params', as Real-ESRGAN's scripts and spandrel read it. In another "
        "runtime's format: nchw_float, images (B, C, H, W) in [0, 1], or nhwc_uint8, bytes (B, H, W, C)",
    )  # fmt: skip
    made.add_argument(
        "--half", action="store_true",
        help="write float16, half as many bytes; the network still computes in float32 where it is applied",
    )  # fmt: skip
    add_config_options(made)
    graph = made.add_argument_group("in a format of another runtime")
    graph.add_argument("--output", metavar="NAME", help="which of the model's outputs; the first by default")
    add_choice(graph, "what is not chosen is an input of the file")
    graph.add_argument(
        "--size", metavar="HxW", help="of images, where the format wants one size (256x256), padding included"
    )
    graph.add_argument("--license", metavar="NAME", help="written into the file: Apache-2.0")
    options = made.parse_args(arguments)
    if options.format != WEIGHTS:
        return _as_graph(options)
    _refuse_graph_options(options)
    if options.weights:
        return _translate(options)
    if not options.config:
        raise UserError("export: name CONFIG and CHECKPOINT, or --weights FILE")
    config = read_config(options)
    use_plugins(options.plugins, config)

    from toolbox.assembly.check import check

    check(config)

    from toolbox.assembly.export import export
    from toolbox.io.console import console

    with naming_the_file(config):
        files = export(config, options.checkpoint, options.target, layout=options.layout, half=options.half)
    for file in files:
        console.print(f"{file} ({file.stat().st_size / 1e6:.1f} MB), described in {file.name}.json", soft_wrap=True)
    return 0


def _as_graph(options: argparse.Namespace) -> int:
    """One output in the format of another runtime."""
    size = _size(options.size)
    chosen = chosen_of(options.style, options.strength, options.seed, options.set)
    config = read_config(options) if options.config else None
    if config and options.weights:
        raise UserError("--weights: names everything by itself; leave CONFIG out")
    use_plugins(options.plugins, config)
    if config:
        from toolbox.assembly.check import check

        check(config)

    import torch

    from toolbox.assembly.export import fold
    from toolbox.assembly.export_graph import as_lines, export_graph, exporter_named, made_from
    from toolbox.assembly.loading import trained_network
    from toolbox.inference.channels import channels_of
    from toolbox.io.console import console

    exporter_named(options.format)  # what is missing is said before the network is read
    with naming_the_file(config) if config else nullcontext():
        network = trained_network(
            options.weights, config=config, checkpoint=options.checkpoint, output=options.output, chosen=chosen
        )
    network = fold(network)
    beside, multiple = len(getattr(network, "sources", ("picture",))) - 1, int(getattr(network, "multiple", 1))
    trials = export_graph(
        network, options.format, options.target, channels=channels_of(network, torch.device("cpu"), multiple, beside),
        layout=options.layout or "nchw_float", half=options.half, size=size, license_name=options.license,
        source=made_from(config, options.checkpoint if config else options.weights),
    )  # fmt: skip
    console.print(f"{options.target} ({options.target.stat().st_size / 1e6:.1f} MB), tried in its own runtime:")
    for shape, difference in as_lines(trials).items():
        console.print(f"  {shape}: differs from PyTorch by {difference} at most", soft_wrap=True)
    return 0


def _refuse_graph_options(options: argparse.Namespace) -> None:
    given = [
        name for name in ("output", "style", "strength", "seed", "set", "size", "license") if getattr(options, name)
    ]
    if given:
        raise UserError(
            f"--{given[0]}: is for formats of other runtimes; {WEIGHTS} holds all of a network, leave it out"
        )


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, by, width = text.partition("x")
    both = by and all(each.isascii() and each.isdigit() and len(each) <= 4 for each in (height, width))
    if not (both and 1 <= int(height) <= 8192 and 1 <= int(width) <= 8192):
        raise UserError(f"--size {text}: write height and width, such as 256x256")
    return int(height), int(width)


def _translate(options: argparse.Namespace) -> int:
    given = [name for name in ("config", "cfg_options") if getattr(options, name)]
    if given:
        raise UserError("--weights: names everything by itself; leave CONFIG, CHECKPOINT and --cfg-options out")
    use_plugins(options.plugins)

    from toolbox.io.console import console
    from toolbox.weights.published_layout import translate_file

    network = translate_file(options.weights, options.target, layout=options.layout, half=options.half)
    size = options.target.stat().st_size / 1e6
    console.print(f"{options.target} ({size:.1f} MB): {type(network).__name__}", soft_wrap=True)
    return 0
