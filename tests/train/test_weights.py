"""Weights by name, from files, into a network: what is found, what is refused, and what becomes of the last layer."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from orthogon import registry
from orthogon.errors import DataError, RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train import published, weights
from orthogon.train.build import build_model
from orthogon.train.pretrained import known_classes, likely_model, load_weights, sentence
from orthogon.train.published import PUBLISHED, Preprocessing, Published, class_names
from orthogon.train.recipe import Recipe
from orthogon.train.settings import ModelSettings
from orthogon.train.weight_files import read_tensors, save_tensors, tensors_of
from orthogon.train.weights import Weights, find, left_open, location

DIGITS = ("zero", "one", "two", "three")


def network(name: str = "resnet20", outputs: int = 4, seed: int = 0, side: int = 32, **options) -> nn.Module:
    spec = ModelSpec((InputSpec("image", (3, side, side)),), outputs)
    return build_model(spec, ModelSettings(name=name, options=options), seed)


def saved(model: nn.Module, path, classes=DIGITS, name="resnet20") -> Weights:
    said = Weights(str(path), path, "", name, {}, tuple(classes), Preprocessing(32, (1.0,) * 3, (2.0,) * 3), "", "MIT")
    save_tensors(model.state_dict(), said, path)
    return find(str(path))


def same(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def row(**changes) -> Published:
    plain = Published("resnet20", "toy", "https://example.org/toy.pth", "0" * 64, 1.0, "MIT", "nobody",
                      Preprocessing(32, (1.0,) * 3, (2.0,) * 3), "cifar10")
    return replace(plain, **changes)


@pytest.fixture
def toys(tmp_path, monkeypatch):
    """A published file of the table, in the folder of the data."""
    folder = tmp_path / "data" / "pretrained_toys"
    folder.mkdir(parents=True)
    monkeypatch.setenv("ORTHOGON_DATA", str(tmp_path / "data"))
    model = network(outputs=10, seed=5)
    path = folder / "toy.pth"
    torch.save(model.state_dict(), path)
    entry = row(sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    for module in (weights, published):
        monkeypatch.setattr(module, "PUBLISHED", (entry,))
    return entry, path, model


# --- the table -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sha256", ["", "1234567", "f37072FD", "f37072f!"])
def test_a_hash_of_fewer_than_eight_digits_is_refused(sha256):
    with pytest.raises(ValueError, match="at least 8"):
        row(sha256=sha256)


def test_every_published_file_is_told_apart_by_title_and_hash_and_has_a_licence():
    assert len({each.title for each in PUBLISHED}) == len({each.sha256 for each in PUBLISHED}) == len(PUBLISHED)
    assert all(each.licence and each.citation and each.address.startswith("https://") for each in PUBLISHED)


def test_torchvisions_files_carry_their_hash_in_their_name():
    of_torchvision = [each for each in PUBLISHED if "download.pytorch.org" in each.address]
    assert len(of_torchvision) == 25
    assert all(each.file.endswith(f"-{each.sha256}.pth") for each in of_torchvision)


def test_published_weights_need_only_options_that_their_models_have():
    for each in PUBLISHED:
        if each.model in registry.models:
            options = {option.name for option in registry.models.entry(each.model).options}
            assert set(each.options) <= options, each.title


def test_classes_of_imagenet_are_a_thousand_in_the_usual_order():
    names = class_names("imagenet")
    assert len(names) == 1000
    assert names[0] == "tench, Tinca tinca"
    assert names[285].startswith("Egyptian cat")
    assert names[999].startswith("toilet tissue")
    assert class_names("cifar10")[3] == "cat"


# --- finding -------------------------------------------------------------------------------------------------


def test_a_data_sets_name_means_the_first_file_that_is_here_else_the_first_of_the_table(tmp_path, monkeypatch):
    entries = (row(name="a", address="https://x.org/a.pth"), row(name="b", address="https://x.org/b.pth"))
    monkeypatch.setattr(weights, "PUBLISHED", entries)
    monkeypatch.setenv("ORTHOGON_DATA", str(tmp_path))
    assert find("cifar10", "resnet20").name == "a"
    (tmp_path / "pretrained_toys").mkdir()
    (tmp_path / "pretrained_toys" / "b.pth").touch()
    assert find("cifar10", "resnet20").name == "b"
    assert find("a", "resnet20").path is None
    assert find("resnet20/a").model == "resnet20"
    (weights.weights_cache()).mkdir(parents=True)
    (weights.weights_cache() / "a.pth").touch()
    assert find("cifar10", "resnet20").name == "a"


def test_options_choose_among_the_files_of_a_model():
    assert find("imagenet", "mobilenet_v1", {"width": 0.25}).name == "imagenet-tf-0.25"
    assert find("imagenet", "mobilenet_v1", {"width": 0.75}).name == "imagenet-tf-0.75"
    with pytest.raises(RecipeError, match=r"imagenet-tf-0\.75 with"):
        find("imagenet", "mobilenet_v1", {"width": 0.5})


@pytest.mark.parametrize(("name", "model", "told"), [
    ("imagnet", "resnet18", "Did you mean 'imagenet-v1'"),
    ("imagenet", None, "Name the model as well"),
    ("imagenet", "lenet5", "There are none of lenet5"),
    ("nowhere.pth", "resnet18", "there is no such file"),
])
def test_what_does_not_exist_is_told_with_what_there_is(name, model, told):
    with pytest.raises(RecipeError, match=told):
        find(name, model)


def test_a_file_is_known_by_its_content_whatever_it_is_called(toys, tmp_path):
    entry, path, _ = toys
    other = tmp_path / "renamed.bin"
    other.write_bytes(path.read_bytes())
    assert find(str(other)).title == entry.title
    assert find(str(other)).classes == class_names("cifar10")


# --- files ---------------------------------------------------------------------------------------------------


def test_published_weights_are_converted_once_and_load_whole(toys):
    entry, path, model = toys
    other = network(outputs=10)
    load_weights(other, find("toy", "resnet20"), class_names("cifar10"))
    assert same(other, model)
    converted = list(weights.weights_cache().glob("*.safetensors"))
    assert len(converted) == 1
    stamp = converted[0].stat().st_mtime_ns
    tensors_of(find("toy", "resnet20"))
    assert converted[0].stat().st_mtime_ns == stamp
    assert find(str(converted[0])).classes == class_names("cifar10")
    assert location(entry) == path


def test_a_file_of_another_content_than_published_is_refused_also_when_it_was_here_before(toys):
    _, path, _ = toys
    tensors_of(find("toy", "resnet20"))
    damaged = bytearray(path.read_bytes())
    damaged[-100] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(RecipeError, match="not the file that was published"):
        tensors_of(find("toy", "resnet20"))


def test_what_was_converted_is_checked_too(toys):
    tensors_of(find("toy", "resnet20"))
    converted = next(weights.weights_cache().glob("*.safetensors"))
    damaged = bytearray(converted.read_bytes())
    damaged[-1] ^= 1
    converted.write_bytes(damaged)
    with pytest.raises(RecipeError, match="not the file that was"):
        tensors_of(find("toy", "resnet20"))


class Code:
    def __reduce__(self):
        return os.system, ("touch was-run",)


def test_a_file_that_holds_code_is_refused_and_nothing_is_run(tmp_path):
    torch.save({"state_dict": {"a": Code()}}, tmp_path / "bad.pth")
    with pytest.raises(RecipeError, match="holds code"):
        read_tensors(tmp_path / "bad.pth")
    assert not (tmp_path / "was-run").exists()
    np.savez(tmp_path / "bad.npz", a=np.array([Code()], dtype=object))
    with pytest.raises(RecipeError, match="cannot be read"):
        read_tensors(tmp_path / "bad.npz")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("name", ["a.pth", "a.npz", "a.safetensors"])
def test_a_file_of_something_else_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80this is nothing of the sort" * 9)
    with pytest.raises(RecipeError, match=name):
        read_tensors(tmp_path / name)


def test_a_checkpoint_without_tensors_is_an_error(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pth")
    with pytest.raises(RecipeError, match="no tensors by name"):
        read_tensors(tmp_path / "a.pth")


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
def test_the_state_is_found_in_its_wrapper_and_module_is_taken_from_the_names(tmp_path, wrapper):
    state = {f"module.{name}": value for name, value in network().state_dict().items()}
    torch.save({wrapper: state, "epoch": 3}, tmp_path / "a.pth")
    other = network(seed=1)
    load_weights(other, find(str(tmp_path / "a.pth")), DIGITS)
    assert same(other, network())


def test_module_stays_where_not_all_names_begin_with_it(tmp_path):
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "a.pth")
    assert set(read_tensors(tmp_path / "a.pth")) == {"module.a", "b"}


def test_densenets_of_before_load_strictly(tmp_path):
    model = network("densenet121", outputs=3, growth=4)
    old = {name.replace(".norm1.", ".norm.1.").replace(".conv1.", ".conv.1.").replace(".norm2.", ".norm.2.")
           .replace(".conv2.", ".conv.2.") if "denselayer" in name else name: value
           for name, value in model.state_dict().items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "old.pth")
    assert set(read_tensors(tmp_path / "old.pth")) == set(model.state_dict())
    other = network("densenet121", outputs=3, growth=4, seed=1)
    load_weights(other, find(str(tmp_path / "old.pth")), ("a", "b", "c"))
    assert same(other, model)


def test_files_from_before_batch_norm_counted_load_even_with_the_notes_of_versions(tmp_path):
    model = network()
    state = model.state_dict()
    for name in [name for name in state if name.endswith("num_batches_tracked")]:
        del state[name]
    with pytest.raises(RuntimeError, match="num_batches_tracked"):
        network(seed=1).load_state_dict(state, strict=True)  # what torch does with the notes in the file
    torch.save(state, tmp_path / "old.pth")
    other = network(seed=1)
    load_weights(other, find(str(tmp_path / "old.pth")), DIGITS)
    assert same(other, model)


def test_arrays_load_as_a_checkpoint_does(tmp_path):
    model = network()
    np.savez(tmp_path / "a.npz", **{name: value.numpy() for name, value in model.state_dict().items()})
    other = network(seed=1)
    load_weights(other, find(str(tmp_path / "a.npz")), DIGITS)
    assert same(other, model)


# --- into a network ------------------------------------------------------------------------------------------


def test_rows_of_the_last_layer_follow_the_names_of_the_classes(tmp_path):
    model, other = network(), network(outputs=3, seed=1)
    first = other.linear.weight.detach().clone()
    load_weights(other, saved(model, tmp_path / "a.safetensors"), ("THREE", "moon", "one"))
    assert torch.equal(other.linear.weight[0], model.linear.weight[3])
    assert torch.equal(other.linear.weight[2], model.linear.weight[1])
    assert torch.equal(other.linear.bias[2], model.linear.bias[1])
    assert torch.equal(other.linear.weight[1], first[1])
    assert torch.equal(other.layer1[0].conv1.weight, model.layer1[0].conv1.weight)


def test_as_many_other_classes_do_not_take_the_rows(tmp_path):
    model, other = network(), network(seed=1)
    first = other.linear.weight.detach().clone()
    load_weights(other, saved(model, tmp_path / "a.safetensors"), ("a", "b", "c", "two"))
    assert torch.equal(other.linear.weight[:3], first[:3])
    assert torch.equal(other.linear.weight[3], model.linear.weight[2])


def test_a_synonym_counts_where_one_class_alone_has_it():
    names = ("tench, Tinca tinca", "crane", "goldfish, Carassius auratus", "crane", "Cardigan, Welsh corgi", "cardigan")
    assert known_classes(("Goldfish", "crane", "CARDIGAN", "tinca tinca", "x"), names) == {0: 2, 2: 5, 3: 0}


def test_of_a_regression_the_last_layer_begins_anew(tmp_path):
    other = network(outputs=1, seed=1)
    first = other.linear.weight.detach().clone()
    load_weights(other, saved(network(), tmp_path / "a.safetensors"), ())
    assert torch.equal(other.linear.weight, first)


def test_another_architecture_is_told_by_the_first_tensors_that_differ_and_by_name(tmp_path):
    torch.save(network("resnet32").state_dict(), tmp_path / "a.pth")
    with pytest.raises(RecipeError) as told:
        load_weights(network("vgg11", side=64), find(str(tmp_path / "a.pth")), DIGITS)
    assert "the model has no bn1.bias 16" in str(told.value)
    assert "resnet32" in told.value.remedy
    model = network("resnet20", width=8)
    with pytest.raises(RecipeError, match=r"conv1\.weight is 16×3×3×3 in the file and 8×3×3×3 in the model"):
        load_weights(model, find(str(tmp_path / "a.pth")), DIGITS)


def test_a_network_is_left_as_it_was_where_weights_do_not_fit(tmp_path):
    torch.save(network("resnet32").state_dict(), tmp_path / "a.pth")
    model = network("resnet20")
    with pytest.raises(RecipeError):
        load_weights(model, find(str(tmp_path / "a.pth")), DIGITS)
    assert same(model, network("resnet20"))


def test_tensors_of_nothing_known_are_said_to_be_so():
    assert likely_model({"nothing.weight": torch.ones(3)}) is None
    assert likely_model(network("resnet56").state_dict()) == "resnet56"


@pytest.mark.parametrize("file_has", [True, False])
def test_side_branches_may_be_there_or_not(tmp_path, file_has):
    small = {"width": 0.125, "side": 32}
    source = network("googlenet", auxiliary=file_has, **small)
    torch.save(source.state_dict(), tmp_path / "a.pth")
    other = network("googlenet", auxiliary=not file_has, seed=1, **small)
    load_weights(other, find(str(tmp_path / "a.pth")), DIGITS)
    own, given = other.state_dict(), source.state_dict()
    shared = [name for name in own if name in given]
    assert shared
    assert all(torch.equal(own[name], given[name]) for name in shared)


def test_side_branches_take_the_rows_of_known_classes_as_well(tmp_path):
    source = network("googlenet", width=0.125)
    other = network("googlenet", outputs=2, seed=1, width=0.125)
    load_weights(other, saved(source, tmp_path / "a.safetensors", name="googlenet"), ("three", "moon"))
    assert torch.equal(other.aux1.fc2.weight[0], source.aux1.fc2.weight[3])


def test_what_was_loaded_is_told_in_one_sentence(tmp_path):
    given = saved(network(), tmp_path / "a.safetensors")
    assert "the last layer as well" in sentence(given, DIGITS)
    assert "begins anew" in sentence(given, ("a", "b"))
    assert "1 of 2 classes, known by name (one)" in sentence(given, ("one", "b"))
    assert "licence MIT" in sentence(given, ("a",))


# --- what they fill ------------------------------------------------------------------------------------------


def test_weights_fill_what_is_left_open_and_nothing_else(tmp_path):
    saved(network(), tmp_path / "a.safetensors")
    recipe = Recipe().with_values({"model.weights": "a.safetensors", "data.image_size": 48, "data.fit": "stretch"})
    filled = left_open(recipe)
    assert filled["data.normalize"] == {"mean": [1.0] * 3, "std": [2.0] * 3}
    assert filled["data.channels"] == 3
    assert filled["model.name"] == "resnet20"
    assert filled["model.weights_hash"] == hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()
    assert "data.image_size" not in filled
    assert "data.fit" not in filled


@pytest.mark.parametrize(("values", "told"), [
    ({"model.weights": "a.safetensors", "model.name": "resnet18"}, "weights of resnet20, the model is resnet18"),
    ({"model.weights": "a.safetensors", "data.channels": 1}, "3 channels; got 1"),
    ({"model.weights": "imagenet-tf", "model.name": "mobilenet_v2", "model.options": {"padding": "symmetric"}},
     "with these options"),
])
def test_what_contradicts_the_weights_is_refused(tmp_path, values, told):
    saved(network(), tmp_path / "a.safetensors")
    with pytest.raises(RecipeError, match=told):
        left_open(Recipe().with_values(values))


def test_dropout_may_differ_from_what_weights_were_trained_with(tmp_path):
    path = tmp_path / "a.safetensors"
    said = Weights(str(path), path, "", "resnet20", {"dropout": 0.3, "width": 16}, DIGITS)
    save_tensors(network().state_dict(), said, path)
    recipe = Recipe().with_values({"model.weights": str(path)})
    filled = left_open(recipe.with_values({"model.options": {"dropout": 0.1}}))
    assert filled["model.options"] == {"dropout": 0.1, "width": 16}
    with pytest.raises(RecipeError, match=r"these weights need \{'width': 16\}"):
        left_open(recipe.with_values({"model.options": {"width": 32}}))


def test_googlenet_and_inception_see_pictures_from_minus_one_to_one():
    """torchvision's files say transform_input: its usual form, turned into (x − 0.5) / 0.5; here that form itself."""
    for name in ("googlenet", "inception_v3"):
        pictures = find("imagenet-v1", name).preprocessing
        assert pictures.mean == pictures.std == (127.5,) * 3


def test_the_table_and_the_names_are_found_without_torch():
    import subprocess

    code = ("import sys; from orthogon.train.weights import find; find('imagenet', 'resnet18'); "
            "sys.exit('torch' in sys.modules)")
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_that_cannot_be_fetched_is_told_with_its_address(monkeypatch):
    gone = row(address="file:///nowhere/toy.pth")
    monkeypatch.setattr(weights, "PUBLISHED", (gone,))
    with pytest.raises(DataError, match="nowhere") as told:
        tensors_of(find("toy", "resnet20"))
    assert told.value.what.startswith("got 0 bytes (")
    assert str(weights.weights_cache() / gone.file) in told.value.remedy  # where it is then found


def test_what_a_file_says_of_itself_comes_back(tmp_path):
    given = saved(network(), tmp_path / "a.safetensors")
    assert given.classes == DIGITS
    assert given.licence == "MIT"
    assert given.preprocessing == Preprocessing(32, (1.0,) * 3, (2.0,) * 3)
    assert json.loads(given.note())["model"] == "resnet20"
    assert set(load_file(given.path)) == set(network().state_dict())


def test_any_folder_of_pretrained_weights_below_the_data_is_looked_into_first(tmp_path, monkeypatch):
    published = next(each for each in PUBLISHED if each.model == "vgg16")
    there = tmp_path / "pretrained_of_mine" / published.file
    there.parent.mkdir()
    there.write_bytes(b"x")
    monkeypatch.setenv("ORTHOGON_DATA", str(tmp_path))
    assert location(published) == there
