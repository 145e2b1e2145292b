"""What a column's name says of its values, and which words near a value say what it is (compiled).
A name alone proves nothing: it only raises or lowers what a value by itself leaves open."""

import re
from typing import Final

from mypy_extensions import i64

_ALIKE: Final = (
    (
        r"(tele)?(phone|fon)s?|(phone|mobile|cell|tel|fax|whatsapp)( (no|num|nr|number))?|mobile phone"
        r"|msisdn|handy|gsm"
        r"|telefoon|telefono|telefone|movil|celular|cellulare|komorka|rufnummer",
        "phone",
    ),
    (
        r"(credit|debit|payment|bank)? ?card ?(no|num|nr|number)?s?|ccn?|cc (no|num|number)|pan",
        "payment-card",
    ),
    (r"(kredit)?karten ?(nr|nummer)|numero (de )?(carte|tarjeta|cartao|carta)", "payment-card"),
    (
        r"ssn|social sec(urity)?( (no|num|number))?|itin|tin|nino|tax (id|no|number|ident|identifier)",
        "national-id",
    ),
    (
        r"national (id|ident|identity|identifier)( (no|num|number))?|nat id|personal (id|no|number|code)",
        "national-id",
    ),
    (
        r"cpf|dni|nif|nie|bsn|pesel|aadhaar|aadhar|nir|insee|uidai|pan card|idnr|citizen service number",
        "national-id",
    ),
    (
        r"codice fiscale|cod fiscale|steuer ?(id|nummer|identifikationsnummer)|personnummer|burgerservice"
        r" ?nummer",
        "national-id",
    ),
    (
        r"rentenversicherungs ?nummer|sv nummer|numero (de )?securite sociale|id card( (no|number))?",
        "national-id",
    ),
    (r"iban|(bank )?account (no|num|number)|bank account|konto ?(nr|nummer)?", "iban"),
    (
        r"ip|ip addr(ess)?|ipv[46]|(client|remote|source|src|dst|dest|host|peer) (ip|addr|address)",
        "ip-address",
    ),
    (r"mac|mac addr(ess)?|hw addr(ess)?|hardware addr(ess)?|bssid|ether(net)? addr(ess)?", "mac-address"),
    (
        r"dob|birth|birth ?(date|day)|date of birth|date birth|born( on| at)?|geburts(datum|tag)|geb datum"
        r"|date (de )?naissance|fecha (de )?nacimiento|data (di )?nascita|geboortedatum|data (de )?nascimento"
        r"|data urodzenia",
        "birth-date",
    ),
    (
        r"(first|last|full|middle|given|family|maiden|sur|fore|nick) ?names?|surname"
        r"|(customer|client|employee|patient|contact|member|student|person|holder|cardholder|recipient"
        r"|legal) name"
        r"|vorname|nachname|familienname|prenom|nom( de famille)?|nombres?|apellidos?|cognome|nome"
        r" completo|achternaam"
        r"|voornaam|imie|nazwisko|sobrenome",
        "person-name",
    ),
    (
        r"street( (name|address|line))?|address( line)?( ?\d)?|addr|(home|postal|mailing|billing|shipping"
        r"|delivery|residential)"
        r" addr(ess)?( line)?( ?\d)?|post(al)? ?code|zip( ?code)?|house (no|number)|strasse|anschrift"
        r"|adresse|direccion"
        r"|indirizzo|adres|endereco",
        "address",
    ),
    (
        r"e ?mails?( addr(ess)?)?",
        "email",
    ),
    (
        r"pass ?words?|passwd|pass ?phrase|pwd|passcode|pin( code)?|cvv2?|cvc2?|card (code|pin)|otp|totp"
        r"|mfa|kennwort|passwort"
        r"|contrasena|mot de passe|senha|haslo|wachtwoord",
        "password",
    ),
    (
        r"secrets?|credentials?|apikey|(api|access|private|secret|signing|encryption|client|auth|account"
        r"|master|ssh|hmac)"
        r" (key|secret)|(shared|client|webhook|jwt|app|signing) secret"
        r"|((access|refresh|auth|api|reset|session|bearer|id|csrf|oauth|github|gitlab|slack|bot|deploy"
        r"|personal access|security"
        r"|verification|invite|device|push|jwt|confirmation|login|magic) )?tokens?|jwt|recovery codes?"
        r"|session (id|key|cookie)"
        r"|authorization|connection string|dsn",
        "secret",
    ),
)
# words before are common (`billing_email`); words behind only where they say the same thing (`phone_2`)
_BEHIND: Final = r"\d+|raw|plain|enc|encrypted|hash|hashed|digest|norm|normalized|text|value|str|string"
_RULES: Final = tuple((re.compile(rf"(?:.* )?(?:{each})(?: (?:{_BEHIND}))*"), name) for each, name in _ALIKE)

# flags and counts about a value, and moments that concern it, are not the value
_NOT_VALUES: Final = re.compile(
    r"(?:is|has|had|was|can|num|count|total|max|min|avg|sum|no of|number of) .*"
    r"|.* (?:count|at|on|by|type|kind|status|state|verified|confirmed|enabled|flag|len|length|size|expiry"
    r"|expires|ttl|usage|used"
    r"|limit|id|name|label|provider|version|format|policy|strength|domain|url|uri|table|ref|tokens)"
)
_AFTER_ALL: Final = re.compile(
    r".*\b(?:(tax|steuer|national|nat|personal|session) id|(first|last|full|middle|given|family|maiden|sur"
    r"|fore|nick"
    r"|customer|client|employee|patient|contact|member|student|person|holder|cardholder|recipient|legal"
    r"|street) ?name"
    r"|born (on|at)|codice fiscale|(access|refresh|auth|api|session|bearer|id|reset|secret|backup) tokens)"
)

# columns of numbers and codes that are no person's
_OTHER: Final = re.compile(
    r"(?:.* )?(?:id|ids|uuid|guid|oid|xid|pk|fk|key|order|orders|invoice|receipt|sku|isbn|issn|ean|upc"
    r"|gtin|asin|barcode|imei"
    r"|serial|tracking|awb|waybill|shipment|parcel|build|version|ver|revision|rev|release|commit|sha|sha1"
    r"|sha256|md5|hash"
    r"|checksum|digest|etag|fingerprint|lat|lon|lng|latitude|longitude|coord|coords|coordinates|location"
    r"|geo|price|amount"
    r"|total|cost|balance|qty|quantity|count|size|bytes|weight|height|width|port|pid|epoch|timestamp|ts"
    r"|time|date|created|updated"
    r"|modified|at|duration|latency|ms|ns|seq|sequence|lsn|batch|lot|ticket|case|ref|reference|part|model"
    r"|transaction|txn|trace"
    r"|span|request|correlation|job|run|session|ssid|zip|postcode|vin|plate|score|metric|measure|value num"
    r"|docket|item|product)"
    r"(?: (?:no|nr|num|number|numbers|code|codes|id|ids|key|ref|\d+))*"
)
_VERSIONED: Final = re.compile(
    r"(?:.* )?(?:version|ver|release|firmware|build|oid|semver|agent|driver|sdk)(?: .*)?"
)


def words(name: str) -> str:
    """A column's name as lower-case words: `homeEMail_2` -> `home email 2`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name[:128])
    text = re.sub(r"[^0-9a-z\u00e0-\u024f]+", " ", spaced.lower()).strip()
    return re.sub(r"\be mail", "email", text.translate(_PLAIN))


_PLAIN: Final = str.maketrans("áàâãäåéèêëíìîïóòôõöúùûüçñłśźżćńęąß", "aaaaaaeeeeiiiiooooouuuucnlszzcneas")


class Sense:
    """What a column's name says. raised: the class that it speaks of ("" for none; `password` is `secret`
    where any value counts). other: it speaks of numbers that are no person's. version: of versions.
    name: lower case, as custom classes match it."""

    def __init__(self, raised: str, other: bool, version: bool, name: str) -> None:
        self.raised: Final = raised
        self.other: Final = other
        self.version: Final = version
        self.name: Final = name
        self.card: Final = raised == "payment-card"
        self.national: Final = raised == "national-id"
        self.phone: Final = raised == "phone"
        self.ip: Final = raised == "ip-address"
        self.mac: Final = raised == "mac-address"
        self.birth: Final = raised == "birth-date"
        self.secret: Final = raised == "secret" or raised == "password"
        self.whole: Final = raised in ("person-name", "address", "secret", "password", "birth-date")


def sense(name: str) -> Sense:
    """What the name of a column says."""
    text = words(name)
    raised = ""
    if not _NOT_VALUES.fullmatch(text) or _AFTER_ALL.fullmatch(text):
        raised = next((each for rule, each in _RULES if rule.fullmatch(text)), "")
    other = not raised and _OTHER.fullmatch(text) is not None
    return Sense(raised, other, _VERSIONED.fullmatch(text) is not None, name.lower())


BLANK: Final = Sense("", False, False, "")
"""Text that stands in no column."""


def _near(*alternatives: str) -> "re.Pattern[bytes]":
    return re.compile(rb"(?:^|[^a-z])(?:" + "|".join(alternatives).encode() + rb")(?:[^a-z]|$)")


NEAR_PHONE: Final = _near(
    r"phones?", r"tele?phones?", "tel", "mobile", "cell", "fax",
    "call(?:ed|ing|s)?(?: me| us| him| her| back)?", "whatsapp", "sms", "text(?:ed)? me", "dial",
    "reach(?:ed)? (?:me|us|him|her)", "ring", "hotline", "contact(?: no| number)?", "telefon(?:nummer|nr)?",
    "handy(?:nummer)?", "rufnummer", "mobil(?:nummer|e|funk)?", "anruf(?:en)?", "erreichbar",
    "t(?:é|É|e)l(?:é|É|e)phone", "t(?:é|É|e)l", "portable", "appel(?:er|ez)?", "tel(?:é|É|e)fono?",
    "m(?:ó|Ó|o)vil", "celular", "llam(?:ar|e|a)", "cellulare", "chiam(?:are|a)", "telefoon(?:nummer)?",
    "mobiel", "bel(?:len)?", "kom(?:ó|Ó|o)rka", "telefone", "ligar", "ligue", "numer telefonu", "voicemail",
    "msisdn",
)  # fmt: skip
NEAR_CARD: Final = _near(
    "cards?", "visa", "mastercard", "amex", "american express", "maestro", "diners", "discover", "jcb",
    "unionpay", "cc", "pan", "credit", "debit", "kreditkarte", "karte(?:nnummer)?",
    "carte(?: bancaire| bleue)?", "tarjeta", "carta di credito", "carta", "creditcard", "cart(?:ã|Ã|a)o",
    "karta", "karty", "kaart(?:nummer)?",
)  # fmt: skip
NEAR_NATIONAL: Final = _near(
    "ssn", r"social(?: security)?", "soc(?:ial)? sec", "ss#", "itin", "tin", "tax[- ]?(?:id|payer|number|no)",
    "national id", "steuer-?(?:id(?:entifikationsnummer)?|nummer|nr)?", "idnr", "steuerliche",
    "rentenversicherung(?:snummer)?", "sv-?nummer", "sozialversicherung(?:snummer)?", "nir", "insee",
    "s(?:é|É|e)curit(?:é|É|e) sociale", "num(?:é|e)ro de s(?:é|e)cu", "dni", "nif", "nie", "codice fiscale",
    "cod\\.? fisc(?:ale)?", "c\\.f\\.", "bsn", "burgerservicenummer", "sofinummer", "sofi", "pesel", "cpf",
    "aadhaar", "aadhar", "uid(?:ai)?", "pan", "income tax", "identity (?:card|number|no)",
    "id (?:card|number|no)", "citizen", "personal (?:id|number)", "ausweis(?:nummer)?", "documento",
)  # fmt: skip
NEAR_BIRTH: Final = _near(
    "born(?: on)?", "birth(?:day|date)?", "d\\.?o\\.?b\\.?", "date of birth", "geb(?:oren|\\.)?(?: am)?",
    "geburts(?:datum|tag)", "n(?:é|É)(?:e|\\(e\\))?(?: le)?", "naissance", "nacid[oa](?: el)?", "nacimiento",
    "fecha de nac\\.?", "nat[oa] il", "nat[oa]", "nascita", "geboren(?: op)?", "geboortedatum",
    "ur(?:odz(?:ony|ona|enia))?\\.?", "nascid[oa](?: em)?", "nascimento",
)  # fmt: skip
NEAR_IP: Final = _near(
    "ip(?:v4|v6)?", "address", "addr", "host", "from", "client", "remote", "server", "dns", "ping",
    "connect(?:ed|ion)?", "src", "dst", "peer", "login", "gateway", "via", "port",
)  # fmt: skip
NEAR_VERSION: Final = re.compile(
    rb"(?:^|[^a-z])(?:v|ver|vers|version|versions|release|released|rev|revision|build|firmware|fw|oid"
    rb"|section|sec|chapter|clause"
    rb"|upgrade|upgraded|downgrade|installed|chrome|chromium|safari|firefox|edge|edg|kernel|driver|sdk"
    rb"|package|pkg|nuget|dll|assembly|schema|semver|agent|>=|<=|==|~>)[ \t:=/.(\"']*(?:v|to |from )?$"
)
NEAR_SECRET: Final = _near(
    "secrets?", "tokens?", "api[-_ ]?keys?", "access[-_ ]?keys?", "private[-_ ]?key", "signing[-_ ]?key",
    "encryption[-_ ]?key", "credentials?", "passwords?", "passwd", "pwd", "bearer",
    "auth(?:orization)?[-_ ]?(?:key|token|code)?", "account[-_ ]?key",
    "shared[-_ ]?access[-_ ]?(?:key|signature)", "client[-_ ]?secret", "aws", "azure",
)  # fmt: skip
NEAR_HASH: Final = _near(
    "sha-?(?:1|224|256|384|512)?", "md5", "hash(?:es|ed)?", "digest", "checksum", "commit", "etag",
    "fingerprint", "integrity", "crc32", "rev(?:ision)?", "merkle", "block", "tx", "txid", "image", "layer",
    "blob", "trace", "span", "request", "correlation", "uuid", "guid",
)  # fmt: skip
NEAR_OTHER: Final = re.compile(
    rb"(?:^|[^a-z])(?:order|orders|ordernr|invoice|inv|receipt|tracking|track|awb|waybill|shipment|parcel"
    rb"|package|isbn|issn|ean|upc|gtin"
    rb"|sku|serial|imei|ref|reference|ticket|case|build|version|part|item|product|batch|lot|bestellung"
    rb"|bestellnummer|rechnung|sendung"
    rb"|sendungsnummer|commande|facture|pedido|factura|ordine|fattura|zam(?:\xc3\xb3|o)wienie|faktura"
    rb"|bestelling|account|acct|customer|konto"
    rb"|transaction|txn|transfer|confirmation|booking|reservation|rma|po|epoch|timestamp|ts|id|uid|pid|job"
    rb"|seq|lsn|offset|size"
    rb"|bytes|total|amount|article|artikel|model|meter|policy|claim|contract|file|doc|document|request"
    rb"|session|trace|usps|ups|fedex|dhl|event|row|rows|user_id)"
    rb"(?:[ _-]?(?:no|nr|num|number|id|code|key|ref|nummer))?\.?[\s:=#\"'({]*$"
)

BEFORE: Final = 48
AFTER: Final = 28
"""Bytes before and behind a value in which words count."""


def near(words_near: "re.Pattern[bytes]", cell: bytes, start: i64, end: i64) -> bool:
    """Whether one of these words stands close before or behind the value."""
    if start > 1:
        low = start - BEFORE if start > BEFORE else 0
        if words_near.search(cell[low:start].lower()) is not None:
            return True
    return end + 1 < len(cell) and words_near.search(cell[end : end + AFTER].lower()) is not None


def behind(words_before: "re.Pattern[bytes]", cell: bytes, start: i64) -> bool:
    """Whether one of these words stands right before the value; the pattern ends in `$`."""
    if start < 1:
        return False
    low = start - BEFORE if start > BEFORE else 0
    return words_before.search(cell[low:start].lower()) is not None
