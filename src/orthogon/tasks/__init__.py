"""What can be learnt from any kind of column: classify, regress, multilabel."""

from orthogon.tasks.infer import as_target, infer_task, labelled_rows

__all__ = ["as_target", "infer_task", "labelled_rows"]
