"""Check that the peers' copy of the convnet is Orthogon's: same parameter count, same outputs with its weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import torch
from torch_networks import ConvNet, parameters

from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.vision.convnet import convnet


def main() -> None:
    theirs = ConvNet()
    ours = convnet(ModelSpec((InputSpec("image", (1, 28, 28)),), 10))
    # Both define their layers in the order in which they compute, so their weights correspond one to one.
    source, target = ours.state_dict(), theirs.state_dict()
    assert [v.shape for v in source.values()] == [v.shape for v in target.values()], "the layers differ"
    theirs.load_state_dict(dict(zip(target, source.values())))
    x = torch.randn(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    for mode in (True, False):
        difference = (ours.train(mode)(x) - theirs.train(mode)(x)).abs().max().item()
        assert difference == 0, f"the outputs differ by {difference}"
    assert parameters(ours) == parameters(theirs)
    said = f"{parameters(theirs):,} parameters, outputs equal bit for bit"
    print(json.dumps({"said": said}))


if __name__ == "__main__":
    main()
