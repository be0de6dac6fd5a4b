"""Runtimes that tell their makers of each use, by a request that nobody asked for, are kept from it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("openvino")
USES = """
import sys
forked = []
sys.addaudithook(lambda event, _: forked.append(event) if event == "os.fork" else None)
import torch
from toolbox.inference import Options, Predictor
from toolbox_plugins.srgan.srresnet import SRResNet

network = SRResNet(width=4, blocks=1, scale=2).eval()
for backend in ("onnxruntime", "openvino"):
    Predictor(network, options=Options(backend=backend))(torch.rand(1, 3, 8, 8))
print(forked, sys.modules.get("openvino_telemetry"))
"""


def test_nothing_is_sent_and_no_name_for_this_machine_is_kept(tmp_path: Path) -> None:
    left_out = ("ORT_DISABLE_TELEMETRY", "CI", "GITHUB_ACTIONS", "JENKINS_URL")  # where both are silent anyway
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    told = subprocess.run([sys.executable, "-c", USES], capture_output=True, text=True, env=environment, check=True)
    assert told.stdout.split("\n")[0] == "[] None", "what OpenVINO tells is told by a process that it forks"
    kept = {path.name for path in tmp_path.rglob("*")}
    assert not kept & {"Microsoft", "deviceid", "intel", "openvino_telemetry", "openvino_ga_cid"}
