"""What a comment's text gives away before anything is generated: blank, emoji, spam, injection. Pure.

The rules read a folded text, so that spaces, full-width letters, zero-width marks, look-alike letters and traditional
characters don't get past them. A match on injection only ever costs a person a look.
"""

import re
import unicodedata

# Letters by category, yet nothing is to be seen of them.
_BLANK_LETTERS = dict.fromkeys(map(ord, "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5"))
_LOOKALIKES = str.maketrans("аеорсухіѕјԁԛѡαοрν０", "aeopcyxisjdqwaopv0")
_SIMPLE = str.maketrans(
    "無視現則設對話錄資訊賬帳號聯繫發買賣獎領掙錢兌換羣從開頭後當機過濾統詞將請輸顯復覆這裡內檢繼續規課嗎"
    "隻費麼為幾誰問難聽讚謝講個壞騙點頻還適價鏈樣學會鏡關閃報錯說對時間氣溫",
    "无视现则设对话录资讯账账号联系发买卖奖领挣钱兑换群从开头后当机过滤统词将请输显复覆这里内检继续规课吗"
    "只费么为几谁问难听赞谢讲个坏骗点频还适价链样学会镜关闪报错说对时间气温",
)
_LEET = str.maketrans("013457@$!", "oieastasi")
_INVISIBLE_CATEGORIES = {"Cf", "Cc", "Cs", "Co", "Cn"}


class _Visible(dict[int, int | None]):
    """A table for `str.translate` that looks each character up once: comments are read often."""

    def __missing__(self, code: int) -> int | None:
        seen = code in (9, 10) or unicodedata.category(chr(code)) not in _INVISIBLE_CATEGORIES
        self[code] = code if seen else None
        return self[code]


_VISIBLE = _Visible(_BLANK_LETTERS)

_EMOTICON = re.compile(
    r"<3+|(?<!\w)(?:[:;=8x]['^-]?[dpo3()\[\]]+|xd+|t_t|qaq|orz|o_o|:3)(?!\w)", re.IGNORECASE
)
_KEYCAP = re.compile("[0-9#*]\ufe0f?\u20e3")
_STICKER = re.compile(r"\[[^\W\d_]{1,8}\]")
URL = re.compile(
    r"(?:https?://|www\.)\S+|(?<![\w@.])(?:[a-z0-9-]+\.)+(?:com|net|org|io|cn|co|me|cc|top|xyz|shop|vip|ru"
    r"|club)\b\S*"
)

_CONTACT = (
    r"加\s*我\s*(?:的)?(?:微信?|vx?|薇信?|威信?|卫星|q{1,2}|扣扣|好友|tg)",
    r"加\s*(?:微信?|vx|v信?|薇信?|威信|扣扣|qq群?)\s*(?=[::]?[a-z0-9]{4,}|领|拉|进群|看|送|私|免费|了解"
    r"|详聊|咨询|赚)",
    r"(?:私聊|私信|滴滴|dd|后台|联系)我?(?:免费)?(?:领|送你|拿|带你|有惊喜|赚|进群|发福利)",
    r"(?:点|戳|看)(?:我|开|击)?(?:的)?(?:头像|主页|简介)(?:有|领|送|进|加|看|免费|了解)",
    r"(?:vx|wx|微信|薇信|v信|威信|qq|扣扣|飞机|telegram|whatsapp|电话|手机)(?:号|群|id|同号)?\s*[::]?\s*"
    r"(?=[a-z_-]*\d)[a-z0-9_-]{6,20}(?!\w)",
    r"(?:whats ?app|telegram|signal|text|call|contact|message|reach|dm)\b.{0,24}?\+?\d[\d ()-]{7,}\d",
    r"(?:t\.me|wa\.me|chat\.whatsapp\.com|discord\.gg)/\S+",
    r"(?:contact|message|text|dm|reach|write|hit)\b.{0,30}\bon (?:whats ?app|telegram|instagram|ig)\b",
)
_OFFERS = (
    r"(?:日|天|月|周|时)(?:赚|结|入|薪)(?:过|上)?[\d一二三五六七八九十百千万]+",
    r"刷单|稳赚|包赚|躺赚|(?:日|月)入(?:过万|上万|斗金)|无本(?:万利|项目)|宝妈(?:兼职|副业)"
    r"|兼职.{0,8}(?:日结|[\d百千]+元)",
    r"免费(?:领取?|送)(?!吗|么|[??])|扫码(?:领|进群)|限时(?:领取|福利)|领(?:取)?(?:福利|红包|资料包|优惠券)",
    r"互(?:粉|关|赞|刷)|回(?:粉|关)必|代(?:刷|写论文|练|开发票)|涨粉|买粉|真人粉",
    r"博彩|菠菜(?:网|平台)|赌场|百家乐|老虎机|时时彩|六合彩|裸聊|约炮|办证|套现|秒下款|网贷",
    r"荐股|牛股|内幕(?:消息|票)|带单|跟单|币圈.{0,6}(?:群|带|赚)|(?:usdt|比特币).{0,8}(?:群|搬砖|套利|收益"
    r"|翻倍)",
    r"\b(?:earn|earning|make|making|made)\b.{0,12}[$€£]\s?\d[\d,.k]*\s*(?:/|a|per|every|each|daily|weekly"
    r"|in)\b",
    r"\b(?:double|triple|multiply|recover|invest)\b.{0,12}\b(?:your|lost|my)\b.{0,12}\b(?:bitcoins?|btc"
    r"|eth|crypto)",
    r"\bfree (?:bitcoin|btc|crypto|nft|iphone|gift ?cards?|robux|v-?bucks|followers)\b"
    r"|\bguaranteed (?:profits?|returns?)",
    r"\b(?:crypto|bitcoin|forex|binary)\W.{0,16}\b(?:expert|coach|mentor|signals|broker|manager"
    r"|account manager)\b",
    r"\bsub ?(?:4|for) ?sub\b|\b(?:check ?out|visit|subscribe to|sub to) my (?:channel|page|profile"
    r"|onlyfans|site)\b",
    r"\bonlyfans\b.{0,20}\b(?:link|bio|profile)\b|\b(?:click|tap|see)\b.{0,12}\bmy (?:bio|profile|pic)\b",
    r"\b(?:buy|cheap|get)\b.{0,12}\b(?:followers|likes|views|subscribers)\b.{0,20}(?:cheap|at|from|here"
    r"|now|$)",
    r"\b(?:online|best) (?:casino|betting|sportsbook)\b|\bslots? (?:bonus|jackpot)\b"
    r"|\bpromo ?code\b.{0,20}\d",
)
_SPAM = re.compile("|".join((*_CONTACT, *_OFFERS)))
_SQUASHED_SPAM = re.compile(
    r"加我?(?:微信|vx|薇信|威信)(?:领|免费|拉|进群|送|赚|[a-z]*\d[a-z0-9]{4,})|私聊我?领|私信我?领"
    r"|免费领取|日赚\d|刷单"
    r"|(?:微信|薇信|vx|wx)(?=[a-z]{0,10}\d)(?=[a-z0-9]*\d{3})[a-z0-9]{6,20}"
)
_PROMO = re.compile(
    r"\b(?:free|discount|promo|giveaway|win|winner|offer|cheap(?:est)?|sale|deal|earn|bonus|followers"
    r"|click here|"
    r"limited time|% off|sign ?up|invest\w*)\b|免费|优惠|折扣|福利|返利|红包|点击|领取|兼职|赚钱|下单|淘宝"
    r"|拼多多|推广|注册"
)
_LAUGHTER = frozenset("哈呵嘿嘻啊呜哇6 2 3 5 h a w k l o x !！?？。.~～…，,草笑赞强棒 ")

_AGAINST = (
    r"(?:ignor(?:e|ing)|disregard|forget|override|bypass|overrule|drop|skip)(?:everything|any|all|of|the"
    r"|your|my|these|"
    r"those|and|every|other)*(?:previous|prior|above|earlier|preceding|original|initial|system|existing"
    r"|foregoing)"
    r"(?:system)?(?:instructions?|prompts?|rules?|messages?|directions?|guidelines?|constraints?|orders?"
    r"|context)",
    r"(?:ignore|disregard|forget|override|bypass)(?:all|any|of)*your(?:instructions?|prompts?|rules"
    r"|guidelines?|training)",
    r"(?:ignore|disregard|forget)(?:everything|all)(?:that(?:was|is)?|you(?:were|have"
    r"|ve)?(?:been)?)?(?:above|before|told)",
    r"(?:reveal|print|repeat|output|leak|display|dump|translate)(?:me|us|out)*(?:all)?your(?:entire|full"
    r"|hidden|secret"
    r"|original|exact|initial|own)*(?:system)?(?:prompts?|instructions|systemmessage|guidelines)",
    r"(?:showme|giveme|tellme|sendme|whatis|whats)your(?:entire|full|hidden|secret|original|exact|initial"
    r"|own)*"
    r"(?:system)?(?:prompts?|systemmessage|hiddeninstructions)",
    r"(?:reveal|print|repeat|output|leak|dump)(?:out)?the(?:full|entire|hidden|secret"
    r"|whole)?(?:system)?prompt",
    r"(?:your|new)system(?:prompt|message|instructions)|systempromptoverride|newinstructions(?:are|follow)"
    r"|endofprompt",
    r"(?:developer|dan|god|jailbreak|sudo|debug|admin)mode(?:on|enabled|activated|isnow)"
    r"|enable(?:developer|jailbreak|dan)mode",
    r"(?:忽略|无视|忘记|忘掉|不要理会|别理会|不用管|抛开|跳过|覆盖|违反|绕过|取消|清除|不要遵守"
    r"|停止遵守)(?:掉|了|你)*"
    r"(?:之前|以上|上面|前面|先前|上述|此前|原来|你|您|我|所有|一切|全部|任何|系统|给|收到|被|设|定|说|过"
    r"|那些|这些|的)*"
    r"(?:指令|指示|提示词|提示语|提示(?!音|框|灯|条|窗|信息)|规则|设定|命令|约束|限制|要求|prompt|系统消息)",
    r"(?:输出|打印|告诉我|显示|重复|复述|泄露|说出|公开|发给我|给我看看?|透露)(?:一下|出|一遍|你|您|的"
    r"|完整|全部|原始|隐藏|初始|所有)*"
    r"(?:系统提示词?|系统prompt|systemprompt|提示词|初始指令|系统指令|内部指令|系统消息)",
    r"你的(?:系统提示词?|提示词|初始指令|系统指令|prompt)是(?:什么|啥)",
    r"(?:进入|开启|启用|切换到|打开)(?:开发者|越狱|上帝|调试|管理员|无限制|dan)模式",
)
_SQUASHED_INJECTION = re.compile("|".join(_AGAINST))
_ROLE = (
    r"(?:ai\b|assistant|chat ?bot|bot\b|language model|llm|dan\b|pirate|hacker|admin|root|terminal"
    r"|unrestricted|uncensored)"
)
_SPOKEN_INJECTION = re.compile(
    rf"\byou are now (?:\w+ ){{0,3}}{_ROLE}|\byou are now (?:in \w+ mode|free (?:from|of)|going to (?:act"
    rf"|reply|answer|say))"
    r"|\bfrom now on,? you (?:are|will|must|should|shall)(?: only| always| never)? "
    r"(?:answer|respond|reply|act|speak|say|obey|ignore|pretend|behave|be an? \w+ ?(?:bot|ai)|end)"
    rf"|\bpretend (?:that )?you(?:'re| are)\b|(?:^|[.!?;:,\n]\s*)(?:please )?act as (?:if you"
    rf"|an? (?:\w+ )?{_ROLE})"
    r"|\b(?:do not|don't) (?:follow|obey) (?:your|the|any) (?:rules|instructions|guidelines)"
    r"|你(?:现在|从现在(?:开始|起)|接下来)(?:就)?(?:要)?(?:是|扮演|充当|变成)(?!一个人|用|在|不|怎|什|哪"
    r"|住|做|靠|还|自己|全职)"
    r"(?:一[个名位只款台]|没有|不受|无限制|我的|dan|管理员|开发者|系统|ai|人工智能|机器人|助手|猫娘|黑客"
    r"|新的?)"
    r"|从现在(?:开始|起),?你(?:要|必须|只能|将|需要|不再|就是|扮演)|(?:^"
    r"|[,。.!?\n])\s*(?:请)?扮演一[个名位只]"
)
_TAGS = re.compile(
    r"<\s*[|｜]\s*/?\s*\w+|\w\s*[|｜]\s*>|\[\s*/?\s*inst\s*\]|<<\s*/?sys\s*>>|</?\s*(?:system|assistant"
    r"|instructions?|prompt)\s*>"
    r"|</?(?:start|end)_of_turn>|<{3}|>{3}"
    r"|(?:^|\n)[^\S\n]*(?:#{1,6}\s*|\*\*)?(?:system|assistant|developer|系统|系统提示|系统消息|助手)(?: prompt"
    r"| message)?\s*[:\]]"
    r"|(?:^|\n)[^\S\n]*#{2,}\s*(?:new |system )?instructions?\b|[\[【](?:system|系统)(?:消息|提示|message"
    r"|prompt)?[\]】]"
)


def fold(text: str) -> str:
    """`text` in one form: compatibility forms unified, small letters, simplified characters, nothing invisible."""
    seen = visible(unicodedata.normalize("NFKC", visible(text)))
    return unicodedata.normalize("NFC", seen.casefold()).translate(_LOOKALIKES).translate(_SIMPLE)


def visible(text: str) -> str:
    """`text` without zero-width and direction marks, control characters, lone surrogates and blank letters."""
    return text.translate(_VISIBLE)


def squash(folded: str) -> str:
    """Only the letters and digits of a folded text, in a row."""
    return "".join(c for c in folded if c.isalnum())


def is_blank(text: str) -> bool:
    """Nothing is to be seen: blanks, zero-width characters, direction marks, control characters."""
    return not visible(text).strip()


def is_emoji_only(text: str) -> bool:
    """Something is to be seen, but no word and no number: emoji, emoticons, stickers, punctuation."""
    rest = _STICKER.sub("", _EMOTICON.sub("", _KEYCAP.sub("", text)))
    return not is_blank(text) and not any(c.isalnum() for c in visible(rest))


def spam_sign(text: str, *, asks: bool = False) -> str | None:
    """What makes `text` spam, or None. `asks` says that it is a question: then one advertising word is forgiven."""
    folded = re.sub(r"[+➕]\s*(?=[v微薇威卫q扣])", "加", fold(text))
    found = _SPAM.search(folded) or _SQUASHED_SPAM.search(squash(folded))
    if found:
        return found[0].strip()
    links = URL.findall(folded)
    if len(links) >= 3:
        return f"{len(links)} links"
    promo = set(_PROMO.findall(folded)) if links else set()
    if len(promo) > int(asks):
        return f"link with {', '.join(sorted(promo))}"
    return _repetition(folded)


def injection_sign(text: str) -> str | None:
    """What in `text` tries to steer a language model, or None."""
    folded = fold(text)
    squashed = squash(folded)
    found = (
        _TAGS.search(folded)
        or _SPOKEN_INJECTION.search(" ".join(folded.replace("\n", " . ").split()))
        or _SQUASHED_INJECTION.search(squashed)
        or _SQUASHED_INJECTION.search(squash(folded.translate(_LEET)))
    )
    return found[0].strip() if found else None


def _repetition(folded: str) -> str | None:
    dense = "".join(folded.split())
    run = max((m[0] for m in re.finditer(r"(.)\1{11,}", dense)), key=len, default="")
    if len(run) * 2 >= len(dense) and run and run[0] not in _LAUGHTER and run[0].isalnum():
        return f"{run[0]} repeated {len(run)} times"
    words = folded.split()
    if len(words) >= 6:
        word = max(set(words), key=words.count)
        if len(word) > 1 and words.count(word) * 10 >= len(words) * 7 and not set(word) <= _LAUGHTER:
            return f"{word} repeated {words.count(word)} times"
    found = re.search(r"(.{2,12}?)\1{5,}", dense)
    if found and len(found[0]) * 10 >= len(dense) * 7 and not set(found[1]) <= _LAUGHTER:
        return f"{found[1]} repeated"
    return None
