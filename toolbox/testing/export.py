"""Contract checks of export formats and runtimes: a tiny network, written or loaded, must compute what PyTorch does."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from toolbox.assembly.graph import OutputGraph, StateGraph
from toolbox.assembly.verify import difference, verify
from toolbox.contracts.backend import Backend, InPlace
from toolbox.contracts.exporter import Exporter
from toolbox.contracts.graph import missing, smooth
from toolbox.io.errors import UserError
from toolbox.testing.components import require
from toolbox.testing.networks import TinyGenerator


def check_exporter(exporter: Exporter) -> None:
    """It writes a network of scale 2 with a strength, opens it again and gives PyTorch's result within its tolerance.

    Raises:
        UserError: a package that it needs is not installed.
    """
    _installed(exporter)
    require(exporter.suffix.startswith("."), f"suffix must begin with a dot, got {exporter.suffix!r}")
    graph = OutputGraph(TinyGenerator(scale=2).eval(), batch=2 if exporter.any_batch else 1)
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"tiny{exporter.suffix}"
        exporter.write(graph, file)
        files = exporter.files(file)
        require(file in files and all(each.exists() for each in files), "write must make every file that `files` names")
        worst = max(trial.difference for trial in verify(graph, exporter, file))
        require(
            worst <= exporter.tolerance, f"its file differs from PyTorch by {worst:.2g}; {exporter.tolerance} may be"
        )


def check_backend(backend: Backend | InPlace) -> None:
    """It computes a network of scale 2 as PyTorch does, in float32, for several sizes.

    Raises:
        UserError: a package that it needs is not installed.
    """
    _installed(backend)
    network, sizes = TinyGenerator(scale=2).eval(), ((24, 40), (33, 31))
    batches = [smooth((1, 3, *size), torch.Generator().manual_seed(0)) for size in sizes]
    if isinstance(backend, InPlace):
        computed = backend.wrapped(network, "")
        worst = max(float((computed(images) - network(images)).detach().abs().max()) for images in batches)
    else:
        graph = StateGraph(network, batches[0])
        with TemporaryDirectory() as folder:
            session = backend.prepare(graph, Path(folder))
            worst = max(difference(graph, session, [images]) for images in batches)
    require(worst <= 1e-4, f"its result differs from PyTorch's by {worst:.2g}")


def _installed(component: Exporter | Backend | InPlace) -> None:
    if lack := missing(component.packages, component.extra):
        raise UserError(lack)
