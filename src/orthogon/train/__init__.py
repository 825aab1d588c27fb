"""The recipe, the contracts of task, sampler and step, the loop, and the run that it leaves behind."""
