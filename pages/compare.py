"""Compare: laws on one table, families under one law, published fits, and what came true."""

from isoflop.ui import shell
from isoflop.ui.compare import page as compare_page

with shell.page("compare"):
    compare_page.show()
