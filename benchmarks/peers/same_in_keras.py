"""Check, in the peers' environment, that the Keras convnet gives the PyTorch one's outputs with the same weights."""

from __future__ import annotations

import json
import os
import sys

from problem import Problem

os.environ["KERAS_BACKEND"] = "jax"
sys.argv = [sys.argv[0], Problem("fashion", "jax").to_json()]

import numpy as np  # noqa: E402
import torch  # noqa: E402
from keras import layers  # noqa: E402
from torch_networks import ConvNet  # noqa: E402
from with_keras import convnet  # noqa: E402

TOLERANCE = 1e-4
"""Of outputs of size about 1 in float32: two libraries add in different orders."""


def copy_weights(source: torch.nn.Module, target: object) -> None:
    """Layer by layer in the order of computation, which is the order of definition in both."""
    ours = [module for module in source.modules() if not list(module.children()) and list(module.parameters())]
    theirs = [layer for layer in target.layers if layer.weights]
    for module, layer in zip(ours, theirs, strict=True):
        if isinstance(layer, layers.Conv2D):
            values = [module.weight.permute(2, 3, 1, 0)]
        elif isinstance(layer, layers.Dense):
            values = [module.weight.T, module.bias]
        else:
            values = [module.weight, module.bias, module.running_mean, module.running_var]
        layer.set_weights([each.detach().numpy() for each in values])


def main() -> None:
    torch.manual_seed(0)
    source, target = ConvNet(), convnet()
    x = torch.randn(16, 1, 28, 28)
    source.train()(x)  # moves the running statistics away from 0 and 1
    copy_weights(source, target)
    expected = source.eval()(x).detach().numpy()
    found = target.predict(x.permute(0, 2, 3, 1).numpy(), verbose=0)
    difference = float(np.abs(expected - found).max())
    assert difference < TOLERANCE, f"the outputs differ by {difference}"
    print("\n" + json.dumps({"said": f"outputs equal to {difference:.0e}"}))


if __name__ == "__main__":
    main()
