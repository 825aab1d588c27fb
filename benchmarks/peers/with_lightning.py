"""Lightning. default: progress bar and `self.log` of the loss, no logger or checkpoints; barebones: its quickest."""

from __future__ import annotations

import lightning
import torch
import torch.nn.functional as F
from problem import Clock, Problem, problem, report, training_rows
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset
from torch_networks import factor, network, parameters, predict


class Module(lightning.LightningModule):
    def __init__(self, given: Problem, rows: int, clock: Clock) -> None:
        super().__init__()
        self.given, self.rows, self.clock = given, rows, clock
        self.model = network(given)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        inputs, labels = batch
        loss = F.cross_entropy(self.model(inputs), labels)
        if self.given.variant == "default":
            self.log("train_loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> object:
        optimizer = torch.optim.Adam(self.parameters(), lr=self.given.lr)
        if self.given.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor(self.given, self.rows))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_train_epoch_end(self) -> None:
        self.clock.tick()


def main() -> None:
    given = problem()
    x, y, x_test = training_rows(given)
    clock = Clock()
    module = Module(given, len(x), clock)
    loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=given.batch, shuffle=True)
    if given.variant == "barebones":
        trainer = lightning.Trainer(max_epochs=given.epochs, accelerator="cpu", barebones=True)
    else:
        trainer = lightning.Trainer(max_epochs=given.epochs, accelerator="cpu", logger=False,
                                    enable_checkpointing=False)
    trainer.fit(module, loader)
    found = None if x_test is None else predict(module.model, torch.from_numpy(x_test))
    report(clock, given, len(x), parameters(module.model), found, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
