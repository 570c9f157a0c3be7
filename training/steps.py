"""The steps of a night by name: what each is called with, what it leaves, and what it tells of itself.

A step is done when its folder is there. The heavy modules are imported by the step that needs them.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.building.persona import persona_of
from bot.persona import Persona
from bot.settings import Settings
from bot.store.ledger import Ledger
from bot.training_settings import TrainingSettings
from training.errors import BadData
from training.rows import Pair, Prompt, Supervised, read_pairs, read_supervised
from training.run import Run

if TYPE_CHECKING:
    from training.reading import Manners

Refused = dict[str, Any]
"""Why a night ends here: `guard`, `detail`."""


@dataclass(frozen=True, slots=True)
class Work:
    """What every step of one night works on."""

    settings: Settings
    ledger: Ledger
    folder: Path
    source: str
    """The base model."""
    channel: str | None
    """Whose voice it is; None: that of all channels."""
    began_at: datetime
    start: Path | None = None
    """The weights that it begins with; None: the base model's own."""
    since: datetime | None = None
    """When the last night that trained began: later verdicts are new."""
    personas: tuple[Persona, ...] = (Persona(),)
    """All that its channels answer as, the commonest first."""

    @property
    def training(self) -> TrainingSettings:
        return self.settings.training

    @property
    def snapshot(self) -> Path:
        return self.folder / "snapshot"

    def checkpoints(self, step: str) -> Path:
        """What a step that was stopped goes on with."""
        folder = self.folder / "work" / step
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _nothing(work: Work, out: Path) -> list[Refused]:
    return []


@dataclass(frozen=True, slots=True)
class Step:
    name: str
    """Of its folder, too."""
    do: Callable[[Work, Run, Path], None]
    """Writes the folder through `training.folders.made`. Raises TrainingError, OSError."""
    figures: Callable[[Path], dict[str, Any]]
    refuses: Callable[[Work, Path], list[Refused]] = _nothing
    """Of the folder: why the night ends here; empty: it goes on."""
    heavy: bool = True
    """Needs the device."""


def snapshot(work: Work, run: Run, out: Path) -> None:
    from training.snapshot import freeze  # noqa: PLC0415

    freeze(
        work.ledger,
        out,
        persona_of(work.settings),
        settings=work.training.data,
        channel=work.channel,
        now=work.began_at,
        run=run,
        since=work.since,
    )


def sft(work: Work, run: Run, out: Path) -> None:
    from training.sft import fine_tune  # noqa: PLC0415

    rows, held = work.snapshot / "sft.jsonl", work.snapshot / "sft-held.jsonl"
    fine_tune(
        work.source, rows, held, out,
        start=work.start, settings=work.training, run=run, work=work.checkpoints("sft"),
    )  # fmt: skip


def reward(work: Work, run: Run, out: Path) -> None:
    _reward(work, run, out, "pairs.jsonl")


def judge(work: Work, run: Run, out: Path) -> None:
    """A second model of the same preferences, of other pairs: the first is what PPO learns to please."""
    _reward(work, run, out, "pairs-judge.jsonl")


def _reward(work: Work, run: Run, out: Path, pairs: str) -> None:
    from training.reward import train_reward  # noqa: PLC0415

    held = work.snapshot / "pairs-held.jsonl"
    train_reward(
        work.source, work.snapshot / pairs, held, out,
        settings=work.training, run=run, work=work.checkpoints(out.name),
    )  # fmt: skip


def ppo(work: Work, run: Run, out: Path) -> None:
    prompts, weights = prompts_of(work.snapshot)
    improver(work.training)(
        work.source, work.folder / "sft", work.folder / "reward", prompts, out,
        settings=work.training, run=run, work=work.checkpoints("ppo"), weights=weights,
        sampler=sampler_of(work.settings), manners=manners(work),
    )  # fmt: skip


def improver(training: TrainingSettings) -> Callable[..., dict[str, Any]]:
    """PPO's `improve` or RLOO's, which take the same."""
    if training.ppo.method == "rloo":
        from training.rloo import improve  # noqa: PLC0415
    else:
        from training.ppo import improve  # noqa: PLC0415
    return improve


def sampler_of(settings: Settings) -> Any:
    """Who writes the replies that are learned from; None: the model in this process."""
    if settings.training.ppo.rollouts == "local":
        return None
    from training.server_rollout import rollouts_by  # noqa: PLC0415

    return rollouts_by(settings)


def evaluation(work: Work, run: Run, out: Path) -> None:
    from training.evaluate import compare  # noqa: PLC0415

    compare(
        work.source, candidate=work.folder / "ppo", live=work.start, start=work.start,
        judge=work.folder / "judge", snapshot=work.snapshot, out=out, curves=work.folder / "ppo" / "curves.jsonl",
        settings=work.training, run=run, temperature=work.settings.generator.temperature,
        manners=manners(work), persona=work.personas[0],
    )  # fmt: skip


def manners(work: Work) -> "Manners":
    """What the owner's settings say of how replies are put."""
    from training.reading import manners_of  # noqa: PLC0415

    return manners_of(work.personas, work.settings.policy.banned_words)


def prompts_of(folder: Path) -> tuple[list[Prompt], list[float]]:
    """Every prompt that is trained on, each once, and the most that a row of it counts.

    `folder`: a snapshot, or an export of the feedback. Raises BadData, OSError.
    """
    prompts: dict[str, Prompt] = {}
    weights: dict[str, float] = {}
    rows: list[Supervised | Pair] = [*read_supervised(folder / "sft.jsonl")]
    pairs = folder / "pairs.jsonl"
    rows += read_pairs(pairs if pairs.exists() else folder / "preferences.jsonl")
    for row in rows:
        key = json.dumps(row.prompt.messages, sort_keys=True)
        prompts.setdefault(key, row.prompt)
        weights[key] = max(row.weight, weights.get(key, 0.0))
    return list(prompts.values()), [weights[key] for key in prompts]


def too_inaccurate(work: Work, out: Path) -> list[Refused]:
    """A reward model that cannot tell better from worse leads nowhere."""
    found, least = read_figures(out / "metrics.json").get("accuracy"), work.training.reward.min_accuracy
    if isinstance(found, int | float) and found >= least:
        return []
    said = f"{found:.3f}" if isinstance(found, int | float) else "not known"
    return [
        {
            "guard": "reward_accuracy",
            "detail": f"the reward model's accuracy on held-out pairs is {said}, training.reward.min_accuracy is "
            f"{least:g}; more verdicts that compare replies make it better",
        }
    ]


def gate(work: Work, out: Path) -> list[Refused]:
    from training.figures import Report  # noqa: PLC0415
    from training.gate import decide  # noqa: PLC0415

    try:
        report = Report.model_validate_json((out / "report.json").read_bytes())
    except ValueError as error:
        raise BadData(
            f"{out}/report.json lacks figures or is damaged; remove its folder, and the step is done again"
        ) from error
    return [{"guard": one.guard, "detail": one.detail} for one in decide(report, work.training.gate)]


def metrics(out: Path) -> dict[str, Any]:
    return read_figures(out / "metrics.json")


def manifest(out: Path) -> dict[str, Any]:
    return read_figures(out / "manifest.json")


def read_figures(file: Path) -> dict[str, Any]:
    """A JSON object. Raises BadData, OSError."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadData(f"{file} is no JSON; remove its folder, and the step is done again") from error
    return dict(found)


def _report(out: Path) -> dict[str, Any]:
    """Without the samples: those are for the report's page."""
    return {name: told for name, told in read_figures(out / "report.json").items() if name not in _LONG}


_LONG = ("samples", "curves", "probe_rows")

STEPS: Sequence[Step] = (
    Step("snapshot", snapshot, manifest, heavy=False),
    Step("sft", sft, metrics),
    Step("reward", reward, metrics, too_inaccurate),
    Step("judge", judge, metrics),
    Step("ppo", ppo, metrics),
    Step("evaluation", evaluation, _report, gate),
)
