"""Two processes that train one policy, over loopback."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

TWO = """
import sys
from pathlib import Path
import torch
from bot.training_settings import TrainingSettings
from training.errors import OutOfBudget
from training.processes import Processes, anywhere
from training.run import Quiet

class Over(Quiet):
    def advance(self, done, total, **figures):
        raise OutOfBudget("over")

torch.set_num_threads(1)
processes = Processes(TrainingSettings(device="cpu"))
rank = processes.rank
ones = [torch.nn.Parameter(torch.zeros(size)) for size in (2, 3)]
for one in ones:
    one.grad = torch.full_like(one, float(rank))
processes.average_grads(ones)
assert all(bool((one.grad == 0.5).all()) for one in ones)
assert processes.means({"kl": float(rank), "reward": 3.0}) == {"kl": 0.5, "reward": 3.0}
assert anywhere(rank == 1) and not anywhere(False)
shares = processes.share(range(5))
assert len(torch.arange(len(shares)).tensor_split(processes.parts(3, 5))) == processes.parts(3, 5) == 2
assert processes.share([0, 1, 2, 3, 4]) == [[0, 2, 4], [1, 3]][rank]
try:
    processes.tell(Over() if rank == 0 else Quiet(), 1, 2, {})
    raise SystemExit("went on")
except OutOfBudget:
    (Path(sys.argv[1]) / str(rank)).touch()
processes.wait()
torch.distributed.destroy_process_group()
"""


def test_two_processes_average_their_gradients_and_end_together(tmp_path: Path) -> None:
    script, done = tmp_path / "two.py", tmp_path / "done"
    script.write_text(TWO, "utf-8")
    done.mkdir()
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

    ended = subprocess.run([*launch, str(script), str(done)], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert {one.name for one in done.iterdir()} == {"0", "1"}
