"""Resources: what each term means, and what to read on each part."""

from isoflop.ui import resources, shell

with shell.page("resources"):
    resources.show()
