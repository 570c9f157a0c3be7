"""`python -m training`, which `rejoinder train` starts as a process of its own.

What a command needs is imported when it is called: the ledger alone takes a second, torch and its friends ten.
"""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.exceptions import TyperException

from bot.plain import plain
from training.words import say

if TYPE_CHECKING:
    from bot.settings import Settings
    from bot.store.ledger import Ledger

NEEDED = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "safetensors")
FAILED, MISUSE = 1, 2

app = typer.Typer(
    help="The night: learn from the verdicts, prove it, promote it or refuse it.",
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Ended(TyperException):
    """Ends the command with one line on stderr."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code


@dataclass(frozen=True, slots=True)
class Call:
    """What the options before the command say."""

    file: Path | None
    data_dir: Path | None
    language: str | None

    def settings(self, level: str | None = "warning") -> "Settings":
        """The settings; logs go to stderr, at the settings' own level when `level` is None. Raises SettingsError."""
        from bot import logs  # noqa: PLC0415
        from bot.settings import load  # noqa: PLC0415

        given = {"data_dir": self.data_dir, "language": self.language}
        changes = {name: value for name, value in given.items() if value is not None}
        settings = load(self.file).model_copy(update=changes)
        logs.configure(settings.log, level=level)
        return settings


@app.callback()
def root(
    context: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", "-c", help="Settings file; default: rejoinder.toml, if there is one."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where the state is kept; default: data.")] = None,
    lang: Annotated[
        Literal["en", "zh"] | None, typer.Option(metavar="en|zh", help="Language of messages.")
    ] = None,
) -> None:
    """The night: learn from the verdicts, prove it, promote it or refuse it."""
    context.obj = Call(settings, data_dir, lang)


AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
MOST_ID = 2**63 - 1
"""Of a row, in any database."""
OfNight = Annotated[
    int | None, typer.Argument(metavar="[NIGHT]", min=1, max=MOST_ID, help="Number of a night.")
]
Data = Annotated[
    Path | None, typer.Option(help="In place of a night: what 'export feedback --format trl' wrote.")
]
CRON_TIME = "%Y-%m-%dT%H:%M:%S%z"
Out = Annotated[Path | None, typer.Option(help="With --data: the folder to make.")]
Start = Annotated[
    Path | None, typer.Option(help="With --data: weights to begin with; default: the base model's own.")
]


@app.command()
def nightly(
    context: typer.Context,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Everything but the promotion.")] = False,
    channel: Annotated[str | None, typer.Option(help="The voice of one channel only.")] = None,
    by_cron: Annotated[
        datetime | None,
        typer.Option(
            formats=[CRON_TIME], help="Do nothing if a night runs, or began since then.", hidden=True
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Snapshot, fine-tuning, reward model, PPO, evaluation, promotion; or go on with what was stopped."""
    settings = context.obj.settings(None if by_cron else "warning")
    require_packages()
    from training.opening import open_ledger  # noqa: PLC0415
    from training.telling import print_json, tell, told_of  # noqa: PLC0415

    with open_ledger(settings) as ledger:
        done = _nights(settings, ledger, dry_run, channel, by_cron)
    if as_json:
        print_json([told_of(one, settings) for one in done])
    else:
        for one in done:
            tell(one, settings)
    if any(one.night.status == "failed" for one in done):
        raise typer.Exit(FAILED)


def _nights(
    settings: "Settings", ledger: "Ledger", dry: bool, channel: str | None, by_cron: datetime | None
) -> Any:
    from bot.store import nights  # noqa: PLC0415
    from training.nightly import House, run  # noqa: PLC0415

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise Ended(
            "a night is one process; do its steps by several: accelerate launch -m training ppo NIGHT", MISUSE
        )
    if by_cron and ledger.read(nights.begun_since, by_cron):
        return []
    try:
        done = run(House(settings, ledger, dry=dry), channel)
    except nights.NightRuns:
        if by_cron:
            return []
        raise
    return [ledger.read(nights.get, night.id or 0) for night in done]


@app.command()
def sft(
    context: typer.Context,
    night: OfNight = None,
    *,
    data: Data = None,
    out: Out = None,
    start: Start = None,
) -> None:
    """Fine-tuning by itself."""
    _alone(context, "sft", night, data, out, start=start)


@app.command()
def reward(context: typer.Context, night: OfNight = None, *, data: Data = None, out: Out = None) -> None:
    """The reward model by itself; of a night, the judge, too."""
    _alone(context, "reward", night, data, out)


@app.command()
def ppo(
    context: typer.Context,
    night: OfNight = None,
    *,
    data: Data = None,
    out: Out = None,
    start: Annotated[Path | None, typer.Option(help="With --data: what 'train sft' made.")] = None,
    reward_model: Annotated[
        Path | None, typer.Option("--reward", help="With --data: what 'train reward' made.")
    ] = None,
) -> None:
    """PPO (or RLOO, see training.ppo.method) by itself."""
    _alone(context, "ppo", night, data, out, start=start, reward=reward_model)


@app.command()
def evaluate(context: typer.Context, night: OfNight = None) -> None:
    """The evaluation of a night by itself, with its report."""
    if night is None:
        raise Ended("name a night by its number; 'rejoinder train list' names them", MISUSE)
    _alone(context, "evaluation", night, None, None)


def _alone(
    context: typer.Context,
    step: str,
    night: int | None,
    data: Path | None,
    out: Path | None,
    **given: Path | None,
) -> None:
    settings = context.obj.settings()
    if (night is None) == (data is None) or (data is None) != (out is None):
        raise Ended("name a night by its number, or give --data DIR with --out DIR", MISUSE)
    _require_fitting(step, night, given)
    require_packages()
    from training import alone  # noqa: PLC0415
    from training.opening import open_ledger  # noqa: PLC0415

    if data is not None and out is not None:
        done = [alone.on_data(settings, step, data, out, **given)]
    else:
        with open_ledger(settings) as ledger:
            done = alone.on_night(settings, ledger, step, night or 0)
    for folder in done:
        typer.echo(say("done", settings.language, what=folder.name, folder=folder))


def _require_fitting(step: str, night: int | None, given: Mapping[str, Path | None]) -> None:
    """Weights are named with --data only, and PPO needs both; a night has its own. Raises Ended."""
    named = [f"--{name}" for name, folder in given.items() if folder is not None]
    if night is not None and named:
        raise Ended(
            f"{' and '.join(named)}: only with --data, as night {night} has weights of its own", MISUSE
        )
    if night is None and step == "ppo" and len(named) < len(given):
        raise Ended(
            "PPO begins with what 'train sft' and 'train reward' made: give --start DIR and --reward DIR",
            MISUSE,
        )


@app.command()
def demo(
    context: typer.Context,
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the demo; default: DATA_DIR/train-demo.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another number: another model, creator and days.")] = 0,
    nights: Annotated[int, typer.Option(min=1, max=4, help="How many of the four nights.")] = 4,
    as_json: AsJson = False,
) -> None:
    """See it learn without a GPU: a tiny model, a creator with tastes, two good nights and two that must be refused."""
    settings = context.obj.settings("error")
    require_packages()
    from rich.console import Console  # noqa: PLC0415

    from training.demo.report import show  # noqa: PLC0415
    from training.demo.run import run_demo  # noqa: PLC0415
    from training.telling import print_json  # noqa: PLC0415

    report = run_demo(out if out is not None else settings.data_dir / "train-demo", seed=seed, nights=nights)
    if as_json:
        print_json(report.as_json())
    else:
        show(report, Console())


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """The night that runs or waits, or the last one."""
    settings = context.obj.settings()
    from bot.store import nights  # noqa: PLC0415
    from training.opening import open_ledger  # noqa: PLC0415
    from training.telling import print_json, tell, told_of  # noqa: PLC0415

    with open_ledger(settings) as ledger:
        current = ledger.read(nights.current)
        found = ledger.read(nights.get, current.id or 0) if current is not None else ledger.read(nights.last)
    if as_json:
        print_json(told_of(found, settings) if found is not None else None)
    elif found is None:
        typer.echo(say("none", settings.language))
    else:
        tell(found, settings)


@app.command("list")
def list_nights(
    context: typer.Context,
    number: Annotated[int, typer.Option("-n", min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The last nights, newest first."""
    settings = context.obj.settings()
    from bot.store import nights  # noqa: PLC0415
    from training.opening import open_ledger  # noqa: PLC0415
    from training.telling import print_json, table_of, told_of  # noqa: PLC0415

    with open_ledger(settings) as ledger:
        found = ledger.read(nights.page, limit=number)
    if as_json:
        print_json([told_of(one, settings) for one in found])
    elif found:
        table_of(found, settings.language)
    else:
        typer.echo(say("none", settings.language))


@app.command(hidden=True)
def wake(context: typer.Context) -> None:
    """Wake the model servers that a night put to sleep and, being killed, could not wake."""
    settings = context.obj.settings()
    from training.lease import someone_is_at_it  # noqa: PLC0415
    from training.opening import open_ledger  # noqa: PLC0415
    from training.server_sleep import wake_for  # noqa: PLC0415

    with open_ledger(settings) as ledger:
        sleep_on = someone_is_at_it(ledger)
    if not sleep_on and (woken := wake_for(settings)):
        typer.echo(say("woken", settings.language, servers=", ".join(woken)))


def require_packages() -> None:
    """Raises Ended."""
    for name in NEEDED:
        if importlib.util.find_spec(name) is None:
            raise Ended(
                f"training needs packages that are not installed ({name}): pip install 'rejoinder[train]'",
                MISUSE,
            )


def main(arguments: list[str] | None = None) -> int:
    """Exit code: 0; 1 where a night failed or cannot be had; 2 for bad usage or settings; 130 for Ctrl-C, 143 for a
    term signal, after either of which the next start goes on.
    """
    got: list[int] = []
    signal.signal(signal.SIGTERM, _interrupts(got))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts background jobs with it ignored
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name="rejoinder train", standalone_mode=False)
    except TyperException as error:
        return _fail(error.format_message(), int(getattr(error, "exit_code", FAILED)))
    except (KeyboardInterrupt, typer.Abort):
        code = 128 + signal.SIGINT
    except Exception as error:
        from training.telling import is_known, is_misuse  # noqa: PLC0415

        if not is_known(error):
            raise
        return _fail(str(error), MISUSE if is_misuse(error) else FAILED)
    if got:
        return 128 + signal.SIGTERM
    return code if isinstance(code, int) else 0


def _interrupts(got: list[int]) -> Callable[[int, Any], None]:
    def stop(number: int, frame: Any) -> None:
        got.append(number)
        raise KeyboardInterrupt

    return stop


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {' '.join(plain(message).split())}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
