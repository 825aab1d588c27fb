"""The course's programs by name: what they say, and that they run (at small size, without weights to fetch)."""

from __future__ import annotations

import orthogon as og
from orthogon.nn.freeze import layers
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train import recipes
from orthogon.train.build import build_model

NO_WEIGHTS = {"model.weights": None, "train.freeze": None, "train.preflight": False}


def built(name: str, side: int, outputs: int):
    """The network of the recipe, without its weights."""
    recipe = recipes.read(name)
    spec = ModelSpec((InputSpec("image", (3, side, side)),), outputs)
    return build_model(spec, recipe.model.model_copy(update={"weights": None}), seed=0), recipe


def test_vgg16_has_the_head_of_the_course_and_learns_from_its_last_convolution_on():
    """Rows 17.05, 18.09, E98."""
    model, recipe = built("classic/vgg16-transfer", 32, 5)
    sizes = [module.out_features for name, module in model.named_modules() if hasattr(module, "out_features")]
    assert sizes == [260, 100, 5]
    assert layers(model)[recipe.train.freeze] == "features.28"
    assert (recipe.data.image_size, recipe.train.optimizer) == (180, "adam")
    assert recipe.train.lr < 0.001


def test_xception_has_a_mean_200_units_and_one_layer_and_learns_from_block_12_on():
    """Rows 17.15, 18.10, 20.04: the first 110 layers of Keras end with the first separable convolution of its block 12,
    which is the eleventh here."""
    model, recipe = built("classic/xception-localize", 96, 24)
    sizes = [module.out_features for name, module in model.named_modules() if hasattr(module, "out_features")]
    assert sizes == [200, 24]
    assert layers(model)[recipe.train.freeze] == "block11.rep.4.conv1"
    assert (recipe.train.optimizer, recipe.train.lr, recipe.train.epochs) == ("nadam", 1e-5, 50)
    assert recipe.task.loss_weights == {"class": 0.1, "box": 0.9}


def test_pictures_come_to_xception_between_minus_one_and_one():
    """E63."""
    normal = recipes.read("classic/xception-localize").data.normalize
    ends = [[(value - mean) / std for mean, std in zip(normal.mean, normal.std)] for value in (0, 255)]
    assert ends == [[-1.0] * 3, [1.0] * 3]


def test_the_program_for_one_object_runs(tmp_path):
    """Row 20.04, at 72 pixels, for one step of two pictures."""
    options = {**NO_WEIGHTS, "data.image_size": 72, "train.steps": 1, "train.batch_size": 2, "split.train": 4,
               "split.dev": 6, "split.test": 6}
    run = og.train(og.read("shapes").take(range(16)), recipe="classic/xception-localize", options=options,
                   out=tmp_path, quiet=True)
    assert run.result["task"] == "localize"


def test_the_program_for_digits_runs_and_prepares_all_three_parts_alike(tmp_path):
    """Row 17.16, one epoch on the bundled digits. E61, E62: train, dev and test are standardized by train, none shares
    an example with another, and the score that bears the name of a part is that of its own examples.
    """
    data = og.read("digits")
    run = og.train(data, recipe="classic/mnist-convnet", epochs=1, out=tmp_path, quiet=True)
    assert run.result["model"]["name"] == "plain"
    place = {identity: row for row, identity in enumerate(data.ids.tolist())}
    parts = {part: [place[identity] for identity in run.rows(part).ids.tolist()] for part in ("train", "dev", "test")}
    assert sorted(row for rows in parts.values() for row in rows) == list(range(len(data)))
    column = data.columns["label"]
    for part, rows in parts.items():
        told = [each["label"] for each in og.predict(run, data.columns["image"].pixels[rows])]
        true = [column.levels[column.codes[row]] for row in rows]
        right = sum(one == other for one, other in zip(told, true, strict=True))
        assert run.result["splits"][part]["metrics"]["accuracy"]["value"] == right / len(rows)
