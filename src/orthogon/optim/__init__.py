"""What torch.optim lacks: schedules as pure functions, parameter groups by rule, averages of weights."""
