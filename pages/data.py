"""Data: what a loss table holds, how it was understood, and which of its rows are fitted."""

from isoflop.ui import shell
from isoflop.ui.data import page as data_page

with shell.page("data"):
    data_page.show()
