"""Conversions to ONNX, each made once: the longest part of an export to every format that begins with one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from onnx import ModelProto

from toolbox import Graph
from toolbox.assembly.graph import OutputGraph
from toolbox_plugins.onnx.conversion import onnx_model

CALLERS = ("toolbox_plugins.onnx.conversion.onnx_model", "toolbox_plugins.openvino.exporter.onnx_model")


def share_conversions(patch: pytest.MonkeyPatch) -> None:
    """The same network object with the same inputs and words is converted once; everybody gets a copy of the model."""
    made: dict[Hashable, tuple[bytes, Any]] = {}

    def once(graph: Graph) -> Any:
        if not isinstance(graph, OutputGraph):
            return onnx_model(graph)
        key = (graph.network, _inputs(graph), tuple(sorted(graph.metadata.items())))
        if key not in made:
            model = onnx_model(graph)
            made[key] = model.SerializeToString(), graph.inputs  # where a batch was counted, inputs are others now
        content, graph.inputs = made[key]
        return ModelProto.FromString(content)

    for each in CALLERS:
        patch.setattr(each, once)
    share_programs(patch)


def share_programs(patch: pytest.MonkeyPatch) -> None:
    """What torch has traced of a network for one format is handed on to the next, once: exporters may change it."""
    kept: dict[Hashable, Any] = {}
    trace = OutputGraph._traced

    def traced(graph: OutputGraph, fixed: bool) -> Any:
        key = (graph.network, graph.bytes, fixed, _inputs(graph))
        if key in kept:
            return kept.pop(key)
        kept[key] = program = trace(graph, fixed)
        return program

    patch.setattr(OutputGraph, "_traced", traced)


def _inputs(graph: Graph) -> Hashable:
    return tuple((each.name, each.example.shape, each.example.dtype, each.free) for each in graph.inputs)
