"""What the toolbox asks of a format that networks are exported in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from toolbox.contracts.graph import Graph, Session


class Exporter(ABC):
    """Writes a graph as a file that runs without this toolbox, and opens it again in the runtime it is meant for.

    Every file is compared with PyTorch before the export is called done; so `open` is not optional.
    """

    suffix: ClassVar[str]
    """Of the file: `.onnx`."""
    packages: ClassVar[Sequence[str]] = ()
    """What `import` must find, for writing and for trying."""
    extra: ClassVar[str] = ""
    """The extra of gan-toolbox that brings them, or the package to install."""
    tolerance: ClassVar[float] = 1e-4
    """The largest difference from PyTorch, of images in [0, 1], that passes; `half_tolerance` with `half`."""
    half_tolerance: ClassVar[float] = 1e-2
    any_size: bool = True
    """Whether height and width stay free, where `write` finds out of a graph: of the last; else they are those of the
    graph's examples."""
    any_batch: ClassVar[bool] = True
    halves: ClassVar[bool] = False
    """Whether `half` writes weights in float16."""

    @abstractmethod
    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        """Write the graph, with its metadata where the format has room for it.

        Raises:
            UserError: the format cannot hold it; the message says what of it.
        """

    @abstractmethod
    def open(self, file: Path) -> Session:
        """Load a file that `write` made in the format's own runtime, in float32."""

    def files(self, file: Path) -> list[Path]:
        """The file itself, and those that lie beside it and belong to it."""
        return [file]
