"""The label queue, its review and its audit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from orthogon.data.corrections import Correction
from orthogon.errors import DataError
from orthogon.strategy.label_evidence import document_of, text_of
from orthogon.strategy.label_review import both_versions, noise_in_error, review
from orthogon.strategy.labels import check_held_out, confident_errors, label_queue
from orthogon.strategy.work_list import Work
from orthogon.train.rows import Rows

CLASSES = ("ash", "birch", "cedar")


def rows(probabilities, target, split="dev", ids=None, classes=CLASSES):
    p = np.asarray(probabilities, dtype=np.float64)
    ids = np.array([f"e{i}" for i in range(len(p))]) if ids is None else np.asarray(ids)
    return Rows(split, ids, {"target": np.asarray(target), "prediction": p.argmax(1), "probabilities": p}, classes)


def published(probabilities, labels):
    """The confident joint of arXiv 1911.00068 example by example, as cleanlab 2.9 documents it, off the diagonal."""
    classes = probabilities.shape[1]
    thresholds = [probabilities[labels == k, k].mean() if (labels == k).any() else 2.0 for k in range(classes)]
    flagged = []
    for p, given in zip(probabilities, labels):
        bins = [k for k in range(classes) if p[k] >= thresholds[k] - 1e-6]
        believed = None if not bins else bins[0] if len(bins) == 1 else int(np.argmax(p))
        flagged.append(believed is not None and believed != given and int(np.argmax(p)) != given)
    return np.array(flagged)


@pytest.mark.parametrize("seed", range(20))
def test_confident_errors_are_those_of_the_published_algorithm(seed):
    random = np.random.default_rng(seed)
    classes = int(random.integers(3, 7))
    labels = random.integers(0, classes - seed % 2, 200)  # in odd seeds the last class is never given
    p = random.dirichlet(np.ones(classes), 200) + 0.8 * np.eye(classes)[random.permutation(labels)]
    p /= p.sum(axis=1, keepdims=True)
    flagged = confident_errors(p, labels)
    assert flagged.any()
    assert not flagged.all()
    assert np.array_equal(flagged, published(p, labels))


def test_a_class_that_no_label_names_is_never_confident():
    p = np.array([[0.6, 0.1, 0.3], [0.1, 0.6, 0.3], [0.0, 0.0, 1.0], [0.45, 0.55, 0.0]])
    assert confident_errors(p, np.array([0, 1, 0, 0])).tolist() == published(p, np.array([0, 1, 0, 0])).tolist()
    assert not confident_errors(p, np.array([0, 1, 0, 0]))[2]


def test_the_queue_puts_first_what_is_believed_least_and_names_what_it_would_be():
    queue = label_queue([rows([[0.9, 0.1, 0], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6]], [0, 0, 1])])
    assert queue.ids.tolist() == ["e1", "e2", "e0"]
    assert queue.confidence.tolist() == [0.2, 0.3, 0.9]
    assert queue.names(queue.given).tolist() == ["ash", "birch", "ash"]
    assert queue.names(queue.suggested).tolist() == ["birch", "cedar", "birch"]
    assert queue.names(queue.predicted).tolist() == ["birch", "cedar", "ash"]
    assert (queue.part.tolist(), queue.models) == (["dev"] * 3, 1)


def test_repeats_are_averaged_whatever_their_order():
    one = rows([[0.9, 0.1, 0], [0.2, 0.8, 0]], [0, 0])
    two = rows([[0.6, 0.4, 0], [0.5, 0.5, 0]], [0, 0], ids=["e1", "e0"])
    queue = label_queue([one, two], part=["train", "dev"])
    assert dict(zip(queue.ids.tolist(), queue.confidence.tolist())) == pytest.approx({"e0": 0.7, "e1": 0.4})
    assert dict(zip(queue.ids.tolist(), queue.part.tolist())) == {"e0": "train", "e1": "dev"}
    assert queue.models == 2


def test_repeats_of_other_examples_or_labels_are_refused():
    one = rows([[0.9, 0.1, 0], [0.2, 0.8, 0]], [0, 0])
    with pytest.raises(DataError, match="not of the same examples"):
        label_queue([one, rows([[0.9, 0.1, 0], [0.2, 0.8, 0]], [0, 0], ids=["e0", "e9"])])
    with pytest.raises(DataError, match="other targets"):
        label_queue([one, rows([[0.9, 0.1, 0], [0.2, 0.8, 0]], [0, 1])])


def test_in_sample_rows_are_refused_with_the_reason():
    held_out = rows([[0.9, 0.1, 0], [0.2, 0.8, 0]], [0, 0])
    check_held_out(held_out, ["e7"])
    with pytest.raises(DataError, match=r"learnt from 1 of these examples.*whatever label"):
        check_held_out(held_out, ["e1", "e7"])
    with pytest.raises(DataError, match="learnt from 2 of these examples"):
        label_queue([rows([[0.9, 0.1, 0], [0.2, 0.8, 0]], [0, 0], split="train")])


def test_rows_without_probabilities_are_refused():
    numbers = Rows("dev", np.array(["a"]), {"target": np.array([1.0]), "prediction": np.array([1.0])})
    with pytest.raises(DataError, match="one class, with probabilities"):
        label_queue([numbers])


def long_queue(n=400, wrong=80):
    """n examples of two classes; the models doubt the first `wrong` of them, in order."""
    doubt = np.linspace(0.01, 0.4, wrong)
    belief = np.concatenate([doubt, np.linspace(0.6, 0.99, n - wrong)])
    return label_queue([rows(np.column_stack([belief, 1 - belief, np.zeros(n)]), np.zeros(n, dtype=int))])


def answered(queue, labels):
    return {str(name): (label,) for name, label in zip(queue.ids, labels)}


def test_examples_that_the_models_believe_are_sampled_too_and_the_audit_is_drawn_from_all():
    queue = long_queue()
    believed, uniform = queue.believed(30), queue.uniform(200)
    assert len(set(believed.tolist())) == 30
    assert (queue.predicted[believed] == queue.given[believed]).all()
    assert len(set(uniform.tolist())) == 200
    assert 25 <= (uniform < 80).sum() <= 55
    assert np.array_equal(queue.uniform(200), uniform)
    assert not np.array_equal(queue.uniform(200, seed=1), uniform)
    assert len(queue.uniform(1000)) == 400


def test_what_the_audit_draws_depends_on_no_rank_and_shows_none():
    queue = long_queue()
    turned = replace(queue, **{name: getattr(queue, name)[::-1] for name in ("ids", "given", "predicted")})
    assert queue.ids[queue.uniform(200)].tolist() == turned.ids[turned.uniform(200)].tolist()
    assert abs(np.corrcoef(np.arange(200), queue.uniform(200))[0, 1]) < 0.2


@pytest.mark.parametrize(("wrong_among_last", "stop"), [(4, True), (5, False)])
def test_the_rule_to_stop_looks_at_the_last_fifty(wrong_among_last, stop):
    labels = ["birch"] * 20 + ["as given"] * (50 - wrong_among_last) + ["birch"] * wrong_among_last
    found = review(long_queue(), answered(long_queue(), labels))
    assert (found.last.value, found.last.n) == (wrong_among_last / 50, 50)
    assert found.stop is stop
    assert ("stop here" in found.sentence()) is stop
    assert found.precision.value == (20 + wrong_among_last) / 70


def test_fewer_than_fifty_reviewed_never_stop():
    found = review(long_queue(), answered(long_queue(), ["as given"] * 49))
    assert not found.stop
    assert "last 50" in found.sentence()


def test_unsure_is_counted_apart_and_what_the_models_believe_is_no_part_of_the_precision():
    queue = long_queue()
    answers = answered(queue, ["birch", "unsure", "ash", "cedar"]) | {str(queue.ids[100]): ("birch",),
                                                                      str(queue.ids[101]): ("as given",),
                                                                      str(queue.ids[102]): ()}
    found = review(queue, answers)
    assert (len(found.wrong), found.unsure, found.precision.n, found.precision.value) == (5, 1, 3, 2 / 3)
    assert (found.overlooked.n, found.overlooked.value) == (2, 0.5)
    assert found.corrections == (Correction(str(queue.ids[0]), "ash", "birch"),
                                 Correction(str(queue.ids[3]), "ash", "cedar"),
                                 Correction(str(queue.ids[100]), "ash", "birch"))


@pytest.mark.parametrize(("answers", "what"), [
    ({"e0": ("oak",)}, "no class 'oak'"), ({"e0": ("ash", "birch")}, "two answers"),
    ({"x9": ("ash",)}, "not in the queue"),
])
def test_answers_that_do_not_fit_are_refused(answers, what):
    with pytest.raises(DataError, match=what):
        review(long_queue(), answers)


def test_six_of_two_hundred_is_three_percent():
    """The audit of anchors: 3 % [1.4, 6.4]."""
    queue = long_queue()
    audited = review(queue, {str(queue.ids[i]): ("birch",) if k < 6 else ("as given",)
                             for k, i in enumerate(queue.uniform(200))})
    rate = document_of(queue, audited=audited)["audit"]["rate"]
    assert [round(100 * rate[key], 1) for key in ("value", "low", "high")] == [3.0, 1.4, 6.4]
    assert rate["n"] == 200


def test_wrong_labels_matter_at_two_percent_error_and_not_at_ten():
    """MLY chapter 16: 0.6 points of 10 % no, of 2 % yes (rows 11.12, 14.19)."""
    little, much = noise_in_error(60, 10_000, 0.10), noise_in_error(60, 10_000, 0.02)
    assert (little.matters, much.matters) == ("no", "yes")
    assert little.share.value == pytest.approx(0.06)
    assert much.share.value == pytest.approx(0.3)
    assert "0.6 of 10 points" in little.sentence()
    assert "0.6 of 2 points" in much.sentence()
    assert noise_in_error(1, 200, 0.02).matters == "undecided"
    assert noise_in_error(3, 10, 0.1).share.high == 1.0
    with pytest.raises(DataError, match="dev error of 0"):
        noise_in_error(0, 10, 0.0)


def test_both_versions_of_the_labels_are_scored_with_the_same_predictions():
    measured = rows([[0.9, 0.1, 0], [0.2, 0.8, 0], [0.1, 0.9, 0], [0.8, 0.2, 0]], [0, 0, 1, 1])
    mended = [Correction("e1", "ash", "birch"), Correction("e9", "ash", "cedar")]
    version = both_versions(measured, mended)
    assert (version.before.value, version.after.value, version.changed) == (0.5, 0.25, 1)
    with pytest.raises(DataError, match="no class 'oak'"):
        both_versions(measured, [Correction("e1", "ash", "oak")])


def test_the_document_asks_for_an_audit_first_and_gives_a_ceiling_after_it():
    queue = long_queue()
    before = document_of(queue)
    assert (before["n"], before["doubted"], before["error"]["value"]) == (400, 80, 0.2)
    (work,) = map(Work.from_dict, before["work"])
    assert (work.decision, work.gain, work.cost) == ("not known", None, "200 labels to look at")
    answers = {str(queue.ids[i]): ("birch",) if i < 40 else ("as given",) for i in queue.uniform(400)}
    after = document_of(queue, audited=review(queue, answers))
    (work,) = map(Work.from_dict, after["work"])
    assert (work.decision, work.gain.value) == ("at most", 0.1)
    assert (after["noise"]["share"]["value"], after["noise"]["matters"]) == (0.5, "yes")
    assert "doubted, not wrong" in text_of(before, "run")
    nothing = document_of(queue, audited=review(queue, dict.fromkeys(answers, ("as given",))))
    assert nothing["work"][0]["decision"] == "no"
