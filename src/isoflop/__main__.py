"""The command line: ``python -m isoflop``."""

import sys

from isoflop.cli import main

if __name__ == "__main__":
    sys.exit(main())
