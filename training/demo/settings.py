"""How the demo's nights are set: rates for a model of a million parameters, which do not carry over to large ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.settings import DatabaseSettings, GeneratorSettings, PersonaSettings, Settings
from bot.training_settings import (
    DataSettings,
    GateSettings,
    LoraSettings,
    PpoSettings,
    RewardSettings,
    SftSettings,
    TrainingSettings,
)
from training.demo.base import TINY, Size
from training.demo.shop import MIRA
from training.demo.world import MAX_NEW_TOKENS

TRAINING = TrainingSettings(
    hours=1.0,
    keep=10,
    canary=False,
    device="cpu",
    trackers=[],
    data=DataSettings(min_rows=20, min_pairs=20, min_new=1),
    lora=LoraSettings(rank=16, alpha=32),
    sft=SftSettings(learning_rate=3e-4, epochs=1.0, batch=16, micro_batch=16),
    reward=RewardSettings(learning_rate=2e-3, epochs=2.0, batch=16, micro_batch=16),
    ppo=PpoSettings(
        learning_rate=7e-4,
        batches=30,
        batch=32,
        micro_batch=32,
        epochs=2,
        # A reward model of this size spreads its rewards over about ten units, with one seed more, with another less.
        kl_coef=0.15,
        kl_adaptive=True,
        kl_target=3.0,
        kl_gain=0.5,
        kl_stop=5.0,
        max_new_tokens=MAX_NEW_TOKENS,
    ),
    gate=GateSettings(prompts=100, max_kl=6.0),
)
BROKEN: dict[int, dict[str, Any]] = {
    3: {"learning_rate": 1e-2, "batches": 15, "kl_adaptive": False, "kl_stop": 1e6},
    4: {"kl_coef": 0.0, "kl_adaptive": False, "kl_stop": 1e6, "learning_rate": 3e-3},
}
"""Neither is stopped on the way: it is the gate that has to see what came of it. Nothing holds the fourth near to where
it began; its steps are long enough that one night shows where that leads.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the demo is."""

    base: Size = TINY
    comments: tuple[int, ...] = (480, 80, 40, 40)
    """Of each day. A night learns from all days so far."""
    measured: int = 128
    """Comments that no day has, by which every voice is measured."""
    training: TrainingSettings = field(default_factory=lambda: TRAINING)
    broken: Mapping[int, dict[str, Any]] = field(default_factory=lambda: BROKEN)
    """What of `training.ppo` is wrong, by number of the night."""


def settings_of(plan: Plan, folder: Path, base: Path, *, seed: int, night: int) -> Settings:
    """Of the night of this number, with all state in `folder`."""
    ppo = plan.training.ppo.model_copy(update=plan.broken.get(night, {}))
    training = plan.training.model_copy(update={"base": str(base), "seed": seed * 100 + night, "ppo": ppo})
    none = {"en": "", "zh": ""}
    persona = PersonaSettings.model_validate(
        {
            "name": MIRA.name,
            "tone": MIRA.tone,
            "rules": list(MIRA.rules),
            "max_sentences": MIRA.max_sentences,
            "greetings": none,
            "signatures": none,
            "cannot_answer": none,
        }
    )
    # Given here so that no environment variable leads the demo to a real database or server.
    return Settings(
        data_dir=folder,
        database=DatabaseSettings(),
        generator=GeneratorSettings(),
        persona=persona,
        training=training,
    )
