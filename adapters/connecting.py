"""What an account needs on each platform before it can be read and answered from, as data.

An adapter of one's own may declare it itself, as the class attribute `connect`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from adapters.base import AdapterFactory


@dataclass(frozen=True, slots=True)
class OAuth:
    """How a person lets us act for an account (RFC 6749, RFC 7636, RFC 8628).

    Addresses may hold options of the channel in braces, such as {base_url}.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    """Without one of these the account cannot be used."""
    more_scopes: tuple[str, ...] = ()
    """Asked for, and missed by nobody who refuses them."""
    separator: str = " "
    """Between scopes."""
    device_url: str = ""
    """Where a machine without a browser asks for a code; empty: nowhere."""
    client_id: str = "client_id"
    """What the platform calls it; the option has the same name."""
    client_secret: str = "client_secret"  # noqa: S105  (the name of an option)
    pkce: bool = True
    """The platform takes a code challenge (S256)."""
    authorize: Mapping[str, str] = field(default_factory=dict)
    """Further parameters of the address that the person opens."""
    within: str = ""
    """The key under which an answer holds what others hold at the top."""
    gives: tuple[str, ...] = ()
    """Options that the answer fills in."""


@dataclass(frozen=True, slots=True)
class Connect:
    """What connecting takes."""

    needs: tuple[str, str]
    """What a person needs beforehand and where it is made, in English and Chinese; empty: nothing to say."""
    page: str = ""
    """The platform's page for it."""
    asks: tuple[str, ...] = ()
    """Options that are asked for though the adapter could do without."""
    oauth: OAuth | None = None
    """None: the options are all it takes."""


def connect_of(platform: str, factory: AdapterFactory) -> Connect:
    """What the adapter declares, or what is known of the platform."""
    declared = getattr(factory, "connect", None)
    return declared if isinstance(declared, Connect) else KNOWN.get(platform, Connect(("", "")))


YOUTUBE: Final = OAuth(
    authorize_url="https://accounts.google.com/o/oauth2/v2/auth",
    token_url="{token_url}",  # noqa: S106  (an address)
    device_url="https://oauth2.googleapis.com/device/code",
    scopes=("https://www.googleapis.com/auth/youtube.force-ssl",),
    # Google hands a refresh token out only when asked for it, and again only after asking the person.
    authorize={"access_type": "offline", "prompt": "consent"},
)

DOUYIN: Final = OAuth(
    authorize_url="{base_url}/platform/oauth/connect/",
    token_url="{base_url}/oauth/access_token/",  # noqa: S106  (an address)
    scopes=("item.comment",),
    more_scopes=("renew_refresh_token",),
    separator=",",
    client_id="client_key",
    pkce=False,
    within="data",
    gives=("open_id",),
)

KNOWN: Final[Mapping[str, Connect]] = {
    "youtube": Connect(
        (
            "A Google Cloud project with the YouTube Data API v3 switched on, and in it an OAuth client of the kind "
            "'Desktop app': its client id and client secret.",
            "需要一个启用了 YouTube Data API v3 的 Google Cloud 项目，并在其中创建类型为“桌面应用”的 OAuth 客户端："
            "填写它的客户端 ID 和客户端密钥。",
        ),
        page="https://console.cloud.google.com/apis/credentials",
        oauth=YOUTUBE,
    ),
    "douyin": Connect(
        (
            "A website application on Douyin's open platform with the permission item.comment (interaction, manage "
            "comments of videos): its client key and client secret. Its callback address must be given here with "
            "--redirect-url, unless the platform takes http://127.0.0.1.",
            "需要抖音开放平台上的网站应用，并已获得 item.comment 权限（互动权限，管理视频评论）："
            "填写它的 client key 和 client secret。"
            "除非平台接受 http://127.0.0.1，否则须用 --redirect-url 给出它的授权回调地址。",
        ),
        page="https://developer.open-douyin.com/console",
        oauth=DOUYIN,
    ),
    "wordpress": Connect(
        (
            "A WordPress user who may moderate comments, and an application password of theirs: Users, Profile, "
            "Application Passwords. The log-in password does not work.",
            "需要一个可以审核评论的 WordPress 用户及其应用程序密码：用户 → 个人资料 → 应用程序密码。不能使用登录密码。",
        )
    ),
    "bluesky": Connect(
        (
            "The account's handle and an app password: Settings, Privacy and security, App passwords.",
            "需要账号的 handle 和应用密码：设置 → 隐私和安全 → 应用密码。",
        ),
        page="https://bsky.app/settings/app-passwords",
        asks=("app_password",),
    ),
    "mastodon": Connect(
        (
            "An access token of an application of the account's own, with the permissions read and write: Preferences, "
            "Development, New application.",
            "需要账号自己创建的应用的访问令牌，权限为 read 和 write：首选项 → 开发 → 创建新应用。",
        )
    ),
    "telegram": Connect(
        (
            "A bot made with @BotFather, with its privacy mode off, which is a member of the discussion group: its "
            "token.",
            "需要用 @BotFather 创建的机器人，关闭隐私模式并加入讨论群：填写它的令牌。",
        )
    ),
    "discord": Connect(
        (
            "An application with a bot that is on the server and has the intent 'Message Content': the bot's token.",
            "需要一个带机器人的应用，机器人已加入服务器并开启“Message Content”权限：填写机器人的令牌。",
        ),
        page="https://discord.com/developers/applications",
    ),
}
