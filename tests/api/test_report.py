"""The report is one file that needs nothing else, and runs nothing that a table holds."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

import isoflop as iso
from isoflop.errors import DocumentError
from isoflop.notices import Notice

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def fit() -> iso.Fit:
    return iso.fit("pile-cerebras-pythia", n_bootstrap=30)


def scripts(page: str) -> int:
    return len(re.findall(r"<script\b", page))


def test_a_report_holds_all_of_a_fit_and_a_plan(fit: iso.Fit, tmp_path: Path) -> None:
    plan = iso.plan(fit, "h100-sxm", compute_flop=1e22)
    path = tmp_path / "report.html"
    page = iso.report(fit, plan, path=path)
    assert path.read_text(encoding="utf-8").strip() == page.strip()
    assert fit.table is not None
    for text in (
        fit.law.formula,
        fit.uncertainty,
        fit.key,
        fit.table_fingerprint,
        fit.table.provenance.licence,
        fit.table.provenance.citation,
        plan.assumptions["MFU"],
        *fit.law.param_names,
        *(notice.text for notice in (*fit.notices, *plan.notices)),
    ):
        assert html.escape(text) in page
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", page)
    assert page.count("<figure>") == page.count("<figcaption>") == 3


def test_nothing_in_a_report_runs_what_a_table_holds(fit: iso.Fit) -> None:
    assert fit.table is not None
    usual = scripts(iso.report(fit))
    frame = fit.table.frame.assign(family=EVIL, run_id=EVIL)
    provenance = replace(fit.table.provenance, title=EVIL, source=EVIL, licence=EVIL)
    table = fit.table.with_frame(frame, id=EVIL, provenance=provenance)
    notice = Notice(code="x", severity="info", text=EVIL, remedy=EVIL)
    law = replace(fit.law, label=EVIL, source=EVIL)
    page = iso.report(replace(fit, law=law, table=table, table_id=EVIL, notices=(notice,)))
    assert scripts(page) == usual
    assert "<script>alert" not in page
    assert html.escape(EVIL) in page


def test_a_saved_fit_reports_without_its_figures(fit: iso.Fit, tmp_path: Path) -> None:
    page = iso.report(iso.Fit.from_json(fit.to_json()))
    assert "saved without its rows" in page
    assert scripts(page) == 0
    with pytest.raises(DocumentError, match="cannot be written"):
        iso.report(fit, path=tmp_path / "absent" / "report.html")
