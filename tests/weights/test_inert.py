"""Files of other training codes: their tensors are read, nothing in them runs, and no file takes more than it has."""

from __future__ import annotations

import argparse
import pickle
import resource
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub

from toolbox.io.errors import UserError
from toolbox.weights.checkpoint import ForeignClasses, read_checkpoint
from toolbox.weights.file import read_weights
from toolbox.weights.importing import load_network
from toolbox.weights.inert import read_inert
from toolbox.weights.inert_pickle import STEPS, Inert
from weight_files import STATE, rrdbnet, saved

GIB = 1 << 30


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@contextmanager
def little_memory(allowed: int = GIB) -> Iterator[None]:
    """No more address space than now and what is allowed."""
    pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages + allowed, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def with_pickle(pickled: bytes, path: Path) -> Path:
    """An archive as torch writes it, with any pickle in it."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", bytes(16))
    return path


def foreign() -> dict[str, Any]:
    hub = MessageHub.get_instance("foreign")
    hub.update_scalar("train/loss", 0.5)
    return {
        "message_hub": hub.state_dict(),
        "best": np.float64(28.1),
        "args": argparse.Namespace(lr=1e-4),
        "root": PurePosixPath("/data"),
        "seen": {1, 2},
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", sorted(foreign()))
def test_the_tensors_beside_objects_of_other_classes_are_read(name: str, zipped: bool, tmp_path: Path) -> None:
    file = tmp_path / "other.pth"
    content = {"epoch": 3, "params": STATE, name: foreign()[name]}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    if name != "seen":  # sets are plain to torch
        with pytest.raises(ForeignClasses, match="refused, because it holds more than tensors"):
            read_checkpoint(file)
    read = read_inert(file)
    assert read["epoch"] == 3
    assert {key: value.tolist() for key, value in read["params"].items()} == {
        key: value.tolist() for key, value in STATE.items()
    }
    images = torch.rand(1, 3, 8, 8)
    assert torch.equal(load_network(file)(images), rrdbnet().eval()(images))


def test_parameters_views_and_every_type_of_number_are_read_as_torch_reads_them(tmp_path: Path) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    tagged = torch.nn.Parameter(torch.ones(2, 2))
    tagged.no_decay = True  # pyright: ignore[reportAttributeAccessIssue]
    content = {
        "view": base.t()[1:], "base": base, "parameter": torch.nn.Parameter(base), "tagged": tagged,
        "empty": torch.empty(0, 3), "scalar": torch.tensor(7), "half": base.half(), "bfloat": base.bfloat16(),
        "bytes": base.byte(), "flags": base > 3, "ordered": OrderedDict(a=base), "size": base.shape,
    }  # fmt: skip
    for zipped in (True, False):
        file = tmp_path / f"{zipped}.pth"
        torch.save({**content, "other": Calls(print, 1)}, file, _use_new_zipfile_serialization=zipped)
        read = read_inert(file)
        for key in content.keys() - {"ordered", "size"}:
            assert read[key].dtype == content[key].dtype and torch.equal(read[key], content[key]), key
        assert torch.equal(read["ordered"]["a"], base) and tuple(read["size"]) == (3, 4)
        assert type(read["other"]) is Inert


def test_nothing_that_a_file_names_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    import os

    make = "open('ran', 'w').close()"
    chain = Calls(getattr, Calls(__import__, "os"), "system")
    hostile = (
        Calls(os.system, "touch ran"),
        Calls(eval, make),
        Calls(exec, make),
        Calls(getattr, Calls(__import__, "builtins"), "eval"),
        Calls(map, chain, ["touch ran"]),
        Calls(Calls, Calls(open, "ran", "w")),
        Calls(torch.load, "other.pth"),
        {"deep": [Calls(open, "ran", "w")] * 3},
    )
    for number, each in enumerate(hostile):
        for zipped in (True, False):
            file = tmp_path / f"{number}.pth"
            torch.save({"params": STATE, "x": each}, file, _use_new_zipfile_serialization=zipped)
            assert load_network(file).scale == 4  # pyright: ignore[reportAttributeAccessIssue]
    handmade = b"cos\nsystem\n(S'touch ran'\ntR0(S'touch ran'\nios\nsystem\n0(cos\nsystem\nS'touch ran'\no0}."
    assert read_inert(with_pickle(handmade, tmp_path / "handmade.pth")) == {}
    assert not Path("ran").exists()


def test_what_a_stand_in_is_given_is_thrown_away() -> None:
    assert not Inert.__slots__ and not hasattr(Inert(), "__dict__") and not callable(Inert())


def tensor(storage: str, rest: bytes) -> bytes:
    """A pickle of one tensor; `storage` is how many numbers the storage claims, `rest` offset, sizes and strides."""
    claimed = b"I%s\n" % storage.encode()
    return (
        b"\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu"
        + claimed + b"tQ" + rest + b"\x89}tRs."
    )  # fmt: skip


BOMBS = {
    "four gigabytes of bytearray": b"\x80\x05\x96" + struct.pack("<Q", 4 * GIB) + b"x.",
    "four gigabytes of bytes": b"\x80\x04\x8e" + struct.pack("<Q", 4 * GIB) + b"x.",
    "a frame of four gigabytes": b"\x80\x04\x95" + struct.pack("<Q", 4 * GIB) + b"N.",
    "a memo at two thousand million": b"\x80\x02Nr\xff\xff\xff\x7f.",
    "lists without end": b"\x80\x02" + b"]" * (STEPS + 2) + b".",
    "dictionaries of the same pairs": (
        b"\x80\x02](" + b"]" * 100_000 + b"eq\x00" + b"0ccollections\nOrderedDict\nh\x00\x85R" * 1000 + b"."
    ),
    "joined names without end": (
        b"\x80\x04" + pickle.BINUNICODE + struct.pack("<I", 10_000_000) + b"a" * 10_000_000
        + b"q\x00" + b"h\x00h\x00\x93" * 10_000 + b"."
    ),
    "more numbers than are stored": tensor("9999999999", b"K\x00(I9999999999\nt(K\x01t"),
    "a shape beyond its storage": tensor("4", b"K\x00(K\x04K\x04t(K\x04K\x01t"),
    "one number as a million": tensor("4", b"K\x00(I1000000\nt(K\x00t"),
    "a negative stride": tensor("4", b"K\x03(K\x04t(I-1\nt"),
    "an offset beyond its storage": tensor("4", b"K\x09(K\x01t(K\x01t"),
    "a shape that is no number": tensor("4", b"K\x00(NU\x01at(NNt"),
    "a stack that is empty": b"\x80\x02\x87.",
    "no end": b"\x80\x02}",
    "an unknown operation": b"\x80\x02\xff.",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_one_line_and_takes_little_memory(name: str, tmp_path: Path) -> None:
    file = with_pickle(BOMBS[name], tmp_path / "bomb.pth")
    with little_memory(), pytest.raises(UserError) as refused:
        read_inert(file)
    assert str(refused.value).startswith(str(file)) and "\n" not in str(refused.value)


def test_a_key_that_is_no_text_is_left_out_and_never_hashed(tmp_path: Path) -> None:
    for key in (b"\x85" * 900_000, b"2\x86" * 100):  # the first ends the process, the second takes 2**100 steps
        with little_memory():
            assert read_inert(with_pickle(b"\x80\x02})" + key + b"Ns.", tmp_path / "deep.pth")) == {}


def test_an_archive_that_claims_more_than_the_file_has_is_refused_before_it_is_read(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.pth"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("archive/data.pkl", bytes(200 << 20))
    assert bomb.stat().st_size < 1 << 20
    with little_memory(50 << 20), pytest.raises(UserError, match=r"bomb\.pth: its records are compressed"):
        read_weights(bomb)
    content = bytearray(saved({"params": STATE, "x": Calls(print)}, bomb).read_bytes())
    entry = content.rfind(b"PK\x01\x02")
    content[entry + 20 : entry + 28] = struct.pack("<II", 3 * GIB, 3 * GIB)
    bomb.write_bytes(content)
    with little_memory(), pytest.raises(UserError, match=r"bomb\.pth: its records claim more bytes than the file has"):
        read_weights(bomb)


def test_a_whole_model_and_files_of_other_kinds_say_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds one object and no state dict.*save its state_dict\(\)"):
        read_weights(saved(torch.nn.Linear(1, 1), tmp_path / "model.pth"))
    plain = tmp_path / "plain.pth"
    plain.write_bytes(pickle.dumps(Calls(print)))
    with pytest.raises(UserError, match=r"plain\.pth: is no checkpoint"):
        read_inert(plain)


def test_every_operation_that_python_writes_is_known(tmp_path: Path) -> None:
    content = {"a": [1, -2, 300, 70_000, 1 << 40, 1.5, None, True, b"x", "é", (1,), (1, 2), (1, 2, 3), (1,) * 9, ()]}
    content |= {"b": content["a"], "c": {}, "d": bytearray(b"xy") * 200}  # pyright: ignore[reportArgumentType]
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        expected = {key: value for key, value in content.items() if protocol > 4 or key != "d"}
        if protocol < 3:
            expected["a"] = [value for value in content["a"] if value != b"x"]  # a call of codecs.encode there
            expected["b"] = expected["a"]
        pickled = pickle.dumps(expected, protocol)
        assert read_inert(with_pickle(pickled, tmp_path / "plain.pth")) == expected
