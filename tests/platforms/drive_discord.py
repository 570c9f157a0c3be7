"""Uses Discord's REST API as discord.py does. Arguments: address, token, channel. Prints what it saw as JSON."""

import asyncio
import json
import sys

import discord
from discord.http import Route


async def main(base: str, token: str, number: str) -> None:
    Route.BASE = base
    client = discord.Client(intents=discord.Intents.none())
    await client.login(token)
    channel = await client.fetch_channel(int(number))
    messages = [
        message
        async for message in channel.history(limit=None, after=discord.Object(id=0), oldest_first=True)
    ]
    target = messages[-1]
    sent = await target.reply("an answer 你好", nonce="n-1", mention_author=False)
    threads = await channel.guild.active_threads()
    archived = [thread async for thread in channel.archived_threads(limit=None)]
    await channel.send("sent once by us")
    try:
        await channel.send("x" * 2001)
        refused = 0
    except discord.HTTPException as exc:
        refused = exc.code
    await client.close()
    print(
        json.dumps(
            {
                "me": client.user.name,
                "intent": client.application_flags.gateway_message_content_limited
                if client.application
                else None,
                "channel": channel.name,
                "messages": [message.content for message in messages],
                "answered": [message.reference and message.reference.message_id for message in messages],
                "sent": [sent.content, sent.reference.message_id],
                "target": target.id,
                "threads": [thread.name for thread in threads],
                "archived": [thread.name for thread in archived],
                "refused": refused,
            }
        )
    )


asyncio.run(main(*sys.argv[1:]))
