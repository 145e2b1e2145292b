"""XML as SAML has it: bytes in, a tree out, bounded before and while it is read.
It must never resolve an entity, take a document type, a comment or a second thing with one ID.

Source: XML 1.0, xml:id 1.0, SAML 2.0 core section 1.3.4 (IDs). lxml reads; expat looks first, and bounds.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from xml.parsers import expat

from lxml import etree

from wicketgate.identity.jwt import NotProven

Element = Any
"""lxml's element: its stubs do not know half of what it can."""

LARGEST: Final = 160 << 10
"""Bytes of one document: a security limit."""
DEEPEST: Final = 24
"""Levels of nesting: a security limit."""
MOST_ELEMENTS: Final = 8_000
MOST_ATTRIBUTES: Final = 24
"""Attributes of one element, namespace declarations among them: security limits."""

ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
XENC11: Final = "http://www.w3.org/2009/xmlenc11#"
EXC_C14N: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_XML: Final = "{http://www.w3.org/XML/1998/namespace}"

_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?Z", re.ASCII)


def parse(text: bytes, *, comments: bool = False, most: int = LARGEST) -> Element:
    """The document's element. comments: they are left out (of what an operator wrote), else refused.

    Raises NotProven."""
    if not 0 < len(text) <= most:
        raise NotProven("the XML is larger than is taken")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise NotProven("the XML is not UTF-8") from None
    if b"<!DOCTYPE" in text:
        raise NotProven("the XML has a document type in it")
    _look(text, comments, most)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=comments,
        remove_pis=False,
        collect_ids=False,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(text, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise NotProven("it is no XML") from None
    docinfo = root.getroottree().docinfo
    if docinfo.doctype:
        raise NotProven("the XML has a document type")
    seen: set[str] = set()
    for each in root.iter():
        if not isinstance(each.tag, str):
            raise NotProven("the XML has comments, instructions or entities in it")
        for name, value in each.attrib.items():
            _identifier(name, value, seen)
    return root


def _identifier(name: str, value: str, seen: set[str]) -> None:
    if name.startswith(_XML) and name not in (f"{_XML}lang", f"{_XML}space"):
        raise NotProven("the XML has xml:id or xml:base in it")
    if etree.QName(name).localname.lower() != "id":
        return
    if name.startswith("{"):
        raise NotProven("the XML has an ID of another namespace in it")
    if not value or value in seen:
        raise NotProven("the XML has two things with one ID")
    seen.add(value)


def _look(text: bytes, comments: bool, most: int) -> None:
    """Bound what a parser would have to build, before anything is built. Raises NotProven."""
    depth = count = 0

    def refused(what: str) -> Any:
        def refuse(*_: Any) -> None:
            raise NotProven(f"the XML has {what} in it")

        return refuse

    def declared(version: str, encoding: str | None, standalone: int) -> None:
        if version != "1.0" or (encoding or "utf-8").lower() != "utf-8":
            raise NotProven("the XML is not 1.0 in UTF-8")

    def begun(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > DEEPEST or count > MOST_ELEMENTS * max(1, most // LARGEST):
            raise NotProven("the XML is nested too deeply, or has too many elements")
        if len(attributes) > MOST_ATTRIBUTES:
            raise NotProven("the XML has an element with too many attributes")

    def ended(name: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate("utf-8")
    parser.XmlDeclHandler = declared
    parser.StartElementHandler = begun
    parser.EndElementHandler = ended
    parser.StartDoctypeDeclHandler = refused("a document type")
    parser.EntityDeclHandler = refused("an entity")
    parser.ProcessingInstructionHandler = refused("an instruction")
    parser.StartCdataSectionHandler = refused("a CDATA section")
    if not comments:
        parser.CommentHandler = refused("a comment")
    try:
        parser.Parse(text, True)
    except expat.ExpatError:
        raise NotProven("it is no XML") from None


# -- reading ---------------------------------------------------------------------------------------------
def members(element: Element, allowed: Mapping[str, tuple[int, int]]) -> dict[str, list[Element]]:
    """The children by tag: no others than allowed, each as many times (least, most), and no text between.

    Raises NotProven."""
    found: dict[str, list[Element]] = {tag: [] for tag in allowed}
    here = etree.QName(element).localname
    for between in [element.text, *(child.tail for child in element)]:
        if between is not None and between.strip(" \t\r\n"):
            raise NotProven(f"{here} has text between its parts")
    for child in element:
        if child.tag not in found:
            raise NotProven(f"{here} has a part that is not taken")
        found[child.tag].append(child)
    for tag, (least, most) in allowed.items():
        if not least <= len(found[tag]) <= most:
            raise NotProven(f"{here} has {len(found[tag])} of {etree.QName(tag).localname}")
    return found


def text_of(element: Element) -> str:
    """The text of an element that holds nothing else. Raises NotProven."""
    if len(element):
        raise NotProven(f"{etree.QName(element).localname} has parts where text belongs")
    return element.text or ""


def needed(element: Element, attribute: str) -> str:
    """An attribute that must be there. Raises NotProven."""
    value = element.get(attribute)
    if not isinstance(value, str) or not value:
        raise NotProven(f"{etree.QName(element).localname} has no {attribute}")
    return value


def moment(element: Element, attribute: str) -> int | None:
    """A time (UTC: SAML core 1.3.3) as wall ns, or None where it is not said. Raises NotProven."""
    value = element.get(attribute)
    if value is None:
        return None
    found = _MOMENT.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        seconds = int(datetime.fromisoformat(found[1]).replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise NotProven(f"{attribute} is no time") from None
    return seconds * 1_000_000_000 + int((found[2] or "").ljust(9, "0"))


def tagged(root: Element, *tags: str) -> Iterator[Element]:
    """All elements with these tags, the root among them."""
    return iter(root.iter(*tags))
