"""Arguments in a config are compared with the constructor: names, required ones, simple types."""

from __future__ import annotations

import abc
import collections.abc
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Optional, Union

import pytest
import torch
from torch import nn

from toolbox.config import check_arguments
from toolbox.config.values import describe, misfit, show
from toolbox.contracts.gan_variant import GanVariant
from toolbox.contracts.network import Generator
from toolbox.io.errors import ConfigError

if TYPE_CHECKING:
    from nowhere import Unknown  # pyright: ignore[reportMissingImports]


class RRDBNet(Generator):
    def __init__(
        self,
        *,
        scale: int,
        blocks: int = 23,
        lr: float = 0.1,
        norm: Literal["batch", "none"] = "none",
        sizes: Sequence[int] = (1, 2),
        pair: tuple[float, float] = (0.0, 1.0),
        weights: dict[str, float] | None = None,
        name: str | None = None,
        bias: bool = True,
        anything: Any = 0,
        untyped=3,
    ) -> None:
        raise AssertionError("the constructor must not run")


def check(arguments: Mapping[str, Any], component: type = RRDBNet, **options: Any) -> None:
    check_arguments(component, arguments, "model.generator", "c.yaml", **options)


def refusal(arguments: Mapping[str, Any], component: type = RRDBNet, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        check(arguments, component, **options)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_good_arguments_pass_without_a_call() -> None:
    check(
        {
            "type": "RRDBNet",
            "scale": 4,
            "lr": 1,
            "norm": "batch",
            "sizes": [3, 4],
            "pair": [0, 1.5],
            "weights": {"a": 1},
            "name": None,
            "anything": object(),
            "untyped": "x",
        }
    )


def test_an_unknown_argument_names_the_nearest_known_one() -> None:
    assert (
        refusal({"scale": 4, "bloks": 9})
        == "c.yaml: model.generator.bloks: RRDBNet has no such argument; did you mean 'blocks'?"
    )
    assert refusal({"qqq": 9}).endswith(
        "; known: anything, bias, blocks, lr, name, norm, pair, scale, sizes, untyped, weights"
    )


def test_a_missing_argument_is_named_at_the_component() -> None:
    assert (
        refusal({"type": "RRDBNet"}) == "c.yaml: model.generator: RRDBNet needs 'scale' too; write it beside its type"
    )


def test_the_first_mistake_in_the_order_written_is_the_one_reported() -> None:
    assert "model.generator.blocks: " in refusal({"blocks": "x", "bloks": 1})
    assert "model.generator.bloks: " in refusal({"bloks": 1, "blocks": "x"})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("blocks", "four", "blocks: wants an int, got 'four'"),
        ("blocks", True, "blocks: wants an int, got true"),
        ("blocks", 4.0, "blocks: wants an int, got 4.0; write 4"),
        ("blocks", 4.5, "blocks: wants an int, got 4.5"),
        ("blocks", None, "blocks: wants an int, got null"),
        ("lr", "1e-4", "lr: wants a number, got '1e-4'"),
        ("lr", False, "lr: wants a number, got false"),
        ("bias", 1, "bias: wants true or false, got 1"),
        ("norm", "bach", "norm: wants 'batch' or 'none', got 'bach'"),
        ("norm", None, "norm: wants 'batch' or 'none', got null"),
        ("sizes", 3, "sizes: wants a list, each an int, got 3"),
        ("sizes", "abc", "sizes: wants a list, each an int, got 'abc'"),
        ("sizes", {"a": 1}, "sizes: wants a list, each an int"),
        ("sizes", [1, "b"], "sizes.1: wants an int, got 'b'"),
        ("pair", [1.0], "pair: wants a list of 2, got [1.0]"),
        ("pair", [1.0, "x"], "pair.1: wants a number, got 'x'"),
        ("weights", {"relu": "x"}, "weights.relu: wants a number, got 'x'"),
        ("weights", [1], "weights: wants a mapping or null, got [1]"),
        ("name", 3, "name: wants text or null, got 3"),
        ("blocks", "a\nb" + "x" * 200, "blocks: wants an int, got 'a\\nbxxx"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(name: str, value: Any, message: str) -> None:
    assert refusal({"scale": 4, name: value}).startswith(f"c.yaml: model.generator.{message}")


def test_a_component_argument_wants_a_mapping_with_a_type() -> None:
    class Wrapper(GanVariant):
        def __init__(
            self, *, base: GanVariant, more: list[GanVariant] | None = None, net: Generator | None = None
        ) -> None:
            raise AssertionError

    check({"base": {"type": "Hinge"}, "more": [{"type": "R1", "weight": 1.0}], "net": None}, Wrapper)
    assert "generator.base: wants a GanVariant, written as {type: …}, got 'Hinge'" in refusal(
        {"base": "Hinge"}, Wrapper
    )
    assert "generator.base: wants a GanVariant" in refusal({"base": {"margin": 1}}, Wrapper)
    base = {"base": {"type": "Hinge"}}
    assert "generator.more.1: wants a GanVariant" in refusal({**base, "more": [{"type": "R1"}, "R2"]}, Wrapper)
    assert "generator.more: wants a list, each a GanVariant" in refusal({**base, "more": {"type": "R1"}}, Wrapper)
    assert "generator.net: wants a Generator" in refusal({**base, "net": "Unet"}, Wrapper)


def test_skipped_arguments_are_neither_checked_nor_demanded() -> None:
    check({"weight": "x", "pool": 5}, skip=("weight", "pool", "scale"))
    check({"scale": "whatever"}, skip=["scale"])


def test_the_file_may_be_asked_for_by_key() -> None:
    files = {"model.generator.bloks": "base.yaml", "model.generator.type": "top.yaml"}.get

    def file_of(key: str) -> str:
        return files(key) or "?"

    with pytest.raises(ConfigError, match=r"^base\.yaml: model\.generator\.bloks: "):
        check_arguments(RRDBNet, {"bloks": 1}, "model.generator", file_of)
    with pytest.raises(ConfigError, match=r"^top\.yaml: model\.generator: RRDBNet needs 'scale' too"):
        check_arguments(RRDBNet, {}, "model.generator", file_of)
    with pytest.raises(ConfigError, match=r"^bloks: RRDBNet"):
        check_arguments(RRDBNet, {"bloks": 1}, "", None)


class Bare:
    pass


class BareModule(nn.Module):
    pass


class BareContract(abc.ABC):  # noqa: B024
    pass


@pytest.mark.parametrize("component", [Bare, BareModule, BareContract])
def test_a_class_without_a_constructor_takes_no_arguments(component: type) -> None:
    check({"type": "X"}, component)
    assert f"{component.__name__} has no such argument; it takes none" in refusal({"x": 1}, component)


def test_constructors_of_other_kinds_are_understood() -> None:
    @dataclass
    class Data:
        x: int
        y: Optional[float] = None  # noqa: UP045

    class Old:
        def __init__(self, x: int, /, y: int, *rest: int, z: "Unknown" = 0, w: int = None, **more: Any) -> None:  # noqa: RUF013, UP037  # pyright: ignore
            raise AssertionError

    class New:
        def __new__(cls, x: int) -> New:
            raise AssertionError

    check({"x": 1, "y": 2}, Data)
    assert "x: wants an int, got 'a'" in refusal({"x": "a"}, Data)
    assert "needs 'x' too" in refusal({}, Data)
    check({"y": 1, "z": object(), "w": None, "other": 3}, Old)
    assert "y: wants an int" in refusal({"y": "a"}, Old)
    assert "x: wants an int" in refusal({"x": "a"}, New)
    check({"x": 1}, dict)


def test_torch_s_own_optimizers_are_understood() -> None:
    check({"lr": 1e-4, "betas": [0.5, 0.999], "foreach": None}, torch.optim.Adam, skip=("params",))
    assert "lr: wants a number, got 'fast'" in refusal({"lr": "fast"}, torch.optim.Adam, skip=("params",))
    assert "did you mean 'betas'?" in refusal({"beta": 1}, torch.optim.Adam, skip=("params",))


T = typing.TypeVar("T")
Size = typing.NewType("Size", int)


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (int, [0, -5], [True, 1.0, "1", None, [1]]),
        (float, [0, 1.5, -1], [True, "1", None]),
        (str, [""], [1, None, ["a"]]),
        (bool, [True, False], [0, 1, "true"]),
        (None, [None], [0, ""]),
        (type(None), [None], [0]),
        (Optional[int], [None, 1], ["x", True]),  # noqa: UP045
        (Union[int, str], [1, "x"], [1.5, None]),  # noqa: UP007
        (int | list[int], [1, [1, 2]], ["x", ["x"]]),
        (Literal[1, "a"], [1, "a"], [True, 1.0, "b"]),
        (list, [[], [1, "a"]], ["a", {}, 1, None]),
        (list[int], [[], [1]], [["a"], [True], 1]),
        (typing.List[int], [[1]], [["a"]]),  # noqa: UP006
        (tuple[int, ...], [[1, 2], (1,), []], [["a"], 1]),
        (tuple[int, str], [[1, "a"]], [[1], [1, "a", 2], ["a", 1]]),
        (Sequence[str], [["a"], ("a",)], ["a", [1]]),
        (collections.abc.Iterable[int], [[1], range(3)], ["abc", 3, {"a": 1}]),
        (list[list[float]], [[[1, 2.5]]], [[1], [["a"]]]),
        (dict, [{}, {"a": 1}], [[], "a"]),
        (dict[str, int], [{"a": 1}], [{"a": "b"}, []]),
        (Mapping[str, list[int]], [{"a": [1]}], [{"a": [None]}]),
        (dict[str, float | dict[str, float]], [{"a": 1, "b": {"c": 2}}], [{"a": "x"}, {"b": {"c": "x"}}]),
        (list[str] | None, [None, ["a"]], ["a", [1]]),
        (GanVariant, [{"type": "X"}], ["X", {}, None, 3]),
        (list[GanVariant] | GanVariant, [{"type": "X"}, [{"type": "X"}]], [["X"], "X"]),
        (float | torch.Tensor, [1.0], ["x"]),
        (Any, [1, None, object()], []),
        (object, [1, None], []),
        (Path, ["x", 3], []),
        (Callable[[int], int], ["x"], []),
        (T, [1, "x"], []),
        (Size, [1, "x"], []),
        (Annotated[int, "x"], [1], []),
        (torch.dtype, ["float32"], []),
    ],
)
def test_plain_values_against_annotations(annotation: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert misfit(value, annotation) is None, value
    for value in bad:
        found = misfit(value, annotation)
        assert found is not None, value
        assert len(str(found).splitlines()) == 1
    assert describe(annotation)


def test_values_are_shown_as_yaml_has_them_and_shortened() -> None:
    assert [show(value) for value in (None, True, 1e-4, "a", [1])] == ["null", "true", "0.0001", "'a'", "[1]"]
    assert len(show("x" * 500)) <= 60
