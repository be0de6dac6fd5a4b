"""The hook that looks at a GAN's health while it trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, is_distributed
from mmengine.hooks import Hook

from toolbox.errors import UserError, did_you_mean

from . import first_aid
from .dashboard import draw
from .measures import aside, health
from .verdicts import NAMES, Look, Thresholds, Verdict, judge


class HealthMonitor(Hook):
    """At the first and every `interval` iterations measures how D and G are, says what is wrong, and helps if asked to.

    Measured on the current batch, in evaluation mode: accuracy of each discriminator on real and fake (at its
    objective's boundary, or between the means), logit gap, gradient norms of every loss term, of the generators and of
    each discriminator, its steepest slope between real and fake, the largest singular value of each network's layers,
    diversity, brightness and colour of the fakes beside the real ones. All of it goes to `health.jsonl` and to the
    picture `health.png` in the work folder, the main ones to the log. The run itself goes on bit for bit as without,
    until an action is taken. With several processes the measures are means over them, so all decide alike.

    Args:
        actions: what to do about a verdict, by its name (`d_wins`, `exploding`, `collapse`, `vanishing`,
            `color_drift`, `not_finite`): one or several of `pause_discriminator`, `lower_rates` and `roll_back`.
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
        self.history: list[Look] = []
        self.marks: list[tuple[int, str]] = []
        self.open: set[str] = set()
        self.rolled_back = 0

    def before_train(self, runner: Any) -> None:
        """Go on with an earlier part's history, or begin anew; a look of a later iteration than this is forgotten."""
        self.folder = Path(runner.work_dir)
        self.history, self.marks, self.open, self.rolled_back = [], [], set(), 0
        file = self.folder / "health.jsonl"
        lines = file.read_text().splitlines() if file.is_file() and runner.iter else []
        for line in lines:
            entry = json.loads(line)
            if entry["iteration"] <= runner.iter:
                self.history.append({name: float(value) for name, value in entry["measures"].items()})
                self.marks += [(entry["iteration"], sentence) for sentence in entry["verdicts"]]
                self.rolled_back = entry["rolled_back"]
        if runner.rank == 0:
            kept = [line for line in lines if json.loads(line)["iteration"] <= runner.iter]
            file.write_text("".join(f"{line}\n" for line in kept))
            if not runner.iter:
                for name in (first_aid.CANDIDATE, first_aid.HEALTHY):
                    (self.folder / name).unlink(missing_ok=True)
        if self.rolls_back and not runner.iter:
            first_aid.keep(runner, self.folder)  # twice: the beginning is healthy
            first_aid.keep(runner, self.folder)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Look, judge, speak, and help."""
        done = batch_idx + 1
        if done % self.interval and done != 1:
            return
        look = self.measure(runner, data_batch)
        look["iteration"] = float(done)
        self.history.append(look)
        verdicts = judge(self.history, self.limits)
        if outputs is not None:
            shown = ("accuracy", "gap", "diversity")
            for name, value in look.items():
                if name.startswith(shown):
                    outputs[f"health/{name}"] = torch.tensor(value)
        fresh = [verdict for verdict in verdicts if verdict.place + verdict.name not in self.open]
        self.open = {verdict.place + verdict.name for verdict in verdicts}
        for verdict in fresh:
            self.marks.append((done, verdict.sentence))
            if runner.rank == 0:
                runner.logger.warning("iteration %d: health: %s", done, verdict.sentence)
        acted = self.help(runner, verdicts, done)
        if runner.rank == 0:
            self.write(look, [verdict.sentence for verdict in fresh], done)
        if acted:
            self.history.clear()  # what was usual before says nothing now
            self.open.clear()

    def measure(self, runner: Any, batch: Any) -> dict[str, float]:
        """All measures of a batch, the mean over processes."""
        with aside(runner.algorithm), torch.enable_grad():
            found = health(runner.algorithm, batch)
        names = list(found)
        values = torch.stack([found[name].detach() for name in names])
        if is_distributed():
            all_reduce(values, "mean")
        return dict(zip(names, values.tolist(), strict=True))

    def help(self, runner: Any, verdicts: list[Verdict], done: int) -> bool:
        """Keep the state while all is well; else take the actions that the config has for the verdicts."""
        wanted = [action for verdict in verdicts for action in self.actions.get(verdict.name, ())]
        if self.rolls_back:
            first_aid.doubt(runner, self.folder) if verdicts else first_aid.keep(runner, self.folder)
        for action in sorted(set(wanted), key=("roll_back", "lower_rates", "pause_discriminator").index):
            if action == "roll_back":
                self.rolled_back += 1
                told = first_aid.roll_back(runner, self.folder, self.rolled_back, self.most)
            elif action == "lower_rates":
                told = first_aid.lower_rates(runner, self.factor)
            else:
                told = first_aid.pause_discriminators(runner, self.pause)
            if runner.rank == 0:
                runner.logger.warning("iteration %d: health: %s", done, told)
        return bool(wanted)

    def write(self, look: Look, sentences: list[str], done: int) -> None:
        """One line more in health.jsonl, and the picture."""
        entry = {"iteration": done, "measures": dict(look), "verdicts": sentences, "rolled_back": self.rolled_back}
        with open(self.folder / "health.jsonl", "a") as file:
            file.write(json.dumps(entry) + "\n")
        if len(self.history) % 5 == 0 or sentences:
            self.paint()

    def paint(self) -> None:
        """The picture of the whole run."""
        lines = (self.folder / "health.jsonl").read_text().splitlines()
        looks = [json.loads(line)["measures"] for line in lines]
        title = self.marks[-1][1] if self.marks else "healthy so far"
        draw(looks, self.marks, self.folder / "health.png", title[:110])

    def after_train(self, runner: Any) -> None:
        """The picture, and one line on the whole run."""
        if runner.rank == 0 and (self.folder / "health.jsonl").is_file() and self.history:
            self.paint()
            told = f"{len(self.marks)} verdicts, the last: {self.marks[-1][1]}" if self.marks else "healthy throughout"
            runner.logger.info("health: %s", told)
