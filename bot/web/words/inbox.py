"""Words of the inbox: bringing comments in, and bringing replies out by hand."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "inbox_title": ("Inbox", "收件箱"),
    "inbox_lead": (
        "Bring in comments of platforms without an official comment API: paste rows, or choose a file.",
        "导入没有官方评论接口的平台的评论：粘贴数据行，或选择文件。",
    ),
    "inbox_bring": ("Bring in", "导入评论"),
    "inbox_none": (
        "There is no channel for this yet. Add one: rejoinder channels add NAME --platform inbox "
        "--option preset=xiaohongshu --option account=YOUR_NAME",
        "还没有收件箱频道。添加一个：rejoinder channels add 名称 --platform inbox "
        "--option preset=xiaohongshu --option account=你的昵称",
    ),
    "inbox_channel": ("Channel", "频道"),
    "inbox_post": (
        "Post, where rows name none: its address, id or title",
        "作品（数据行未写明时）：链接、ID 或标题",
    ),
    "inbox_text": (
        "Rows: CSV, cells copied from a spreadsheet, JSON or JSON Lines; the first line names the columns",
        "数据行：CSV、从表格复制的单元格、JSON 或 JSON Lines；首行为列名",
    ),
    "inbox_file": ("Or a file, up to {limit} MB", "或选择文件，最大 {limit} MB"),
    "inbox_no_script": (
        "To choose a file, allow this page's script; or on the server: rejoinder inbox import CHANNEL FILE",
        "选择文件需要允许本页脚本运行；也可以在服务器上执行：rejoinder inbox import 频道 文件",
    ),
    "inbox_preview": ("Preview", "预览"),
    "inbox_import": ("Bring in", "确认导入"),
    "inbox_working": ("Being read …", "正在读取……"),
    "inbox_broken": (
        "The connection broke off; preview again to see what was brought in.",
        "连接中断；请再次预览以查看已导入的内容。",
    ),
    "inbox_preset_xiaohongshu": ("Xiaohongshu", "小红书"),
    "inbox_preset_kuaishou": ("Kuaishou", "快手"),
    "inbox_preset_bilibili": ("Bilibili", "哔哩哔哩"),
    "inbox_preset_none": ("other", "其他"),
    "inbox_too_large": (
        "The file is larger than {limit} MB; split it and bring in the parts.",
        "文件超过 {limit} MB；请拆分后分别导入。",
    ),
    "inbox_bad_channel": (
        "Nothing can be brought into this channel: {why}",
        "无法导入到该频道：{why}",
    ),
    "inbox_no_such_channel": ("Choose a channel; this one is gone.", "请选择频道；该频道已不存在。"),
    "inbox_done": (
        "{new} comments are new, {known} were known, {refused} rows were refused.",
        "新增 {new} 条评论，已有 {known} 条，拒绝 {refused} 行。",
    ),
    "inbox_would": (
        "{new} comments would be new, {known} are known, {refused} rows cannot be used. Nothing has been changed yet.",
        "将新增 {new} 条评论，已有 {known} 条，{refused} 行无法使用。尚未做任何更改。",
    ),
    "inbox_past": (
        "{number} of them are older than the channel and are kept unanswered.",
        "其中 {number} 条早于频道接入时间，只保存、不回复。",
    ),
    "inbox_columns": ("Columns that were understood", "已识别的列"),
    "inbox_unused": ("Columns that were not used", "未使用的列"),
    "inbox_understood": ("Comments that were understood", "已识别的评论"),
    "inbox_not_understood": ("Rows that were not understood", "无法识别的行"),
    "inbox_row": ("Row", "行"),
    "inbox_author": ("Author", "作者"),
    "inbox_comment": ("Comment", "评论"),
    "inbox_at": ("Written (UTC)", "时间（UTC）"),
    "inbox_under": ("Under", "所属作品"),
    "inbox_status": ("Status", "状态"),
    "inbox_new": ("new", "新"),
    "inbox_known": ("known", "已有"),
    "inbox_why": ("Why", "原因"),
    "inbox_more": ("… and {number} more", "……另有 {number} 行"),
    "out_title": ("To be sent by hand", "待人工发送"),
    "out_lead": (
        "Take a reply, copy it, post it on the platform, then say what came of it.",
        "领取一条回复，复制后到平台上发布，再标记结果。",
    ),
    "out_none": ("No reply waits.", "没有待发送的回复。"),
    "out_shadow": (
        "The service is in shadow: nothing is sent, and nothing can be taken.",
        "服务处于影子模式：不会发送任何内容，也无法领取。",
    ),
    "out_take": ("Take it", "领取"),
    "out_copy": ("Copy and open", "复制并打开"),
    "out_only_copy": ("Copy", "复制"),
    "out_copied": ("copied", "已复制"),
    "out_sent": ("Sent", "已发送"),
    "out_not_sent": ("Not sent", "未发送"),
    "out_reply": ("Reply", "回复"),
    "out_taken": ("{name} has it until {until} (UTC)", "{name} 已领取，有效至 {until}（UTC）"),
    "out_from": ("may be sent from {when} (UTC)", "{when}（UTC）起可发送"),
    "out_not_now": (
        "This reply cannot be taken now: somebody has it, it was answered meanwhile, or the channel's gap, "
        "hourly limit or opening hours don't allow it yet. Reload the page.",
        "现在无法领取这条回复：已被他人领取、已有回复，或受频道的间隔、每小时上限、开放时间限制。请刷新页面。",
    ),
    "out_lease": (
        "This reply is no longer yours: its lease has ended, or a colleague has said what came of it. "
        "Look at the review desk.",
        "这条回复已不归您：领取已到期，或同事已标记结果。请查看审核台。",
    ),
}
