"""The well-kept libraries accept the servers that stand in for Telegram and Discord."""

import pytest

from tests.conftest import require
from tests.platforms import discord as discords
from tests.platforms import telegram as telegrams
from tests.platforms.libraries import drive, install


@pytest.fixture(scope="module", autouse=True)
def _libraries() -> None:
    problem = install()
    require(not problem, problem)


async def test_aiogram_uses_the_bot_api_server() -> None:
    state = telegrams.Telegram()
    post = state.post("A post")
    first = state.write("怎么开始？", thread=post, answers=post)
    second = state.write("and then?", thread=post, answers=first)
    async with telegrams.serving(state) as url:
        said = await drive("drive_telegram.py", url, telegrams.TOKEN, str(telegrams.GROUP))
    assert said == {
        "me": "creator_bot",
        "hook": "",
        "channel": telegrams.CHANNEL["id"],
        "status": "administrator",
        "posts": ["A post"],
        "threads": [None, post, post],
        "answered": [None, post, first],
        "sent": ["an answer 你好", second, post],
        "target": second,
        "refused": "Bad Request: message to be replied not found",
        "left": 0,
        "unknown": True,
    }


async def test_discord_py_uses_the_rest_api() -> None:
    state = discords.Discord()
    wanted = [f"comment {number}" for number in range(120)]
    numbers = [state.write(text) for text in wanted]
    numbers.append(state.write("怎么开始？", answers=numbers[0]))
    state.start_thread("talk", message=numbers[1])
    state.archive(state.start_thread("old talk", message=numbers[2]))
    async with discords.serving(state) as url:
        said = await drive("drive_discord.py", url, discords.TOKEN, discords.CHANNEL)
    assert said.pop("intent") is True
    assert said == {
        "me": "creator_bot",
        "channel": "questions",
        "messages": [*wanted, "怎么开始？"],
        "answered": [*(None for _ in wanted), int(numbers[0])],
        "sent": ["an answer 你好", int(numbers[-1])],
        "target": int(numbers[-1]),
        "threads": ["talk"],
        "archived": ["old talk"],
        "refused": 50035,
    }


async def test_discord_py_repeats_a_post_by_itself_which_is_why_we_do_not_send_with_it() -> None:
    state = discords.Discord(fail_writes=2)
    state.write("a question")
    async with discords.serving(state) as url:
        await drive("drive_discord.py", url, discords.TOKEN, discords.CHANNEL)
    sent = [body["content"] for body in state.bodies]
    assert sent.count("an answer 你好") == 3
