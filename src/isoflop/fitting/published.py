"""A paper's parameters evaluated on a table's rows."""

from __future__ import annotations

import numpy as np

from isoflop.errors import TooFewRows
from isoflop.fitting.options import FitOptions
from isoflop.fitting.result import Certificate, Fit
from isoflop.language import lazy_gettext as _
from isoflop.laws import PublishedFit
from isoflop.notices import Notice
from isoflop.tables import LossTable
from isoflop.tables.schema import said_response

NO_SEARCH = Certificate(
    n_starts=0,
    share_at_optimum=float("nan"),
    n_minima=0,
    gap_to_second=None,
    gradient_norm=float("nan"),
    condition_number=float("nan"),
    at_bound=(),
    n_grid=0,
)
"""The certificate of parameters that nobody searched for here."""


def evaluate_published(published: PublishedFit, table: LossTable) -> Fit:
    """Return published parameters as a fit whose residuals are those of a table's rows.

    Parameters
    ----------
    published : PublishedFit
    table : LossTable
        Unique tokens default to tokens: no repetition.

    Returns
    -------
    Fit
        With ``n_starts`` 0 in its certificate, and neither draws nor covariance.

    Raises
    ------
    TableError
        If the table lacks a column of the law.
    TooFewRows
        If no row has all of them.
    """
    law = published.law
    present = set(table.included())
    columns = [
        "tokens" if item.column == "unique_tokens" and item.column not in present else item.column
        for item in law.inputs
    ]
    values = np.stack([*(table.values(column) for column in columns), table.values(law.response)])
    usable = np.isfinite(values).all(axis=0) & (values[-1] > 0)
    if not usable.any():
        raise TooFewRows(
            _("No row has all that {label} needs.", label=published.label),
            detail=_(
                "Needed: {columns} and {response}.",
                columns=", ".join(columns),
                response=said_response(law.response),
            ),
        )
    *inputs, observed = values[:, usable]
    predicted = law.loss(published.theta, dict(zip(law.symbols, inputs, strict=True)))
    residuals = np.log(observed / predicted)
    return Fit(
        law=law,
        table_id=table.id,
        table_fingerprint=table.fingerprint,
        options=FitOptions(objective="least_squares_log"),
        values=published.values,
        draws=None,
        covariance=None,
        covariance_reason=_("These parameters are a paper's, given without their covariance."),
        objective_value=float(0.5 * np.sum(residuals**2)),
        residual_std=float(np.sqrt(np.mean(residuals**2))),
        residuals=residuals,
        row_index=table.included().index.to_numpy()[usable].astype(np.int64),
        certificate=NO_SEARCH,
        notices=_notices(published, table, float(np.expm1(np.median(residuals)))),
        n_rows=int(usable.sum()),
        input_ranges=published.input_ranges,
        loss_unit=published.loss_unit,
        param_convention=published.param_convention,
        table=table,
    )


def _notices(published: PublishedFit, table: LossTable, offset: float) -> tuple[Notice, ...]:
    """Say how far the rows may be compared with the paper's."""
    notices = [
        Notice(
            code="fitted-elsewhere",
            severity="info",
            text=_(
                "{label} was fitted to {data}, not to these rows; their median loss "
                "lies {offset:.1%} {side} it.",
                label=published.label,
                data=published.data,
                offset=abs(offset),
                side=_("above") if offset > 0 else _("below"),
            ),
            remedy=_(
                "Text and tokenizer shift losses: compare slopes rather than values, "
                "or fit the law to these rows."
            ),
        )
    ]
    if published.loss_unit != table.loss_unit:
        notices.append(
            Notice(
                code="units-differ",
                severity="serious",
                text=_(
                    "The published loss is in {loss_unit}, that of the rows in {own_unit}.",
                    loss_unit=published.loss_unit,
                    own_unit=table.loss_unit,
                ),
                remedy=_("Convert one of them before you compare."),
            )
        )
    if "unknown" not in {published.param_convention, table.param_convention} and (
        published.param_convention != table.param_convention
    ):
        notices.append(
            Notice(
                code="conventions-differ",
                severity="warning",
                text=_(
                    "The published N counts {published} parameters, that of the rows {own} ones.",
                    published=published.param_convention,
                    own=table.param_convention,
                ),
                remedy=_("The curve is shifted along N, most of all at small sizes."),
            )
        )
    if not published.is_verified:
        notices.append(
            Notice(
                code="unverified",
                severity="warning",
                text=_("These parameters have not been checked against their source."),
                remedy=_("Look them up before you rely on them."),
            )
        )
    return tuple(notices)
