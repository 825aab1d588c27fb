"""Orthogon tags: words in, tags out, by what `og.load` gives: the given network, or, where the third argument
is "default", that of its own defaults with as many sentences at once as it takes."""

from __future__ import annotations

import sys
from dataclasses import replace

import polars as pl
from tagging_problem import Sentences, backwards_unread, given, timed

import orthogon as og


def main() -> None:
    folder, sentences, batch = given()
    own = sys.argv[3:] == ["default"]
    predictor = og.load(folder / ("default" if own else "same"))
    predictor.compute = replace(predictor.compute, threads=1)
    if not own:
        backwards_unread(dict(predictor.network.state_dict()))

    (column,) = predictor.schema.names

    def tagged(some: Sentences) -> Sentences:
        frame = pl.DataFrame({column: some})
        return [item["tags"] for item in predictor.predict(frame, batch_size=None if own else batch)]

    timed(tagged, sentences, folder, "orthogon-default" if own else "orthogon")


if __name__ == "__main__":
    main()
