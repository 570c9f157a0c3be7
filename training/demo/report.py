"""What the demo found, as a record, as JSON and as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from training.demo.nights import Look, NightTold
from training.demo.settings import Plan
from training.demo.shop import Ask

SHOWN = 4
"""Comments of which the samples are shown, half of them Chinese."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """All nights of one demo."""

    seed: int
    plan: Plan
    folder: Path
    nights: tuple[NightTold, ...]
    measured: Sequence[Ask]
    seconds: float
    """The base included, where it had to be trained."""

    @property
    def good(self) -> list[NightTold]:
        """Nights whose settings were sound."""
        return [night for night in self.nights if night.number not in self.plan.broken]

    @property
    def taste_before(self) -> float:
        """Of the base model, on comments that nothing was trained on."""
        return self.nights[0].before.taste

    @property
    def taste_after(self) -> float:
        """Of the voice that answers after the sound nights; that of the base where none was promoted."""
        return self.last.taste

    @property
    def last(self) -> Look:
        promoted = [night for night in self.good if night.voice and night.after_ppo is not None]
        found = promoted[-1].after_ppo if promoted else None
        return found if found is not None else self.nights[0].before

    @property
    def kl(self) -> float:
        """The largest of the sound nights, per reply, from the voice that the night began with."""
        return max((kl_of(night) for night in self.good), default=float("nan"))

    @property
    def bad_refused(self) -> int:
        """Nights with a broken setting that ended without a voice because the gate said no."""
        return sum(night.number in self.plan.broken and night.status == "refused" for night in self.nights)

    def as_json(self) -> dict[str, Any]:
        """Names as `make bench-training` wants them, and every night."""
        return {
            "seed": self.seed,
            "folder": str(self.folder),
            "seconds": round(self.seconds, 1),
            "demo_taste_before": round(self.taste_before, 4),
            "demo_taste_after": round(self.taste_after, 4),
            "demo_kl": round(self.kl, 3),
            "ended": round(self.last.ended, 4),
            "distinct_ratio": round(self.last.distinct / max(self.nights[0].before.distinct, 1), 4),
            "bad_nights_refused": self.bad_refused,
            "rm_accuracy": round(self.nights[0].liking, 4),
            "rm_accuracy_verdicts": accuracy_of(self.nights[0]),
            "nights": [_night(night, self.plan.broken.get(night.number, {})) for night in self.nights],
        }


def kl_of(night: NightTold) -> float:
    return float(_figure(night, "evaluation", "kl"))


def accuracy_of(night: NightTold) -> float:
    """Of the preference model by the held-out verdicts, slips and choices between equals included."""
    return float(_figure(night, "reward", "accuracy"))


def _figure(night: NightTold, step: str, name: str) -> Any:
    found = night.figures.get(step, {}).get(name)
    return float("nan") if found is None else found


def _night(night: NightTold, broken: dict[str, Any]) -> dict[str, Any]:
    looks = {"before": night.before, "after_sft": night.after_sft, "after_ppo": night.after_ppo}
    return {
        "night": night.number,
        "broken": broken,
        "status": night.status,
        "voice": night.voice,
        "refusals": list(night.refusals),
        "error": night.error,
        "verdicts": night.verdicts,
        "kl": kl_of(night),
        "rm_accuracy": round(night.liking, 4),
        "rm_accuracy_verdicts": accuracy_of(night),
        "taste": {name: round(look.taste, 4) for name, look in looks.items() if look is not None},
        "ended": {name: round(look.ended, 4) for name, look in looks.items() if look is not None},
        "distinct": {name: look.distinct for name, look in looks.items() if look is not None},
        "judge": _figure(night, "evaluation", "judge"),
        "seconds": round(night.seconds, 1),
        "folder": str(night.folder),
    }


def show(report: DemoReport, console: Console) -> None:
    console.print(tables(report))


def tables(report: DemoReport) -> RenderableType:
    return Group(_figures(report), _gates(report), _samples(report))


def _figures(report: DemoReport) -> Table:
    table = Table(title="What the nights were worth · 每一夜的成果")
    for name in (
        "night",
        "setting",
        "hidden taste: before",
        "SFT",
        "PPO",
        "KL",
        "ends",
        "distinct",
        "reward",
        "s",
    ):
        table.add_column(name, justify="left" if name in ("night", "setting") else "right")
    for night in report.nights:
        after = night.after_ppo
        table.add_row(
            f"{night.number}: {night.status}",
            ", ".join(
                f"{name} = {value:g}" for name, value in report.plan.broken.get(night.number, {}).items()
            )
            or "sound",
            f"{night.before.taste:.2f}",
            _short(night.after_sft.taste if night.after_sft is not None else None),
            _short(after.taste if after is not None else None),
            f"{kl_of(night):.1f}",
            _short(after.ended if after is not None else None),
            f"{after.distinct} of {len(after.texts)}" if after is not None else "-",
            _reward(night),
            f"{night.seconds:.0f}",
        )
    return table


def _short(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:.2f}"


def _reward(night: NightTold) -> str:
    """By the judge: of the voice that answered, and of the candidate."""
    judge = _figure(night, "evaluation", "judge")
    return f"{judge['live']:.1f} → {judge['candidate']:.1f}" if isinstance(judge, dict) else "-"


def _gates(report: DemoReport) -> Table:
    table = Table(title="What the gate said · 评审结果")
    for name in ("night", "guard", "why"):
        table.add_column(name)
    for night in report.nights:
        for refusal in night.refusals:
            table.add_row(str(night.number), Text(refusal["guard"]), Text(refusal["detail"]))
        if not night.refusals:
            table.add_row(str(night.number), "-", Text(night.error or f"{night.voice} answers now"))
    return table


def _samples(report: DemoReport) -> Table:
    table = Table(title="Before and after · 前后对比")
    for name in ("comment", "before", "after"):
        table.add_column(name, overflow="fold")
    before, after = report.nights[0].before, report.last
    for ask, old, new in list(zip(report.measured, before.texts, after.texts, strict=True))[:SHOWN]:
        table.add_row(Text(ask.comment), Text(old), Text(new))
    return table
