"""Tour: what a scaling law is and how far to believe one, a live figure a lesson."""

from isoflop.ui import shell
from isoflop.ui.tour import page as tour_page

with shell.page("tour"):
    tour_page.show()
