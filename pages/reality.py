"""Reality check: what published runs took, and what we would have said."""

from isoflop.ui import shell
from isoflop.ui.plan import reality as plan_reality

with shell.page("reality"):
    plan_reality.show()
