"""The hook that looks at a GAN's health while it trains."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, barrier, is_distributed
from mmengine.hooks import Hook
from torch import Tensor

from toolbox import UserError, did_you_mean
from toolbox.io.files import append_text, replace_text

from . import first_aid
from .curves import Curves
from .dashboard import draw
from .measures import aside, health
from .verdicts import NAMES, Look, Thresholds, Verdict, judge

GLANCE = 10
"""Iterations between two glances at the losses, which need no look of their own."""
PAINTED = 5
"""Looks between two pictures."""
FEW = 4
"""Images that diversity wants: with smaller batches, some before the look are kept for it."""


class HealthMonitor(Hook):
    """At the first and every `interval` iterations measures how D and G are, says what is wrong, and helps if asked to.

    Measured on the current batch, as a step of the run would see it (its precision, its checkpointing, one loss after
    the other, so in no more memory), but in evaluation mode: accuracy of each discriminator on real and fake (at its
    objective's boundary, or between the means), logit gap, gradient norms of every loss term, of the generators and of
    each discriminator, its penalties, its steepest slope between real and fake, the largest singular value of each
    network's layers, diversity, brightness and colour of the fakes beside the real ones. All of it goes to
    `health.jsonl`, to the visualizer (`health/...`) and to the picture `health.png` in the work folder, the main ones
    to the log. Losses that are not finite, or `growth` times as large as ever, have it look out of turn, within 10
    iterations. The run itself goes on bit for bit as without, until an action is taken. With several processes the
    measures are means over them, so all decide alike.

    Args:
        actions: what to do about a verdict, by its name (`d_wins`, `d_blind`, `exploding`, `collapse`,
            `vanishing`, `color_drift`, `not_finite`): one or several of `pause_discriminator`, `lower_rates` and
            `roll_back`.
        pause: iterations for which the discriminators rest.
        factor: of the rates, each time they are lowered.
        roll_backs: how often the run may roll back before it ends with an error.
        looks, sure, growth, faint, alike, shift: from where a measure is ill: looks in a row, accuracy of a
            discriminator that wins, growth over the median, share of the usual adversarial gradient, diversity over
            the real images', shift of brightness or colour.
    """

    priority = "NORMAL"  # before the logger's

    def __init__(
        self,
        *,
        interval: int = 100,
        actions: dict[str, str | list[str]] | None = None,
        pause: int = 100,
        factor: float = 0.5,
        roll_backs: int = 3,
        looks: int = 3,
        sure: float = 0.99,
        growth: float = 10.0,
        faint: float = 1e-3,
        alike: float = 0.5,
        shift: float = 0.25,
    ) -> None:
        if min(interval, pause, roll_backs, looks) < 1:
            raise UserError("interval, pause, roll_backs and looks must be at least 1")
        if not 0 < factor < 1:
            raise UserError(f"factor must be between 0 and 1, got {factor}")
        self.interval, self.pause, self.factor, self.most = interval, pause, factor, roll_backs
        self.limits = Thresholds(looks=looks, sure=sure, growth=growth, faint=faint, alike=alike, shift=shift)
        self.actions = {name: [each] if isinstance(each, str) else each for name, each in (actions or {}).items()}
        for name, each in self.actions.items():
            if name not in NAMES:
                raise UserError(
                    f"actions.{name}: no such verdict{did_you_mean(name, NAMES)}; known: {', '.join(NAMES)}"
                )
            for action in each:
                if action not in first_aid.ACTIONS:
                    known = ", ".join(first_aid.ACTIONS)
                    raise UserError(f"actions.{name}: no action {action!r}; known: {known}")
        self.rolls_back = any("roll_back" in each for each in self.actions.values())
        self.start()

    def start(self) -> None:
        """Nothing seen yet."""
        self.history: list[Look] = []
        self.curves = Curves()
        self.told: str | None = None
        self.verdicts = 0
        self.open: dict[str, str] = {}
        self.rolled_back = 0
        self.peaks: dict[str, float] = {}
        self.penalties: dict[str, Tensor] = {}
        self.near: deque[Any] = deque(maxlen=FEW - 1)
        self.folder: Path | None = None

    def before_train(self, runner: Any) -> None:
        """Go on with an earlier part's history, or begin anew; a look of a later iteration than this is forgotten."""
        self.start()
        self.folder = Path(runner.work_dir)
        self.slots = tuple(slot.replace("discriminator", "d") + "/" for slot in runner.algorithm.judged)
        self.device = next(runner.algorithm.parameters()).device
        file = self.folder / "health.jsonl"
        lines = file.read_text().splitlines() if file.is_file() and runner.iter else []
        lines = [line for line in lines if whole(line) and json.loads(line)["iteration"] <= runner.iter]
        for line in lines:
            entry = json.loads(line)
            self.history.append({name: float(value) for name, value in entry["measures"].items()})
            self.curves.add(self.history[-1])
            self.note(entry["iteration"], entry["verdicts"])
            self.open, self.rolled_back = entry["open"], entry["rolled_back"]
            if entry["acted"]:
                self.history.clear()
        if is_distributed():
            barrier()  # the others have read what rank 0 writes anew
        if runner.rank == 0:
            replace_text(file, "".join(f"{line}\n" for line in lines))
            if not runner.iter:
                for name in (first_aid.CANDIDATE, first_aid.HEALTHY):
                    (self.folder / name).unlink(missing_ok=True)
        if self.rolls_back and not runner.iter:
            first_aid.keep(runner, self.folder)  # twice: the beginning is healthy
            first_aid.keep(runner, self.folder)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Look, judge, speak, and help."""
        done = batch_idx + 1
        due = done % self.interval == 0 or done == 1
        outputs = {} if outputs is None else outputs
        for name in outputs:
            if name.startswith(self.slots) and not name.endswith(("/adversarial", "/real", "/fake")):
                self.penalties[name] = outputs[name]
        glimpsed = self.glance(outputs) if due or done % GLANCE == 0 else {}
        alarmed = self.alarming(glimpsed)
        if not due and not alarmed:
            self.remember(data_batch, done)
            return
        look = self.measure(runner, data_batch)
        # evaluation mode may hide it: what is not finite in the step itself counts as a measure too
        look |= {f"log/{name}": value for name, value in glimpsed.items() if not isfinite(value)}
        shown = {f"health/{name}": value for name, value in look.items()}
        brief = ("health/accuracy", "health/gap", "health/diversity")
        outputs |= {
            name: torch.tensor(value, device=self.device) for name, value in shown.items() if name.startswith(brief)
        }
        if runner.rank == 0:
            others = {name: value for name, value in shown.items() if name not in outputs}
            runner.visualizer.add_scalars(others, step=done)
        look["iteration"] = float(done)
        self.history.append(look)
        self.curves.add(look)
        self.decide(runner, done, due)

    def decide(self, runner: Any, done: int, due: bool) -> None:
        """Say what has become ill or well, act on it, and write it all down, however that ends."""
        verdicts = judge(self.history, self.limits)
        now = {f"{verdict.name} {verdict.place}": verdict.sentence for verdict in verdicts}
        fresh = [sentence for key, sentence in now.items() if key not in self.open]
        over = [key for key in self.open if key not in now]
        self.open = now
        self.note(done, fresh)
        if runner.rank == 0:
            for sentence in fresh:
                runner.logger.warning("iteration %d: health: %s", done, sentence)
            for key in over:
                runner.logger.info("iteration %d: health: no more %s", done, key)
        acts = [action for verdict in verdicts for action in self.actions.get(verdict.name, ())]
        self.rolled_back += "roll_back" in acts
        if runner.rank == 0:
            self.write(self.history[-1], fresh, done, bool(acts))
        self.help(runner, verdicts, acts, done, due)

    def note(self, iteration: int, sentences: list[str]) -> None:
        """Keep new verdicts for the picture and for the line at the end."""
        if sentences:
            self.curves.mark(iteration)
            self.verdicts, self.told = self.verdicts + len(sentences), sentences[-1]

    def glance(self, outputs: Mapping[str, Tensor]) -> dict[str, float]:
        """What the iteration logged, the mean over processes."""
        if not outputs:
            return {}
        values = torch.stack([value.detach().float() for value in outputs.values()])
        if is_distributed():
            all_reduce(values, "mean")
        return dict(zip(outputs, values.tolist(), strict=True))

    def alarming(self, glimpsed: Mapping[str, float]) -> bool:
        """Whether a loss is not finite, or many times as large as at any glance before."""
        found = False
        for name, value in glimpsed.items():
            if not isfinite(value):
                found = True
            elif name.startswith("g/") or name.endswith("/adversarial"):
                peak = self.peaks.get(name)
                found |= peak is not None and abs(value) > self.limits.growth * max(peak, 1e-3)
                self.peaks[name] = max(abs(value), peak or 0.0)
        return found

    def remember(self, batch: Any, done: int) -> None:
        """Keep a batch for the next look, if that is near and batches are small."""
        size = max((len(value) for value in batch.values() if isinstance(value, Tensor)), default=FEW)
        if -done % self.interval < -(-FEW // size):
            self.near.append(batch)

    def measure(self, runner: Any, batch: Any) -> dict[str, float]:
        """All measures of a batch, the mean over processes."""
        step = runner.optimizers["generator"]
        with aside(runner.algorithm), torch.enable_grad():
            found = health(runner.algorithm, batch, self.near, lambda: step.optim_context(runner.algorithm))
        found |= {f"penalty/{name}": value for name, value in self.penalties.items()}
        self.near.clear()
        self.penalties.clear()
        values = torch.stack([value.detach().float().to(self.device) for value in found.values()])
        if is_distributed():
            all_reduce(values, "mean")
        return dict(zip(found, values.tolist(), strict=True))

    def help(self, runner: Any, verdicts: list[Verdict], acts: list[str], done: int, due: bool) -> None:
        """Keep the state while all is well; else take the actions that the config has for the verdicts."""
        assert self.folder is not None
        if self.rolls_back and verdicts:
            first_aid.doubt(runner, self.folder)
        elif self.rolls_back and due:
            first_aid.keep(runner, self.folder)
        for action in sorted(set(acts), key=("roll_back", "lower_rates", "pause_discriminator").index):
            if action == "roll_back":
                told = first_aid.roll_back(runner, self.folder, self.rolled_back, self.most)
            elif action == "lower_rates":
                told = first_aid.lower_rates(runner, self.factor)
            else:
                told = first_aid.pause_discriminators(runner, self.pause)
            if runner.rank == 0:
                runner.logger.warning("iteration %d: health: %s", done, told)
        if acts:
            self.history.clear()  # what was usual before says nothing now
            self.open, self.peaks = {}, {}

    def write(self, look: Look, sentences: list[str], done: int, acted: bool) -> None:
        """One line more in health.jsonl, and the picture."""
        assert self.folder is not None
        entry = {
            "iteration": done,
            "measures": dict(look),
            "verdicts": sentences,
            "open": {} if acted else self.open,
            "acted": acted,
            "rolled_back": self.rolled_back,
        }
        append_text(self.folder / "health.jsonl", json.dumps(entry) + "\n")
        if len(self.history) % PAINTED == 0 or sentences:
            self.paint(self.folder)

    def paint(self, folder: Path) -> None:
        """The picture of the whole run."""
        if self.curves.spans:
            draw(self.curves, folder / "health.png", (self.told or "healthy so far")[:150])

    def after_train(self, runner: Any) -> None:
        """One line on the whole run."""
        if runner.rank == 0:
            last = f"{self.verdicts} verdicts, the last: {self.told}" if self.verdicts else "healthy throughout"
            still = "; still so at the end" if self.open else "; well again at the end" if self.verdicts else ""
            runner.logger.info("health: %s%s", last, still)

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """The picture is fresh beside every validation's samples."""
        if runner.rank == 0 and self.folder is not None:
            self.paint(self.folder)

    def release(self, runner: Any) -> None:
        """The picture, however the training ended."""
        if runner.rank == 0 and self.folder is not None and (self.folder / "health.jsonl").is_file():
            self.paint(self.folder)


def whole(line: str) -> bool:
    """Whether a line is JSON; a process that is killed may leave half of one."""
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
