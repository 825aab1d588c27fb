"""Beam search (rows 28.03 to 28.09): against exhaustive search, the equations, plain loops, and a decoder of peers."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from orthogon.equations import sequences
from orthogon.errors import RecipeError
from orthogon.nn import beam
from orthogon.nn.beam import Hypotheses, PerSentence, search
from orthogon.nn.beam_spec import PRESETS, BeamSpec, coverage_of, preset

Found = list[tuple[tuple[int, ...], float]]

END = 3
NORMS = {
    "sum": {"exponent": 0.0},
    "course": {"exponent": 0.7},
    "mean": {"exponent": 1.0},
    "longer": {"exponent": 2.0},
    "shorter": {"exponent": -0.5},
    "wu": {"exponent": 0.6, "shift": 5.0},
    "without end": {"exponent": 1.0, "count_end": False},
    "reward": {"exponent": 0.5, "word_reward": 0.4},
}


class Table:
    """A model that knows by heart: N tables of log P(next | the whole prefix), a row per prefix, float64."""

    def __init__(self, sentences: int, vocabulary: int, longest: int, seed: int = 0, end_bias: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(seed)
        logits = torch.randn(sentences, (vocabulary + 1) ** longest, vocabulary, generator=generator).double() * 1.5
        logits[:, :, END] += end_bias
        self.logs, self.vocabulary, self.sentences = logits.log_softmax(2), vocabulary, sentences

    def state(self, *which: int) -> dict[str, Tensor | PerSentence]:
        which = which or tuple(range(self.sentences))
        return {"code": torch.zeros(len(which), dtype=torch.long), "table": PerSentence(self.logs[list(which)]),
                "own": torch.tensor(which)}

    def step(self, tokens: Tensor, state: dict) -> tuple[Tensor, dict]:
        code = torch.where(tokens == -1, 0, state["code"] * (self.vocabulary + 1) + tokens + 1)
        tables = state["table"].tensor
        logs = tables[torch.arange(len(tables)).repeat_interleave(len(tokens) // len(tables)), code]
        assert torch.equal(logs, self.logs[state["own"], code])
        return logs, {"code": code, "table": state["table"], "own": state["own"]}

    def row(self, sentence: int, prefix: tuple[int, ...]) -> list[float]:
        code = 0
        for token in prefix:
            code = code * (self.vocabulary + 1) + token + 1
        return self.logs[sentence, code].tolist()

    def sum(self, sentence: int, ids: tuple[int, ...]) -> float:
        return sum(self.row(sentence, ids[:t])[token] for t, token in enumerate(ids))

    def search(self, spec: BeamSpec, longest: int | Tensor, *which: int, **options) -> Hypotheses:
        begin = torch.full((len(which) or self.sentences,), -1)
        return search(self.step, self.state(*which), begin, END, longest, spec, **options)


def found(hypotheses: Hypotheses, sentence: int) -> Found:
    """Ids and scores, the best first."""
    return [(tuple(ids[:length].tolist()), score) for ids, length, score in
            zip(hypotheses.ids[sentence], hypotheses.lengths[sentence], hypotheses.scores[sentence].tolist())
            if math.isfinite(score)]


def same(first: Found, second: Found) -> None:
    assert [ids for ids, _ in first] == [ids for ids, _ in second]
    assert [score for _, score in first] == pytest.approx([score for _, score in second], abs=1e-5)


def score(total: float, ids: tuple[int, ...], exponent: float = 0.0, shift: float = 0.0, count_end: bool = True,
          word_reward: float = 0.0) -> float:
    tokens = max(1, len(ids) - (not count_end and ids[-1] == END))
    return (total + word_reward * tokens) / ((shift + tokens) / (shift + 1)) ** exponent


def everything(model: Table, sentence: int, longest: int, **norm) -> Found:
    """All sentences there are, the best first: those that end, and those that are cut off."""
    others = [token for token in range(model.vocabulary) if token != END]
    ended = [(*words, END) for t in range(longest) for words in itertools.product(others, repeat=t)]
    cut = list(itertools.product(others, repeat=longest))
    scored = [(ids, score(model.sum(sentence, ids), ids, **norm)) for ids in ended + cut]
    return sorted(scored, key=lambda one: -one[1])


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("stop", ["exhausted", "bound"])
@pytest.mark.parametrize("candidates", ["k", "2k"])
def test_a_beam_as_wide_as_all_sentences_finds_the_best(norm, stop, candidates):
    model = Table(2, 4, 4)
    spec = BeamSpec(width=4**4, stop=stop, candidates=candidates, **norm)
    hypotheses = model.search(spec, 4)
    for sentence in range(2):
        same(found(hypotheses, sentence), everything(model, sentence, 4, **norm)[: spec.width])


@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
def test_five_tokens_and_six_steps(norm):
    model = Table(1, 5, 6, seed=4)
    hypotheses = model.search(BeamSpec(width=5**5, **norm), 6)
    expected = everything(model, 0, 6, **norm)[:20]
    same(found(hypotheses, 0)[:20], expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.sampled_from(list(NORMS.values())), st.sampled_from(["k", "2k"]))
def test_stopping_by_the_bound_loses_nothing(seed, width, norm, candidates):
    """Even of the k best."""
    model = Table(3, 5, 5, seed=seed, end_bias=1.0)
    spec = BeamSpec(width=width, candidates=candidates, stop="exhausted", **norm)
    slow, fast = (model.search(one, 5) for one in (spec, BeamSpec(width=width, candidates=candidates, **norm)))
    for sentence in range(3):
        same(found(fast, sentence), found(slow, sentence))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 6), st.sampled_from(list(NORMS.values())), st.sampled_from([1, 2, 9]))
def test_those_that_are_wanted_are_found_in_fewer_steps(seed, width, norm, wanted):
    model, spec = Table(3, 5, 5, seed=seed, end_bias=1.0), BeamSpec(width=width, **norm)
    every, first = _rows_asked(model, spec, None), _rows_asked(model, spec, wanted)
    for sentence in range(3):
        same(found(first[0], sentence)[:wanted], found(every[0], sentence)[:wanted])
    assert first[1] <= every[1]
    assert first[1] == every[1] or wanted < width


def _rows_asked(model: Table, spec: BeamSpec, wanted: int | None) -> tuple[Hypotheses, int]:
    """What is found, and how many rows the model was asked for."""
    rows = 0

    def step(tokens: Tensor, state: dict) -> tuple[Tensor, dict]:
        nonlocal rows
        rows += len(tokens)
        return model.step(tokens, state)

    return search(step, model.state(), torch.full((3,), -1), END, 5, spec, wanted=wanted), rows


@pytest.mark.parametrize("width", [1, 2, 3, 7])
@pytest.mark.parametrize("alpha", [0.0, 0.7, 1.0])
def test_the_courses_beam_is_that_of_the_equations(width, alpha):
    model = Table(4, 6, 5, seed=2)
    hypotheses = model.search(preset("course", width=width, exponent=alpha), 5)
    for sentence in range(4):
        def step(prefixes, sentence=sentence):
            return np.array([model.row(sentence, tuple(prefix[1:])) for prefix in prefixes.tolist()])

        same(found(hypotheses, sentence), sequences.beam_search(step, 0, END, width, 5, alpha)[:width])


def fairseq(model: Table, sentence: int, width: int, longest: int, exponent: float) -> Found:
    """Its rules, one beam after the other: 2k candidates, END counts among the first k, k ended are enough, the last
    token is END, scores are S / T^α with END counted."""
    beams: Found = [((), 0.0)]
    ended: Found = []
    for t in range(1, longest + 1):
        candidates: Found = [((*ids, token), total + log) for ids, total in beams
                             for token, log in enumerate(model.row(sentence, ids)) if t < longest or token == END]
        candidates = sorted(candidates, key=lambda one: -one[1])[: 2 * width]
        for ids, total in candidates[:width]:
            if ids[-1] == END and len(ended) < width:
                ended.append((ids, total / t**exponent))
        if len(ended) == width:
            break
        beams = [one for one in candidates if one[0][-1] != END][:width]
    return sorted(ended, key=lambda one: -one[1])


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0, 2.0])
def test_fairseqs_rules(width, exponent):
    model = Table(6, 7, 5, seed=9, end_bias=0.7)
    hypotheses = model.search(preset("fairseq", width=width, exponent=exponent), 5)
    for sentence in range(6):
        same(found(hypotheses, sentence), fairseq(model, sentence, width, 5, exponent))
    assert hypotheses.finished[hypotheses.scores.isfinite()].all()


@pytest.mark.parametrize("name", PRESETS)
def test_one_beam_is_greedy_search(name):
    model = Table(5, 6, 5, seed=1)
    hypotheses = model.search(preset(name, width=1), 5)
    for sentence in range(5):
        ids: tuple[int, ...] = ()
        while END not in ids and len(ids) < (4 if name == "fairseq" else 5):
            ids += (int(np.argmax(model.row(sentence, ids))),)
        ids += (END,) * (name == "fairseq" and END not in ids)
        assert found(hypotheses, sentence)[0][0] == ids


SPECS = {**{name: preset(name, width=4) for name in PRESETS},
         "top": BeamSpec(4, stop="top"), "full": BeamSpec(4, stop="full", keep="best")}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_sentence_does_not_depend_on_its_batch(spec):
    model = Table(6, 6, 5, seed=5, end_bias=1.0)
    limits = torch.tensor([5, 3, 5, 1, 4, 5])
    together = model.search(spec, limits)
    for sentence in range(6):
        alone = model.search(spec, int(limits[sentence]), sentence)
        same(found(alone, 0), found(together, sentence))


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_scores_are_those_of_the_sentences_read_again(spec):
    model = Table(6, 6, 5, seed=6, end_bias=1.0)
    hypotheses = model.search(spec, 5)
    assert torch.equal(hypotheses.scores, hypotheses.scores.sort(dim=1, descending=True).values)
    for sentence in range(6):
        for place, (ids, value) in enumerate(found(hypotheses, sentence)):
            total = model.sum(sentence, ids)
            assert hypotheses.log_probabilities[sentence, place].item() == pytest.approx(total)
            assert value == pytest.approx(score(total, ids, spec.exponent))
            assert hypotheses.finished[sentence, place] == (ids[-1] == END)
            assert END not in ids[:-1]
            assert not hypotheses.ids[sentence, place, len(ids):].any()


def test_marians_rules():
    """What ends leaves the beam narrower, and the search goes on until nothing is left of it."""
    model = Table(5, 6, 5, seed=8, end_bias=1.0)
    hypotheses = model.search(preset("marian", width=3, exponent=0.5), 5)
    for sentence in range(5):
        beams, ended, width = [((), 0.0)], [], 3
        for t in range(1, 6):
            candidates: Found = [((*ids, token), total + log) for ids, total in beams
                                 for token, log in enumerate(model.row(sentence, ids))]
            candidates = sorted(candidates, key=lambda one: -one[1])[:width]
            beams = [one for one in candidates if one[0][-1] != END and t < 5]
            ended += [(ids, total / t**0.5) for ids, total in candidates if (ids, total) not in beams]
            width = len(beams)
        same(found(hypotheses, sentence), sorted(ended, key=lambda one: -one[1]))


@pytest.mark.parametrize(("keep", "second"), [("best", (5, END)), ("first", (END,))])
def test_which_sentences_are_kept_of_more_than_k(keep, second):
    """One ends at the first step, two better ones at the second: ln 0.26, ln 0.45 / 4 and ln 0.216 / 4."""
    probabilities = torch.tensor([[0, 0, 0, 0.26, 0.5, 0.24], [0, 0, 0, 0.9, 0.05, 0.05]])

    def step(tokens, state):
        return probabilities[(tokens > END).long()].log(), state

    spec = BeamSpec(2, exponent=2.0, stop="full", keep=keep)
    hypotheses = search(step, None, torch.tensor([2]), END, 4, spec)
    assert [ids for ids, _ in found(hypotheses, 0)] == [(4, END), second]


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_a_model_that_never_ends_gives_its_best_beam_and_says_so(spec):
    model = Table(3, 5, 4)
    model.logs[:, :, END] = -torch.inf
    hypotheses = model.search(spec, 4)
    assert not hypotheses.finished.any()
    for sentence in range(3):
        ids, value = found(hypotheses, sentence)[0]
        assert len(ids) == (3 if spec.at_maximum == "end" else 4)
        assert END not in ids
        assert value == pytest.approx(score(model.sum(sentence, ids), ids, spec.exponent))


def test_banned_tokens_are_never_given():
    model = Table(4, 6, 5)
    hypotheses = model.search(BeamSpec(5), 5, banned=(0, 4))
    tokens = torch.arange(hypotheses.ids.shape[2]) < hypotheses.lengths[:, :, None]
    assert not torch.isin(hypotheses.ids[tokens], torch.tensor([0, 4])).any()


def attentive(tokens: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple, Tensor]:
    """Attends by the last token and the step; positions from the third are padding in the second sentence."""
    generator = torch.Generator().manual_seed(3)
    weights, logs = torch.rand(8, 5, 4, generator=generator), torch.randn(8, 6, generator=generator)
    where, count = state
    attention = weights[tokens, count] * torch.where(where[:, None] == 1, torch.tensor([1.0, 1, 0, 0]), 1.0)
    return (logs[tokens] * (1 + 0.3 * count[:, None])).log_softmax(1), (where, count + 1), attention


def test_attention_is_that_of_the_step_that_gave_the_token_and_pays_for_what_was_passed_over():
    state = torch.tensor([0, 1]), torch.zeros(2, dtype=torch.long)
    present = torch.tensor([[True] * 4, [True, True, False, False]])
    spec = BeamSpec(4, exponent=0.6, coverage=0.2, stop="exhausted")
    hypotheses = search(attentive, state, torch.tensor([2, 2]), END, torch.tensor([2, 4]), spec, present=present,
                        keep_attention=True)
    assert hypotheses.attention is not None
    for sentence in range(2):
        for place, (ids, value) in enumerate(found(hypotheses, sentence)):
            tokens, total, rows = torch.tensor([2, *ids[:-1]]), 0.0, []
            for t, token in enumerate(tokens):
                logs, _, attention = attentive(token[None], (torch.tensor([sentence]), torch.tensor([t])))
                total += logs[0, ids[t]].item()
                rows.append(attention[0])
            torch.testing.assert_close(hypotheses.attention[sentence, place, : len(ids)], torch.stack(rows))
            passed = coverage_of(torch.stack(rows).sum(0), present[sentence]).item()
            assert value == pytest.approx(score(total, ids, 0.6) + 0.2 * passed, abs=1e-5)


@pytest.mark.parametrize("coverage", [0.0, 0.2])
def test_attention_is_held_only_where_it_is_read(coverage, monkeypatch):
    state, held = (torch.tensor([0, 1]), torch.zeros(2, dtype=torch.long)), []
    hypotheses = beam._Trail.hypotheses
    monkeypatch.setattr(beam._Trail, "hypotheses", lambda trail, *fields: held.append(trail.attention) or hypotheses(
        trail, *fields))
    spec = BeamSpec(4, exponent=0.6, coverage=coverage, stop="exhausted")
    asked, not_asked = (search(attentive, state, torch.tensor([2, 2]), END, 4, spec, keep_attention=keep)
                        for keep in (True, False))
    assert len(held[0]) == 4
    assert held[1] == []
    assert not_asked.attention is None
    assert torch.equal(asked.ids, not_asked.ids)
    assert torch.equal(asked.scores, not_asked.scores)


def test_coverage_counts_what_was_not_attended_to():
    attention = torch.tensor([[0.5, 2.0, 0.25], [1.0, 1.0, 0.0]])
    expected = [math.log(0.5) + math.log(0.25), 0.0]
    assert coverage_of(attention, torch.tensor([[True] * 3, [True, True, False]])).tolist() == pytest.approx(expected)
    nothing = coverage_of(attention)[1].item()
    assert -100 < nothing < -80


@pytest.fixture(scope="module")
def peer():
    """A small encoder-decoder of Hugging Face with random weights; END is likely enough to come early and late."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(11)
    config = transformers.BartConfig(
        vocab_size=23, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, max_position_embeddings=32, init_std=0.5,
        pad_token_id=0, bos_token_id=2, eos_token_id=END, decoder_start_token_id=2, forced_eos_token_id=None,
        forced_bos_token_id=None)
    model = transformers.BartForConditionalGeneration(config).eval().double()
    model.final_logits_bias[:, END] += 3.5
    model.generation_config.forced_eos_token_id = None
    return model


SOURCES = torch.tensor([[5, 9, 4, 17, 8, 3], [7, 7, 12, 3, 0, 0], [20, 3, 0, 0, 0, 0], [6, 21, 13, 9, 3, 0]])


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("exponent", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize(("stopping", "stop"), [(True, "full"), (False, "hopeless"), ("never", "bound")])
def test_hugging_faces_generate(peer, width, exponent, stopping, stop):
    attention = (SOURCES != 0).long()
    several = {"num_beams": width, "length_penalty": exponent, "early_stopping": stopping,
               "num_return_sequences": width} if width > 1 else {"num_beams": 1}
    expected = peer.generate(SOURCES, attention_mask=attention, max_new_tokens=9, do_sample=False,
                             return_dict_in_generate=True, output_scores=True, **several)
    memory = peer.get_encoder()(SOURCES, attention_mask=attention).last_hidden_state

    def step(tokens, state):
        prefix, memory, mask = state
        prefix = torch.cat([prefix, tokens[:, None]], 1)
        logits = peer(encoder_outputs=(memory,), attention_mask=mask, decoder_input_ids=prefix).logits[:, -1]
        return logits.float().log_softmax(1), (prefix, memory, mask)

    start = torch.zeros(len(SOURCES), 0, dtype=torch.long), memory, attention
    hypotheses = search(step, start, torch.full((len(SOURCES),), 2), END, 9,
                        preset("huggingface", width=width, exponent=exponent, stop=stop))
    scores = expected.sequences_scores.tolist() if width > 1 else hypotheses.scores.flatten().tolist()
    for sentence in range(len(SOURCES)):
        theirs = slice(sentence * width, (sentence + 1) * width)
        same(found(hypotheses, sentence), list(zip(map(cut, expected.sequences[theirs, 1:]), scores[theirs])))


def cut(ids: Tensor) -> tuple[int, ...]:
    """Up to the first END: what stands behind it is padding, by END where PAD is 0."""
    words = ids.tolist()
    return tuple(words[: words.index(END) + 1] if END in words else words)


def test_the_comparison_with_hugging_face_sees_short_and_long_sentences(peer):
    outputs = peer.generate(SOURCES, attention_mask=(SOURCES != 0).long(), num_beams=5, max_new_tokens=9,
                            num_return_sequences=5)
    lengths = [len(cut(ids)) for ids in outputs[:, 1:]]
    assert min(lengths) < 4
    assert max(lengths) > 6


@pytest.mark.parametrize("fields", [
    {"width": 0}, {"width": -2}, {"exponent": math.inf}, {"exponent": math.nan}, {"coverage": -0.1}, {"shift": -1.0},
    {"stop": "never"}, {"candidates": "3k"}, {"keep": "last"}, {"at_maximum": "cut"}, {"word_reward": math.inf},
])
def test_fields_that_mean_no_search(fields):
    with pytest.raises(RecipeError):
        BeamSpec(**fields)


def test_what_cannot_be_searched():
    model = Table(1, 5, 3)
    with pytest.raises(RecipeError, match="at most 0"):
        model.search(BeamSpec(2), 0)
    with pytest.raises(RecipeError, match="the same"):
        model.search(BeamSpec(2, exponent=200.0), 3)
    with pytest.raises(RecipeError, match="attention"):
        model.search(BeamSpec(2, coverage=0.1), 3)
    with pytest.raises(RecipeError, match="fairseq"):
        preset("fairsec")
    with pytest.raises(ValueError, match="log_softmax"):
        search(lambda tokens, state: (torch.ones(len(tokens), 5), state), None, torch.tensor([2]), END, 3, BeamSpec(2))
    with pytest.raises(ValueError, match="nan"):
        search(lambda tokens, state: (torch.full((len(tokens), 5), torch.nan), state), None, torch.tensor([2]), END, 3,
               BeamSpec(2))
    with pytest.raises(ValueError, match="rows×V"):
        search(lambda tokens, state: (torch.zeros(3, 5), state), None, torch.tensor([2]), END, 3, BeamSpec(2))
