"""What can be learnt from any kind of column: classify, regress, multilabel."""
