"""Fit: how far the fit may be believed, and what would make it surer."""

from isoflop.ui import shell
from isoflop.ui.fit import page as fit_page

with shell.page("fit"):
    fit_page.show()
