"""Several processes that train one policy, as `accelerate launch` starts them. Alone, all of this does nothing.

Every process has the whole base and all roles, writes its share of the replies, and averages its gradients with the
others'; so all of them hold the same weights, and the first one writes the files.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import torch
from accelerate import PartialState
from torch import Tensor, distributed, nn

from bot.training_settings import TrainingSettings
from training.errors import OutOfBudget
from training.run import Run

Item = TypeVar("Item")


def anywhere(here: bool) -> bool:
    """Whether it is so in one of the processes at least: one that stops alone would leave the others waiting."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return here
    flag: Tensor = torch.tensor(float(here), device=PartialState().device)
    distributed.all_reduce(flag)
    return bool(flag > 0)


class Processes:
    def __init__(self, settings: TrainingSettings) -> None:
        # Picks this process's device, so it comes before the model is loaded.
        self._state = PartialState(cpu=settings.device == "cpu")

    @property
    def rank(self) -> int:
        return int(self._state.process_index)

    @property
    def count(self) -> int:
        return int(self._state.num_processes)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def parts(self, wanted: int, items: int) -> int:
        """Into how many parts each process cuts its share of `items`: all must take the same steps."""
        return max(1, min(wanted, items // self.count))

    def share(self, items: Sequence[Item]) -> list[Item]:
        """This process's part; all parts are of one length, give or take one."""
        return list(items[self.rank :: self.count])

    def average_grads(self, parameters: Iterable[nn.Parameter]) -> None:
        grads = [one.grad for one in parameters if one.grad is not None]
        if self.count > 1 and grads:
            flat = torch.cat([one.reshape(-1) for one in grads])
            distributed.all_reduce(flat)
            for grad, mean in zip(
                grads, (flat / self.count).split([one.numel() for one in grads]), strict=True
            ):
                grad.copy_(mean.view_as(grad))

    def means(self, figures: dict[str, float]) -> dict[str, float]:
        """Of each figure over the processes, which name the same ones."""
        if self.count == 1:
            return figures
        values = torch.tensor(list(figures.values()), dtype=torch.float64, device=self._state.device)
        distributed.all_reduce(values)
        return dict(zip(figures, (values / self.count).tolist(), strict=True))

    def tell(self, run: Run, done: int, total: int, figures: Mapping[str, float]) -> None:
        """Raises OutOfBudget in all of them when the first one's run does."""
        over: OutOfBudget | None = None
        if self.first:
            try:
                run.advance(done, total, **figures)
            except OutOfBudget as error:
                over = error
        if anywhere(over is not None):
            raise over or OutOfBudget("the first process ran out of its budget")

    def wait(self) -> None:
        self._state.wait_for_everyone()
