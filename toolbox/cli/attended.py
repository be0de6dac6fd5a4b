"""A training that the studio resumes: `python -m toolbox.cli.attended CONFIG …`, with the arguments of `train`.

Its input is a pipe that the studio holds. When that closes, because somebody asked to stop or because the studio is
gone, however it went, the training hears what Ctrl-C says: it ends its iteration, saves, and stops.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading


def main() -> int:
    """Train until the end, or until the pipe closes; returns the exit code of `train`."""
    from toolbox.cli import run

    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script has started the studio with `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_listen, daemon=True).start()
    return run("train", sys.argv[1:])


def _listen() -> None:
    while os.read(0, 64):
        continue
    _thread.interrupt_main(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
