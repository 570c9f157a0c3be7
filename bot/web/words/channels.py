"""Words of the channels' pages."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "ch_lead": (
        "How each channel is, and what it may do by itself.",
        "各频道的状态，以及它们可以自动做什么。",
    ),
    "ch_all": ("All channels", "全部频道"),
    "ch_manage": ("Open and change", "查看和修改"),
    "ch_since": ("since {ago}", "始于 {ago}"),
    "ch_cure_paused": (
        "The channel has stopped. Mend what the error names, then resume it.",
        "频道已停止。请先解决错误所说的问题，再恢复。",
    ),
    "ch_cure_repeats": (
        "It is tried again by itself. If it goes on, 'rejoinder doctor' tries to log in and says what is wrong.",
        "会自动重试。如果一直出错，请运行“rejoinder doctor”，它会尝试登录并说明原因。",
    ),
    "ch_cure_waits": ("It is tried again by itself; nothing is lost.", "会自动重试，不会丢失任何评论。"),
    "ch_waiting": ("In work", "处理中"),
    "ch_no_waiting": ("nothing waits", "没有待处理的评论"),
    "ch_sends_nothing": ("Nothing is sent without a person.", "不会自动发送，全部由人工审核。"),
    "ch_sends": ("Sent by itself: {kinds}", "自动回复：{kinds}"),
    "ch_closed": ("closed until {until}", "休息中，{until} 恢复"),
    "ch_intent_question": ("questions", "提问"),
    "ch_intent_request": ("requests", "请求"),
    "ch_intent_complaint": ("complaints", "抱怨"),
    "ch_intent_praise": ("praise", "称赞"),
    "ch_intent_other": ("other", "其他"),
    "ch_pause": ("Pause", "暂停"),
    "ch_resume": ("Resume", "恢复"),
    "ch_pause_says": (
        "Paused: nothing is polled and nothing is sent; what waits stays.",
        "暂停后不轮询也不发送，等待中的评论会保留。",
    ),
    "ch_shadow": ("in shadow", "影子模式"),
    "ch_shadow_title": ("Shadow", "影子模式"),
    "ch_shadow_says": (
        "In shadow everything is drafted and decided, and nothing can be sent: what would have been sent waits for a "
        "person, and what a person approves is kept for learning only. The end of shadow sends nothing old.",
        "影子模式下照常起草和决定，但什么都不会发出：本来会自动发送的内容等待人工审核，人工批准的内容只用于学习。"
        "退出影子模式时不会补发旧回复。",
    ),
    "ch_shadow_on": ("Put into shadow", "进入影子模式"),
    "ch_shadow_off": ("End shadow", "退出影子模式"),
    "ch_shadow_everywhere": (
        "The whole service is in shadow (service.shadow): nothing is sent on any channel.",
        "整个服务处于影子模式（service.shadow）：任何频道都不会发送。",
    ),
    "ch_rules": ("What it may do by itself", "可以自动做什么"),
    "ch_send": ("Comments that are answered without a person", "无需人工即可回复的评论"),
    "ch_min_support": ("Send by itself what is at least so sure (0 to 1)", "自动发送的最低把握（0 到 1）"),
    "ch_min_support_says": (
        "Least probability that the documents answer the comment; empty: {default}, as the settings say.",
        "资料能回答这条评论的最低概率；留空则按设置：{default}。",
    ),
    "ch_send_tools": (
        "Replies that rest on a tool's result may go out, too",
        "依据工具结果的回复也可以自动发送",
    ),
    "ch_preview": ("Preview", "预览"),
    "ch_preview_title": ("What other thresholds would have sent", "不同把握下会发送多少"),
    "ch_preview_for": (
        "Of the {number} drafts for comments of the last 7 days, so many would have gone out by themselves ({kinds}):",
        "最近 7 天的评论有 {number} 份草稿，其中会自动发出的（{kinds}）：",
    ),
    "ch_preview_closed": (
        "No kind of comment is open at present, so nothing goes out; the figures are for questions.",
        "目前没有开放任何类别，因此不会自动发送；下面按“提问”计算。",
    ),
    "ch_least": ("At least so sure", "最低把握"),
    "ch_would": ("Would have been sent", "会发送"),
    "ch_part": ("Part of the drafts", "占草稿"),
    "ch_chosen": ("as set", "当前"),
    "ch_limits": ("Limits", "限制"),
    "ch_min_gap_s": ("Seconds between two replies", "两条回复之间的秒数"),
    "ch_min_gap_s_says": ("Empty: what the platform asks for.", "留空则按平台要求。"),
    "ch_max_per_hour": ("Replies an hour, at most", "每小时最多回复数"),
    "ch_max_per_hour_says": ("0 sends nothing; empty: no limit.", "0 表示不发送；留空表示不限。"),
    "ch_hours": ("Opening hours", "营业时间"),
    "ch_hours_says": (
        "When replies go out without a person, such as 09:00-12:00, 13:00-18:00; 22:00-02:00 ends on the next day. A "
        "day that is empty is closed; if all are, it is always open. What a person approves goes out at any time.",
        "自动回复的时段，例如 09:00-12:00, 13:00-18:00；22:00-02:00 到次日结束。留空的日子休息；全部留空表示全天开放。"
        "人工批准的回复随时发出。",
    ),
    "ch_mon": ("Monday", "星期一"),
    "ch_tue": ("Tuesday", "星期二"),
    "ch_wed": ("Wednesday", "星期三"),
    "ch_thu": ("Thursday", "星期四"),
    "ch_fri": ("Friday", "星期五"),
    "ch_sat": ("Saturday", "星期六"),
    "ch_sun": ("Sunday", "星期日"),
    "ch_time_zone": ("Time zone", "时区"),
    "ch_time_zone_says": ("Such as Asia/Shanghai or Europe/Berlin.", "例如 Asia/Shanghai 或 Europe/Berlin。"),
    "ch_answers": ("How it answers", "如何回复"),
    "ch_tags": ("Only documents with one of these tags", "只用带这些标签的资料"),
    "ch_tags_says": ("Parted by commas; empty: all documents.", "用逗号分隔；留空表示全部资料。"),
    "ch_post_tags": (
        "{number} posts have tags of their own: 'rejoinder channels rules NAME --post-tag'.",
        "{number} 个帖子有自己的标签，见“rejoinder channels rules 名称 --post-tag”。",
    ),
    "ch_persona": ("Persona", "人设"),
    "ch_persona_default": ("the default one", "默认人设"),
    "ch_save": ("Save", "保存"),
    "ch_wrong": ("Nothing was saved; look at what is marked.", "没有保存，请检查标出的项目。"),
    "ch_secrets": ("Secrets that it refers to", "引用的密钥"),
    "ch_secrets_says": (
        "Options and secrets are never shown here; they are set with 'rejoinder channels add'.",
        "这里不显示选项和密钥，它们由“rejoinder channels add”设定。",
    ),
    "ch_no_secrets": ("none", "无"),
    "act_pause_channel": ("paused a channel", "暂停频道"),
    "act_resume_channel": ("resumed a channel", "恢复频道"),
    "act_shadow_on": ("put a channel into shadow", "让频道进入影子模式"),
    "act_shadow_off": ("ended a channel's shadow", "让频道退出影子模式"),
    "act_change_rules": ("changed a channel's rules", "修改频道规则"),
}
