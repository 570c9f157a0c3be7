"""Databases of every age open; those of the future are refused."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel, select

from bot.models import Comment, Draft, State, Verdict
from bot.store import channels, stats
from bot.store.ledger import LedgerUnusable, connect
from bot.store.migrate import SCRIPTS, current, upgrade

OLD_DATA = {
    "0001": [
        "INSERT INTO channel (id, name, platform, options, rules, flat_threads, paused, created_at, answer_since,"
        " next_poll_at, next_send_at, failures)"
        " VALUES (1, 'old', 'sandbox', '{}', '{\"send\": [\"question\"]}', FALSE, FALSE,"
        " '2026-01-01 00:00:00', '2026-01-01 00:00:00', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 0)",
        "INSERT INTO post (id, channel_id, platform_id, title, text, url) VALUES (1, 1, 'p', 'Post 帖子', '', '')",
        "INSERT INTO comment (id, channel_id, post_id, platform_id, thread_id, extra, author_id, author_name, text,"
        " url, language, is_own, created_at, ingested_at, updated_at, state, reason, detail, version, attempts,"
        " due_at) VALUES (1, 1, 1, 'c', 'c', '{}', 'a', 'A', '怎么烘?', '', 'zh', FALSE, '2026-01-01 00:00:00',"
        " '2026-01-01 00:00:00', '2026-01-01 00:00:00', 'review', 'x', '', 3, 0, '2026-01-01 00:00:00')",
        "INSERT INTO draft (id, comment_id, created_at, text, candidates, language, intent, passages, citations,"
        " support, prompt_hash, generator, model, findings, decision, reason, detail, seconds) VALUES (1, 1,"
        " '2026-01-01 00:00:00', '200度', '[\"200度\"]', 'zh', 'question', '[]', '[]', 0.5, 'h', 'extractive', 'm',"
        " '[]', 'review', 'x', '', 0.1)",
    ],
}
OLD_DATA["0002"] = [
    *(
        statement.replace("is_own,", "is_own, pictures, translations,").replace(
            "FALSE, '2026", "FALSE, '[]', '{}', '2026", 1
        )
        if statement.startswith("INSERT INTO comment")
        else statement.replace("title, text, url)", "title, text, url, pictures)").replace(
            "'', '')", "'', '', '[]')"
        )
        if statement.startswith("INSERT INTO post")
        else statement.replace("detail, seconds)", "detail, seconds, ranking, steps, pictures)").replace(
            "0.1)", "0.1, '[]', '[]', '[]')"
        )
        if statement.startswith("INSERT INTO draft")
        else statement
        for statement in OLD_DATA["0001"]
    ),
    "INSERT INTO verdict (id, comment_id, draft_id, kind, text, reason, by, at)"
    " VALUES (1, 1, 1, 'reject', '', 'wrong', 'ann', '2026-01-02 00:00:00')",
]
OLD_DATA["0003"] = [
    statement.replace("paused, created_at", "paused, shadow, created_at").replace(
        "FALSE, FALSE, '2026", "FALSE, FALSE, FALSE, '2026"
    )
    if statement.startswith("INSERT INTO channel")
    else statement.replace("attempts,", 'attempts, "similar", hint,').replace("'', 3, 0,", "'', 3, 0, 1, '',")
    if statement.startswith("INSERT INTO comment")
    else statement.replace("steps, pictures)", "steps, pictures, hint)").replace("'[]')", "'[]', '')")
    if statement.startswith("INSERT INTO draft")
    else statement.replace("by, at)", "by, at, candidates, prompt_hash, version, via)").replace(
        "00:00:00')", "00:00:00', '[]', '', 0, '')"
    )
    if statement.startswith("INSERT INTO verdict")
    else statement
    for statement in OLD_DATA["0002"]
]
OLD_DATA["0004"] = OLD_DATA["0003"]
"""For every revision ever released: rows as that version wrote them."""


@pytest.mark.parametrize("revision", OLD_DATA)
def test_old_data_survives_the_way_to_the_present_shape(database_url: str, revision: str) -> None:
    ledger = connect(database_url)
    upgrade(ledger, revision)
    with ledger.engine.begin() as connection:
        for statement in OLD_DATA[revision]:
            connection.execute(text(statement.replace(":", "\\:")))
    upgrade(ledger)
    row = ledger.read(lambda session: session.exec(select(Comment)).one())
    assert (row.text, row.state, row.version) == ("怎么烘?", State.REVIEW, 3)
    assert (row.pictures, row.translations, row.likes) == ([], {}, None)
    assert ledger.read(channels.every)[0].can == {}
    draft = ledger.read(lambda session: session.exec(select(Draft)).one())
    assert (draft.candidates, draft.ranking, draft.steps, draft.pictures) == (["200度"], [], [], [])
    assert ledger.read(stats.counts)[State.REVIEW] == 1
    assert (row.similar, row.hint, draft.hint) == (1, "", "")
    verdicts = ledger.read(lambda session: list(session.exec(select(Verdict))))
    told = [(one.kind, one.candidates, one.chosen, one.key, one.undone_at) for one in verdicts]
    assert told == ([] if revision == "0001" else [("reject", [], None, None, None)])
    ledger.close()


def test_the_migrations_make_exactly_the_tables_of_the_models(database_url: str) -> None:
    ledger = connect(database_url)
    assert upgrade(ledger)
    assert not upgrade(ledger), "a second run has nothing to do"
    with ledger.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []
        assert current(connection) == ScriptDirectory(str(SCRIPTS)).get_current_head()
    ledger.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    ledger = connect(database_url)
    upgrade(ledger)
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerUnusable, match="newer version"):
        upgrade(ledger)
    with ledger.engine.connect() as connection:
        assert current(connection) == "9999"
    ledger.close()
