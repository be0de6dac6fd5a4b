"""`train` and `evaluate` as functions, for notebooks and scripts: the same checks, and plain objects for tables."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolbox.cli.arguments import use_plugins
from toolbox.config import Config, check_structure, find_config, load_config
from toolbox.io.errors import UserError

if TYPE_CHECKING:
    from toolbox.inference.predictor import Predictor


@dataclass(frozen=True)
class Run:
    """What a training has left: plain values, and the network as a function.

    Args:
        work_dir: its folder, with the merged config, checkpoints, samples and report.
        checkpoint: the last one.
        rows: the results of every evaluation that the report has, by its name; the do-nothing baseline stands first.
        protocols: of each metric, how it was measured.
        samples: sheets of pictures, in the order in which they were made.
    """

    work_dir: Path
    checkpoint: Path
    rows: Mapping[str, Mapping[str, float]]
    protocols: Mapping[str, str]
    samples: Sequence[Path]

    @property
    def metrics(self) -> Mapping[str, float]:
        """The results of the last evaluation; empty where nothing was measured."""
        return list(self.rows.values())[-1] if self.rows else {}

    def load(self, **options: Any) -> Predictor:
        """The trained network as a function of pictures; options as of `toolbox.load`: `chosen={"strength": 0.5}`."""
        from toolbox.inference.loading import load

        return load(config=load_config(self.work_dir / "config.yaml"), checkpoint=self.checkpoint, **options)

    def _repr_html_(self) -> str:
        """For notebooks: the results, and the last sheet of samples."""
        names = list(dict.fromkeys(name for row in self.rows.values() for name in row))
        lines = [f"<tr><th></th>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"]
        for title, row in self.rows.items():
            cells = "".join(f"<td>{row[name]:.4g}</td>" if name in row else "<td></td>" for name in names)
            lines.append(f"<tr><th>{escape(title)}</th>{cells}</tr>")
        table = f"<table>{''.join(lines)}</table>" if names else ""
        sheet = self.samples[-1] if self.samples else None
        picture = base64.b64encode(sheet.read_bytes()).decode() if sheet else ""
        shown = f'<img alt="samples" src="data:image/png;base64,{picture}">' if picture else ""
        return f"<p>{escape(str(self.work_dir))}</p>{table}{shown}"


def train(
    config: str | Path | Mapping[str, Any],
    changes: Mapping[str, Any] | None = None,
    *,
    work_dir: str | Path | None = None,
    resume: str | None = None,
    amp: bool = False,
    plugins: Sequence[str] = (),
    live: bool = True,
) -> Run:
    """Train a config to its end: `train("demo/style.yaml", {"train_cfg.max_iters": 200})`.

    In a notebook the cell shows curves, samples and the time left while it trains.

    Args:
        config: a file, the name of a shipped one, or a mapping like one (`_base_: toolbox:own/enlarge.yaml` in it is
            looked up among those that are shipped); a mapping needs `work_dir`.
        changes: dotted keys with their values, as of `--cfg-options`.
        work_dir: where checkpoints, samples and the report go; by default `work_dirs` and the file's name.
        resume: `auto` goes on from the newest checkpoint there; a file, from that one.
        amp: compute in bfloat16 where it is safe.
        plugins: names, modules or files, as of `-p`.
        live: False prints lines in a notebook too, as elsewhere.

    Raises:
        UserError: what is wrong with the config, its data or the checkpoint.
        RunFailed: the training cannot go on.
    """
    read = _read(config, {**(changes or {}), **({} if work_dir is None else {"work_dir": str(work_dir)})})
    check_structure(read)
    use_plugins(plugins, read)

    from toolbox.assembly.runner import work_dir_of
    from toolbox.cli import reported
    from toolbox.io.notebook import place_in_cell

    reported.train(read, resume=resume, amp=amp, show=place_in_cell() if live else None)
    return run_in(work_dir_of(read))


def run_in(work_dir: str | Path) -> Run:
    """What a training has left in its folder.

    Raises:
        UserError: it holds no checkpoint, or its report cannot be read.
    """
    from toolbox.io.files import read_json
    from toolbox.io.sheets import sheets
    from toolbox.weights.checkpoint import checkpoints

    folder = Path(work_dir)
    found = checkpoints(folder)
    if not found:
        raise UserError(f"{folder}: holds no checkpoint")
    report = read_json(folder / "report.json") if (folder / "report.json").is_file() else {}
    shown = [*sheets(folder).values()]
    return Run(folder, Path(found[0]), report.get("rows", {}), report.get("protocols", {}), shown)


def evaluate(
    predictions: str | Path,
    references: str | Path,
    metrics: Sequence[str | Mapping[str, Any]] = (),
    *,
    crop: int | None = None,
    channel: str | None = None,
    device: str = "cpu",
    plugins: Sequence[str] = (),
) -> dict[str, float]:
    """The mean of every metric over two folders of pictures, or two films, paired by name.

    Args:
        metrics: names, or `{"type": "PSNR", "channel": "RGB"}`; by default those of `gan-toolbox evaluate`.
        crop, channel: pixels cut from every side, and `Y` or `RGB`, of metrics that take them.

    Raises:
        UserError: a picture has no partner, is damaged or of another size, or a metric does not exist.
    """
    use_plugins(plugins)

    from toolbox.assembly.loading import usable_device
    from toolbox.benchmark.evaluate import build_metrics
    from toolbox.benchmark.folders import price_folders

    built, notes = build_metrics(list(metrics), crop=crop, channel=channel)
    if metrics and notes:  # a metric that was asked for
        raise UserError(notes[0].removeprefix("left out: "))
    prices = price_folders(Path(predictions), Path(references), built, device=usable_device(device))
    return {**prices.means(), **prices.sets}


def _read(config: str | Path | Mapping[str, Any], changes: Mapping[str, Any]) -> Config:
    if not isinstance(config, Mapping):
        return load_config(find_config(config), changes)
    if not (config.get("work_dir") or changes.get("work_dir")):
        raise UserError("train: a mapping has no name to call a folder by; give work_dir")
    from tempfile import TemporaryDirectory

    from toolbox.assembly.own_yaml import written

    with TemporaryDirectory() as folder:
        file = Path(folder) / "config.yaml"
        try:
            file.write_text(written(json.loads(json.dumps(config)), {}), encoding="utf-8")
        except (TypeError, ValueError) as error:
            raise UserError(f"train: a config holds text, numbers, lists and mappings alone ({error})") from None
        return load_config(file, changes)
