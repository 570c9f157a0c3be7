"""A night whose steps take no time: each writes a small folder, the same for the same night."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bot.settings import Settings
from bot.store.ledger import Ledger
from tests.fake_weights import write_weights
from training.folders import made
from training.nightly import House
from training.promote import promote
from training.run import Run
from training.steps import Refused, Step, Work, manifest, metrics

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
NAMES = ("snapshot", "sft", "reward", "judge", "ppo", "evaluation")

At = Callable[[str], None]


def house(settings: Settings, ledger: Ledger, **changes: Any) -> House:
    given: dict[str, Any] = {
        "steps": stand_ins(),
        "promote": partial(promote, tokenizer_of=lambda source: "tokens"),
        "fit": lambda source, tokenizer: None,
        "clock": lambda: NOW,
    }
    return House(settings, ledger, **{**given, **changes})


def stand_ins(at: At = lambda point: None, *, refused: Sequence[Refused] = ()) -> list[Step]:
    """`at` is called at every point where a night may be killed."""
    return [_step(name, at, refused if name == "evaluation" else ()) for name in NAMES]


def _step(name: str, at: At, refused: Sequence[Refused]) -> Step:
    def do(work: Work, run: Run, out: Path) -> None:
        at(f"{name} begins")
        with made(out) as folder:
            _write(name, folder, work)
            at(f"{name} half")
        at(f"{name} there")
        run.advance(1, 1, loss=0.5)

    return Step(
        name,
        do,
        manifest if name == "snapshot" else metrics,
        lambda work, out: [dict(one) for one in refused],
        heavy=name != "snapshot",
    )


def _write(name: str, folder: Path, work: Work) -> None:
    if name == "snapshot":
        told = {"content_sha256": "d" * 64, "now": work.began_at.isoformat()}
        (folder / "manifest.json").write_text(json.dumps(told))
        return
    if name == "ppo":
        write_weights(folder, base=work.source)
    (folder / "metrics.json").write_text(json.dumps({"step": name, "accuracy": 0.9}))
