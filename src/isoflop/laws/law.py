"""A scaling law: a formula with typed inputs and parameters, and what is derived from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isoflop.errors import FormulaError
from isoflop.identity import NOT_IDENTITY
from isoflop.language import lazy_gettext as _
from isoflop.laws.formula import parse
from isoflop.laws.graph import build
from isoflop.laws.latex import formula_latex
from isoflop.laws.multipliers import Multiplier, find_multipliers
from isoflop.laws.products import Products
from isoflop.laws.program import Program
from isoflop.laws.roles import Role
from isoflop.once import once

Scale = Literal["log", "linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One free parameter of a law.

    Parameters
    ----------
    name : str
        As it stands in the formula.
    latex : str
    lower, upper : float
        Bounds in natural units; infinite where there is none.
    scale : {"log", "linear"}
        ``"log"`` for a parameter that is positive and spans decades.
    unit : str
    help : str
        One line for a person.
    search : (float, float) or None
        Where a fit looks for starting values; None to work it out from the formula and the data.
    search_input : str
        Input symbol whose smallest and largest value multiply ``search``; empty for none.
    """

    name: str
    latex: str = ""
    lower: float = -np.inf
    upper: float = np.inf
    scale: Scale = "linear"
    unit: str = ""
    help: str = ""
    search: tuple[float, float] | None = None
    search_input: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of a law: a symbol of the formula and the table column it stands for."""

    symbol: str
    column: str
    label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Law:
    """A scaling law.

    Parameters
    ----------
    key : str
        Catalog key; ``"typed"`` for a law that a user typed.
    label : str
    formula : str
        As a person types it, such as ``"E + A/N**alpha + B/D**beta"``.
    inputs : tuple of Input
    params : tuple of Param
        In the order of every parameter vector.
    response : str
        Column that the law predicts; ``"loss"`` unless it is a bounded metric.
    help : str
        When to use it, in one line.
    source : str
        Paper.
    roles : tuple of str
        What the catalog has the law for, of `ROLES`; a typed law has none.
    fixed : tuple of (str, float)
        Parameters of the law as it was typed that are numbers in this formula; see `restricted`.
    """

    key: str
    label: str
    formula: str
    inputs: tuple[Input, ...]
    params: tuple[Param, ...]
    response: str = "loss"
    help: str = ""
    source: str = ""
    roles: tuple[Role, ...] = field(default=(), metadata=NOT_IDENTITY)
    fixed: tuple[tuple[str, float], ...] = ()

    def __repr__(self) -> str:
        return f"<Law {self.label}: {self.response} = {' '.join(self.formula.split())}>"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Input symbols, in order."""
        return tuple(item.symbol for item in self.inputs)

    @property
    def param_names(self) -> tuple[str, ...]:
        """Parameter names, in order."""
        return tuple(param.name for param in self.params)

    @property
    def derived(self) -> Derived:
        """Gradient, Hessian and linear parameters, derived from the formula once."""
        return derive(self.formula, self.symbols, self.param_names)

    @property
    def linear_params(self) -> tuple[str, ...]:
        """Parameters that the formula is jointly linear in, as they are."""
        return tuple(self.params[i].name for i in self.derived.linear)

    def loss(self, theta: ArrayLike, inputs: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Evaluate the law.

        Parameters
        ----------
        theta : array_like, shape (..., n_params)
            Parameter vectors in natural units.
        inputs : mapping of str to array_like
            Value of every input symbol, shape (n_rows,) or (..., n_rows) each; scalars broadcast.

        Returns
        -------
        ndarray, shape (..., n_rows)
            NaN or infinite where the formula has no finite value.

        Raises
        ------
        FormulaError
            If an input is missing or ``theta`` has the wrong length.
        """
        vectors, arrays, shape = self._prepare(theta, inputs)
        with np.errstate(all="ignore"):
            (result,) = self.derived.loss.run(vectors, arrays)
        return np.broadcast_to(result, shape).copy()

    def gradient(self, theta: ArrayLike, inputs: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Evaluate the derivative of the law by its parameters.

        Returns
        -------
        ndarray, shape (..., n_rows, n_params)
        """
        vectors, arrays, shape = self._prepare(theta, inputs)
        with np.errstate(all="ignore"):
            parts = self.derived.gradient.run(vectors, arrays)[1:]
        return np.stack([np.broadcast_to(part, shape) for part in parts], axis=-1)

    def hessian(self, theta: ArrayLike, inputs: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """Evaluate the second derivatives of the law by its parameters.

        Returns
        -------
        ndarray, shape (..., n_rows, n_params, n_params)
        """
        vectors, arrays, shape = self._prepare(theta, inputs)
        products, n = self.derived.products, len(self.params)
        with np.errstate(all="ignore"):
            parts = products.derivatives(vectors, arrays)[n:]
        result = np.zeros((*shape, n, n), dtype=vectors.dtype)
        for (j, k), part in zip(products.pairs, parts, strict=True):
            result[..., j, k] = result[..., k, j] = part
        return result

    def latex(self, values: Mapping[str, float] | None = None) -> str:
        """Return the law as LaTeX, with numbers in place of parameters if given."""
        latex_of = {param.name: param.latex for param in self.params if param.latex}
        return formula_latex(self.formula, names=latex_of, values=values)

    def _prepare(
        self, theta: ArrayLike, inputs: Mapping[str, ArrayLike]
    ) -> tuple[NDArray[Any], list[NDArray[Any]], tuple[int, ...]]:
        vectors = np.asarray(theta)
        if not np.issubdtype(vectors.dtype, np.complexfloating):
            vectors = vectors.astype(np.float64, copy=False)
        if vectors.ndim == 0 or vectors.shape[-1] != len(self.params):
            raise FormulaError(
                _(
                    "The law {label} has {params} parameters.",
                    label=self.label,
                    params=len(self.params),
                ),
                detail=_("Given: an array of shape {shape}.", shape=vectors.shape),
            )
        missing = [symbol for symbol in self.symbols if symbol not in inputs]
        if missing:
            raise FormulaError(
                _(
                    "The law {label} needs the input {missing}.",
                    label=self.label,
                    missing=", ".join(missing),
                )
            )
        arrays = [np.asarray(inputs[symbol], dtype=np.float64) for symbol in self.symbols]
        stacked = np.moveaxis(vectors, -1, 0)[..., None]
        shape = np.broadcast_shapes(stacked.shape[1:], *(array.shape for array in arrays))
        return stacked, arrays, shape


@dataclass(frozen=True, slots=True)
class Derived:
    """What follows from a formula once its inputs and parameters are told apart.

    Parameters
    ----------
    loss, gradient : Program
        ``gradient`` gives the loss, then one derivative a parameter.
    products : Products
        The loss, one derivative a parameter, and the second derivatives that are not
        identically zero.
    linear : tuple of int
        Parameters in which the formula is jointly linear.
    exponential : tuple of int
        Parameters p in which it is jointly linear as exp(p), such as a in ``exp(a - b*log(N))``.
        Together with ``linear`` they are the largest such set.
    basis : Products
        The formula, and its derivative by each linear and each exponential parameter: with those
        at zero, what each multiplies (the formula then holds the exponential ones once).
    multipliers : tuple of Multiplier
        Parameters that multiply a term, each after those that its term needs.
    """

    loss: Program
    gradient: Program
    products: Products
    linear: tuple[int, ...]
    exponential: tuple[int, ...]
    basis: Products
    multipliers: tuple[Multiplier, ...]

    @property
    def projected(self) -> tuple[int, ...]:
        """Parameters that have a closed form, given the others: linear, then exponential."""
        return self.linear + self.exponential


@once(max_entries=256)
def derive(formula: str, symbols: tuple[str, ...], params: tuple[str, ...]) -> Derived:
    """Derive gradient, Hessian and the parameters with a closed form of a formula."""
    graph, root = build(parse(formula), symbols, params)
    n = len(params)
    first = [graph.derivative(root, j) for j in range(n)]
    second = {
        (j, k): graph.derivative(first[j], k)
        for j in range(n)
        for k in range(j, n)
        if graph.value(first[j]) is None
    }
    second = {pair: node for pair, node in second.items() if graph.value(node) != 0.0}
    switches = graph.switches()
    linear = {j for j in range(n) if (j, j) not in second and j not in switches}
    exponential = {j for j in range(n) if second.get((j, j)) == first[j] and j not in switches}
    exponential -= linear
    closed = _largest_separable_set([*linear, *exponential], set(second))
    linear_set = tuple(j for j in closed if j in linear)
    exponential_set = tuple(j for j in closed if j in exponential)
    return Derived(
        loss=Program(graph, [root]),
        gradient=Program(graph, [root, *first]),
        products=Products(graph, root, first, second),
        linear=linear_set,
        exponential=exponential_set,
        basis=Products(graph, root, [first[j] for j in linear_set + exponential_set]),
        multipliers=find_multipliers(graph, root),
    )


def _largest_separable_set(candidates: list[int], curved: set[tuple[int, int]]) -> tuple[int, ...]:
    """Return the largest set of candidates with no mixed second derivative inside it."""
    best: tuple[int, ...] = ()
    for j in candidates:
        chosen: tuple[int, ...] = (j,)
        for k in candidates:
            if k != j and all((min(k, m), max(k, m)) not in curved for m in chosen):
                chosen = (*chosen, k)
        if len(chosen) > len(best):
            best = chosen
    return tuple(sorted(best))
