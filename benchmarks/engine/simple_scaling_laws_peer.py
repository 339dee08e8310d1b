"""What simple-scaling-laws takes; it needs Python 3.12, so it runs in an environment of its own.

Usage: python simple_scaling_laws_peer.py rows.json. Prints one JSON object a line, as ``peers.py``.
Its objective is least squares of the loss, so none is compared; its fit always comes with draws.
"""

import json
import sys
import time
from pathlib import Path

import polars as pl
from simple_scaling_laws import fit

FEW, MANY = 10, 1000


def main():
    rows = json.loads(Path(sys.argv[1]).read_text())
    frame = pl.DataFrame(
        {
            "training_run_id": [str(row) for row in range(len(rows["loss"]))],
            "model_size__n_params": rows["params"],
            "dataset_size__n_tokens": rows["tokens"],
            "test_loss__cross_entropy": rows["loss"],
        }
    )

    def cpu_s(n_draws):
        begin = time.process_time()
        fit(frame, law="separable-power", n_draws=n_draws, seed=0)
        return time.process_time() - begin

    cpu_s(FEW)
    few, many = cpu_s(FEW), cpu_s(MANY)
    draw_s = (many - few) / (MANY - FEW)
    for task, seconds, note in (
        ("fit", few - FEW * draw_s, f"less its {FEW} draws; least squares of the loss"),
        ("bootstrap 4,000", 4000 * draw_s, f"timed on {MANY} draws"),
    ):
        line = {"peer": "simple-scaling-laws 0.2.0", "task": task, "cpu_s": seconds}
        print(json.dumps(line | {"objective": None, "note": note}), flush=True)


if __name__ == "__main__":
    main()
