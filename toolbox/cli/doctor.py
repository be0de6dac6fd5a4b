"""`doctor [CONFIG]`: look at the installation, the devices, the plugins, and what a config needs.

Nothing is imported here that may be missing: a broken installation is what this command is for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from toolbox.assembly.doctor import Finding, examine_installation, isolated
from toolbox.cli.parsers import Parser
from toolbox.io.visible import visible


def main(arguments: Sequence[str] | None = None) -> int:
    """Examine and print; returns 0, or 1 if anything is bad."""
    made = Parser(prog="gan-toolbox doctor", description=(__doc__ or "").splitlines()[0])
    made.add_argument("config", nargs="?", metavar="CONFIG", help="a YAML file whose data and weights are looked at")
    made.add_argument(
        "-p", dest="plugins", action="append", default=[], metavar="NAME",
        help="use a plugin: its name, a module or a .py file; -p no:NAME leaves one out",
    )  # fmt: skip
    made.add_argument(
        "--cfg-options", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="change the config"
    )
    made.add_argument("--work-dir", metavar="DIR", help="where the run would write")
    options = made.parse_args(arguments)
    findings = list(examine_installation(options.plugins))
    if options.config:
        findings += isolated("config", lambda: _config(options))
    _show(findings)
    return 1 if any(finding.state == "bad" for finding in findings) else 0


def _config(options: argparse.Namespace) -> Iterator[Finding]:
    from toolbox.assembly.doctor_config import examine_config
    from toolbox.cli.arguments import read_config, use_plugins

    config = read_config(options)
    use_plugins(options.plugins, config)
    yield from examine_config(config)


def _show(findings: list[Finding]) -> None:
    """Print the table, and a last line that counts."""
    counts = {state: sum(finding.state == state for finding in findings) for state in ("ok", "warn", "bad")}
    summary = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    try:
        from rich.table import Table

        from toolbox.io.console import console, styled
    except ImportError:  # without rich, the same in plain text
        for finding in findings:
            way_out = f" -> {finding.way_out}" if finding.way_out else ""
            print(visible(f"{finding.state:4} {finding.subject}: {finding.found}{way_out}"))
        print(summary)
        return
    table = Table()
    for column in ("", "what", "found", "way out"):
        table.add_column(column, overflow="fold")
    styles = {"ok": "good", "warn": "yellow", "bad": "bad"}
    for each in findings:
        state = styled((each.state, styles[each.state]))
        table.add_row(state, each.subject, each.found, each.way_out)
    console.print(table)
    console.print(summary)
