"""Whether losses may be compared at all: unit, tokenizer and what N counts must agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from isoflop.errors import FitError
from isoflop.identity import Keyed
from isoflop.language import joined, lazy_gettext, listed, sentences
from isoflop.notices import Notice
from isoflop.tables.schema import LossTable
from isoflop.tables.select import family_names

Aspect = Literal["loss_unit", "tokenizer", "param_convention"]

ASPECTS: Mapping[Aspect, str] = {
    "loss_unit": lazy_gettext("loss unit"),
    "tokenizer": "tokenizer",
    "param_convention": lazy_gettext("counting of parameters"),
}
WHY: Mapping[Aspect, str] = {
    "loss_unit": lazy_gettext("The same model has a different loss in another unit."),
    "tokenizer": lazy_gettext("A nat per token covers other text under another tokenizer."),
    "param_convention": lazy_gettext(
        "The same model has another N, and with C = 6 N D another compute."
    ),
}
UNKNOWN = lazy_gettext("not stated")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Group(Keyed):
    """One of the things compared: a table, or a family of one.

    Parameters
    ----------
    label : str
    table : LossTable
        Its rows alone.
    """

    label: str
    table: LossTable
    key: str = field(init=False, repr=False)

    def value(self, aspect: Aspect) -> str:
        """Return what the group says of an aspect; `UNKNOWN` where it says nothing."""
        if aspect == "loss_unit":
            value = str(self.table.loss_unit)
        elif aspect == "param_convention":
            value = str(self.table.param_convention)
        else:
            value = _tokenizer(self.table)
        return UNKNOWN if value in ("", "unknown") else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """An aspect in which groups differ, or may differ.

    Parameters
    ----------
    aspect : {"loss_unit", "tokenizer", "param_convention"}
    values : tuple of (str, str)
        Label and value of each group.
    """

    aspect: Aspect
    values: tuple[tuple[str, str], ...]

    @property
    def text(self) -> str:
        """One sentence for a person."""
        named = joined(
            "; ",
            (
                lazy_gettext("{label}: {value}", label=label, value=value)
                for label, value in self.values
            ),
        )
        return lazy_gettext(
            "The {aspects} differs or is not known to agree ({named}).",
            aspects=ASPECTS[self.aspect],
            named=named,
        )


def mismatches(groups: Sequence[Group]) -> tuple[Mismatch, ...]:
    """Return every aspect in which the groups are not known to agree.

    Groups of one source that states nothing agree with each other: a table is in one unit.

    Parameters
    ----------
    groups : sequence of Group
    """
    has_one_source = len({group.table.id for group in groups}) == 1
    found = []
    for aspect in ASPECTS:
        values = tuple((group.label, group.value(aspect)) for group in groups)
        stated = {value for _, value in values}
        if len(stated) > 1 or (stated == {UNKNOWN} and not has_one_source):
            found.append(Mismatch(aspect=aspect, values=values))
    return tuple(found)


def unlike_families(table: LossTable) -> tuple[Mismatch, ...]:
    """Return in what the families of a table are not known to agree: none if they may be pooled.

    One law of all of them is a law of none where their losses are other numbers. A table's own rows
    say their tokenizer (a column ``tokenizer``); what the whole table states holds for all.
    """
    names = family_names(table)
    if len(names) < 2:
        return ()
    return mismatches([Group(label=name, table=table.families(name)) for name in names])


def pooled_notice(table: LossTable) -> Notice | None:
    """Return what to know of a law of all families of a table; None where they may be pooled."""
    found = unlike_families(table)
    if not found:
        return None
    counts = table.included()["family"].value_counts()
    sizes = ", ".join(f"{name} {int(counts[name])}" for name in family_names(table))
    return Notice(
        code="families-pooled",
        severity="serious",
        text=lazy_gettext(
            "One law is fitted to families that may not be comparable (rows: {sizes}). {found}",
            sizes=sizes,
            found=sentences(mismatch.text for mismatch in found),
        ),
        remedy=lazy_gettext(
            "Fit one family ({index} has most rows), or bring all to one unit, "
            "such as bits per byte. {why}",
            index=counts.index[0],
            why=WHY[found[0].aspect],
        ),
    )


def require_comparable(
    groups: Sequence[Group], reasons: Mapping[str, str] | None = None
) -> tuple[Notice, ...]:
    """Refuse groups that are not known to agree, unless told why that is fine.

    Parameters
    ----------
    groups : sequence of Group
    reasons : mapping of str to str, optional
        Why a mismatch does no harm, by aspect.

    Returns
    -------
    tuple of Notice
        What is compared all the same, with the reason given.

    Raises
    ------
    FitError
        Naming every mismatch without a reason.
    """
    given = {aspect: reason.strip() for aspect, reason in (reasons or {}).items()}
    found = mismatches(groups)
    open_ones = [mismatch for mismatch in found if not given.get(mismatch.aspect)]
    if open_ones:
        raise FitError(
            lazy_gettext(
                "{groups} cannot be compared as they stand.",
                groups=listed(group.label for group in groups),
            ),
            detail=joined(
                "\n",
                [lazy_gettext("{text} {why}", text=m.text, why=WHY[m.aspect]) for m in open_ones],
            ),
            hint=lazy_gettext(
                "Convert them to one convention, or say why the difference does no harm here."
            ),
        )
    return tuple(
        Notice(
            code=f"compared-across-{mismatch.aspect.replace('_', '-')}",
            severity="warning",
            text=lazy_gettext(
                "{text} Compared all the same, because: {given}.",
                text=mismatch.text,
                given=given[mismatch.aspect].rstrip("."),
            ),
            remedy=WHY[mismatch.aspect],
        )
        for mismatch in found
    )


def _tokenizer(table: LossTable) -> str:
    """Return the tokenizer that the rows name, else the one of the whole table."""
    frame = table.included()
    if "tokenizer" in frame:
        named = sorted(set(frame["tokenizer"].dropna().astype(str)))
        if named:
            return ", ".join(named)
    return table.provenance.tokenizer
