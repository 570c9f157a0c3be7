"""What a hand, a keyboard or a line that drops must not do at the desk."""

import re
from datetime import timedelta

import pytest
from playwright.async_api import expect
from sqlmodel import Session

from bot.models import Comment, Role, State
from bot.store import access
from bot.store.states import Move, move
from bot.web.gate import COOKIE
from tests.browser.conftest import Scene
from tests.browser.house import sitting
from tests.browser.test_desk import LIST, found, opened, shown, until
from tests.site import AGENT, logged_in

pytestmark = pytest.mark.asyncio(loop_scope="session")
PRESS = """(press) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...press }))"""


async def test_a_key_pressed_twice_by_accident_decides_one_comment(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.evaluate(
            """async () => {
              const press = () => document.activeElement.dispatchEvent(
                new KeyboardEvent("keydown", { key: "a", bubbles: true, cancelable: true }));
              press();
              while (document.querySelector(".item").dataset.id !== "2") await new Promise(requestAnimationFrame);
              press();
            }"""
        )
        await until(scene, 1, State.READY)
        await page.evaluate(PRESS, {"key": "j"})
        await expect(shown(page, 3)).to_be_visible()
    assert found(scene, 2)[2] == []


@pytest.mark.parametrize(
    "press",
    [
        {"key": "A", "code": "KeyA"},
        {"key": "ф", "code": "KeyA"},
        {"key": "ａ", "code": "KeyA"},
    ],
    ids=["CapsLock", "Cyrillic", "full width"],
)
async def test_letters_mean_the_same_on_every_keyboard(scene: Scene, press: dict[str, str]) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.evaluate(PRESS, press)
        await expect(shown(page, 2)).to_be_visible()
        await until(scene, 1, State.READY)


async def test_digits_of_a_french_keyboard_choose_without_shift(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.evaluate(PRESS, {"key": "é", "code": "Digit2"})
        await expect(page.locator(".candidates input").nth(1)).to_be_checked()
        await page.evaluate(PRESS, {"key": "!", "code": "Digit1", "shiftKey": True})
        await expect(page.locator(".candidates input").nth(1)).to_be_checked()


async def test_undo_takes_back_what_was_decided_last_although_the_line_is_down(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("a")
        await expect(shown(page, 2)).to_be_visible()
        await until(scene, 1, State.READY)
        await expect(page.locator("#toast")).to_contain_text("#1")
        await page.context.set_offline(True)
        await page.keyboard.press("s")
        await expect(page.locator("#line")).to_contain_text("kept: 1")
        await page.keyboard.press("u")
        await page.context.set_offline(False)
        await expect(page.locator("#toast")).to_contain_text("Taken back · #2")
        await expect(page.locator(f'{LIST}[data-id="2"]')).to_have_count(1)
        await expect(shown(page, 2)).to_be_visible()
    assert found(scene, 1)[0].state == State.READY
    assert found(scene, 2)[0].state == State.REVIEW


async def test_what_is_decided_cannot_be_decided_again_while_the_line_is_down(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await expect(shown(page, 1)).to_be_visible()
        await page.context.set_offline(True)
        for key in "asasas":
            await page.keyboard.press(key)
        kept = await page.evaluate(
            """() => JSON.parse(sessionStorage[Object.keys(sessionStorage).find((key) => key.includes("outbox"))])
                 .map((entry) => entry.id)"""
        )
        assert len(set(kept)) == len(kept)


async def test_enter_held_down_does_not_send_what_the_preview_shows(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.locator(f"{LIST} [name=ids]").nth(1).check()
        await page.locator("#selected button").first.focus()
        await page.keyboard.down("Enter")
        await expect(page.locator("#many h2").first).to_be_visible()
        for _ in range(5):
            await page.keyboard.down("Enter")
        await page.keyboard.up("Enter")
        await expect(page.locator("#many h2").first).to_have_text("1 replies will be sent")
        assert found(scene, 2)[0].state == State.REVIEW


async def test_who_cancels_an_edit_approves_the_draft_with_the_same_key(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("e")
        await page.keyboard.type(" Oh no")
        await page.locator('#edit [data-do="discard"]').click()
        await page.keyboard.press("a")
        await expect(shown(page, 2)).to_be_visible()
        await until(scene, 1, State.READY)
    assert found(scene, 1)[2][0].kind == "approve"


async def test_the_words_of_an_edit_that_is_taken_back_are_in_the_editor_again(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.keyboard.press("e")
        await page.locator("#edit textarea").fill("Nine minutes, with a tpyo.")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#toast")).to_contain_text("#1")
        await page.keyboard.press("u")
        await expect(shown(page, 1)).to_be_visible()
        await expect(page.locator("#edit textarea")).to_have_value("Nine minutes, with a tpyo.")
        await expect(page.locator("#edit .kept")).not_to_contain_text("refused")


async def test_verdicts_go_out_once_the_same_person_has_logged_in_again(scene: Scene) -> None:
    """In another tab, as the line asks for: the log-in that the page knew is over."""
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        scene.running.ledger.write(access.end_sittings, 1)
        await page.keyboard.press("a")
        await expect(page.locator("#line")).to_contain_text("logged out")
        sit = {"agent": AGENT, "address": "127.0.0.1", "now": scene.clock(), "lasts": timedelta(hours=1)}
        _, token = scene.running.ledger.write(access.begin_sitting, person_id=1, **sit)
        site = scene.running.page or ""
        await page.context.add_cookies([{"name": COOKIE, "value": token, "url": site}])
        await page.evaluate("dispatchEvent(new Event('online'))")
        await until(scene, 1, State.READY)
        await expect(page.locator("#line")).to_be_hidden()


async def test_verdicts_of_one_person_do_not_go_out_as_another(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        scene.running.ledger.write(access.end_sittings, 1)
        await page.keyboard.press("a")
        await expect(page.locator("#line")).to_contain_text("logged out")
        async with logged_in(scene.running, Role.REVIEWER, "bo") as site:
            token = site.http.headers["Cookie"].partition("=")[2]
            await page.context.add_cookies([{"name": COOKIE, "value": token, "url": site.url}])
            async with page.expect_response(re.compile(r"/review/1/verdict$")):
                await page.evaluate("dispatchEvent(new Event('online'))")
            await page.goto(f"{site.url}review")
            await expect(page.locator(".item")).to_be_visible()
    assert found(scene, 1)[2] == []


async def test_many_can_be_sent_again_after_the_line_was_down(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.locator(f"{LIST} [name=ids]").nth(1).check()
        await page.locator("#detail").focus()
        await page.keyboard.press("Shift+A")
        await expect(page.locator("#many h2").first).to_be_visible()
        await page.context.set_offline(True)
        await page.locator("#many .main").click()
        await expect(page.locator("#toast.bad")).to_be_visible()
        await page.context.set_offline(False)
        await page.locator("#many .main").click()
        await until(scene, 2, State.READY)


async def test_a_reason_that_is_being_written_is_not_taken_away(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene, "review/1")
        await page.keyboard.press("g")
        await page.keyboard.type("shorter and warm")

        def change(session: Session) -> None:
            comment = session.get_one(Comment, 1)
            comment.version += 1
            session.add(comment)

        scene.running.ledger.write(change)
        async with page.expect_response(re.compile(r"/hold$")):
            await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        for _ in range(2):
            await page.evaluate("fetch('/review/item/1').then((answer) => answer.text())")
        await page.keyboard.type("er")
        await expect(page.locator("#again input[name=text]")).to_have_value("shorter and warmer")


async def test_a_reply_is_copied_without_the_numbers_of_its_sentences(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        copied = await page.evaluate(
            """() => {
              getSelection().selectAllChildren(document.querySelector(".candidate .text"));
              return getSelection().toString();
            }"""
        )
        assert copied.startswith("For a light roast, nine to ten minutes in a drum roaster is right. Stop")


async def test_all_that_match_is_no_longer_chosen_once_something_else_matches(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        await opened(page, scene)
        await page.locator(f"{LIST} [name=ids]").nth(6).check()
        await page.locator('[name="all"]').check()
        await page.keyboard.press("/")
        await page.keyboard.type("Reader 1")
        await expect(page.locator(LIST)).to_have_count(11)
        await expect(page.locator('[name="all"]')).not_to_be_checked()


async def test_what_the_program_did_is_not_told_as_somebodys_verdict(scene: Scene) -> None:
    async with sitting(scene.browser, scene.running) as page:
        async with page.expect_response(re.compile("/review/events")):
            await opened(page, scene)
        done = Move(1, State.REVIEW, State.SKIPPED, "answered_by_human")
        scene.running.ledger.write(move, [done], now=scene.clock(), actor="poller")
        await expect(page.locator(".changed")).to_have_text("It has moved on: skipped")
        await expect(page.locator('.one[data-id="1"] .held')).to_have_text("It has moved on: skipped")
