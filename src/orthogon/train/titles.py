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
