"""Attacks on the reader of SAML responses: each is refused, for the reason that it should be."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree
from signxml import XMLSigner
from signxml.algorithms import SignatureMethod

from identity.saml.idp import (
    DS,
    ENTITY,
    ISSUER,
    NOW,
    REQUEST,
    A,
    P,
    assertion,
    certificate,
    ec_key,
    encrypt,
    good,
    judged,
    provider,
    response,
    rsa_key,
    sign,
    when,
)
from wicketgate.identity.jwt import NotProven
from wicketgate.identity.saml.documents import DEEPEST, LARGEST, MOST_ELEMENTS
from wicketgate.identity.saml.provider import Provider
from wicketgate.model.saml import Signed

SHA1 = replace(ISSUER, algorithms=frozenset({"rsa-sha1"}))


def tree(text: bytes | str) -> Any:
    return etree.fromstring(text.encode() if isinstance(text, str) else text)


def text(root: Any) -> bytes:
    return bytes(etree.tostring(root))


def forged(identifier: str = "_evil") -> Any:
    return tree(assertion(identifier=identifier, name="root@example.com", groups=("admins",)))


def parts(signed_response: bool = False) -> tuple[Any, Any, Any]:
    """(response, assertion, signature) of a good one."""
    root = tree(sign(response(assertion())) if signed_response else good())
    return root, root.find(f"{{{A}}}Assertion"), root.find(f".//{{{DS}}}Signature")


# -- the eight forms of signature wrapping (Somorovsky et al., On Breaking SAML) -----------------------------
def xsw1() -> bytes:
    root, _, signature = parts(signed_response=True)
    evil = tree(response(""))
    evil.set("ID", "_evilr")
    evil.append(forged())
    signature.getparent().remove(signature)
    signature.append(root)
    evil.insert(1, signature)
    return text(evil)


def xsw2() -> bytes:
    root, _, signature = parts(signed_response=True)
    evil = tree(response(""))
    evil.set("ID", "_evilr")
    evil.append(forged())
    signature.getparent().remove(signature)
    evil.insert(1, root)
    evil.insert(2, signature)
    return text(evil)


def xsw3() -> bytes:
    root, real, _ = parts()
    real.addprevious(forged())
    return text(root)


def xsw4() -> bytes:
    root, real, _ = parts()
    evil = forged()
    root.replace(real, evil)
    evil.append(real)
    return text(root)


def xsw5() -> bytes:
    root, real, signature = parts()
    evil = forged()
    real.remove(signature)
    evil.insert(1, signature)
    real.addprevious(evil)
    return text(root)


def xsw6() -> bytes:
    root, real, signature = parts()
    evil = forged()
    root.replace(real, evil)
    real.remove(signature)
    evil.insert(1, signature)
    signature.append(real)
    return text(root)


def xsw7() -> bytes:
    root, _, _ = parts()
    extensions = etree.Element(f"{{{P}}}Extensions")
    extensions.append(forged())
    root.insert(1, extensions)
    return text(root)


def xsw8() -> bytes:
    root, real, signature = parts()
    evil = forged()
    root.replace(real, evil)
    real.remove(signature)
    evil.insert(1, signature)
    holder = etree.SubElement(signature, f"{{{DS}}}Object")
    holder.append(real)
    return text(root)


def same_id_twice() -> bytes:
    root, real, _ = parts()
    evil = forged("_a1")
    real.addprevious(evil)
    return text(root)


def original_in_an_attribute() -> bytes:
    root, real, signature = parts()
    evil = forged()
    root.replace(real, evil)
    real.remove(signature)
    evil.insert(1, signature)
    evil.find(f".//{{{A}}}AttributeValue").append(real)
    return text(root)


def original_in_the_status() -> bytes:
    root, real, signature = parts()
    evil = forged()
    root.replace(real, evil)
    real.remove(signature)
    evil.insert(1, signature)
    detail = etree.SubElement(root.find(f"{{{P}}}Status"), f"{{{P}}}StatusDetail")
    detail.append(real)
    return text(root)


def other_signature_kept() -> bytes:
    """The response is signed by somebody else, the assertion by the provider."""
    return sign(response(sign(assertion())), rsa_key("mallory")).encode()


def signature_without_its_assertion() -> bytes:
    root, real, signature = parts()
    signature.getparent().remove(signature)
    root.remove(real)
    root.insert(1, signature)
    return text(root)


def changed(old: str, new: str, of: bytes | None = None) -> bytes:
    before = (of or good()).decode()
    assert old in before
    return before.replace(old, new, 1).encode()


def inside(old: str, new: str) -> Callable[[], bytes]:
    """Of a good response, after it was signed."""
    return lambda: changed(old, new)


def beyond_signature(pattern: str, new: str) -> bytes:
    before = good().decode()
    assert re.search(pattern, before, re.DOTALL)
    return re.sub(pattern, new, before, count=1, flags=re.DOTALL).encode()


class _Sha1(XMLSigner):
    def check_deprecated_methods(self) -> None:
        """For what has to be refused by who reads it."""


def doctype(more: str) -> bytes:
    return f"<!DOCTYPE x [{more}]>".encode() + good()


def encrypted(**more: Any) -> str:
    inner = more.pop("inner", None) or sign(assertion())
    return response(encrypt(inner, rsa_key("ours").public_key(), **more))


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def transform(uri: str, inner: str = "") -> Callable[[], bytes]:
    """One more transform before canonicalization."""
    return lambda: changed(
        '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>',
        f'<ds:Transform Algorithm="{uri}">{inner}</ds:Transform>'
        '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>',
    )


def key_value() -> bytes:
    """A signature of mallory's, with his key beside it."""
    return response(sign(assertion(), rsa_key("mallory"))).encode()


def hmac_of_the_certificate() -> bytes:
    """The public key taken as an HMAC's."""
    public = provider().certificates[0].public_bytes(Encoding.PEM)
    return response(sign(assertion(), public, method="hmac-sha256")).encode()


def laughs() -> bytes:
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + at)} "{("&" + chr(97 + at) + ";") * 10}">' for at in range(9)
    )
    return doctype(entities).replace(b"ana@example.com", b"&j;")


def canonical(uri: str) -> bytes:
    return response(sign(assertion(), canonical=uri)).encode()


ATTACKS: dict[str, tuple[Callable[[], bytes | str], str]] = {
    # wrapping
    "XSW1": (xsw1, "exactly one response|signature"),
    "XSW2": (xsw2, "exactly one response"),
    "XSW3": (xsw3, "exactly one assertion"),
    "XSW4": (xsw4, "exactly one assertion"),
    "XSW5": (xsw5, "exactly one assertion"),
    "XSW6": (xsw6, "exactly one assertion"),
    "XSW7": (xsw7, "exactly one assertion"),
    "XSW8": (xsw8, "exactly one assertion"),
    "two things with one ID": (same_id_twice, "one ID"),
    "the original in an attribute": (original_in_an_attribute, "exactly one assertion"),
    "the original in the status": (original_in_the_status, "exactly one assertion"),
    "two assertions, both signed": (
        lambda: response(sign(assertion()) + sign(assertion(identifier="_a2"))),
        "exactly one assertion",
    ),
    "one plain, one encrypted": (
        lambda: response(sign(assertion()) + encrypt(assertion(), rsa_key("ours").public_key())),
        "exactly one assertion",
    ),
    "no assertion": (lambda: sign(response("")), "exactly one assertion"),
    "a signature and no assertion": (signature_without_its_assertion, "exactly one assertion"),
    "an assertion in advice": (
        lambda: response(sign(assertion(more=f"<saml:Advice>{assertion(identifier='_b')}</saml:Advice>"))),
        "exactly one assertion",
    ),
    "two responses": (
        lambda: response(response(sign(assertion()), identifier="_r2")),
        "exactly one response",
    ),
    "a bare assertion": (lambda: sign(assertion()), "no SAML response"),
    # signatures
    "unsigned": (lambda: response(assertion()), "signature that is wanted"),
    "signed by another": (key_value, "not the identity provider's"),
    "the response signed by another": (other_signature_kept, "not the identity provider's"),
    "a public key as an HMAC's": (hmac_of_the_certificate, "algorithm is not allowed"),
    "no algorithm": (
        lambda: beyond_signature(r'SignatureMethod Algorithm="[^"]*"', 'SignatureMethod Algorithm=""'),
        "no Algorithm",
    ),
    "the algorithm none": (
        lambda: beyond_signature(
            r'SignatureMethod Algorithm="[^"]*"', 'SignatureMethod Algorithm="http://none"'
        ),
        "algorithm is not allowed",
    ),
    "SHA-1": (
        lambda: response(sign(assertion(), method="rsa-sha1", digest="sha1", signer=_Sha1)),
        "algorithm is not allowed",
    ),
    "a digest of SHA-1": (
        lambda: response(sign(assertion(), digest="sha1", signer=_Sha1)),
        "digest's algorithm is not allowed",
    ),
    "an EC key's signature, with RSA's name": (
        lambda: response(
            sign(assertion(), ec_key(), method="ecdsa-sha256").replace(
                SignatureMethod.ECDSA_SHA256.value, SignatureMethod.RSA_SHA256.value
            )
        ),
        "not the identity provider's",
    ),
    "a signature in another spelling": (
        lambda: beyond_signature("<ds:SignatureValue>", "<ds:SignatureValue>!!!!"),
        "not base64",
    ),
    "an empty signature": (
        lambda: beyond_signature(r"<ds:SignatureValue>[^<]*<", "<ds:SignatureValue><"),
        "not the identity provider's",
    ),
    "a changed name": (inside("ana@example.com", "bob@example.com"), "not the identity provider's"),
    "a changed group": (inside(">dba<", ">admins<"), "not the identity provider's"),
    "a changed digest": (
        lambda: beyond_signature(r"<ds:DigestValue>....", "<ds:DigestValue>AAAA"),
        "not the identity provider's",
    ),
    "a reference to everything": (inside('URI="#_a1"', 'URI=""'), "no URI"),
    "a reference to the response": (inside('URI="#_a1"', 'URI="#_r1"'), "over something else"),
    "a reference to a file": (inside('URI="#_a1"', 'URI="file:///etc/passwd"'), "over something else"),
    "a reference by XPointer": (
        inside('URI="#_a1"', "URI=\"#xpointer(id('_a1'))\""),
        "over something else",
    ),
    "two references": (
        lambda: beyond_signature(r"(<ds:Reference .*?</ds:Reference>)", r"\1\1"),
        "2 of Reference",
    ),
    "no reference": (lambda: beyond_signature(r"<ds:Reference .*?</ds:Reference>", ""), "0 of Reference"),
    "two signatures": (
        lambda: beyond_signature(r"(<ds:Signature[ >].*?</ds:Signature>)", r"\1\1"),
        "2 signatures",
    ),
    "an object in the signature": (
        inside("</ds:SignedInfo>", "</ds:SignedInfo><ds:Object/>"),
        "part that is not taken",
    ),
    "a manifest": (
        inside("</ds:Reference>", "</ds:Reference><ds:Manifest/>"),
        "part that is not taken",
    ),
    # transforms and canonicalization
    "an XSLT transform": (
        transform(
            "http://www.w3.org/TR/1999/REC-xslt-19991116",
            '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"/>',
        ),
        "3 of Transform",
    ),
    "an XPath transform": (
        transform("http://www.w3.org/TR/1999/REC-xpath-19991116", "<ds:XPath>not(//*)</ds:XPath>"),
        "3 of Transform",
    ),
    "an XPath filter in place of another": (
        inside(
            '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>',
            '<ds:Transform Algorithm="http://www.w3.org/2002/06/xmldsig-filter2"/>',
        ),
        "transform that is not taken",
    ),
    "base64 in place of another": (
        inside(
            '<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/>',
            '<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#base64"/>',
        ),
        "canonicalization that is not taken",
    ),
    "no transforms": (
        lambda: beyond_signature(r"<ds:Transforms>.*?</ds:Transforms>", ""),
        "0 of Transforms",
    ),
    "an XPath in the enveloped one": (
        inside(
            'xmldsig#enveloped-signature"/>',
            'xmldsig#enveloped-signature"><ds:XPath>1</ds:XPath></ds:Transform>',
        ),
        "part that is not taken",
    ),
    "canonicalization with comments": (
        lambda: canonical("http://www.w3.org/2001/10/xml-exc-c14n#WithComments"),
        "canonicalization that is not taken",
    ),
    "inclusive canonicalization": (
        lambda: canonical("http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        "canonicalization that is not taken",
    ),
    "canonicalization of a relative namespace": (
        lambda: response(sign(assertion()).replace("<saml:Subject>", '<saml:Subject xmlns:x="rel">')),
        "not the identity provider's",
    ),
    # what XML can do
    "a comment in the NameID": (
        lambda: response(sign(assertion(name="root@example.com.evil"))).replace(
            "root@example.com.evil", "root@example.com<!---->.evil"
        ),
        "comment",
    ),
    "a comment in the NameID, signed": (
        lambda: response(sign(assertion(name="root@example.com<!---->.evil"))),
        "comment",
    ),
    "an instruction in the NameID": (
        inside("ana@example.com", "ana@example.com<?x ?>"),
        "an instruction",
    ),
    "CDATA in the NameID": (inside(">ana@example.com", "><![CDATA[ana@example.com]]>"), "CDATA"),
    "an element in the NameID": (
        lambda: response(sign(assertion(name="root@example.com<x/>.evil"))),
        "parts where text belongs",
    ),
    "an element in a group": (
        lambda: response(sign(assertion(groups=("admins<x/>-not",)))),
        "parts where text belongs",
    ),
    "a document type": (lambda: doctype(""), "document type"),
    "a file by an entity": (
        lambda: doctype('<!ENTITY x SYSTEM "file:///etc/passwd">').replace(b"ana@", b"&x;"),
        "document type",
    ),
    "an address by a parameter entity": (
        lambda: doctype('<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;'),
        "document type",
    ),
    "an outer document type": (
        lambda: b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">' + good(),
        "document type",
    ),
    "a billion laughs": (laughs, "document type"),
    "an unknown entity": (inside("ana@example.com", "&who;"), "no XML"),
    "a default ID of a DTD": (
        lambda: doctype("<!ATTLIST x ID ID #IMPLIED>"),
        "document type",
    ),
    "xml:id": (inside("<saml:Subject>", '<saml:Subject xml:id="_a1">'), "xml:id"),
    "xml:base": (inside("<saml:Subject>", '<saml:Subject xml:base="http://x/">'), "xml:base"),
    "an ID in another case": (inside("<saml:Subject>", '<saml:Subject id="_a1">'), "one ID"),
    "an ID in a namespace": (
        inside("<saml:Subject>", '<saml:Subject xmlns:x="urn:x" x:ID="_a1">'),
        "ID of another namespace",
    ),
    "an empty ID": (inside('ID="_r1"', 'ID=""'), "one ID"),
    "UTF-16": (lambda: good().decode().encode("utf-16"), "UTF-8"),
    "UTF-7": (lambda: b'<?xml version="1.0" encoding="utf-7"?>' + good(), "UTF-8|no XML"),
    "XML 1.1": (lambda: b'<?xml version="1.1"?>' + good(), "not 1.0|no XML"),
    "a zero byte": (inside("ana@", "ana\0@"), "no XML"),
    "something behind it": (lambda: good() + b"<x/>", "no XML"),
    "nothing": (lambda: b"", "larger"),
    "too large": (lambda: good() + b" " * LARGEST, "larger"),
    "too deep": (lambda: response("<x>" * DEEPEST + "</x>" * DEEPEST), "too deep"),
    "too many elements": (lambda: response("<x/>" * MOST_ELEMENTS), "too many elements"),
    "too many attributes": (
        lambda: response("<x " + " ".join(f'a{at}=""' for at in range(40)) + "/>"),
        "too many attributes",
    ),
    # namespaces
    "an assertion of another namespace": (
        lambda: response(assertion().replace(A, "urn:oasis:names:tc:SAML:1.0:assertion")),
        "exactly one assertion",
    ),
    "the prefixes exchanged": (
        lambda: good().decode().replace(f'xmlns:saml="{A}"', f'xmlns:saml="{P}"'),
        "exactly one",
    ),
    "a foreign NameID before the right one": (
        lambda: response(
            sign(assertion().replace("<saml:NameID", '<x:NameID xmlns:x="urn:x">root</x:NameID><saml:NameID'))
        ),
        "part that is not taken",
    ),
    # meant for whom, when, and once
    "expired": (lambda: good(ends=-1), "expired"),
    "expires now": (lambda: good(ends=0), "expired"),
    "not good yet": (lambda: good(begins=31), "not good yet"),
    "good for a week": (lambda: good(ends=7 * 86_400), "longer than is accepted"),
    "its session over": (lambda: good(session=-1), "session is over"),
    "another audience": (lambda: good(audience="https://other.example.com"), "another audience"),
    "our id as a part of another": (lambda: good(audience=ISSUER.our_id + ".evil"), "another audience"),
    "several audiences, and one not ours": (
        lambda: good(
            conditions="<saml:AudienceRestriction><saml:Audience>other</saml:Audience>"
            "</saml:AudienceRestriction>"
        ),
        "another audience",
    ),
    "no audience": (
        lambda: response(
            sign(re.sub("<saml:AudienceRestriction>.*</saml:AudienceRestriction>", "", assertion()))
        ),
        "0 of AudienceRestriction",
    ),
    "an unknown condition": (lambda: good(conditions="<saml:Condition/>"), "part that is not taken"),
    "another recipient": (lambda: good(recipient="https://other.example.com/acs"), "Recipient"),
    "another destination": (
        lambda: response(sign(assertion()), destination="https://other.example.com/acs"),
        "Destination",
    ),
    "another request": (lambda: good(request="_other"), "InResponseTo"),
    "another request, in the response": (
        lambda: response(sign(assertion()), request="_other"),
        "InResponseTo",
    ),
    "no request": (lambda: response(sign(assertion(request=None)), request=None), "InResponseTo"),
    "no request in the assertion": (lambda: good(request=None), "InResponseTo"),
    "another issuer": (lambda: good(issuer="https://other.example.com"), "another identity provider"),
    "another issuer's response": (
        lambda: response(sign(assertion()), issuer="https://other.example.com"),
        "another identity provider",
    ),
    "a failed sign-in": (
        lambda: response(sign(assertion()), status="urn:oasis:names:tc:SAML:2.0:status:Responder"),
        "Status",
    ),
    "for the holder of a key": (
        lambda: response(sign(assertion().replace("cm:bearer", "cm:holder-of-key"))),
        "bearer",
    ),
    "two confirmations": (
        lambda: response(
            sign(
                re.sub(
                    "(<saml:SubjectConfirmation .*</saml:SubjectConfirmation>)",
                    r"\1\1",
                    assertion(),
                )
            )
        ),
        "2 of SubjectConfirmation",
    ),
    "no AuthnStatement": (
        lambda: response(sign(re.sub("<saml:AuthnStatement.*</saml:AuthnStatement>", "", assertion()))),
        "0 of AuthnStatement",
    ),
    "made tomorrow": (
        lambda: response(
            sign(assertion().replace(f'IssueInstant="{when(-1)}"', f'IssueInstant="{when(99)}"'))
        ),
        "IssueInstant",
    ),
    "a time without a zone": (
        lambda: response(sign(assertion().replace(when(300), when(300)[:-1]))),
        "no time",
    ),
    "a time that is none": (
        lambda: response(sign(assertion().replace(when(300), "2026-13-45T99:00:00Z"))),
        "no time",
    ),
    # names and groups
    "a transient name": (
        lambda: good(form="urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
        "transient",
    ),
    "a name that is everybody": (lambda: good(name="any"), "can't name an identity"),
    "a name with a line in it": (lambda: good(name="ana&#10;root"), "names no subject|can't name"),
    "an empty name": (lambda: good(name=""), "no subject"),
    "no groups told": (lambda: good(groups=None), "does not tell the groups"),
    "an encrypted NameID": (
        lambda: response(
            sign(
                re.sub("<saml:NameID.*</saml:NameID>", "<saml:EncryptedID>x</saml:EncryptedID>", assertion())
            )
        ),
        "part that is not taken",
    ),
    # encryption
    "a tampered tag": (lambda: encrypted(change=flipped), "can't be decrypted"),
    "a short ciphertext": (lambda: encrypted(change=lambda content: content[:20]), "can't be decrypted"),
    "encrypted for another": (
        lambda: response(encrypt(sign(assertion()), rsa_key("mallory").public_key())),
        "can't be decrypted",
    ),
    "encrypted and unsigned": (lambda: encrypted(inner=assertion()), "signature that is wanted"),
    "encrypted, signed by another": (
        lambda: encrypted(inner=sign(assertion(), rsa_key("mallory"))),
        "not the identity provider's",
    ),
    "AES-CBC in a response that is not signed": (
        lambda: encrypted(method="http://www.w3.org/2001/04/xmlenc#aes128-cbc"),
        "encryption is not allowed",
    ),
    "the key by RSA 1.5": (
        lambda: sign(encrypted(wrapping="http://www.w3.org/2001/04/xmlenc#rsa-1_5")),
        "RSA-OAEP",
    ),
    "encrypted, and two assertions inside": (
        lambda: encrypted(
            inner=sign(assertion(more=f"<saml:Advice>{assertion(identifier='_b')}</saml:Advice>"))
        ),
        "exactly one assertion",
    ),
    "encrypted nonsense": (lambda: encrypted(inner="<x/>"), "no assertion"),
    "an encrypted document type": (
        lambda: encrypted(inner="<!DOCTYPE x><x/>"),
        "document type",
    ),
    "a ciphertext elsewhere": (
        lambda: re.sub(
            r"<xenc:CipherData><xenc:CipherValue>[^<]*</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>",
            '<xenc:CipherData><xenc:CipherReference URI="http://127.0.0.1:9/"/></xenc:CipherData>'
            "</xenc:EncryptedData>",
            encrypted(),
        ),
        "part that is not taken",
    ),
    "a re-encrypted response": (
        lambda: sign(encrypted()).replace("EncryptedAssertion>", "EncryptedAssertion >", 1)[:-20],
        "no XML",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused(attack: str) -> None:
    made, why = ATTACKS[attack]
    with pytest.raises(NotProven, match=why) as told:
        judged(made())
    for secret in ("ana@", "root", "evil", "admins", "passwd"):
        assert secret not in str(told.value)


def test_a_certificate_that_holds_no_more_proves_nothing() -> None:
    for begins, ends in ((-99, -1), (1, 99)):
        one = Provider("https://idp.example.com/sso", (certificate(rsa_key(), begins, ends),))
        with pytest.raises(NotProven, match="not the identity provider's"):
            judged(good(), of=one)


def test_a_name_is_read_whole() -> None:
    signed = response(sign(assertion(name="root@example.com.evil")))
    assert judged(signed).name == "root@example.com.evil"


def test_which_signature_is_wanted() -> None:
    own = response(sign(assertion()))
    around = sign(response(assertion()))
    both = sign(response(sign(assertion())))
    good_ones = {
        Signed.EITHER: (own, around, both),
        Signed.ASSERTION: (own, both),
        Signed.RESPONSE: (around, both),
        Signed.BOTH: (both,),
    }
    for wanted, taken in good_ones.items():
        issuer = replace(ISSUER, signed=wanted)
        for each in (own, around, both):
            if each in taken:
                assert judged(each, issuer).name == "ana@example.com"
            else:
                with pytest.raises(NotProven, match="signature that is wanted"):
                    judged(each, issuer)


def test_encryption_may_be_demanded() -> None:
    issuer = replace(ISSUER, encrypted=True)
    assert judged(encrypted(), issuer).name == "ana@example.com"
    with pytest.raises(NotProven, match="not encrypted"):
        judged(good(), issuer)


def test_the_key_may_stand_beside_the_content() -> None:
    """As Shibboleth writes it; and OAEP with SHA-256, said in full."""
    root = tree(encrypted())
    [key] = root.iter("{http://www.w3.org/2001/04/xmlenc#}EncryptedKey")
    holder = key.getparent()
    etree.SubElement(holder, f"{{{DS}}}RetrievalMethod", URI="#key")
    key.set("Id", "key")
    holder.getparent().getparent().append(key)
    assert judged(text(root)).name == "ana@example.com"
    # two keys, or none
    again = tree(text(root))
    [key] = again.iter("{http://www.w3.org/2001/04/xmlenc#}EncryptedKey")
    other = tree(text(key))
    other.set("Id", "other")
    key.addnext(other)
    with pytest.raises(NotProven, match="one key"):
        judged(text(again))
    key.getparent().remove(other)
    key.getparent().remove(key)
    with pytest.raises(NotProven, match="one key"):
        judged(text(again))


def test_oaep_says_its_digests() -> None:
    whole = encrypted(wrapping="http://www.w3.org/2009/xmlenc11#rsa-oaep").replace(
        '#rsa-oaep"/>',
        f'#rsa-oaep"><ds:DigestMethod xmlns:ds="{DS}" Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/>'
        '<x:MGF xmlns:x="http://www.w3.org/2009/xmlenc11#" '
        'Algorithm="http://www.w3.org/2009/xmlenc11#mgf1sha256"/></xenc:EncryptionMethod>',
    )
    assert judged(whole).name == "ana@example.com"
    for wrong, why in (
        (whole.replace("xmlenc#sha256", "xmlenc#md5"), "digest that is not taken"),
        (whole.replace("mgf1sha256", "mgf1md5"), "digest that is not taken"),
        (whole.replace("mgf1sha256", "mgf1sha512"), "can't be decrypted"),
    ):
        with pytest.raises(NotProven, match=why):
            judged(wrong)


def test_cbc_is_taken_where_the_response_is_signed() -> None:
    cbc = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
    assert judged(sign(encrypted(method=cbc, inner=assertion()))).name == "ana@example.com"
    with pytest.raises(NotProven, match="not the identity provider's"):
        judged(sign(encrypted(method=cbc)).replace("Value>", "Value>AAAA", 1))


def test_sha1_only_where_it_is_written_out() -> None:
    old = response(sign(assertion(), method="rsa-sha1", digest="sha1", signer=_Sha1))
    assert judged(old, SHA1).name == "ana@example.com"


def test_an_ec_key_and_several_certificates() -> None:
    both = Provider("https://idp.example.com/sso", (certificate(rsa_key()), certificate(ec_key())))
    for key, method in ((rsa_key(), "rsa-sha512"), (ec_key(), "ecdsa-sha256")):
        assert judged(response(sign(assertion(), key, method=method)), of=both).name == "ana@example.com"


def test_an_answer_to_nothing() -> None:
    alone = response(sign(assertion(request=None)), request=None)
    assert judged(alone, request=None).name == "ana@example.com"
    with pytest.raises(NotProven, match="InResponseTo"):
        judged(good(), request=None)
    for other in (
        response(sign(assertion(request=None)), request=REQUEST),
        response(sign(assertion()), request=None),
    ):
        for request in (None, REQUEST):
            with pytest.raises(NotProven, match="InResponseTo"):
                judged(other, request=request)


def test_what_is_read() -> None:
    found = judged(good(groups=("dba", "not a name", "any", "dba")))
    assert found.groups == {"dba"}
    assert found.until == NOW + 7200 * 10**9
    assert found.forget == NOW + 300 * 10**9
    assert judged(good(session=None)).until == NOW + ISSUER.longest * 10**9
    prefixed = replace(ISSUER, prefix="corp.", group_prefix="corp-")
    assert judged(good(), prefixed).name == "corp.ana@example.com"
    assert judged(good(), prefixed).groups == {"corp-dba", "corp-staff"}
    assert judged(good(groups=None), replace(ISSUER, groups=None)).groups == frozenset()
    by_attribute = replace(ISSUER, names="groups", groups=None)
    assert judged(good(groups=("ana",)), by_attribute).name == "ana"
    for several in ((), ("a", "b")):
        with pytest.raises(NotProven, match=f"{len(several)} names"):
            judged(good(groups=several), by_attribute)


def test_namespaces_declared_elsewhere_do_not_matter() -> None:
    """The same response, its prefixes declared at the top, as several providers send it."""
    root = tree(response(assertion(), issuer=ENTITY))
    typed = f'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:samlp="{P}"'
    again = text(root).decode().replace(f'xmlns:samlp="{P}"', typed, 1)
    assert judged(sign(again)).name == "ana@example.com"
