"""The process in which a file of another runtime is tried: `python -m toolbox.inference.trial_process RUNTIME FILE`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from toolbox.inference.trial import SECONDS
from toolbox.io.errors import UserError

if TYPE_CHECKING:
    from toolbox.contracts.graph import Session

MEMORY = 12 << 30
"""Bytes of addresses: runtimes reserve more than they use."""
SIDE = 64


def main(arguments: Sequence[str]) -> int:
    """0 where the file computes an image, 2 where it is refused, in one line on standard error."""
    runtime, file = arguments
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import torch

    from toolbox.inference.exported import ExportedNetwork
    from toolbox.plugins.registry import registry

    try:
        session = registry("backends").get(runtime)().open(Path(file))
        network = ExportedNetwork(Path(file), session, runtime, _any_picture(session))
        channels = network.image_channels or 3
        network(torch.zeros(1, channels, SIDE, SIDE))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    except MemoryError:
        return 3
    except (RuntimeError, ValueError) as error:
        print(f"{file}: computes no image ({' '.join(str(error).split())[-160:]})", file=sys.stderr)
        return 2
    return 0


def _any_picture(session: Session) -> dict[str, object]:
    """A gray picture for each that the file takes."""
    import json

    import torch

    said = json.loads(session.metadata.get("gan_toolbox", "{}"))
    pictures = [each["name"] for each in said.get("conditions", []) if each.get("kind") == "picture"]
    return {name: torch.full((1, 3, SIDE, SIDE), 0.5) for name in pictures}


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main(sys.argv[1:]))
