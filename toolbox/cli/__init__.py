"""The command line: `gan-toolbox train|test|infer|…`; each `tools/X.py` is the same function in a checkout.

Imports stay inside the functions: `plugins list` answers without torch, and a wrong config is refused before it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

TASKS = {
    "use": {
        "infer": "apply a trained network to pictures and films",
        "studio": "a local page to use networks, to watch trainings, and to compare",
        "models": "list, download and verify official weights",
        "export": "write the trained generators alone, with a description",
    },
    "train": {
        "new": "look at your own pictures, and write a config that learns from them",
        "train": "train a model from a YAML config",
        "test": "measure a checkpoint on the config's test data",
        "preview": "show what a config's degradation does to images",
    },
    "compare": {
        "benchmark": "train every combination of a grid, and compare them on one page",
        "repeat": "train a config with several seeds; mean and spread of the final checkpoints",
        "evaluate": "price a folder of images, from any program, against references",
    },
    "extend": {
        "plugins": "list plugins, show what they register, check one, begin one",
        "schema": "write a JSON Schema of configs, for editors",
        "completion": "print a script that completes commands and options: bash, zsh or fish",
        "doctor": "look at the installation, the devices and what a config needs",
    },
}
"""Every command, by what one wants to do."""
COMMANDS = {name: text for commands in TASKS.values() for name, text in commands.items()}
ALSO = {"new-plugin": ["plugins", "new"]}
"""Another name of a command, as `new` has led to expect."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code.

    0 done, 1 the run failed, 2 the user's input is wrong, and 128 + its number after a signal. A training that a
    signal stops saves first and has failed (1), as have the commands that train.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        return run("help") if arguments else run("help") or 2
    if arguments[0] in ("-V", "--version"):
        return run("version")
    command, *rest = [*ALSO.get(arguments[0], arguments[:1]), *arguments[1:]]
    return run(command, rest)


def run(command: str, arguments: Sequence[str] | None = None) -> int:
    """Run `command`; the user's mistakes become one line on standard error and exit code 2."""
    from toolbox.io.cache import allow_no_home
    from toolbox.io.streams import open_what_is_closed, outlasting_readers
    from toolbox.io.visible import show_what_can_be_shown

    open_what_is_closed()
    with outlasting_readers() as output:
        show_what_can_be_shown()
        allow_no_home()
        code = _run(command, arguments)
        sys.stdout.flush()
        problem = None if output is None else output.problem()
        if problem and code == 0:
            print(f"failed: standard output cannot be written ({problem})", file=sys.stderr)
            return 1
    return code


def _run(command: str, arguments: Sequence[str] | None) -> int:
    from toolbox.cli.limits import limits_told
    from toolbox.io.errors import RunFailed, Stopped, UserError, did_you_mean
    from toolbox.io.files import full_disk
    from toolbox.io.visible import visible

    try:
        if command == "help":
            _help()
            return 0
        if command == "version":
            from toolbox import __version__

            print(f"gan-toolbox {__version__}")
            return 0
        if command not in COMMANDS:
            raise UserError(f"gan-toolbox: there is no command '{command}'{did_you_mean(command, COMMANDS)}")
        with _stoppable(), limits_told(command), warnings.catch_warnings():  # puts showwarning back
            warnings.showwarning = _show_warning
            warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # of damage, which we name
            return import_module(f"toolbox.cli.{command}").main(arguments)
    except UserError as error:
        print(visible(f"error: {error}"), file=sys.stderr)
        return 2
    except RunFailed as error:
        print(visible(f"failed: {error}"), file=sys.stderr)
        return 1
    except OSError as error:
        if (line := full_disk(error)) is None:
            raise
        print(visible(f"failed: {line}"), file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        stop = error if isinstance(error, Stopped) else Stopped()
        print(f"stopped by {stop}{stop.more and f'; {stop.more}'}", file=sys.stderr)
        return 128 + stop.number


def _help() -> None:
    lines = ["usage: gan-toolbox COMMAND [options]   (gan-toolbox COMMAND -h says more; --version)"]
    for task, commands in TASKS.items():
        lines += ["", f"{task}:", *(f"  {name:10} {text}" for name, text in commands.items())]
    print("\n".join(lines))


@contextmanager
def _stoppable() -> Iterator[None]:
    """Have SIGTERM and SIGHUP stop as Ctrl-C does, where they would end the process on the spot.

    One that `nohup` ignores stays ignored. A process of torchrun's ends on the spot: it may be waiting for another
    that is gone, where no Python runs.
    """

    def stop(number: int, _: Any) -> None:
        from toolbox.io.errors import Stopped

        raise Stopped(number)

    previous = {}
    if threading.current_thread() is threading.main_thread() and "TORCHELASTIC_RUN_ID" not in os.environ:
        numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
        previous = {number: signal.signal(number, stop) for number in numbers
                    if signal.getsignal(number) is signal.SIG_DFL}  # fmt: skip
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _show_warning(message: Warning | str, category: type[Warning], filename: str, lineno: int, *rest: Any) -> None:
    """A broken plugin or an unwise choice is one line on standard error; other warnings look as Python writes them."""
    from toolbox.io.errors import CompatibilityWarning
    from toolbox.io.visible import visible
    from toolbox.plugins.manager import PluginWarning

    ours = issubclass(category, (PluginWarning, CompatibilityWarning))
    text = (
        f"{visible(f'warning: {message}')}\n" if ours else warnings.formatwarning(message, category, filename, lineno)
    )
    print(text, end="", file=sys.stderr)
