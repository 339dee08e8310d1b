"""Tokens per CPU second at equal shapes, and loss at equal CPU time, against nanoGPT's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.training import nanogpt_shape as peer
from isoflop.training.config import RunConfig
from isoflop.training.corpus import standard_library
from isoflop.training.engine import transformer
from isoflop.training.engine.batches import windows
from isoflop.training.engine.evaluate import evaluate
from isoflop.training.engine.trainer import TokenData, Trainer
from isoflop.training.tokenizer import ByteTokenizer

# width, depth, heads of the peer, context, batch: nanoGPT's CPU setting, and smaller ones.
SHAPES = ((128, 4, 4, 64, 12), (128, 3, 4, 128, 4), (64, 3, 2, 128, 4), (32, 3, 1, 128, 4))
WARM_UP, ROUNDS = 5, 120
QUANTILE = 0.1
EVAL_TOKENS = 131_072
TRIAL_STEPS = 100
CPU = torch.device("cpu")


def main() -> None:
    """Print both tables."""
    torch.set_num_threads(1)
    data = corpus_tokens()
    print("Tokens per CPU second (one thread, float32, steps of all in turn)")
    print("Equal work: without the rotation and the norm of queries and keys, which nanoGPT lacks")
    print(f"{'shape':>28} {'nanoGPT':>10} {'isoflop':>10} {'ratio':>6} {'equal work':>11}")
    for shape in SHAPES:
        theirs, ours, bare = speeds(shape, data)
        width, depth, heads, context, batch = shape
        name = f"{depth} x {width}, {heads} heads, {batch} x {context}"
        print(
            f"{name:>28} {theirs:10,.0f} {ours:10,.0f} {ours / theirs:6.2f} {bare / theirs:11.2f}",
            flush=True,
        )
    equal_time(data)


def corpus_tokens() -> TokenData:
    """Return the default corpus as bytes."""
    corpus = standard_library()
    tokenizer = ByteTokenizer.train(corpus.text)
    train, validation = (tokenizer.encode(part) for part in corpus.split())
    return TokenData(train=train, validation=validation, token_bytes=tokenizer.token_bytes)


def speeds(shape: tuple[int, int, int, int, int], data: TokenData) -> tuple[float, float, float]:
    """Return tokens per CPU second of whole steps: the peer, Isoflop, Isoflop at equal work."""
    width, depth, heads, context, batch = shape
    config = RunConfig(
        family="transformer",
        width=width,
        depth=depth,
        context=context,
        batch_size=batch,
        token_budgets=(10 * batch * context,),
    )
    trainers = [Trainer(config, data, device=CPU, on_record=lambda record: None) for _ in range(2)]
    theirs = peer.Gpt2Shape(
        len(data.token_bytes), width=width, depth=depth, heads=heads, context=context
    )

    def bare_step(number: int) -> None:
        with patch.object(transformer, "norm_and_rotate", lambda x, turn: x):
            trainers[1].train_step()

    steps: tuple[Callable[[int], object], ...] = (
        stepper(theirs, peer.optimiser_of(theirs), data, context, batch),
        lambda number: trainers[0].train_step(),
        bare_step,
    )
    spent_s: tuple[list[float], ...] = ([], [], [])
    for number in range(WARM_UP + ROUNDS):
        for step, times in zip(steps, spent_s, strict=True):
            start = time.process_time()
            step(number)
            if number >= WARM_UP:
                times.append(time.process_time() - start)
    # Other work on the machine slows steps down, never up: a low quantile is what the code costs.
    theirs_s, ours_s, bare_s = (float(np.quantile(times, QUANTILE)) for times in spent_s)
    return batch * context / theirs_s, batch * context / ours_s, batch * context / bare_s


def stepper(
    model: torch.nn.Module,
    optimiser: torch.optim.Optimizer,
    data: TokenData,
    context: int,
    batch: int,
) -> Callable[[int], None]:
    """Return a function that draws a batch and makes one optimiser step."""
    random = np.random.default_rng(0)

    def step(number: int) -> None:
        starts = random.integers(0, len(data.train) - context - 1, size=batch)
        ids = windows(data.train, starts, context=context)
        loss_of(model, ids).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()

    return step


def loss_of(model: torch.nn.Module, ids: Tensor) -> Tensor:
    """Return the mean loss of a batch."""
    return F.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())


def equal_time(data: TokenData) -> None:
    """Train the peer's published CPU setting, then Isoflop's recipe for the same CPU time."""
    torch.manual_seed(0)
    theirs = peer.Gpt2Shape(len(data.token_bytes))
    optimiser = peer.optimiser_of(theirs)
    step = stepper(theirs, optimiser, data, peer.CONTEXT, peer.BATCH)
    start = time.process_time()
    for number in range(peer.STEPS):
        for group in optimiser.param_groups:
            group["lr"] = peer.rate(number)
        step(number)
    allowed_s = time.process_time() - start
    their_loss = score(theirs, data, peer.CONTEXT)
    print(f"\nAfter the same CPU time ({allowed_s:.0f} s; nats per byte on held-out code)")
    print(f"{'nanoGPT recipe':>28} {their_loss:8.4f}  context {peer.CONTEXT}")
    for width, depth, context, batch in ((128, 4, 64, 12), (64, 3, 128, 4)):
        config = RunConfig(
            family="transformer",
            width=width,
            depth=depth,
            context=context,
            batch_size=batch,
            token_budgets=(TRIAL_STEPS * batch * context,),
            eval_tokens=4096,
        )
        config = fitting_time(config, data, allowed_s)
        trainer = Trainer(config, data, device=CPU, on_record=lambda record: None)
        trainer.run(should_stop=lambda: False)
        name = f"isoflop {depth} x {width}"
        loss = score(trainer.model, data, context)
        print(f"{name:>28} {loss:8.4f}  context {context}, {trainer.cpu_s:.0f} s", flush=True)


def fitting_time(config: RunConfig, data: TokenData, allowed_s: float) -> RunConfig:
    """Choose the budget that takes a little less than the CPU time allowed, by a short trial."""
    trainer = Trainer(config, data, device=CPU, on_record=lambda record: None)
    trainer.run(should_stop=lambda: False)
    per_step_s = trainer.cpu_s / config.budget_steps[-1]
    steps = int(0.9 * allowed_s / per_step_s)
    return replace(config, token_budgets=(steps * config.tokens_per_step,))


def score(model: torch.nn.Module, data: TokenData, context: int) -> float:
    """Return the held-out loss in nats per byte."""
    return evaluate(
        model.eval(),
        data.validation,
        token_bytes=data.token_bytes,
        context=context,
        n_tokens=EVAL_TOKENS,
        device=CPU,
    ).nats_per_byte


if __name__ == "__main__":
    main()
