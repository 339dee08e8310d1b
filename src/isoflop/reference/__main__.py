"""Write glossary and resources into the documentation: ``python -m isoflop.reference docs``."""

from __future__ import annotations

import argparse
from pathlib import Path

from isoflop.reference.pages import pages


def main() -> None:
    """Write every page below the repository that holds the folder of the documentation."""
    parser = argparse.ArgumentParser(prog="python -m isoflop.reference", description=__doc__)
    parser.add_argument("docs", type=Path, help="the folder of the documentation")
    root: Path = parser.parse_args().docs.resolve().parent
    for name, text in pages():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
