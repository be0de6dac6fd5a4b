"""A component that does not give what its contract asks is named in one line, and nobody pays for the look."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from matrix import algorithm_class
from toolbox import ConfigError, Generator, UserError, Values
from toolbox.testing import assemble, batch_for, optimizers_for
from toolbox.testing.networks import TinyGenerator
from toolbox.testing.objective import LeastSquares
from toolbox.training.feature_passes import asked
from toolbox.training.misuse import logits_of, value_of, wrong_call, wrong_size


def step(model: Any, size: int = 32) -> None:
    model.train_step(batch_for(model, size=size), optimizers_for(model))


class Bare(nn.Module):
    """A discriminator that forgets the list."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.only = nn.Conv2d(channels, 1, 4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.only(images)


class Halving(Generator):
    """Takes multiples of 4 alone: halves twice, enlarges twice, adds."""

    multiple = 4

    def __init__(self) -> None:
        super().__init__()
        self.only = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        small = nn.functional.avg_pool2d(self.only(images), 4)
        return images + nn.functional.interpolate(small, scale_factor=4)


def test_a_discriminator_that_returns_a_tensor_is_told_to_return_a_list() -> None:
    model = assemble(algorithm_class("SRGAN"), LeastSquares, discriminator=Bare)
    with pytest.raises(UserError) as caught:
        step(model)
    assert str(caught.value) == (
        "Bare: forward gives a tensor (2, 1, 16, 16), and a discriminator gives a list of logits, one tensor (B, ...) "
        "for each scale; return [logits]"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [(None, "a NoneType"), ([], "an empty list"), ([1.0, "x"], "a list of float, str"), ({"a": 1}, "a dict")],
)
def test_whatever_else_is_no_list_of_tensors_is_described(given: Any, said: str) -> None:
    with pytest.raises(UserError, match=f"^Identity: forward gives {said}, and"):
        logits_of(nn.Identity(), given)


def test_a_value_that_translate_did_not_make_is_named_with_who_wants_it() -> None:
    class Forgetful(algorithm_class("SRGAN")):
        """Misspells what it makes."""

        def translate(self, values: Values) -> None:
            super().translate(values)
            values["srr"] = values.pop("sr")

    said = r"^Forgetful: {} wants 'sr', which translate did not make; did you mean 'srr'\?$"
    with pytest.raises(UserError, match=said.format("discriminator")):
        step(assemble(Forgetful, LeastSquares))
    model = assemble(Forgetful, LeastSquares)
    model.judged = {}
    with pytest.raises(UserError, match=said.format(r"\w+")):
        step(model)
    assert value_of({"a": 1}, "a", model, "pixel") == 1


def test_a_missing_value_is_named_where_losses_share_a_feature_network_too() -> None:
    class Forgetful(algorithm_class("SRGAN")):
        """Makes nothing."""

        def translate(self, values: Values) -> None: ...

    model = assemble(Forgetful, LeastSquares)
    model.judged = {}
    loss = SimpleNamespace(module=SimpleNamespace(asks=lambda *values: []))
    model.parts.losses["pixel"] = [loss]  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match=r"^Forgetful: pixel wants 'sr', which translate did not make"):
        [*asked(model, {"hr": torch.zeros(1)})]


def test_a_crop_that_a_network_does_not_take_is_named_with_its_multiple() -> None:
    model = assemble(algorithm_class("CycleGAN"), LeastSquares, generator=lambda scale: Halving())
    step(model)
    with pytest.raises(ConfigError) as caught:
        step(model, size=30)
    assert str(caught.value).startswith(
        "train_dataloader.dataset: 'real_a' is 30x30, and generator_ab (Halving) takes multiples of 4; crop the images "
        "to such a size (RuntimeError: "
    )


def test_a_second_network_is_asked_for_the_size_that_reaches_it() -> None:
    model: Any = assemble(algorithm_class("Cascade"), LeastSquares)
    slots = model.outputs[next(iter(model.outputs))].networks
    setattr(model, slots[0], TinyGenerator(scale=2))
    setattr(model, slots[1], Halving())
    source = model.outputs[next(iter(model.outputs))].source
    assert wrong_size(model, {source: torch.zeros(1, 3, 6, 6)}) is None  # 12 is a multiple of 4
    found = wrong_size(model, {source: torch.zeros(1, 3, 5, 6)})
    assert found is not None and f"'{source}' is 5x6 and comes as 10x12, and {slots[1]} (Halving) takes" in found


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    class Failing(TinyGenerator):
        """Has a mistake inside."""

        def forward(self, images: Tensor, strength: Tensor | None = None) -> Tensor:
            raise RuntimeError("a mistake of its own")

    model = assemble(algorithm_class("CycleGAN"), LeastSquares)
    model.generator_ab = Failing()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(RuntimeError, match=r"^a mistake of its own$"):
        step(model)
    assert wrong_call(TypeError("unsupported operand type(s) for +: 'int' and 'str'")) is None


def test_a_method_of_other_arguments_is_one_line() -> None:
    class Demanding(TinyGenerator):
        """Wants a mask too."""

        def forward(self, images: Tensor, mask: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
            return images * mask

    model = assemble(algorithm_class("CycleGAN"), LeastSquares)
    model.generator_ab = Demanding()  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(UserError, match=r"Demanding\.forward\(\) missing 1 required positional argument: 'mask'.*; the "
                       r"toolbox calls forward with what the algorithm gives$"):  # fmt: skip
        step(model)


class Counting(TorchDispatchMode):
    """Counts every operation, those that wait for the device among them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls.append(str(func))
        return func(*args, **(kwargs or {}))


def test_the_checks_run_no_operation_on_any_tensor() -> None:
    model = assemble(algorithm_class("CycleGAN"), LeastSquares)
    logits, values = [torch.rand(2, 1, 4, 4)], {name: torch.rand(2, 3, 32, 32) for name in ("real_a", "real_b")}
    with Counting() as counting:
        logits_of(model, logits)
        value_of(values, "real_a", model, "x")
        wrong_size(model, values)
    assert counting.calls == []
