"""What a fit minimises: a sum over rows of a penalty on the residual, with exact derivatives.

Each objective is a residual (of log loss or of loss) and a penalty on it. All are evaluated for a
batch of parameter vectors and row weights at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from isoflop.errors import FitError
from isoflop.fitting.options import LOG_OBJECTIVES, FitOptions
from isoflop.fitting.sums import RowSums, layout
from isoflop.language import lazy_gettext as _
from isoflop.laws.law import Derived

Array: TypeAlias = NDArray[Any]

CHUNK_ELEMENTS = 12_000
"""Parameter vectors times rows evaluated at once, so that intermediates stay in the cache."""

TINY = 1e-300
"""Added to residuals, which then have a ratio to themselves even where they are zero."""

SMOOTHING = 1e-7
"""Half-width of the rounded tip of the absolute value, as a share of the mean loss."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Objective and derivatives of a batch, by natural parameters.

    Parameters
    ----------
    value : ndarray, shape (n_batch,)
        Infinite where the law has no valid value on some row.
    gradient : ndarray, shape (n_batch, n_params)
    hessian : ndarray, shape (n_batch, n_params, n_params)
        Exact.
    gauss_newton : ndarray, shape (n_batch, n_params, n_params)
        Of the reweighted least-squares problem; never indefinite.
    """

    value: Array
    gradient: Array
    hessian: Array
    gauss_newton: Array

    def rows(self, index: Array) -> Evaluation:
        """Return some of the batch."""
        return Evaluation(
            self.value[index], self.gradient[index], self.hessian[index], self.gauss_newton[index]
        )

    def put(self, index: Array, other: Evaluation) -> None:
        """Overwrite some of the batch."""
        self.value[index] = other.value
        self.gradient[index] = other.gradient
        self.hessian[index] = other.hessian
        self.gauss_newton[index] = other.gauss_newton


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A law, rows and an objective: a function of parameter vectors.

    Parameters
    ----------
    derived : Derived
    inputs : sequence of ndarray, shape (n_rows,)
    target : ndarray, shape (n_rows,)
        Observed loss.
    is_log : bool
        Whether residuals are differences of logarithms.
    delta : float
        Width of the quadratic part of the penalty; infinite for least squares.
    below : float
        Weight of points below the curve (1 for symmetric penalties).
    row_weights : ndarray, shape (n_rows,), or None
        How much each row counts; None for all alike. What is passed to a method as ``weights``
        multiplies them.
    sums, basis_sums : RowSums
        Made here: of the law's derivatives, and of what its parameters with a closed form multiply.
    """

    derived: Derived
    inputs: Sequence[Array]
    target: Array
    is_log: bool
    delta: float
    below: float = 1.0
    row_weights: Array | None = None
    sums: RowSums = field(init=False, repr=False, compare=False)
    basis_sums: RowSums = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sums", RowSums(self.derived.products, self.inputs))
        object.__setattr__(self, "basis_sums", RowSums(self.derived.basis, self.inputs))

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.target)

    @property
    def is_least_squares(self) -> bool:
        """Whether linear parameters have a closed form: plain least squares on the loss."""
        return not self.is_log and not np.isfinite(self.delta)

    def with_delta(self, delta: float) -> Problem:
        """Return the same problem with a wider or narrower quadratic part."""
        return replace(self, delta=delta)

    def subset(self, rows: Array) -> Problem:
        """Return the problem on some rows."""
        weights = None if self.row_weights is None else self.row_weights[rows]
        inputs = [x[rows] for x in self.inputs]
        return replace(self, inputs=inputs, target=self.target[rows], row_weights=weights)

    def _weighted(self, weights: Array | None) -> Array | None:
        """Return what a caller's weights and the rows' own come to."""
        if weights is None or self.row_weights is None:
            return self.row_weights if weights is None else weights
        return np.asarray(weights * self.row_weights)

    def standardised(self, residual: Array) -> Array:
        """Return residuals in units of those of a row of weight 1; shape (..., n_rows)."""
        return residual if self.row_weights is None else residual * np.sqrt(self.row_weights)

    def residual(self, prediction: Array) -> Array:
        """Return predicted minus observed, in log loss or in loss; not finite where invalid."""
        if not self.is_log:
            return prediction - self.target
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log(prediction) - np.log(self.target)

    def value(
        self, theta: Array, weights: Array | None = None, shift: Array | None = None
    ) -> Array:
        """Evaluate the objective alone.

        Parameters
        ----------
        theta : ndarray, shape (n_batch, n_params)
        weights : ndarray, shape (n_rows,) or (n_batch, n_rows), optional
        shift : ndarray, shape (n_batch, n_rows), optional
            Added to the residuals, as if the observed losses were others.

        Returns
        -------
        ndarray, shape (n_batch,)
        """
        result, weights = np.empty(len(theta)), self._weighted(weights)
        with np.errstate(all="ignore"):
            for chunk in self.chunks(len(theta)):
                (prediction,) = self.derived.loss.run(stack(theta[chunk]), self.inputs)
                residual = _shifted(self.residual(prediction), _part(shift, chunk))
                penalty = self._penalty(residual)[0]
                result[chunk] = _weighted_sum(penalty, _part(weights, chunk), len(theta[chunk]))
        return np.where(np.isfinite(result), result, np.inf)

    def typical_residual(self, theta: Array) -> float:
        """Return the median size of the residuals at one parameter vector."""
        return float(np.median(np.abs(self.residual(self.predictions(theta[None])))))

    @property
    def rounding(self) -> float:
        """Value of the objective below which it is nothing but rounding."""
        size = 1.0 if self.is_log else float(np.mean(self.target**2))
        total = self.n_rows if self.row_weights is None else float(self.row_weights.sum())
        return 1e-24 * total * size

    def reported(self, value: float) -> float:
        """Return a value of the objective as people write it: absolute values without smoothing."""
        return value / self.delta if self.below != 1.0 else value

    def penalties(self, theta: Array) -> Array:
        """Return the penalty of every row under every parameter vector, times the row's weight.

        Returns
        -------
        ndarray, shape (n_batch, n_rows)
        """
        with np.errstate(all="ignore"):
            penalty = self._penalty(self.residual(self.predictions(theta)))[0]
        return penalty if self.row_weights is None else penalty * self.row_weights

    def predictions(self, theta: Array) -> Array:
        """Return the predicted loss of every row under every parameter vector.

        Returns
        -------
        ndarray, shape (n_batch, n_rows)
        """
        with np.errstate(all="ignore"):
            (prediction,) = self.derived.loss.run(stack(theta), self.inputs)
        return np.broadcast_to(prediction, (len(theta), self.n_rows))

    def linearise(self, theta: Array) -> tuple[Array, Array, Array]:
        """Return what a covariance is made of, at one parameter vector.

        Returns
        -------
        jacobian : ndarray, shape (n_rows, n_params)
            Of the residuals by natural parameters; a row of weight w times the root of w.
        slope : ndarray, shape (n_rows,)
            Of the penalty at each residual, times that root.
        inside : ndarray of bool, shape (n_rows,)
            Whether the residual lies in the quadratic part.
        """
        with np.errstate(all="ignore"):
            outputs = self.derived.gradient.run(stack(theta[None]), self.inputs)
        full = [np.broadcast_to(part, (1, self.n_rows))[0] for part in outputs]
        residual = self.residual(full[0])
        jacobian = np.stack(full[1:], axis=1)
        if self.is_log:
            jacobian = jacobian / full[0][:, None]
        slope, inside = self._penalty(residual)[1], np.abs(residual) <= self.delta
        if self.row_weights is not None:
            jacobian = jacobian * np.sqrt(self.row_weights)[:, None]
        return jacobian, self.standardised(slope), inside

    def _penalty(self, residual: Array) -> tuple[Array, Array]:
        """Return the penalty of each residual and its slope."""
        if not np.isfinite(self.delta):
            return 0.5 * residual * residual, residual
        slope = np.minimum(np.maximum(residual, -self.delta), self.delta)
        penalty = slope * (residual - 0.5 * slope)
        if self.below != 1.0:
            side = np.where(residual > 0, self.below, 1.0)
            return penalty * side, slope * side
        return penalty, slope

    def evaluate(
        self, theta: Array, weights: Array | None = None, shift: Array | None = None
    ) -> Evaluation:
        """Evaluate the objective with gradient, exact Hessian and Gauss-Newton matrix."""
        n_batch, n = theta.shape
        weights = self._weighted(weights)
        plan, sums = layout(self.derived.products), self.sums
        value = np.empty(n_batch)
        scales = np.ones((plan.n_scales, n_batch))
        single = np.empty((plan.n_single, n_batch))
        double = np.empty((2, plan.n_double, n_batch))
        with np.errstate(all="ignore"):
            for chunk in self.chunks(n_batch):
                self._evaluate(
                    theta[chunk],
                    _part(weights, chunk),
                    _part(shift, chunk),
                    out=(value[chunk], scales[:, chunk], single[:, chunk], double[:, :, chunk]),
                )
            linear = sums.vectors(single, scales)
            hessian = sums.matrices(double[0], scales, linear[n:])
            gauss_newton = sums.matrices(double[1], scales)
        value[~np.isfinite(value)] = np.inf
        return Evaluation(value, np.ascontiguousarray(linear[:n].T), hessian, gauss_newton)

    def chunks(self, n_batch: int) -> list[slice]:
        """Return parts of a batch that are evaluated at once."""
        size = max(1, CHUNK_ELEMENTS // max(self.n_rows, 1))
        return [slice(i, min(i + size, n_batch)) for i in range(0, n_batch, size)]

    def _evaluate(
        self,
        theta: Array,
        weights: Array | None,
        shift: Array | None,
        out: tuple[Array, Array, Array, Array],
    ) -> None:
        """Write value, scales and sums over rows of some parameter vectors."""
        value, scales, single, double = out
        shape = (len(theta), self.n_rows)
        prediction, cores, parts = self.derived.products.run(stack(theta), self.inputs)
        fill_scales(scales, parts)
        prediction = np.broadcast_to(prediction, shape)
        if weights is not None and weights.ndim == 2 and not np.isfinite(prediction).all():
            # A row that was not drawn does not count, even where the law is invalid on it.
            counts = weights > 0
            prediction = np.where(counts, prediction, 1.0)
            cores = [np.where(counts, core, 0.0) for core in cores]
        residual = _shifted(self.residual(prediction), shift) + TINY
        base = self._base_weights(residual, weights)
        if np.isfinite(self.delta):
            capped = np.clip(residual, -self.delta, self.delta)
            slope = capped * base
            np.vecdot(slope, residual - 0.5 * capped, out=value)
            irls = slope / residual
            curvature = (capped == residual) * base
        else:
            slope = residual * base
            np.vecdot(slope, 0.5 * residual, out=value)
            irls = curvature = base
        if self.is_log:
            inverse = 1.0 / prediction
            cores = [core * inverse for core in cores]
            curvature = curvature - slope  # the logarithm's own is -J J'
        cores = [core if core.shape == shape else np.broadcast_to(core, shape) for core in cores]
        self.sums.single(slope, cores, single)
        self.sums.double(curvature, cores, double[0])
        if curvature is irls:
            double[1] = double[0]
        else:
            self.sums.double(irls, cores, double[1])

    def _base_weights(self, residual: Array, weights: Array | None) -> Array:
        """Return how much each row's penalty counts, for the side it lies on too."""
        if self.below != 1.0:
            side = np.where(residual > 0, self.below, 1.0)
            return side if weights is None else side * weights
        return np.ones((1, self.n_rows)) if weights is None else np.atleast_2d(weights)


def stack(theta: Array) -> Array:
    """Put parameters first and add a last axis that meets the rows."""
    return np.ascontiguousarray(theta.T)[..., None]


def fill_scales(scales: Array, parts: Sequence[Array]) -> None:
    """Write the scales of some parameter vectors, shape (n_scales, n_batch)."""
    for row, part in zip(scales, parts, strict=True):
        row[:] = part[..., 0] if part.ndim else part


def _part(values: Array | None, chunk: slice) -> Array | None:
    return values if values is None or values.ndim == 1 else values[chunk]


def _shifted(residual: Array, shift: Array | None) -> Array:
    return residual if shift is None else residual + shift


def _weighted_sum(penalty: Array, weights: Array | None, n_batch: int) -> Array:
    penalty = np.broadcast_to(penalty, (n_batch, penalty.shape[-1]))
    if weights is None:
        return np.asarray(np.sum(penalty, axis=-1))
    if weights.ndim == 1:
        return np.asarray(penalty @ weights)
    result = np.asarray(np.einsum("bn,bn->b", penalty, weights))
    if not np.isfinite(result).all():
        # A row that was not drawn does not count, even where the law is invalid on it.
        result = np.asarray(np.einsum("bn,bn->b", np.where(weights > 0, penalty, 0.0), weights))
    return result


def make_problem(
    derived: Derived,
    inputs: Sequence[Array],
    target: Array,
    options: FitOptions,
    weights: Array | None = None,
) -> Problem:
    """Turn fit options into a problem.

    Parameters
    ----------
    weights : ndarray, shape (n_rows,), optional
        As the objective takes them.

    Raises
    ------
    FitError
        If a log objective meets a loss that is not positive.
    """
    is_log = options.objective in LOG_OBJECTIVES
    if is_log and not np.all(target > 0):
        raise FitError(
            _("A log objective needs positive values to fit."),
            detail=_("The smallest value is {target:g}.", target=float(np.min(target))),
            hint=_("Use least squares on the value itself."),
        )
    delta = {"huber_log": options.huber_delta, "huber": options.huber_delta}.get(
        options.objective, np.inf
    )
    below = 1.0
    if options.objective == "asymmetric_mae":
        typical = float(np.average(np.abs(target), weights=weights))
        delta, below = SMOOTHING * typical, options.asymmetry
    return Problem(
        derived=derived,
        inputs=inputs,
        target=target,
        is_log=is_log,
        delta=delta,
        below=below,
        row_weights=weights,
    )
