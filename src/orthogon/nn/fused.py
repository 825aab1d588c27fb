"""A network for prediction alone: batch norms folded into the convolutions before them."""

from __future__ import annotations

import copy
from collections import Counter

from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class _Tracer(fx.Tracer):
    """Looks into no convolution, those of other classes included."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, _CONVOLUTIONS) or super().is_leaf_module(m, module_qualified_name)


def fused(model: nn.Module) -> nn.Module:
    """A copy in evaluation mode that gives the same outputs, to rounding, with less work; the model stays as it is.

    In evaluation a batch norm is a factor and a shift for each channel, which the weights and the bias of the
    convolution can hold. Folded are those whose convolution is used once and feeds nothing else. A network whose
    forward pass torch.fx cannot follow (it branches on values, say) is copied as it is.
    """
    copied = copy.deepcopy(model).eval()
    if not all(any(isinstance(module, kind) for module in copied.modules()) for kind in (_BatchNorm, _CONVOLUTIONS)):
        return copied
    try:
        traced = fx.GraphModule(copied, _Tracer().trace(copied))
    except Exception:  # torch.fx raises what the traced code raises
        return copied
    modules = dict(traced.named_modules())
    calls = Counter(str(node.target) for node in traced.graph.nodes if node.op == "call_module")
    for node in list(traced.graph.nodes):
        before = node.args[0] if node.args else None
        if (node.op == "call_module" and isinstance(modules[node.target], _BatchNorm)
                and isinstance(before, fx.Node) and before.op == "call_module" and len(before.users) == 1
                and calls[str(before.target)] == 1
                and isinstance(modules[str(before.target)], _CONVOLUTIONS)):
            convolution = modules[str(before.target)]
            folded = fuse_conv_bn_eval(convolution, modules[node.target])  # type: ignore[arg-type]
            traced.set_submodule(str(before.target), folded)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
    traced.recompile()
    traced.delete_all_unused_submodules()
    return traced
