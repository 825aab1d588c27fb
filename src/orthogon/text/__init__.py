"""Texts: what is learnt from sentences, and how what a model writes is judged."""
