"""From files and objects to typed columns; checked, split, encoded."""
