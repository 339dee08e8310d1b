"""The report is one file that needs nothing else, and runs nothing that a table holds."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

import isoflop as iso
from isoflop import html_report
from isoflop.errors import DocumentError, RenderError
from isoflop.laws import load_laws
from isoflop.notices import Notice
from isoflop.planning import Budget, find_accelerator
from isoflop.planning.planned import Planned, planned
from isoflop.planning.scenario import Scenario

EVIL = "</script><script>alert(1)</script>"


@pytest.fixture(scope="module")
def fit() -> iso.Fit:
    return iso.fit("pile-cerebras-pythia", n_bootstrap=30)


@pytest.fixture(scope="module")
def made(fit: iso.Fit) -> Planned:
    budget = Budget(usd=250_000.0, unique_tokens=3e12)
    return planned(fit, Scenario(accelerator=find_accelerator("h100-sxm"), budget=budget))


def scripts(page: str) -> int:
    return len(re.findall(r"<script\b", page))


def words(page: str) -> str:
    """Return a report without its scripts, megabytes that a failed comparison would print."""
    return re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)


def test_a_report_holds_all_of_a_fit_and_a_plan(
    fit: iso.Fit, made: Planned, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    seen = made.outlook()
    page = iso.report(fit, made, outlook=seen, path=path)
    is_written = path.read_text(encoding="utf-8").strip() == page.strip()
    assert is_written
    page = words(page)
    assert fit.table is not None
    assert seen.ahead is not None
    for text in (
        fit.law.formula,
        fit.uncertainty,
        fit.key,
        fit.table_fingerprint,
        fit.table.provenance.licence,
        fit.table.provenance.citation,
        made.plan.assumptions["MFU"],
        made.plan.limits[0].label,
        seen.ahead.verdict(),
        "load_dataset('pile-cerebras-pythia')",
        "best = plan(result, budget, accelerator, options)",
        *(notice.text for notice in (*fit.notices, *made.notices)),
    ):
        assert html.escape(text) in page
    for notice in made.notices:  # each of them once
        assert page.count(html.escape(notice.text)) == 1
    names = html_report.figures(fit, made.plan, seen)
    assert {"loss-curve", "contours", "residuals", "extrapolation", "limits"} <= set(names)
    assert page.count("<figure>") == page.count("<figcaption>") == len(names)


def test_a_report_asks_nothing_of_any_host(fit: iso.Fit) -> None:
    page = iso.report(fit)
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=", page)
    assert "@import" not in words(page)
    assert "default-src 'none'" in words(page)
    library = re.findall(r"plotly\.js v[\d.]+", page)
    assert len(library) == 1  # once, for all figures


@pytest.mark.parametrize("key", list(load_laws()))
def test_the_equation_of_every_law_is_typeset(key: str) -> None:
    law = load_laws()[key]
    shown = html_report._mathml(law.latex(), is_block=True)
    assert shown.startswith("<math")
    assert "\\" not in shown  # no command is left
    assert "&amp;" not in re.sub(r"&#x[0-9A-F]+;", "", shown)


def test_the_rows_that_were_left_out_are_named_with_their_reason(fit: iso.Fit) -> None:
    assert fit.table is not None
    table = fit.table.exclude([3, 5], reason="diverged <b>")
    page = words(iso.report(iso.fit(table, "kaplan_joint")))
    assert "13 of 15 rows" in page
    assert "<th>diverged &lt;b&gt;</th><td>2</td><td>3, 5</td>" in page
    assert "load_dataset" not in page  # which has other rows
    assert "its header is a usual name" in page  # how the file was read


def test_nothing_in_a_report_runs_what_a_table_holds(fit: iso.Fit) -> None:
    assert fit.table is not None
    usual = scripts(iso.report(fit))
    frame = fit.table.frame.assign(family=EVIL, run_id=EVIL)
    provenance = replace(fit.table.provenance, title=EVIL, source=EVIL, licence=EVIL)
    table = fit.table.with_frame(frame, id=EVIL, provenance=provenance)
    notice = Notice(code="x", severity="info", text=EVIL, remedy=EVIL)
    law = replace(fit.law, label=EVIL, source=EVIL)
    evil = replace(fit, law=law, table=table, table_id=EVIL, notices=(notice,))
    page = iso.report(evil, code=EVIL, notices=[replace(notice, code=EVIL)])
    assert scripts(page) == usual
    assert not re.findall("<script>alert", page)
    assert html.escape(EVIL) in words(page)


def test_a_saved_fit_reports_without_its_figures(fit: iso.Fit, tmp_path: Path) -> None:
    page = iso.report(iso.Fit.from_json(fit.to_json()))
    assert "saved without its rows" in page
    assert scripts(page) == 0
    with pytest.raises(DocumentError, match="cannot be written"):
        iso.report(fit, path=tmp_path / "absent" / "report.html")


# --- What takes a browser -------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.browser
def test_a_report_prints_as_pdf(fit: iso.Fit, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    iso.report(fit, path=path)
    content = path.read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 4
    a4 = re.search(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert a4 is not None
    assert [round(float(side)) for side in a4.groups()] == [595, 842]


@pytest.mark.slow
@pytest.mark.browser
def test_figures_are_written_as_svg_and_png(fit: iso.Fit, tmp_path: Path) -> None:
    figure = iso.plot.loss_curve(fit)
    for name, start in (("a.svg", b"<svg"), ("b.PNG", b"\x89PNG"), ("c.html", b"<!doctype html>")):
        iso.save_figure(figure, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    assert b"Training compute" in (tmp_path / "a.svg").read_bytes()


def test_without_a_browser_it_is_said_what_to_install(
    fit: iso.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "absent"))
    with pytest.raises(RenderError, match="no browser") as refused:
        iso.report(fit, path=tmp_path / "report.pdf")
    assert "Install Chromium or Chrome" in refused.value.hint
    assert not (tmp_path / "report.pdf").exists()
    monkeypatch.setattr("isoflop.rendering.find_spec", lambda _name: None)
    with pytest.raises(RenderError) as refused:
        iso.save_figure(iso.plot.residuals(fit), tmp_path / "a.svg")
    assert "isoflop[images]" in refused.value.hint


def test_a_browser_that_fails_is_said_to(
    fit: iso.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWSER_PATH", "/bin/false")
    with pytest.raises(RenderError, match="did not draw"):
        iso.save_figure(iso.plot.residuals(fit), tmp_path / "a.svg")


def test_a_figure_has_no_other_kinds(fit: iso.Fit, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="cannot be written as gif") as refused:
        iso.save_figure(iso.plot.residuals(fit), tmp_path / "a.gif")
    assert "svg, png, pdf" in refused.value.hint
