"""What is about the model: who writes, the servers, the judge, the voices. Reaches nothing yet."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from adapters.base import Clock
from bot.extractive import ExtractiveGenerator
from bot.generator import Generator
from bot.judge import Judge, LLMJudge
from bot.settings import GeneratorSettings, Settings, resolve
from bot.store.ledger import Ledger
from bot.tools.build import make_tools
from bot.voices.canary import CanaryRules
from bot.voices.keeper import Keeper, VoiceServers
from bot.writer import ModelWriter, Writer

if TYPE_CHECKING:
    from bot.serving.fleet import Fleet
    from bot.serving.server import ModelServer


def make_generator(settings: Settings) -> Generator:
    """Raises GeneratorMisconfigured, SettingsError."""
    given = settings.generator
    if given.kind == "extractive":
        return ExtractiveGenerator()
    from bot.vllm import VLLMGenerator  # noqa: PLC0415  (its client takes a second to import)

    return VLLMGenerator(
        make_fleet(settings),
        max_tokens=given.max_tokens,
        temperature=given.temperature,
        tools=make_tools(settings.tools, lambda: datetime.now(UTC)),
    )


def make_servers(given: GeneratorSettings) -> "list[ModelServer]":
    """Raises GeneratorMisconfigured, SettingsError."""
    from bot.serving.server import ModelServer  # noqa: PLC0415  (its client takes a second to import)

    key = resolve(given.api_key)
    return [ModelServer(base_url=url, api_key=key, deadline_s=given.deadline_s) for url in given.servers]


def make_fleet(settings: Settings) -> "Fleet":
    """Raises GeneratorMisconfigured, SettingsError."""
    from bot.serving.fleet import Fleet  # noqa: PLC0415  (its client takes a second to import)

    given = settings.generator
    return Fleet(
        make_servers(given),
        model=given.model,
        concurrency=given.concurrency,
        deadline_s=given.deadline_s,
        voices_here=str(settings.data_dir.absolute() / "voices"),
        voices_there=given.voices_dir,
    )


def make_judge(settings: Settings, fleet: "Fleet | None" = None) -> Judge | None:
    """None where the settings ask for none; asks `fleet`, or one of its own. Raises GeneratorMisconfigured,
    SettingsError.
    """
    if not settings.knowledge.judge:
        return None
    return LLMJudge(fleet if fleet is not None else make_fleet(settings))


def make_keeper(settings: Settings, ledger: Ledger, servers: VoiceServers, clock: Clock) -> Keeper:
    return Keeper(
        ledger=ledger,
        servers=servers,
        data_dir=settings.data_dir,
        rules=CanaryRules(settings.voices.canary_sure, settings.voices.canary_least),
        clock=clock,
        lease=timedelta(seconds=settings.service.lease_s),
    )


def fleet_of(settings: Settings, generator: Generator) -> "Fleet | None":
    """The model servers that `generator` asks; None where it asks none."""
    if settings.generator.kind != "vllm":
        return None
    from bot.vllm import VLLMGenerator  # noqa: PLC0415  (its client takes a second to import)

    return generator.fleet if isinstance(generator, VLLMGenerator) else None


def make_writer(settings: Settings, fleet: "Fleet | None" = None) -> Writer | None:
    """None where no model is set up; asks `fleet`, or one of its own. Raises GeneratorMisconfigured, SettingsError."""
    if settings.generator.kind == "extractive":
        return None
    return ModelWriter(fleet if fleet is not None else make_fleet(settings))
