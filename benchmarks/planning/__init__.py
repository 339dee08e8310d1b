"""How well planning's sums predict what was measured: step time, failures, serving."""
