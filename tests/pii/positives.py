"""Texts that hold a sensitive value, and where: seeded, from the issuers' rules and from how people write."""
# ruff: noqa: E501 (a row of a table is a line)

import base64
import string
from collections.abc import Callable, Iterator
from random import Random

from pii import issued
from pii.issued import ALNUM, DIGITS, HEX, KEYS, pick
from pii.samples import NEUTRAL, PROSE, Sample, in_json, placed

FIRST = "anna bruno chloé dmitri elena farid gisela hans ines joão katarzyna liam maría nils olga pietro quentin rosa sören tariq uma vera wei ximena yusuf zoë".split()
LAST = "kowalski o'brien müller garcía rossi silva van-dijk nowak martin sharma johnson lee becker fernandez ricci jansen dubois singh".split()
DOMAINS = [
    "example.com",
    "mail.example.org",
    "gmail.com",
    "web.de",
    "empresa.com.br",
    "uni-köln.de",
    "correo.es",
    "libero.it",
    "ziggo.nl",
    "onet.pl",
    "acme.co.uk",
    "startup.io",
    "corp.internal",
    "xn--bcher-kva.example",
    "a-b.museum",
]


def ascii_only(text: str) -> str:
    return text.translate(str.maketrans("éíöüäëãñøö", "eiouaeanoo")).replace("'", "")


def email(random: Random) -> str:
    first, last = random.choice(FIRST), random.choice(LAST)
    if random.random() < 0.8:
        first, last = ascii_only(first), ascii_only(last)
    form = random.choice(
        ["{f}.{l}", "{f}{n}", "{f}_{l}", "{i}{l}", "{f}+{t}", "{l}-{f}", "{f}.{l}{n}", "{F}.{L}"]
    )
    local = form.format(
        f=first,
        l=last,
        i=first[0],
        n=random.randint(1, 1999),
        t=random.choice(["news", "test"]),
        F=first.title(),
        L=last.title(),
    )
    domain = random.choice(DOMAINS)
    return f"{local}@{domain.upper() if random.random() < 0.1 else domain}"


SPOKEN: dict[str, list[str]] = {
    "phone": [
        "call me at {}", "Phone: {}", "tel. {}", "mobile {}", "Telefon: {}", "Handy {}", "Rufnummer {}", "erreichbar unter {}", "Tél : {}",
        "appelez le {}", "móvil {}", "llamar al {}", "cellulare {}", "chiamare {}", "telefoonnummer {}", "bel {}", "komórka {}", "numer telefonu: {}",
        "telefone {}", "ligar para {}", "WhatsApp {}", "fax {} ", "reach me on {}", "new contact number is {}", "his cell is {}",
    ],
    "birth-date": [
        "born {}", "born on {}", "DOB: {}", "D.O.B. {}", "date of birth {}", "birthday: {}", "geboren am {}", "geb. {}", "Geburtsdatum: {}", "né le {}", "née le {}",
        "date de naissance : {}", "nacido el {}", "fecha de nacimiento: {}", "nato il {}", "data di nascita {}", "geboren op {}", "geboortedatum {}", "ur. {}", "urodzona {}",
        "data urodzenia: {}", "nascido em {}", "data de nascimento: {}", '"dob": "{}"', "patient (dob {}) admitted",
    ],
}  # fmt: skip
WORDS = {
    "us": (["SSN: {}", "social security number {}", "ssn {} on file", "Soc Sec {}", "tax id {}", "his social is {}"], ["ssn", "social_security_number", "taxId", "customer_ssn"]),
    "de": (["Steuer-ID {}", "Steueridentifikationsnummer: {}", "IdNr. {}", "Steuernummer {} vom Amt"], ["steuer_id", "tax_id", "steuerid"]),
    "nl": (["BSN: {}", "burgerservicenummer {}", "BSN-nummer is {}"], ["bsn", "citizen_bsn", "burgerservicenummer"]),
    "in": (["Aadhaar {}", "aadhaar no. {}", "UIDAI number {}", "Aadhar: {}"], ["aadhaar", "aadhaar_number", "aadhar_no"]),
    "pl": (["PESEL {}", "PESEL: {}", "numer PESEL {}"], ["pesel", "klient_pesel"]),
    "br": (["CPF {}", "CPF: {}", "cpf nº {}"], ["cpf", "cliente_cpf"]),
    "es": (["DNI {}", "NIF: {}", "con dni {}", "NIE {}"], ["dni", "nif", "nie"]),
    "fr": (["NIR {}", "numéro de sécurité sociale : {}", "n° INSEE {}"], ["nir", "insee", "numero_securite_sociale"]),
    "it": (["codice fiscale {}", "C.F. {}", "cod. fisc. {}"], ["codice_fiscale", "cod_fiscale"]),
}  # fmt: skip


def national(random: Random, country: str) -> tuple[str, bool]:
    """(number as written, whether it says by itself what it is)"""
    if country == "us":
        number = issued.ssn(random)
        form = random.randint(0, 5)
        if form < 3:
            return number, True
        return (number.replace("-", " "), False) if form == 3 else (number.replace("-", ""), False)
    if country == "de":
        if random.random() < 0.3:
            number = issued.pension(random)
            return (
                number if random.random() < 0.5 else f"{number[:2]} {number[2:8]} {number[8]} {number[9:]}"
            ), True
        number = issued.steuer_id(random)
        return (
            number if random.random() < 0.6 else f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:]}"
        ), True
    if country == "nl":
        number = issued.bsn(random)
        return random.choice(
            [
                number,
                number,
                f"{number[:3]}.{number[3:6]}.{number[6:]}",
                f"{number[:4]} {number[4:6]} {number[6:]}",
            ]
        ), False
    if country == "in":
        number = issued.aadhaar(random)
        grouped = random.random() < 0.6
        return (" ".join((number[:4], number[4:8], number[8:])) if grouped else number), grouped
    if country == "pl":
        return issued.pesel(random), True
    if country == "br":
        number = issued.cpf(random)
        return random.choice(
            [
                number,
                f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}",
                f"{number[:3]}.{number[3:6]}.{number[6:9]}-{number[9:]}",
            ]
        ), True
    if country == "es":
        if random.random() < 0.3:
            number = issued.nie(random)
            return random.choice(
                [number, f"{number[0]}-{number[1:8]}-{number[8]}", f"{number[:8]}-{number[8]}"]
            ), True
        number = issued.dni(random)
        return random.choice(
            [
                number,
                number,
                f"{number[:8]}-{number[8]}",
                f"{number[:2]}.{number[2:5]}.{number[5:8]}-{number[8]}",
            ]
        ), True
    if country == "fr":
        number = issued.nir(random)
        if "A" in number or "B" in number or random.random() < 0.5:
            return number, True
        return " ".join(
            (number[0], number[1:3], number[3:5], number[5:7], number[7:10], number[10:13], number[13:])
        ), True
    number = issued.codice_fiscale(random)
    form = random.randint(0, 3)
    return (
        f"{number[:6]} {number[6:11]} {number[11:]}" if form == 0 else number.lower() if form == 1 else number
    ), True


def international(random: Random) -> str:
    code, lengths = random.choice(
        [
            ("1", None),
            ("1", None),
            ("49", (10, 11)),
            ("33", (9,)),
            ("34", (9,)),
            ("39", (10,)),
            ("31", (9,)),
            ("48", (9,)),
            ("55", (11,)),
            ("91", (10,)),
            ("44", (10,)),
            ("353", (9,)),
            ("351", (9,)),
            ("420", (9,)),
            ("81", (10,)),
            ("41", (9,)),
        ]
    )
    if lengths is None:
        area, rest = (
            f"{random.randint(2, 9)}{random.choice('023456789')}{random.choice('0234567')}",
            f"{random.randint(2, 9)}{random.choice('023456789')}{random.choice('023456789')}",
        )
        return random.choice(
            ["+1{a}{r}{n}", "+1 {a} {r} {n}", "+1-{a}-{r}-{n}", "+1 ({a}) {r}-{n}", "+1.{a}.{r}.{n}"]
        ).format(a=area, r=rest, n=pick(random, DIGITS, 4))
    body = random.choice("123456789") + pick(random, DIGITS, random.choice(lengths) - 1)
    if code == "44" and random.random() < 0.3:
        return f"+44 (0){body[:2]} {body[2:6]} {body[6:]}"
    cut = random.randint(2, 4)
    return random.choice(
        [
            f"+{code}{body}",
            f"+{code} {body}",
            f"+{code} {body[:cut]} {body[cut:]}",
            f"+{code}-{body[:cut]}-{body[cut:]}",
            f"+{code} {body[:cut]} {body[cut : cut + 3]} {body[cut + 3 :]}",
        ]
    )


def local(random: Random) -> str:
    digits = pick(random, DIGITS, 8)
    return random.choice([
        f"030 {digits[:7]}", f"0{random.randint(151, 179)} {digits}", f"06 {digits[:2]} {digits[2:4]} {digits[4:6]} {digits[6:]}", f"6{digits[:2]} {digits[2:5]} {digits[5:]}", f"02 {digits}",
        f"06-{digits}", f"0{random.randint(20, 99)}/{digits[:6]}", f"(11) 9{digits[:4]}-{digits[4:]}", f"0{random.randint(11, 99)}-{digits[:7]}", f"07{digits[:3]} {digits[3:]}1", f"{random.randint(501, 899)} {digits[:3]} {digits[3:6]}",
    ])  # fmt: skip


def nanp(random: Random) -> str:
    area, rest, number = (
        f"{random.randint(2, 9)}0{random.randint(1, 9)}",
        f"{random.randint(2, 9)}{random.randint(20, 99)}",
        pick(random, DIGITS, 4),
    )
    return random.choice([f"({area}) {rest}-{number}", f"{area}-{rest}-{number}", f"{area}.{rest}.{number}"])


def ipv4(random: Random) -> str:
    return f"{random.choice([10, 192, 172, 203, 81, 93, 151, 78, 34, 52])}.{random.randint(20, 255)}.{random.randint(0, 255)}.{random.randint(1, 254)}"


def ipv6(random: Random) -> str:
    def group() -> str:
        return f"{random.randint(1, 0xFFFF):x}"

    form = random.randint(0, 3)
    if form == 0:
        return ":".join(f"{random.randint(0, 0xFFFF):04x}" for _ in range(8))
    if form == 1:
        return f"2001:db8:{group()}::{random.randint(1, 9)}{group()[:3]}"
    if form == 2:
        return f"fe80::{group()}:{group()}:{group()}:{random.randint(1, 9)}"
    return f"2a02:{random.randint(1, 9)}{group()[:2]}:{group()}:{group()}::{random.randint(1, 99)}".upper()


def mac(random: Random) -> str:
    text = pick(random, HEX, 10) + random.choice("abcdef") + random.choice(DIGITS)
    pairs = [text[at : at + 2] for at in range(0, 12, 2)]
    return random.choice(
        [
            ":".join(pairs),
            ":".join(pairs).upper(),
            "-".join(pairs).upper(),
            ".".join((text[:4], text[4:8], text[8:])),
        ]
    )


MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def birth(random: Random) -> str:
    year, month, day = random.randint(1930, 2010), random.randint(1, 12), random.randint(1, 28)
    return random.choice([
        f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{day}.{month}.{year}", f"{month:02}/{day:02}/{year}", f"{day:02}/{month:02}/{year}", f"{day}-{month}-{year}",
        f"{day} {MONTHS[month - 1]} {year}", f"{MONTHS[month - 1]} {day}, {year}", f"{MONTHS[month - 1][:3]} {day} {year}", f"{year}/{month:02}/{day:02}",
    ])  # fmt: skip


def password(random: Random) -> str:
    return (
        random.choice(
            ["hunter2!", "S3cr3t_pw", "Tr0ub4dor&3", "correct-horse-9", "P@ssw0rd2024", "qwErty_77"]
        )
        if random.random() < 0.3
        else pick(random, ALNUM + "!_-#*", random.randint(8, 20)) + random.choice(DIGITS) + "k"
    )


Maker = Callable[[Random], Iterator[Sample]]


def emails(random: Random) -> Iterator[Sample]:
    for _ in range(60):
        yield placed(
            "email",
            "email",
            random.choice(["email", "contact_email", "value", "login", "recipient", *NEUTRAL]),
            "{}",
            email(random),
        )
    for template in [
        *PROSE,
        "mailto:{}",
        "From: Anna <{}>",
        "to={}&subject=x",
        "https://shop.example/unsubscribe?e={}&x=1",
        "user={} logged in",
        "{} / second contact",
        "e-mail:{}",
        "cc: {};",
    ]:
        for _ in range(6):
            yield placed("email", "email", random.choice(NEUTRAL), template, email(random))
    for _ in range(40):
        yield in_json(random, "email", "email", email(random))
    for _ in range(10):
        yield placed("email", "email", "note", "write to {} please", email(random).replace("@", "＠"))
        yield placed(
            "email",
            "email",
            "url",
            "https://x.example/?mail={}",
            ascii_only(email(random)).replace("@", "%40").replace("ö", "oe"),
        )


def cards(random: Random) -> Iterator[Sample]:
    for _ in range(80):
        yield placed(
            "card",
            "payment-card",
            random.choice(["card_number", "cc_no", "pan", "payment_card", *NEUTRAL]),
            "{}",
            issued.card_printed(random),
        )
    for template in [
        *PROSE,
        "card {} exp 12/27",
        "Visa: {}",
        "paid with {} yesterday",
        "Kreditkarte {}",
        "tarjeta {}",
        "carte bancaire {}",
        "VISA ending {}",
        "pan={}&cvv=123",
        "charged 12.50 to {} on 2026-01-04",
    ]:
        for _ in range(6):
            yield placed(
                "card", "payment-card", random.choice(NEUTRAL), template, issued.card_printed(random)
            )
    for _ in range(40):
        yield in_json(random, "card", "payment-card", issued.card_printed(random))
    for _ in range(10):
        number = issued.card(random)
        yield placed("card", "payment-card", "note", "no. {} ok", " ".join(number))
        yield placed(
            "card",
            "payment-card",
            "note",
            "no. {} ok",
            number.translate(str.maketrans(DIGITS, "０１２３４５６７８９")),
        )
        yield placed("card", "payment-card", "note", "no. {} ok", number[:8] + "\u200b" + number[8:])
        yield Sample("card", "doc", f'{{"n": {number}}}', (("payment-card", 6, 6 + len(number)),))


def nationals(random: Random) -> Iterator[Sample]:
    for country, (spoken, columns) in WORDS.items():
        kind = f"national-id {country}"
        for _ in range(24):
            number, _ = national(random, country)
            yield placed(kind, "national-id", random.choice(columns), "{}", number)
        for _ in range(40):
            number, _ = national(random, country)
            yield placed(
                kind,
                "national-id",
                random.choice(NEUTRAL),
                random.choice(["", "Note. ", "Customer: "])
                + random.choice(spoken)
                + random.choice(["", ".", ", thanks", " (checked)"]),
                number,
            )
        done = 0
        while done < 24:
            number, alone = national(random, country)
            if not alone:
                if country in ("nl",):
                    break
                continue
            done += 1
            yield placed(kind, "national-id", random.choice(NEUTRAL), random.choice(PROSE), number)
        for _ in range(8):
            number, alone = national(random, country)
            if alone:
                yield in_json(random, kind, "national-id", number)
            else:
                text = f'{{"{columns[0]}": "{number}"}}'
                yield Sample(
                    kind,
                    "doc",
                    text,
                    (("national-id", text.index(number), text.index(number) + len(number)),),
                )


def ibans(random: Random) -> Iterator[Sample]:
    def written() -> str:
        number = issued.iban(random)
        return random.choice(
            [number, " ".join(number[at : at + 4] for at in range(0, len(number), 4)), number.lower()]
        )

    for _ in range(60):
        yield placed("iban", "iban", random.choice(["iban", "account_number", *NEUTRAL]), "{}", written())
    for template in [*PROSE, "IBAN: {}", "Konto {}", "please pay to {} today", "iban={}"]:
        for _ in range(5):
            yield placed("iban", "iban", random.choice(NEUTRAL), template, written())
    for _ in range(30):
        yield in_json(random, "iban", "iban", written())


def phones(random: Random) -> Iterator[Sample]:
    for _ in range(40):
        yield placed(
            "phone",
            "phone",
            random.choice(["phone", "mobile_no", "tel", "contact_phone", "fax", "telefon"]),
            "{}",
            random.choice([international, local, nanp])(random),
        )
    for template in SPOKEN["phone"]:
        for _ in range(5):
            yield placed(
                "phone",
                "phone",
                random.choice(NEUTRAL),
                template,
                random.choice([international, local, nanp])(random),
            )
    for template in PROSE:
        for _ in range(5):
            yield placed("phone", "phone", random.choice(NEUTRAL), template, international(random))
    for _ in range(30):
        yield in_json(random, "phone", "phone", international(random))


def addresses(random: Random) -> Iterator[Sample]:
    for _ in range(50):
        yield placed(
            "ipv4",
            "ip-address",
            random.choice(["ip", "client_ip", "remote_addr", *NEUTRAL]),
            "{}",
            ipv4(random),
        )
        yield placed(
            "ipv6", "ip-address", random.choice(["ip", "ipv6", "peer_address", *NEUTRAL]), "{}", ipv6(random)
        )
        yield placed("mac", "mac-address", random.choice(["mac", "hw_address", *NEUTRAL]), "{}", mac(random))
    for template in [
        *PROSE,
        "GET / from {} 200",
        "ssh root@{} failed",
        "login from {}: ok",
        "blocked {} after 5 tries",
    ]:
        for _ in range(3):
            yield placed("ipv4", "ip-address", random.choice(NEUTRAL), template, ipv4(random))
            yield placed(
                "ipv6",
                "ip-address",
                random.choice(NEUTRAL),
                template.replace("root@{}", "root@[{}]"),
                ipv6(random),
            )
            yield placed(
                "mac",
                "mac-address",
                random.choice(NEUTRAL),
                template.replace("root@{}", "host {}"),
                mac(random),
            )
    for port in ("http://{}:8080/x", "{}:5432", "{}/24", "[{}]"):
        for _ in range(5):
            yield placed("ipv4", "ip-address", random.choice(NEUTRAL), port, ipv4(random))
    for _ in range(8):
        yield placed(
            "ipv4",
            "ip-address",
            random.choice(NEUTRAL),
            random.choice(["host {} down", "ping {}", "dns {}"]),
            f"{random.randint(1, 9)}.{random.randint(0, 9)}.{random.randint(0, 9)}.{random.randint(1, 9)}",
        )


def births(random: Random) -> Iterator[Sample]:
    for _ in range(80):
        yield placed(
            "birth-date",
            "birth-date",
            random.choice(
                ["dob", "birth_date", "date_of_birth", "birthday", "geburtsdatum", "fecha_nacimiento"]
            ),
            "{}",
            birth(random),
        )
    for template in SPOKEN["birth-date"]:
        for _ in range(6):
            yield placed("birth-date", "birth-date", random.choice(NEUTRAL), template, birth(random))


STREETS = [
    "12 High Street, London NW1 4RT",
    "Hauptstraße 7, 10115 Berlin",
    "5 rue de la Paix, 75002 Paris",
    "Calle Mayor 3, 28013 Madrid",
    "742 Evergreen Terrace",
    "Keizersgracht 101",
    "PO Box 1187",
    "Flat 2B, 9 Elm Rd.",
]


def by_column(random: Random) -> Iterator[Sample]:
    for _ in range(100):
        first, last = random.choice(FIRST).title(), random.choice(LAST).title()
        column, value = random.choice(
            [
                ("first_name", first),
                ("lastName", last),
                ("full_name", f"{first} {last}"),
                ("surname", last),
                ("customer_name", f"{first} {last}"),
                ("vorname", first),
                ("prénom", first),
                ("apellidos", last),
                ("cognome", last),
            ]
        )
        yield placed("person-name", "person-name", column, "{}", value)
        yield placed(
            "address",
            "address",
            random.choice(
                [
                    "address",
                    "street",
                    "billing_address",
                    "addressLine1",
                    "shipping_addr",
                    "postal_code",
                    "home_address",
                    "anschrift",
                ]
            ),
            "{}",
            random.choice(STREETS),
        )


def keys(random: Random) -> Iterator[Sample]:
    for name, make in KEYS.items():
        for template in [
            *PROSE,
            "key: {}",
            "export TOKEN={}",
            "Authorization: Bearer {}",
            "curl -H 'X-Api-Key: {}' https://x",
            "const k = '{}';",
            "https://api.example/v1?key={}&a=b",
        ]:
            yield placed(f"key {name}", "secret", random.choice(NEUTRAL), template, make(random))
        for _ in range(4):
            yield in_json(random, f"key {name}", "secret", make(random))
    for _ in range(3):
        for template in [*PROSE, "token={}", "Bearer {}", "Cookie: session={}; path=/"]:
            yield placed("jwt", "secret", random.choice(NEUTRAL), template, issued.jwt(random))
    for template in PROSE:
        for _ in range(3):
            yield placed("private key", "secret", random.choice(NEUTRAL), template, issued.pem(random))
    for _ in range(10):
        yield in_json(random, "private key", "secret", issued.pem(random))


ASSIGNED = [
    "password={}", "PASSWORD={}", "password = '{}'", 'db_password: "{}"', "pwd={};", "Passwort: {}", "mot de passe : {}", "contraseña: {}", "--password={}", "MYSQL_ROOT_PASSWORD={}",
    "Server=db;Database=x;User Id=sa;Password={};", "host=db user=app password={} sslmode=require", '{"user": "app", "password": "{}"}', "<add key=\"dbPassword\" value=\"x\"/> password=\"{}\"",
    "postgresql://app:{}@db.internal:5432/sales", "https://bob:{}@host.example/x", "mongodb+srv://u:{}@cluster0.abc.mongodb.net/db", "redis://:{}@cache:6379/0", "amqp://guest:{}@mq/",
    "the new password is set, passphrase: {}", "PGPASSWORD={} psql", "spring.datasource.password={}",
]  # fmt: skip
TOKENED = [
    "api_key={}",
    "apiKey: '{}'",
    "secret: {}",
    "client_secret={}&grant_type=x",
    "https://x.example/cb?access_token={}&s=1",
    "X-Auth-Token: {}",
    "aws_secret_access_key = {}",
    "AccountKey={};EndpointSuffix=x",
    "Authorization: Bearer {}",
    'refresh_token": "{}"',
    "SECRET_KEY='{}'",
    "auth_token={}",
    "my access key is {} ok",
    "the api key {} leaked",
    "?sig={}&se=2026",
]


def secrets(random: Random) -> Iterator[Sample]:
    for template in ASSIGNED:
        for _ in range(8):
            value = password(random)
            if "://" in template:
                value = value.replace("#", "_")
            yield placed("password", "secret", random.choice(NEUTRAL), template, value)
    for template in TOKENED:
        for _ in range(6):
            value = random.choice(
                [
                    pick(random, ALNUM, 32),
                    pick(random, HEX, 40),
                    base64.b64encode(random.randbytes(30)).decode(),
                    pick(random, ALNUM, 24) + "9x",
                ]
            )
            yield placed("token", "secret", random.choice(NEUTRAL), template, value)
    for _ in range(40):
        yield placed(
            "secret column",
            "secret",
            random.choice(
                [
                    "password",
                    "api_key",
                    "access_token",
                    "client_secret",
                    "secret_key",
                    "refresh_token",
                    "passwd",
                ]
            ),
            "{}",
            pick(random, string.ascii_letters + DIGITS, 24),
        )


MAKERS: list[Maker] = [emails, cards, nationals, ibans, phones, addresses, births, by_column, keys, secrets]


def positives(seed: int) -> Iterator[Sample]:
    """All of them; every part has its own generator, so that one more sample moves no other."""
    for at, maker in enumerate(MAKERS):
        yield from maker(Random(seed * 1000 + at))
