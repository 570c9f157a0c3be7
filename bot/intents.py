"""What a comment wants, by rules in English and Chinese. Pure.

question   wants to know or to get something that documents may hold ("how do I install this", "求链接")
request    wants the creator to do something ("make a part 2", "出一期剪辑教程")
complaint  is unhappy with the creator, the video or a product
praise     thanks, praise, cheer, laughter: nothing to answer
other      anything else
"""

import re
from typing import Literal

from bot.triage import fold

Intent = Literal["question", "praise", "complaint", "request", "other"]

# Words of asking inside praise and reports: "thanks for showing me how to roast", "怎么这么好看".
_REPORTED = re.compile(
    r"\b(?:showing|showed|shown|shows|taught|teaching|teaches|learned|learnt|explained|explaining|explains"
    r"|knew|understood|"
    r"loved?|enjoy(?:ed)?|figured out|(?:now|finally|already) (?:i )?(?:know|understand|get|see))\b"
    r"(?: me| us| people| exactly| finally| i| clearly)* (?:how|what|why|where|when|which)(?: to)?\b"
    r"|\b(?:summary|explanation|overview|guide|lesson|demonstration|video|tutorial) (?:of|on"
    r"|about) how to\b|\bno (?:problems?|issues?|errors?|bugs?|questions?)\b"
    r"|\bwithout (?:any )?(?:problems?|issues?"
    r"|errors?)\b"
    r"|\b(?:fix(?:ed|es)?|solv(?:ed|es)|resolved)\b(?: \w+){0,3} (?:problems?|issues?|errors?|bugs?)\b"
    r"|\bwhat an? |\bhow (?:cool|great|awesome|nice|beautiful|lovely|amazing|wonderful)\b|\bnot bad\b"
    r"|\bno matter (?:how|what)\b"
    r"|怎么(?:可以|能|会)?(?:这么|那么)(?:好|棒|强|厉害|可爱|牛|香|美|帅|有才|细|用心|清楚)|为什么(?:这么"
    r"|那么)(?:好|棒|强|厉害|牛)"
    r"|什么神仙|什么都|没什么|没有什么|什么的|哪里都|哪儿都|不管(?:怎么|什么)|无论(?:如何|怎么|什么)"
    r"|没(?:有)?问题|毫无问题"
    r"|解决了.{0,8}(?:问题|疑惑|困扰)|(?:终于|总算)(?:知道|明白|搞懂|学会|弄懂)了?(?:怎么|为什么|如何"
    r"|什么)?|多么|什么时候都"
)
_HOSTILE = re.compile(
    r"\b(?:(?:is|this|total|pure|absolute|complete|such|utter|what) (?:an? )?(?:\w+ )?(?:garbage|trash"
    r"|rubbish|scam|rip-?off|joke)"
    r"|scammers?|waste of (?:my )?(?:time|money)|worst (?:video|channel|product|tutorial)|click ?bait|liar"
    r"|shame on you|sell-?out)\b"
    r"|垃圾(?!回收|分类|桶|箱|邮件|袋|文件)|骗子|骗人|骗钱|差评|智商税|恰烂钱|标题党|割韭菜|取关|维权|投诉"
    r"|举报|水视频|不要脸"
)
_REQUEST = re.compile(
    r"\b(?:(?:can|could|would|will) (?:you|u)|please|pls|plz) (?:please |pls |also |maybe |ever |consider )*"
    r"(?:mak(?:e|ing)|do(?:ing)? an?|cover(?:ing)?|upload(?:ing)?|post|film|record|review|create|add"
    r"|release|redo|continue)\b"
    r"|\b(?:would|i'd) (?:really )?(?:love|like) (?:to see|a video|a tutorial|you to|if you|more)\b"
    r"|\bit (?:would|'d|will) be (?:so |really )?(?:nice|great|cool|awesome|helpful)\b"
    r"|\b(?:idk if .{0,40})?you should (?:make|do|post|try|film|cover|review)"
    r"|\b(?:part|episode) (?:2|two|3|three) (?:please|pls|plz|when|soon)|\bmore (?:videos?|content"
    r"|tutorials?) (?:like|on|about)\b"
    r"|\b(?:video|tutorial|episode|part 2|version)\b.{0,40}\b(?:please|pls|plz)\b|\bwaiting for (?:the "
    r"|your )?(?:next|part|new)\b"
    r"|\b(?:request|suggestion)s?:|\b(?:need|want) (?:a |more )?(?:video|tutorial|part 2)\b"
    r"|出(?:个|一)?(?:一)?(?:期|下期|教程|视频|合集|系列)|(?:能不能|能否|可不可以|可以|麻烦|希望|建议|请"
    r"|求|想让|期待|请求)"
    r"(?:你|您|up主?|博主|老师|大佬)?(?:再|多|也|快点|下次|下期|以后|尽快)*(?:出(?!现|错|来|问题)|讲讲"
    r"|讲一|做(?:个|一|期)|拍|录|更新?|测评?|加(?:个|上)|补|开(?:个|一)?课|翻译)"
    r"|催更|快更|求更新?|想看.{0,12}(?:教程|视频|测评|一期|系列|讲)|蹲(?:后续|下期|更新|续集)|来(?:一期"
    r"|个教程|个视频)|多(?:拍|更|讲|出)(?:点|一点|些)"
)
_QUESTION = re.compile(
    r"\?|\bhow (?:do|does|did|to|can|could|much|many|long|often|come|about|would|should|is|are|far|big|old"
    r"|hot|fast|high|well)\b"
    r"|^(?:(?:hi|hey|hello|sir|bro|ok|so|and|but|also|please|pls|thanks|dude|guys)\b[\s,!.-]*)*(?:how|what"
    r"|what's|whats|why|when|where|"
    r"which|who|whose|can|could|would|should|do|does|did|is|are|was|were|will|has|any(?:one|body)"
    r"|any)\b(?! (?:a|an) |')"
    r"|[.!,;:—-]\s*(?:(?:so|but|and|also|just|quick question)\b[\s,:-]*)?(?:what|why|when|where|which|who"
    r"|can (?:i|you|we|u)|could (?:i|you)|"
    r"should i|do (?:i|you|u)|does (?:it|this|the)|is (?:it|this|there|that)|are (?:there|you|these)"
    r"|will (?:it|this|you)|did you|have you)\b"
    r"|\bwonder(?:ing)? (?:if|how|what|whether|about|why|where|which)\b|\bcurious (?:if|how|what|whether"
    r"|about)\b"
    r"|\bwhat (?:is|are|does|do|about|if|kind|type|temp\w*|lens|camera|model|brand|settings?|size"
    r"|software)\b|\bwhere (?:can|do|did|to) (?:i|you|we|get|buy|find)"
    r"|\b(?:quick|one|a|another|my|have) questions?\b|\bquestions?:|\bi (?:don't|do not|dont|didn't|cant"
    r"|can't|cannot|couldn't) "
    r"(?:understand|get (?:how|why|what)|find|figure out|know (?:how|what|why|where|which|if))\b|\b(?:need"
    r"|pls|please|plz|some) help\b|\bhelp (?:me|please|pls)\b"
    r"|\b(?:any (?:tips|advice|recommendations?|suggestions?|idea|chance|plans?|discount|alternatives?))\b"
    r"|\b(?:please|pls|plz) (?:explain|tell|share|send|help|clarify)\b"
    r"|\b(?:link|source|recipe|settings|name of the \w+|song|music) (?:please|pls|plz)\b|\b(?:is"
    r"|are) there (?:any|an?)\b|\bconfused (?:about|by|on)\b"
    r"|\b(?:let me know|tell me|explain|clarify) (?:how|what|why|where|which|if|when)\b|\b(?:want|like"
    r"|love|need) to know\b|\bdoes any(?:one|body)\b|\bany(?:one|body) (?:else )?(?:know|tried|have)\b"
    r"|吗|么(?:$|[。!,.~])|呢(?:$|[。!,.~])|怎么|怎样|怎麽|如何|为什么|为啥|为何|什么|啥|(?:在|去)哪"
    r"|哪(?:里|儿|个|些"
    r"|款|种|一|家|位|天|年|能|有|边|台|部|首|步)"
    r"|多少|多大|多久|多长|多高|多重|多远|几(?:个|点|次|分|天|度|块|钱|月|年|克|号|层|时|秒|遍|档|寸|g|k)"
    r"|是否|能不能|可不可以|要不要|有没有|是不是|会不会|行不行|该不该|对不对|好不好用|能否"
    r"|求(?:个|一个|一份|下|问|解|助|教|分享|链接|推荐|资源|地址|型号|同款|参数|配方|bgm|歌名|下载|源码"
    r"|课件|店|图纸|清单|答|带|原图|教程|文件|软件)|请问|请教|想问|问一?下|想知道|想了解"
    r"|谁(?:知道|能|有|懂|会)|咋|何时|(?:没|看|搞|听|弄)(?:太)?不?懂(?!了)|不明白|不会(?:弄|用|装|操作)"
    r"|不知道(?:怎|为|哪|该|能|是|要|有)|区别|来个链接|蹲(?:个|一个)?(?:链接|答案)|还是.{1,12}(?:好|合适)$"
)
_TROUBLE = re.compile(
    r"\b(?:error|crash(?:es|ed|ing)?|bug|fails?|failed|stuck|doesn'?t (?:work|start|load|turn)"
    r"|does not (?:work|start)|not working|"
    r"stopped working|won'?t (?:start|work|turn|load|open)|keeps? (?:crashing|failing|burning|stalling)"
    r"|came out (?:burnt|bitter|blurry|dark))\b"
    r"|报错|闪退|过期|失效|失败|卡住|卡在|打不开|出问题|装不上|连不上|用不了|没反应|不工作|崩溃"
)
_COMPLAINT = re.compile(
    r"\b(?:not (?:very |so |that |at all )?(?:helpful|good|useful|great|clear|nice|impressed|happy)|bad"
    r"|terrible|awful|horrible|useless|misleading|wrong|incorrect|disappoint(?:ed|ing|ment)|(?:is"
    r"|was|arrived|came|got|totally) broken"
    r"|hate|boring|unsubscrib(?:e|ed|ing)|"
    r"fake|annoying|poor(?:ly)?|overpriced|never (?:arrived|came|received|got)|dislike[sd]?|unhelpful"
    r"|too (?:loud|quiet|fast|slow|long|expensive)|"
    r"(?:bit|very|so) (?:quiet|loud|slow|fast)|can'?t hear|hard to (?:hear|follow|read))\b"
    r"|太差|难听|难看|难喝|失望|浪费(?:时间|钱|我)|错了|讲错|说错|不对|误导|没用|不好用|坏了|听不清|看不清"
    r"|(?:声音|音量|字)太小|太吵|太快|太慢|太贵|烂|无聊|后悔|没收到|还没(?:发货|到)|不新鲜|不好喝|翻车|敷衍"
)
_PRAISE = re.compile(
    r"\b(?:thanks?|thank ?you|thx|tysm|ty|great|awesome|amazing|love[ds]?|lovely|nice|excellent|fantastic"
    r"|perfect(?:ly)?|brilliant|best|cool|good|"
    r"well (?:done|explained|said|made)|helpful|helped|helps|useful|informative|subscribed|underrated"
    r"|beautiful(?:ly)?|wow|legend|goat|respect|"
    r"keep (?:it )?(?:up|going)|congrat\w*|first|lol|lmao|rofl|(?:ha){2,}h?|epic|10/10|clear(?:ly)?"
    r"|inspir\w+|wonderful|incredible|impressive|"
    r"addicted|superb|super|outstanding|masterpiece|glad|appreciate[sd]?|grateful|enjoy(?:ed|ing)?|yay"
    r"|bravo|favou?rite|gold|gem|power to you|good luck)\b"
    r"|谢|太棒|真棒|很棒|好棒|棒|好听|好看|太好|真好|很好|讲得|讲的|厉害|牛|6{2,}|赞|支持|喜欢|爱了|学到"
    r"|受用|有用|实用|干货|收藏|三连|关注了|已关注|优秀|太强|好强|绝了|yyds|大佬|辛苦|清晰|清楚|加油|哈哈"
    r"|第一|打卡|沙发|前排|"
    r"顶|良心|宝藏|专业|精彩|不错|完美|神仙|治愈|舒服|感动|期待|用心|有帮助|受益|好喝|香|好用|致敬|泪目"
    r"|终于|解决了|(?:很|非常|太|好)详细|没问题|没什么好说"
)

_SOLVED = re.compile(
    r"\b(?:fixed|solved|thanks? (?:to|for)|helped|works now|no more)\b|解决了(?!.*(?:又|还|不过|但))|没问题了|谢"
)

# Kind words with a turn in them, or with bad luck: there is more to it than praise.
_TURN = re.compile(
    r"\b(?:but|though|although|however|except|unfortunately|sadly|still (?:no|not|don'?t|can'?t|waiting|have)"
    r"|burn(?:t|ed)|ruined|exploded|bitter|missing|refund|never (?:happen|get|got|arriv|receiv)\w*"
    r"|didn'?t|doesn'?t|couldn'?t(?! be)|can'?t(?! (?:wait|stop|get enough|thank))|not (?:found|arrived|work\w*)"
    r"|says|pls|plz|my order|to order|shipping|price|link|waiting for|best (?:\w+ )?(?:for|under)\b)"
    r"|:['-]?\(|\b(?:no|without) (?:sound|audio|email|e-mail|reply|link|subtitles?)\b"
    r"|但(?!愿)|可惜|不过|就是(?:有|太|没|不|价|声|字|画)|然而|糊了|炸了|发霉|裂|失败了|权限|拧不|装不|打不|没有?(?:声音|字幕|收到|画面)"
    r"|少了|漏发|报错|链接|价格|运费|尺寸|尺码|身高|换成|到付|寄|想买|还是(?:不|没|装|打|报|有)"
    r"|有点(?:贵|小|快|慢|吵|短|长)"
)


def classify(text: str) -> Intent:
    """The intent of a comment. Where several show, the one that most needs a person's care wins."""
    folded = " ".join(fold(text).replace("’", "'").split())
    asking = _REPORTED.sub(" · ", folded)
    if _HOSTILE.search(folded):
        return "complaint"
    if _REQUEST.search(asking):
        return "request"
    if _QUESTION.search(asking) or (_TROUBLE.search(asking) and not _SOLVED.search(folded)):
        return "question"
    if _COMPLAINT.search(asking):
        return "complaint"
    return "praise" if _PRAISE.search(folded) and not _TURN.search(folded) else "other"
