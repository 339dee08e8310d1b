"""Options are said once: flags, bodies, code, tables and widgets all come from the dataclass."""

from __future__ import annotations

import argparse
import ast
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import numpy as np
import pytest

from isoflop import planning
from isoflop.errors import FitError, OptionError, PlanError, UnitError
from isoflop.fitting import FitOptions, PredictOptions
from isoflop.options import (
    Option,
    add_flags,
    classes_in,
    code,
    from_flags,
    from_mapping,
    markdown,
    option,
    options_of,
)
from isoflop.planning import (
    Acquisition,
    Budget,
    Failures,
    PlanOptions,
    Requests,
    Schedule,
    Site,
)
from isoflop.planning.storage import CheckpointPolicy
from isoflop.server.bodies import FitBody, PlanBody, PredictBody, SimulateBody
from isoflop.tables.simulated import SimulationOptions

ALL = (FitOptions, PredictOptions, Budget, PlanOptions, SimulationOptions)
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    share: Annotated[float, Option(label="Share", help="Of all.", dimension="fraction")] = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """One option of each kind."""

    name: Annotated[str, Option(label="Name", help="Any text, 100% of it.")] = "x"
    way: Annotated[Literal["left", "right"], Option(label="Way", help="Where to.")] = "left"
    count: Annotated[int, Option(label="Count", help="How many.", ge=1, le=9)] = 1
    time_s: Annotated[
        float | None,
        Option(label="Time", help="How long.", dimension="seconds", flag="for", gt=0.0),
    ] = None
    is_on: Annotated[bool, Option(label="On", help="Whether.")] = True
    inner: Inner = field(default_factory=Inner)


def parsed(owner: type, *arguments: str) -> Any:
    parser = argparse.ArgumentParser()
    add_flags(parser, owner, "group")
    return from_flags(owner, parser.parse_args(arguments))


def test_a_description_is_completed_by_the_field() -> None:
    time = option(Some, "time_s")
    assert (time.kind, time.is_optional, time.default, time.flag) == (float, True, None, "for")
    way = option(Some, "way")
    assert (way.choices, way.default) == ({"left": "left", "right": "right"}, "left")
    assert option(Some, "inner.share").flag == "share"
    assert option(Some, "is_on").kind is bool


def test_a_field_that_says_nothing_is_a_fault() -> None:
    @dataclass
    class Mute:
        level: float = 0.9

    with pytest.raises(TypeError, match=r"Mute\.level has no Option"):
        options_of(Mute)


def test_flags_read_quantities_as_people_write_them() -> None:
    assert parsed(Some) == Some()
    given = parsed(Some, "--for", "2 h", "--no-is-on", "--share", "40%", "--count", "3")
    assert given == Some(time_s=7200.0, is_on=False, count=3, inner=Inner(share=0.4))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--count", "0"], "argument --count: a whole number from 1 to 9 is needed, got 0."),
        (["--way", "up"], "argument --way: up is none of left, right."),
        (["--for", "2 GB"], "argument --for: "),
        (["--for", "-1 h"], "a time above 0 is needed, got -1 h."),
        (["--share", "2"], None),
    ],
)
def test_flags_out_of_range_are_told_before_any_work(
    arguments: list[str], message: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if message is None:  # a dimension alone sets no range
        assert parsed(Some, *arguments).inner.share == 2
        return
    with pytest.raises(SystemExit):
        parsed(Some, *arguments)
    assert message in capsys.readouterr().err


def test_help_of_a_flag_says_what_it_does_and_the_default(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        parsed(Some, "--help")
    text = " ".join(capsys.readouterr().out.split())
    assert "--name NAME Any text, 100% of it. Default: x." in text
    assert "--is-on, --no-is-on Whether. Default: yes." in text
    assert "--for FOR How long. --is-on" in text


def test_a_body_may_hold_text_numbers_switches_and_parts() -> None:
    body = {"way": "right", "count": 3, "time_s": "2 h", "is_on": "no", "inner": {"share": "40%"}}
    expected = Some(way="right", count=3, time_s=7200.0, is_on=False, inner=Inner(share=0.4))
    assert from_mapping(Some, body) == expected
    assert from_mapping(Some, {"inner.share": 0.4, "time_s": None}) == Some(inner=Inner(share=0.4))
    assert from_mapping(Some, {"inner": Inner(share=0.4)}) == Some(inner=Inner(share=0.4))
    assert from_mapping(Some, {"time_s": "", "count": "3", "is_on": False}).count == 3


def test_everything_wrong_with_a_body_is_said_at_once() -> None:
    body = {
        "name": 3, "way": ["left"], "count": 2.5, "time_s": True, "is_on": "perhaps",
        "inner": {"share": "much"}, "colour": "red",
    }  # fmt: skip
    with pytest.raises(OptionError) as error:
        from_mapping(Some, body)
    assert error.value.summary == "7 of the options cannot be used."
    assert error.value.detail.splitlines() == [
        "name: 3 is not a text.",
        "way: ['left'] is none of left, right.",
        "count: a whole number from 1 to 9 is needed, got 2.5.",
        "time_s: True is not a number.",
        "is_on: perhaps is neither yes nor no.",
        'inner.share: "much" is not a number.',
        "colour: there is no such option.",
    ]
    assert "inner.share" in error.value.hint


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, [], {}])
def test_what_is_no_finite_number_is_refused(value: object) -> None:
    with pytest.raises(UnitError):
        option(Some, "count").read(value)


def test_a_switch_is_no_choice_among_numbers() -> None:
    with pytest.raises(UnitError, match="True is none of 0, 1, 2, 3"):
        option(PlanOptions, "zero_stage").read(True)


def test_code_holds_what_differs_from_the_defaults() -> None:
    assert code(FitOptions()) == "FitOptions()"
    options = PlanOptions(params=7e9, site=Site(pue=1.1), checkpoints=CheckpointPolicy())
    assert code(options) == "PlanOptions(params=7000000000.0, site=Site(pue=1.1))"


def test_code_of_numpy_numbers_needs_no_numpy() -> None:
    options = FitOptions(huber_delta=np.float64(0.01), n_bootstrap=np.int64(5))
    assert code(options) == "FitOptions(huber_delta=0.01, n_bootstrap=5)"


def test_the_classes_themselves_still_refuse() -> None:
    with pytest.raises(FitError) as text:
        FitOptions(n_bootstrap="100")  # type: ignore[arg-type]  # what is refused
    assert "Bootstrap resamples: '100' is not a whole number from 0 to 20000." in text.value.detail
    with pytest.raises(PlanError, match="budget is invalid"):
        from_mapping(Budget, {"mfu": 0.4})
    with pytest.raises(FitError):
        FitOptions(seed=-1)


# --- Every option is reachable --------------------------------------------------------------------

OTHER: dict[str, object] = {
    "family": "qwen-3", "optimizer": "adam-8", "dtype": "fp8", "convention": "6N_attention",
    "positive": "A,B", "weights": "loss_std", "used_share": 0.5,
}  # fmt: skip


def other(entry: Option) -> Any:
    """Return a value that is not the default."""
    name = entry.name.rpartition(".")[2]
    if name in OTHER:
        return OTHER[name]
    if entry.form:
        return "E=1.5:2.0,alpha=0.34"
    if entry.choices:
        return next(value for value in entry.choices if value != entry.default)
    if entry.kind is bool:
        return not entry.default
    lower = next(end for end in (entry.default, entry.ge, entry.gt, 0) if end is not None)
    upper = next(end for end in (entry.le, entry.lt, 2 * lower + 6) if end is not None)
    return entry.kind((lower + upper) / 2)


def build(owner: type, entry: Option, value: object) -> tuple[Any, dict[str, Any]]:
    """Build the options by hand, with what else the class needs."""
    needs: dict[str, Any] = {}
    if entry.name in {"convention", "causal"}:
        needs = {"family": "qwen-3"}
    if owner is PlanOptions and entry.name == "tokens":
        needs = {"params": 7e9}
    if owner is Budget:
        needs = {"usd": 1e3} if entry.name == "compute_flop" else {"compute_flop": 1e21}
    first, _, rest = entry.name.partition(".")
    if rest:
        part = next(item for item in fields(owner) if item.name == first).default_factory
        value = type(part())(**{rest: value})  # type: ignore[misc]  # a factory is there
    return owner(**{first: value, **needs}), needs


def typed(flag: str, value: object) -> str:
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag}={value}"


def run(node: ast.expr) -> Any:
    """Do what an expression of calls and constants says."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        parts = (Acquisition, Failures, Requests, Schedule, Site, CheckpointPolicy)
        made = {kind.__name__: kind for kind in (*ALL, *parts)}[node.func.id]
        return made(**{str(item.arg): run(item.value) for item in node.keywords})
    return ast.literal_eval(node)


CASES = [
    pytest.param(owner, entry, id=f"{owner.__name__}.{entry.name}")
    for owner in ALL
    for entry in options_of(owner)
]


@pytest.mark.parametrize(("owner", "entry"), CASES)
def test_every_option_comes_from_flag_query_body_and_code(owner: type, entry: Option) -> None:
    value = other(entry)
    expected, needs = build(owner, entry, value)
    assert expected != build(owner, entry, entry.default)[0]
    flags = {option(owner, name).flag: held for name, held in needs.items()} | {entry.flag: value}
    units = {option.flag: " s" for option in options_of(owner) if option.dimension == "seconds"}
    flags = {f: f"{held}{units[f]}" if f in units else held for f, held in flags.items()}
    assert parsed(owner, *(typed(flag, held) for flag, held in flags.items())) == expected
    assert from_mapping(owner, needs | {entry.name: value}) == expected
    assert from_mapping(owner, {k: str(v) for k, v in (needs | {entry.name: value}).items()}) == (
        expected
    )
    assert run(ast.parse(code(expected), mode="eval").body) == expected


# Which part of which body holds a class, and what that body needs besides.
HTTP: dict[type, tuple[str, type, dict[str, object]]] = {
    FitOptions: ("options", FitBody, {"table": "x"}),
    PredictOptions: ("interval", PredictBody, {"table": "x", "at": [{"N": 1.0}]}),
    Budget: ("budget", PlanBody, {"table": "x"}),
    PlanOptions: ("plan", PlanBody, {"table": "x", "budget": {"usd": "1k"}}),
    SimulationOptions: ("options", SimulateBody, {"values": {}}),
}


@pytest.mark.parametrize(("owner", "entry"), CASES)
def test_every_option_comes_over_http(owner: type, entry: Option) -> None:
    expected, needs = build(owner, entry, other(entry))
    part, body, more = HTTP[owner]
    first, _, rest = entry.name.partition(".")
    value = {rest: other(entry)} if rest else other(entry)
    read = body.model_validate({**more, part: {first: value, **needs}})
    assert getattr(read, part) == expected
    described = body.model_json_schema()["properties"][part]["properties"]
    said = described[first]["properties"][rest] if rest else described[first]
    assert said["title"] == entry.label
    assert said["description"].startswith(entry.help)
    text = str(other(entry)).lower() if entry.kind is bool else str(other(entry))
    for given in (other(entry), text, said["default"]):
        jsonschema.validate(given, said)


def test_what_code_of_options_calls_is_imported_from_one_place() -> None:
    """As exported scripts of a plan do."""
    whole = {
        PlanOptions: {
            "schedule": Schedule(kind="wsd"),
            "requests": Requests(prompt_tokens=2),
            "site": Site(pue=1.1),
            "checkpoints": CheckpointPolicy(n_saved=9),
        },
        Budget: {
            "usd": 1.0,
            "failures": Failures(stall_s=1.0),
            "acquisition": Acquisition(way="bought"),
        },
    }
    for owner, given in whole.items():
        made = owner(**given)  # type: ignore[arg-type]  # options of either class
        parts = {item.name for item in fields(owner) if is_dataclass(getattr(made, item.name))}
        assert parts <= set(given), "this test leaves a part out"
        assert classes_in(made) <= set(planning.__all__)


# What no widget asks for, and why.
NO_WIDGET = {
    (FitOptions, "seed"): "a link shows the same figures to all",
    (PredictOptions, "level"): "every band of the app is drawn at one level, which it names",
    (PlanOptions, "level"): "as of a prediction",
    (SimulationOptions, "n_rows"): "the table that teaches has sixty",
}


def asked_by_widgets() -> set[tuple[str, str]]:
    """Return class and name of the options that pages ask for, as the source names them."""
    found = set()
    for path in (ROOT / "src" / "isoflop" / "ui").glob("**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(args=[ast.Name(id="Failures"), ast.Constant(value=str(name)), *_]):
                    found.add(("Budget", f"failures.{name}"))
                case ast.Call(args=[ast.Name(id=owner), ast.Constant(value=str(name)), *_]):
                    found.add((owner, name))
                case ast.Call(func=ast.Name(id="limit"), args=[ast.Constant(value=str(name)), *_]):
                    found.add(("Budget", name))
    return found


def test_every_option_has_a_widget_or_a_reason_for_none() -> None:
    asked = asked_by_widgets()
    without = {
        (owner, entry.name)
        for owner in ALL
        for entry in options_of(owner)
        if (owner.__name__, entry.name) not in asked
    }
    lacking = [f"{owner.__name__}.{name}" for owner, name in without - set(NO_WIDGET)]
    assert not lacking, (
        f"No page asks for {', '.join(lacking)}: call option_inputs.choice, quantity or switch in"
        " ui, or give the reason in NO_WIDGET"
    )
    assert set(NO_WIDGET) <= without, "NO_WIDGET holds options that a page asks for"


def test_widgets_ask_for_options_that_there_are() -> None:
    named = {owner.__name__: {entry.name for entry in options_of(owner)} for owner in ALL}
    asked = asked_by_widgets()
    assert {(owner, name) for owner, name in asked if name not in named.get(owner, {name})} == set()


def test_no_second_copy_of_a_label_or_help_stands_in_the_pages() -> None:
    texts = {
        text
        for owner in ALL
        for entry in options_of(owner)
        for text in (entry.help, *(entry.choices.values() if entry.kind is str else ()))
        if " " in text
    }
    copies = [
        f"{path.name}: {text}"
        for path in (ROOT / "src" / "isoflop" / "ui").glob("**/*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for text in texts
        if isinstance(node, ast.Constant) and node.value == text
    ]
    assert copies == []


@pytest.mark.parametrize("owner", ALL)
def test_options_are_described_for_a_person(owner: type) -> None:
    for entry in options_of(owner):
        assert entry.label[0].isupper() or entry.label.startswith(("ZeRO", "FLOP"))
        assert entry.help.endswith("."), entry.name
        assert entry.default is None or entry.read(entry.default) == entry.default
        assert f"`{entry.name}`" in markdown(owner)
    flags = [entry.flag for entry in options_of(owner)]
    assert len(flags) == len(set(flags))


def test_labels_are_given_to_every_value_of_a_literal() -> None:
    for owner in ALL:
        for entry in options_of(owner):
            assert entry.kind is not str or not entry.choices or all(entry.choices.values())


@pytest.mark.parametrize("text", ["45", "45%", "0.45"])
def test_a_share_may_be_written_in_percent(text: str) -> None:
    assert option(Budget, "mfu").read(text) == 0.45
    assert from_mapping(Budget, {"wall_time_s": "30 days", "mfu": text}).mfu == 0.45


def test_a_number_of_a_share_is_never_a_percentage() -> None:
    with pytest.raises(PlanError, match="invalid") as caught:
        Budget(wall_time_s=86400.0, mfu=45.0)
    assert "MFU is a share of the peak in (0, 1], got 45; 45% is written 0.45." in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text"), [("wall_time_s", "500 H100-days"), ("compute_flop", "30 days on 512 H100")]
)
def test_accelerators_times_a_time_are_asked_for_by_themselves(name: str, text: str) -> None:
    with pytest.raises(UnitError, match="give the number of accelerators and the time, each by"):
        option(Budget, name).read(text)
