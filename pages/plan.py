"""Plan: from hardware, time, storage and money to the run that should be trained."""

from isoflop.ui import shell
from isoflop.ui.plan import page as plan_page

with shell.page("plan"):
    plan_page.show()
