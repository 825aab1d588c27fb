"""The equations of the course in NumPy, forward and backward: a lesson to read, and the oracle of the tests.

Each is a pair, `f(…) -> (out, cache)` and `f_backward(d_out, cache) -> gradients`. `d_x` is ∂J/∂x and has the shape of
x. The gradients come in the order of the inputs that have one; a single gradient comes as itself, several as a tuple.
Functions with nothing to differentiate (optimizers, schedules, initializers) give their result alone.

Arrays are float64. Examples come first: X is m×n, where the course writes examples as columns, n×m. So the course's
Z = W X + b is here Z = X Wᵀ + b, with the same W (units × inputs) and the same sums.
"""
