"""Tokens a second of training a 2×512 LSTM over words, beside the loop of pytorch/examples/word_language_model.

    python benchmarks/language_speed.py [--rounds 7] [--steps 5] [--loss-steps 200] [--json FILE]

The text is WikiText-2's valid part, which is long enough for a comparison, its tokens between blanks, the end of a line
being one; embeddings of 512, dropout 0.2, 20 streams of 35 steps, SGD at 20 with the gradient clipped at 0.25:
that example with wider layers. Its loop is written out below. Both begin with the same weights and read the same
tokens, in one process, in turn, one thread, CPU seconds; ratios are taken within a round. Beside the speed stands the
loss: the mean over the last quarter of --loss-steps steps of each, and its ratio to the example's, step by step.
Orthogon takes what `compute.resolve` says (bf16 where the hardware has it); its adaptive softmax is another model,
whose loss is shown, and whose speed is not judged.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import ratio, show_ratio, table
from torch import nn

import orthogon as og
from orthogon.nn.cost import multiply_adds
from orthogon.optim.schedules import Timeline
from orthogon.text.language import Language
from orthogon.text.language_rnn import language_rnn
from orthogon.train.compute import Workload, compute_of, resolve
from orthogon.train.randomness import Draw
from orthogon.train.settings import DataSettings, TaskSettings, TrainSettings

STREAMS, STEPS, WIDTH, DROPOUT, RATE, CLIP = 20, 35, 512, 0.2, 20.0, 0.25
Train = Callable[[int], list[float]]
"""So many steps more -> their losses."""


class Example(nn.Module):
    """RNNModel of the example."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.drop = nn.Dropout(DROPOUT)
        self.encoder = nn.Embedding(tokens, WIDTH)
        self.rnn = nn.LSTM(WIDTH, WIDTH, 2, dropout=DROPOUT)
        self.decoder = nn.Linear(WIDTH, tokens)

    def forward(self, ids: torch.Tensor, hidden: Any) -> tuple[torch.Tensor, Any]:
        output, hidden = self.rnn(self.drop(self.encoder(ids)), hidden)
        decoded = self.decoder(self.drop(output))
        return torch.log_softmax(decoded.view(-1, decoded.shape[-1]), dim=1), hidden


def example(ids: torch.Tensor, tokens: int, weights: dict[str, torch.Tensor]) -> Train:
    """The example's loop: T×N batches of a text in 20 columns, NLLLoss, clipping, a plain step for each parameter."""
    model, criterion = Example(tokens).train(), nn.NLLLoss()
    model.load_state_dict(weights)
    columns = ids[: len(ids) // STREAMS * STREAMS].view(STREAMS, -1).t().contiguous()
    at, hidden = 0, (torch.zeros(2, STREAMS, WIDTH), torch.zeros(2, STREAMS, WIDTH))

    def train(steps: int) -> list[float]:
        nonlocal at, hidden
        losses = []
        for _ in range(steps):
            if at + STEPS + 1 > len(columns):
                at = 0
            data, targets = columns[at : at + STEPS], columns[at + 1 : at + 1 + STEPS].reshape(-1)
            at += STEPS
            model.zero_grad()
            hidden = tuple(each.detach() for each in hidden)
            output, hidden = model(data, hidden)
            loss = criterion(output, targets)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            for parameter in model.parameters():
                assert parameter.grad is not None  # all take part
                parameter.data.add_(parameter.grad, alpha=-RATE)
            losses.append(loss.item())
        return losses

    return train


def orthogon(task: Language, rows: np.ndarray, adaptive: bool, weights: dict[str, torch.Tensor] | None) -> Train:
    """What `orthogon train` does in an epoch, with the example's settings."""
    model = language_rnn(task.spec, hidden=WIDTH, layers=2, embedding=WIDTH, tied=False, adaptive=adaptive,
                         dropout=DROPOUT, embedding_dropout=DROPOUT)
    if weights is not None:
        names = {"encoder": "embedding", "rnn": "recurrent", "decoder": "output"}
        model.load_state_dict({name.replace(old, new): value for name, value in weights.items()
                               for old, new in names.items() if name.startswith(f"{old}.")})
    settings = TrainSettings(optimizer="sgd", momentum=0.0, lr=RATE, clip_norm=CLIP, weight_decay=0.0, threads=1,
                             batch_size=STREAMS, schedule="constant", steps=10**6)
    sampler = task.sampler(rows, STREAMS, 0, torch.device("cpu"))
    cost = multiply_adds(model, (torch.zeros(1, STEPS, dtype=torch.int64),))
    settings, _ = resolve(settings, Workload(cost, STREAMS, pictures=False))
    step = task.step(model, settings, compute_of(settings), Timeline(10**6, 10**6))
    step.model().train()
    done = 0

    def train(steps: int) -> list[float]:
        nonlocal done
        losses = []
        for _ in range(steps):
            epoch, k = divmod(done, sampler.batches(0))
            losses.append(step(sampler.batch(epoch, k), Draw(0, epoch, done, torch.device("cpu"))).item())
            done += 1
        return losses

    return train


def contenders() -> tuple[int, dict[str, Train]]:
    """Multiply-adds of a token in training with the whole softmax, twice as many backward as forward; the trainings."""
    path = Path(os.environ["ORTHOGON_DATA"]) / "wikitext2_valid_test" / "wiki.valid.tokens"
    data = og.read(path, running=True)
    rows = np.arange(len(data))
    task = Language(TaskSettings(truncation=STEPS), DataSettings(tokens="whitespace", min_count=1))
    task.fit(data, rows)
    task.attach(data, torch.device("cpu"))
    stored = task.inputs.stored[0]
    torch.manual_seed(0)
    first = Example(task.spec.outputs)
    for weight in (first.encoder.weight, first.decoder.weight):
        nn.init.uniform_(weight, -0.1, 0.1)
    nn.init.zeros_(first.decoder.bias)
    weights = first.state_dict()
    print(f"{len(stored[stored > 0]):,} tokens, {task.spec.outputs:,} ids")
    of_a_token = 3 * sum(each.numel() for name, each in weights.items() if each.ndim == 2 and "encoder" not in name)
    return of_a_token, {
        "the example's loop": example(stored[stored > 0].long(), task.spec.outputs, weights),
        "Orthogon": orthogon(task, rows, adaptive=False, weights=weights),
        "Orthogon, adaptive softmax": orthogon(task, rows, adaptive=True, weights=None),
    }


def matrix_rate() -> float:
    """Multiply-adds a CPU second of products as large as the decoder's, in bf16."""
    a, b = torch.randn(STREAMS * STEPS, WIDTH).bfloat16(), torch.randn(WIDTH, 8192).bfloat16()
    best = math.inf
    for _ in range(10):
        began = time.process_time()
        a @ b
        best = min(best, time.process_time() - began)
    return a.numel() * 8192 / best


def measure(rounds: int, steps: int, loss_steps: int) -> dict[str, Any]:
    torch.set_num_threads(1)
    of_a_token, trains = contenders()
    seconds: dict[str, dict[int, float]] = {name: {} for name in trains}
    losses: dict[str, list[float]] = {name: train(1) for name, train in trains.items()}
    for turn in range(rounds):
        names = list(trains)
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            began = time.process_time()
            losses[name] += trains[name](steps)
            seconds[name][turn] = (time.process_time() - began) / steps
    for name, train in trains.items():
        losses[name] += train(max(0, loss_steps - len(losses[name])))
    quarter, rate = max(1, len(losses["Orthogon"]) // 4), matrix_rate()
    return {
        "tokens_per_second": {name: STREAMS * STEPS / float(np.median(list(each.values())))
                              for name, each in seconds.items()},
        "ratio": {name: ratio(seconds["the example's loop"], each) for name, each in seconds.items()},
        "loss": {name: float(np.mean(each[-quarter:])) for name, each in losses.items()},
        "loss_ratio": {name: ratio(*(dict(enumerate(of[-quarter:])) for of in (each, losses["the example's loop"])))
                       for name, each in losses.items()},
        "steps": len(losses["Orthogon"]), "matrix_rate": rate,
        "share_of_matrix_rate": ratio(dict.fromkeys(seconds["Orthogon"], STREAMS * STEPS * of_a_token / rate),
                                      seconds["Orthogon"]),
    }


def render(found: dict[str, Any]) -> str:
    rows = []
    for name, speed in found["tokens_per_second"].items():
        rows.append((name, f"{speed:,.0f}", show_ratio(found["ratio"][name]), f"{found['loss'][name]:.3f}",
                     show_ratio(found["loss_ratio"][name], 3)))
    heads = ("", "tokens a CPU second", "times the example's", f"loss after {found['steps']:,} steps",
             "times the example's")
    return (table(heads, rows) + "\n\nWith the whole softmax Orthogon computes at "
            f"{show_ratio(found['share_of_matrix_rate'])} of the rate of large bf16 products "
            f"({found['matrix_rate'] / 1e9:,.0f}·10⁹ multiply-adds a second).")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=5, help="of each in a round (5)")
    parser.add_argument("--loss-steps", type=int, default=200, help="after which losses are compared (200)")
    parser.add_argument("--json", type=Path, help="also write the numbers there")
    asked = parser.parse_args()
    found = measure(asked.rounds, asked.steps, asked.loss_steps)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))
    print(render(found))


if __name__ == "__main__":
    main()
