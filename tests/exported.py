"""Every registered generator, small, and the formats that it is exported in.

`python tests/exported.py` prints the table of docs/export.md, for the formats whose packages are installed;
`python tests/exported.py ncnn` one column of it.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from toolbox import RecurrentGenerator, WindowGenerator
from toolbox.assembly.export_graph import export_graph
from toolbox.assembly.verify import Trial
from toolbox.contracts.graph import missing
from toolbox.io.errors import UserError
from toolbox.plugins.registry import registry

SMALL: dict[str, dict[str, Any]] = {
    "AffineSPAN": {"width": 8, "blocks": 1, "upscaler_width": 8},
    "DAT": {"width": 32, "depths": [3], "heads": [2], "window": [2, 4]},
    "EDSR": {"width": 8, "blocks": 1},
    "MUNITGenerator": {"width": 4, "blocks": 1},
    "RCAN": {"width": 8, "groups": 1, "blocks": 1, "reduction": 2},
    "RRDBNet": {"width": 8, "growth": 4, "blocks": 1},
    "RealPLKSR": {"width": 8, "blocks": 1, "kernel": 5},
    "ResidualCNN": {"width": 8, "blocks": 1, "scale": 2},
    "ResnetGenerator": {"width": 8, "blocks": 1},
    "SPAN": {"width": 8},
    "SRResNet": {"width": 8, "blocks": 1},
    "SRResNetBN": {"width": 8, "blocks": 1},
    "SRVGGNetCompact": {"width": 8, "convs": 2},
    "StyleRRDBNet": {"width": 8, "growth": 4, "blocks": 1, "style_width": 8, "style_blocks": 1},
    "StyleSRNet": {"width": 8, "blocks": 1, "flatten": 0.1},
    "TransformNet": {},
    "UNITGenerator": {"width": 4},
    "UVCGANGenerator": {"widths": [4, 8], "features": 8, "heads": 2, "blocks": 1, "hidden": 16, "embedding": 8},
    "UnetGenerator": {"width": 4},
}
LEFT_OUT = ("PointGenerator", "SpandrelNetwork")
"""Generators of something else, the toy's points in a plane; and what another package has, which is no one network."""


def generators() -> list[str]:
    """Names of all that make images of images; those of clips are exported as outputs of their algorithms."""
    every = registry("generators")
    clips = (RecurrentGenerator, WindowGenerator)
    return [name for name in every.names() if name not in LEFT_OUT and not issubclass(every.get(name), clips)]


def formats() -> list[str]:
    """Names of the formats whose packages are installed here."""
    return [name for name in registry("exporters").names() if not missing(exporter(name).packages, "")]


def exporter(name: str) -> Any:
    """An exporter's class."""
    return registry("exporters").get(name)


@cache
def generator(name: str) -> nn.Module:
    """A small one; its own example where it gives one, as those of others do."""
    kind: Any = registry("generators").get(name)
    arguments = SMALL.get(name) or (kind.example_arguments() if hasattr(kind, "example_arguments") else {})
    return kind(**arguments).eval()


def tried(name: str, format_name: str, folder: Path) -> list[Trial] | str:
    """How an export compares with PyTorch; or why there is none, in one line."""
    try:
        return export_graph(generator(name), format_name, folder / f"{name}{exporter(format_name).suffix}")
    except UserError as error:
        return str(error)


def cell(name: str, format_name: str, folder: Path) -> str:
    """What the table says: `yes`, of which sizes, and the largest difference; or why not."""
    found = tried(name, format_name, folder)
    if isinstance(found, str):
        return f"no: {found.removeprefix(f'--format {format_name}: ')}"
    free = len({trial.shape[-2:] for trial in found}) > 1
    return f"yes{'' if free else ', one size'}, {max(trial.difference for trial in found):.0e}"


def main(wanted: list[str]) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    names = wanted or formats()
    print("| network |", " | ".join(f"`{name}`" for name in names), "|")
    print("|---|" + "---|" * len(names))
    with TemporaryDirectory() as folder:
        for name in generators():
            print(f"| `{name}` |", " | ".join(cell(name, each, Path(folder)) for each in names), "|", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
