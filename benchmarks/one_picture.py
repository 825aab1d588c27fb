"""Jobs of `unlabelled.py` that need no data set: a picture in the style of another, and one mended by its own network.

Pictures are scikit-learn's china.jpg and flower.jpg; the style is drawn here. There is one picture each, so a figure
has no interval.
"""

from __future__ import annotations

import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

import orthogon as og

SIDE, NOISE = 128, 25
"""Of the crops that are mended, in pixels, and the deviation of their noise, in 0 … 255."""


def style(seed: int, threads: int) -> list[dict[str, Any]]:
    """256 pixels by SqueezeNet's eye, and what one loss and gradient costs with VGG-19's (with random weights)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(load_sample_image("china.jpg")).save(folder / "china.png")
        Image.fromarray(mosaic(seed)).save(folder / "mosaic.png")
        began, cpu = time.monotonic(), time.process_time()
        run = og.stylize(folder / "china.png", folder / "mosaic.png", out=folder, seed=seed, quiet=True,
                         options={"train.threads": threads})
        spent = _spent(began, cpu, seed, threads)
        figures = run.result["figures"]
        found = [{"what": f"style, 256 pixels, squeezenet1_0: {part} cost over that of maps of zeros", "unit": "",
                  "goal": goal, **_alone(figures[part], 1), **spent}
                 for part, goal in (("style", "it falls"), ("content", ""))]
    return [*found, _vgg(seed, threads)]


def _vgg(seed: int, threads: int) -> dict[str, Any]:
    import torch

    from orthogon.nn.spec import InputSpec, ModelSpec
    from orthogon.train.settings import DataSettings, TaskSettings
    from orthogon.vision.eye import Eye, default_layers
    from orthogon.vision.stylize import Picture, StyleOptions, Stylize
    from orthogon.vision.vgg import vgg

    torch.set_num_threads(threads)
    network = vgg(ModelSpec((InputSpec("image", (3, 64, 64)),), 2), "vgg19")
    content, layers = default_layers(network)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "style.png"
        Image.fromarray(mosaic(seed)[:256, :256]).save(path)
        options = StyleOptions(str(path), dict.fromkeys(content, 1.0), dict.fromkeys(layers, 1 / len(layers)))
        eye = Eye(network, layers, [127.5] * 3, [127.5] * 3, average=True)
        eye = eye.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        task = Stylize(TaskSettings(), DataSettings(source=str(path)), options, eye)
        model = Picture(torch.rand(1, 3, 256, 256))
        for _ in range(2):  # the first one sees the pictures
            began, cpu = time.monotonic(), time.process_time()
            torch.stack([part.sum for part in task.loss(model, task.batch(torch.empty(0))).parts]).sum().backward()
    spent = _spent(began, cpu, seed, threads)
    return {"what": "style, 256×256, vgg19: one loss and gradient", "goal": "300 of them in 6 minutes: 1.2 s",
            "unit": "s", **_alone(60 * spent["minutes"], 1), **spent}


def prior(seed: int, threads: int) -> list[dict[str, Any]]:
    """PSNR gained by the deep image prior on noisy, holed and small crops, over the picture as it was given."""
    found = []
    for source, top, left in (("china", 60, 180), ("flower", 100, 200)):
        truth = load_sample_image(f"{source}.jpg")[top : top + SIDE, left : left + SIDE]
        for how, goal in (("denoise", "a gain"), ("inpaint", "a gain"), ("enlarge", "over cubic")):
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                began, cpu = time.monotonic(), time.process_time()
                run = og.restore(folder / "given.png", how=how, out=folder, seed=seed, quiet=True,
                                 **_damaged(truth, how, folder, seed), options={"train.threads": threads})
                found.append({"what": f"prior: {how}, {source}, {SIDE}×{SIDE}: gain in PSNR", "goal": goal,
                              "unit": "dB", **_alone(run.result["figures"]["gain"], 1),
                              **_spent(began, cpu, seed, threads)})
    return found


def _damaged(truth: np.ndarray, how: str, folder: Path, seed: int) -> dict[str, Any]:
    """Writes given.png, truth.png and perhaps mask.png; what `restore` is told of them."""
    draws = np.random.default_rng(seed)
    given, more = truth.astype(float), {}
    if how == "denoise":
        given = given + draws.normal(0, NOISE, given.shape)
    elif how == "inpaint":
        kept = draws.random(truth.shape[:2]) < 0.5
        Image.fromarray(np.uint8(255 * kept)).save(folder / "mask.png")
        given, more = given * kept[:, :, None], {"mask": folder / "mask.png"}
    else:
        given = given.reshape(SIDE // 2, 2, SIDE // 2, 2, 3).mean((1, 3))
    Image.fromarray(np.rint(given.clip(0, 255)).astype(np.uint8)).save(folder / "given.png")
    Image.fromarray(truth).save(folder / "truth.png")
    return {"truth": folder / "truth.png", **more}


def mosaic(seed: int, side: int = 512, pieces: int = 420) -> np.ndarray:
    """A mosaic of colored pieces with dark joints, drawn here: a style that belongs to nobody."""
    draws = np.random.default_rng(seed)
    centers, (y, x) = draws.uniform(0, side, (pieces, 2)), np.mgrid[:side, :side]
    distance = np.sqrt((x[..., None] - centers[:, 0]) ** 2 + (y[..., None] - centers[:, 1]) ** 2)
    nearest = np.partition(distance, 1, axis=-1)
    palette = np.array([(200, 60, 40), (240, 170, 60), (40, 110, 120), (245, 230, 200), (120, 40, 60), (30, 60, 90)])
    colors = palette[draws.integers(0, len(palette), pieces)] + draws.normal(0, 12, (pieces, 3))
    picture = colors[distance.argmin(-1)]
    picture[nearest[..., 1] - nearest[..., 0] < 3.2] = (25, 22, 22)
    return picture.clip(0, 255).astype(np.uint8)


def _alone(value: float, n: int) -> dict[str, Any]:
    return {"value": value, "low": math.nan, "high": math.nan, "n": n}


def _spent(began: float, cpu: float, seed: int, threads: int) -> dict[str, Any]:
    return {"minutes": (time.monotonic() - began) / 60, "cpu_minutes": (time.process_time() - cpu) / 60, "seed": seed,
            "threads": threads, "part": "one picture"}
