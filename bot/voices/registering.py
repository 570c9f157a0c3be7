"""Bringing a voice in, and putting its files away: nothing of it is left where a step of the way fails."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from adapters.base import Clock
from bot.generator import GenerationRequest, Generator, GeneratorError, VoiceRef
from bot.models import Voice, VoiceStatus
from bot.store import voices
from bot.store.ledger import Ledger
from bot.store.voices import ChangeRefused, NewVoice
from bot.voices.files import (
    BadVoice,
    Shapes,
    Weights,
    checked_name,
    read_weights,
    remove,
    served_as,
    take_in,
    unlike,
)
from bot.voices.keeper import ServedModel, VoiceServers, is_refusal, known_at

TRIAL = GenerationRequest(comment="Hello! 你好！", language="en", max_chars=200)
"""What a new voice is asked, to see that it can answer."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A new candidate, and what is to be told about it."""

    voice: Voice
    same_as: tuple[str, ...]
    """Names of voices with the same weights."""
    not_at: tuple[str, ...]
    """Why it is not loaded on some of the servers, each with its address; they load it when they are asked."""


async def register(
    source: Path,
    new: NewVoice,
    *,
    ledger: Ledger,
    servers: VoiceServers,
    generator: Generator,
    data_dir: Path,
    any_base: bool,
    by: str,
    clock: Clock,
) -> Registered:
    """Copy the files, load them on every server, try them, and make them a candidate; `new.path` and the figures of
    the weights are filled in here.

    `any_base`: whatever base model the weights name. At least one server must answer, and none may refuse. Raises
    BadVoice, ChangeRefused, GeneratorError, LedgerError, OSError.
    """
    await ledger.aread(voices.refuse_taken, checked_name(new.name))
    if new.parent is not None:
        await ledger.aread(voices.named, new.parent)
    refuse_none_there(await servers.served())
    known = await ledger.aread(voices.every)
    # From here to `try` nothing waits, so that nothing stops it there.
    folder, weights = take_in(source, data_dir, new.name)
    ref = _ref(new.name, weights.digest, data_dir / folder)
    done = False
    try:
        await _refuse_other_base(weights, servers, known, data_dir, any_base)
        not_at = await load_everywhere(servers, ref)
        await generator.generate(replace(TRIAL, voice=ref))
        described = replace(
            new, path=folder, digest=weights.digest, base_model=weights.base_model, rank=weights.rank
        )
        voice = await ledger.awrite(voices.add, described, by=by, now=clock())
        done = True
    finally:
        if not done:
            await _undo(ledger, servers, ref, folder)
    same = tuple(one.name for one in known if one.digest == weights.digest)
    return Registered(voice, same, tuple(not_at))


def refuse_none_there(served: Mapping[str, Sequence[ServedModel] | GeneratorError]) -> None:
    """Raises GeneratorError when no server answers."""
    errors = [found for found in served.values() if isinstance(found, GeneratorError)]
    if errors and len(errors) == len(served):
        raise errors[0]


async def load_everywhere(servers: VoiceServers, ref: VoiceRef) -> list[str]:
    """Why it is not loaded on the servers that are away. Raises GeneratorError when one refuses it or all are away."""
    loaded = await servers.load(ref)
    errors = [error for _, error in loaded if error is not None]
    for error in errors:
        if is_refusal(error):
            raise error
    if errors and len(errors) == len(loaded):
        raise errors[0]
    return [str(error) for error in errors]


async def put_away(
    name: str,
    *,
    ledger: Ledger,
    servers: VoiceServers | None,
    data_dir: Path,
    lease: timedelta,
    by: str,
    now: datetime,
) -> None:
    """Delete the files of a retired voice, once every server has said that it doesn't know it.

    `servers` is None where none is configured. Raises ChangeRefused, LedgerError, OSError.
    """
    voice = await ledger.aread(voices.named, name)
    if servers is not None and voice.status == VoiceStatus.RETIRED:
        known = served_as(voice.name, voice.digest)
        if voice.status_at + lease <= now:
            await servers.unload(known)
        _refuse_known(name, known, await servers.served())
    folder = await ledger.awrite(voices.forget_files, name, by=by, now=now)
    remove(data_dir / folder)


def _refuse_known(
    name: str, known: str, served: Mapping[str, Sequence[ServedModel] | GeneratorError]
) -> None:
    # An engine that still has the voice dies when it reads a folder that is gone.
    for error in served.values():
        if isinstance(error, GeneratorError):
            raise ChangeRefused(
                f"whether a server still has {name} cannot be asked ({error}); its files stay: try again"
            )
    if at := known_at(served, known):
        raise ChangeRefused(
            f"{name} is still loaded at {', '.join(at)}, as a comment may need it until service.lease_s has passed; "
            "try again then"
        )


async def _refuse_other_base(
    weights: Weights, servers: VoiceServers, known: Sequence[Voice], data_dir: Path, any_base: bool
) -> None:
    served = await servers.served()
    for url, models in served.items():
        if isinstance(models, GeneratorError):
            continue
        for base in (model for model in models if model.parent is None):
            refuse_other_base(weights, url, base, any_base)
    # Servers take weights for smaller matrices than theirs, and answer wrongly with them (tests/vllm/README.md).
    for voice, shapes in _shapes_of(known, data_dir):
        if differs := unlike(weights.shapes, shapes):
            raise BadVoice(f"the weights do not fit the base model of {voice.name}: {differs}")


def refuse_other_base(weights: Weights, url: str, base: ServedModel, any_base: bool) -> None:
    """Raises BadVoice when the weights were made for another model than the server's."""
    hidden = _hidden_size(base.root)
    if hidden is not None and (differs := unlike_width(weights.shapes, hidden)):
        raise BadVoice(f"the weights do not fit the base model at {url}: {differs}")
    names = {_last(base.root), _last(base.name)} - {""}
    if not any_base and _last(weights.base_model) not in names:
        raise BadVoice(
            f"the weights are for {weights.base_model!r}, {url} serves {base.root or base.name!r}; train for that "
            "model, or say --any-base if it is the same under another name"
        )


def unlike_width(shapes: Shapes, hidden: int) -> str | None:
    """Which matrix reads vectors of another width than `hidden`; None: none does."""
    for name, shape in shapes.items():
        if any(f".{part}_proj.lora_A." in name for part in "qkv") and shape[1] != hidden:
            return f"{name} reads vectors of {shape[1]} numbers, the model's have {hidden}"
    return None


def _last(path: str) -> str:
    return PurePosixPath(path).name.lower()


def _hidden_size(root: str) -> int | None:
    """The width of the model in the folder `root`; None where that is not on this machine."""
    try:
        config = json.loads((Path(root) / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    found = config.get("hidden_size") if isinstance(config, dict) else None
    return found if isinstance(found, int) else None


def _shapes_of(known: Sequence[Voice], data_dir: Path) -> Iterator[tuple[Voice, Shapes]]:
    """The newest voice that was promoted: that it fits has been seen."""
    for voice in reversed(known):
        if voice.path and voice.status in (VoiceStatus.LIVE, VoiceStatus.CANARY):
            try:
                yield voice, read_weights(data_dir / voice.path).shapes
            except (BadVoice, OSError):
                continue
            return


def _ref(name: str, digest: str, folder: Path) -> VoiceRef:
    return VoiceRef(name, served_as(name, digest), str(folder.absolute()))


async def _undo(ledger: Ledger, servers: VoiceServers, ref: VoiceRef, folder: str) -> None:
    # Another process may just have registered the very same.
    if any(voice.path == folder for voice in await ledger.aread(voices.every)):
        return
    unloaded = await servers.unload(ref.served_as)
    # A server that doesn't answer may have it, and dies when it reads a folder that is gone.
    if all(error is None for _, error in unloaded):
        remove(Path(ref.path))
