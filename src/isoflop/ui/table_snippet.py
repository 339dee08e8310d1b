"""Python statements that make a table again as it is fitted here."""

from __future__ import annotations

from dataclasses import replace

from isoflop.tables import LossTable, guess_mapping
from isoflop.tables.prepare import MAX_ROWS, Preparation, preparation_to_text
from isoflop.ui import prepared, uploads
from isoflop.ui.state import SIMULATED, UPLOAD_PREFIX, TableChoice


def table_code(choice: TableChoice, families: tuple[str, ...], full: LossTable) -> str:
    """Return statements that bind ``table``.

    Parameters
    ----------
    choice : TableChoice
    families : tuple of str
        Families that are fitted; all rows if empty.
    full : LossTable
        All rows of the table.
    """
    preparation = prepared.of(choice.id, full)
    names, lines = [], []
    if choice.id == SIMULATED:
        names.append("simulated_table")
        lines.append(
            f"table = simulated_table(design={choice.design!r}, noise={choice.noise!r}, "
            f"outliers={choice.outliers!r}, seed={choice.seed!r})"
        )
    elif choice.id.startswith(UPLOAD_PREFIX):
        names, lines = _upload(choice.id)
    elif preparation == prepared.usual(choice.id, full):
        names.append("load_dataset")
        lines.append(f"table = load_dataset({choice.id!r})")
        preparation = Preparation()
    else:
        names.append("open_dataset")
        lines.append(f"table = open_dataset({choice.id!r}).table")
    if families:
        names.append("of_families")
    head = [f"from isoflop.tables import {', '.join(sorted(names))}"]
    if preparation != Preparation() or len(full.included()) > MAX_ROWS:
        head.append("from isoflop.tables.prepare import preparation_from_text, prepare")
        text = preparation_to_text(preparation)
        lines.append(f"table = prepare(table, preparation_from_text({text!r}))")
    if families:
        lines.append(f"table = of_families(table, {families!r})")
    return "\n".join([*head, "", *lines])


def _upload(table_id: str) -> tuple[list[str], list[str]]:
    """Read what was uploaded again, with the mapping where it is not what would be guessed."""
    upload = uploads.kept()[table_id]
    source = list(upload.result.raw.files) or upload.name
    mapping = replace(upload.result.mapping, questions=())
    if mapping == replace(guess_mapping(upload.result.raw), questions=()):
        return ["read_table"], [f"table = read_table({source!r}).table"]
    return ["mapping_from_json", "read_table"], [
        f"mapping = mapping_from_json({mapping.to_json()!r})",
        f"table = read_table({source!r}, mapping=mapping).table",
    ]
