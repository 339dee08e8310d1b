"""Whatever a file holds, it gives a clean table, a question or an error for a person.

``ISOFLOP_FUZZ=10000 pytest tests/tables/test_fuzz.py`` tries more than usual; so does
``python -m benchmarks.fuzz_tables --files 10000``, which counts what they gave.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

import pytest
from benchmarks.fuzz_tables.__main__ import ERROR, QUESTION, TABLE, fuzz
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.tables.test_safety import check, outcome

from isoflop.errors import IsoflopError
from isoflop.tables import build_table, guess_mapping, read_files
from isoflop.tables.logs import parse_line
from isoflop.tables.marks import split_marks
from isoflop.tables.metadata import values_in_name

pytestmark = pytest.mark.slow

FUZZ = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=int(os.environ.get("ISOFLOP_FUZZ", "50")),
)
CASES = {path.name: path.read_bytes() for path in (Path(__file__).parent / "cases").iterdir()}
NAMES = st.sampled_from(sorted(CASES))
PIECES = st.one_of(
    st.sampled_from(
        [b"", b"\n", b",", b"|", b":", b"{", b"}", b"[", b"]", b'"', b"'", b"nan", b"1e999", b"-1",
         b"**", b"~", b"\xc2\xb1", b"(3)", b"loss", b"step", b"1B", b"\x00", b"\xff", b"=", b"/",
         b"- ", b"step: 1 loss: 2.0", b'{"loss": {"1": 2, "2": 3}}', b"run - loss__MIN", b"#"]
    ),
    st.binary(max_size=6),
)  # fmt: skip


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, bytes]:
    """A real file with parts cut out, repeated, swapped or written over."""
    name = draw(NAMES)
    content = CASES[name]
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 40)))
        middle = draw(st.sampled_from(["write", "cut", "repeat"]))
        piece = {"write": draw(PIECES), "cut": b"", "repeat": content[start:end] * 2}[middle]
        content = content[:start] + piece + content[end:]
    return draw(st.sampled_from([name, "runs.csv", "curve_N70M_D1.4B.json", "x"])), content


@FUZZ
@example(("runs.csv", b"loss,N,D,model,step\n" + b"4,5e7,2e7,a,1\n3,5e7,4e7,a,2\n" * 9 + b"7\n"))
@example(("runs.csv", b"n_params,FLOPs/token,total_flops,loss\n,1e8,1e17,3\n1e7,,1e18,2\n"))
@example(("N70M_D1B.log", b"step 1e999: loss 9\nstep 1: loss 8\nstep 2: loss 7\n"))
@given(changed())
def test_any_change_of_a_file(case: tuple[str, bytes]) -> None:
    outcome(case[1], case[0])


@FUZZ
@given(
    files=st.lists(
        st.one_of(changed(), st.tuples(NAMES, st.just(b""))).map(
            lambda case: (case[0], case[1] or CASES.get(case[0], b"N,loss\n1,2\n"))
        ),
        min_size=1,
        max_size=4,
    ),
    describing=st.lists(
        st.tuples(
            st.sampled_from(["config.json", "hparams.yaml", "a/config.yaml", "tokenizer.json"]),
            st.sampled_from(
                [b"", b"{}", b"n_params: 5\nlr: .1\n", b'{"model_type": "gpt2"}', b"a: &x [*x]",
                 b"? {a: 1}\n: 2\n", b"!!python/object:os.system {}", b"\xff"]
            ),
        ),
        max_size=2,
    ),
    is_strict=st.booleans(),
)  # fmt: skip
def test_any_files_together(
    files: list[tuple[str, bytes]], describing: list[tuple[str, bytes]], is_strict: bool
) -> None:
    with contextlib.suppress(IsoflopError):
        raw = read_files([*files, *describing], is_strict=is_strict)
        check(build_table(raw, guess_mapping(raw)).table)


def test_broken_files_of_every_shape() -> None:
    counts, wrong = fuzz(120)
    assert not wrong
    assert counts[TABLE] > 20
    assert counts[QUESTION] > 5
    assert counts[ERROR] > 20


KEYS = st.sampled_from(
    ["loss", "val_loss", "step", "tokens", "n_params", "run", "log", "values", "history", "1", "2",
     "10", "start_step", "step_interval", "train", "val", "lr", "max_steps", "losses", "eval_steps"]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-3, 10**12), st.floats(0.1, 20), st.just(float("nan")), st.none(), st.booleans()
)
DOCUMENTS = st.recursive(
    st.one_of(NUMBERS, st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.lists(NUMBERS, max_size=5),
        st.dictionaries(KEYS, inner, max_size=5),
        st.lists(st.dictionaries(KEYS, inner, max_size=4), max_size=4),
    ),
    max_leaves=30,
)


@FUZZ
@given(DOCUMENTS, st.booleans())
def test_any_nested_document(document: object, is_lines: bool) -> None:
    if is_lines and isinstance(document, list):
        outcome("\n".join(map(json.dumps, document)).encode() or b" ", "runs.jsonl")
    else:
        outcome(json.dumps(document).encode(), "runs.json")


WORDS = st.sampled_from(
    ["step", "iter", "epoch", "loss", "val loss", "lr", "time", "INFO", "[rank0]:", "|", ",", ":",
     "=", "1", "2.5", "1e-3", "nan", "1,000", "3/10", "12%", "5ms", "6.87GiB", "(3)", "{", "}", "'",
     '"', "2024-11-26 10:00:01", "\t", "  ", "validation", "number of parameters: 124.5M", "-",
     "\x1b[0m"]
)  # fmt: skip


@FUZZ
@given(st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=12))
def test_any_log(lines: list[str]) -> None:
    outcome("\n".join(lines).encode() or b" ", "run.log")


@FUZZ
@given(st.text(alphabet="0123456789.eE+-KMBN_D=abc *~±()†[]^|:,'\"/", max_size=60))
def test_any_cell_line_and_name(text: str) -> None:
    values_in_name(text)
    parse_line(text)
    value, spread = split_marks(text)
    assert bool(value) == bool(text)
    assert len(value) + len(spread) <= len(text) + 2
