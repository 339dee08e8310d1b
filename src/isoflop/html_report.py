"""A report of a fit, and of a plan, as one HTML file that needs nothing else, and as PDF.

Everything that comes from a table, a law or a person is escaped; the only scripts are Plotly's own
library, once, and the figures' data, which Plotly writes so that it cannot end a script. Equations
are MathML, which browsers typeset themselves. The style is made for A4, on paper and on a screen.
"""

from __future__ import annotations

import datetime
import html
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isoflop import document, export, rendering
from isoflop.fitting import Fit
from isoflop.fitting.summary import LEVEL
from isoflop.language import current, sentences, translated
from isoflop.language import gettext as _
from isoflop.language import ngettext as n_
from isoflop.laws import symbol_latex
from isoflop.notices import Notice
from isoflop.once import once
from isoflop.planning import Interval, Plan
from isoflop.planning.doubts import doubts
from isoflop.planning.outlook import Outlook
from isoflop.planning.planned import Planned
from isoflop.planning.summary import plan_figures
from isoflop.planning.types import LimitUse
from isoflop.tables import LossTable
from isoflop.tables.catalog import title_of
from isoflop.tables.schema import said_count, said_response
from isoflop.units import Dimension, format_number
from isoflop.units.said import format_quantity

if TYPE_CHECKING:
    from isoflop.plot import Figure

MOST_LISTED = 20
"""Rows and cells of a table that are named; of more, the number."""
WIDTH_PX = 680
"""Of figures: what A4 has between its margins, so that paper and screen show the same."""

_LIBRARIES = ("isoflop", "numpy", "scipy", "pandas", "plotly")
_STYLE = """
@page {
  size: A4; margin: 16mm 15mm 18mm;
  @bottom-right { content: counter(page) " / " counter(pages); font: 9pt sans-serif; color: #666; }
}
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #1a1a1a;
       background: #fff; width: min(680px, 100% - 2rem); margin: 2.5rem auto; }
header { border-bottom: 2px solid #0072b2; padding-bottom: .8rem; margin-bottom: 1.6rem; }
header p { color: #555; margin: 0; }
h1 { font-size: 1.65rem; line-height: 1.25; margin: .2rem 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; break-after: avoid; }
h3 { font-size: 1rem; margin: 1.3rem 0 .4rem; break-after: avoid; }
p { margin: .5rem 0; }
.lead { font-size: 1.08rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .87rem;
        font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .8rem .28rem 0; text-align: left; vertical-align: top;
         border-bottom: 1px solid #e2e2e2; }
tbody th, td:only-of-type { overflow-wrap: anywhere; }
thead th { color: #555; font-weight: 600; border-bottom-color: #999; }
tbody th { font-weight: 500; min-width: 5.5rem; }
tr, figure, pre, li { break-inside: avoid; }
math { font-size: 1.1rem; font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math",
       "DejaVu Math TeX Gyre", math; }
.equation { margin: .9rem 0; overflow: auto hidden; }
pre { background: #f5f6f7; padding: .8rem; white-space: pre-wrap; overflow-wrap: anywhere;
      font: 12px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
figure { margin: 1.4rem 0; overflow-x: auto; }
figcaption { color: #555; font-size: .85rem; }
ul.notices { list-style: none; padding: 0; }
ul.notices li { border-left: 4px solid #999; padding: .15rem 0 .15rem .8rem; margin: .6rem 0; }
ul.notices li.serious { border-color: #a40000; } ul.notices li.warning { border-color: #e69f00; }
ul.notices b { text-transform: capitalize; }
code, small { color: #555; }
@media print { body { width: auto; margin: 0; font-size: 10.5pt; } pre { break-inside: auto; }
               .wide, .equation, figure { overflow: visible; }
               .modebar { display: none !important; } }
"""
# Plotly compiles what draws thousands of markers ('unsafe-eval'); nothing is loaded from anywhere.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "script-src 'unsafe-inline' 'unsafe-eval'"
)


def report(
    fit: Fit,
    plan: Plan | Planned | None = None,
    *,
    outlook: Outlook | None = None,
    fixed: Mapping[str, float] | None = None,
    notices: Iterable[Notice] = (),
    code: str = "",
    path: str | Path | None = None,
) -> str:
    """Return a fit, and a plan, as one HTML page with its figures, and write it to a file.

    Parameters
    ----------
    fit : Fit
        With its rows, or without them: then the figures that show rows are left out.
    plan : Plan or Planned, optional
    outlook : Outlook, optional
        What is to be believed of the plan, as ``iso.outlook`` gives it. By default a `Planned` is
        asked for its own, and a plan alone speaks by its own law.
    fixed : mapping of str to float, optional
        Values of the law's other inputs, by table column, as the plan was made with.
    notices : iterable of Notice
        Further ones, beside those of the fit, of how its table was read, and of the plan.
    code : str
        Python that makes all this again; by default that of a fit to a table of the catalog, and
        of a `Planned`.
    path : path, optional
        File to write: PDF if its name ends in ``.pdf``, else the page.

    Raises
    ------
    RenderError
        If PDF is asked for, and there is no browser to print it.
    DocumentError
        If the file cannot be written.
    """
    table_name = title_of(fit.table_id)
    title = _("{label} fitted to {table_name}", label=fit.law.label, table_name=table_name)
    if not fit.certificate.n_starts:
        title = _(
            "{label}, as published, on {table_name}", label=fit.law.label, table_name=table_name
        )
    if isinstance(plan, Planned):
        made, plan = plan, plan.plan
        outlook, fixed = outlook or made.outlook(), fixed or made.fixed
        notices = (*made.notices, *notices)
        code = code or export.catalog_snippet(fit, made)
    told = plan if plan is None or outlook is None else outlook.told(plan)
    found = doubts(fit, fit.table, plan, fixed=fixed, more=notices)
    parts = [
        _header(title),
        _section(_("Plan"), "" if told is None else _answer(told, outlook)),
        _section(_("Notices"), _notices(found)),
        _section(_("Law"), _law(fit)),
        _section(_("Parameters"), _parameters(fit)),
        _section(_("Certificate"), _certificate(fit)),
        _section(_("Figures"), _figures(figures(fit, told, outlook, fixed))),
        _section(_("Costs and limits"), "" if told is None else _costs(told)),
        _section(_("Data"), _data(fit)),
        _section(_("Code"), _code(code or export.catalog_snippet(fit))),
        _section(_("Sources"), _sources(fit)),
        _section(_("Versions"), _versions(fit, plan)),
    ]
    page = (
        f'<!doctype html>\n<html lang="{current()}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_escaped(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )
    if path is not None:
        is_pdf = Path(path).suffix.lower() == ".pdf"
        document.save(rendering.pdf(page) if is_pdf else page, path)
    return page


# --- Parts of HTML: whatever is not `_Markup` is escaped


@dataclass(frozen=True, slots=True)
class _Markup:
    """HTML made here."""

    text: str


_Cell = str | _Markup


def _escaped(cell: _Cell) -> str:
    return cell.text if isinstance(cell, _Markup) else html.escape(translated(cell))


def _section(heading: str, body: str) -> str:
    return f"<section><h2>{heading}</h2>{body}</section>" if body else ""


def _paragraph(text: str, kind: str = "") -> str:
    style = f' class="{kind}"' if kind else ""
    return f"<p{style}>{_escaped(text)}</p>" if text else ""


def _table(rows: Iterable[Sequence[_Cell]], header: Sequence[str] = ()) -> str:
    """Return rows whose first cell names them; columns that are empty throughout are left out."""
    kept = [list(row) for row in rows]
    used = [i for i in range(len(kept[0])) if i == 0 or any(row[i] for row in kept)] if kept else []
    head = "".join(f"<th>{_escaped(header[i])}</th>" for i in used) if header else ""
    body = "".join(
        "<tr>"
        + f"<th>{_escaped(row[0])}</th>"
        + "".join(f"<td>{_escaped(row[i])}</td>" for i in used[1:])
        + "</tr>"
        for row in kept
    )
    head = f"<thead><tr>{head}</tr></thead>" if head else ""
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>' if body else ""


def _facts(facts: Mapping[str, str]) -> str:
    return _table([(name, text) for name, text in facts.items() if text])


@once
def _mathml(latex: str, *, is_block: bool = False) -> str:
    from latex2mathml.converter import convert  # a table of symbols of some weight

    found = convert(
        latex.replace("{aligned}", "{split}"), display="block" if is_block else "inline"
    )
    return str(found)


# --- What it says


def _header(title: str) -> str:
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    made = _(
        "Scaling-law report, {today}, by Isoflop {version}", today=today, version=version("isoflop")
    )
    return f"<header><p>{made}</p><h1>{_escaped(title)}</h1></header>"


def _answer(plan: Plan, outlook: Outlook | None) -> str:
    cost = plan.cost
    run = _(
        "Train {params} parameters on {tokens} tokens with {accelerators:,} "
        "{accelerator} for {wall_time_s}.",
        params=format_number(plan.params),
        tokens=format_number(plan.tokens),
        accelerators=cost.accelerators,
        accelerator=plan.accelerator,
        wall_time_s=format_quantity(cost.wall_time_s, "seconds"),
    )
    said = "" if outlook is None else outlook.summary()
    return (
        _paragraph(run, "lead")
        + "".join(_paragraph(line) for line in said.splitlines())
        + _table(plan_figures(plan))
        + _paragraph(plan.assumption)
        + _paragraph(
            _("No intervals: {interval_reason}", interval_reason=plan.interval_reason)
            if plan.interval_reason
            else ""
        )
    )


def _notices(found: Iterable[Notice]) -> str:
    listed = "".join(
        f'<li class="{notice.severity}"><b>{notice.severity}</b>: {_escaped(notice.text)} '
        f"{_escaped(notice.remedy)} <small>[{_escaped(notice.code)}]</small></li>"
        for notice in found
    )
    return f'<ul class="notices">{listed}</ul>' if listed else ""


def _law(fit: Fit) -> str:
    law = fit.law
    response = symbol_latex("L" if law.response == "loss" else law.response)
    shown = "".join(
        f'<div class="equation">{_mathml(latex, is_block=True)}</div>'
        for latex in (_equation(response, law.latex(values)) for values in (None, fit.values))
    )
    inputs = [
        (_Markup(_mathml(symbol_latex(item.symbol))), item.label or item.column)
        for item in law.inputs
    ]
    unit = (
        _("of unknown unit")
        if fit.loss_unit == "unknown"
        else _("in {loss_unit}", loss_unit=fit.loss_unit)
    )
    response = translated(said_response(law.response))
    return (
        shown
        + _table(inputs)
        + _paragraph(
            f"{response.capitalize()} {unit if law.response == 'loss' else ''}. "
            f"{translated(said_count(fit.param_convention))}"
        )
        + f"<pre>{_escaped(' '.join(law.formula.split()))}</pre>"
    )


def _equation(response: str, latex: str) -> str:
    return latex if "aligned" in latex else f"{response} = {latex}"


def _parameters(fit: Fit) -> str:
    found = fit.params()
    meanings = {param.name: param.help for param in fit.law.params}  # in every language
    numbers = found[["value", "std_error", "lower", "upper"]].to_numpy(np.float64)
    fixed = dict(fit.law.fixed)
    rows: list[Sequence[_Cell]] = []
    for i, (name, (value, error, lower, upper)) in enumerate(
        zip(map(str, found.index), numbers, strict=True)
    ):
        span = (
            _("{lower:.4g} to {upper:.4g}", lower=lower, upper=upper) if np.isfinite(lower) else ""
        )
        rows.append(
            (
                _Markup(_mathml(symbol_latex(name)) if name.isidentifier() else _escaped(name)),
                f"{value:.6g}",
                f"{error:.3g}" if np.isfinite(error) else "",
                "fixed" if name in fixed else span,
                str(found["unit"].iloc[i]),
                meanings[name],
            )
        )
    header = (
        "",
        _("Value"),
        _("Standard error"),
        _("{level:.0%} interval", level=LEVEL),
        _("Unit"),
        _("Meaning"),
    )
    return _table(rows, header) + _paragraph(fit.uncertainty)


def _certificate(fit: Fit) -> str:
    proof = fit.certificate
    if not proof.n_starts:
        return _paragraph(_("Published parameters: nothing was searched for here."))
    gap = _("no other minimum") if proof.gap_to_second is None else f"{proof.gap_to_second:.3g}"
    options = fit.options
    return _facts(
        {
            _("Objective"): f"{fit.objective_value:.10g} ({options.objective})",
            _("Weights"): options.weights or "",
            _("Starts at this optimum"): _(
                "{share_at_optimum:.0%} of {n_starts}",
                share_at_optimum=proof.share_at_optimum,
                n_starts=proof.n_starts,
            ),
            _("Minima found"): str(proof.n_minima),
            _("Gap to the next minimum"): gap,
            _("Condition number"): f"{proof.condition_number:.3g}",
            _("Parameters at a bound"): ", ".join(proof.at_bound) or _("none"),
            _("Residual standard deviation"): f"{fit.residual_std:.4g}",
            _("Rows"): f"{fit.n_rows:,}",
        }
    )


# --- Money, time and limits


def _costs(plan: Plan) -> str:
    cost = plan.cost
    money = [
        (_("Accelerators"), _usd(cost.usd_compute), ""),
        (_("Electricity"), _usd(cost.usd_power), ""),
        (_("Storage"), _usd(cost.usd_storage), ""),
        (_("Inference"), _usd(cost.usd_inference), ""),
        (_("Total cost"), _usd(cost.usd) or _("no price"), _span(cost.usd_interval, "usd")),
        (
            _("Wall time"),
            format_quantity(cost.wall_time_s, "seconds"),
            _span(cost.wall_time_interval, "seconds"),
        ),
        (
            _("Accelerator-hours"),
            format_number(cost.accelerator_hours),
            _hours(cost.hours_interval),
        ),
        (_("Energy"), _or_nothing(cost.energy_j, "joules"), ""),
        (
            _("Carbon"),
            ""
            if cost.carbon_kg is None
            else _("{carbon_kg} kg CO2", carbon_kg=format_number(cost.carbon_kg)),
            "",
        ),
    ]
    level = next((i.level for i in (cost.wall_time_interval, cost.usd_interval) if i), None)
    header = ("", "", "" if level is None else _("{level:.0%} of runs", level=level))
    return (
        _table([row for row in money if row[1]], header)
        + "<h3>Limits</h3>"
        + _limits(plan.limits, plan.response)
        + _("<h3>What the plan rests on</h3>")
        + _facts(plan.assumptions)
    )


def _usd(value: float | None) -> str:
    return format_quantity(value, "usd") if value else ""


def _or_nothing(value: float | None, dimension: Dimension) -> str:
    return "" if value is None else format_quantity(value, dimension)


def _span(interval: Interval | None, dimension: Dimension) -> str:
    if interval is None:
        return ""
    ends = (format_quantity(end, dimension) for end in (interval.lower, interval.upper))
    return " to ".join(ends)


def _hours(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return _(
        "{lower} to {upper}",
        lower=format_number(interval.lower),
        upper=format_number(interval.upper),
    )


def _limits(limits: Sequence[LimitUse], response: str) -> str:
    rows = [
        (
            limit.label,
            format_quantity(limit.used, limit.dimension),
            format_quantity(limit.limit, limit.dimension),
            f"{limit.used / limit.limit:.0%}" if limit.limit else "",
            _("binds") if limit.is_binding else "",
            f"{limit.gain:.4f}" if limit.is_binding else "",
        )
        for limit in limits
    ]
    if not rows:
        return _paragraph(_("None was given."))
    return _table(
        rows,
        (
            "",
            _("Used"),
            _("Limit"),
            _("Share"),
            "",
            _("10% more lowers the {response} by", response=said_response(response)),
        ),
    )


# --- Figures


def figures(
    fit: Fit,
    plan: Plan | None = None,
    outlook: Outlook | None = None,
    fixed: Mapping[str, float] | None = None,
) -> dict[str, Figure]:
    """Return the figures of a report by name.

    Parameters
    ----------
    fit, plan, outlook, fixed
        As `report`; the plan with the loss that the outlook gives it.
    """
    from isoflop import plot  # a library of some weight

    drawn: dict[str, Figure] = {}
    if fit.table is not None:
        drawn["loss-curve"] = plot.loss_curve(fit, plan=plan, fixed=fixed)
        if {"params", "tokens"} <= set(fit.table.frame):
            drawn["contours"] = plot.contours(fit, plan=plan, fixed=fixed)
        drawn["residuals"] = plot.residuals(fit)
    if outlook is not None and outlook.ahead is not None:
        drawn["extrapolation"] = plot.extrapolation(outlook.ahead)
    if plan is not None and plan.limits:
        drawn["limits"] = plot.limits(plan)
    if plan is not None and plan.training.time_shares:
        drawn["time-shares"] = plot.time_shares(plan)
    return drawn


def _figures(drawn: Mapping[str, Figure]) -> str:
    """Return figures as HTML, the first with Plotly's library in it."""
    parts = []
    for i, figure in enumerate(drawn.values()):
        body = figure.update_layout(width=WIDTH_PX).to_html(
            full_html=False, include_plotlyjs=i == 0, config={"displaylogo": False}
        )
        words = figure.layout.meta
        caption = " ".join([words["alt"], *words["notes"]])
        parts.append(f"<figure>{body}<figcaption>{_escaped(caption)}</figcaption></figure>")
    return "".join(parts)


# --- Where it comes from


def _data(fit: Fit) -> str:
    facts = {_("Table"): fit.table_id, _("SHA-256 of the rows"): fit.table_fingerprint}
    table = fit.table
    if table is None:
        return _facts(facts) + _paragraph(
            _("The fit was saved without its rows: figures that show them are left out.")
        )
    origin = table.provenance
    facts |= {
        _("Title"): origin.title,
        _("Source"): origin.source,
        _("Address"): origin.url,
        _("Licence"): origin.licence,
        _("Retrieved"): origin.retrieved,
        _("Tokenizer"): origin.tokenizer,
        _("Loss"): _("unit unknown")
        if table.loss_unit == "unknown"
        else _("in {loss_unit}", loss_unit=table.loss_unit),
        _("Rows"): _rows_fitted(table),
        _("Simulated"): _("nobody trained these models") if origin.is_simulated else "",
        _("Known problems"): sentences(origin.known_problems),
    }
    return _facts(facts) + _reading(table) + _left_out(table)


def _rows_fitted(table: LossTable) -> str:
    return _(
        "{included:,} of {rows}",
        included=len(table.included()),
        rows=n_("{n:,} row", "{n:,} rows", len(table.frame)),
    )


def _reading(table: LossTable) -> str:
    """Say what each header was taken for, in which unit, and why; and what could not be used."""
    derived = [
        (name, "", "", _("derived: {how}", how=how)) for name, how in _derived(table).items()
    ]
    reading = table.reading
    if reading is None:
        return _("<h3>Derived columns</h3>") + _table(derived) if derived else ""
    roles = [
        (role.header, role.column or _("left out"), role.unit, role.reason)
        for role in reading.mapping.roles
    ]
    cells = [
        (_("Row {row}", row=found.row), str(found)) for found in reading.problems[:MOST_LISTED]
    ]
    more = len(reading.problems) - len(cells)
    return (
        _("<h3>How the file was read</h3>")
        + _table([*roles, *derived], (_("Header"), _("Taken for"), _("Unit"), _("Why")))
        + (_("<h3>Cells that could not be used</h3>") + _table(cells) if cells else "")
        + _paragraph(_("And {more:,} more.", more=more) if more > 0 else "")
    )


def _derived(table: LossTable) -> Mapping[str, str]:
    return table.provenance.derived_columns


def _left_out(table: LossTable) -> str:
    """List the rows that were left out of the fit, by reason."""
    frame = table.frame
    if "exclusion_reason" not in frame:
        return ""
    out = frame[frame["is_excluded"].astype(bool)]
    rows = []
    for reason, group in out.groupby("exclusion_reason", sort=False):
        numbers = [str(number) for number in group.index[:MOST_LISTED]]
        more = len(group) - len(numbers)
        named = ", ".join(numbers) + (_(" and {more:,} more", more=more) if more else "")
        rows.append((str(reason), f"{len(group):,}", named))
    return (
        _("<h3>Rows left out</h3>") + _table(rows, (_("Reason"), _("Rows"), _("Which")))
        if rows
        else ""
    )


def _code(code: str) -> str:
    return f"<pre>{_escaped(code.strip())}</pre>" if code else ""


def _sources(fit: Fit) -> str:
    cited = {_("Law"): fit.law.source}
    if fit.table is not None:
        cited["Data"] = fit.table.provenance.citation
    return _facts(cited)


def _versions(fit: Fit, plan: Plan | None) -> str:
    found = {name: version(name) for name in _LIBRARIES}
    keys = {_("Fit"): fit.key} | ({} if plan is None else {_("Plan"): plan.key})
    return _facts({**keys, _("Python"): platform.python_version(), **found})
