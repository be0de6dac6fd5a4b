"""A small machine that reads pickles and calls nothing that they name.

It knows some names of torch; an object of any other class, whatever it is made of, becomes `INERT`. Python's own
unpickler could be told so too, but ten bytes make it take gigabytes, and a deep key of a dictionary ends the process.
"""

from __future__ import annotations

import math
import pickletools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

STEPS = 1_000_000
"""The most operations of one pickle: about 25 a tensor, and one for each number of a list."""
DIMENSIONS = 16
LONGEST = 200
"""Characters of a name that is joined with another: a long one could be named again and again."""
STORAGES = {
    "DoubleStorage": torch.float64, "FloatStorage": torch.float32, "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16, "LongStorage": torch.int64, "IntStorage": torch.int32,
    "ShortStorage": torch.int16, "CharStorage": torch.int8, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}  # fmt: skip
DICTIONARIES = ("collections.OrderedDict", "collections.defaultdict")
PARAMETERS = ("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state")
OF_TYPE = "torch._tensor._rebuild_from_type_v2"
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING",
    "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
NOTHING = ("PROTO", "FRAME", "READONLY_BUFFER")
Storages = Callable[[str, torch.dtype, int], Tensor | None]
"""Gives a storage's numbers (N,) by its key, their type, and how many there are at least; None makes tensors inert."""


class Inert:
    """Stands for whatever is no tensor, container, text or number; it holds nothing and does nothing."""

    __slots__ = ()


class Name(str):
    """A class or function that a pickle names, and that is never looked up."""

    __slots__ = ()


class Storage(NamedTuple):
    """Where a tensor's numbers are: the storage's key, their type, and how many it has by its own word."""

    key: str
    dtype: torch.dtype
    size: int


INERT = Inert()


def read_pickle(content: Any, storages: Storages) -> Any:
    """The object that a pickle describes; of dictionaries, what stands under text.

    `content` is bytes, or a mapped file that is read up to the pickle's end.

    Raises:
        ValueError: it is damaged, of more than `STEPS` operations, or a tensor of it claims more than is stored.
        LookupError, TypeError: it is damaged.
    """
    machine = _Machine(storages)
    for step, (operation, argument, _) in enumerate(pickletools.genops(content)):
        if step > STEPS:
            raise ValueError(f"its description has more than {STEPS} operations")
        machine.take(operation.name, argument)
    return machine.stack.pop()


class _Machine:
    """The stack, the marks in it, and what was set aside to be used again."""

    def __init__(self, storages: Storages) -> None:
        self.storages = storages
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.copied = 0

    def take(self, name: str, argument: Any) -> None:
        """Do one operation, named as in `pickletools`."""
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in EMPTY:
            self.stack.append(EMPTY[name]())
        elif name in TUPLES:
            self.stack[-TUPLES[name] :] = [tuple(self._several(TUPLES[name]))]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name not in NOTHING:
            getattr(self, f"_{name.lower()}", self._unknown)(argument)

    def _unknown(self, argument: Any) -> None:
        raise ValueError("its description has an operation that no training code writes")

    def _several(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("its description is cut short")
        return self.stack[-count:]

    def _marked(self) -> list[Any]:
        """Take what was put on the stack since the last mark."""
        start = self.marks.pop()
        taken = self.stack[start:]
        del self.stack[start:]
        return taken

    def _mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def _stop(self, _: Any) -> None:
        self._several(1)

    def _pop(self, _: Any) -> None:
        if self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
        else:
            self.stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._marked()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _memoize(self, _: Any) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    # ------------------------------------------------------------------ containers

    def _tuple(self, _: Any) -> None:
        self.stack.append(tuple(self._marked()))

    def _list(self, _: Any) -> None:
        self.stack.append(self._marked())

    def _dict(self, _: Any) -> None:
        items = self._marked()
        self.stack.append(_filled({}, items))

    def _append(self, _: Any) -> None:
        item = self.stack.pop()
        if type(self.stack[-1]) is list:
            self.stack[-1].append(item)

    def _appends(self, _: Any) -> None:
        items = self._marked()
        if type(self.stack[-1]) is list:
            self.stack[-1].extend(items)

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _filled(self.stack[-1], [key, value])

    def _setitems(self, _: Any) -> None:
        items = self._marked()
        _filled(self.stack[-1], items)

    def _empty_set(self, _: Any) -> None:
        self.stack.append(INERT)

    def _additems(self, _: Any) -> None:
        self._marked()

    def _frozenset(self, _: Any) -> None:
        self._marked()
        self.stack.append(INERT)

    # ------------------------------------------------------------------ names and what is made of them

    def _global(self, argument: str) -> None:
        self.stack.append(Name(argument.replace(" ", ".", 1)))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        known = type(name) is type(module) is str and len(name) + len(module) <= LONGEST
        self.stack.append(Name(f"{module}.{name}") if known else INERT)

    def _inst(self, _: Any) -> None:
        self._marked()
        self.stack.append(INERT)

    def _obj(self, _: Any) -> None:
        self._inst(None)

    def _ext1(self, _: Any) -> None:
        self.stack.append(INERT)

    _ext2 = _ext4 = _ext1

    def _newobj(self, _: Any) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        self.stack.append(self._made(made, arguments))

    _reduce = _newobj

    def _newobj_ex(self, _: Any) -> None:
        self.stack.pop()
        self._newobj(None)

    def _build(self, _: Any) -> None:
        self.stack.pop()  # an object's own attributes; those of a state dict are the versions of its layers
        self._several(1)

    def _persid(self, _: Any) -> None:
        self.stack.append(INERT)

    def _binpersid(self, _: Any) -> None:
        match self.stack.pop():
            case ("storage", Name() as kind, str() as key, _, int() as count, *view) if view in ([], [None]):
                dtype = STORAGES.get(kind.removeprefix("torch.")) if kind.startswith("torch.") else None
                self.stack.append(Storage(key, dtype, count) if dtype and len(key) <= LONGEST else INERT)
            case _:
                self.stack.append(INERT)

    def _made(self, name: Any, arguments: Any) -> Any:
        """What a call of the name would give; nothing is called but what is written here."""
        while name == OF_TYPE and type(name) is Name and type(arguments) is tuple and len(arguments) == 4:
            name, _, arguments, _ = arguments
        if type(name) is not Name or type(arguments) is not tuple:
            return INERT
        if name in DICTIONARIES:
            return _filled({}, self._pairs(arguments))
        if name in PARAMETERS and arguments and isinstance(arguments[0], Tensor):
            return arguments[0]
        if name == "torch.Size" and len(arguments) == 1 and type(arguments[0]) is tuple:
            return arguments[0]
        if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor") and len(arguments) >= 4:
            return self._tensor(*arguments[:4])
        return INERT

    def _pairs(self, arguments: tuple[Any, ...]) -> list[Any]:
        """Keys and values, in turns, of a dictionary that is made of a list of pairs, as Python 2 wrote them."""
        given = arguments[0] if arguments and type(arguments[0]) is list else []
        self.copied += len(given)
        if self.copied > STEPS:  # one list may be named again and again
            raise ValueError(f"its dictionaries have more than {STEPS} entries")
        return [part for pair in given if type(pair) in (list, tuple) and len(pair) == 2 for part in pair]

    def _tensor(self, storage: Any, offset: Any, sizes: Any, strides: Any) -> Any:
        if type(storage) is not Storage:
            return INERT
        if type(sizes) is not tuple or type(strides) is not tuple or not len(sizes) == len(strides) <= DIMENSIONS:
            raise ValueError("a tensor has no shape")
        if any(type(number) is not int or not 0 <= number < 1 << 63 for number in (offset, *sizes, *strides)):
            raise ValueError("a tensor has no shape")
        key, dtype, stored = storage
        reach = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True)) + 1
        if math.prod(sizes) and (reach > stored or math.prod(sizes) > stored):
            raise ValueError(f"a tensor claims shape {sizes} and stores {stored} numbers")
        whole = self.storages(key, dtype, stored)
        if whole is None:
            return INERT
        return whole.as_strided(sizes, strides, offset) if math.prod(sizes) else whole.new_empty(sizes)


def _filled(target: Any, items: list[Any]) -> Any:
    """Put keys and values, in turns, into a dictionary; keys that are no text are left out, and other targets are."""
    if len(items) % 2:
        raise ValueError("its description is cut short")
    if type(target) is dict:
        target.update((key, value) for key, value in zip(items[::2], items[1::2], strict=True) if type(key) is str)
    return target
