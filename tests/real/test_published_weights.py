"""Published weights on real photographs, against NumPy alone: the labels that their README promises, equal to 1e-3."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.train.build import build_model
from orthogon.train.pretrained import load_weights
from orthogon.train.settings import ModelSettings
from orthogon.train.weights import find

pytestmark = pytest.mark.real

LABELS = {"cat.png": "Egyptian cat", "parrot.jpg": "macaw", "bird.png": "chickadee", "hot_dog.jpg": "hotdog",
          "dragonfly.png": "dragonfly", "sunflower.png": "daisy"}


def folder(name: str) -> Path:
    path = Path(os.environ.get("ORTHOGON_DATA", "/nowhere")) / name
    if not path.is_dir():
        pytest.skip(f"{name} is not in $ORTHOGON_DATA")
    return path


def photographs(side: int) -> dict[str, np.ndarray]:
    """The sample photographs as a whole, brought to side × side; uint8."""
    with tarfile.open(folder("pretrained_imagenet") / "sample_images.tar") as tar:
        found = {}
        for name in LABELS:
            with Image.open(io.BytesIO(tar.extractfile(f"sample_images/{name}").read())) as picture:
                found[name] = np.asarray(picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))
    return found


def loaded(model: str, name: str) -> tuple[torch.nn.Module, np.ndarray, tuple[str, ...]]:
    """The network with its weights, the photographs as they are given to it, and the classes."""
    weights = find(name, model)
    pictures = weights.preprocessing
    spec = ModelSpec((InputSpec("image", (3, pictures.size, pictures.size)),), len(weights.classes))
    network = build_model(spec, ModelSettings(name=model, options=dict(weights.options)), 0).eval()
    load_weights(network, weights, weights.classes)
    shown = np.stack(list(photographs(pictures.size).values())).astype(np.float32)
    return network, (shown - np.float32(pictures.mean)) / np.float32(pictures.std), weights.classes


def outputs(network: torch.nn.Module, pictures: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return network(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())).numpy()


# --- NumPy alone: pictures N×H×W×C ---------------------------------------------------------------------------


def windows(x: np.ndarray, kernel: int, stride: int, pads: tuple[int, int], fill: float = 0.0) -> np.ndarray:
    """N×H'×W'×C×k×k."""
    x = np.pad(x, ((0, 0), pads, pads, (0, 0)), constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel), (1, 2))[:, ::stride, ::stride]


def same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    missing = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return missing // 2, missing - missing // 2


def convolved(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, pads: tuple[int, int]) -> np.ndarray:
    """weight O×I×k×k."""
    seen = windows(x, weight.shape[-1], stride, pads)
    return np.tensordot(seen, weight, ((3, 4, 5), (1, 2, 3))) + bias


def tflite(path: Path, x: np.ndarray) -> np.ndarray:
    """The network in an .npz of whole numbers, layer by layer as mobilenet_layers.txt tells them; 1,001 outputs."""
    arrays, strides = np.load(path), layer_strides(path.stem)
    before = None
    block: list[np.ndarray] = []
    for k, (name, stride, active) in enumerate(strides):
        weight = (arrays[f"{name}.weight_q"].astype(np.float32) - arrays[f"{name}.zero"]) * arrays[f"{name}.scale"]
        bias = arrays[f"{name}.bias"]
        if k == len(strides) - 1:
            return x.mean((1, 2)) @ weight[:, 0, 0].T + bias
        if "mobilenet_v2" in path.name and active and name.endswith("conv"):
            before = x
        pads = same(x.shape[1], weight.shape[1], stride)
        if name.endswith("dw"):
            x = np.einsum("nhwcij,ijc->nhwc", windows(x, 3, stride, pads), weight[0]) + bias
        else:
            x = convolved(x, weight.transpose(0, 3, 1, 2), bias, stride, pads)
        block.append(x)
        if active:
            x = np.clip(x, 0, 6)
        elif before is not None and before.shape == x.shape:
            x = x + before
    raise AssertionError("no last layer")


def layer_strides(stem: str) -> list[tuple[str, int, bool]]:
    """(name, stride, whether ReLU6 follows) of every layer."""
    text = (folder("pretrained_imagenet") / "mobilenet_layers.txt").read_text()
    part = text[text.index(f"{stem}.tflite"):].split("\n\n")[0]
    lines = [line.split() for line in part.splitlines() if " stride " in line]
    return [(words[0], int(words[3]), words[5] == "relu6") for words in lines]


def squeezenet(x: np.ndarray) -> np.ndarray:
    """Of the decoded Caffe network; x is BGR, 0 … 255 without the mean."""
    arrays = np.load(folder("pretrained_imagenet") / "squeezenet_v1.0_decoded.npz")

    def layer(x: np.ndarray, name: str, stride: int = 1, pad: int = 0) -> np.ndarray:
        return np.maximum(convolved(x, arrays[f"{name}.weight"], arrays[f"{name}.bias"], stride, (pad, pad)), 0)

    def pool(x: np.ndarray) -> np.ndarray:
        beyond = (x.shape[1] - 3) % 2  # sizes are rounded up
        return windows(x, 3, 2, (0, beyond), -np.inf).max((-2, -1))

    x = pool(layer(x, "conv1", 2))
    for k in range(2, 10):
        squeezed = layer(x, f"fire{k}.conv1x1_1")
        x = np.concatenate([layer(squeezed, f"fire{k}.conv1x1_2"), layer(squeezed, f"fire{k}.conv3x3_2", pad=1)], -1)
        x = pool(x) if k in (4, 8) else x
    return layer(x, "conv_final", pad=1).mean((1, 2))


def resnet20(x: np.ndarray) -> np.ndarray:
    """CIFAR's, with the zero-padded way around."""
    arrays = np.load(folder("pretrained_cifar10_resnet") / "resnet20.npz")

    def normed(x: np.ndarray, conv: str, norm: str, stride: int = 1) -> np.ndarray:
        seen = convolved(x, arrays[f"{conv}.weight"], np.float32(0), stride, (1, 1))
        scale = arrays[f"{norm}.weight"] / np.sqrt(arrays[f"{norm}.running_var"] + 1e-5)
        return (seen - arrays[f"{norm}.running_mean"]) * scale + arrays[f"{norm}.bias"]

    x = np.maximum(normed(x, "conv1", "bn1"), 0)
    for stage in (1, 2, 3):
        for k in range(3):
            name, stride = f"layer{stage}.{k}", 2 if stage > 1 and k == 0 else 1
            z = np.maximum(normed(x, f"{name}.conv1", f"{name}.bn1", stride), 0)
            z = normed(z, f"{name}.conv2", f"{name}.bn2")
            new = z.shape[-1] - x.shape[-1]
            x = np.maximum(z + np.pad(x[:, ::stride, ::stride], ((0, 0),) * 3 + ((new // 2, new // 2),)), 0)
    return x.mean((1, 2)) @ arrays["linear.weight"].T + arrays["linear.bias"]


# --- the tests -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "name", "file", "right"), [
    ("mobilenet_v2", "imagenet-tf", "mobilenet_v2_1.0_224_quant", 6),
    ("mobilenet_v1", "imagenet-tf-0.75", "mobilenet_v1_0.75_192_quant", 5),
    ("mobilenet_v1", "imagenet-tf-0.25", "mobilenet_v1_0.25_128_quant", 4),
])
def test_mobilenets_of_whole_numbers_equal_numpy_and_know_the_photographs(model, name, file, right):
    network, pictures, classes = loaded(model, name)
    ours = outputs(network, pictures)
    theirs = tflite(folder("pretrained_imagenet") / f"{file}.npz", pictures)
    assert np.abs(ours - theirs[:, 1:]).max() < 1e-3
    said = [label in classes[k] for label, k in zip(LABELS.values(), ours.argmax(1))]
    assert sum(said) >= right, [classes[k] for k in ours.argmax(1)]


def test_the_compressed_squeezenet_equals_numpy_and_knows_the_photographs():
    network, pictures, classes = loaded("squeezenet1_0", "imagenet-compressed")
    ours = outputs(network, pictures)
    assert np.abs(ours - squeezenet(pictures[..., ::-1])).max() < 1e-3
    said = [classes[k] for k in ours.argmax(1)]
    assert all(label in found for label, found in zip(LABELS.values(), said)), said


def test_cifars_resnet_20_equals_numpy_and_its_arrays():
    network, pictures, _ = loaded("resnet20", "cifar10")
    assert np.abs(outputs(network, pictures) - resnet20(pictures)).max() < 1e-3
    arrays = np.load(folder("pretrained_cifar10_resnet") / "resnet20.npz")
    state = network.state_dict()
    assert all(np.array_equal(state[name].numpy(), arrays[name]) for name in arrays.files)


@pytest.mark.parametrize(("model", "parameters"), [("resnet20", 269_722), ("resnet32", 464_154), ("resnet56", 853_018)])
def test_cifars_resnets_load_strictly(model, parameters):
    network, _, classes = loaded(model, "cifar10")
    assert sum(each.numel() for each in network.parameters()) == parameters
    assert classes[0] == "airplane"
    assert not torch.equal(network.bn1.running_mean, torch.zeros(16))
