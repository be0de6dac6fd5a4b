"""`python computing.py FILE.param GIVEN.npy MADE.npy INPUT OUTPUT`: compute an array (C, H, W) by ncnn, in float32.

A program of its own: ncnn ends the process where a layer gets what it does not expect.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


def main(param: str, given: str, made: str, input_name: str, output_name: str) -> None:
    """Load, compute, save."""
    ncnn: Any = import_module("ncnn")
    net = ncnn.Net()
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "vulkan_compute"):
        setattr(net.opt, f"use_{option}", False)
    net.opt.num_threads = 1
    if net.load_param(param) or net.load_model(str(Path(param).with_suffix(".bin"))):
        raise SystemExit("it cannot be loaded")
    extractor = net.create_extractor()
    images = np.load(given)  # kept: a Mat points to it
    extractor.input(input_name, ncnn.Mat(images).clone())  # which lays rows out as its layers expect
    failed, computed = extractor.extract(output_name)
    if failed:
        raise SystemExit("it cannot be computed")
    np.save(made, np.array(computed))


if __name__ == "__main__":
    main(*sys.argv[1:])
