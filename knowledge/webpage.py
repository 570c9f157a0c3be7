"""The main text of an HTML page, without menus, banners and footers."""

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

import lxml.html  # type: ignore[import-untyped]
from lxml import etree

from knowledge.records import Loaded, LoadError, Outline, table_lines
from knowledge.textfiles import decode

_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TOO_DEEP = "nests its tags more than 256 deep, and what lies deeper is left out; save it as plain text"
_SMALL = 4000
"""Up to so many characters a page is kept whole but for its frame: too little to tell its main part by statistics."""
_FRAME = frozenset(
    [
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "header",
        "footer",
        "aside",
        "form",
        "svg",
        "iframe",
        "head",
    ]
)
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_LISTS = frozenset(["ul", "ol", "dl"])
_BLOCKS = (
    _HEADINGS | _LISTS | {"p", "div", "section", "article", "main", "table", "blockquote", "pre", "details"}
)


def load_html(source: str, data: bytes, title: str, charset: str = "", address: str = "") -> Loaded:
    """`charset` is what the server declared, `address` where the page came from; both are empty for files.

    Raises LoadError when nothing can be read.
    """
    text = _DECLARATION.sub("", _text_of(source, data, charset))
    parser = lxml.html.HTMLParser()
    try:
        tree = lxml.html.document_fromstring(text, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise LoadError(source, f"is no readable HTML ({error}); open it in a browser to check it") from error
    notes = (_TOO_DEEP,) if any("Excessive depth" in entry.message for entry in parser.error_log) else ()
    named = " ".join((tree.findtext(".//title") or "").split())
    headings = [_flat(element) for element in tree.iter("h1")]
    title = headings[0] if len(headings) == 1 and headings[0] else named or title
    outline = Outline(title)
    if sum(len(piece) for piece in _plain(tree)) > _SMALL:
        _from_extract(outline, text)
    if outline.size == 0:
        _walk(outline, tree)
    # The date last: who looks for it takes the tree apart.
    return replace(outline.finish(title, notes), address=_canonical(tree, address), date=_date(tree))


def _canonical(tree: etree._Element, address: str) -> str:
    """The address that the page gives for itself, if it is on the host that it came from; else that one."""
    own = [link.get("href") for link in tree.iter("link") if (link.get("rel") or "").lower() == "canonical"]
    own += [meta.get("content") for meta in tree.iter("meta") if meta.get("property") == "og:url"]
    for named in own if address else ():
        try:
            found = urlsplit(urljoin(address, (named or "").strip()))
            if found.scheme in {"http", "https"} and _host(found) == _host(urlsplit(address)):
                return str(urlunsplit((*found[:4], "")))
        except ValueError:  # "http://[": as good as none
            continue
    return address


def _host(parts: SplitResult) -> str:
    """With its port; a name or password before it makes it another one."""
    return parts.netloc.lower().removeprefix("www.")


def _date(tree: etree._Element) -> str:
    from trafilatura.metadata import extract_metadata  # noqa: PLC0415

    date = extract_metadata(tree, date_config={"extensive_search": False, "original_date": True}).date
    return date if date and _DATE.fullmatch(date) else ""


def _text_of(source: str, data: bytes, charset: str) -> str:
    found = _CHARSET.search(data[:4096])
    for name in (charset, found[1].decode("ascii") if found else ""):
        try:
            if name:
                return data.decode(name)
        except (LookupError, UnicodeDecodeError):
            continue
    return decode(source, data)


def _plain(tree: etree._Element) -> Iterator[str]:
    for element in tree.iter():
        if isinstance(element.tag, str) and not _in_frame(element):
            yield " ".join((element.text or "").split())
        if element.getparent() is not None and not _in_frame(element.getparent()):
            yield " ".join((element.tail or "").split())


def _in_frame(element: etree._Element) -> bool:
    return element.tag in _FRAME or any(parent.tag in _FRAME for parent in element.iterancestors())


def _from_extract(outline: Outline, text: str) -> None:
    # Imported here: it takes half a second and 40 MB, which only web pages need.
    import trafilatura  # noqa: PLC0415

    found = trafilatura.bare_extraction(text, include_comments=False, include_tables=True)
    body = getattr(found, "body", None)
    for element in () if body is None else body:
        _add_extracted(outline, element)


def _add_extracted(outline: Outline, element: etree._Element) -> None:
    if element.tag == "head":
        outline.heading(int((element.get("rend") or "h2")[1:] or 2), _flat(element))
    elif element.tag == "list":
        outline.paragraph("\n".join(_flat(item) for item in element.iter("item")))
    elif element.tag == "table":
        outline.paragraph(
            table_lines([_flat(cell) for cell in row.iter("cell")] for row in element.iter("row"))
        )
    elif element.tag in {"div", "quote"} and len(element):
        outline.paragraph(element.text or "")
        for child in element:
            _add_extracted(outline, child)
    else:
        outline.paragraph(_flat(element))


def _walk(outline: Outline, element: etree._Element) -> None:
    """Everything on the page but its frame."""
    for child in element:
        if not isinstance(child.tag, str) or child.tag in _FRAME:
            continue
        if child.tag in _HEADINGS:
            outline.heading(int(child.tag[1]), _flat(child))
        elif child.tag == "table":
            outline.paragraph(
                table_lines([_flat(cell) for cell in row.iter("th", "td")] for row in child.iter("tr"))
            )
        elif child.tag in _LISTS:
            outline.paragraph("\n".join(_flat(item) for item in child if isinstance(item.tag, str)))
        elif any(inner.tag in _BLOCKS for inner in child.iterdescendants()):
            outline.paragraph(_blanks(child.text))
            _walk(outline, child)
        else:
            outline.paragraph(_flat(child))
        outline.paragraph(_blanks(child.tail))


def _flat(element: etree._Element) -> str:
    """Text of an element; line breaks stay, all other white space becomes one blank."""
    return "\n".join(" ".join(line.split()) for line in _raw(element).split("\n")).strip()


def _raw(element: etree._Element) -> str:
    pieces = [_blanks(element.text)]
    for child in element:
        if child.tag in {"lb", "br", "item", "li"}:
            pieces.append("\n")
        if isinstance(child.tag, str) and child.tag not in _FRAME:
            pieces.append(_raw(child))
        pieces.append(_blanks(child.tail))
    return "".join(pieces)


def _blanks(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")
