"""The review desk as a person uses it."""

import asyncio
import re
from typing import Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Locator, Page, expect
from sqlmodel import Session, col, select

from bot.models import Comment, Hold, Reply, Role, State, Verdict
from tests.browser.conftest import Scene
from tests.browser.house import PHONE, Waiting, add, shot, sitting
from tests.browser.work import by

pytestmark = pytest.mark.asyncio(loop_scope="session")
LIST = "#list .one:not(.over)"


async def opened(page: Page, scene: Scene, path: str = "review") -> None:
    """The desk with a comment on the screen, held by its reader."""
    async with page.expect_response(re.compile(r"/hold$")):
        await page.goto(f"{scene.running.page}{path}")


def shown(page: Page, number: int) -> Locator:
    return page.locator(f'.item[data-id="{number}"]')


def found(scene: Scene, number: int) -> tuple[Comment, Reply | None, list[Verdict]]:
    def look(session: Session) -> tuple[Comment, Reply | None, list[Verdict]]:
        verdicts = select(Verdict).where(Verdict.comment_id == number).order_by(col(Verdict.id))
        reply = session.exec(select(Reply).where(Reply.comment_id == number)).first()
        return session.get_one(Comment, number), reply, list(session.exec(verdicts))

    return scene.running.ledger.read(look)


def _comment(session: Session, number: int) -> Comment:
    return session.get_one(Comment, number)


def _hold(session: Session) -> Hold | None:
    return session.get(Hold, 1)


async def until(scene: Scene, number: int, state: State) -> Comment:
    """The comment, once it is in `state`."""
    async with asyncio.timeout(10):
        while (comment := await scene.running.ledger.aread(_comment, number)).state != state:
            pass
    return comment


async def test_one_key_approves_and_the_next_comment_is_there(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("a")
        await expect(shown(page, 2)).to_be_visible()
        await expect(page.locator("#toast")).to_contain_text("Approved")
        await until(scene, 1, State.READY)
    _, reply, (verdict,) = found(scene, 1)
    assert reply is not None
    assert reply.text.startswith("For a light roast")
    assert (verdict.kind, verdict.chosen, verdict.via, verdict.by) == ("approve", 0, "page", "ann")
    assert verdict.took_s is not None
    assert 0 <= verdict.took_s < 60


async def test_a_number_chooses_the_candidate_and_its_words_are_marked(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await expect(page.locator("mark.on").first).to_be_visible()
        before = await page.locator("mark.on").all_inner_texts()
        await page.keyboard.press("2")
        assert await page.locator("mark.on").all_inner_texts() != before
        await page.keyboard.press("a")
        await until(scene, 1, State.READY)
    assert found(scene, 1)[2][0].chosen == 1


async def test_pointing_at_a_sentence_lights_the_words_that_bear_it(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.locator('.s[data-s="0-2"]').focus()
        lit = await page.locator("mark.lit").all_inner_texts()
        assert "crack" in lit
        assert "dark" not in lit


async def test_an_edit_is_sent_with_ctrl_enter_and_keys_are_letters_meanwhile(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("e")
        area = page.locator("#edit textarea")
        await expect(area).to_be_focused()
        await area.fill("")
        await page.keyboard.type("Ask jay, as I say: nine minutes.")
        await expect(page.locator(".counter")).to_contain_text("32 of")
        await shot(page, "editor")
        await page.keyboard.press("Control+Enter")
        await expect(shown(page, 2)).to_be_visible()
        await until(scene, 1, State.READY)
    _, reply, (verdict,) = found(scene, 1)
    assert reply is not None
    assert reply.text == "Ask jay, as I say: nine minutes."
    assert (verdict.kind, verdict.chosen) == ("edit", 0)


async def test_what_is_too_long_is_told_and_not_sent(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("e")
        await page.locator("#edit textarea").fill("长" * 10_001)
        await expect(page.locator(".counter.bad")).to_contain_text("1 too many")
        await page.keyboard.press("Control+Enter")
        await expect(shown(page, 1)).to_be_visible()
    assert found(scene, 1)[2] == []


async def test_what_was_written_survives_a_reload_and_is_not_passed_over(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene, "review/1")
        await page.keyboard.press("e")
        await page.locator("#edit textarea").fill("Half a thought")
        await opened(page, scene, "review/1")
        await expect(page.locator("#edit textarea")).to_have_value("Half a thought")
        await page.locator("#detail").focus()
        await page.keyboard.press("a")
        await expect(page.locator("#edit textarea")).to_be_focused()
    assert found(scene, 1)[2] == []


async def test_a_rejection_takes_a_quick_reason(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("r")
        await shot(page, "reject")
        await page.keyboard.press("2")
        await expect(shown(page, 2)).to_be_visible()
        comment = await until(scene, 1, State.SKIPPED)
    assert (comment.reason, found(scene, 1)[2][0].reason) == ("rejected_by_person", "It does not answer")


async def test_a_rejection_takes_a_reason_in_own_words(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("r")
        await page.keyboard.type("so stiff")
        await page.keyboard.press("Enter")
        await until(scene, 1, State.SKIPPED)
    assert found(scene, 1)[2][0].reason == "so stiff"


async def test_skipping_and_taking_it_back_brings_the_comment_back(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("s")
        await expect(shown(page, 2)).to_be_visible()
        await expect(page.locator("#toast")).to_contain_text("Skipped")
        await until(scene, 1, State.SKIPPED)
        await page.keyboard.press("u")
        await expect(shown(page, 1)).to_be_visible()
        await expect(page.locator(LIST).first).to_have_attribute("data-id", "1")
        await page.keyboard.press("a")
        await until(scene, 1, State.READY)
    assert [verdict.kind for verdict in found(scene, 1)[2]] == ["skip", "approve"]


async def test_an_approval_is_taken_back_while_it_waits(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("a")
        await expect(page.locator("#toast")).to_contain_text("Goes out in")
        await shot(page, "undo")
        await page.locator("#toast button").click()
        await until(scene, 1, State.REVIEW)
        await expect(shown(page, 1)).to_be_visible()
    assert found(scene, 1)[1] is None


async def test_a_new_draft_comes_back_by_itself(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("g")
        await page.keyboard.type("shorter")
        await page.keyboard.press("Enter")
        await expect(page.locator(".writing")).to_be_visible()
        await shot(page, "writing")
        (work,) = scene.desk.claim()
        assert work.comment.hint == "shorter"
        scene.desk.decide(work, State.REVIEW, "Ten.")
        await expect(page.locator(".candidate .text")).to_contain_text("Ten.")
        await expect(shown(page, 1)).to_be_visible()


async def test_several_are_approved_after_a_preview_and_taken_back_together(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.locator(f"{LIST} [name=ids]").nth(1).check()
        await page.locator(f"{LIST} [name=ids]").nth(4).click(modifiers=["Shift"])
        await expect(page.locator("#selected .count")).to_have_text("4 selected")
        await page.locator("#detail").focus()
        await page.keyboard.press("Shift+A")
        dialog = page.locator("#many")
        await expect(dialog.locator("h2").first).to_have_text("2 replies will be sent")
        await expect(dialog).to_contain_text("2 cannot be")
        await shot(page, "bulk")
        await page.keyboard.press("Enter")
        await expect(dialog).to_be_hidden()
        await expect(page.locator('.one[data-id="2"]')).to_have_count(0)
        assert [found(scene, number)[0].state for number in (2, 3, 4, 5)] == [
            "ready",
            "ready",
            "review",
            "review",
        ]
        await page.keyboard.press("u")
        await expect(page.locator('.one[data-id="2"]')).to_be_visible()
    assert found(scene, 2)[0].state == State.REVIEW


async def test_search_narrows_the_list_and_stands_in_the_address(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("/")
        await page.keyboard.type("冰箱")
        await expect(page.locator(LIST)).to_have_count(1)
        await page.keyboard.press("Enter")
        await expect(shown(page, 2)).to_be_visible()
        assert "q=%E5%86%B0%E7%AE%B1" in page.url
        await page.keyboard.press("s")
        await expect(page.locator(".empty")).to_be_visible()


async def test_filters_narrow_the_list(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.locator("#narrow summary").click()
        await page.locator("#narrow select[name=reason]").select_option("injection")
        await expect(page.locator(LIST)).to_have_count(1)
        await expect(page.locator("#narrow summary")).to_contain_text("1 match")
        await shot(page, "filters")


async def test_keys_of_an_input_method_decide_nothing(scene: Scene) -> None:
    """While a Chinese input method composes, browsers still tell of each key."""
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.evaluate(
            """() => {
              for (const options of [{ isComposing: true }, { keyCode: 229 }])
                for (const key of ["a", "s", "Enter", "1"])
                  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...options }));
            }"""
        )
        await page.keyboard.press("Control+a")
        await page.keyboard.press("Alt+s")
        await page.keyboard.press("e")
        client = await page.context.new_cdp_session(page)
        await page.locator("#edit textarea").fill("")
        await client.send("Input.imeSetComposition", {"text": "hao", "selectionStart": 3, "selectionEnd": 3})
        await page.evaluate(
            """() => document.activeElement.dispatchEvent(new KeyboardEvent("keydown",
                 { key: "Enter", ctrlKey: true, isComposing: true, bubbles: true }))"""
        )
        await client.send("Input.insertText", {"text": "好的"})
        await expect(page.locator("#edit textarea")).to_have_value("好的")
        await expect(shown(page, 1)).to_be_visible()
    assert found(scene, 1)[2] == []


async def test_two_reviewers_do_not_meet_on_one_comment(scene: Scene) -> None:
    async with (
        sitting(scene.browser, scene.running) as ann,
        sitting(scene.browser, scene.running, "bo") as bo,
    ):
        await opened(ann, scene)
        await opened(bo, scene)
        await expect(shown(bo, 2)).to_be_visible()
        await expect(bo.locator('.one[data-id="1"] .held')).to_have_text("ann is on it")
        await shot(bo, "two-reviewers")
        await expect(ann.locator('.one[data-id="2"] .held')).to_have_text("bo is on it")
        await ann.keyboard.press("j")
        await expect(shown(ann, 3)).to_be_visible()
        await expect(bo.locator('.one[data-id="3"] .held')).to_have_text("ann is on it")
        await bo.keyboard.press("a")
        await expect(shown(bo, 4)).to_be_visible()
        await expect(ann.locator('.one[data-id="2"]:not(.over)')).to_have_count(0)


async def test_what_another_has_open_is_decided_only_after_taking_it_over(scene: Scene) -> None:
    async with (
        sitting(scene.browser, scene.running) as ann,
        sitting(scene.browser, scene.running, "bo") as bo,
    ):
        await opened(ann, scene, "review/2")
        await opened(bo, scene, "review/2")
        await expect(bo.locator(".taken")).to_contain_text("ann is on it")
        await bo.keyboard.press("a")
        await expect(bo.locator("#toast.bad")).to_contain_text("ann is on it")
        await bo.locator(".taken button").click()
        await expect(bo.locator(".taken")).to_be_hidden()
        await expect(ann.locator(".taken")).to_contain_text("bo is on it")
        await bo.keyboard.press("a")
        await until(scene, 2, State.READY)
        await expect(ann.locator(".changed")).to_contain_text("bo has decided")


async def test_an_edit_of_what_has_changed_is_refused_and_kept(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene, "review/2")
        await page.keyboard.press("e")
        await page.locator("#edit textarea").fill("My own words")

        def change(session: Session) -> None:
            comment = session.get_one(Comment, 2)
            comment.version += 1
            session.add(comment)

        scene.running.ledger.write(change)
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#toast.bad")).to_contain_text("changed")
        await expect(shown(page, 2)).to_be_visible()
        await expect(page.locator("#edit textarea")).to_have_value("My own words")
        await page.locator("#edit textarea").focus()
        await page.keyboard.press("Control+Enter")
        await until(scene, 2, State.READY)


async def test_leaving_the_page_gives_the_comment_back(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        assert scene.running.ledger.read(_hold) is not None
        await page.goto(f"{scene.running.page}try")
        async with asyncio.timeout(10):
            while await scene.running.ledger.aread(_hold) is not None:
                pass


async def test_verdicts_outlast_a_lost_connection(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await expect(page.locator(".item")).to_be_visible()
        await page.context.set_offline(True)
        await page.keyboard.press("a")
        await expect(page.locator("#line")).to_contain_text("Verdicts kept: 1")
        await shot(page, "offline")
        assert found(scene, 1)[2] == []
        await page.context.set_offline(False)
        await until(scene, 1, State.READY)
        await expect(page.locator("#line")).to_be_hidden()
    assert len(found(scene, 1)[2]) == 1


async def test_new_work_shows_up_without_a_reload(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        async with page.expect_response(re.compile("/review/events")):
            await opened(page, scene)
        add(scene.desk, [Waiting(by(900, "Nora", "Is there a decaf?"))])
        await expect(page.locator("#new")).to_have_text("1 new")
        await expect(page).to_have_title(re.compile(r"^\(22\)"))
        await expect(shown(page, 1)).to_be_visible()
        await page.keyboard.press("n")
        await expect(page.locator(LIST).last).to_contain_text("decaf")


async def test_a_viewer_sees_everything_and_decides_nothing(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running, "vera", Role.VIEWER) as page:
        await page.goto(f"{scene.running.page}review")
        await expect(shown(page, 1)).to_be_visible()
        await expect(page.locator(".acts, .pick, #selected")).to_have_count(0)
        await page.keyboard.press("a")
        await page.keyboard.press("j")
        await expect(shown(page, 2)).to_be_visible()
    assert found(scene, 1)[0].state == State.REVIEW


async def test_help_lists_the_keys_and_the_language_switches(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("?")
        await expect(page.locator("#help")).to_contain_text("approve the chosen candidate")
        await shot(page, "help")
        await page.keyboard.press("a")
        await page.keyboard.press("Escape")
        await expect(page.locator("#help")).to_be_hidden()
        await page.locator("a.language").click()
        await expect(page.locator("#approve .main")).to_contain_text("批准")
        await page.emulate_media(color_scheme="dark")
        await shot(page, "desk-dark-zh")
    assert found(scene, 1)[2] == []


async def test_a_phone_shows_the_list_then_the_comment(scene: Scene) -> None:
    phone = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
    async with sitting(scene.browser, scene.running, **phone) as page:
        await page.goto(f"{scene.running.page}review")
        await expect(page.locator("#detail")).to_be_hidden()
        await shot(page, "phone-list")
        await page.locator(".one a").first.tap()
        button = page.locator("#approve .main")
        await expect(button).to_be_in_viewport()
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
        await shot(page, "phone-detail")
        await page.locator(".back").tap()
        await expect(page.locator("#list")).to_be_visible()
        await page.locator(".one a").first.tap()
        await button.tap()
        await expect(shown(page, 2)).to_be_visible()
        await until(scene, 1, State.READY)
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_axe_finds_no_serious_fault(
    scene: Scene, language: str, scheme: Literal["light", "dark"]
) -> None:
    async with sitting(scene.browser, scene.running, color_scheme=scheme) as page:
        await opened(page, scene, f"review/1?lang={language}")
        await page.locator("#narrow summary").click()
        await page.keyboard.press("Escape")
        for key in ("", "e", "Escape", "r"):
            if key:
                await page.keyboard.press(key)
            found = (await Axe().run(page)).response["violations"]
            grave = [one for one in found if one["impact"] in ("serious", "critical")]
            assert not grave, [(one["id"], [node["html"] for node in one["nodes"]]) for one in grave]


@pytest.mark.parametrize("number", [3, 4, 5, 6])
async def test_whatever_a_comment_holds_is_shown_as_text_and_fits(scene: Scene, number: int) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene, f"review/{number}")
        await shot(page, f"comment-{number}")
        assert await page.locator("#desk script, #desk img").count() == 0
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 1360


async def test_without_a_script_forms_and_links_do_the_same(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running, java_script_enabled=False) as page:
        await page.goto(f"{scene.running.page}review/1")
        await shot(page, "no-script")
        await page.locator("#approve .main").click()
        await expect(shown(page, 2)).to_be_visible()
        await expect(page.locator(".line.good")).to_contain_text("Approved")
        await page.locator(".line.good button").click()
        await expect(shown(page, 1)).to_be_visible()
        await page.locator("#edit summary").click()
        await page.locator("#edit textarea").fill("Nine.")
        await page.locator("#edit .main").click()
        await expect(shown(page, 2)).to_be_visible()
    assert [verdict.text for verdict in found(scene, 1)[2]][-1] == "Nine."
