"""Every error that Isoflop raises on purpose, each fit to be shown to a person as it stands.

::

    IsoflopError
    ├── TableError            a loss table cannot be read, mapped or validated
    │   └── TableQuestion     what a column means must be said first
    ├── UnitError             a quantity cannot be parsed or has the wrong unit
    ├── OptionError           options are unknown or cannot be read
    ├── FormulaError          a law's formula is malformed, unsafe or unusable
    ├── CatalogError          a data file is malformed, or an entry or download is missing
    ├── FitError              a law cannot be fitted to a table
    │   ├── TooFewRows        fewer usable rows than the law has parameters
    │   ├── NotIdentified     the rows cannot tell the law's parameters apart
    │   └── NonFinite         the law has no finite value anywhere on these rows
    ├── PlanError             a plan cannot be made from these inputs
    │   ├── ArchitectureError a model shape is malformed, absurd or not supported
    │   ├── LossUnreachable   the target loss lies below the law's floor
    │   └── DoesNotFit        the model does not fit the memory given
    ├── TrainingError         a live training run cannot start or go on
    ├── DocumentError         a saved result cannot be written or read back
    ├── RenderError           a figure or a report cannot be drawn as an image or PDF
    ├── NoticeError           a result has notices that it was not to have
    ├── SettingError          a setting of the environment has no such value
    ├── AccessError           somebody may not do or see this
    ├── WorkError             heavy work was refused or ended before its end
    └── StoreError            the database of saved documents cannot be opened, read or written
        └── ConflictError     another person changed a document in the meantime
"""

from __future__ import annotations

from typing import ClassVar


class IsoflopError(Exception):
    """An expected failure: what went wrong, where, and what to do about it.

    Each class has a ``code`` that stays the same, for programs.

    Parameters
    ----------
    summary : str
        What went wrong, in one sentence.
    detail : str
        Where, and with which values; may run over several lines.
    hint : str
        What to do about it.
    """

    code: ClassVar[str] = "isoflop"

    def __init__(self, summary: str, *, detail: str = "", hint: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return "\n".join(part for part in (self.summary, self.detail, self.hint) if part)


class TableError(IsoflopError):
    """A loss table cannot be read, mapped or validated."""

    code = "table"


class TableQuestion(TableError):
    """What a column means is not certain, and must be said before a table is made.

    Parameters
    ----------
    summary, detail, hint : str
        The question, why it matters, and how to answer.
    choices : dict of str to str
        Answers, the proposed one first, and the flag of the command line that gives each.
    """

    code = "table-question"

    def __init__(
        self,
        summary: str,
        *,
        detail: str = "",
        hint: str = "",
        choices: dict[str, str] | None = None,
    ) -> None:
        super().__init__(summary, detail=detail, hint=hint)
        self.choices = dict(choices or {})


class UnitError(IsoflopError):
    """A quantity cannot be parsed or has the wrong unit."""

    code = "unit"


class OptionError(IsoflopError):
    """Options of a fit, a prediction or a plan are unknown or cannot be read."""

    code = "option"


class FormulaError(IsoflopError):
    """A law's formula is malformed, unsafe or unusable."""

    code = "formula"


class CatalogError(IsoflopError):
    """A data file is malformed, or an entry or a download is missing."""

    code = "catalog"


class FitError(IsoflopError):
    """A law cannot be fitted to a table."""

    code = "fit"


class TooFewRows(FitError):
    """Fewer usable rows than the law has parameters."""

    code = "too-few-rows"


class NotIdentified(FitError):
    """The rows cannot tell the law's parameters apart."""

    code = "not-identified"


class NonFinite(FitError):
    """The law has no finite value anywhere on these rows."""

    code = "non-finite"


class PlanError(IsoflopError):
    """A plan cannot be made from these inputs."""

    code = "plan"


class ArchitectureError(PlanError):
    """A model shape is malformed, absurd or not supported."""

    code = "architecture"


class LossUnreachable(PlanError):
    """The target loss lies below the law's floor."""

    code = "loss-unreachable"


class DoesNotFit(PlanError):
    """The model does not fit the memory given."""

    code = "does-not-fit"


class TrainingError(IsoflopError):
    """A live training run cannot start or go on."""

    code = "training"


class DocumentError(IsoflopError):
    """A saved result cannot be written or read back."""

    code = "document"


class RenderError(IsoflopError):
    """A figure or a report cannot be drawn as an image or PDF: no browser, or it failed."""

    code = "render"


class NoticeError(IsoflopError):
    """A result has notices that it was not to have."""

    code = "notices"


class SettingError(IsoflopError):
    """A setting of the environment has no such value."""

    code = "setting"


class AccessError(IsoflopError):
    """Somebody may not do or see this."""

    code = "access"


class WorkError(IsoflopError):
    """Heavy work was refused, or ended before its end: too long, too large, or its process died."""

    code = "work"


class StoreError(IsoflopError):
    """The database of saved documents cannot be opened, read or written."""

    code = "store"


class ConflictError(StoreError):
    """Another person changed a document in the meantime."""

    code = "conflict"
