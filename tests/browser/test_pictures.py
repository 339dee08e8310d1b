"""The README's pictures show the page as it is."""

from __future__ import annotations

import json

from benchmarks.first_look import HEIGHT_PX, IMAGES, NAMES, SHOWN, TABLE, WIDTH_PX
from benchmarks.first_look import settle as settle_all
from tests.browser.conftest import Visit


def test_the_pictures_are_no_older_than_what_they_show(visit: Visit) -> None:
    """Otherwise: ``python -m benchmarks.first_look``, and look at them."""
    page = visit(f"/?table={TABLE}", width=WIDTH_PX, height=HEIGHT_PX)
    page.get_by_role("button", name="Do not offer it again").click()
    settle_all(page)
    assert page.evaluate(NAMES) == json.loads((IMAGES / SHOWN).read_text(encoding="utf-8"))
