"""What torch.nn lacks: layers, losses, initializers, and the plainest models. Usable in any torch code."""
