"""Applying a trained network to pictures: `load("x4.pth")(array)`, or many files with `translate`.

Names are looked up when they are used: a plan of files is made, and most mistakes are told, before torch is there.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOME = {
    "Job": "toolbox.inference.planning",
    "Options": "toolbox.inference.options",
    "Plan": "toolbox.inference.planning",
    "Predictor": "toolbox.inference.predictor",
    "blend_of": "toolbox.inference.blending",
    "chosen_of": "toolbox.inference.chosen",
    "load": "toolbox.inference.loading",
    "load_algorithm": "toolbox.assembly.loading",
    "plan": "toolbox.inference.planning",
    "translate": "toolbox.inference.files",
    "usable_device": "toolbox.assembly.loading",
}
__all__ = [
    "Job", "Options", "Plan", "Predictor", "blend_of", "chosen_of", "load", "load_algorithm", "plan", "translate",
    "usable_device",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"toolbox.inference has no {name}")
    return getattr(import_module(_HOME[name]), name)


if TYPE_CHECKING:
    from toolbox.assembly.loading import load_algorithm as load_algorithm
    from toolbox.assembly.loading import usable_device as usable_device
    from toolbox.inference.blending import blend_of as blend_of
    from toolbox.inference.chosen import chosen_of as chosen_of
    from toolbox.inference.files import translate as translate
    from toolbox.inference.loading import load as load
    from toolbox.inference.options import Options as Options
    from toolbox.inference.planning import Job as Job
    from toolbox.inference.planning import Plan as Plan
    from toolbox.inference.planning import plan as plan
    from toolbox.inference.predictor import Predictor as Predictor
