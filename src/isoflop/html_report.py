"""A report of a fit, and of a plan, as one HTML file that needs nothing else.

Everything that comes from a table, a law or a person is escaped; the only scripts are Plotly's own
library and the figures' data, which Plotly writes so that it cannot end a script.
"""

from __future__ import annotations

import datetime
import html
import platform
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from isoflop import document
from isoflop.fitting import Fit
from isoflop.planning import Plan
from isoflop.text import frame_html, notice_lines

_LIBRARIES = ("isoflop", "numpy", "scipy", "pandas", "plotly")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
       max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: .25rem .7rem; text-align: left; border-bottom: 1px solid #ddd; }
pre { background: #f4f4f4; padding: .8rem; overflow-x: auto; }
figure { margin: 1.5rem 0; } figcaption { color: #555; font-size: .9rem; }
.serious { color: #a40000; } .warning { color: #7a4a00; }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def report(fit: Fit, plan: Plan | None = None, *, path: str | Path | None = None) -> str:
    """Return a fit, and a plan, as one HTML page with its figures, and write it to a file.

    Parameters
    ----------
    fit : Fit
        With its rows, or without them: then their figures are left out.
    plan : Plan, optional
    path : path, optional
        File to write.

    Raises
    ------
    DocumentError
        If the file cannot be written.
    """
    title = f"{fit.law.label} fitted to {fit.table_id}"
    if not fit.certificate.n_starts:
        title = f"{fit.law.label} on {fit.table_id}"
    parts = [
        f"<h1>{html.escape(title)}</h1>",
        _section("Law", _law(fit)),
        _section("Notices", _notices(fit, plan)),
        _section("Parameters", frame_html(fit.params()) + _paragraph(fit.uncertainty)),
        _section("Certificate", _certificate(fit)),
        _section("Plan", "" if plan is None else _plan(plan)),
        _section("Figures", _figures(fit, plan)),
        _section("Data", _provenance(fit)),
        _section("Versions", _versions(fit)),
    ]
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body>{''.join(parts)}</body></html>"
    )
    if path is not None:
        document.save(page, path)
    return page


def _section(heading: str, body: str) -> str:
    return f"<section><h2>{heading}</h2>{body}</section>" if body else ""


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>" if text else ""


def _facts(facts: dict[str, str]) -> str:
    frame = pd.DataFrame(list(facts.items()), columns=["", "value"]).set_index("")
    return frame_html(frame)


def _law(fit: Fit) -> str:
    formula = f"{fit.law.response} = {fit.law.formula}"
    inputs = ", ".join(f"{item.symbol}: {item.label or item.column}" for item in fit.law.inputs)
    return (
        f"<pre>{html.escape(formula)}</pre>"
        + _paragraph(
            f"{inputs}. Loss in {fit.loss_unit}; N counts {fit.param_convention} parameters."
        )
        + _paragraph(f"Source: {fit.law.source}" if fit.law.source else "")
    )


def _notices(fit: Fit, plan: Plan | None) -> str:
    found = (*fit.notices, *(() if plan is None else plan.notices))
    lines = zip(found, notice_lines(found), strict=True)
    listed = "".join(
        f'<li class="{notice.severity}">{html.escape(line)}</li>' for notice, line in lines
    )
    return f"<ul>{listed}</ul>" if listed else ""


def _certificate(fit: Fit) -> str:
    proof = fit.certificate
    if not proof.n_starts:
        return _paragraph("Published parameters: nothing was searched for here.")
    gap = "no other minimum" if proof.gap_to_second is None else f"{proof.gap_to_second:.3g}"
    return _facts(
        {
            "Objective": f"{fit.objective_value:.10g} ({fit.options.objective})",
            "Starts at this optimum": f"{proof.share_at_optimum:.0%} of {proof.n_starts}",
            "Minima found": str(proof.n_minima),
            "Gap to the next minimum": gap,
            "Condition number": f"{proof.condition_number:.3g}",
            "At a bound": ", ".join(proof.at_bound) or "none",
            "Residual standard deviation": f"{fit.residual_std:.4g}",
            "Rows": f"{fit.n_rows:,}",
        }
    )


def _plan(plan: Plan) -> str:
    return f"<pre>{html.escape(plan.summary(notices=False))}</pre>" + _facts(dict(plan.assumptions))


def _figures(fit: Fit, plan: Plan | None) -> str:
    """Return the figures, the first with Plotly's library in it."""
    if fit.table is None:
        return _paragraph("The fit was saved without its rows, so there are no figures.")
    from isoflop import plot  # the library is large, and not needed for a fit without rows

    drawn = [plot.loss_curve(fit, plan=plan)]
    if {"params", "tokens"} <= set(fit.table.frame):
        drawn.append(plot.contours(fit, plan=plan))
    drawn.append(plot.residuals(fit))
    parts = []
    for i, figure in enumerate(drawn):
        body = figure.to_html(full_html=False, include_plotlyjs=i == 0, config={"responsive": True})
        words = figure.layout.meta
        caption = " ".join([words["alt"], *words["notes"]])
        parts.append(f"<figure>{body}<figcaption>{html.escape(str(caption))}</figcaption></figure>")
    return "".join(parts)


def _provenance(fit: Fit) -> str:
    facts = {"Table": fit.table_id, "Fingerprint": fit.table_fingerprint}
    if fit.table is None:
        return _facts(facts)
    origin = fit.table.provenance
    named = {
        "Title": origin.title,
        "Source": origin.source,
        "Address": origin.url,
        "Licence": origin.licence,
        "Citation": origin.citation,
        "Retrieved": origin.retrieved,
        "Tokenizer": origin.tokenizer,
        "Known problems": " ".join(origin.known_problems),
    }
    return _facts(facts | {name: text for name, text in named.items() if text})


def _versions(fit: Fit) -> str:
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    found = {name: version(name) for name in _LIBRARIES}
    return _facts({"Made": today, "Fit": fit.key, "Python": platform.python_version(), **found})
