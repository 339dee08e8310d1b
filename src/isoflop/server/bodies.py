"""What a request holds: option classes as they are, and the rest of what a function takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)

from isoflop import settings
from isoflop.errors import AccessError
from isoflop.fitting import FitOptions, PredictOptions
from isoflop.fitting.extrapolation import Method
from isoflop.fitting.options import Objective
from isoflop.laws import law_for_role
from isoflop.options import from_mapping, schema
from isoflop.planning import DEFAULT_ACCELERATOR, Budget, PlanOptions
from isoflop.planning.planned import PARTS
from isoflop.server.calls import FitGiven, LawGiven, Paper, Source
from isoflop.tables.shapes import Curves, Seeds
from isoflop.tables.simulated import SimulationOptions

Files: TypeAlias = Callable[[str], tuple[str, bytes]]
"""Gives name and content of an upload, by its id."""

MAX_POINTS = 10_000
Quantity: TypeAlias = Annotated[
    float | str, Field(description="A number in canonical units, or as a person writes it: 70B.")
]


def _options(owner: type, *, may_lack: bool = False) -> Any:
    """Return the type of a field that holds the options of a class, or null where it may lack."""
    described = schema(owner)
    if may_lack:
        described = {"anyOf": [described, {"type": "null"}]}

    def read(given: object) -> Any:
        if given is None and may_lack:
            return None
        if not isinstance(given, Mapping):
            raise ValueError("is not an object of options")
        return from_mapping(owner, given)

    return Annotated[Any, PlainValidator(read), WithJsonSchema(described)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class Table(_Body):
    """A table by its catalog name, of uploaded files, or as text; and how to read it."""

    name: str | None = Field(None, description="Of the catalog: see /datasets.")
    upload: str | list[str] | None = Field(
        None, description="Id of an uploaded file; several become one table.", max_length=100
    )
    text: str | None = Field(None, description="Content of a file: CSV, JSON, JSON lines.")
    columns: dict[str, str] = Field({}, description="What a header means, such as n_par: params.")
    units: dict[str, str] = Field({}, description="Unit of bare numbers, such as tokens: B.")
    loss_unit: str = Field("", description="Such as bits/byte.")
    mapping: dict[str, Any] | None = Field(
        None, description="What all columns mean, as /read or the Data page writes it."
    )
    metric: str = Field("", description="Column to explain instead of the loss.")
    curves: Curves | None = Field(None, description="Rows of each learning curve.")
    seeds: Seeds = Field("all", description="What becomes of runs of one setting.")
    exclude: list[str] = Field(
        [], description="Rows to leave out: 3,5-9, compute_below=1e19, or tokens < 1e9."
    )
    families: list[str] = Field([], description="Whose rows are kept; all by default.")

    @model_validator(mode="after")
    def _is_one(self) -> Table:
        if sum(given is not None for given in (self.name, self.upload, self.text)) != 1:
            raise ValueError("give one of name, upload and text")
        if self.upload == []:
            raise ValueError("upload names no file")
        return self

    def source(self, files: Files) -> Source:
        """Return the table as a job takes it.

        Raises
        ------
        AccessError
            If it is sent along, and this server takes none.
        """
        if self.text is not None:
            require_uploads()
        ids = [self.upload] if isinstance(self.upload, str) else self.upload or []
        held = tuple(files(id) for id in ids)
        if self.text is not None:
            held = (("table", self.text.encode()),)
        shared = {item.name for item in fields(Source)} - {"files", "exclude", "families"}
        return Source(
            files=held,
            exclude=tuple(self.exclude),
            families=tuple(self.families),
            **{name: getattr(self, name) for name in shared},
        )


class TypedLaw(_Body):
    """A law with what its name or formula leaves open."""

    law: str = Field(description="Its name, see /laws, or a formula: E + A/N**alpha.")
    params: list[str] = Field([], description="Names that are parameters, whatever they read like.")
    inputs: dict[str, str] = Field({}, description="Column that an input stands for, by symbol.")
    response: str | None = Field(None, description="Column to predict.")

    def given(self) -> LawGiven:
        """Return the law as a job takes it."""
        return LawGiven(
            law=self.law, params=tuple(self.params), inputs=self.inputs, response=self.response
        )


def _in_full(name: str) -> BeforeValidator:
    """Let a text stand for an object with one entry."""
    return BeforeValidator(
        lambda given: {name: given} if isinstance(given, str) else given,
        json_schema_input_type=str | Table if name == "name" else str | TypedLaw,
    )


def require_uploads() -> None:
    """Refuse tables that are sent where a setting says so.

    Raises
    ------
    AccessError
    """
    if not settings.takes_uploads():
        raise AccessError(
            "Uploads are off on this server (ISOFLOP_UPLOADS).",
            hint="Name a table of the catalog.",
        )


AnyTable: TypeAlias = Annotated[Table, _in_full("name")]
AnyLaw: TypeAlias = Annotated[TypedLaw, _in_full("law")]


class Request(_Body, ABC):
    """What a function is asked."""

    @abstractmethod
    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function of `isoflop.server.calls` takes.

        Parameters
        ----------
        files : callable
            Gives the uploads that the request names.
        """


class OfTable(Request):
    """A table alone."""

    table: AnyTable = Field(description="A name of the catalog, or a table in full.")

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        return {"source": self.table.source(files)}


class FitBody(Request):
    """A table, the law and how to fit it."""

    table: AnyTable | None = Field(None, description="A name of the catalog, or a table in full.")
    law: AnyLaw | None = Field(
        None,
        description="A name, see /laws, a formula, or a law in full; by default the law that suits "
        "the table.",
    )
    published: str | None = Field(
        None, description="Take a published fit, see /published, in place of fitting a law."
    )
    options: _options(FitOptions) = FitOptions()  # type: ignore[valid-type]  # made from the class
    drop_outliers: bool = Field(False, description="Leave out the rows that a notice names.")

    @model_validator(mode="after")
    def _is_whole(self) -> FitBody:
        self._require_table()
        given = self.model_fields_set & {"law", "options", "drop_outliers"}
        if self.published is not None and given:
            raise ValueError(f"a published fit is taken as it is: leave {', '.join(given)} out")
        return self

    def _require_table(self) -> None:
        if self.table is None:
            raise ValueError("a table is needed")

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        return {"of": self._given(files)}

    def _given(self, files: Files) -> FitGiven:
        return FitGiven(
            source=None if self.table is None else self.table.source(files),
            law=None if self.law is None else self.law.given(),
            published=self.published,
            options=self.options,
            drop_outliers=self.drop_outliers,
        )


class OfFit(FitBody):
    """A fit, made as by /fit, or a saved one."""

    fit: dict[str, Any] | None = Field(
        None, description="A fit as /fit gave it, in place of all that makes one."
    )

    def _require_table(self) -> None:
        if (self.table is None) == (self.fit is None):
            raise ValueError("give one of table and fit")
        making = {"law", "published", "options", "drop_outliers"}
        if self.fit is not None and (given := self.model_fields_set & making):
            raise ValueError(f"a saved fit is taken as it is: leave {', '.join(given)} out")

    def _given(self, files: Files) -> FitGiven:
        return FitGiven(document=self.fit) if self.fit is not None else super()._given(files)


class PredictBody(OfFit):
    """Where to predict, and how sure to be."""

    at: list[dict[str, Quantity]] = Field(
        description="Inputs of each run, by symbol or column.", min_length=1, max_length=MAX_POINTS
    )
    interval: _options(PredictOptions) = PredictOptions()  # type: ignore[valid-type]  # as above

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        return {**super().arguments(files), "at": self.at, "interval": self.interval}


class ExtrapolateBody(OfTable):
    """Where all laws that suit a table are to predict."""

    at: list[dict[str, Quantity]] = Field(
        description="Inputs of each run, by symbol or column.", min_length=1, max_length=100
    )
    law: AnyLaw | None = Field(None, description="Predict by this law alone.")
    method: Method = Field("average", description="one: the law of lowest AICc alone.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Of the resampling.")

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        law = None if self.law is None else self.law.given()
        given = {"at": self.at, "law": law, "method": self.method, "seed": self.seed}
        return {**super().arguments(files), **given}


class OptimumBody(OfFit):
    """Amounts of compute whose best model is asked for."""

    compute_flop: list[Quantity] = Field(min_length=1, max_length=1000)
    level: float = Field(0.9, gt=0, lt=1, description="Nominal coverage of the intervals.")
    fixed: dict[str, Quantity] = Field({}, description="Values of other inputs, by column.")

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        given = {"compute_flop": self.compute_flop, "level": self.level, "fixed": self.fixed}
        return {**super().arguments(files), **given}


class OfPlan(OfFit):
    """What a plan is made with, besides its budget."""

    accelerator: str | dict[str, Any] = Field(
        DEFAULT_ACCELERATOR,
        description="A name, see /accelerators, or one of your own, as an entry of the catalog.",
    )
    plan: _options(PlanOptions) = PlanOptions()  # type: ignore[valid-type]  # as above
    fixed: dict[str, Quantity] = Field({}, description="Values of other inputs, by column.")
    by: Method | None = Field(
        None,
        description="What predicts the plan's loss: all laws that suit, or its own alone; all "
        "unless a law or an option of one fit is given.",
    )

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        given = {name: getattr(self, name) for name in ("accelerator", "fixed", "by")}
        return {**super().arguments(files), **given, "options": self.plan}


class PlanBody(OfPlan):
    """The budget, what it buys, and how."""

    budget: _options(Budget)  # type: ignore[valid-type]  # as above
    target: float | None = Field(
        None,
        gt=0,
        description="Loss: add its chance within the budget, and the least that reaches it.",
    )
    show: list[Literal[tuple(PARTS)]] = Field(  # type: ignore[valid-type]  # the names of the parts
        [], description="What else follows from the plan, below `derived`."
    )

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        given = {name: getattr(self, name) for name in ("budget", "target", "show")}
        return {**super().arguments(files), **given}


class ReportBody(OfPlan):
    """A fit, and a budget if there is to be a plan, to be read by people."""

    budget: _options(Budget, may_lack=True) = None  # type: ignore[valid-type]  # as above
    format: Paper = Field("html", description="A page, or PDF, which needs a browser here.")

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        return {**super().arguments(files), "budget": self.budget, "format": self.format}


class CompareBody(OfTable):
    """Laws to be fitted to the same rows."""

    laws: list[AnyLaw] | None = Field(
        None, description="By default those that suit the table.", min_length=1, max_length=30
    )
    decades: float = Field(1.0, gt=0, le=10, description="How far the held-out part reaches down.")
    options: _options(FitOptions) = FitOptions()  # type: ignore[valid-type]  # as above

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        laws = None if self.laws is None else tuple(law.given() for law in self.laws)
        given = {"laws": laws, "decades": self.decades, "options": self.options}
        return {**super().arguments(files), **given}


class CompareFamiliesBody(OfTable):
    """Two model families of a table."""

    law: AnyLaw | None = Field(
        None, description="Fitted to each; by default the loss over the table's scale."
    )
    families: list[str] | None = Field(
        None,
        description="Which two; by default those of a table of two.",
        min_length=2,
        max_length=2,
    )
    reasons: dict[str, str] = Field(
        {},
        description="Why a difference in loss_unit, tokenizer or param_convention does no harm.",
    )
    options: _options(FitOptions) = FitOptions()  # type: ignore[valid-type]  # as above

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        return {
            **super().arguments(files),
            "law": None if self.law is None else self.law.given(),
            "families": None if self.families is None else tuple(self.families),
            "reasons": self.reasons,
            "options": self.options,
        }


class BacktestBody(Request):
    """Tables whose largest decade is held out."""

    tables: list[AnyTable] = Field(
        description="Names of the catalog, or tables in full.", min_length=1, max_length=20
    )
    laws: list[str] | None = Field(
        None,
        description="Names, see /laws, or formulas; by default all that a table has the columns "
        "for.",
        min_length=1,
        max_length=30,
    )
    objectives: list[Objective] | None = Field(
        None, description="By default all.", min_length=1, max_length=len(get_args(Objective))
    )

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        sources = tuple(table.source(files) for table in self.tables)
        return {"sources": sources, "laws": self.laws, "objectives": self.objectives}


class SimulateBody(Request):
    """A law, its values, and how a table is drawn from it."""

    law: str = Field(
        law_for_role("default").key, description="A name, see /laws, or a formula of N, D and C."
    )
    values: dict[str, float] = Field(description="Of every parameter of the law, by name.")
    compute_flop: list[Quantity] = Field(
        [1e18, 1e22], description="Training compute, from and to.", min_length=2, max_length=2
    )
    options: _options(SimulationOptions) = SimulationOptions()  # type: ignore[valid-type]  # as above

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        given = {name: getattr(self, name) for name in ("law", "values", "options")}
        return {**given, "compute_flop": tuple(self.compute_flop)}


class ModelBody(Request):
    """A released model, or the configuration of another."""

    name: str | None = Field(None, description="Of a released model, or to give to the other.")
    config: dict[str, Any] | None = Field(
        None, description="Content of a config.json of Hugging Face."
    )

    @model_validator(mode="after")
    def _is_one(self) -> ModelBody:
        if self.name is None and self.config is None:
            raise ValueError("give name or config")
        return self

    def arguments(self, files: Files) -> dict[str, Any]:
        """Return what the function takes."""
        return {"name": self.name, "config": self.config}


FUNCTIONS: dict[str, type[Request]] = {
    "read": OfTable,
    "fit": FitBody,
    "predict": PredictBody,
    "extrapolate": ExtrapolateBody,
    "optimum": OptimumBody,
    "plan": PlanBody,
    "report": ReportBody,
    "compare": CompareBody,
    "compare_families": CompareFamiliesBody,
    "compare_published": OfTable,
    "backtest": BacktestBody,
    "simulate": SimulateBody,
    "model": ModelBody,
}
"""What each function of `isoflop.server.calls` is asked, by its name."""


class JobStatus(_Body):
    """How far a job is."""

    id: str
    kind: str
    status: Literal["waiting", "running", "done", "failed", "lost"] = Field(
        description="lost: the server process that ran it has ended."
    )
    place_in_queue: int | None
    share_done: float
    doing: str
    result: str = Field(description="Address of what comes of it, below /api/.")


class UploadStatus(_Body):
    """A file that is held for its sender."""

    id: str
    name: str
    n_bytes: int
