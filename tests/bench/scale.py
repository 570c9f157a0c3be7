"""A library of 100,000 passages of made-up text: how fast it answers, and how fast a change of it is seen."""

import asyncio
import random
import sys
import tempfile
import time
from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median, quantiles

from knowledge.ingest import Library
from knowledge.records import Loaded, Section

PASSAGES_PER_DOCUMENT = 20
SENTENCES = 6
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnprstvw"
# In real text the most frequent words carry no meaning, and the question's parser knows them.
_FREQUENT = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they "
    "which one you were all her she there would their we him been has when who will no more if out"
)
_FREQUENT_CHINESE = (
    "的 了 在 是 和 有 我 不 这 他 也 就 人 都 一个 上 你 说 到 要 会 着 没有 看 好 自己 很 那 我们"
)
_HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]


@dataclass(frozen=True, slots=True)
class ScaleFigures:
    """Of one library."""

    passages: int
    build_s: float
    query_p50_ms: float
    """Of a whole `retrieve`: search, ranking, quotes."""
    query_p95_ms: float
    query_cpu_p50_ms: float
    """What the same took of one core: nearly the same on a machine at rest."""
    replace_s: float
    """Median from the start of the ingest of a changed file to the end of a search that finds its new text."""


class Speech:
    """Words with the frequencies of real text: the n-th most frequent has 1/n of the first's."""

    def __init__(self, seed: int, words: int = 50_000) -> None:
        self._chance = random.Random(seed)
        self.english = self._distinct(words, _FREQUENT.split(), self._english_word)
        self.chinese = self._distinct(words, _FREQUENT_CHINESE.split(), self._chinese_word)
        self._sums = list(accumulate(1 / rank for rank in range(1, words + 1)))

    def _distinct(self, number: int, first: Sequence[str], make: Callable[[], str]) -> list[str]:
        found: dict[str, None] = dict.fromkeys(first)
        while len(found) < number:
            found[make()] = None
        return list(found)

    def _english_word(self) -> str:
        pairs = self._chance.choices((2, 3, 4), (5, 3, 1))[0]
        return "".join(
            self._chance.choice(_CONSONANTS) + self._chance.choice(_VOWELS) for _ in range(pairs)
        ) + self._chance.choice("nrstl")

    def _chinese_word(self) -> str:
        return "".join(self._chance.choices(_HAN, k=self._chance.choice((2, 2, 3))))

    def words(self, chinese: bool, number: int) -> list[str]:
        vocabulary = self.chinese if chinese else self.english
        places = (bisect(self._sums, self._chance.random() * self._sums[-1]) for _ in range(number))
        return [vocabulary[min(place, len(vocabulary) - 1)] for place in places]

    def sentence(self, chinese: bool) -> str:
        length = self._chance.randrange(8, 18)
        if chinese:
            return "".join(self.words(True, length)) + "。"
        return " ".join(self.words(False, length)).capitalize() + ". "

    def passage(self, chinese: bool) -> str:
        return "".join(self.sentence(chinese) for _ in range(SENTENCES)).strip()

    def question(self, chinese: bool) -> str:
        """Some words of everyday frequency and some rare ones, as in a question."""
        length = self._chance.randrange(5, 11)
        words = self.words(chinese, length)
        return "".join(words) + "？" if chinese else " ".join(words) + "?"


def documents(speech: Speech, passages: int) -> Iterator[tuple[str, Loaded]]:
    """One in three is Chinese."""
    for number in range(passages // PASSAGES_PER_DOCUMENT):
        chinese = number % 3 == 0
        texts = tuple(speech.passage(chinese) for _ in range(PASSAGES_PER_DOCUMENT))
        title = "".join(speech.words(True, 2)) if chinese else " ".join(speech.words(False, 3))
        yield f"/made-up/{number}", Loaded(title, (Section((), texts),))


def measure(passages: int, *, questions: int = 500, changes: int = 5) -> ScaleFigures:
    """Build a library, ask it, change one file of it again and again."""
    speech = Speech(seed=1)
    with tempfile.TemporaryDirectory(prefix="rejoinder-scale-") as name:
        library = Library(Path(name) / "library")
        started = time.perf_counter()
        library.add_loaded(documents(speech, passages))
        build_s = time.perf_counter() - started
        times, cpu_times = zip(*_ask_ms(library, speech, questions), strict=True)
        replaced = [
            _replace_s(library, speech, Path(name) / "changed.txt", turn) for turn in range(changes + 1)
        ]
        found = library.stats().passages
        library.close()
    return ScaleFigures(
        found,
        build_s,
        median(times),
        quantiles(times, n=20)[-1],
        median(cpu_times),
        median(replaced[1:]),  # the first adds the file
    )


def _ask_ms(library: Library, speech: Speech, questions: int) -> Iterator[tuple[float, float]]:
    retriever = library.retriever()
    retriever.retrieve(speech.question(False))  # opens what is opened once
    for number in range(questions):
        question = speech.question(number % 3 == 0)
        started, cpu = time.perf_counter(), time.process_time()
        retriever.retrieve(question)
        yield (time.perf_counter() - started) * 1000, (time.process_time() - cpu) * 1000


def _replace_s(library: Library, speech: Speech, path: Path, turn: int) -> float:
    token = f"unheardof{'abcdefghij'[turn]}word"
    texts = [speech.passage(chinese=False) for _ in range(PASSAGES_PER_DOCUMENT - 1)]
    path.write_text("\n\n".join([*texts, f"The new price of {token} is 12 dollars."]), "utf-8")
    retriever = library.retriever()
    started = time.perf_counter()
    report = asyncio.run(library.ingest([str(path)]))
    found = retriever.retrieve(f"new price of {token}")
    seconds = time.perf_counter() - started
    if report.failed or not found or token not in found[0].passage.text:
        sys.exit(f"the changed document was not found ({report.failed}): the benchmark measures nothing")
    return seconds
