"""oneDNN keeps a bounded number of kernels, and what the environment says counts."""

from __future__ import annotations

import os

import pytest

from toolbox.engine.memory import bound_kernels


def test_the_kernels_that_are_kept_are_bounded_unless_the_environment_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"
    monkeypatch.setenv(name, "7")
    bound_kernels(128)
    assert os.environ[name] == "7"
    monkeypatch.delenv(name)
    bound_kernels(128)
    assert os.environ[name] == "128"
