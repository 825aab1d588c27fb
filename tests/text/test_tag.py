"""The task of tagging: its losses by hand, its rows against scikit-learn and conlleval's counts, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers_tag import corpus, fitted, names, sentences, tags_of, words_of
from sklearn.metrics import accuracy_score
from torch import nn

import orthogon as og
from orthogon.data.text_columns import TagsColumn, TokensColumn
from orthogon.errors import DataError, RecipeError
from orthogon.nn.crf import CRF, Chain, log_likelihood
from orthogon.tasks.infer import infer_task
from orthogon.text.entities import entities
from orthogon.text.tag import Tag
from orthogon.text.tagger import Tagger, tagger
from orthogon.train.compute import Compute
from orthogon.train.evaluate import evaluate
from orthogon.train.settings import DataSettings, TaskSettings

CPU = torch.device("cpu")


def network(task: Tag, **options) -> Tagger:
    torch.manual_seed(1)
    net = tagger(task.spec, **{"embedding": 8, "character_width": 6, "hidden": 8, **options})
    nn.init.normal_(net.output.weight)
    for parameter in [] if net.crf is None else net.crf.parameters():
        nn.init.normal_(parameter)
    return net.eval()


def test_the_task_and_its_loss_follow_from_the_target():
    assert infer_task(sentences()) == infer_task(names()) == "tag"
    assert (fitted(sentences()).scheme, fitted(sentences()).chained) == ("", False)
    assert (fitted(names()).scheme, fitted(names()).chained) == ("BIO", True)
    assert not fitted(names(), loss="cross_entropy").chained
    assert fitted(sentences(), loss="crf").chained


def test_cross_entropy_is_a_mean_over_words():
    data = sentences(8)
    task, rows = fitted(data), torch.tensor([3, 0, 5])
    net, batch = network(task), task.batch(rows)
    part = task.loss(net, batch).parts[0]
    each = []
    for row in rows.tolist():
        alone = task.batch(torch.tensor([row]))
        codes = torch.tensor([task.names.index(tag) for tag in tags_of(data).tags(row)])
        each.append(F.cross_entropy(net(*alone.inputs)[0], codes, reduction="sum"))
    torch.testing.assert_close(part.sum, torch.stack(each).sum())
    assert part.count == sum(tags_of(data).lengths[rows]) == task.counts(batch)["loss"]


def test_the_loss_of_a_crf_is_that_of_the_whole_sentence():
    data = names(8)
    task, rows = fitted(data, loss="crf"), torch.tensor([3, 0, 5])
    net, batch = network(task), task.batch(rows)
    part = task.loss(net, batch).parts[0]
    each = []
    for row in rows.tolist():
        alone = task.batch(torch.tensor([row]))
        chain = task._said(net, alone)
        assert isinstance(chain, Chain)
        codes = torch.tensor([[task.names.index(tag) for tag in tags_of(data).tags(row)]])
        each.append(-log_likelihood(chain, codes, torch.tensor([codes.shape[1]])).sum())
    torch.testing.assert_close(part.sum, torch.stack(each).sum())
    assert part.count == sum(tags_of(data).lengths[rows])


@pytest.mark.parametrize("loss", ["cross_entropy", "crf"])
def test_nothing_depends_on_what_else_is_in_the_batch(loss):
    task = fitted(names(20), loss=loss)
    net = network(task)
    with torch.no_grad():
        whole = task.results(net, task.batch(torch.arange(20)))
        for row in range(20):
            alone = task.results(net, task.batch(torch.tensor([row])))
            for name, value in alone.items():
                torch.testing.assert_close(value[0], whole[name][row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["cross_entropy", "crf"])
def test_rows_hold_what_is_right(loss):
    data = names(30)
    task = fitted(data, loss=loss)
    rows = evaluate(task, network(task), data, np.arange(30), "dev", Compute(CPU))
    truth, said = (" ".join(rows[name]).split() for name in ("target", "prediction"))
    assert [metric.name for metric in task.metrics[:3]] == ["entity_f1", "entity_precision", "entity_recall"]
    metrics = {metric.name: metric for metric in task.metrics}
    assert metrics["token_accuracy"].value(rows) == pytest.approx(accuracy_score(truth, said))
    there, found = ([set(entities(line.split())) for line in rows[name]] for name in ("target", "prediction"))
    right = sum(len(one & other) for one, other in zip(there, found))
    expected = 2 * right / (sum(map(len, there)) + sum(map(len, found)))
    assert metrics["entity_f1"].value(rows) == pytest.approx(expected)
    assert metrics["entity_f1"].estimate(rows).n == 30
    assert rows["weight"].tolist() == [len(line.split()) for line in rows["target"]]
    with torch.no_grad():
        part = task.loss(network(task), task.batch(torch.arange(30))).parts[0]
    assert metrics["cross_entropy"].value(rows) == pytest.approx(float(part.sum) / part.count, rel=1e-4)


def test_a_crf_never_says_what_the_scheme_forbids():
    data = names(30)
    task = fitted(data)
    rows = evaluate(task, network(task), data, np.arange(30), "dev", Compute(CPU))
    told = TagsColumn.from_values([line.split() for line in rows["prediction"]])
    assert told.scheme == "BIO"
    loose = fitted(data, loss="cross_entropy")
    free = evaluate(loose, network(loose), data, np.arange(30), "dev", Compute(CPU))
    wild = [entity for line in free["prediction"] for entity in line.split()]
    assert any(tag.startswith("I-") for tag in wild)


def test_the_scheme_is_that_of_all_sentences_whatever_train_holds_of_it():
    """IOB1, of which the first two sentences look like BIO."""
    data = corpus([["a", "b"]] * 4, [["O", "O"], ["B-x", "I-x"], ["I-x", "O"], ["I-x", "B-x"]])
    task = Tag(TaskSettings(), DataSettings())
    task.fit(data, np.arange(2))
    task.attach(data, CPU)
    assert task.scheme == "IOB1"
    with torch.no_grad():
        losses = task.results(network(task), task.batch(torch.arange(4)))["loss"]
    assert losses.max() < 1000


def test_what_the_data_itself_breaks_is_not_forbidden():
    data = names(20)
    column = tags_of(data)
    tags = [column.tags(row) for row in range(20)]
    tags[0] = ["I-place" if tag == "B-place" else "I-person" if tag == "B-person" else tag for tag in tags[0]]
    task = fitted(corpus([list(words) for words in words_of(data).values], tags))
    with torch.no_grad():
        part = task.loss(network(task), task.batch(torch.arange(20))).parts[0]
    assert float(part.sum) < 1000
    assert task.state()["constrained"] is False


def test_weights_of_sentences_count_in_loss_and_figures():
    data = names(10)
    weight = np.arange(10, dtype=float)
    task = fitted(replace(data, weight=weight))
    net, rows = network(task), torch.arange(10)
    with torch.no_grad():
        each = [task.loss(net, task.batch(torch.tensor([row]))).parts[0] for row in range(1, 10)]
        part = task.loss(net, task.batch(rows)).parts[0]
    assert float(part.sum) == pytest.approx(sum(float(one.sum) for one in each), rel=1e-5)
    assert part.count == pytest.approx(sum(one.count for one in each))
    plain = fitted(data).results(net, fitted(data).batch(rows))
    found = task.results(net, task.batch(rows))
    torch.testing.assert_close(found["gold"], plain["gold"] * torch.arange(10.0)[:, None])
    torch.testing.assert_close(found["weight"], plain["weight"] * torch.arange(10.0))


def test_words_whose_tags_are_not_known_count_nowhere():
    data = sentences(20)
    data = data.take(np.flatnonzero(words_of(data).lengths > 1))
    column = tags_of(data)
    tags = [column.tags(row) for row in range(len(data))]
    hidden = TagsColumn.from_values([[*line[:-1], None] for line in tags])
    task = fitted(replace(data, columns={**data.columns, "tags": hidden}))
    batch = task.batch(torch.arange(len(data)))
    assert task.counts(batch)["loss"] == sum(len(line) - 1 for line in tags)
    rows = list(range(len(data)))
    found = task.results(network(task), task.batch(torch.tensor(rows)))
    assert found["weight"].tolist() == [len(tags[row]) - 1 for row in rows]
    assert task.targets(np.array([0]))[0].split() == [*tags[0][:-1], "_"]
    said = task.together({"codes": found["codes"].numpy()}, np.array(rows))["prediction"]
    assert len(said[0].split()) == len(tags[0])


def test_of_a_word_whose_tag_is_not_known_a_crf_takes_all_that_it_may_be():
    """The first word of a name, in train as in what is judged later."""
    data = names(20)
    column = tags_of(data)
    tags = [column.tags(row) for row in range(20)]
    row, place = next((row, line.index("I-place") - 1) for row, line in enumerate(tags) if "I-place" in line)
    hidden = [[None if (at, number) == (row, place) else tag for number, tag in enumerate(line)]
              for at, line in enumerate(tags)]
    partly = replace(data, columns={**data.columns, "tags": TagsColumn.from_values(hidden)})
    task = fitted(partly)
    assert task.chained
    net, batch = network(task), task.batch(torch.tensor([row]))
    chain, length = task._said(net, batch), torch.tensor([len(tags[row])])
    assert isinstance(chain, Chain)
    each = [log_likelihood(chain, torch.tensor([[task.names.index(tag or name) for tag in hidden[row]]]), length)
            for name in task.names]
    part = task.loss(net, batch).parts[0]
    torch.testing.assert_close(part.sum, -torch.cat(each).logsumexp(0))
    assert part.count == len(tags[row]) - 1
    later = fitted(data)
    later.attach(partly, CPU)
    found, whole = (later.results(net, later.batch(rows))["loss"] for rows in (torch.tensor([row]), torch.arange(20)))
    torch.testing.assert_close(found[0], (part.sum / part.count).detach())
    torch.testing.assert_close(found[0], whole[row])


def test_a_task_is_told_again_from_its_state():
    data = names(20)
    task = fitted(data)
    again = Tag(TaskSettings(), DataSettings())
    again.load_state(task.state())
    again.attach(data, CPU)
    assert again.spec == task.spec
    net = network(task)
    results = [each.results(net, each.batch(torch.arange(20))) for each in (task, again)]
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    read = again.together({"codes": results[1]["codes"].numpy()}, np.arange(20))
    told = again.decode(read)[0]
    assert len(told["tags"]) == words_of(data).lengths[0]
    assert [(kind, first, last + 1) for kind, first, last in told["entities"]] == entities(told["tags"])


def test_what_does_not_fit_is_refused():
    data = sentences(10)
    with pytest.raises(DataError, match="2 tags for 3 words") as caught:
        fitted(corpus([["a", "b", "c"], ["a", "b"]], [["X", "Y"], ["X", "Y"]]))
    assert "id s0" in caught.value.where
    with pytest.raises(DataError, match="all words carry one tag, 'X'"):
        fitted(corpus([["a", "a"]], [["X", "X"]]))
    task = fitted(data)
    with pytest.raises(DataError, match="'ADV' is not one that the network was trained on"):
        task.attach(corpus([["the"]], [["ADV"]]), CPU)
    with pytest.raises(DataError, match="is of kind category"):
        fitted(replace(data, columns={**data.columns, "tags": og.read({"tags": ["x y"] * 10}).columns["tags"]}))
    with pytest.raises(RecipeError, match="no weights of classes"):
        fitted(data, class_weights="balanced")
    with pytest.raises(RecipeError, match="tag has no loss 'giou'"):
        fitted(data, loss="giou")
    with pytest.raises(RecipeError, match=r"task\.loss=cross_entropy") as refused:
        fitted(names(10), label_smoothing=0.1)
    assert refused.value.where == "task.label_smoothing"
    fitted(names(10), label_smoothing=0.1, loss="cross_entropy")


def test_models_that_give_something_else_are_refused():
    task = fitted(sentences(10))
    task.check_output(torch.zeros(2, 5, 3))
    for wrong in (torch.zeros(2, 3), torch.zeros(2, 5, 4), CRF(3)(torch.zeros(2, 5, 3))):
        with pytest.raises(RecipeError, match="tag needs N×T×3"):
            task.check_output(wrong)
    chained = fitted(names(10))
    chained.check_output(CRF(5)(torch.zeros(2, 5, 5)))
    with pytest.raises(RecipeError, match="Chain of N×T×5"):
        chained.check_output(torch.zeros(2, 5, 5))


def test_sentences_longer_than_those_of_train_are_tagged_whole():
    task = fitted(sentences(10))
    long = corpus([["the", "cat"] * 30], [["DET", "NOUN"] * 30])
    task.attach(long, CPU)
    rows = evaluate(task, network(task), long, np.arange(1), "dev", Compute(CPU))
    assert len(rows["prediction"][0].split()) == 60


def test_a_sentence_of_too_many_words_is_refused_by_name():
    with pytest.raises(DataError, match="1,001 words, more than the 1,000") as caught:
        fitted(corpus([["a"], ["a"] * 1001], [["X"], ["Y"] * 1001]))
    assert "id s1" in caught.value.where


@pytest.mark.parametrize("data", [sentences, names])
def test_it_learns_and_tags_new_sentences(data, tmp_path):
    """From a data set to the tags of a file without any; what tags depend on is learnt."""
    run = og.train(data(200), out=tmp_path, quiet=True, epochs=10, batch_size=8, lr=0.02, options={
        "train.threads": 1, "model.options": {"embedding": 16, "character_width": 16, "hidden": 16, "dropout": 0.1}})
    metrics = run.result["splits"]["dev"]["metrics"]
    assert metrics["token_accuracy"]["value"] > 0.97
    assert run.result["metric"] == ("entity_f1" if data is names else "token_accuracy")
    new = data(20, seed=5)
    path = tmp_path / "new.conll"
    path.write_text("\n\n".join("\n".join(words) for words in words_of(new).values), encoding="utf-8")
    found = og.load(run).predict(path)
    assert [item["id"] for item in found][:2] == ["00000", "00001"]
    said = [" ".join(item["tags"]) for item in found]
    truth = [new.target_column().cell(row) for row in range(20)]
    assert np.mean([one == other for one, other in zip(said, truth)]) > 0.9
    assert (run.path / "report.html").read_text().count("words are tagged wrong") == 1
    words = words_of(new).values
    assert [item["words"] for item in found] == [list(each) for each in words]
    (tmp_path / "new.txt").write_text("\n".join(" ".join(each) for each in words), encoding="utf-8")
    plain = og.load(run).predict(tmp_path / "new.txt")
    assert [item["tags"] for item in plain] == [item["tags"] for item in found]
    first = words[0][0]
    assert str(found).splitlines()[2].split()[1] in (first, f"{first}/{said[0].split()[0]}")
    assert found.to_frame()["words"][0] == " ".join(words[0])


def test_words_are_read_by_their_column():
    data = sentences(5)
    named = replace(data, columns={"form": TokensColumn(words_of(data).values), "tags": data.columns["tags"]})
    assert fitted(named).spec == fitted(data).spec
