"""How metrics are called where people read them."""

from __future__ import annotations

TITLES = {"f1": "F1", "roc": "ROC", "auc": "AUC", "rmse": "RMSE", "mae": "MAE", "mse": "MSE", "mase": "MASE",
          "r2": "R²", "iou": "IoU", "psnr": "PSNR", "bleu": "BLEU", "chrf": "chrF", "dice": "Dice",
          "brier": "Brier score", "cross_entropy": "cross-entropy"}


def title_of(metric: str) -> str:
    """A metric's name as it is read: "macro_f1" -> "macro F1"."""
    if metric in TITLES:
        return TITLES[metric]
    return " ".join(TITLES.get(word, word) for word in metric.split("_"))


def is_accuracy(metric: str) -> bool:
    """Whether it is a share of right answers; people are told that of wrong ones."""
    return metric.endswith("accuracy")


def error_name(metric: str) -> str:
    """What people are told instead: of an accuracy the error ("token_accuracy": "token error"), else the metric."""
    return f"{metric.removesuffix('accuracy')}error".replace("_", " ") if is_accuracy(metric) else metric
