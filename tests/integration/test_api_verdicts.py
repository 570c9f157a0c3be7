"""Comments and verdicts over the JSON API."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from bot.bootstrap import Running, utc_now
from bot.models import Comment, Event, KeptText, Role, State, Verdict
from bot.store import holds
from tests.builders import Desk, comment
from tests.integration.test_api import ask, refused, serving
from tests.site import Browser, logged_in

KEY = {"Idempotency-Key": "one"}


@pytest.fixture
async def site(tmp_path: Path, database_url: str) -> AsyncIterator[Running]:
    async with serving(tmp_path, database={"url": database_url}) as running:
        yield running


@pytest.fixture
async def bea(site: Running) -> AsyncIterator[Browser]:
    async with logged_in(site, Role.REVIEWER, "bea") as browser:
        yield browser


def waiting(running: Running, *numbers: int) -> Desk:
    """Comments `numbers` with a draft each, for a person; their ids are the numbers."""
    desk = Desk(running.ledger)
    desk.ingest(*(comment(number, f"How long do I roast number {number}?") for number in numbers))
    for work in desk.claim():
        assert desk.decide(work, State.REVIEW, "Ten minutes.")
    return desk


def verdicts_in(running: Running) -> list[Verdict]:
    return running.ledger.read(lambda session: list(session.exec(select(Verdict).order_by(col(Verdict.id)))))


async def test_a_comment_is_told_with_all_that_is_known_and_nothing_inner(bea: Browser) -> None:
    waiting(bea.running, 1)
    _, told, _ = await ask(bea, "GET", "/comments/1")
    assert (told["channel"], told["post"]["title"], told["draft"]["text"]) == (
        "demo", "Roasting at home", "Ten minutes.",
    )  # fmt: skip
    assert [move["to_state"] for move in told["history"]] == ["new", "review"]
    assert [said["text"] for said in told["thread"]] == ["How long do I roast number 1?"]
    assert told["created_at"].endswith("Z")
    assert not told.keys() & {"lease_owner", "due_at", "attempts", "channel_id", "author_id", "extra"}
    _, drafts, _ = await ask(bea, "GET", "/comments/1/drafts")
    assert drafts["items"] == told["drafts"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [1, 2, 3]),
        ("state=review", [1, 2, 3]),
        ("state=sent&state=failed", []),
        ("channel=demo&language=en", [1, 2, 3]),
        ("channel=none", []),
        ("search=NUMBER%202", [2]),
        ("search=%233", [3]),
        ("search=minutes&reason=because", [1, 2, 3]),
        ("post=1&intent=question", []),
        ("since=2026-03-01T12:00:00Z&until=2027-01-01T00:00:00%2B08:00", [1, 2, 3]),
        ("until=2026-03-01T12:00:00Z", []),
        ("sort=newest", [3, 2, 1]),
        ("sort=value&limit=2", [1, 2]),
    ],
)
async def test_comments_are_filtered_and_sorted(bea: Browser, query: str, found: list[int]) -> None:
    waiting(bea.running, 1, 2, 3)
    _, page, _ = await ask(bea, "GET", f"/comments?{query}")
    assert [one["id"] for one in page["items"]] == found


@pytest.mark.parametrize(
    "query", ["state=lost", "sort=price", "post=0", "search=%00", "since=2026-03-01", "cursor=W10"]
)
async def test_a_filter_that_cannot_be_is_refused_by_its_name(bea: Browser, query: str) -> None:
    problem = await refused(bea, 400, "GET", f"/comments?{query}")
    assert problem["field"].split(".")[0] == query.partition("=")[0]


@pytest.mark.parametrize("sort", ["oldest", "value", "newest"])
async def test_pages_hold_every_comment_once_while_others_come_in(bea: Browser, sort: str) -> None:
    desk = waiting(bea.running, *range(1, 8))
    seen: list[int] = []
    query = f"/comments?limit=3&sort={sort}"
    cursor = ""
    for more in (20, 21, 22):
        _, page, _ = await ask(bea, "GET", query + cursor)
        seen += [one["id"] for one in page["items"]]
        cursor = f"&cursor={page['next']}"
        desk.clock.forward(60)
        desk.ingest(comment(more))
    known = [number for number in seen if number <= 7]
    assert sorted(known) == list(range(1, 8))
    assert len(seen) == len(set(seen))


async def test_a_cursor_of_another_order_is_refused(bea: Browser) -> None:
    waiting(bea.running, 1, 2)
    _, page, _ = await ask(bea, "GET", "/comments?limit=1&sort=oldest")
    assert (await refused(bea, 400, "GET", f"/comments?sort=newest&cursor={page['next']}"))[
        "field"
    ] == "cursor"


async def test_an_approval_orders_the_reply_and_can_be_taken_back(bea: Browser) -> None:
    waiting(bea.running, 1)
    _, before, _ = await ask(bea, "GET", "/comments/1")
    body = {"kind": "approve", "version": before["version"], "took_s": 2.5}
    status, made, _ = await ask(bea, "POST", "/comments/1/verdicts", json=body)
    assert (status, made["text"], made["by"], made["chosen"]) == (201, "Ten minutes.", "bea", 0)
    _, after, _ = await ask(bea, "GET", "/comments/1")
    assert (after["state"], after["reply"]["text"]) == ("ready", "Ten minutes.")
    _, undone, _ = await ask(bea, "POST", "/comments/1/undo", json={"version": after["version"]})
    assert (undone["state"], undone["reply"]) == ("review", None)
    assert (await refused(bea, 409, "POST", "/comments/1/undo", json={}))["code"] == "too_late"


async def test_a_verdict_on_a_stale_version_is_refused_and_its_text_kept(bea: Browser) -> None:
    waiting(bea.running, 1)
    body = {"kind": "edit", "text": "Twelve minutes.", "version": 0}
    _, before, _ = await ask(bea, "GET", "/comments/1")
    problem = await refused(bea, 409, "POST", "/comments/1/verdicts", json=body)
    assert (problem["code"], problem["version"]) == ("stale", before["version"])
    kept = bea.running.ledger.read(lambda session: session.exec(select(KeptText)).one())
    assert (kept.by, kept.text) == ("bea", "Twelve minutes.")


async def test_what_another_person_has_open_is_decided_only_on_purpose(bea: Browser) -> None:
    desk = waiting(bea.running, 1)
    bea.running.ledger.write(holds.take, 1, by="cy", now=utc_now(), lasts=timedelta(hours=1))
    assert desk.channel_id
    assert (await ask(bea, "GET", "/comments/1"))[1]["held_by"] == "cy"
    assert (await refused(bea, 409, "POST", "/comments/1/verdicts", json={"kind": "skip"}))["code"] == "held"
    assert (await ask(bea, "POST", "/comments/1/verdicts", json={"kind": "skip", "over_hold": True}))[
        0
    ] == 201


async def test_the_same_key_is_the_same_verdict_and_never_another(bea: Browser) -> None:
    waiting(bea.running, 1, 2)
    path, body = "/comments/1/verdicts", {"kind": "edit", "text": "Twelve minutes."}
    first = await ask(bea, "POST", path, json=body, headers=KEY)
    again = await ask(bea, "POST", path, json=body, headers=KEY)
    assert (first[0], first[1]) == (again[0], again[1])
    assert len(verdicts_in(bea.running)) == 1
    other = {"kind": "edit", "text": "Thirteen minutes."}
    assert (await refused(bea, 409, "POST", path, json=other, headers=KEY))["code"] == "key"
    assert (await refused(bea, 409, "POST", path, json={"kind": "skip"}, headers=KEY))["code"] == "key"
    elsewhere = await refused(bea, 409, "POST", "/comments/2/verdicts", json=body, headers=KEY)
    assert elsewhere["code"] == "key"
    long = {"Idempotency-Key": "x" * 201}
    assert (await refused(bea, 400, "POST", path, json=body, headers=long))["field"] == "Idempotency-Key"


async def test_one_key_sent_many_times_at_once_makes_one_verdict(bea: Browser) -> None:
    waiting(bea.running, 1)
    body = {"kind": "approve"}
    answers = await asyncio.gather(
        *(ask(bea, "POST", "/comments/1/verdicts", json=body, headers=KEY) for _ in range(12))
    )
    assert {status for status, *_ in answers} == {201}
    assert len({told["id"] for _, told, _ in answers}) == 1
    assert len(verdicts_in(bea.running)) == 1


async def test_without_a_key_many_at_once_are_one_verdict_and_conflicts(bea: Browser) -> None:
    waiting(bea.running, 1)
    answers = await asyncio.gather(
        *(ask(bea, "POST", "/comments/1/verdicts", json={"kind": "skip"}) for _ in range(6))
    )
    assert sorted(status for status, *_ in answers) == [201, 409, 409, 409, 409, 409]


async def test_the_other_verdicts_and_the_list_of_them(bea: Browser) -> None:
    waiting(bea.running, 1, 2, 3)
    reject = {"kind": "reject", "reason": "Not what we say."}
    await ask(bea, "POST", "/comments/1/verdicts", json=reject)
    await ask(bea, "POST", "/comments/2/verdicts", json={"kind": "skip"})
    _, redrafted, _ = await ask(bea, "POST", "/comments/3/redraft", json={"hint": "Shorter."})
    assert (redrafted["state"], redrafted["reason"]) == ("new", "redraft")
    _, page, _ = await ask(bea, "GET", "/verdicts?limit=1&by=bea&channel=demo")
    assert (page["items"][0]["kind"], page["items"][0]["reason"]) == ("reject", "Not what we say.")
    _, rest, _ = await ask(bea, "GET", f"/verdicts?cursor={page['next']}&since=2026-01-01T00:00:00Z")
    assert [one["kind"] for one in rest["items"]] == ["skip"]
    assert (await ask(bea, "GET", "/verdicts?kind=approve&until=2026-01-01T00:00:00Z"))[1]["items"] == []


async def test_what_failed_is_tried_again_and_what_was_seen_is_confirmed(bea: Browser) -> None:
    desk = waiting(bea.running, 1)
    assert (await ask(bea, "POST", "/comments/1/confirm-sent", json={}))[1]["state"] == "sent"
    assert (await refused(bea, 409, "POST", "/comments/1/retry", json={}))["code"] == "state"
    desk.ingest(comment(2))
    [work] = desk.claim()
    desk.decide(work, State.FAILED)
    assert (await ask(bea, "POST", "/comments/2/retry", json={}))[1]["state"] == "new"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "like"}, None),
        ({}, None),
        ({"kind": "edit"}, "text"),
        ({"kind": "edit", "text": ""}, "text"),
        ({"kind": "edit", "text": "a\x00b"}, "text"),
        ({"kind": "edit", "text": "x" * 10_001}, "text"),
        ({"kind": "skip", "text": "x"}, "text"),
        ({"kind": "approve", "version": "1"}, "version"),
        ({"kind": "approve", "took_s": -1}, "took_s"),
    ],
)
async def test_what_is_no_verdict_is_refused(bea: Browser, body: object, field: str | None) -> None:
    waiting(bea.running, 1)
    assert (await refused(bea, 400, "POST", "/comments/1/verdicts", json=body)).get("field") == field
    assert verdicts_in(bea.running) == []


async def test_verdicts_on_what_cannot_be_decided_change_nothing(bea: Browser) -> None:
    waiting(bea.running, 1)
    assert (await refused(bea, 404, "POST", "/comments/99/verdicts", json={"kind": "skip"}))["code"] == "gone"
    blank = {"kind": "edit", "text": " \n "}
    assert (await refused(bea, 422, "POST", "/comments/1/verdicts", json=blank))["code"] == "empty"
    none = {"kind": "approve", "candidate": 5}
    assert (await refused(bea, 409, "POST", "/comments/1/verdicts", json=none))["code"] == "no_draft"

    def untouched(session: Session) -> tuple[str, int]:
        return session.get_one(Comment, 1).state, len(list(session.exec(select(Event))))

    assert bea.running.ledger.read(untouched) == ("review", 2)


async def test_a_viewer_decides_nothing(site: Running) -> None:
    waiting(site, 1)
    async with logged_in(site, Role.VIEWER, "vic") as viewer:
        for act in ("verdicts", "undo", "redraft", "retry", "confirm-sent"):
            assert (await refused(viewer, 403, "POST", f"/comments/1/{act}", json={}))["code"] == "role"
        assert (await ask(viewer, "GET", "/comments/1"))[0] == 200


async def test_the_days_tell_what_happened(bea: Browser) -> None:
    waiting(bea.running, 1, 2)
    await ask(bea, "POST", "/comments/1/verdicts", json={"kind": "approve"})
    now = utc_now()
    _, stats, _ = await ask(bea, "GET", "/stats?channel=demo")
    assert (stats["comments"], stats["by_state"]["review"], stats["by_state"]["ready"]) == (2, 1, 1)
    assert sum(stats["by_state"].values()) == 2
    assert {day["date"]: day["approved"] for day in stats["days"]}[f"{now:%Y-%m-%d}"] == 1
    _, march, _ = await ask(bea, "GET", "/stats?since=2026-03-01T00:00:00Z&until=2026-03-02T00:00:00Z")
    assert [(day["date"], day["comments"]) for day in march["days"]] == [("2026-03-01", 2)]
    assert (await refused(bea, 404, "GET", "/stats?channel=none"))["field"] == "channel"
