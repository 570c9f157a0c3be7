"""`voices` as a person meets it, against model servers."""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from bot.store import audit, voices
from bot.store.audit import Which
from bot.voices.files import take_in
from tests.builders import comment
from tests.command_line import Cli
from tests.fake_thread import in_thread
from tests.fake_weights import write_weights
from tests.fakes import FakeOpenAI


def speak(body: dict[str, Any]) -> str:
    """Each voice says its own name, so that it shows who has answered."""
    return f"Ten minutes, says {body['model']} [1]."


class Servers:
    """Two model servers that the command line's settings name."""

    def __init__(self, loop: asyncio.AbstractEventLoop, servers: list[FakeOpenAI]) -> None:
        self.all, self._loop = servers, loop

    def stop(self, number: int) -> None:
        self._do(self.all[number].stop())

    def restart(self, number: int) -> None:
        self._do(self.all[number].restart())

    def next_request(self) -> "Future[None]":
        """Done when a comment has come in; from now on none is answered."""
        for server in self.all:
            server.fault = "slow"

        async def arrival() -> None:
            for server in self.all:
                server.arrived.clear()
            waiting = [asyncio.create_task(server.arrived.wait()) for server in self.all]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()

        return asyncio.run_coroutine_threadsafe(arrival(), self._loop)

    def _do(self, work: Any) -> None:
        future: Future[None] = asyncio.run_coroutine_threadsafe(work, self._loop)
        future.result(30)

    @property
    def names(self) -> list[set[str]]:
        """The names of the voices at each server, without their hashes."""
        return [{name.rpartition("-")[0] for name in server.voices} for server in self.all]


def press_ctrl_c_when(happened: "Future[None]") -> None:
    happened.result(30)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def servers(cli: Cli) -> Iterator[Servers]:
    made = [FakeOpenAI(reply=speak) for _ in range(2)]
    with in_thread(*made) as loop:
        settings = (
            '[generator]\nkind = "vllm"\nmodel = "base"\n'
            f'base_url = "{made[0].url}"\nmore_servers = ["{made[1].url}"]\n[service]\nlease_s = 61\n'
        )
        (cli.folder / "rejoinder.toml").write_text(settings)
        yield Servers(loop, made)


def trained(cli: Cli, name: str = "trained", **how: Any) -> str:
    return str(write_weights(cli.folder / name, **how))


def loaded(cli: Cli, *names: str) -> None:
    for number, name in enumerate(names):
        folder = Path(trained(cli, name))
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": number + 20}))
        assert cli("voices", "load", str(folder), "--name", name) == 0, cli.err


def statuses(cli: Cli) -> dict[str, str]:
    return {voice["name"]: voice["status"] for voice in cli.json("voices", "list", "--json")}


def folders(cli: Cli) -> list[Path]:
    home = cli.folder / "data" / "voices"
    return sorted(home.iterdir()) if home.exists() else []


def test_load_makes_a_candidate_that_every_server_has_and_that_was_tried(cli: Cli, servers: Servers) -> None:
    code = cli("voices", "load", trained(cli), "--name", "mia-1", "--note", "November", "--by", "ann")
    assert (code, cli.err) == (0, "")
    assert "rejoinder voices try base mia-1" in cli.out
    [voice] = cli.json("voices", "list", "--json")
    assert (voice["status"], voice["base_model"], voice["rank"], voice["note"]) == (
        "candidate",
        "base",
        8,
        "November",
    )
    assert servers.names == [{"mia-1"}, {"mia-1"}]
    assert [body["model"] for server in servers.all for body in server.requests] == [
        f"mia-1-{voice['digest'][:8]}"
    ]


def test_the_same_weights_under_another_name_are_told(cli: Cli, servers: Servers) -> None:
    source = trained(cli)
    assert cli("voices", "load", source, "--name", "mia-1") == 0
    assert cli("--lang", "zh", "voices", "load", source, "--name", "mia-2", "--parent", "mia-1") == 0
    assert cli.err == "提示：mia-1 与 mia-2 的权重相同\n"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"rank": 32}, "max_lora_rank"),
        ({"hidden": 512}, "must match the size of tensor"),
        ({"base": "Qwen/other"}, "Qwen/other"),
    ],
    ids=["rank", "width", "base"],
)
def test_weights_that_the_server_cannot_use_leave_nothing(
    cli: Cli, servers: Servers, how: dict[str, Any], said: str
) -> None:
    assert cli("voices", "load", trained(cli, **how), "--name", "mia-1") == 1
    assert (cli.out, cli.err.count("\n")) == ("", 1)
    assert said in cli.err
    assert (statuses(cli), folders(cli), servers.names) == ({}, [], [set(), set()])


def test_a_voice_that_cannot_answer_is_not_registered(cli: Cli, servers: Servers) -> None:
    for server in servers.all:
        server.fault = "no_choices"
    assert cli("voices", "load", trained(cli), "--name", "mia-1") == 1
    assert cli.err.count("\n") == 1
    assert (statuses(cli), folders(cli), servers.names) == ({}, [], [set(), set()])


def test_weights_for_a_smaller_model_are_told_apart_from_the_live_voice(cli: Cli, servers: Servers) -> None:
    loaded(cli, "mia-1")
    assert cli("voices", "promote", "mia-1") == 0
    assert cli("voices", "load", trained(cli, hidden=128), "--name", "mia-2") == 1
    assert "do not fit the base model of mia-1" in cli.err
    assert len(folders(cli)) == 1


def test_the_same_model_under_another_name_is_taken_when_a_person_says_so(cli: Cli, servers: Servers) -> None:
    source = trained(cli, base="/home/ann/qwen-merged")
    assert cli("voices", "load", source, "--name", "mia-1") == 1
    assert "--any-base" in cli.err
    assert cli("voices", "load", source, "--name", "mia-1", "--any-base") == 0


def test_with_one_server_away_the_voice_is_registered_and_the_gap_told(cli: Cli, servers: Servers) -> None:
    servers.stop(1)
    assert cli("voices", "load", trained(cli), "--name", "mia-1") == 0
    assert "a server that is away" in cli.err
    assert statuses(cli) == {"mia-1": "candidate"}


def test_with_every_server_away_nothing_is_registered(cli: Cli, servers: Servers) -> None:
    servers.stop(0)
    servers.stop(1)
    assert cli("voices", "load", trained(cli), "--name", "mia-1") == 1
    assert "cannot be reached" in cli.err
    assert (statuses(cli), folders(cli)) == ({}, [])


def test_a_taken_name_is_refused_and_the_first_voice_stays(cli: Cli, servers: Servers) -> None:
    source = trained(cli)
    assert cli("voices", "load", source, "--name", "mia-1") == 0
    assert cli("voices", "load", source, "--name", "mia-1") == 1
    assert "taken" in cli.err
    assert (len(folders(cli)), servers.names) == (1, [{"mia-1"}, {"mia-1"}])


def test_promote_canary_and_rollback_change_who_answers(cli: Cli, servers: Servers) -> None:
    loaded(cli, "mia-1", "mia-2")
    assert cli("voices", "promote", "mia-1") == 0
    assert cli.json("voices", "promote", "mia-2", "--share", "25%", "--json") == {
        "name": "mia-2",
        "status": "canary",
        "share": 0.25,
    }
    assert cli("voices", "list") == 0
    assert "canary 25.0%" in cli.out
    assert cli("voices", "promote", "mia-2") == 0
    assert statuses(cli) == {"mia-1": "retired", "mia-2": "live"}
    assert cli("--lang", "zh", "voices", "rollback", "--by", "ann") == 0
    assert cli.out == "从下一条评论起由 mia-1 回复，mia-2 已退役。\n"
    assert cli.json("voices", "rollback", "--json") == {"went": "mia-1", "came": None}
    history = cli.json("voices", "show", "mia-2", "--json")["history"]
    assert [(event["act"], event["to_status"]) for event in history] == [
        ("load", "candidate"), ("promote", "canary"), ("promote", "live"), ("rollback", "retired"),
    ]  # fmt: skip
    assert history[-1]["actor"] == "ann"
    desk = cli.desk()
    done = [(one.actor, one.act) for one in reversed(desk.ledger.read(audit.deeds, Which(), limit=9))]
    desk.ledger.close()
    assert [act for _, act in done] == ["promote_voice"] * 3 + ["roll_back_voice"] * 2
    assert done[3][0] == "ann"


def test_the_canarys_share_comes_from_the_settings_where_none_is_named(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REJOINDER__VOICES__CANARY_SHARE", "0.05")
    loaded(cli, "mia-1")
    assert cli.json("voices", "promote", "mia-1", "--canary", "--json")["share"] == 0.05


def test_a_voice_that_no_server_takes_any_more_is_not_promoted(cli: Cli, servers: Servers) -> None:
    loaded(cli, "mia-1")
    servers.restart(0)
    servers.restart(1)
    shutil.rmtree(folders(cli)[0])
    assert cli("voices", "promote", "mia-1") == 1
    assert cli.err.count("\n") == 1
    assert statuses(cli) == {"mia-1": "candidate"}


def test_rollback_needs_no_server(cli: Cli, servers: Servers) -> None:
    loaded(cli, "mia-1", "mia-2")
    assert cli("voices", "promote", "mia-1") == 0
    assert cli("voices", "promote", "mia-2") == 0
    servers.stop(0)
    servers.stop(1)
    assert cli("voices", "rollback") == 0
    assert statuses(cli) == {"mia-1": "live", "mia-2": "retired"}


def test_files_are_removed_only_when_no_server_can_need_them(
    cli: Cli, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(cli, "mia-1")
    assert cli("voices", "remove", "mia-1") == 1
    assert "only a retired voice" in cli.err
    assert cli("voices", "retire", "mia-1") == 0
    assert cli("voices", "remove", "mia-1") == 1
    assert "still loaded" in cli.err
    monkeypatch.setenv("REJOINDER__SERVICE__LEASE_S", "40.001")
    servers.stop(1)
    servers.restart(0)
    assert cli("voices", "remove", "mia-1") == 1
    assert "cannot be asked" in cli.err
    assert len(folders(cli)) == 1
    servers.restart(1)
    assert cli("voices", "remove", "mia-1") == 0
    assert folders(cli) == []
    assert cli("voices", "list") == 0
    assert "retired, removed" in cli.out


def test_try_shows_both_replies_and_keeps_nothing(cli: Cli, servers: Servers) -> None:
    (cli.folder / "shop.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
    assert cli("ingest", "shop.md") == 0
    loaded(cli, "mia-1")
    desk = cli.desk()
    desk.ingest(
        comment(1, "How long do I roast the beans?"), comment(2, "Spam!!! http://a.example http://b.example")
    )
    before = len(servers.all[0].requests) + len(servers.all[1].requests)
    found = cli.json("voices", "try", "base", "mia-1", "-n", "5", "--json")
    assert [row["comment"] for row in found["comments"]][-1] == "How long do I roast the beans?"
    base, mia = found["comments"][-1]["replies"]
    assert (base["voice"], mia["voice"]) == ("base", "mia-1")
    assert "says base" in base["reply"]
    assert "says mia-1-" in mia["reply"]
    assert [row["voice"] for row in found["summary"]] == ["base", "mia-1"]
    assert len(servers.all[0].requests) + len(servers.all[1].requests) > before
    assert [work.comment.platform_id for work in desk.claim()] == ["c1", "c2"]
    assert cli("--lang", "zh", "voices", "try", "mia-1", "base") == 0
    assert "平均长度" in cli.out
    desk.ledger.close()


def test_ctrl_c_in_a_trial_shows_what_is_done_and_keeps_nothing(cli: Cli, servers: Servers) -> None:
    (cli.folder / "shop.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
    assert cli("ingest", "shop.md") == 0
    loaded(cli, "mia-1")
    desk = cli.desk()
    desk.ingest(comment(1, "How long do I roast the beans?"))
    finger = Thread(target=press_ctrl_c_when, args=[servers.next_request()])
    finger.start()
    assert cli("voices", "try", "base", "mia-1") == 1
    finger.join()
    assert "after 0 of 1 comments" in cli.err
    assert len(desk.claim()) == 1
    desk.ledger.close()


def test_ctrl_c_in_a_load_leaves_nothing_and_the_load_can_be_repeated(cli: Cli, servers: Servers) -> None:
    source = trained(cli)
    finger = Thread(target=press_ctrl_c_when, args=[servers.next_request()])
    finger.start()
    assert cli("voices", "load", source, "--name", "mia-1") == 130
    finger.join()
    assert (statuses(cli), folders(cli), servers.names) == ({}, [], [set(), set()])
    for server in servers.all:
        server.fault = ""
    assert cli("voices", "load", source, "--name", "mia-1") == 0


def test_doctor_tells_whether_the_files_of_the_live_voice_are_whole(cli: Cli, servers: Servers) -> None:
    def told() -> tuple[str, str]:
        cli("--lang", "zh", "doctor", "--json")
        [found] = [row for row in json.loads(cli.out) if row["part"] == "voice mia-1"]
        return found["level"], found["message"]

    loaded(cli, "mia-1")
    assert cli("voices", "promote", "mia-1") == 0
    assert told() == ("ok", "使用中，回复 100% 的评论；文件完好")
    shutil.rmtree(folders(cli)[0])
    level, message = told()
    assert (level, "已损坏或丢失" in message) == ("error", True)


def test_try_without_comments_says_so(cli: Cli, servers: Servers) -> None:
    loaded(cli, "mia-1")
    assert cli("voices", "try", "base", "mia-1") == 1
    assert "no comment yet" in cli.err


def test_ask_answers_with_the_live_voice_and_with_the_one_that_is_named(cli: Cli, servers: Servers) -> None:
    (cli.folder / "shop.md").write_text("# Roasting\n\nRoast the beans for ten minutes.\n")
    assert cli("ingest", "shop.md") == 0
    loaded(cli, "mia-1", "mia-2")
    question = "How long do I roast the beans?"
    assert cli.json("ask", question, "--json")["voice"] is None
    assert cli("voices", "promote", "mia-1") == 0
    assert cli.json("ask", question, "--json")["voice"] == "mia-1"
    assert cli.json("ask", question, "--voice", "mia-2", "--json")["voice"] == "mia-2"
    assert cli.json("ask", question, "--voice", "base", "--json")["voice"] is None
    assert cli("ask", question, "--voice", "nobody") == 1
    assert "there are: mia-1, mia-2" in cli.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("load", "trained", "--name", "mia-1"),
        ("try", "base", "mia-1"),
        ("remove", "mia-1"),
        ("promote", "mia-1"),
    ],
    ids=["load", "try", "remove", "promote"],
)
def test_without_a_model_server_the_cure_is_told(cli: Cli, arguments: tuple[str, ...]) -> None:
    desk = cli.desk()
    path, weights = take_in(Path(trained(cli)), cli.folder / "data", "mia-1")
    new = voices.NewVoice("mia-1", path, weights.digest, "base", 8)
    desk.ledger.write(voices.add, new, by="ann", now=desk.clock())
    desk.ledger.close()
    assert cli("voices", *arguments) == 2
    assert (cli.err.count("\n"), 'generator.kind = "vllm"' in cli.err) == (1, True)


@pytest.mark.parametrize("share", ["", "0", "0%", "100%", "1", "-5%", "nan", "ten", "inf%"])
def test_a_share_that_is_none_is_refused(cli: Cli, share: str) -> None:
    assert cli("voices", "promote", "mia-1", f"--share={share}") == 2
    assert "write it as 10% or 0.1" in cli.err


def test_unknown_names_are_told_with_the_known_ones(cli: Cli) -> None:
    for command in ("show", "promote", "retire"):
        assert cli("voices", command, "nobody") == 1
        assert "no voice is named 'nobody'; there are: none yet" in cli.err
    assert cli("voices", "list") == 0
    assert "the base model answers" in cli.err
