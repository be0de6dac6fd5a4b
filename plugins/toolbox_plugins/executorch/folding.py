"""Programs of one size without what depends on the size alone: for runtimes that compute images and little else."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.utils import _pair

from toolbox import Graph

aten: Any = torch.ops.aten
SELECTS = (aten.index_select.default, aten.index.Tensor)
SUMS = (aten.add.Tensor, aten.sub.Tensor)


def folded(graph: Graph, more: Mapping[Any, Any] | None = None, *, slices: bool = False) -> fx.GraphModule:
    """A graph for the sizes of its examples: `module(*examples)`, with copies of the weights, contiguous.

    What does not depend on the inputs is computed here. `more` are decompositions, beside those of variances. With
    `slices`, selections of rows and columns, which are how images are continued beyond their edge, are slices joined.

    Raises:
        UserError: the network cannot be told in a graph.
    """
    program = graph.program(fixed=True)
    module: Any = program.run_decompositions({**VARIANCES, **(more or {})}).module(check_guards=False)
    constants: dict[fx.Node, Any] = {}
    for node in list(module.graph.nodes):
        if node.op == "get_attr":
            value = operator.attrgetter(node.target)(module)
            if isinstance(value, Tensor):
                constants[node] = value
        elif node.op == "call_function" and _is_constant(node, constants):
            with torch.no_grad():
                args, named = fx.map_arg((node.args, node.kwargs), constants.__getitem__)
                constants[node] = node.target(*args, **named)
    for node in list(module.graph.nodes):
        if node.op != "call_function" or node.target is aten._assert_tensor_metadata.default:
            continue
        if isinstance(constants.get(node), Tensor) and any(user not in constants for user in node.users):
            constants[_hold(module, node, constants[node])] = constants[node]
        elif node.target in SELECTS and node not in constants:
            _slice(module.graph, node, constants, slices)
        elif node.target in SUMS and "alpha" in node.kwargs:
            _weigh(module.graph, node)
    for node in module.graph.find_nodes(op="call_function", target=aten._assert_tensor_metadata.default):
        module.graph.erase_node(node)
    module.graph.eliminate_dead_code()
    _copy(module)
    module.recompile()
    return module


def _moments(
    images: Tensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Variance and mean, as two operators."""
    return torch.var(images, dim, correction=correction, keepdim=keepdim), torch.mean(images, dim, keepdim=keepdim)


def _unbiased_moments(images: Tensor, dim: Any, unbiased: bool = True, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    return _moments(images, dim, correction=int(unbiased), keepdim=keepdim)


VARIANCES = {aten.var_mean.correction: _moments, aten.var_mean.dim: _unbiased_moments}


def cut(
    images: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """A transposed convolution as one without padding, whose edges are cut off."""
    made = aten.convolution(images, weight, bias, _pair(stride), [0, 0], _pair(dilation), True, [0, 0], groups)
    for axis, less, more in zip((2, 3), _pair(padding), _pair(output_padding), strict=True):
        made = made.narrow(axis, less, made.shape[axis] - 2 * less + more)
    return made


def _is_constant(node: fx.Node, constants: dict[fx.Node, Any]) -> bool:
    random = isinstance(node.target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags
    return not random and all(each in constants for each in node.all_input_nodes)


def _hold(module: fx.GraphModule, node: fx.Node, value: Tensor) -> fx.Node:
    """Put a constant in the place of a node."""
    name = f"folded_{node.name}"
    module.register_buffer(name, value.detach().clone().contiguous())
    with module.graph.inserting_before(node):
        held = module.graph.get_attr(name)
    node.replace_all_uses_with(held)
    return held


def _slice(graph: fx.Graph, node: fx.Node, constants: dict[fx.Node, Any], slices: bool) -> None:
    """Leave out a selection of everything; write any other, with `slices`, as what runs on, side by side."""
    found = _selection(node, constants)
    if found is None:
        return
    images, dim, places = found
    if places == list(range(images.meta["val"].shape[dim])):
        node.replace_all_uses_with(images)
    elif slices:
        with graph.inserting_before(node):
            parts = [graph.call_function(aten.slice.Tensor, (images, dim, *run)) for run in _runs(places)]
            made = graph.call_function(aten.cat.default, (parts, dim)) if len(parts) > 1 else parts[0]
        made.meta["val"] = node.meta["val"]
        node.replace_all_uses_with(made)


def _weigh(graph: fx.Graph, node: fx.Node) -> None:
    """`add(a, b, alpha=c)` as `add(a, b * c)`."""
    with graph.inserting_before(node):
        weighed = graph.call_function(aten.mul.Tensor, (node.args[1], node.kwargs["alpha"]))
    node.args, node.kwargs = (node.args[0], weighed), {}


def _selection(node: fx.Node, constants: dict[fx.Node, Any]) -> tuple[Any, int, list[int]] | None:
    """Images, the dimension and the places that are selected; None where they are no constant list."""
    images: Any
    dim: Any
    index: Any
    if node.target is aten.index_select.default:
        images, dim, index = node.args
    else:
        indices: Any
        images, indices = node.args
        given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
        if len(given) != 1:
            return None
        dim, index = given[0]
    value = constants.get(index)
    if value is None or value.dim() != 1 or value.dtype == torch.bool:
        return None
    length = images.meta["val"].shape[dim]
    return images, dim % images.meta["val"].dim(), [int(place) % length for place in value]


def _runs(places: list[int]) -> list[tuple[int, int]]:
    """`[1, 0, 0, 1, 2]` as `[(1, 2), (0, 1), (0, 3)]`: beginnings and ends."""
    runs = [(places[0], places[0] + 1)]
    for place in places[1:]:
        if place == runs[-1][1]:
            runs[-1] = (runs[-1][0], place + 1)
        else:
            runs.append((place, place + 1))
    return runs


def _copy(module: fx.GraphModule) -> None:
    """Weights of its own: those of the network stay as they are, in whatever order they lie in memory."""
    for part in module.modules():
        for name, value in list(part._parameters.items()):
            if value is not None:
                setattr(part, name, nn.Parameter(value.detach().clone(memory_format=torch.contiguous_format)))
