"""The one-file report of a run."""
