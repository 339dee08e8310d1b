"""Explore: fit a law to a loss table and read off what a budget would reach."""

from isoflop.ui import shell
from isoflop.ui.explore import page as explore

with shell.page("explore"):
    explore.show()
