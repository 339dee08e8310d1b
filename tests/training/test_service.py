"""Trained models over HTTP: what is asked, what is refused, and a real model's answers."""

import math
import zipfile
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from isoflop.errors import TrainingError
from isoflop.files import write_json
from isoflop.server.app import HEALTH_OF_APP, routes_of_models
from isoflop.server.mount import routes
from isoflop.training.engine.build import build_model
from isoflop.training.engine.export import export
from isoflop.training.records import RecordWriter
from isoflop.training.runs import Run
from isoflop.training.service import MAX_NEW_TOKENS, ModelService, checked
from isoflop.training.tokenizer import ByteTokenizer

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(monkeypatch, tmp_path):
    monkeypatch.setenv("ISOFLOP_RUNS_FOLDER", str(tmp_path))
    monkeypatch.delenv("ISOFLOP_READ_ONLY", raising=False)
    return TestClient(Starlette(routes=routes()))


def test_an_exported_model_answers_the_health_check_of_the_image():
    """A container that served a model was unhealthy for ever: only the app had the address."""
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text()
    assert f"'{HEALTH_OF_APP}'" in dockerfile
    served = TestClient(routes_of_models(lambda body: (Path(), None)))
    assert served.get(HEALTH_OF_APP).status_code == 200


def test_a_request_takes_its_defaults():
    request = checked("generate", {"prompt": "a"})
    assert request == {
        "kind": "generate", "prompt": "a", "n_tokens": 100, "temperature": 0.8, "top_k": 0,
        "seed": 0,
    }  # fmt: skip


def test_every_problem_of_a_request_is_named():
    with pytest.raises(TrainingError) as caught:
        checked("generate", {"n_tokens": MAX_NEW_TOKENS + 1, "temperature": "hot", "colour": 1})
    assert caught.value.detail.splitlines() == [
        "colour is not a field.",
        "n_tokens must be 1 to 400.",
        "temperature must be 0 to 10.",
    ]
    with pytest.raises(TrainingError, match="text must be text of at most"):
        checked("loss", {})


@pytest.mark.parametrize(
    ("sent", "status", "summary"),
    [
        ({"content": "{", "headers": JSON}, 400, "The body is not valid JSON."),
        ({"content": "[]", "headers": JSON}, 400, "The body is not a JSON object."),
        ({"content": "[" * 100_000, "headers": JSON}, 400, "The body is not valid JSON."),
        ({"content": "{}"}, 415, "Send JSON, with the content type application/json."),
        (
            {"content": " " * 600_000, "headers": JSON},
            413,
            "The body is larger than 500,000 bytes.",
        ),
        ({"json": {}}, 422, "The request does not work."),
        ({"json": {"run": "../../etc", "prompt": "a"}}, 422, "There is no run"),
        ({"json": {"run": "none", "budget": "first"}}, 422, "The request does not work."),
    ],
)
def test_a_request_that_does_not_work_is_a_problem_document(client, sent, status, summary):
    answer = client.post("/api/generate", **sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["summary"].startswith(summary)


@pytest.mark.parametrize("setting", [("ISOFLOP_MODEL_API", "off"), ("ISOFLOP_READ_ONLY", "1")])
def test_models_can_be_kept_from_answering(client, monkeypatch, setting):
    monkeypatch.setenv(*setting)
    assert client.post("/api/loss", json={}).status_code == 403
    assert client.get("/api/loss").status_code == 405


@pytest.fixture
def run(tmp_path, tiny, text):
    from safetensors.torch import save_file

    from isoflop.training.corpus import store_upload

    key = store_upload(text, name="sources.txt", uploads=tmp_path / "uploads").key
    config = tiny(family="transformer", width=16, corpus=key)
    tokenizer = ByteTokenizer.train(text)
    made = Run.create(tmp_path, config)
    write_json(made.tokenizer_path, tokenizer.to_dict())
    with RecordWriter(made.records_path):
        pass
    model = build_model(config, vocab_size=len(tokenizer.token_bytes))
    save_file(model.state_dict(), made.weights_path(0))
    return made


@pytest.mark.slow
def test_a_model_answers_and_so_does_its_export(run, tmp_path):
    service = ModelService(max_models=1)
    try:
        asked = checked("generate", {"prompt": "def ", "n_tokens": 8, "seed": 3})
        first = service.answer(run.folder, 0, asked)
        assert service.answer(run.folder, 0, asked) == first
        assert len(first["text"]) == 8
        loss = service.answer(run.folder, 0, checked("loss", {"text": "import os\n" * 20}))
        assert loss["n_tokens"] == loss["n_bytes"] == 199
        assert loss["bits_per_byte"] == pytest.approx(loss["nats_per_byte"] / math.log(2))
        report = export(run, budget=0, root=tmp_path)
        unpacked = tmp_path / "unpacked"
        zipfile.ZipFile(report.archive).extractall(unpacked)
        assert service.answer(unpacked, None, asked) == first
        with pytest.raises(TrainingError, match="does not hold an exported model"):
            service.answer(tmp_path / "nothing", None, asked)
    finally:
        service.close()


@pytest.mark.slow
def test_a_model_that_takes_too_long_is_given_up(run):
    service = ModelService(deadline_s=0.05)
    try:
        with pytest.raises(TrainingError, match=r"did not answer within 0\.05 s"):
            service.answer(run.folder, 0, checked("loss", {"text": "abc"}))
    finally:
        service.close()
