"""Train: run small language models live, and see the scaling law appear from one's own machine."""

from isoflop.ui import shell
from isoflop.ui.train import page as train_page

with shell.page("train"):
    train_page.show()
