"""How the package describes itself in an index: the README, whose links lead back to the source.

A README links to files beside it, which an index does not have. Where ``[project.urls]`` names the
repository, links and pictures become addresses there; where it names none, pictures are left out
and links become their text, so that nothing leads nowhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGE = re.compile(r"!\[([^\]]*)\]\((?!https?:)([^)#]+)\)")
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|`[^`]*`)*)\]\((?!https?:|#)([^)]+)\)")


def described(readme: str, repository: str) -> str:
    """Return a README as an index can show it.

    Parameters
    ----------
    readme : str
        Markdown with links relative to the repository's root.
    repository : str
        Address of the repository; empty for none.
    """
    if not repository:
        return _LINK.sub(r"\1", _IMAGE.sub("", readme))
    shown = _IMAGE.sub(rf"![\1]({repository}/raw/HEAD/\2)", readme)
    return _LINK.sub(rf"[\1]({repository}/blob/HEAD/\2)", shown)


class Description(MetadataHookInterface):
    """Fills in the description that ``pyproject.toml`` calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the description to the package's metadata."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        text = described(readme, metadata.get("urls", {}).get("Repository", ""))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
