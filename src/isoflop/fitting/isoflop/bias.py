"""What an approach would report on this design if the fitted law were the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from isoflop.fitting.isoflop.budgets import Checkpoints
from isoflop.fitting.isoflop.envelope import envelope_lines
from isoflop.fitting.isoflop.line import Lines, PowerLine
from isoflop.fitting.isoflop.profiles import Profiles, fit_profile, lines_through
from isoflop.fitting.predict import predict
from isoflop.fitting.result import Fit
from isoflop.language import lazy_gettext

N_SIMULATED = 60
"""Simulated tables that the envelope's bias is averaged over."""


def expected_profiles(profiles: Profiles, fit: Fit) -> Lines | None:
    """Return the lines that the profiles would give if the fitted law were exact.

    Parameters
    ----------
    profiles : Profiles
        Whose accepted budgets, sizes and tokens are kept.
    fit : Fit
        Of a law of N and D.

    Returns
    -------
    (PowerLine, PowerLine) or None
        None if fewer than two budgets enclose the fitted law's minimum.
    """
    found = []
    for profile in profiles.accepted:
        loss = predict(fit, {"N": profile.params, "D": profile.tokens})
        exact = fit_profile(replace(profile, loss=loss), profiles.curve)
        if not exact.refusal:
            found.append(exact)
    return lines_through(found) if len(found) >= 2 else None


def expected_envelope(rows: Checkpoints, fit: Fit, seed: int = 0) -> Lines | None:
    """Return the lines that the envelope would give on average if the fitted law were the truth.

    Each run is as lucky or unlucky as those fitted, in the median; the envelope keeps the lucky.

    Returns
    -------
    (PowerLine, PowerLine) or None
        None if most made-up tables have too little of an envelope.
    """
    loss = predict(fit, {"N": rows.params, "D": rows.tokens})
    luck = np.bincount(rows.run, weights=np.log(rows.loss / loss)) / np.bincount(rows.run)
    freedom = max(rows.n_runs - len(fit.law.params), 1)
    spread = 1.4826 * float(np.median(np.abs(luck - np.median(luck))))
    spread *= np.sqrt(rows.n_runs / freedom)
    random = np.random.default_rng(seed)
    found = []
    for _ in range(N_SIMULATED):
        drawn = np.exp(spread * random.standard_normal(rows.n_runs))[rows.run]
        lines = envelope_lines(rows.with_loss(loss * drawn))
        if lines is not None:
            found.append(lines)
    if len(found) < N_SIMULATED / 2:
        return None
    mean = np.mean(found, axis=0)
    params_line, tokens_line = (
        PowerLine(
            exponent=float(exponent),
            intercept=float(intercept),
            reason=lazy_gettext("An expectation."),
        )
        for exponent, intercept in mean
    )
    return params_line, tokens_line
