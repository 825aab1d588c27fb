"""Pictures beside those whose encodings are nearest: what a representation takes to be alike."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from orthogon.draw.images import contact_sheet
from orthogon.nn.neighbors import nearest_others
from orthogon.train.task import Sheet

SHOWN, NEIGHBORS = 8, 7
RIGHT, WRONG, UNTOLD = "#1a7f37", "#b42318", "#333333"


def neighbor_sheet(encodings: Tensor, pictures: Tensor, labels: list[str]) -> Sheet | None:
    """Eight pictures from all over, each at the left of the seven nearest others; None for fewer than two pictures.

    encodings: (n, D). pictures: uint8 (n, C, H, W). labels: the name of each one's class, "" where it has none.
    """
    if len(encodings) < 2:
        return None
    around = nearest_others(encodings, min(NEIGHBORS, len(encodings) - 1))
    asked = np.linspace(0, len(encodings) - 1, min(SHOWN, len(encodings))).astype(int)
    places = [int(place) for row in asked for place in (row, *around[row].tolist())]
    of = np.repeat(asked, around.shape[1] + 1)
    colors = [UNTOLD if place == row or not labels[place] else RIGHT if labels[place] == labels[row] else WRONG
              for place, row in zip(places, of)]
    shown = pictures[torch.as_tensor(places)].permute(0, 2, 3, 1).cpu().numpy()
    sheet = contact_sheet(list(shown), [labels[place] for place in places], columns=around.shape[1] + 1, cell=84,
                          colors=colors)
    return Sheet("neighbors", "Pictures and the nearest others", f"At the left a picture, beside it those of "
                 f"{len(encodings):,} whose encodings are nearest, by cosine; chosen by their place in dev alone.",
                 np.asarray(sheet))
