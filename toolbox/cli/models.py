"""`models list|download NAME…|verify [NAME…]`: official weights, with where they lie, their hash, licence and size."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolbox.cli.parsers import Parser
from toolbox.io.errors import UserError

if TYPE_CHECKING:
    from toolbox.weights.official_models import OfficialModel


def main(arguments: Sequence[str] | None = None) -> int:
    """List, download or verify; returns 0, or 1 if `verify` finds something wrong."""
    made = Parser(
        prog="gan-toolbox models",
        description="Official weights: `models download NAME`, then `infer IMAGE -o DIR --weights NAME`.",
        epilog="They are kept in $TOOLBOX_CACHE, by default ~/.cache/gan-toolbox.",
    )
    actions = made.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="what there is, and what is here already")
    listing.add_argument("--long", action="store_true", help="with URLs, SHA-256 and where the licence stands")
    getting = actions.add_parser("download", help="download, resuming what broke off, and verify")
    getting.add_argument("names", nargs="+", metavar="NAME")
    getting.add_argument(
        "--from", dest="source", type=Path, metavar="FILE",
        help="without the network: what the URL gives (or a folder with the unpacked files), brought otherwise",
    )  # fmt: skip
    checking = actions.add_parser("verify", help="compare what is here with its SHA-256")
    checking.add_argument("names", nargs="*", metavar="NAME", help="by default everything that is here")
    options = made.parse_args(arguments)
    return {"list": _list, "download": _download, "verify": _verify}[options.action](options)


def _list(options: argparse.Namespace) -> int:
    from rich.table import Table

    from toolbox.inference.described import described_labels
    from toolbox.io.console import console
    from toolbox.weights.models import state_of
    from toolbox.weights.official_models import MODELS
    from toolbox.weights.shipped import shipped_models

    for name, file in shipped_models().items():
        card = file.with_name("README.md").read_text(encoding="utf-8").partition("\n\n")
        console.print(f"{name} (comes with the toolbox): {card[0].lstrip('# ')}", soft_wrap=True)
        if labels := described_labels(Path(name), None, "style"):
            picture = file.with_name("styles.jpg")
            shown = f"; {picture} shows them" if picture.is_file() else ""
            console.print(f"  infer --style {', '.join(labels)}{shown}", soft_wrap=True, markup=False)
        if options.long:
            console.print_lines(card[2])
    if options.long:
        for model in MODELS.values():
            console.print(f"{model.name}: {model.what}", soft_wrap=True)
            for label, value in _facts(model):
                console.print(f"  {label}: {value}", soft_wrap=True)
        return 0
    table = Table("name", "what", "MB", "licence", "here")
    for model in MODELS.values():
        table.add_row(model.name, model.what, f"{model.size / 1e6:.1f}", model.licence, state_of(model))
    console.print(table)
    return 0


def _facts(model: OfficialModel) -> list[tuple[str, str]]:
    from toolbox.weights.models import files_of, state_of

    facts = [("from", model.url), ("licence", f"{model.licence} (by {model.licence_source})")]
    if model.archive_sha256:
        facts.append(("archive", f"{model.archive_size} bytes, SHA-256 {model.archive_sha256}"))
    facts += [(file.name, f"{file.size} bytes, SHA-256 {file.sha256}") for file in model.files]
    try:
        return [*facts, ("here", f"{state_of(model)}: {files_of(model)[0]}")]
    except UserError as error:  # an account without a home has no cache
        return [*facts, ("here", f"{state_of(model)}: {error}")]


def _download(options: argparse.Namespace) -> int:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from toolbox.io.console import console, errors
    from toolbox.weights.models import download, find_model

    models = [find_model(name) for name in dict.fromkeys(options.names)]
    if options.source and len(models) > 1:
        raise UserError("--from: holds one model; name one")
    if options.source and not options.source.exists():
        raise UserError(f"--from {options.source}: there is no such file")

    def had(model: OfficialModel) -> Path:
        columns = (TextColumn(model.name, markup=False), BarColumn(), DownloadColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task(model.name, total=model.size)
            told = lambda done, total: bar.update(task, completed=done, total=total)  # noqa: E731
            return download(model, source=options.source, progress=told)

    for model in models:
        try:
            file = had(model)
        except UserError as error:
            if options.source or not model.twin:
                raise
            errors.print(f"note: {error}; taking {model.twin}, the same weights from another host", soft_wrap=True)
            model = find_model(model.twin)
            file = had(model)
        use = (
            f"infer IMAGE -o DIR --weights {model.name}" if model.importable else "it is no generator that can be used"
        )
        console.print(f"{file} ({model.licence}; {use})", soft_wrap=True)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from toolbox.io.console import console, errors
    from toolbox.weights.models import files_of, find_model, problem_of, state_of
    from toolbox.weights.official_models import MODELS

    models = [find_model(name) for name in options.names] or [
        model for model in MODELS.values() if state_of(model) != "absent"
    ]
    wrong = 0
    for model in models:
        problem = problem_of(model)
        wrong += problem is not None
        if problem:
            errors.print(f"error: {model.name}: {problem}; gan-toolbox models download {model.name}",
                         soft_wrap=True)  # fmt: skip
        else:
            console.print(f"{model.name}: right, {files_of(model)[0].parent}", soft_wrap=True)
    if not models:
        console.print("nothing is here yet; gan-toolbox models list shows what there is")
    return 1 if wrong else 0
