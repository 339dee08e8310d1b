"""Python statements that make a table again as it is fitted here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from isoflop.tables import LossTable, guess_mapping
from isoflop.tables.prepare import MAX_ROWS, Preparation, preparation_to_text
from isoflop.ui import prepared, uploads
from isoflop.ui.state import SIMULATED, TableChoice
from isoflop.ui.uploads import Upload


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a fitted table comes from, as the session has it: enough to say so without one.

    Parameters
    ----------
    choice : TableChoice
    families : tuple of str
        Families that are fitted; all rows if empty.
    n_rows : int
        Rows of the whole table that may be fitted.
    preparation : Preparation
        What was decided on the Data page.
    is_usual : bool
        Whether that is what happens to this table anyway.
    upload : Upload or None
        Where it was brought.
    """

    choice: TableChoice
    families: tuple[str, ...]
    n_rows: int
    preparation: Preparation
    is_usual: bool
    upload: Upload | None


def origin(choice: TableChoice, families: tuple[str, ...], full: LossTable) -> Origin:
    """Return where a table comes from.

    Parameters
    ----------
    choice : TableChoice
    families : tuple of str
        Families that are fitted; all rows if empty.
    full : LossTable
        All rows of the table.
    """
    preparation = prepared.of(choice.id, full)
    return Origin(
        choice=choice,
        families=families,
        n_rows=len(full.included()),
        preparation=preparation,
        is_usual=preparation == prepared.usual(choice.id, full),
        upload=uploads.kept().get(choice.id),
    )


def table_code(of: Origin) -> str:
    """Return statements that bind ``table``."""
    choice, preparation = of.choice, of.preparation
    names, lines = [], []
    if choice.id == SIMULATED:
        names.append("simulated_table")
        lines.append(
            f"table = simulated_table(design={choice.design!r}, noise={choice.noise!r}, "
            f"outliers={choice.outliers!r}, seed={choice.seed!r})"
        )
    elif of.upload is not None:
        names, lines = _upload(of.upload)
    elif of.is_usual:
        names.append("load_dataset")
        lines.append(f"table = load_dataset({choice.id!r})")
        preparation = Preparation()
    else:
        names.append("open_dataset")
        lines.append(f"table = open_dataset({choice.id!r}).table")
    if of.families:
        names.append("of_families")
    head = [f"from isoflop.tables import {', '.join(sorted(names))}"]
    if preparation != Preparation() or of.n_rows > MAX_ROWS:
        head.append("from isoflop.tables.prepare import preparation_from_text, prepare")
        text = preparation_to_text(preparation)
        lines.append(f"table = prepare(table, preparation_from_text({text!r}))")
    if of.families:
        lines.append(f"table = of_families(table, {of.families!r})")
    return "\n".join([*head, "", *lines])


def _upload(upload: Upload) -> tuple[list[str], list[str]]:
    """Read what was uploaded again, with the mapping where it is not what would be guessed."""
    source = list(upload.result.raw.files) or upload.name
    mapping = replace(upload.result.mapping, questions=())
    if mapping == replace(guess_mapping(upload.result.raw), questions=()):
        return ["read_table"], [f"table = read_table({source!r}).table"]
    return ["mapping_from_json", "read_table"], [
        f"mapping = mapping_from_json({mapping.to_json()!r})",
        f"table = read_table({source!r}, mapping=mapping).table",
    ]
