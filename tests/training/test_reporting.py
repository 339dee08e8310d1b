"""Runs that other code trains: by a plain function, by Hugging Face's Trainer, by Lightning."""

import math
import warnings
from importlib import import_module

import numpy as np
import pytest

from isoflop.errors import TrainingError
from isoflop.training import following
from isoflop.training.config import RunConfig
from isoflop.training.following import look_at
from isoflop.training.ladder import ladder_rows, read_ladder
from isoflop.training.ladders import list_ladders
from isoflop.training.queue import RunQueue
from isoflop.training.reporting import RunReport


def reported(root, name="mine", *, params=1e6, steps=100, rate=lambda step: None, **more):
    with RunReport(name, params=params, tokens=1e5, steps=steps, root=root, **more) as report:
        for step in range(10, steps + 1, 10):
            report.step(step, loss=3.0 - step / 1000, learning_rate=rate(step), gradient_norm=1.0)
            if step % 50 == 0:
                report.evaluation(step, loss=2.0 + 1 / step)
    return report


def test_a_run_of_other_code_is_a_row_with_a_curve(tmp_path):
    report = reported(tmp_path, ladder="Ours", rate=lambda step: 1e-3 * (1 - step / 101))
    [ladder] = list_ladders(tmp_path)
    assert (ladder.title, ladder.runs) == ("Ours", (report.run,))
    assert RunConfig.from_dict(report.config.to_dict()) == report.run.config() == report.config
    [seen] = look_at(ladder.runs, {})
    assert (seen.state.status, seen.progress.share) == ("finished", 1.0)
    [curve] = following.run_curves([seen])
    assert curve.loss_unit == "nats/token"
    assert np.nanmin(curve.loss) == pytest.approx(2.9, abs=0.03)
    [row] = ladder_rows(ladder.runs)
    assert (row["tokens"], row["compute_flop"], row["loss"]) == (1e5, 6e11, 2.01)
    assert row["is_annealed"] == 1
    table = read_ladder(ladder.runs).table
    assert table.loss_unit == "nats/token"
    assert "width" not in table.frame


def test_runs_of_one_name_are_one_ladder_with_the_unit_of_their_losses(tmp_path):
    for index in range(3):
        reported(tmp_path, f"run {index}", params=10.0**index, ladder="L", bytes_per_token=4.0)
    [ladder] = list_ladders(tmp_path)
    assert len(ladder.runs) == 3
    assert read_ladder(ladder.runs).table.loss_unit == "nats/byte"
    assert ladder_rows(ladder.runs)[0]["loss"] == pytest.approx(2.01 / 4)
    other = reported(tmp_path, ladder="L")
    with pytest.raises(TrainingError, match="different units: nats/byte and nats/token"):
        read_ladder([*ladder.runs, other.run])


def test_a_constant_rate_is_not_annealed(tmp_path):
    [row] = ladder_rows([reported(tmp_path, rate=lambda step: 1e-3).run])
    assert row["is_annealed"] == 0


def test_an_error_in_the_training_is_the_end_of_the_record(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        RunReport("mine", params=1.0, tokens=10, steps=10, root=tmp_path) as report,
    ):
        report.step(1, loss=1 / 0)
    state = report.run.state()
    assert (state.status, state.message) == ("failed", "ZeroDivisionError: division by zero")


def test_stop_asks_and_never_kills_and_resume_leaves_it_alone(tmp_path, monkeypatch):
    report = RunReport("mine", params=1.0, tokens=10, steps=10, root=tmp_path)
    queue = RunQueue(tmp_path)
    queue.stop([report.run])
    assert report.should_stop
    monkeypatch.setattr("isoflop.training.queue.STOP_GRACE_S", -1.0)
    queue.enforce_stops([report.run])  # would kill this very process
    report.finish()
    queue.resume([report.run])
    assert report.run.state().status == "stopped"


def test_what_cannot_be_a_run_is_refused(tmp_path):
    with pytest.raises(TrainingError, match="needs a name, and its steps"):
        RunReport("", params=1.0, tokens=10, steps=10, root=tmp_path)


def tiny_language_model():
    from transformers import GPT2Config, GPT2LMHeadModel

    return GPT2LMHeadModel(GPT2Config(vocab_size=20, n_positions=8, n_embd=8, n_layer=1, n_head=1))


@pytest.mark.slow
def test_hugging_faces_trainer_is_followed(tmp_path):
    from transformers import Trainer, TrainingArguments

    from isoflop.training.callbacks import hugging_face_callback

    rows = np.random.default_rng(0).integers(0, 20, (32, 8))
    data = [{"input_ids": row, "labels": row} for row in rows.tolist()]
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "hf"), per_device_train_batch_size=4, max_steps=8,
        logging_steps=2, eval_strategy="steps", eval_steps=4, save_strategy="no", report_to=[],
        use_cpu=True, disable_tqdm=True, seed=5,
    )  # fmt: skip
    callback = hugging_face_callback("tiny", tokens_per_step=32, ladder="HF", root=tmp_path)
    trainer = Trainer(
        model=tiny_language_model(), args=arguments, train_dataset=data, eval_dataset=data,
        callbacks=[callback],
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        trainer.train()
    [ladder] = list_ladders(tmp_path)
    [run] = ladder.runs
    assert run.state().status == "finished"
    assert [record["step"] for record in run.history().of_kind("step")] == [2, 4, 6, 8]
    [row] = ladder_rows([run])
    assert row["params"] == sum(p.numel() for p in trainer.model.parameters())
    assert row["params_nonembedding"] < row["params"]
    assert (row["tokens"], row["seed"]) == (256, 5)
    assert row["loss"] == pytest.approx(
        [entry["eval_loss"] for entry in trainer.state.log_history if "eval_loss" in entry][-1],
        abs=1e-6,
    )


@pytest.mark.slow
def test_lightning_is_followed(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library's own
        lightning = import_module("pytorch_lightning")
        import torch

        from isoflop.training.callbacks import lightning_callback

        class Module(lightning.LightningModule):
            def __init__(self):
                super().__init__()
                self.layer = torch.nn.Linear(4, 4)

            def training_step(self, batch, index):
                return self.layer(batch).square().mean()

            def validation_step(self, batch, index):
                self.log("val_loss", self.layer(batch).square().mean())

            def configure_optimizers(self):
                return torch.optim.SGD(self.parameters(), lr=0.1)

        loader = torch.utils.data.DataLoader(torch.ones(16, 4), batch_size=4)
        trainer = lightning.Trainer(
            max_epochs=2, logger=False, enable_checkpointing=False, log_every_n_steps=2,
            enable_progress_bar=False, enable_model_summary=False, accelerator="cpu",
            callbacks=[lightning_callback("linear", tokens_per_step=16, root=tmp_path)],
        )  # fmt: skip
        trainer.fit(Module(), loader, loader)
    [ladder] = list_ladders(tmp_path)
    [run] = ladder.runs
    assert run.state().status == "finished"
    assert [record["step"] for record in run.history().of_kind("step")] == [2, 4, 6, 8]
    assert [record["step"] for record in run.history().of_kind("evaluation")] == [4, 8]
    [row] = ladder_rows([run])
    assert (row["params"], row["tokens"]) == (20, 128)
    assert row["loss"] == pytest.approx(float(trainer.callback_metrics["val_loss"]), abs=1e-6)
    assert math.isfinite(row["loss"])


def test_a_library_that_is_missing_is_named(monkeypatch):
    from isoflop.training.callbacks import hugging_face_callback

    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(TrainingError, match="needs transformers, which is not installed"):
        hugging_face_callback("x", tokens_per_step=1)
