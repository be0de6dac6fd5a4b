"""A network's tiles in another runtime: a session for each form of its state, by a graph that is kept for next time."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from toolbox.assembly.graph import StateGraph
from toolbox.assembly.loading import TrainedOutput
from toolbox.contracts.backend import Backend
from toolbox.contracts.graph import Session, asked, smooth
from toolbox.inference.kept_graphs import files_in, kept_folder
from toolbox.io.errors import UserError
from toolbox.training.precision import networks_in

EXAMPLE = 64
"""Side of the images that a graph is traced with."""
AGREE = {"fp32": 1.5 / 255, "bf16": 0.1}
"""By how much a runtime's images may differ from PyTorch's; one that differs by more is not used."""

SAME = {"fp32": 1e-3, "bf16": 0.1}
"""The same of a graph that was kept: it may be one of other code."""


class Sessions:
    """A network in another runtime: a session for each form that its state takes, made when it is first asked for."""

    def __init__(self, network: nn.Module, backend: Backend, name: str, precision: str) -> None:
        self.network, self.backend, self.name, self.precision = network, backend, name, precision
        self._made: dict[object, tuple[StateGraph, Session]] = {}
        self.compared = False
        """Whether a graph that was kept has been compared with PyTorch."""

    def __call__(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) on the CPU to (B, C', scale*H, scale*W)."""
        state = state_of(self.network, images)
        leaves, form = pytree.tree_flatten(state)
        key = (str(form), tuple(tuple(each.shape) if isinstance(each, Tensor) else each for each in leaves))
        if key not in self._made:
            self._made[key] = self._prepare(images, state)
        graph, session = self._made[key]
        return session(asked(session, graph.inputs, [images, *graph.values(state)]))

    def _prepare(self, images: Tensor, state: Any) -> tuple[StateGraph, Session]:
        with torch.inference_mode(False), torch.no_grad(), networks_in(None):
            graph = graph_of(self.network, images, state)
            folder = kept_folder(graph)
            if folder and files_in(folder) and (session := self._kept(graph, folder)):
                return graph, session
            if folder is None:
                folder = Path(mkdtemp())
                finalize(self, shutil.rmtree, folder, ignore_errors=True)
            try:
                return graph, self.backend.prepare(graph, folder, precision=self.precision)
            except UserError as error:
                raise UserError(f"--backend {self.name}: {error}") from None

    def _kept(self, graph: StateGraph, folder: Path) -> Session | None:
        """A session by what is kept of the graph, if it still computes what PyTorch does; else that is thrown away."""
        try:
            session = self.backend.prepare(graph, folder, precision=self.precision)
            made = session(asked(session, graph.inputs, graph.examples))
            right = graph(*graph.examples)
            if made.shape == right.shape and float((made - right).abs().max()) <= SAME[self.precision]:
                self.compared = True
                return session
        except (UserError, RuntimeError, ValueError):
            pass  # as of what is damaged: it is made anew, and its failure is told then
        for file in files_in(folder):
            file.unlink(missing_ok=True)
        return None


def state_of(network: nn.Module, images: Tensor) -> Any:
    """What an output's tiles share, as of `TrainedOutput.state`; None of a network alone."""
    return network.state(images) if isinstance(network, TrainedOutput) else None


def graph_of(network: nn.Module, images: Tensor, state: Any = None) -> StateGraph:
    """A network as a graph for images like these (B, C, H, W), with a state like the one that is given or measured."""
    with torch.inference_mode(False), torch.no_grad():
        state = state_of(network, images) if state is None else state
        plain = pytree.tree_map_only(Tensor, lambda each: each.clone(), state)
        multiple = int(getattr(network, "multiple", 1))
        side = -(-EXAMPLE // multiple) * multiple  # two of them, or torch takes one for the only number there is
        example = smooth((2, images.shape[1], side, side + multiple), torch.Generator().manual_seed(0))
        return StateGraph(network, example, plain)
