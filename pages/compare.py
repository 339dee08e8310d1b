"""Compare: laws on one table, families under one law, published fits, and what came true."""

from isoflop.ui import compare_page, shell

with shell.page("compare"):
    compare_page.show()
