"""What connecting an account says, in English and Chinese."""

from collections.abc import Mapping
from typing import Final

ACCOUNT_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "connect_platform": ("Platform ({known})", "平台（{known}）"),
    "connect_unknown": ("There is no platform {name} here.", "这里没有平台 {name}。"),
    "connect_name": ("Name of the channel", "频道名称"),
    "connect_needs": ("Needed: {needs}", "需要准备：{needs}"),
    "connect_page": ("Made at: {page}", "获取地址：{page}"),
    "connect_secret": ("{name} (is not shown, and kept encrypted)", "{name}（不显示，加密保存）"),
    "connect_text": ("{name}", "{name}"),
    "connect_list": ("{name} (several: with commas between)", "{name}（多个请用逗号分隔）"),
    "connect_open": (
        "Open this address and allow the access; it waits {seconds:g} s for it:\n{address}",
        "请打开以下网址并授权，等待 {seconds:g} 秒：\n{address}",
    ),
    "connect_paste": (
        "Then paste the whole address at which the browser ended (it is not shown)",
        "然后粘贴浏览器最后停留的完整网址（不显示）",
    ),
    "connect_code": (
        "Open {address} on any device and type in this code: {code}",
        "请在任意设备上打开 {address} 并输入代码：{code}",
    ),
    "connect_less": (
        "Not granted: {scopes}. The account works without; connect it again to allow it.",
        "未授权：{scopes}。没有它也能使用；如需授权请重新连接。",
    ),
    "connect_can": ("The account may: {able}.", "账号可以：{able}。"),
    "connect_cannot": ("The account may not: {unable}.", "账号不可以：{unable}。"),
    "connect_assist": (
        "The platform takes no replies from programs: a person brings them out.",
        "该平台不接受程序发送的回复，须由人工发出。",
    ),
    "connect_units": (
        "The platform gives {units} units a day; a reply costs {reply}, with the look before it: about {most} replies "
        "a day, the rest is for polls.",
        "平台每天给 {units} 个单位，一条回复（含发送前的查看）用 {reply} 个：每天约 {most} 条回复，其余用于轮询。",
    ),
    "connect_from": (
        "Comments are read from {moment} on.",
        "从 {moment} 起读取评论。",
    ),
    "connect_goes_on": ("{name} is connected again and goes on.", "{name} 已重新连接，继续运行。"),
    "connect_stays_paused": (
        "{name} is connected again. It was paused by a person and stays so: rejoinder channels resume {name}",
        "{name} 已重新连接。它由人工暂停，仍保持暂停：rejoinder channels resume {name}",
    ),
    "connect_again": (
        "The platform takes the credentials of {name} no more; connect it again: rejoinder channels connect {name}",
        "平台不再接受 {name} 的凭据，请重新连接：rejoinder channels connect {name}",
    ),
    "connect_elsewhere": (
        "{names}: read from where the channel's options say; put the new secret there first.",
        "{names}：从频道选项所指的位置读取；请先在那里更新密钥。",
    ),
    "can_read": ("read comments", "读取评论"),
    "can_reply": ("reply", "回复"),
    "can_hide": ("hide comments", "隐藏评论"),
    "can_moderate": ("moderate comments", "管理评论"),
    "key_rotated_file": (
        "All {number} credentials are sealed with a new key in {where}; the old key is gone.",
        "全部 {number} 条凭据已用 {where} 中的新密钥重新加密，旧密钥已删除。",
    ),
    "key_rotated_variable": (
        "All {number} credentials are sealed with the first key of {where}; the others may go.",
        "全部 {number} 条凭据已用 {where} 的第一个密钥重新加密，其余密钥可以去掉。",
    ),
    "key_nothing": ("There are no credentials to seal.", "没有需要加密的凭据。"),
    "key_closed": (
        "{channel}: {name} cannot be read with any key and was left as it is; connect again: "
        "rejoinder channels connect {channel}",
        "{channel}：{name} 无法用任何密钥读取，保持原样；请重新连接：rejoinder channels connect {channel}",
    ),
}
