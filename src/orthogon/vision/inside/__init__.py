"""What a trained network for pictures looks at: the patches of its units, occlusion, Grad-CAM."""
