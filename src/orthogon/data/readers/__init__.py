"""One reader per sort of source; `orthogon.data.read` chooses among them."""
