"""`gan-toolbox schema` in a checkout."""

from toolbox.cli import run

if __name__ == "__main__":
    raise SystemExit(run("schema"))
