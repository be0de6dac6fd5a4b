"""Graphs as OpenVINO's two files."""

from __future__ import annotations

from pathlib import Path

from toolbox import Exporter, Graph, Session, UserError
from toolbox_plugins.onnx.conversion import onnx_model

from .backend import PACKAGES, core, opened, package


class OpenVINOFile(Exporter):
    """OpenVINO's intermediate representation, `.xml` and `.bin`, by way of ONNX; verified in OpenVINO, in float32."""

    suffix = ".xml"
    packages = PACKAGES
    extra = "openvino"
    halves = True

    def write(self, graph: Graph, target: Path, *, half: bool = False) -> None:
        """Write both files; metadata is in the `.xml`, below `rt_info`."""
        try:
            model = core().read_model(onnx_model(graph).SerializeToString())
        except RuntimeError as error:
            raise UserError(f"OpenVINO cannot read it: {' '.join(str(error).split())[-160:]}") from None
        for key, value in graph.metadata.items():
            model.set_rt_info(value, [key])
        package().save_model(model, target, compress_to_fp16=half)

    def open(self, file: Path) -> Session:
        """By OpenVINO, in float32 whatever the processor could."""
        return opened(file, "fp32")

    def files(self, file: Path) -> list[Path]:
        """The `.xml` and its `.bin`."""
        return [file, file.with_suffix(".bin")]
