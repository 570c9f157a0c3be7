"""Under which names tools that export comments give what a comment is made of, platform by platform.

No platform here has an official comment API, so there is no contract: these are the names that exports and browser
tools use, in Chinese and in English. Whatever is missing is named by the channel's option `mapping`.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

Preset = Literal["xiaohongshu", "kuaishou", "bilibili", "none"]
Names = Mapping[str, tuple[str, ...]]
"""By field: the columns or members that hold it, the most exact one first. A dot leads into a member's members."""

_NAMES: Final = ("用户昵称", "昵称", "用户名", "评论用户", "评论者", "评论人")
_COMMON: Final[Names] = {
    "comment_id": ("comment_id", "评论ID", "评论编号", "cid", "id"),
    "post_id": ("post_id", "作品ID", "视频ID", "笔记ID", "帖子ID", "文章ID", "稿件ID", "内容ID"),
    "post_url": ("post_url", "作品链接", "视频链接", "笔记链接", "文章链接", "原文链接", "链接", "link"),
    "post_title": ("post_title", "作品标题", "视频标题", "笔记标题", "文章标题", "作品名称", "标题", "title"),
    "thread_id": ("thread_id", "root_comment_id", "root_id", "根评论ID", "一级评论ID"),
    "parent_id": ("parent_id", "reply_to_id", "父评论ID", "上级评论ID", "回复评论ID"),
    "author_id": ("author_id", "user_id", "用户ID", "评论者ID", "uid"),
    "author_name": ("author_name", "nickname", "username", *_NAMES, "author"),
    "text": ("text", "评论内容", "评论正文", "comment_text", "content", "评论", "内容", "comment"),
    "time": ("created_at", "create_time", "评论时间", "创建时间", "发布时间", "时间", "time", "date"),
    "url": ("comment_url", "评论链接", "url"),
    "likes": ("likes", "like_count", "点赞数", "获赞数", "点赞"),
    "own": ("is_own", "is_author", "是否作者", "是否本人"),
    "answered": ("is_answered", "是否已回复"),
    "children": ("replies", "sub_comments"),
}

_OF: Final[Mapping[Preset, Names]] = {
    "none": {},
    "xiaohongshu": {
        "post_id": ("note_id", "noteId", "笔记编号"),
        "post_url": ("note_url", "笔记地址"),
        "post_title": ("note_title",),
        "thread_id": ("root_comment_id",),
        "parent_id": ("target_comment.id", "target_comment_id"),
        "author_id": ("user_info.user_id", "user.user_id", "小红书号"),
        "author_name": ("user_info.nickname", "user.nickname"),
        "likes": ("liked_count",),
        "own": ("show_tags",),
        "children": ("sub_comments",),
    },
    "kuaishou": {
        "comment_id": ("commentId",),
        "post_id": ("photo_id", "photoId", "作品编号"),
        "post_url": ("photo_url", "作品地址"),
        "post_title": ("caption", "作品描述"),
        "thread_id": ("rootCommentId",),
        "parent_id": ("replyToCommentId",),
        "author_id": ("authorId", "快手号", "快手ID"),
        "author_name": ("authorName",),
        "time": ("timestamp",),
        "likes": ("realLikedCount", "likedCount"),
        "children": ("subComments",),
    },
    "bilibili": {
        # A script that reads JSON rounds numbers past 53 bits; the same id as text is exact.
        "comment_id": ("rpid_str", "rpid"),
        "post_id": ("bvid", "BV号", "oid_str", "oid", "aid", "AV号"),
        "thread_id": ("root_str", "root"),
        "parent_id": ("parent_str", "parent"),
        "author_id": ("mid_str", "mid", "member.mid"),
        "author_name": ("member.uname", "uname", "UP主", "用户"),
        "text": ("content.message", "message"),
        "time": ("ctime", "pubdate"),
        "likes": ("like",),
        "answered": ("up_action.reply",),
        "children": ("replies",),
    },
}

FIELDS: Final = frozenset(_COMMON)

_POST_IN_ADDRESS: Final = re.compile(
    r"/(?:explore|discovery/item|short-video|photo|fw/photo|video|read|opus)/([0-9A-Za-z_-]{1,64})/?$"
)
_BV: Final = re.compile(r"BV[0-9A-Za-z]{10}")


def names_of(preset: Preset, mapping: Mapping[str, tuple[str, ...]]) -> Names:
    """The normalised names of each field: those of `mapping`, then the preset's, then the usual ones."""
    told = {}
    for field, usual in _COMMON.items():
        names = (*mapping.get(field, ()), *_OF[preset].get(field, ()), *usual)
        told[field] = tuple(dict.fromkeys(normal(name) for name in names))
    return told


def normal(name: str) -> str:
    """The form in which names are compared: `评论 ID`, `评论id` and `评论_ＩＤ` are one, `userId` is `user_id`."""
    folded = unicodedata.normalize("NFKC", name[:200]).casefold()
    return re.sub(r"[\s_\-:：*\ufeff]", "", folded)


def post_in(address: str) -> str:
    """The platform's id of the post that `address` leads to; empty where it is no address of a known form."""
    try:
        path = urlsplit(address).path
    except ValueError:
        return ""
    found = _POST_IN_ADDRESS.search(path)
    return found[1] if found else ""


def address_of(preset: Preset, post_id: str) -> str:
    """Where people read the post; empty where that cannot be told from its id."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,64}", post_id):
        return ""
    if preset == "xiaohongshu":
        return f"https://www.xiaohongshu.com/explore/{post_id}"
    if preset == "kuaishou":
        return f"https://www.kuaishou.com/short-video/{post_id}"
    # A bare number may be a video, an article or a picture.
    return f"https://www.bilibili.com/video/{post_id}" if _BV.fullmatch(post_id) else ""
