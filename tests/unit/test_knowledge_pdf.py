"""PDF files: lines to paragraphs, what runs over every page, and pages that cannot be read."""

import io

import pytest
from PIL import Image
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from knowledge import pdf as loader
from knowledge.records import LoadError
from tests.bench.pdf import bench
from tests.unit.loading import paragraphs, read, refusal

LATIN, HAN = "Helvetica", "STSong-Light"
pdfmetrics.registerFont(UnicodeCIDFont(HAN))
pdfmetrics.registerFont(TTFont("Vera", "Vera.ttf"))


def pdf(*pages: list[str], font: str = LATIN, **options: object) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, **options)
    for lines in pages:
        canvas.setFont(font, 12)
        for number, line in enumerate(lines):
            canvas.drawString(50, 800 - 16 * number, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_pdf_lines_are_joined_words_mended_and_page_numbers_dropped() -> None:
    data = pdf(
        ["The first crack starts at 196 degrees, and the tem-", "perature rises quickly. Done.", "1"],
        ["Next page with a text that is long enough here", "Page 2 of 2"],
    )
    loaded = read(data, ".pdf")
    assert [(section.page, section.paragraphs) for section in loaded.sections] == [
        (1, ("The first crack starts at 196 degrees, and the temperature rises quickly. Done.",)),
        (2, ("Next page with a text that is long enough here",)),
    ]


def test_a_sentence_over_a_page_break_stays_whole() -> None:
    loaded = read(
        pdf(["This sentence is long enough and goes on over the"], ["page break. Then more."]), ".pdf"
    )
    assert paragraphs(loaded) == ["This sentence is long enough and goes on over the page break. Then more."]


def test_chinese_pdf_lines_are_joined_without_blanks() -> None:
    data = pdf(
        ["家庭咖啡烘焙指南：一爆大约在一百九十六摄氏度", "开始，二爆在二百二十四摄氏度。", "第二段。"],
        font=HAN,
    )
    assert paragraphs(read(data, ".pdf")) == [
        "家庭咖啡烘焙指南：一爆大约在一百九十六摄氏度开始，二爆在二百二十四摄氏度。",
        "第二段。",
    ]


def test_500_pages_are_read_each_with_its_number() -> None:
    loaded = read(pdf(*[[f"This is what page {number} says."] for number in range(1, 501)]), ".pdf")
    assert (len(loaded.sections), loaded.sections[-1].page) == (500, 500)
    assert loaded.sections[499].paragraphs == ("This is what page 500 says.",)


def scanned() -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawImage(ImageReader(Image.new("RGB", (50, 50), "grey")), 50, 50)
    canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_pdf_refusals_name_the_cure() -> None:
    assert "save a copy without a password" in refusal(pdf(["x"], encrypt=StandardEncryption("pw")), ".pdf")
    assert "OCR" in refusal(scanned(), ".pdf")
    assert "OCR" in refusal(pdf([]), ".pdf")
    assert "damaged" in refusal(b"%PDF-1.7 nothing else", ".pdf")
    assert "damaged" in refusal(pdf(["text"])[:200], ".pdf")


PROSE = [
    "Beans are roasted slowly, and then they are left",
    "to rest for a day. Grinding comes afterwards, when",
]


def book(pages: int, titles: tuple[str, str], number: str) -> bytes:
    """Each page: a title above, two lines that differ from page to page, its number below."""
    return pdf(
        *[
            [
                titles[page % 2],
                f"{PROSE[0]} {'abcdefghij'[page % 10]}",
                f"{PROSE[1]} ready.",
                number.format(page),
            ]
            for page in range(1, pages + 1)
        ]
    )


@pytest.mark.parametrize(
    "number", ["{}", "- {} -", "The Handbook, {}", "Page {} of 6", "A footer that stays"]
)
def test_titles_that_alternate_and_numbers_that_run_are_gone(number: str) -> None:
    text = "\n".join(paragraphs(read(book(6, ("Left Title", "Chapter One"), number), ".pdf")))
    assert text.count("Beans are roasted") == 6
    for gone in ("Left Title", "Chapter One", "Handbook", "Page", "footer", "- 3 -"):
        assert gone not in text


def test_a_heading_that_counts_with_the_pages_is_text() -> None:
    data = pdf(*[[f"Step {page}", *PROSE, f"word{'abcdef'[page]} ends it."] for page in range(1, 6)])
    assert [f"Step {page}" in one for page, one in enumerate(paragraphs(read(data, ".pdf")), 1)] == [True] * 5


def test_a_line_on_two_pages_only_is_text() -> None:
    text = "\n".join(paragraphs(read(book(3, ("Same words here", "Other words here"), "end."), ".pdf")))
    assert "Same words here" in text


def test_space_between_lines_and_larger_letters_make_paragraphs_and_headings() -> None:
    out = io.BytesIO()
    canvas = Canvas(out)
    for size, height, line in [
        (20, 800, "Grinding"),
        (11, 770, "First paragraph that goes over the line without a"),
        (11, 756, "full stop at its end"),
        (11, 728, "Second paragraph with some more of the words in it"),
        (11, 714, "and one more line to make the usual step clear"),
        (14, 690, "Water"),
        (11, 670, "Hot"),
    ]:
        canvas.setFont(LATIN, size)
        canvas.drawString(50, height, line)
    canvas.save()
    loaded = read(out.getvalue(), ".pdf")
    assert loaded.title == "Grinding"
    assert [(section.headings, section.paragraphs) for section in loaded.sections] == [
        (
            (),
            (
                "First paragraph that goes over the line without a full stop at its end",
                "Second paragraph with some more of the words in it and one more line to make the usual step clear",
            ),
        ),
        (("Water",), ("Hot",)),
    ]


def mixed() -> bytes:
    """Text, scan, scan, text, empty."""
    out = io.BytesIO()
    canvas = Canvas(out)
    for page in range(5):
        if page in (1, 2):
            canvas.drawImage(ImageReader(Image.new("RGB", (50, 50), "grey")), 50, 50)
        elif page < 4:
            canvas.drawString(50, 700, f"This page has text, namely {'abcde'[page]}.")
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def test_scanned_pages_among_text_are_told_and_empty_ones_are_not() -> None:
    loaded = read(mixed(), ".pdf")
    assert [section.page for section in loaded.sections] == [1, 4]
    assert loaded.notes == (
        "2 of 5 pages (2-3) hold no text but a picture (scanned?); run the file through OCR",
    )


def test_text_in_a_font_without_a_text_map_is_refused() -> None:
    bad = pdf(["éèüöäßñçøå üöä éèñç"], font="Vera").replace(b"/ToUnicode", b"/NoUnicode")
    assert paragraphs(read(pdf(["Words with a map."], font="Vera"), ".pdf")) == ["Words with a map."]
    assert "without a text map" in refusal(bad, ".pdf")


def test_a_file_of_too_many_pages_or_characters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pdf(["Some words."], ["More words."], ["Yet more."])
    monkeypatch.setattr(loader, "MAX_CHARACTERS", 15)
    with pytest.raises(LoadError, match="million characters; split it"):
        loader.load_pdf("/docs/file.pdf", data, "file")
    monkeypatch.setattr(loader, "MAX_PAGES", 2)
    with pytest.raises(LoadError, match="has 3 pages, the limit is 2; split it"):
        loader.load_pdf("/docs/file.pdf", data, "file")


def test_page_numbers_are_told_as_ranges() -> None:
    assert loader.ranges([0, 2, 3, 4, 9]) == "1, 3-5, 10"
    assert loader.ranges(range(0, 40, 2)).endswith("19, ...")


def test_the_text_of_pages_set_like_a_book_comes_back_nearly_whole() -> None:
    figures = bench(8)
    assert figures["pdf_text_f1_en"] > 0.995
    assert figures["pdf_text_f1_zh"] > 0.99
