"""What the glossary says, beside controls and on its page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

import streamlit as st

from isoflop.language import translated
from isoflop.reference import Term, find_term
from isoflop.ui import messages


def explained(help: str, key: str) -> str:
    """Return a control's help with what the glossary says of the term that it is about.

    Parameters
    ----------
    help : str
        What the control does; empty where the term says it all.
    key : str
        Of the term; empty for none.
    """
    said = translated(help)
    if not key:
        return said
    term = find_term(key)
    formula = f" `{term.formula}`" if term.formula else ""
    name = messages.plain(translated(term.name))
    meaning = f"**{name}** · {messages.plain(translated(term.meaning))}{formula}"
    return f"{said}\n\n{meaning}" if said else meaning


def entries(terms: Iterable[Term]) -> None:
    """Draw terms with meaning, formula and source, each with its key as anchor."""
    st.html(f'<dl class="terms">{"".join(map(_entry, terms))}</dl>')


def _entry(term: Term) -> str:
    formula = f"<code>{escape(term.formula)}</code>" if term.formula else ""
    source = escape(term.source) if term.is_own else link(term.source, term.link)
    return (
        f'<div id="{term.key}"><dt>{escape(translated(term.name))}</dt>'
        f"<dd>{escape(translated(term.meaning))} {formula} <small>{source}</small></dd></div>"
    )


def link(text: str, address: str) -> str:
    """Return a link to another site as HTML."""
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">{escape(text)}</a>'
