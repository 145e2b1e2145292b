"""Words that stand near a value and say what it is, in the languages whose numbers are known (compiled).
It must never count a piece of a word."""

import re
from collections.abc import Iterable
from typing import Final

from mypy_extensions import i64

BEFORE: Final = 48
AFTER: Final = 28
"""Bytes before and behind a value in which words count."""

_LETTERS: Final = bytes(
    code | 32 if 65 <= code <= 90 else code if 97 <= code <= 122 or code >= 128 else 32 for code in range(256)
)
"""Letters in lower case, a space for all else."""


_MASK: Final = 0xFFFF


def _marks(listed: Iterable[bytes]) -> bytes:
    """A one at the place of each word's hash: what has none there is not listed."""
    marks = [0] * (_MASK + 1)
    for word in listed:
        marks[_hash(word, 0, len(word))] = 1
    return bytes(marks)


def _hash(cell: bytes, at: i64, end: i64) -> i64:
    letters = _LETTERS
    value: i64 = 0
    while at < end:
        letter: i64 = letters[cell[at]]
        value = (value * 31 + letter) & _MASK
        at += 1
    return value


class Words:
    """Words and pairs of words, as bytes in lower case. marks: of the words and the pairs' first ones."""

    def __init__(self, listed: Iterable[str]) -> None:
        ones: set[bytes] = set()
        pairs: set[bytes] = set()
        for each in listed:
            # bytes fold ASCII alone: an accented capital is listed beside its small letter
            for form in (each, each.upper()):
                word = form.encode().translate(_LETTERS).strip()
                (pairs if b" " in word else ones).add(word)
        self.ones: Final = frozenset(ones)
        self.pairs: Final = frozenset(pairs)
        self.firsts: Final = frozenset(pair.split()[0] for pair in pairs)
        self.marks: Final = _marks([*self.ones, *self.firsts])


def _listed(text: str) -> Words:
    return Words(each.strip() for each in text.replace("\n", ",").split(",") if each.strip())


def near(words: Words, cell: bytes, start: i64, end: i64) -> bool:
    """Whether one of these words stands close before or behind what lies between start and end."""
    if before(words, cell, start, BEFORE):
        return True
    size: i64 = len(cell)
    if end + 1 >= size:
        return False
    stop = end + AFTER
    if stop < size:
        while stop > end and _LETTERS[cell[stop - 1]] != 32 and _LETTERS[cell[stop]] != 32:
            stop -= 1
    else:
        stop = size
    return _spoken(words, cell, end, stop)


def before(words: Words, cell: bytes, start: i64, reach: i64) -> bool:
    """Whether one of these words stands at most `reach` bytes before."""
    if start <= 1:
        return False
    low: i64 = 0
    if start > reach:  # not a piece of a word
        low = start - reach
        while low < start and _LETTERS[cell[low - 1]] != 32 and _LETTERS[cell[low]] != 32:
            low += 1
    return _spoken(words, cell, low, start)


def behind(words: Words, cell: bytes, start: i64) -> bool:
    """Whether one of these words stands right before; `no`, `number` and their like may stand between."""
    at = start - 1
    bottom: i64 = 0
    if start > 40:
        bottom = start - 40
    turns: i64 = 0
    while turns < 4:
        gap: i64 = 0
        while at >= bottom and _LETTERS[cell[at]] == 32 and gap < 6:
            if _TIES[cell[at]] == 0:
                return False
            at -= 1
            gap += 1
        end = at + 1
        while at >= bottom and _LETTERS[cell[at]] != 32:
            at -= 1
        if at + 1 >= end or (at < bottom and bottom > 0):
            return False
        marked = _hash(cell, at + 1, end)
        if words.marks[marked] == 1 and _listed_in(words, cell[at + 1 : end]):
            return True
        if _QUALIFYING[marked] == 0 or cell[at + 1 : end].translate(_LETTERS) not in _QUALIFIERS:
            return False
        turns += 1
    return False


def _spoken(words: Words, cell: bytes, low: i64, end: i64) -> bool:
    """Whether one of these words stands between. Most words are known by their hash to be none of them."""
    letters = _LETTERS
    marks = words.marks
    at = low
    value: i64 = 0
    start: i64 = -1
    while at <= end:
        letter: i64 = 32
        if at < end:
            letter = letters[cell[at]]
        if letter != 32:
            if start < 0:
                start = at
            value = (value * 31 + letter) & _MASK
        elif start >= 0:
            if marks[value] == 1:
                if _listed_in(words, cell[start:at]) and (91 not in cell or cell.find(b"[redacted") < 0):
                    return True
                return _among(words, _said(cell[low:end]))
            value = 0
            start = -1
        at += 1
    return False


def _listed_in(words: Words, word: bytes) -> bool:
    # most words are written in lower case: then no copy is made
    return word in words.ones or word.translate(_LETTERS) in words.ones


def _said(piece: bytes) -> list[bytes]:
    """The words of a piece; those of our own markers say nothing."""
    words = piece.translate(_LETTERS).split()
    if b"redacted" in words:
        return _MARKER.sub(b" ", piece).translate(_LETTERS).split()
    return words


_MARKER: Final = re.compile(rb"\[redacted[^\]]*\]?")


def _among(words: Words, said: list[bytes]) -> bool:
    if not words.ones.isdisjoint(said):
        return True
    if words.pairs and len(said) > 1:
        for at in range(1, len(said)):
            first = said[at - 1]
            if first in words.firsts and first + b" " + said[at] in words.pairs:
                return True
    return False


_TIES: Final = bytes(1 if code in b" \t:=#.\"'(/-_[{" else 0 for code in range(256))
"""What may stand between a word and the value that it is said of."""

_QUALIFIERS: Final = frozenset(
    b"no nr num number numbers id code key ref nummer numero n is was of the for und".split()
)
_QUALIFYING: Final = _marks(_QUALIFIERS)

PHONE: Final = _listed("""
phone, phones, telephone, telefone, tel, mobile, cell, cellphone, fax, call, calls, called, calling
whatsapp, sms, text me, texted, dial, dialed, reach me, reach us, reach him, reach her, reached, ring
hotline, contact, contact number, voicemail, msisdn, landline, telefon, telefonnummer, telefonnr, handy
handynummer, rufnummer, mobil, mobilnummer, mobilfunk, anruf, anrufen, erreichbar, téléphone, tél
portable, appel, appeler, appelez, joignable, teléfono, telefono, móvil, movil, celular, llamar, llame
llama, cellulare, chiamare, chiama, chiamata, telefoon, telefoonnummer, mobiel, bel, bellen, komórka
komórkowy, telefonu, numer telefonu, zadzwoń, ligar, ligue, telemóvel, fone, rappeler, phone number
""")
CARD: Final = _listed("""
card, cards, visa, mastercard, amex, american express, maestro, diners, discover, jcb, unionpay, cc, ccn
pan, credit, debit, kreditkarte, karte, kartennummer, carte, carte bancaire, carte bleue, cb, tarjeta
carta, creditcard, cartão, cartao, karta, karty, kaart, kaartnummer, kreditkartennummer
""")
NATIONAL: Final = _listed("""
ssn, ss, social, social security, soc sec, itin, tin, taxpayer, tax id, tax no, tax number, tax payer
national id, national, citizen, steuerid, steuer id, steuer, steuernummer, steuer nr, idnr
identifikationsnummer, steuerliche, steueridentifikationsnummer, rentenversicherung
rentenversicherungsnummer, rvnr, svnr, sv nummer, sozialversicherung, sozialversicherungsnummer, nir
insee, sécurité sociale, sécurité, numéro de, sécu, dni, nif, nie, nif nie, codice fiscale, codice
cod fisc, c f, cf, bsn, burgerservicenummer, sofinummer, sofi, pesel, pesel nr, cpf, aadhaar, aadhar
adhaar, uid, uidai, pan, income tax, identity card, identity number, identity no, id card, id number
id no, personal id, personal number, ausweis, ausweisnummer, documento
""")
BIRTH: Final = _listed("""
born, birth, birthday, birthdate, dob, o b, geb, geboren, geburtsdatum, geburtstag, né, née, naissance
nacido, nacida, nacimiento, fecha de nac, nac, nato, nata, nascita, geboortedatum, ur, urodzony, urodzona
urodzenia, nascido, nascida, nascimento, bday
""")
MAC: Final = _listed("""
mac, ethernet, ether, hwaddr, hardware, bssid, arp, lladdr
""")
IP: Final = _listed("""
ip, ipv, address, addr, host, hosts, from, client, remote, server, dns, ping, connect, connected
connection, src, dst, peer, login, logged, gateway, via, port, nameserver, resolver, listening, banned
blocked, cidr, subnet, route
""")
VERSION: Final = _listed("""
v, ver, vers, version, versions, release, released, rev, revision, build, firmware, fw, oid, section, sec
chapter, clause, upgrade, upgraded, downgrade, downgraded, installed, chrome, chromium, safari, firefox
edge, edg, kernel, driver, drivers, sdk, package, pkg, nuget, dll, assembly, schema, semver, agent, chart
image, tag, paragraph, figure, table, appendix, item, rule, article, edition, api
""")
SECRET: Final = _listed("""
secret, secrets, token, tokens, apikey, api key, api keys, access key, access keys, private key
signing key, encryption key, credential, credentials, creds, password, passwords, passwd, pwd, passphrase
bearer, auth key, auth token, auth code, account key, client secret, aws, azure, accountkey
sharedaccesskey, accesskey, secretkey, shared secret, webhook secret
""")
HASH: Final = _listed("""
sha, md, hash, hashes, hashed, digest, checksum, commit, etag, fingerprint, integrity, crc, revision
merkle, block, tx, txid, image, layer, blob, trace, span, request, correlation, uuid, guid, signature
build, version, cache, chunk, asset
""")
OTHER: Final = _listed("""
id, order, orders, ordernr, orderid, invoice, inv, receipt, tracking, track, awb, waybill, shipment
parcel, package, isbn, issn, ean, upc, gtin, sku, serial, imei, ref, reference, ticket, case, build
version, part, item, product, batch, lot, bestellung, bestellnummer, rechnung, rechnungsnummer, sendung
sendungsnummer, commande, facture, pedido, factura, ordine, fattura, zamówienie, faktura, bestelling
account, acct, customer, konto, kundennummer, transaction, txn, transfer, confirmation, booking
reservation, rma, po, epoch, timestamp, ts, uid, pid, job, seq, lsn, offset, size, bytes, total, amount
article, artikel, model, meter, policy, claim, contract, file, doc, document, request, session, trace
usps, ups, fedex, dhl, event, row, rows, user, userid, record, message, msg, tweet, snowflake, asin
barcode, vin, asset, device, node, shard, block, xid, run, pipeline, issue, pr, bug, sequence, counter
count
""")
