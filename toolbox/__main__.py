"""`python -m toolbox` is `gan-toolbox`."""

from toolbox.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
