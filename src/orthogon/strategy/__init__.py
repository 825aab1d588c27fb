"""What to make of a run: findings with their evidence and what to do next."""
