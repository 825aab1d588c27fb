"""What every registered model that takes pictures keeps, also those that installed packages add.

All variants are run without numbers, on the meta device; of each family the smallest is trained, as narrow as it gets.
"""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from closed_form import values
from safetensors.torch import load, save
from torch import Tensor, nn

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.nn.auxiliary import outputs_by_weight
from orthogon.nn.cost import parameter_count
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import PictureNetwork
from orthogon.train.build import build_model
from orthogon.train.settings import ModelSettings

OUTPUTS = 4
SIDES, LARGE = range(8, 225), 224
NARROW = {"width": 8, "growth": 8, "hidden": 16, "depth": 1}
"""Options by which models get small, where they have them; a width that is a factor becomes a quarter."""

ENTRIES = {each.name: each for each in registry.models
           if (not each.kinds or "image" in each.kinds) and each.name != "gan"}
"""But two players, of which neither answers for a picture: test_two_players.py."""


def narrow(name: str) -> dict:
    small = {each.name: 0.25 if isinstance(each.default, float) else NARROW[each.name]
             for each in ENTRIES[name].options if each.name in NARROW and not isinstance(each.default, tuple)}
    return small | {each.name: 0.0 for each in ENTRIES[name].options if each.name.endswith("dropout")}


def built(name: str, side: int, options: dict | None = None, seed: int = 0) -> nn.Module:
    spec = ModelSpec((InputSpec("image", (3, side, side)),), OUTPUTS)
    return build_model(spec, ModelSettings(name=name, options=options or {}), seed)


@cache
def on_meta(name: str, side: int, form: str = "") -> nn.Module:
    """form: an option by which the model takes its form for large pictures."""
    with torch.device("meta"):
        return built(name, side, {form: "imagenet"} if form else {})


@cache
def smallest_side(name: str, form: str = "") -> int:
    """From 8 up, the first that the model accepts."""
    for side in SIDES:
        try:
            on_meta(name, side, form)
        except RecipeError as refusal:
            if "pixels" not in str(refusal):
                raise
        else:
            return side
    raise AssertionError(f"{name} takes no picture of {SIDES[0]} to {SIDES[-1]} pixels")


@cache
def smallest(path: str) -> str:
    """The name of the smallest model that the function makes."""
    sizes = {name: parameter_count(on_meta(name, LARGE))
             for name, entry in ENTRIES.items() if entry.path == path}
    return min(sizes, key=sizes.__getitem__)


def of_each_family(test: Callable) -> Callable:
    paths = list(dict.fromkeys(entry.path for entry in ENTRIES.values()))
    return pytest.mark.parametrize("path", paths, ids=[path.partition(":")[2] for path in paths])(test)


def pictures(name: str, count: int = 8) -> Tensor:
    side = smallest_side(name)
    return values(count * 3 * side * side, 11).view(count, 3, side, side)


def check(net: nn.Module, side: int) -> None:
    """One value for each output (of every pixel, where it answers for pixels); maps as the network says they are."""
    x = torch.empty(2, 3, side, side, device="meta")
    if not isinstance(net, PictureNetwork):
        assert net(x).shape in ((2, OUTPUTS), (2, OUTPUTS, side, side))
        return
    given: dict[str, Tensor] = {}
    modules = dict(net.named_modules())
    hooks = [modules[each.name].register_forward_hook(lambda module, x, out, key=each.name: given.update({key: out}))
             for each in net.maps]
    maps = net.feature_maps(x)
    assert net.classify(maps[-1]).shape == (2, OUTPUTS)
    assert len(maps) == len(net.maps)
    for told, seen, hook in zip(net.maps, maps, hooks):
        assert seen is given[told.name]
        assert seen.shape[:2] == (2, told.channels)
        # Without padding, borders are lost: at the smallest side most of the map.
        assert side < LARGE or all(0.7 < extent * told.stride / side < 1.1 for extent in seen.shape[2:])
        hook.remove()
    strides = [each.stride for each in net.maps]
    assert strides == sorted(set(strides))
    output = modules[net.output_name]
    assert getattr(output, "out_features", getattr(output, "out_channels", OUTPUTS)) == OUTPUTS
    assert net.output_name.startswith(net.head_name)


@pytest.mark.parametrize("name", ENTRIES)
def test_its_maps_are_what_the_modules_of_their_names_give_and_there_is_a_value_for_each_output(name):
    check(on_meta(name, LARGE).eval(), LARGE)


@of_each_family
def test_the_same_holds_at_the_smallest_side(path):
    name = smallest(path)
    check(on_meta(name, smallest_side(name)).eval(), smallest_side(name))


@of_each_family
def test_the_form_for_large_pictures_says_the_smallest_side_and_works_there(path):
    name = smallest(path)
    for form in {"stem", "classifier"} & {option.name for option in ENTRIES[name].options}:
        side = smallest_side(name, form)
        net = on_meta(name, side, form).eval()
        assert net(torch.empty(2, 3, side, side, device="meta")).shape == (2, OUTPUTS)
        if side > SIDES[0]:
            with pytest.raises(RecipeError, match=f"at least {side}"):
                on_meta(name, side - 1, form)


def cross_entropy(outputs: Tensor, labels: Tensor) -> Tensor:
    """Of one answer for each picture; a network that answers for every pixel is to give the same for all of them."""
    pixels = outputs.shape[2:]
    return nn.functional.cross_entropy(outputs, labels.view(-1, *(1 for _ in pixels)).expand(-1, *pixels))


@of_each_family
def test_every_parameter_gets_a_gradient_and_eight_pictures_are_learnt(path):
    name = smallest(path)
    torch.manual_seed(0)
    net, x, labels = built(name, smallest_side(name), narrow(name)).train(), pictures(name), torch.arange(8) % OUTPUTS
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3)
    for step in range(200):
        outputs = outputs_by_weight(net(x))
        loss = sum((weight * cross_entropy(each, labels) for weight, each in outputs), torch.zeros(()))
        optimizer.zero_grad()
        loss.backward()
        if step == 0:
            without = [key for key, each in net.named_parameters() if each.requires_grad and (
                       each.grad is None or not each.grad.isfinite().all() or not each.grad.any())]
            assert not without
        if loss < 0.15:
            break
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # those without norms now and then diverge at this rate
        optimizer.step()
    right = outputs[0][1].argmax(1).reshape(8, -1) == labels.view(8, 1)
    assert right.all()


@of_each_family
def test_its_answer_is_finite_read_from_the_last_map_and_the_same_when_saved_and_loaded(path):
    name = smallest(path)
    side = smallest_side(name)
    net, other = (built(name, side, narrow(name), seed).eval() for seed in (0, 1))
    with torch.no_grad():
        expected = net(pictures(name))
        assert expected.isfinite().all()
        if isinstance(net, PictureNetwork):
            assert torch.equal(net.classify(net.feature_maps(pictures(name))[-1]), expected)
        assert not torch.equal(other(pictures(name)), expected)
        other.load_state_dict(load(save({key: each.contiguous() for key, each in net.state_dict().items()})))
        assert torch.equal(other(pictures(name)), expected)


@of_each_family
def test_exported_it_answers_the_same(path):
    name = smallest(path)
    net, x = built(name, smallest_side(name), narrow(name)).eval(), pictures(name)
    with torch.no_grad():
        exported = torch.export.export(net, (x,)).module()
        torch.testing.assert_close(exported(x), net(x))


@of_each_family
def test_in_bfloat16_and_channels_last_it_answers_about_the_same(path):
    name = smallest(path)
    net, x = built(name, smallest_side(name), narrow(name)).eval(), pictures(name)
    with torch.no_grad():
        expected = net(x)
        net = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        with torch.autocast("cpu", torch.bfloat16):
            found = net(x.contiguous(memory_format=torch.channels_last)).float()
    assert (found - expected).abs().max() < 0.05 * expected.abs().max() + 0.01
