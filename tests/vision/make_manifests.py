"""Writes manifests/*.json and golden_logits.json: what torchvision and timm call their weights, and what they answer.

Not a test; run once, wherever both libraries and Orthogon's tests are: they are never needed afterwards.

    python tests/vision/make_manifests.py [FOLDER with resnet20-12fca82f.th and others]

FOLDER: akamaster/pytorch_resnet_cifar10's pretrained models. A manifest is the list of [key, shape] of a state_dict
with 1,000 classes, in order. The answers are the logits for 10 classes of `closed_form.picture` with the weights of
`closed_form.fill`, in evaluation mode. If torchvision's compiled part does not fit the installed torch, its models work
all the same once `torch.library.register_fake` does nothing for names that begin with "torchvision::".
"""

import json
import sys
from pathlib import Path

import timm
import torch
import torchvision
from closed_form import fill, picture

HERE = Path(__file__).parent
TORCHVISION = (
    "alexnet", *(f"vgg{n}{bn}" for n in (11, 13, 16, 19) for bn in ("", "_bn")),
    *(f"resnet{n}" for n in (18, 34, 50, 101, 152)), "squeezenet1_0", "squeezenet1_1", "densenet121", "densenet169",
    "googlenet", "inception_v3", "mobilenet_v2",
)
TIMM = {"xception": "legacy_xception", "gmlp_ti16": "gmlp_ti16_224", "gmlp_s16": "gmlp_s16_224",
        "gmlp_b16": "gmlp_b16_224"}
GOLDEN = {"alexnet": (67, 80), "vgg11_bn": (64, 80), "resnet18": (64, 80), "resnet50": (64, 80),
          "squeezenet1_0": (64, 80), "squeezenet1_1": (64, 80), "densenet121": (64, 80), "googlenet": (64, 80),
          "inception_v3": (80, 96), "mobilenet_v2": (64, 80), "xception": (80, 96), "gmlp_ti16": (224, 224)}


def made(name: str, classes: int) -> torch.nn.Module:
    if name in TIMM:
        return timm.create_model(TIMM[name], num_classes=classes)
    extra = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, num_classes=classes, **extra)


def write(name: str, state: dict) -> None:
    rows = [[key, list(value.shape)] for key, value in state.items()]
    (HERE / "manifests" / f"{name}.json").write_text(json.dumps(rows, separators=(",", ":")) + "\n")


def main() -> None:
    for name in (*TORCHVISION, *TIMM):
        with torch.device("meta"):
            write(name, made(name, 1000).state_dict())
    for folder in sys.argv[1:]:
        for path in Path(folder).glob("*.th"):
            state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
            write(path.name.partition("-")[0], {key.removeprefix("module."): value for key, value in state.items()})
    golden = {}
    for name, size in GOLDEN.items():
        model = made(name, 10).eval()
        fill(model)
        with torch.no_grad():
            logits = model(picture(*size))[0]
        golden[name] = {"size": size, "logits": [float(f"{value:.6g}") for value in logits.tolist()]}
    lines = ",\n".join(f'"{name}": {json.dumps(each)}' for name, each in golden.items())
    (HERE / "golden_logits.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    main()
