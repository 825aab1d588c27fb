"""Colors of pictures changed by one matrix for each picture (rows 19.07, 19.08)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue count in grey (ITU-R BT.601), as in Pillow and JPEG."""
_CHUNK = 256


@dataclass(frozen=True)
class ColorChange:
    """Brightness, contrast, saturation and hue of n pictures with values 0 … 255, in that order, then what is added.

    brightness, contrast, saturation: float (n,), 1 = as it is, each as Pillow's ImageEnhance has it. hue: (n,), a turn
    about the grey axis in radians that keeps the grey value. balance: (n, 3), added to red, green and blue. shift:
    (n, C), added, or None. Of grey pictures saturation, hue and balance change nothing.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    balance: Tensor
    shift: Tensor | None = None

    def matrices(self, channels: int) -> tuple[Tensor, Tensor, Tensor]:
        """(linear (n, C, C), toward (n, C), added (n, C)) of pictures with so many channels: a picture with the colors
        x (C, pixels), whose means are m (C,), becomes linear x + toward·m + added. Contrast is about the grey mean."""
        gain = (self.brightness * self.contrast).view(-1, 1, 1)
        luma = gain.new_tensor(LUMA if channels == 3 else (1.0,))
        linear, added = gain * torch.eye(channels, device=gain.device), torch.zeros_like(self.balance[:, :channels])
        if channels == 3:
            kept = self.saturation.view(-1, 1, 1)
            linear = _turned(self.hue) @ (kept * linear + (1 - kept) * gain * luma.expand(3, 3))
            added = self.balance
        # Saturation and hue leave grey as it is, so what contrast adds, which is grey, need not go through them.
        toward = ((1 - self.contrast) * self.brightness).unsqueeze(1) * luma
        return linear, toward, added if self.shift is None else added + self.shift


def principal_colors(pictures: Tensor, rows: np.ndarray) -> Tensor:
    """Float (C, C): column i is eigenvector i of the covariance of the pixels' colors times its eigenvalue (row 19.08).

    pictures: uint8 N×C×H×W, of which `rows` count. Colors are taken in 0 … 1, as in Krizhevsky et al. 2012 ("ImageNet
    Classification with Deep Convolutional Neural Networks", section 4.1), who add multiples of these columns.
    """
    chosen, channels = torch.as_tensor(np.sort(rows), dtype=torch.int64), pictures.shape[1]
    total = torch.zeros(channels, dtype=torch.float64)
    products = torch.zeros(channels, channels, dtype=torch.float64)
    for some in chosen.split(_CHUNK):
        colors = pictures[some].transpose(0, 1).flatten(1).double() / 255
        total += colors.sum(1)
        products += colors @ colors.T
    count = max(1, len(chosen)) * pictures[0, 0].numel()
    mean = total / count
    values, vectors = torch.linalg.eigh(products / count - torch.outer(mean, mean))
    return (vectors * values.clamp(min=0)).float()


_TO_YIQ = np.array([LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135)])


def _turned(hue: Tensor) -> Tensor:
    """(n, 3, 3): the turn of the color plane of YIQ, which leaves Y, the grey value, as it is."""
    forth, back = hue.new_tensor(_TO_YIQ), hue.new_tensor(np.linalg.inv(_TO_YIQ))
    turn = torch.eye(3, device=hue.device).repeat(len(hue), 1, 1)
    turn[:, 1, 1] = turn[:, 2, 2] = torch.cos(hue)
    turn[:, 2, 1] = torch.sin(hue)
    turn[:, 1, 2] = -turn[:, 2, 1]
    return back @ turn @ forth
