"""The pages about the documents, and uploads, over HTTP."""

import asyncio
import json
import os
import re
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sqlmodel import Session, col, select

from bot.bootstrap import ALL_ROLES, assemble
from bot.models import AuditEntry, Role
from bot.settings import Settings
from bot.store import channels
from knowledge.lock import WriterLock
from tests.builders import START
from tests.site import Browser, logged_in

NASTY = "<script>alert(1)</script>\u202e"
OPEN_HOURS = (
    "# Shop\n\nThe shop opens at nine on Monday.\n\n# Shipping\n\nWe ship beans to Canada for 12 dollars.\n"
)


@asynccontextmanager
async def serving(folder: Path, roles: Any = ALL_ROLES, **sections: Any) -> AsyncIterator[Browser]:
    web_settings = {"host": "127.0.0.1", "port": 0, **sections.pop("web", {})}
    settings = Settings(data_dir=folder / "data", web=web_settings, **sections)
    async with assemble(settings, roles=roles) as running, logged_in(running) as browser:
        yield browser


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Browser]:
    async with serving(tmp_path, web={"max_upload_mb": 1}) as made:
        yield made


def form(*files: tuple[str, bytes], **fields: str) -> aiohttp.FormData:
    data = aiohttp.FormData(quote_fields=False)
    for name, value in fields.items():
        data.add_field(name, value)
    for name, content in files:
        data.add_field("file", BytesIO(content), filename=name)
    return data


async def upload(page: Browser, *files: tuple[str, bytes], **fields: str) -> tuple[int, dict[str, Any]]:
    status, text = await page.post("documents/upload", data=form(*files, **fields))
    return status, json.loads(text)


async def all_read(page: Browser) -> str:
    """What the page shows of it."""
    async with asyncio.timeout(20):
        while True:
            told = json.loads((await page.get("documents/work?lang=en"))[1])
            if not told["active"]:
                return str(told["html"])


async def listed(page: Browser, query: str = "") -> str:
    return (await page.get(f"documents?lang=en{query}"))[1]


def uploads_of(tmp_path: Path) -> list[str]:
    folder = tmp_path / "data" / "uploads"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def acts(page: Browser) -> list[tuple[str, str, str]]:
    def every(session: Session) -> list[tuple[str, str, str]]:
        rows = session.exec(select(AuditEntry).order_by(col(AuditEntry.id)))
        return [(row.actor, row.act, row.subject.rpartition("/")[2]) for row in rows]

    return page.running.ledger.read(every)


async def number_of(page: Browser, title: str) -> int:
    found = [one.id for one in page.running.library.documents() if one.title == title]
    return found[0]


async def test_an_upload_is_read_and_answers_and_is_audited(page: Browser, tmp_path: Path) -> None:
    status, told = await upload(page, ("shop.md", OPEN_HOURS.encode()), tags="Shop, hours")
    assert (status, told["names"]) == (202, ["shop.md"])
    work = await all_read(page)
    assert "1 new, 0 changed" in work
    text = await listed(page)
    assert re.search(r"<caption>1 documents</caption>", text)
    assert '<span class="tag" dir="auto">hours</span>' in text
    _, found = await page.get("documents/search?lang=en&q=When+does+the+shop+open%3F")
    assert "<mark>opens</mark>" in found
    assert acts(page) == [("ann", "upload_document", "shop.md")]
    assert uploads_of(tmp_path) == ["shop.md"]


async def test_several_files_come_in_one_request(page: Browser) -> None:
    status, told = await upload(page, ("a.md", b"Open on Monday."), ("b.txt", "周一营业。".encode()))
    assert (status, told["names"]) == (202, ["a.md", "b.txt"])
    await all_read(page)
    assert len(page.running.library.documents()) == 2


async def test_the_same_name_replaces_only_where_that_was_chosen(page: Browser, tmp_path: Path) -> None:
    await upload(page, ("a.md", b"Open on Monday."))
    await upload(page, ("a.md", b"Open on Tuesday."))
    await upload(page, ("a.md", b"Open on Friday."), replace="1")
    await all_read(page)
    texts = {Path(one.source).name: page.running.library.passages(one.source)[0].text
             for one in page.running.library.documents()}  # fmt: skip
    assert texts == {"a.md": "Open on Friday.", "a (2).md": "Open on Tuesday."}
    assert uploads_of(tmp_path) == ["a (2).md", "a.md"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../escape.md", "escape.md"),
        ("a%00b.md", "a%00b.md"),
        ("x" * 3000 + ".md", "x" * 150 + ".md"),
        ("evil\u202egpj.md", "evilgpj.md"),
    ],
)
async def test_a_hostile_name_stays_in_the_folder(
    page: Browser, tmp_path: Path, name: str, kept: str
) -> None:
    status, told = await upload(page, (name, b"Open on Monday."))
    assert (status, told["names"]) == (202, [kept])
    await all_read(page)
    assert uploads_of(tmp_path) == [kept]
    assert "escape.md" not in os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "is of no kind that is read"), ("zh", "不是可读取的文件类型")]
)
async def test_a_wrong_kind_is_refused_in_one_line_with_the_kinds(
    page: Browser, tmp_path: Path, language: str, said: str
) -> None:
    status, text = await page.post(
        f"documents/upload?lang={language}",
        data=form(("movie.mp4", b"x")),
        headers={"Accept-Language": language},
    )
    detail = json.loads(text)["detail"]
    assert status == 415
    assert said in detail
    assert ".pdf" in detail
    assert "\n" not in detail
    assert (uploads_of(tmp_path), acts(page)) == ([], [])


async def test_too_large_an_upload_is_refused_before_it_is_read(page: Browser, tmp_path: Path) -> None:
    status, told = await upload(page, ("a.md", bytes(1_200_000)))
    assert status == 413
    assert "larger than 1 MB" in told["detail"]
    assert uploads_of(tmp_path) == []


async def test_an_upload_that_does_not_tell_its_size_is_cut_off_at_the_limit(
    page: Browser, tmp_path: Path
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield A_FILE
        for _ in range(30):
            yield b"x" * 100_000

    headers = {"Content-Type": MULTIPART}
    status, text = await page.post("documents/upload", data=body(), headers=headers)
    assert (status, json.loads(text)["code"]) == (413, "too_large")
    assert (uploads_of(tmp_path), acts(page)) == ([], [])


async def test_where_one_of_several_files_is_refused_none_is_kept(page: Browser, tmp_path: Path) -> None:
    status, _ = await upload(page, ("a.md", b"Open."), ("b.exe", b"MZ"))
    assert status == 415
    assert (uploads_of(tmp_path), page.running.library.documents()) == ([], [])


MULTIPART = "multipart/form-data; boundary=b"
A_FIELD = b'--b\r\nContent-Disposition: form-data; name="tags"\r\n\r\n'
A_FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.md"\r\n\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b"no boundary"),
        (MULTIPART, b"nothing of the kind"),
        (MULTIPART, A_FILE + b"half"),
        (MULTIPART, b"--b\r\nnot a header\r\n\r\n--b--\r\n"),
        (MULTIPART, b"--b--\r\n"),
        (MULTIPART, A_FIELD + bytes(400_000) + b"\r\n--b--\r\n"),
        (MULTIPART, b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c--\r\n--b--\r\n"),
    ],
)
async def test_what_is_no_upload_is_refused_in_one_line(
    page: Browser, tmp_path: Path, content_type: str, body: bytes
) -> None:
    status, text = await page.post("documents/upload", data=body, headers={"Content-Type": content_type})
    assert status in (400, 413), text
    assert "\n" not in json.loads(text)["detail"]
    assert uploads_of(tmp_path) == []


@pytest.mark.parametrize("tags", ["x" * 100, "a,b,\u202e", ",".join(str(number) for number in range(30))])
async def test_bad_tags_are_refused_and_the_file_is_not_kept(
    page: Browser, tmp_path: Path, tags: str
) -> None:
    status, told = await upload(page, ("a.md", b"Open."), tags=tags)
    assert (status, told["code"], uploads_of(tmp_path)) == (400, "bad_tag", [])


async def test_a_picture_named_as_a_document_is_told_and_goes(page: Browser, tmp_path: Path) -> None:
    await upload(page, ("a.pdf", b"\x89PNG\r\n\x1a\n" + bytes(100)))
    work = await all_read(page)
    assert "a.pdf: is a PNG picture; give the text as PDF, DOCX, HTML, Markdown or plain text" in work
    assert '<span class="tag error">failed</span>' in work
    await upload(page, ("b.md", b"Open."))
    await all_read(page)
    assert uploads_of(tmp_path) == ["b.md"]


async def test_a_zip_bomb_is_refused_by_what_reads_it(page: Browser) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", bytes(320_000_000 // 4))
    await upload(page, ("a.docx", packed.getvalue()))
    assert "zip bomb" in await all_read(page)
    assert page.running.library.documents() == []


async def test_an_upload_needs_the_owner_and_the_form_of_the_log_in(page: Browser, tmp_path: Path) -> None:
    data = form(("a.md", b"Open."))
    assert (await page.post("documents/upload", data=data, headers={"X-CSRF-Token": "wrong"}))[0] == 403
    for role in (Role.VIEWER, Role.REVIEWER):
        async with logged_in(page.running, role, name=role.value) as other:
            assert (await upload(other, ("a.md", b"Open.")))[0] == 403
            assert (await other.post("documents/read", data={"addresses": "https://example.org"}))[0] == 403
            status, text = await other.get("documents")
            assert (status, "/documents/read" in text, 'id="upload"' in text) == (200, False, False)
    assert uploads_of(tmp_path) == []


async def test_everything_that_a_document_holds_is_shown_as_text(page: Browser) -> None:
    await upload(page, ("a.txt", f"The shop opens {NASTY} on Monday.".encode()), tags="<b>")
    await all_read(page)
    number = page.running.library.documents()[0].id
    for path in ("documents", f"documents/{number}", "documents/search?q=shop+opens+alert"):
        _, text = await page.get(path)
        assert not re.search(r"<script>|\u202e|<style|style=| on\w+=", text), path
        assert "&lt;" in text


async def test_thousands_are_paged_and_searched(page: Browser, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(120):
        (folder / f"{number:03}.md").write_text(
            f"# {'Zebra' if number // 10 == 7 else 'Page'} {number:03}\n\nText {number}."
        )
    await page.running.library.ingest([str(folder)])
    first = await listed(page)
    assert ("page 1 of 3" in first, "Page 049" in first, "Page 050" in first) == (True, True, False)
    assert 'href="/documents?page=2" rel="next"' in first
    assert "Page 119" in await listed(page, "&page=3")
    assert "Page 119" in await listed(page, "&page=999999999")
    assert "page 1 of 3" in await listed(page, "&page=-1")
    found = await listed(page, "&q=zebra+ZEBRA")
    assert ("10 documents" in found, "Zebra 070" in found, "Page 080" in found) == (True, True, False)
    assert "No document fits." in await listed(page, "&q=nothing")


async def test_one_document_shows_its_passages_and_what_was_left_out(page: Browser, tmp_path: Path) -> None:
    await upload(page, ("shop.md", OPEN_HOURS.encode()))
    await all_read(page)
    number = await number_of(page, "Shop")
    _, text = await page.get(f"documents/{number}?lang=en")
    assert "The shop opens at nine on Monday." in text
    assert "We ship beans to Canada" in text
    (tmp_path / "data" / "uploads" / "shop.md").write_text("# Shop\n\nClosed.")
    assert "The file has changed since it was read" in (await page.get(f"documents/{number}?lang=en"))[1]
    (tmp_path / "data" / "uploads" / "shop.md").unlink()
    assert "文件已不存在" in (await page.get(f"documents/{number}?lang=zh"))[1]


@pytest.mark.parametrize("number", ["0", "7", "9" * 19, "9" * 60])
async def test_a_document_that_is_not_there_is_told(page: Browser, number: str) -> None:
    status, text = await page.get(f"documents/{number}?lang=en")
    assert status == 404
    assert "not in the library any more" in text


async def test_tags_are_set_and_taken_away(page: Browser) -> None:
    await upload(page, ("shop.md", OPEN_HOURS.encode()))
    await all_read(page)
    number = await number_of(page, "Shop")
    assert (await page.post(f"documents/{number}/tags", data={"tags": "Shop，价格"}))[0] == 200
    assert page.running.library.documents()[0].tags == {"shop", "价格"}
    assert "No document fits." in await listed(page, "&tag=other")
    assert (await page.post(f"documents/{number}/tags", data={"tags": "a\u202eb"}))[0] == 400
    await page.post(f"documents/{number}/tags", data={"tags": ""})
    assert page.running.library.documents()[0].tags == frozenset()
    assert [act for _, act, _ in acts(page)] == ["upload_document", "tag_document", "tag_document"]


async def test_a_removed_upload_is_gone_with_its_file_and_another_file_stays(
    page: Browser, tmp_path: Path
) -> None:
    (tmp_path / "own.md").write_text("# Own\n\nOpen on Friday.")
    await page.running.library.ingest([str(tmp_path / "own.md")])
    await upload(page, ("shop.md", OPEN_HOURS.encode()))
    await all_read(page)
    for title in ("Own", "Shop"):
        number = await number_of(page, title)
        _, text = await page.get(f"documents/{number}?lang=en")
        assert ("uploaded file is deleted" in text) == (title == "Shop")
        assert (await page.post(f"documents/{number}/remove"))[0] == 200
    assert page.running.library.documents() == []
    assert ((tmp_path / "own.md").exists(), uploads_of(tmp_path)) == (True, [])
    assert acts(page)[1:] == [("ann", "remove_document", "own.md"), ("ann", "remove_document", "shop.md")]


@pytest.mark.parametrize(
    "address", ["/etc/passwd", "file:///etc/passwd", "ftp://example.org/a", "example.org", "data.md"]
)
async def test_only_web_addresses_are_read(page: Browser, address: str) -> None:
    status, text = await page.post("documents/read", data={"addresses": f"https://example.org\n{address}"})
    assert status == 400
    assert "no web address" in text
    assert acts(page) == []


@pytest.mark.parametrize("addresses", ["", " \n ", "\n".join(["https://example.org"] * 101)])
async def test_no_address_or_far_too_many_are_refused(page: Browser, addresses: str) -> None:
    assert (await page.post("documents/read", data={"addresses": addresses}))[0] == 400


async def test_an_address_of_a_private_network_is_refused_unless_it_is_allowed(tmp_path: Path) -> None:
    async def shop(_: web.Request) -> web.Response:
        html = "<html><title>Shop</title><p>The shop opens at nine on Monday, every week.</p></html>"
        return web.Response(text=html, content_type="text/html")

    app = web.Application()
    app.router.add_get("/shop", shop)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}/shop"
    try:
        async with serving(tmp_path / "closed") as page:
            await page.post("documents/read", data={"addresses": address})
            assert "leads to a private network" in await all_read(page)
        async with serving(tmp_path / "open", knowledge={"allow_private_addresses": True}) as page:
            await page.post("documents/read", data={"addresses": address, "tags": "web"})
            await all_read(page)
            assert [one.tags for one in page.running.library.documents()] == [{"web"}]
            number = page.running.library.documents()[0].id
            await page.post(f"documents/{number}/again")
            assert "0 new, 0 changed, 1 unchanged" in await all_read(page)
    finally:
        await runner.cleanup()


async def test_a_password_in_an_address_is_shown_nowhere(page: Browser) -> None:
    await page.post("documents/read", data={"addresses": "https://ann:hunter2@example.org/a"})
    work = await all_read(page)
    assert "holds a name or password" in work
    assert "hunter2" not in work + str(acts(page)) + await listed(page)


async def test_the_playground_tells_what_is_found_and_whether_it_is_enough(page: Browser) -> None:
    await upload(page, ("shop.md", OPEN_HOURS.encode()), tags="shop")
    await all_read(page)
    _, enough = await page.get("documents/search?lang=en&q=What+does+it+cost+to+ship+beans+to+Canada%3F")
    assert "could go out by itself" in enough
    assert "<mark>Canada</mark>" in enough
    assert "found by words" in enough
    assert 'href="/try?question=What+does+it' in enough
    _, short = await page.get("documents/search?lang=en&q=Is+the+shop+on+Mars+haunted+by+bears%3F")
    assert "a person would be asked" in short
    assert "below the threshold" in short or "holds nothing that fits" in short
    _, nothing = await page.get("documents/search?lang=zh&q=zzz")
    assert "资料里没有相关内容" in nothing


async def test_the_playground_searches_what_a_channel_may_answer_from(page: Browser) -> None:
    await upload(page, ("shop.md", OPEN_HOURS.encode()), tags="shop")
    await all_read(page)
    rules = {"tags": ["other"], "min_support": 0.99}
    page.running.ledger.write(
        channels.add, name="tube", platform="sandbox", options={}, rules=rules, now=START
    )
    query = "documents/search?lang=en&q=When+does+the+shop+open%3F"
    _, scoped = await page.get(f"{query}&channel=tube")
    assert "Only documents with the tags: other" in scoped
    assert "The documents hold nothing that fits" in scoped
    _, wide = await page.get(f"{query}&channel=tube&tag=shop")
    assert "<mark>opens</mark>" in wide
    assert "threshold 0.99" in wide


async def test_the_playground_leads_on_to_the_whole_reply_for_those_who_may(page: Browser) -> None:
    async with logged_in(page.running, Role.VIEWER, name="vic") as viewer:
        status, text = await viewer.get("documents/search?q=shop")
        assert (status, "/try?" in text) == (200, False)
    _, text = await page.get("try?question=When+%3Cb%3Edo")
    assert "When &lt;b&gt;do</textarea>" in text


async def test_too_long_a_question_is_refused_in_one_line(page: Browser) -> None:
    status, text = await page.get(f"documents/search?lang=en&q={'x' * 501}")
    assert status == 400
    assert "has 501 characters; this page takes 500" in text


async def test_a_process_that_only_serves_pages_tells_whose_library_it_shows(tmp_path: Path) -> None:
    async with serving(tmp_path, roles=frozenset({"web"})) as page:
        assert "only serves pages" in await listed(page)
        assert "本进程只提供页面" in (await page.get("documents?lang=zh"))[1]
        assert "only serves pages" in (await page.get("voices?lang=en"))[1]


async def test_without_a_script_the_page_says_how_to_bring_a_file_in(page: Browser) -> None:
    assert re.search(r"<noscript>.*rejoinder ingest FILE.*</noscript>", await listed(page))
    assert 'id="upload" hidden' in await listed(page)


async def test_nothing_is_removed_while_documents_are_read(page: Browser, tmp_path: Path) -> None:
    await upload(page, ("shop.md", OPEN_HOURS.encode()))
    await all_read(page)
    number = await number_of(page, "Shop")
    # As a second process that is writing, which keeps a job waiting.
    with WriterLock(tmp_path / "data" / "knowledge" / "writer.lock").held(0) as got:
        assert got
        await upload(page, ("b.md", b"Closed."))
        status, text = await page.post(f"documents/{number}/remove")
        assert (status, "Documents are being read" in text) == (409, True)
        async with asyncio.timeout(20):
            while "another process is writing" not in (await page.get("documents/work?lang=en"))[1]:
                pass
        job = re.search(r"/documents/work/(\d+)/stop", await listed(page))
        assert job is not None
        assert (await page.post(f"documents/work/{job[1]}/stop"))[0] == 200
        assert "stopped" in await all_read(page)
    assert acts(page)[-1] == ("ann", "stop_reading", job[1])
    assert (await page.post(f"documents/{number}/remove"))[0] == 200
