"""The child of augmentation.py: one contender changes batches of pictures; prints CPU seconds a batch by size."""

from __future__ import annotations

import json
import math
import random
import sys
import time
from collections.abc import Callable
from typing import Any

SIDES, BATCH = (32, 96, 224), 64
ANGLE, SHEAR, SCALE, COLOR, HUE = 30.0, math.degrees(math.atan(0.2)), 0.2, 0.3, 0.05


def one(key: str, quick: bool) -> None:
    """Measure a contender: the fastest of some batches at each size."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    make = {"orthogon": _orthogon, "pillow": _pillow, "kornia": _kornia}[key]
    found = {}
    for side in SIDES:
        pictures = torch.randint(0, 256, (BATCH, 3, side, side), dtype=torch.uint8)
        batch = make(pictures)
        batch()
        times = []
        for _ in range(2 if quick or (side > 100 and key != "orthogon") else 6):
            began = time.process_time()
            assert tuple(batch().shape) == (BATCH, 3, side, side)
            times.append(time.process_time() - began)
        found[side] = min(times)
    print(json.dumps({"seconds": found}))


def _orthogon(pictures: Any) -> Callable[[], Any]:
    import torch

    from orthogon.data.augment import Augmentation

    augment = Augmentation(("flip", "crop", "rotate", "shear", "scale", "color"))
    generator = torch.Generator().manual_seed(0)
    return lambda: augment(pictures, generator)


def _pillow(pictures: Any) -> Callable[[], Any]:
    import numpy as np
    import torch
    from PIL import Image

    arrays, draw = pictures.permute(0, 2, 3, 1).contiguous().numpy(), random.Random(0)  # noqa: S311 - no secret

    def batch() -> Any:
        changed = [np.asarray(_changed(Image.fromarray(array), draw)) for array in arrays]
        return torch.from_numpy(np.stack(changed)).permute(0, 3, 1, 2).float()

    return batch


def _changed(image: Any, draw: random.Random) -> Any:
    """One picture, by Pillow's own functions."""
    from PIL import Image, ImageEnhance

    side = image.width
    if draw.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    area, aspect = side * side * draw.uniform(0.4, 1), math.exp(draw.uniform(-1, 1) * math.log(4 / 3))
    width, height = min(side, math.sqrt(area * aspect)), min(side, math.sqrt(area / aspect))
    left, top = draw.uniform(0, side - width), draw.uniform(0, side - height)
    image = image.resize((side, side), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
    angle, shear = math.radians(draw.uniform(-ANGLE, ANGLE)), draw.uniform(-0.2, 0.2)
    zoom = draw.uniform(1 - SCALE, 1 + SCALE)
    a, d = math.cos(angle) / zoom, math.sin(angle) / zoom
    b, e, c = shear * a - d, shear * d + a, side / 2
    image = image.transform((side, side), Image.Transform.AFFINE, (a, b, c - a * c - b * c, d, e, c - d * c - e * c),
                            Image.Resampling.BILINEAR)
    for kind in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        image = kind(image).enhance(draw.uniform(1 - COLOR, 1 + COLOR))
    hue, saturation, value = image.convert("HSV").split()
    turn = round(255 * draw.uniform(-HUE, HUE))
    hue = hue.point([(level + turn) % 256 for level in range(256)])
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def _kornia(pictures: Any) -> Callable[[], Any]:
    import kornia.augmentation as kornia  # pyright: ignore[reportMissingImports] - of the peers' environment

    side = pictures.shape[-1]
    changes = kornia.AugmentationSequential(
        kornia.RandomHorizontalFlip(p=0.5),
        kornia.RandomResizedCrop((side, side), scale=(0.4, 1.0), ratio=(3 / 4, 4 / 3)),
        kornia.RandomAffine(ANGLE, scale=(1 - SCALE, 1 + SCALE), shear=(-SHEAR, SHEAR), p=1.0),
        kornia.ColorJitter(COLOR, COLOR, COLOR, HUE, p=1.0),
    )
    return lambda: changes(pictures.float() / 255)


if __name__ == "__main__":
    one(sys.argv[1], sys.argv[2] == "1")
