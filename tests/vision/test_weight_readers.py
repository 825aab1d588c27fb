"""Files of weights that are no torch checkpoints: written here by their formats, and damaged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision import mobilenet_weights, squeezenet_weights
from orthogon.vision.mobilenet import mobilenet
from orthogon.vision.squeezenet import squeezenet


def spec(side: int) -> ModelSpec:
    return ModelSpec((InputSpec("image", (3, side, side)),), 1000)


# --- Deep Compression ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def compressed() -> tuple[bytes, dict[str, torch.Tensor]]:
    """A file that keeps some weights of each layer, with 0 to 15 places skipped before each; and what it says."""
    random, wanted, parts, counts = np.random.default_rng(0), {}, [], []
    with torch.device("meta"):
        network = squeezenet(spec(227), "squeezenet1_0", stem="imagenet")
    for name, layer in network.named_modules():
        if not isinstance(layer, nn.Conv2d):
            continue
        skipped = random.integers(0, 16, layer.weight.numel() // 16).astype(np.uint8)
        codes = random.integers(0, 256, len(skipped)).astype(np.uint8)
        codebook = random.normal(size=256).astype("<f4")
        codebook[0] = 0
        bias = random.normal(size=layer.out_channels).astype("<f4")
        weight = np.zeros(layer.weight.numel(), np.float32)
        place = -1
        for skip, code in zip(skipped, codes):
            place += int(skip) + 1
            weight[place] = codebook[code]
        halves = np.append(skipped, np.uint8(0))[: len(skipped) + len(skipped) % 2].reshape(-1, 2)
        counts.append(len(skipped))
        parts += [codebook.tobytes(), bias.tobytes(), codes.tobytes(), (halves[:, 0] | halves[:, 1] << 4).tobytes()]
        wanted[f"{name}.weight"] = torch.from_numpy(weight.reshape(layer.weight.shape))
        wanted[f"{name}.bias"] = torch.from_numpy(bias)
    wanted["features.0.weight"] = wanted["features.0.weight"].flip(1)
    return np.array(counts, "<u4").tobytes() + b"".join(parts), wanted


def test_weights_stand_where_the_skips_say_and_blue_and_red_change_places(compressed, tmp_path):
    data, wanted = compressed
    (tmp_path / "a.net").write_bytes(data)
    found = squeezenet_weights.tensors(tmp_path / "a.net")
    assert list(found) == list(wanted)
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    network = squeezenet(spec(227), "squeezenet1_0", last_padding=1)
    network.load_state_dict(found, strict=True)


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[:50],
                                    lambda data: b"\xff" * 200])
def test_a_damaged_compressed_file_is_refused(compressed, tmp_path, change):
    (tmp_path / "a.net").write_bytes(change(compressed[0]))
    with pytest.raises(RecipeError, match="no compressed SqueezeNet"):
        squeezenet_weights.tensors(tmp_path / "a.net")


def test_padding_of_the_last_map_is_a_frame_of_what_the_bias_gives():
    """Over a frame of zeros a 1×1 convolution gives ReLU(bias): (n · mean + frame · ReLU(bias)) / (n + frame)."""
    plain = squeezenet(spec(64), "squeezenet1_0", stem="imagenet").eval()
    padded = squeezenet(spec(64), "squeezenet1_0", stem="imagenet", last_padding=1).eval()
    nn.init.normal_(plain.classifier[1].bias)
    padded.load_state_dict(plain.state_dict(), strict=True)
    picture = torch.randn(1, 3, 64, 64)
    side = plain.feature_maps(picture)[-1].shape[-1]
    inside, whole = side**2, (side + 2) ** 2
    wanted = (inside * plain(picture) + (whole - inside) * plain.classifier[1].bias.relu()) / whole
    assert torch.allclose(padded(picture), wanted, atol=1e-5)


# --- TensorFlow Lite -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["mobilenet_v1", "mobilenet_v2"])
def test_layers_are_named_in_the_order_in_which_they_run(variant):
    network = mobilenet(spec(64), variant, stem="imagenet", padding="same").eval()
    order: list[str] = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            module.register_forward_hook(lambda *_, name=name: order.append(name))
    with torch.no_grad():
        network(torch.zeros(1, 3, 64, 64))
    assert [each for pair in mobilenet_weights.layer_names(variant) for each in pair] == order


def test_batch_norm_of_the_converted_is_the_identity_but_for_the_bias(monkeypatch, tmp_path):
    """Row by row: BN(x) = x + b within 1e-6, and "background", the first of 1,001 classes, is left out."""
    random = np.random.default_rng(0)
    network = mobilenet(spec(64), "mobilenet_v1", width=0.25, stem="imagenet", padding="same")
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    layers = [mobilenet_weights.Layer(random.normal(size=each.weight.shape).astype(np.float32),
                                      random.normal(size=each.out_channels).astype(np.float32))
              for each in convolutions]
    layers.append(mobilenet_weights.Layer(random.normal(size=(1001, 256, 1, 1)).astype(np.float32),
                                          np.arange(1001, dtype=np.float32)))
    monkeypatch.setattr(mobilenet_weights, "read_layers", lambda path: iter(layers))
    found = mobilenet_weights.tensors(tmp_path / "a.tflite")
    network.load_state_dict(found, strict=True)
    norm = network.eval().features[0][1]
    x = torch.randn(2, 8, 5, 5)
    assert torch.allclose(norm(x), x + torch.from_numpy(layers[0].bias)[:, None, None], atol=1e-6)
    assert torch.equal(network.classifier[1].bias, torch.arange(1.0, 1001.0))
    assert torch.equal(network.classifier[1].weight, torch.from_numpy(layers[-1].weight[1:, :, 0, 0]))


def test_a_network_of_another_number_of_layers_is_refused(monkeypatch, tmp_path):
    layer = mobilenet_weights.Layer(np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.float32))
    monkeypatch.setattr(mobilenet_weights, "read_layers", lambda path: iter([layer] * 5))
    with pytest.raises(RecipeError, match="5 convolutions are those of no MobileNet"):
        mobilenet_weights.tensors(tmp_path / "a.tflite")


@pytest.mark.parametrize("data", [b"", b"\x00\x00\x00\x00nope", b"\xff\xff\xff\x7fTFL3",
                                  b"\x10\x00\x00\x00TFL3" + b"\0" * 40])
def test_what_is_no_tensorflow_lite_file_is_refused(tmp_path, data):
    (tmp_path / "a.tflite").write_bytes(data)
    with pytest.raises(RecipeError, match=r"a\.tflite"):
        mobilenet_weights.tensors(tmp_path / "a.tflite")
