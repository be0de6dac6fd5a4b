"""The hooks that every run has; a config changes their arguments, or writes null to do without one."""

from __future__ import annotations

from toolbox.engine.early_stop import EarlyStopHook
from toolbox.engine.guard import GuardHook
from toolbox.engine.progress import ProgressHook
from toolbox.engine.reporting import ReportHook
from toolbox.engine.samples import SamplesHook
from toolbox.engine.saving import CheckpointHook

DEFAULT_HOOKS: dict[str, type] = {
    "logger": ProgressHook,
    "checkpoint": CheckpointHook,
    "early_stop": EarlyStopHook,
    "samples": SamplesHook,
    "report": ReportHook,
    "guard": GuardHook,
}
"""By the names that a config's `default_hooks` has for them."""
