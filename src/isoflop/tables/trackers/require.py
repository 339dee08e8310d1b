"""Optional client libraries."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType

from isoflop.errors import TableError
from isoflop.language import lazy_gettext as _


def require(module: str, extra: str, what: str) -> ModuleType:
    """Import an optional library.

    Parameters
    ----------
    module : str
    extra : str
        Extra of this package that installs it.
    what : str
        What needs it, such as ``"Reading TensorBoard event files"``.

    Raises
    ------
    TableError
        If it is not installed.
    """
    if importlib.util.find_spec(module.partition(".")[0]) is None:
        raise TableError(
            _(
                "{what} needs the package {partition}, which is not installed.",
                what=what,
                partition=module.partition(".")[0],
            ),
            hint=_("Install it: pip install 'isoflop[{extra}]'", extra=extra),
        )
    return importlib.import_module(module)
