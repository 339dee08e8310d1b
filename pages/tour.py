"""Tour: the whole way from a table to a forecast, on the ladder that ships."""

from isoflop.ui import shell, tour

with shell.page("tour"):
    tour.show()
