"""What a person typed, as a tree of Python's syntax: parsed, never run."""

from __future__ import annotations

import ast
import threading

_lock = threading.Lock()


def syntax_tree(text: str, mode: str = "exec") -> ast.AST:
    """Parse a text, in one thread at a time.

    CPython 3.11 counts how deep a tree is for all threads together, so that two that parse at once
    fail now and then with a SystemError (CPython's issue 106905).

    Raises
    ------
    SyntaxError, ValueError, RecursionError, MemoryError
        As `ast.parse` does.
    """
    with _lock:
        return ast.parse(text, mode=mode)
