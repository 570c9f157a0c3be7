"""One night: learn from the day's verdicts, prove it, promote it or refuse it.

    snapshot     freeze the verdicts, so that what is learned from does not change under the night
    sft          imitate the replies that people stood behind
    reward       learn which of two replies people prefer; where that cannot be told, end here
    judge        the same from other verdicts, to measure by what was not optimised
    ppo          write what the reward model prefers, near to what was imitated
    evaluation   the candidate beside the live voice; the gate says what is not better, or worse on a guard
    promotion    a new voice, tried on the servers, first for a part of the comments

One night at a time. It may be stopped at any moment, and the next start goes on after its last finished step.
"""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from rich.console import Console

from bot.building.persona import persona_of
from bot.generator import GeneratorError
from bot.models import Night, NightStatus
from bot.persona import Persona
from bot.plain import plain
from bot.settings import Settings, resolve
from bot.store import channels, nights
from bot.store.ledger import Ledger, LedgerUnavailable
from bot.store.nights import NewNight, NightError, NightLost
from bot.store.voices import ChangeRefused
from bot.voices.files import BadVoice
from training.errors import BadBase, NoRoom, OutOfBudget, TooLittle, TrainingError
from training.folders import FULL
from training.graduate import graduate
from training.lease import LEASE, Lease, is_gone, is_there, own_name, utc_now
from training.marks import changed, code_version, marks
from training.parents import beginning, tokenizer_of, weights_of
from training.progress import Budget, Screen, Watch, trackers
from training.promote import Promoted, promote
from training.server_sleep import HOME, asleep, wake_for
from training.steps import STEPS, Refused, Step, Work
from training.tidy import tidy

log = structlog.get_logger()

Promote = Callable[[Work, Night, str, datetime], Promoted]


def fit(source: str, tokenizer: str | None) -> None:
    """See `training.fitness.require_fit`. Raises BadBase."""
    from training.fitness import require_fit  # noqa: PLC0415  (takes seconds)

    require_fit(source, tokenizer)


@dataclass(frozen=True, slots=True)
class House:
    """What one start of the nightly training has at hand."""

    settings: Settings
    ledger: Ledger
    steps: Sequence[Step] = STEPS
    promote: Promote = promote
    fit: Callable[[str, str | None], None] = fit
    """Of a base model and what is known of its tokenizer."""
    dry: bool = False
    clock: Callable[[], datetime] = utc_now
    owner: str = field(default_factory=own_name)

    @property
    def home(self) -> Path:
        return self.settings.data_dir / HOME


def run(house: House, channel: str | None = None) -> list[Night]:
    """The night of `channel`, or of all that `training.channels` names, one after the other; first goes on with the
    one that waits. Raises NightError while another process is at it, LedgerError, OSError.
    """
    house.home.mkdir(parents=True, exist_ok=True)
    wanted: list[str | None] = (
        [channel] if channel is not None else [*house.settings.training.channels] or [None]
    )
    # All of them before any of them: a name that is wrong is no news for after hours of training.
    ids = [house.ledger.read(channels.named, name).id if name is not None else None for name in wanted]
    done = []
    waiting = _waiting(house)
    wake_for(house.settings)  # not before: the night of another process would lose its GPU
    if waiting is not None:
        done.append(_spend(house, waiting))
    for channel_id in ids:
        if done and done[-1].status == NightStatus.RUNNING:
            break  # it was stopped, and waits for the next start
        if waiting is None or waiting.channel_id != channel_id:
            done.append(_spend(house, _begin(house, channel_id)))
    return done


def _waiting(house: House) -> Night | None:
    """The night to go on with; one whose settings, base model or code are no longer the same is ended instead."""
    night = house.ledger.read(nights.current)
    if night is None:
        return None
    if house.dry and not night.figures.get("dry"):
        raise NightError(
            f"night {night.id} waits to go on (step {night.step}); let it end first: rejoinder train nightly"
        )
    night = house.ledger.write(
        nights.take_over, night.id or 0,
        owner=house.owner, now=house.clock(), lease=LEASE, is_gone=is_gone, is_there=is_there,
    )  # fmt: skip
    other = changed(night.figures.get("marks", {}), marks(house.settings.training, dry=house.dry))
    if not other:
        log.info("going on with a night that was stopped", night=night.id, step=night.step)
        return night
    why = f"{' and '.join(other)} changed in the middle of the night; a new one has begun"
    _end(house, night, NightStatus.FAILED, error=why)
    log.warning("night given up", night=night.id, why=why)
    return None


def _begin(house: House, channel_id: int | None) -> Night:
    training = house.settings.training
    if not training.base:
        raise BadBase("training.base is not set; give the folder of the model that generator.model serves")
    if training.canary and not house.dry:
        house.ledger.write(graduate, channel_id, least=house.settings.voices.canary_least, now=house.clock())
    start = beginning(house.settings, house.ledger, channel_id)
    new = NewNight(
        channel_id=channel_id,
        base_model=training.base,
        parent=start.name if start is not None else None,
        code_version=code_version(),
        settings=training.model_dump(mode="json"),
        figures={"marks": marks(training, dry=house.dry), "dry": house.dry},
    )
    return house.ledger.write(nights.begin, new, owner=house.owner, now=house.clock(), lease=LEASE, home=HOME)


def _spend(house: House, night: Night) -> Night:
    """The night as it is when it ended, or was stopped."""
    try:
        _learn_and_promote(house, night)
    except TooLittle as error:
        _end(house, night, NightStatus.SKIPPED, error=str(error))
        shutil.rmtree(house.settings.data_dir / night.folder, ignore_errors=True)
    except OutOfBudget as error:
        _stop(house, night, str(error))
    except NoRoom as error:
        _stop(house, night, str(error))
        raise
    except KeyboardInterrupt:
        _stop(house, night, "it was asked to stop; the next start goes on with it")
        raise
    except (TrainingError, BadVoice, ChangeRefused, GeneratorError) as error:
        _end(house, night, NightStatus.FAILED, error=str(error))
    except OSError as error:
        if error.errno in FULL:
            full = NoRoom(f"the disk of {house.home} is full ({error}); make room, then start again")
            _stop(house, night, str(full))
            raise full from error
        _end(house, night, NightStatus.FAILED, error=str(error))
    except (NightError, LedgerUnavailable):
        raise  # it is another's now; or nothing can be noted, and it waits
    except Exception as error:
        # A defect, of ours or of a library: the page says so, the log has it whole.
        _end(
            house,
            night,
            NightStatus.FAILED,
            error=f"{type(error).__name__}: {str(error)[:300]}",
        )
        raise
    else:
        _clear(house, night)  # the night is over, whatever comes of this
    ended = house.ledger.read(nights.get, night.id or 0).night
    log.info("night over", night=ended.id, status=ended.status, why=ended.error)
    return ended


def _learn_and_promote(house: House, night: Night) -> None:
    with ExitStack() as stack:
        lease = stack.enter_context(Lease(house.ledger, night.id or 0, house.owner, clock=house.clock))
        work = work_of(house, night)
        work.folder.mkdir(parents=True, exist_ok=True)
        watch = stack.enter_context(_watching(house, work, night, lease))
        refused = _learn(house, work, night, watch)
        if refused:
            _end(house, night, NightStatus.REFUSED, refusals=refused)
        elif house.dry:
            _end(house, night, NightStatus.PASSED, error="a dry run: nothing was promoted")
        else:
            _note(house, night, "promotion")
            night = house.ledger.read(nights.get, night.id or 0).night  # with the figures of all steps
            done = house.promote(work, night, house.owner, house.clock())
            log.info("promotion", voice=done.voice, told=done.told)


def _clear(house: House, night: Night) -> None:
    shutil.rmtree(house.settings.data_dir / night.folder / "work", ignore_errors=True)
    try:
        tidy(house.ledger, house.settings)
    except (OSError, LedgerUnavailable) as error:
        log.warning("old nights keep their files; the next night tries again", why=str(error))


def _learn(house: House, work: Work, night: Night, watch: Watch) -> list[Refused]:
    """Does what is not done yet; returns why the night ends without a new voice."""
    with ExitStack() as sleeping:
        awake, looked_at = frees_device(house.settings), False
        for step in house.steps:
            out = work.folder / step.name
            _note(house, night, step.name)
            if not out.exists():
                if step.heavy and not looked_at:
                    # Only now: a night with too little to learn from needs no model, and is skipped without one.
                    house.fit(work.source, tokenizer_of(house.ledger, night.parent))
                    looked_at = True
                if step.heavy and awake:
                    sleeping.enter_context(_servers_asleep(house))
                    awake = False
                step.do(work, watch.of(step.name), out)
            watch.check()
            figures = finite(step.figures(out))
            _note(
                house, night, step.name, figures={step.name: figures}, data_hash=figures.get("content_sha256")
            )
            if refused := step.refuses(work, out):
                return refused
    return []


def frees_device(settings: Settings) -> bool:
    """Whether the servers sleep meanwhile. They cannot where they write the replies that PPO learns from."""
    given = settings.training
    return given.sleep_server and given.ppo.rollouts == "local" and settings.generator.kind == "vllm"


def finite(value: Any) -> Any:
    """Without numbers that are none, which PostgreSQL's JSON does not hold."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _servers_asleep(house: House) -> AbstractContextManager[None]:
    given = house.settings.generator
    return asleep(given.servers, house.home, key=resolve(given.api_key))


def work_of(house: House, night: Night) -> Work:
    training = house.settings.training
    channel = house.ledger.read(nights.get, night.id or 0).channel
    before = house.ledger.read(nights.latest, night.channel_id, trained=True)
    return Work(
        settings=house.settings,
        ledger=house.ledger,
        folder=house.settings.data_dir / night.folder,
        source=training.base,
        channel=channel,
        began_at=night.began_at,
        start=weights_of(house.settings, house.ledger, night.parent),
        since=before.began_at if before is not None else None,
        personas=personas_of(house.settings, house.ledger, channel),
    )


def personas_of(settings: Settings, ledger: Ledger, channel: str | None) -> tuple[Persona, ...]:
    """What the channel, or all of them, answer as, the commonest first."""
    choose = persona_of(settings)
    found = [choose(one) for one in ledger.read(channels.every) if channel in (None, one.name)]
    return tuple(sorted({id(one): one for one in found}.values(), key=found.count, reverse=True)) or (
        Persona(),
    )


@contextmanager
def _watching(house: House, work: Work, night: Night, lease: Lease) -> Iterator[Watch]:
    training = work.training
    title = f"night-{night.id}-{night.began_at:%Y-%m-%d}"
    with (
        trackers(training.trackers, work.folder / "logs", title) as keepers,
        Screen(Console(stderr=True)) as screen,
    ):
        budget = Budget(training.hours, training.memory_gb)
        yield Watch(seed=training.seed, budget=budget, screen=screen, trackers=keepers, check=lease.check)


def _note(
    house: House,
    night: Night,
    step: str,
    *,
    figures: dict[str, Any] | None = None,
    data_hash: str | None = None,
) -> None:
    house.ledger.write(
        nights.note_step, night.id or 0, step, owner=house.owner, figures=figures, data_hash=data_hash
    )


def _stop(house: House, night: Night, why: str) -> None:
    with suppress(NightLost):  # it has ended this instant
        house.ledger.write(nights.give_back, night.id or 0, owner=house.owner, why=plain(why, one_line=True))


def _end(
    house: House, night: Night, status: NightStatus, *, error: str = "", refusals: Sequence[Refused] = ()
) -> None:
    house.ledger.write(
        nights.end,
        night.id or 0,
        status,
        owner=house.owner,
        now=house.clock(),
        error=plain(error, one_line=True),  # it may quote anything, and PostgreSQL holds no NUL
        refusals=refusals,
    )
