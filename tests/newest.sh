#!/usr/bin/env bash
# The tests with the newest release of every package, torchvision beside torch, and no constraints:
#   bash tests/newest.sh                              # all tests; or pytest's own arguments: tests/io tests/video -x
#   TORCH='torch==2.13.0' bash tests/newest.sh        # a torch of your own choice, without torchvision
#   PYTHON=python3.13 bash tests/newest.sh
set -euo pipefail
cd "$(dirname "$0")/.."

environment=$(mktemp -d)
trap 'rm -rf "$environment"' EXIT
"${PYTHON:-python3}" -m venv "$environment"
. "$environment/bin/activate"

pip install --quiet --upgrade ${TORCH:-torch torchvision}
pip install --quiet --upgrade --upgrade-strategy eager -e '.[test]' "$(pip freeze | grep -i '^torch==')"
python - <<'PY'
import sys
from importlib.metadata import version

names = ("torch", "numpy", "pillow", "av", "mmengine", "mmcv-lite", "pluggy", "torchmetrics", "onnx", "openvino", "pytest")
print(f"Python {sys.version.split()[0]},", ", ".join(f"{name} {version(name)}" for name in names))
PY
pytest "$@"
