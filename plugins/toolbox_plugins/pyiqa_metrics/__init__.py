"""Metrics of the package pyiqa by name; its code stays outside, and its licence is for non-commercial use alone."""

from __future__ import annotations

from toolbox import Register, hookimpl


@hookimpl
def register_metrics(register: Register) -> None:
    from .metrics import IQA, ReferenceIQA

    register("IQA", IQA)
    register("ReferenceIQA", ReferenceIQA)
