"""What a column's name says of its values (compiled).
A name alone proves nothing: it only raises or lowers what a value by itself leaves open."""

import re
from typing import Final

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
_BEHIND: Final = (
    r"\d+|no|nr|num|number|nummer|raw|plain|enc|encrypted|hash|hashed|digest|norm|normalized|text|value|str"
)
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
