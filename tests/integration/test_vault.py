"""Credentials in the ledger: sealed for their row, replaced whole, and sealed anew."""

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from adapters.errors import Permanent, ReauthRequired
from bot import vault
from bot.keyring import FILE, VARIABLE, Keyring, Unreadable
from bot.models import Channel, Credential
from bot.store import credentials
from bot.store.credentials import Kind
from bot.store.ledger import Ledger
from bot.vault import LedgerVaults
from tests.builders import Desk

TOKENS = {"access_token": "act-一二三-9f2", "refresh_token": "rft-8841"}


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


def vaults(desk: Desk, folder: Path) -> LedgerVaults:
    return LedgerVaults(desk.ledger, Keyring(folder, {}), desk.clock)


def rows(ledger: Ledger) -> dict[tuple[int, str], str]:
    def work(session: Session) -> dict[tuple[int, str], str]:
        return {(row.channel_id, row.name): row.sealed for row in session.exec(select(Credential))}

    return ledger.read(work)


async def test_tokens_come_back_as_they_were_saved_and_stand_nowhere_in_the_clear(
    desk: Desk, tmp_path: Path
) -> None:
    kept = vaults(desk, tmp_path).of(desk.channel)
    assert await kept.load() == {}
    assert not (tmp_path / FILE).exists()
    await kept.save(TOKENS)
    assert await vaults(desk, tmp_path).of(desk.channel).load() == TOKENS
    assert not [text for text in rows(desk.ledger).values() if "act-" in text or "rft-" in text]


async def test_saving_forgets_the_tokens_before_and_leaves_what_a_person_typed(
    desk: Desk, tmp_path: Path
) -> None:
    all_of_them = vaults(desk, tmp_path)
    await all_of_them.keep(desk.channel, Kind.OPTION, {"client_secret": "cs"})
    await all_of_them.of(desk.channel).save(TOKENS)
    await all_of_them.of(desk.channel).save({"access_token": "new"})
    assert await all_of_them.of(desk.channel).load() == {"access_token": "new"}
    assert await all_of_them.secrets(desk.channel) == {"client_secret": "cs"}
    assert {name for _, name in rows(desk.ledger)} == {"option:client_secret", "token:access_token"}


async def test_a_ciphertext_copied_to_another_channel_or_name_is_not_used(desk: Desk, tmp_path: Path) -> None:
    other = desk.add_channel("other")
    all_of_them = vaults(desk, tmp_path)
    await all_of_them.of(desk.channel).save({"a": "mine"})
    await all_of_them.of(other).save({"a": "theirs", "b": "theirs too"})
    found = rows(desk.ledger)

    def swap(session: Session) -> None:
        theirs, mine = other.id or 0, desk.channel_id
        credentials.reseal(session, mine, "token:a", found[theirs, "token:a"])
        credentials.reseal(session, theirs, "token:a", found[theirs, "token:b"])

    desk.ledger.write(swap)
    for channel in (desk.channel, other):
        with pytest.raises(ReauthRequired, match="sealed for another place"):
            await all_of_them.of(channel).load()


async def test_a_lost_key_is_one_line_with_the_cure_and_connecting_again_makes_another(
    desk: Desk, tmp_path: Path
) -> None:
    all_of_them = vaults(desk, tmp_path)
    await all_of_them.of(desk.channel).save(TOKENS)
    (tmp_path / FILE).unlink()
    with pytest.raises(ReauthRequired, match="rejoinder channels connect demo") as told:
        await all_of_them.of(desk.channel).load()
    assert "\n" not in str(told.value)
    assert not (tmp_path / FILE).exists()
    await all_of_them.of(desk.channel).save({"access_token": "new"})
    assert await all_of_them.of(desk.channel).load() == {"access_token": "new"}


async def test_a_key_that_must_not_be_used_stops_nothing_for_good(desk: Desk, tmp_path: Path) -> None:
    kept = vaults(desk, tmp_path).of(desk.channel)
    await kept.save(TOKENS)
    (tmp_path / FILE).chmod(0o644)
    with pytest.raises(Permanent, match="chmod 600"):
        await kept.load()
    with pytest.raises(Permanent, match="chmod 600"):
        await kept.save({"access_token": "other"})
    (tmp_path / FILE).chmod(0o600)
    assert await kept.load() == TOKENS


async def test_one_process_at_a_time_gets_new_tokens(desk: Desk, tmp_path: Path) -> None:
    """The platform hands each refresh token out once; who comes second must find what the first one saved."""
    current = "r0"
    refused = 0

    async def refresh(process: LedgerVaults) -> None:
        nonlocal current, refused
        async with process.turn(desk.channel, 30):
            mine = (await process.of(desk.channel).load()).get("refresh_token", "r0")
            await asyncio.sleep(0)
            if mine != current:
                refused += 1
            current = f"r{int(mine[1:]) + 1}"
            await asyncio.sleep(0)
            await process.of(desk.channel).save({"refresh_token": current})

    await asyncio.gather(*(refresh(vaults(desk, tmp_path)) for _ in range(6)))
    assert refused == 0
    assert await vaults(desk, tmp_path).of(desk.channel).load() == {"refresh_token": "r6"}


async def test_a_turn_ends_when_its_owner_died(desk: Desk, tmp_path: Path) -> None:
    def dies(session: Session) -> bool:
        until = desk.clock() + timedelta(seconds=30)
        return credentials.take_turn(session, desk.channel_id, owner="dead", now=desk.clock(), until=until)

    assert desk.ledger.write(dies)
    waits = vaults(desk, tmp_path).turn(desk.channel, 30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3), waits:
            raise AssertionError("two at once")
    desk.clock.forward(31)
    async with vaults(desk, tmp_path).turn(desk.channel, 30):
        desk.clock.forward(1)
    async with asyncio.timeout(5), vaults(desk, tmp_path).turn(desk.channel, 30):
        desk.clock.forward(1)


async def test_rotation_seals_everything_anew_and_forgets_the_old_key(desk: Desk, tmp_path: Path) -> None:
    all_of_them, keyring = vaults(desk, tmp_path), Keyring(tmp_path, {})
    await all_of_them.of(desk.channel).save(TOKENS)
    old_key, old_rows = (tmp_path / FILE).read_text().strip(), rows(desk.ledger)
    assert desk.ledger.write(vault.rotate, keyring) == []
    desk.ledger.write(vault.settle, keyring)
    assert await all_of_them.of(desk.channel).load() == TOKENS
    assert old_key not in (tmp_path / FILE).read_text()
    assert not set(old_rows.values()) & set(rows(desk.ledger).values())
    for (channel, name), sealed in rows(desk.ledger).items():
        with pytest.raises(Unreadable):
            Keyring(tmp_path, {VARIABLE: old_key}).read().unseal(channel, name, sealed)


async def test_rotation_with_keys_of_the_environment_takes_the_first(desk: Desk, tmp_path: Path) -> None:
    old, new = "A" * 43 + "=", "B" * 42 + "A="
    before = LedgerVaults(desk.ledger, Keyring(tmp_path, {VARIABLE: old}), desk.clock)
    await before.of(desk.channel).save(TOKENS)
    keyring = Keyring(tmp_path, {VARIABLE: f"{new},{old}"})
    assert desk.ledger.write(vault.rotate, keyring) == []
    desk.ledger.write(vault.settle, keyring)
    after = LedgerVaults(desk.ledger, Keyring(tmp_path, {VARIABLE: new}), desk.clock)
    assert await after.of(desk.channel).load() == TOKENS
    assert not keyring.file.exists()


async def test_rotation_leaves_what_no_key_opens_and_names_it(desk: Desk, tmp_path: Path) -> None:
    other = desk.add_channel("other")
    await vaults(desk, tmp_path / "lost").of(other).save({"a": "1"})
    await vaults(desk, tmp_path).of(desk.channel).save(TOKENS)
    keyring = Keyring(tmp_path, {})
    [closed] = desk.ledger.write(vault.rotate, keyring)
    desk.ledger.write(vault.settle, keyring)
    assert (closed.channel, closed.name) == ("other", "token:a")
    assert await vaults(desk, tmp_path).of(desk.channel).load() == TOKENS
    assert await vaults(desk, tmp_path / "lost").of(other).load() == {"a": "1"}


async def test_the_old_key_stays_while_another_rotation_still_needs_it(desk: Desk, tmp_path: Path) -> None:
    """Two at once: the first one's last step must not drop the key of the second."""
    keyring = Keyring(tmp_path, {})
    await vaults(desk, tmp_path).of(desk.channel).save(TOKENS)
    desk.ledger.write(vault.rotate, keyring)
    keyring.put_in_front()
    desk.ledger.write(vault.settle, keyring)
    assert len(keyring.read()) == 3
    assert await vaults(desk, tmp_path).of(desk.channel).load() == TOKENS


KILLED = """
import os, signal, sys, traceback
from pathlib import Path
from bot import vault
from bot.keyring import Keyring
from bot.store.credentials import Kind
from bot.store.ledger import connect

folder, address, channel = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
keyring, count = Keyring(folder, {}), 0

def in_child(work, *given):
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work(*given)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

def may_die(step):
    global count
    if count == step:
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1

def mortal(owner, name, step):
    real = getattr(owner, name)
    def call(*given, **named):
        may_die(step)
        result = real(*given, **named)
        may_die(step)
        return result
    setattr(owner, name, call)

def rotates(step):
    for owner, name in ((os, "open"), (os, "fsync"), (Path, "replace"), (Path, "unlink"), (vault, "rotate"),
                        (vault, "settle"), (vault.credentials, "reseal"), (vault.credentials, "lock_all")):
        mortal(owner, name, step)
    ledger = connect(address)
    for work in (vault.rotate, vault.settle):
        ledger.write(work, keyring)
        may_die(step)

def reads():
    ledger = connect(address)
    found = ledger.read(vault.unsealed, keyring, channel, Kind.TOKEN)
    ledger.close()
    assert len(found) == 2 and found["refresh_token"] == "rft-8841", found

for step in range(200):
    ended = in_child(rotates, step)
    reads()
    if ended == 0:
        break
    assert os.WIFSIGNALED(ended), (step, ended)
print(step)
"""


def test_rotation_killed_at_any_step_leaves_everything_readable(desk: Desk, tmp_path: Path) -> None:
    address, keyring = desk.ledger.engine.url.render_as_string(hide_password=False), Keyring(tmp_path, {})
    desk.ledger.write(vault.keep, keyring, desk.channel_id, Kind.TOKEN, TOKENS, now=desk.clock())
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), address, str(desk.channel_id)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 15
    assert len(keyring.read()) == 1
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


async def test_a_refresh_in_the_midst_of_a_rotation_is_sealed_with_the_new_key(
    desk: Desk, tmp_path: Path
) -> None:
    """Rotations and saves in turn, from two threads of the ledger: nothing is left on a key that is gone."""
    kept, keyring = vaults(desk, tmp_path).of(desk.channel), Keyring(tmp_path, {})

    async def saves() -> None:
        for number in range(15):
            await kept.save({"access_token": str(number)})
            assert await kept.load()

    async def rotates() -> None:
        for _ in range(8):
            await desk.ledger.awrite(vault.rotate, keyring)
            await desk.ledger.awrite(vault.settle, keyring)

    await asyncio.gather(saves(), rotates())
    assert await kept.load() == {"access_token": "14"}
    assert len(keyring.read()) == 1


async def test_a_reconnected_channel_goes_on_and_one_that_a_person_paused_stays(desk: Desk) -> None:
    from bot.store import channels

    def state() -> Channel:
        return desk.ledger.read(channels.named, "demo")

    desk.ledger.write(channels.restrict, desk.channel_id, error="revoked", now=desk.clock(), to_connect=True)
    assert (state().paused, state().to_connect) == (True, True)
    desk.ledger.write(channels.connected, "demo", {"a": "vault:"}, now=desk.clock())
    assert (state().paused, state().to_connect, state().last_error) == (False, False, None)
    assert state().connected_at == desk.clock()
    desk.ledger.write(channels.pause, "demo", paused=True, now=desk.clock())
    desk.ledger.write(channels.connected, "demo", {}, now=desk.clock())
    assert state().paused
