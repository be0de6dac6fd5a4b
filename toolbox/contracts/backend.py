"""What the toolbox asks of a runtime that computes networks in PyTorch's place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from toolbox.contracts.graph import Graph, Session
from toolbox.io.errors import UserError


class Runtime:
    """What every runtime says of itself."""

    precisions: ClassVar[Sequence[str]] = ("fp32",)
    """Those of `infer --precision` that it computes in."""
    devices: ClassVar[Sequence[str]] = ("cpu",)
    """Types of torch devices."""
    packages: ClassVar[Sequence[str]] = ()
    """What `import` must find."""
    extra: ClassVar[str] = ""
    """The extra of gan-toolbox that brings them, or the package to install."""
    suffixes: ClassVar[Sequence[str]] = ()
    """Of the files that it opens, its own first."""


class Backend(Runtime, ABC):
    """Computes graphs: those of a network in memory, and the files of some formats."""

    @abstractmethod
    def prepare(self, graph: Graph, folder: Path, *, precision: str = "fp32") -> Session:
        """Load a graph for many calls.

        Args:
            folder: for files of the session. It may hold those of an earlier one of the same graph, which another
                backend may have written, and which the session is free to take instead of making them anew.
            precision: one of `precisions`.

        Raises:
            UserError: the runtime cannot compute it; the message says what of it.
        """

    def open(self, file: Path, *, precision: str = "fp32") -> Session:
        """Load a file of one of the `suffixes`, as anybody may have made it: nothing in it may run code or name files.

        Raises:
            UserError: it is damaged, refused, or more than this runtime can compute.
        """
        raise UserError(f"{file}: {type(self).__name__} opens no files")


class InPlace(Runtime, ABC):
    """A backend that changes how PyTorch computes the network, and needs no graph."""

    @abstractmethod
    def wrapped(self, network: nn.Module, option: str) -> Callable[[Tensor], Tensor]:
        """The network, `forward(images) -> images`, computed so; `option` is what stands behind the name: `compile`."""
