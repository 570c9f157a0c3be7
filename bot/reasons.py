"""Why a comment is where it is: one word for programs, one sentence for people in English and in Chinese."""

from enum import StrEnum


class Reason(StrEnum):
    """The reason of a decision or a move."""

    GROUNDED = "grounded"
    APPROVED = "approved"
    EDITED = "edited"
    RETRIED = "retried"
    BACKFILLED = "backfilled"
    REDRAFT = "redraft"
    REDRAFTED = "redrafted"
    TAKEN_BACK = "taken_back"

    NOT_IN_DOCUMENTS = "not_in_documents"
    NOT_JUDGED = "not_judged"
    PICTURES = "pictures"
    TOOL_FAILED = "tool_failed"
    TOOLS_NOT_OPENED = "tools_not_opened"
    CHECKS = "checks"
    FALSE_PREMISE = "false_premise"
    LANGUAGE = "language"
    NOT_OPENED = "not_opened"
    ONE_REPLY = "one_reply"
    LOOP = "loop"
    REPLY_TOO_LONG = "reply_too_long"
    SHADOW = "shadow"
    INJECTION = "injection"
    TOO_LONG = "too_long"
    GENERATOR_FAILED = "generator_failed"
    UNSUPPORTED_LANGUAGE = "unsupported_language"

    OWN_COMMENT = "own_comment"
    ANSWERED_BY_HUMAN = "answered_by_human"
    EMPTY = "empty"
    EMOJI_ONLY = "emoji_only"
    SPAM = "spam"
    BOT = "bot"
    NOTHING_TO_ANSWER = "nothing_to_answer"
    BEFORE_BASELINE = "before_baseline"
    COMMENT_GONE = "comment_gone"
    REJECTED_BY_PERSON = "rejected_by_person"
    SKIPPED_BY_PERSON = "skipped_by_person"

    SENDING = "sending"
    SENT = "sent"
    CONFIRMED_BY_PERSON = "confirmed_by_person"
    WAITING_FOR_PLATFORM = "waiting_for_platform"
    REFUSED_BY_PLATFORM = "refused_by_platform"
    INTERRUPTED = "interrupted"
    SEND_UNCLEAR = "send_unclear"
    NOT_ARRIVED = "not_arrived"
    GIVEN_BACK = "given_back"
    DEFECT = "defect"


_EXPLANATIONS = {
    Reason.GROUNDED: (
        "the documents answer it and the channel is open for it",
        "资料里有答案，且频道已开放自动回复",
    ),
    Reason.APPROVED: ("a person approved the draft", "已由人工批准"),
    Reason.EDITED: ("a person wrote the reply", "已由人工修改"),
    Reason.RETRIED: ("a person asked for another try", "已由人工要求重试"),
    Reason.BACKFILLED: ("older comments were asked for", "已要求补答较早的评论"),
    Reason.REDRAFT: ("a person asked for another draft", "已由人工要求重写草稿"),
    Reason.REDRAFTED: ("it was drafted again because a person asked for it", "应人工要求重新起草"),
    Reason.TAKEN_BACK: ("a person took the verdict back", "已由人工撤回裁决"),
    Reason.NOT_IN_DOCUMENTS: ("the documents don't hold the answer", "资料里没有答案"),
    Reason.NOT_JUDGED: (
        "the judge could not say whether the documents answer it",
        "无法判定资料是否回答了它",
    ),
    Reason.PICTURES: (
        "a picture belongs to it that was not looked at",
        "它附有图片，而图片没有被查看",
    ),
    Reason.TOOL_FAILED: ("a tool that the model called failed", "模型调用的工具出错"),
    Reason.TOOLS_NOT_OPENED: (
        "its facts come from a tool, and the channel's owner has not opened such replies for sending",
        "内容来自工具，而频道主人尚未开放此类回复的自动发送",
    ),
    Reason.CHECKS: ("a check of the draft found something", "草稿检查发现问题"),
    Reason.FALSE_PREMISE: (
        "the comment takes for granted what the documents don't say",
        "评论默认了资料里没有的前提",
    ),
    Reason.LANGUAGE: ("the draft is in another language than the comment", "草稿与评论的语言不同"),
    Reason.NOT_OPENED: (
        "the channel's owner has not opened this kind of comment for automatic replies",
        "频道主人尚未开放此类评论的自动回复",
    ),
    Reason.ONE_REPLY: (
        "this person was answered in this thread a short while ago",
        "刚刚在这个话题里回复过此人",
    ),
    Reason.LOOP: (
        "this person was answered many times in this thread; it may be another bot",
        "在这个话题里已多次回复此人，对方可能是机器人",
    ),
    Reason.REPLY_TOO_LONG: (
        "the reply is longer than the platform takes",
        "回复超过平台的长度上限",
    ),
    Reason.SHADOW: (
        "the channel is in shadow: this would have been sent",
        "频道处于影子模式：本来会发送",
    ),
    Reason.INJECTION: ("the comment tries to give the program orders", "评论试图向程序下达指令"),
    Reason.TOO_LONG: ("the comment is longer than the limit", "评论超过长度上限"),
    Reason.UNSUPPORTED_LANGUAGE: (
        "the comment is in a language that is not set up",
        "评论使用了未配置的语言",
    ),
    Reason.GENERATOR_FAILED: ("no draft could be written for it", "未能为它生成草稿"),
    Reason.OWN_COMMENT: ("it is our own comment", "这是自己的评论"),
    Reason.ANSWERED_BY_HUMAN: ("the creator has already answered", "创作者已经回复过"),
    Reason.EMPTY: ("there is nothing to read in it", "评论没有可见内容"),
    Reason.EMOJI_ONLY: ("it is emoji or punctuation only", "只有表情或标点"),
    Reason.SPAM: ("it looks like advertising or spam", "疑似广告或垃圾评论"),
    Reason.BOT: ("the account is on the channel's list of bots", "该账号在频道的机器人名单上"),
    Reason.NOTHING_TO_ANSWER: ("it asks nothing", "没有需要回答的内容"),
    Reason.BEFORE_BASELINE: ("it was written before the channel was added", "评论早于频道接入时间"),
    Reason.COMMENT_GONE: ("the comment is no longer there", "评论已被删除"),
    Reason.REJECTED_BY_PERSON: ("a person rejected the draft", "已由人工拒绝"),
    Reason.SKIPPED_BY_PERSON: ("a person left it unanswered", "已由人工跳过"),
    Reason.SENDING: ("the reply is on its way", "正在发送"),
    Reason.SENT: ("the reply stands on the platform", "回复已在平台上显示"),
    Reason.CONFIRMED_BY_PERSON: ("a person saw the reply on the platform", "已由人工在平台上确认"),
    Reason.WAITING_FOR_PLATFORM: (
        "the platform asked to wait or was out of reach",
        "平台要求等待或暂时无法访问",
    ),
    Reason.REFUSED_BY_PLATFORM: ("the platform refused the reply", "平台拒绝了回复"),
    Reason.INTERRUPTED: ("the program stopped in the middle of sending", "发送过程中程序中断"),
    Reason.SEND_UNCLEAR: (
        "it is not known whether the reply arrived; look at the platform before sending again",
        "不确定回复是否已发出，请先到平台核对再重发",
    ),
    Reason.NOT_ARRIVED: ("the platform was asked, and the reply is not there", "已向平台核实，回复并未发出"),
    Reason.GIVEN_BACK: ("whoever took the reply has not sent it", "领取回复者没有发送它"),
    Reason.DEFECT: ("the program failed on it; the log says how", "程序处理时出错，详见日志"),
}


def explain(reason: str, language: str = "en") -> str:
    """`reason` in words, in English or Chinese; a reason of another version is shown as it is."""
    if reason not in set(Reason):
        return reason
    return _EXPLANATIONS[Reason(reason)][language.lower().startswith("zh")]
