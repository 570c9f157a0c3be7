"""Uses a Bot API server as aiogram does. Arguments: address, token, group. Prints what it saw as JSON."""

import asyncio
import json
import sys

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramBadRequest, TelegramUnauthorizedError
from aiogram.types import LinkPreviewOptions, ReplyParameters


def new_bot(base: str, token: str) -> Bot:
    return Bot(token, session=AiohttpSession(api=TelegramAPIServer.from_base(base)))


async def main(base: str, token: str, group: str) -> None:
    bot = new_bot(base, token)
    me = await bot.get_me()
    hook = await bot.get_webhook_info()
    chat = await bot.get_chat(int(group))
    member = await bot.get_chat_member(int(group), me.id)
    updates = await bot.get_updates(limit=100, timeout=0, allowed_updates=["message", "my_chat_member"])
    messages = [update.message for update in updates if update.message]
    target = messages[-1]
    sent = await bot.send_message(
        int(group),
        "an answer 你好",
        reply_parameters=ReplyParameters(message_id=target.message_id, allow_sending_without_reply=False),
        link_preview_options=LinkPreviewOptions(is_disabled=True),
    )
    try:
        await bot.send_message(int(group), "late", reply_parameters=ReplyParameters(message_id=99_999))
        refused = ""
    except TelegramBadRequest as exc:
        refused = exc.message
    confirmed = await bot.get_updates(offset=updates[-1].update_id + 1, timeout=0)
    stranger = new_bot(base, token[:-3] + "xyz")
    try:
        await stranger.get_me()
        unknown = False
    except TelegramUnauthorizedError:
        unknown = True
    await stranger.session.close()
    await bot.session.close()
    print(
        json.dumps(
            {
                "me": me.username,
                "hook": hook.url,
                "channel": chat.linked_chat_id,
                "status": member.status,
                "posts": [message.text for message in messages if message.is_automatic_forward],
                "threads": [message.message_thread_id for message in messages],
                "answered": [
                    message.reply_to_message and message.reply_to_message.message_id for message in messages
                ],
                "sent": [sent.text, sent.reply_to_message.message_id, sent.message_thread_id],
                "target": target.message_id,
                "refused": refused,
                "left": len(confirmed),
                "unknown": unknown,
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
