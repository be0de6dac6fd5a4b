"""`python -m toolbox.cli` is `gan-toolbox`."""

from toolbox.cli import main

raise SystemExit(main())
