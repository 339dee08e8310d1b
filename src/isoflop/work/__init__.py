"""Heavy work away from who asked for it: in processes of its own, on a cluster, or on the spot.

`submit` takes a function of the package with its arguments and returns a `Job`, which is a
`concurrent.futures.Future`: wait for its result, or ask now and then how far it is. The setting
``ISOFLOP_EXECUTOR`` says where jobs run.
"""

from isoflop.work.executor import Executor, Job
from isoflop.work.fair import FairQueue
from isoflop.work.places import InlineExecutor, chosen, executor, prepare, shutdown, submit

__all__ = [
    "Executor",
    "FairQueue",
    "InlineExecutor",
    "Job",
    "chosen",
    "executor",
    "prepare",
    "shutdown",
    "submit",
]
