"""What the review desk in the terminal says, in English and Chinese."""

from collections.abc import Mapping
from typing import Final

from bot.settings import Language

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "review": ("review", "审核"),
    "nothing_waits": (
        "Nothing waits. New comments appear here by themselves.",
        "没有等待处理的评论。新评论会自动出现。",
    ),
    "nothing_found": (
        "Nothing that waits fits. f 0 takes the filters away, / and Enter the search.",
        "没有符合条件的评论。按 f 再按 0 清除筛选，按 / 再按回车清除搜索。",
    ),
    "sort_value": ("most asked", "提问最多"),
    "sort_oldest": ("oldest", "最早"),
    "sort_newest": ("newest", "最新"),
    "channel": ("channel", "频道"),
    "language": ("language", "语言"),
    "intent": ("intent", "意图"),
    "reason": ("reason", "原因"),
    "search": ("search", "搜索"),
    "selected": ("{number} selected", "已选 {number} 条"),
    "similar": ("{number} ask the same", "{number} 条问同样的问题"),
    "post": ("Post", "帖子"),
    "why": ("Why it is here", "为何在此"),
    "state": ("State", "状态"),
    "held": ("{name} has it open; h takes it over", "{name} 正在处理；按 h 接手"),
    "moved": (
        "It has changed since it came on the screen; Enter shows it anew",
        "它在显示之后有变动；按回车重新显示",
    ),
    "thread_more": ("… {number} more in the thread", "……此讨论另有 {number} 条"),
    "cut": (
        "… {number} characters in all: rejoinder review show {id}",
        "……共 {number} 个字符：rejoinder review show {id}",
    ),
    "translation": ("[machine translation]", "[机器翻译]"),
    "draft": ("Draft {number}", "草稿 {number}"),
    "no_draft": ("There is no draft; e writes the answer, g asks for one", "没有草稿；按 e 撰写，按 g 生成"),
    "no_draft_bulk": ("no draft: it is not approved", "没有草稿：不会批准"),
    "length": ("{number}/{limit} characters", "{number}/{limit} 字符"),
    "length_free": ("{number} characters", "{number} 字符"),
    "hint_was": ("written after the hint: {hint}", "按提示生成：{hint}"),
    "kept": (
        "Kept from a verdict that was refused; e goes on with it",
        "之前未能提交的文字已保留；按 e 继续",
    ),
    "passages": ("Passages (* cited)", "资料段落（* 已引用）"),
    "no_passages": ("The documents held nothing for it.", "资料中没有相关内容。"),
    "page": ("p. {page}", "第 {page} 页"),
    "your_text": ("This will be sent", "将发送以下内容"),
    "bulk_head": (
        "{number} comments. a approves: each reply below is sent. s skips: nothing is sent.",
        "共 {number} 条评论。按 a 批准：以下回复将逐条发送。按 s 跳过：不发送。",
    ),
    "bulk_cut": ("Only the first {number} of {total} are taken.", "只处理 {total} 条中的前 {number} 条。"),
    "filter_head": ("Filter: Enter sets or takes away, 0 takes all away", "筛选：回车设置或取消，0 全部取消"),
    "reject_prompt": ("What is wrong with it? ", "哪里不对？"),
    "hint_prompt": ("Hint for the next draft (may be empty): ", "给下一稿的提示（可留空）："),
    "search_prompt": ("Search: ", "搜索："),
    "reason_needed": ("Say what is wrong with it; nothing was changed.", "请说明哪里不对；未作任何改动。"),
    "at_end": ("That was the last one.", "已是最后一条。"),
    "at_start": ("That was the first one.", "已是第一条。"),
    "no_candidate": ("There is no draft {number}.", "没有草稿 {number}。"),
    "nothing_to_undo": ("Nothing was decided here yet.", "这里还没有作出裁决。"),
    "nothing_selected": ("Nothing is selected.", "没有选中任何评论。"),
    "no_model": (
        'There is no model to translate with; set generator.kind = "vllm".',
        '没有可用于翻译的模型；请设置 generator.kind = "vllm"。',
    ),
    "no_translation_needed": ("There is nothing to translate.", "无需翻译。"),
    "translating": ("Translating … Ctrl-C stops it.", "正在翻译……按 Ctrl-C 停止。"),
    "interrupted": ("Stopped.", "已停止。"),
    "failed": ("{error}", "出错：{error}"),
    "put_aside": ("The text is kept for later; e goes on with it.", "文字已保留；按 e 继续。"),
    "taken_over": ("It is yours now.", "现在由您处理。"),
    "done_approve": (
        "{id} goes out in {seconds} s; u takes it back.",
        "{id} 将在 {seconds} 秒后发送；按 u 撤回。",
    ),
    "done_edit": (
        "{id}: your text goes out in {seconds} s; u takes it back.",
        "{id}：您的文字将在 {seconds} 秒后发送；按 u 撤回。",
    ),
    "done_reject": ("{id}: rejected; u takes it back.", "{id}：已拒绝；按 u 撤回。"),
    "done_skip": ("{id} stays unanswered; u takes it back.", "{id} 不再回复；按 u 撤回。"),
    "done_redraft": ("{id} is drafted again and comes back.", "{id} 正在重新起草，完成后会回到队列。"),
    "done_all": (
        "{done} done, {refused} not; u takes them back within {seconds} s.",
        "完成 {done} 条，未完成 {refused} 条；{seconds} 秒内可按 u 撤回。",
    ),
    "undone": ("Taken back: {id} ({number}).", "已撤回：{id}（共 {number} 条）。"),
    "undo_late": (
        "{done} taken back, {refused} not: {error}",
        "已撤回 {done} 条，{refused} 条未能撤回：{error}",
    ),
    "refused_gone": ("{id} is no longer there.", "{id} 已不存在。"),
    "refused_state": ("{id} was decided already; nothing was changed.", "{id} 已有裁决；未作任何改动。"),
    "refused_stale": (
        "{id} had changed; nothing was sent. This is the present one.",
        "{id} 已有变动；未发送任何内容。现在显示的是最新内容。",
    ),
    "refused_held": (
        "Somebody else has {id} open; nothing was changed. h takes it over.",
        "{id} 正由他人处理；未作任何改动。按 h 接手。",
    ),
    "refused_empty": ("The text is empty; nothing was changed.", "内容为空；未作任何改动。"),
    "refused_long": (
        "Too long; the text is kept, e goes on with it. {error}",
        "太长；文字已保留，按 e 继续。{error}",
    ),
    "refused_no_draft": (
        "There is no draft to approve; e writes the answer.",
        "没有可批准的草稿；按 e 撰写。",
    ),
    "refused_too_late": (
        "{id} is on its way or was sent; nothing was changed.",
        "{id} 正在发送或已发送；未作任何改动。",
    ),
    "refused_key": ("{id} was decided already; nothing was changed.", "{id} 已有裁决；未作任何改动。"),
    "keys_read": (
        "a approve  e edit  r reject  s skip  j/k next/previous  u undo  ? help  q leave",
        "a 批准  e 修改  r 拒绝  s 跳过  j/k 下一条/上一条  u 撤回  ? 帮助  q 退出",
    ),
    "keys_line": ("Enter: done  Esc: cancel", "回车：确定  Esc：取消"),
    "keys_filter": ("j/k move  Enter set  0 all away  Esc back", "j/k 移动  回车 设置  0 全部取消  Esc 返回"),
    "keys_bulk": (
        "a approve all  s skip all  Space scroll  Esc back",
        "a 全部批准  s 全部跳过  空格 翻页  Esc 返回",
    ),
    "keys_send": ("Enter sends it  e edit again  Esc keep for later", "回车 发送  e 继续修改  Esc 保留"),
    "keys_help": ("any key: back", "按任意键返回"),
    "help": (
        """\
j k ↓ ↑   next, previous comment
1 2 3     choose a draft
a         approve: the chosen draft is sent
e         edit in $EDITOR, then send
r         reject, with a reason
s         skip: it stays unanswered
g         generate again, with a hint
u         undo the last verdict, while it has not been sent
t         translate the comment
h         take over what somebody else has open
/         search; #12 finds comment 12
f         filter by channel, language, intent, reason
o         sort: most asked, oldest, newest
x A       select; approve or skip all that is selected or found
Space b   scroll down, up
Enter     show the comment anew
q         leave""",
        """\
j k ↓ ↑   下一条、上一条评论
1 2 3     选择草稿
a         批准：发送所选草稿
e         在 $EDITOR 中修改，然后发送
r         拒绝，并说明原因
s         跳过：不回复
g         按提示重新生成
u         撤回上一个裁决（尚未发送时）
t         翻译评论
h         接手他人正在处理的评论
/         搜索；#12 查找第 12 条评论
f         按频道、语言、意图、原因筛选
o         排序：提问最多、最早、最新
x A       选择；批准或跳过所有选中或找到的评论
空格 b    向下、向上翻页
回车      重新显示评论
q         退出""",
    ),
}


def say(language: Language, key: str, **values: object) -> str:
    """A line in the user's language."""
    return WORDS[key][language == "zh"].format(**values)
