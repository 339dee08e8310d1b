"""Workspaces: save what you work on, come back to it, share it."""

from isoflop.ui import shell
from isoflop.ui.workspaces import page as workspaces_page

with shell.page("workspaces"):
    workspaces_page.show()
