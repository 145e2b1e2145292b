"""Texts that hold nothing sensitive and look as if they did: what real tables are full of. Seeded."""
# ruff: noqa: E501 (a row of a table is a line)

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from random import Random

from pii.issued import ALNUM, DIGITS, HEX, UPPER, luhn_digit, pick
from pii.samples import NEUTRAL, Sample


def moment(r: Random) -> str:
    day = f"{r.randint(2015, 2027)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"
    clock = f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}"
    return r.choice(
        [
            f"{day} {clock}",
            f"{day}T{clock}Z",
            f"{day} {clock}.{r.randint(0, 999999):06}+00",
            day,
            clock,
            f"{day}T{clock}.{r.randint(0, 999)}+02:00",
        ]
    )


def not_luhn(r: Random, length: int) -> str:
    body = str(r.randint(1, 9)) + pick(r, DIGITS, length - 2)
    return body + str((int(luhn_digit(body)) + r.randint(1, 9)) % 10)


def isbn(r: Random) -> str:
    body = r.choice(["978", "979"]) + pick(r, DIGITS, 9)
    check = -sum(int(digit) * (1, 3)[at % 2] for at, digit in enumerate(body)) % 10
    number = f"{body}{check}"
    return r.choice(
        [number, f"{number[:3]}-{number[3]}-{number[4:7]}-{number[7:12]}-{number[12]}", f"ISBN {number}"]
    )


def imei(r: Random) -> str:
    body = r.choice(["35", "86", "01"]) + pick(r, DIGITS, 12)
    return body + luhn_digit(body)


def version(r: Random) -> str:
    return r.choice([
        f"{r.randint(0, 30)}.{r.randint(0, 40)}.{r.randint(0, 99)}", f"v{r.randint(0, 9)}.{r.randint(0, 9)}.{r.randint(0, 20)}.{r.randint(0, 255)}",
        f"version {r.randint(1, 20)}.{r.randint(0, 9)}.{r.randint(0, 250)}.{r.randint(0, 250)}", f"{r.randint(1, 9)}.{r.randint(0, 9)}.{r.randint(0, 9)}.{r.randint(0, 9)}", f"build 10.0.{r.randint(10000, 19999)}.{r.randint(100, 999)}",
        f"Chrome/{r.randint(80, 130)}.0.{r.randint(0, 255)}.{r.randint(0, 255)}", f"{r.randint(1, 5)}.{r.randint(0, 9)}.{r.randint(0, 9)}-rc{r.randint(1, 9)}+{pick(r, HEX, 7)}", f"firmware {r.randint(1, 9)}.{r.randint(20, 99)}.{r.randint(20, 99)}.{r.randint(1, 99)}",
    ])  # fmt: skip


def coordinate(r: Random) -> str:
    lat, lon = r.uniform(-90, 90), r.uniform(-180, 180)
    return r.choice(
        [
            f"{lat:.6f}",
            f"{lon:.15f}",
            f"{lat:.5f},{lon:.5f}",
            f"({lat:.4f}, {lon:.4f})",
            f"POINT({lon:.7f} {lat:.7f})",
            f"0101000020E6100000{pick(r, HEX, 32).upper()}",
            f"40°{r.randint(10, 59)}'{r.randint(10, 59)}\"N",
        ]
    )


def sku(r: Random) -> str:
    return r.choice(
        [
            f"{pick(r, UPPER, 3)}-{pick(r, DIGITS, 4)}-{pick(r, UPPER, 2)}",
            f"SKU{pick(r, DIGITS, 8)}",
            f"{pick(r, UPPER, 2)}{pick(r, DIGITS, 6)}",
            f"{pick(r, DIGITS, 4)}-{pick(r, DIGITS, 3)}-{pick(r, UPPER, 1)}{pick(r, DIGITS, 2)}",
            f"{pick(r, UPPER, 4)}_{pick(r, DIGITS, 5)}_v2",
            f"A{pick(r, DIGITS, 2)}.{pick(r, DIGITS, 3)}.{pick(r, DIGITS, 3)}",
        ]
    )


def tracking(r: Random) -> str:
    return r.choice(
        [
            f"1Z{pick(r, UPPER + DIGITS, 16)}",
            f"94{pick(r, DIGITS, 20)}",
            f"{pick(r, UPPER, 2)}{pick(r, DIGITS, 9)}{pick(r, UPPER, 2)}",
            f"JD0{pick(r, DIGITS, 15)}",
            "00340434" + pick(r, DIGITS, 12),
            f"tracking no {not_luhn(r, 12)}",
            f"TBA{pick(r, DIGITS, 12)}",
        ]
    )


def order(r: Random) -> str:
    return r.choice(
        [
            f"{pick(r, DIGITS, 3)}-{pick(r, DIGITS, 7)}-{pick(r, DIGITS, 7)}",
            f"ORD-{pick(r, DIGITS, 10)}",
            f"#{r.randint(10000, 99999)}",
            f"{not_luhn(r, 16)}",
            f"{r.randint(10**9, 10**10)}",
            f"INV-2026-{pick(r, DIGITS, 6)}",
            f"PO{pick(r, DIGITS, 8)}",
            f"{pick(r, UPPER, 2)}-{pick(r, DIGITS, 8)}-{pick(r, DIGITS, 3)}",
            f"20260{pick(r, DIGITS, 9)}",
        ]
    )


def price(r: Random) -> str:
    amount = r.randint(1, 10 ** r.randint(2, 10)) / 100
    return r.choice(
        [
            f"{amount:.2f}",
            f"${amount:,.2f}",
            f"{amount:,.2f} EUR",
            f"€{amount:.2f}",
            f"{amount:.4f}",
            f"-{amount:.2f}",
            f"USD {amount:,.2f}",
            f"{r.random() * 100:.12f}",
            f"{r.random():.16f}",
        ]
    )


def digest(r: Random) -> str:
    data = r.randbytes(16)
    return r.choice(
        [
            hashlib.md5(data).hexdigest(),
            hashlib.sha1(data).hexdigest(),
            hashlib.sha256(data).hexdigest(),
            "sha256:" + hashlib.sha256(data).hexdigest(),
            pick(r, HEX, 7),
            "0x" + pick(r, HEX, 40),
            "sha512-" + base64.b64encode(r.randbytes(64)).decode(),
            ":".join(pick(r, HEX, 2).upper() for _ in range(20)),
            f'W/"{pick(r, HEX, 32)}"',
        ]
    )


def number(r: Random) -> str:
    return r.choice(
        [
            str(r.randint(0, 10 ** r.randint(1, 10))),
            str(r.randint(1_500_000_000, 1_900_000_000)),
            str(r.randint(1_500_000_000_000, 1_900_000_000_000)),
            str(r.randint(15 * 10**14, 19 * 10**14)),
            f"{r.random() * 10:.9e}",
            str(-r.randint(1, 10**9)),
            str(r.randint(10**17, 19 * 10**17)),
            f"{r.randint(0, 100)}%",
            f"{r.randint(1, 99999)}/{r.randint(1, 99999)}",
        ]
    )


def plain(r: Random) -> str:
    """Numbers of any length where nothing says what they are: here check digits pass by chance."""
    value = str(r.randint(1, 9)) + pick(r, DIGITS, r.randint(6, 18))
    return r.choice(
        [
            "{}",
            "batch {}",
            "{} rows affected",
            "copied {} bytes",
            "moved from shelf {} to the back",
            "ref {} closed",
            "job {} done in 3 s",
            "Bestand {} Stück",
            "code {}",
            "id={}",
        ]
    ).format(value)


def blob(r: Random) -> str:
    return r.choice(
        [
            base64.b64encode(r.randbytes(r.randint(12, 90))).decode(),
            "data:image/png;base64," + base64.b64encode(r.randbytes(60)).decode(),
            r.randbytes(24).hex(),
            "\\x" + r.randbytes(20).hex(),
            base64.urlsafe_b64encode(r.randbytes(24)).decode(),
        ]
    )


SENTENCES = [
    "The customer asked for a refund because the item arrived damaged.", "Meeting at 10:30 in room 4.12, bring the Q3 numbers.", "Please call back once the order has shipped.", "Page 12 of 340, chapter 3.2.1", "Delivered 3 of 12 items; 9 are on backorder.",
    "password: must contain at least 8 characters", "Enter your password to continue", "The token expired, please sign in again", "password reset requested", "Your card was declined", "secret santa list for 2026", "key: value pairs are stored in order", "auth: required",
    "Reset your password: click the link in the mail", "token: string, the access token", "Passwords do not match", "api_key: required", "Session token has expired: log in", "The birthday party is on Friday", "born to run (1975 album)", "He was born in Hamburg", "Phone support is available 24/7",
    "call us between 9:00 and 17:30", "Tel Aviv, population 460613", "fax machines were common in 1995", "Ratio 16:9, 3840x2160 at 60 Hz", "score 3-2 after 120 minutes", "ISO 27001:2022 certified", "RFC 2822 section 3.4.1", "Windows 10.0.19045 build", "up 34 days, 4:12, load average: 0.52, 0.58, 0.59",
    "std::vector<int>::iterator it", "Face::add and Cafe::bad", "SELECT a::date, b::int FROM t", "git@github.com:acme/shop.git", "ssh://git@gitlab.example:22/acme/x.git", "icon@2x.png is missing", "lodash@4.17.21 and @types/node@20.1.0", "@media (max-width: 600px)", "@Override public void run()",
    "user@localhost", "a @ b = c", "price @ 3.50 each", "x@y", "follow @acme_support for news", "logo@3x.webp", "pkg@1.2.3-beta", "https://medium.com/@acme/post-8f3a", "if (password == null) return;", "password = getPassword()", "token = os.environ['TOKEN']", "secret = ${SECRET}", "password=*****", "PASSWORD=<your password>",
    "password=%s", "api_key = settings.API_KEY", "self.token = token", "password: str = None", "const token = await getToken();", "passwordHash: String!", "def check(password: str) -> bool:", "set password='$1'", "#define TOKEN_MAX 4096", "token_count=1523", "max_tokens=4096", "tokens: 1843", "sk-loading-container", "sk-circle-fade-dot",
    "task-management-system-overview", "12-34-56 and 78-90-12", "2026-11-21-10-48-53", "10:48:53:12:34:56", "192.168.1", "1.3.6.1.4.1.311.21.20", "256.300.1.2", "999.1.2.3", "127.0.0.1", "0.0.0.0", "255.255.255.0", "::1", "::", "12:34", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "localhost:5432", "a::b", "1:2:3",
    "Mon-Fri 08:00-18:00", "A4 210 x 297 mm", "3 x 4 x 5", "Lot 4711", "EUR 1.234.567,89", "1,234,567,890", "+/- 5%", "+15", "+1", "C++17", "+02:00", "UTC+10:30", "1e+10", "10^12", "100 200 300 400", "2023 2024 2025 2026", "000-00-0000", "666-12-3456", "123-00-4567", "900-12-3456", "123-45-0000", "1234-5678-9012-3456", "0000 0000 0000 0000", "1111111111111111",
    "DE00 0000 0000 0000 0000 00", "GB82 TEST 1234 5698 7654 33", "FR76 1234", "XX82WEST12345698765432", "AKIAshort", "ghp_tooshort", "eyJub3QiOiJhIGp3dCJ9", "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIU\n-----END CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYI\n-----END PUBLIC KEY-----", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0 me",
    "pk_live_abcdefghijklmnop", "xoxo-love", "[redacted:email]", "[redacted]", "****-****-****-7738", "a***@example.com", "postgres://db.internal:5432/sales", "https://user@host.example/path", "jdbc:postgresql://db/x?ssl=true", "http://localhost:8080/api/v1/users/12345678", "https://x.example/p/9781234567897?ref=abc", "s3://bucket/2026/11/21/part-00000.parquet",
    "/var/log/app/2026-11-21.log", "C:\\Users\\app\\file_2026.txt", "arn:aws:iam::123456789012:role/app", "projects/acme-1234/topics/x", "urn:uuid:7d444840-9dc0-11d1-b245-5ffdce74fad2", "x-request-id: 7d444840-9dc0-11d1-b245-5ffdce74fad2", "commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "digest sha256 e3b0c44298fc1c149afbf4c8996fb924", "Reference implementation of RFC 4122 in 200 lines",
    "Das Paket wurde am 12.03.2026 zugestellt.", "Le colis est arrivé le 12/03/2026 à 10h30.", "El pedido 12345 llegó el 3/4/2026", "Ordine nr. 998877 spedito", "Bestelling 445566 is onderweg", "Zamówienie 334455 wysłane", "O pedido 778899 foi enviado", "Version 2 of the report, 3rd draft", "SQLSTATE 23505: duplicate key value violates unique constraint \"orders_pkey\"", "ERROR at line 12, column 34",
]  # fmt: skip


def log_line(r: Random) -> str:
    return r.choice([
        f"{moment(r)} INFO [main] started in {r.randint(10, 9999)} ms", f"level=warn ts={r.randint(1_600_000_000, 1_900_000_000)} msg=\"slow query\" duration={r.random() * 9:.3f}s rows={r.randint(1, 10**6)}", f"pid={r.randint(100, 99999)} port={r.randint(1024, 65535)} status={r.randint(200, 504)}",
        f"worker-{r.randint(1, 64)} processed batch {pick(r, HEX, 8)} ({r.randint(1, 10**5)} rows)", f"trace_id={pick(r, HEX, 32)} span_id={pick(r, HEX, 16)}", f"request_id={uuid.UUID(int=r.getrandbits(128))} took {r.randint(1, 999)}ms", f"GET /items/{r.randint(10**6, 10**8)}?page={r.randint(1, 90)}&size=50 HTTP/1.1 200 {r.randint(100, 99999)}",
        f"[{moment(r)}] job {r.randint(10**8, 10**9)} done", f"checkpoint complete: wrote {r.randint(1, 99999)} buffers ({r.random() * 100:.1f}%); lsn=0/{pick(r, HEX, 7).upper()}",
    ])  # fmt: skip


def code(r: Random) -> str:
    return r.choice([
        f"for (int i = 0; i < {r.randint(1, 10**6)}; i++) sum += a[i];", f"x = f({r.randint(1, 99)}, {r.random():.8f})", f"UPDATE t SET n = {r.randint(1, 10**9)} WHERE id = {r.randint(1, 10**9)};", f"#{pick(r, HEX, 6)}; margin: {r.randint(1, 99)}px", f"assert digest == \"{pick(r, HEX, 64)}\"", f"import {pick(r, 'abcdef', 6)} from './{pick(r, 'abcdef', 8)}.js';", f"regex = r'\\d{{{r.randint(2, 9)}}}-\\d{{4}}'", f"color: rgb({r.randint(0, 255)}, {r.randint(0, 255)}, {r.randint(0, 255)})", f"npm i foo@{r.randint(1, 9)}.{r.randint(0, 9)}.{r.randint(0, 9)}",
    ])  # fmt: skip


def url(r: Random) -> str:
    return r.choice(
        [
            f"https://example.com/orders/{r.randint(10**7, 10**9)}/items/{r.randint(1, 99)}",
            f"https://cdn.example.net/a/{pick(r, HEX, 32)}.jpg?w=640&h=480&v={r.randint(10**9, 2 * 10**9)}",
            f"http://shop.example:8080/p?id={r.randint(10**5, 10**8)}&utm_source=mail",
            f"https://maps.example/@{r.uniform(-89, 89):.7f},{r.uniform(-179, 179):.7f},17z",
            f"ftp://files.example/pub/v{r.randint(1, 9)}.{r.randint(0, 9)}/x.tar.gz",
            f"https://example.org/watch?v={pick(r, ALNUM + '_-', 11)}",
        ]
    )


def document(r: Random) -> str:
    return json.dumps(r.choice([
        {"id": r.randint(1, 10**9), "status": "ok", "at": moment(r)}, {"sku": sku(r), "qty": r.randint(1, 99), "price": r.randint(1, 99999) / 100}, {"lat": r.uniform(-90, 90), "lon": r.uniform(-180, 180)}, {"version": f"{r.randint(1, 9)}.{r.randint(0, 9)}.{r.randint(0, 9)}.{r.randint(0, 9)}", "build": r.randint(10**7, 10**8)},
        {"hash": pick(r, HEX, 64), "size": r.randint(1, 10**10)}, {"order_id": not_luhn(r, 16), "lines": [{"n": 1, "ean": "4" + pick(r, DIGITS, 12)}]}, {"token_count": r.randint(1, 10**5), "model": "large-2"}, [r.randint(1, 10**6) for _ in range(6)], {"password": None, "token": "", "secret": False},
    ]))  # fmt: skip


TABLES: list[tuple[str, Callable[[Random], str], list[str], int]] = [
    (
        "uuid",
        lambda r: str(uuid.UUID(int=r.getrandbits(128))),
        ["id", "user_id", "ref", "uuid", *NEUTRAL],
        500,
    ),
    ("timestamp", moment, ["created_at", "updated", "ts", "day", *NEUTRAL], 450),
    ("order number", order, ["order_no", "order_id", "reference", "invoice_number"], 450),
    ("version", version, ["version", "agent", "release", "note", "comment"], 400),
    ("coordinate", coordinate, ["lat", "longitude", "geom", "location", *NEUTRAL], 350),
    ("sku", sku, ["sku", "part_no", "item_code", *NEUTRAL], 350),
    ("tracking", tracking, ["tracking", "tracking_number", "awb"], 250),
    ("price", price, ["price", "amount", "total", "value", *NEUTRAL], 400),
    ("hash", digest, ["sha256", "checksum", "etag", "commit", *NEUTRAL], 400),
    ("number", number, ["id", "count", "seq", "epoch_ms", "size", "lsn", "build_id", "account_id"], 500),
    ("number alone", plain, NEUTRAL, 600),
    ("isbn", isbn, ["isbn", "book", "ean", *NEUTRAL], 150),
    ("imei", imei, ["imei", "device_id", "serial"], 80),
    ("blob", blob, ["data", "payload", "thumbnail", "attachment", "body"], 250),
    ("log line", log_line, ["message", "line", "log", "body"], 400),
    ("code", code, ["snippet", "query", "source", "body"], 250),
    ("url", url, ["url", "link", "href", "referrer"], 250),
    ("json", document, ["payload", "doc", "attributes", "meta"], 300),
    ("sentence", lambda r: r.choice(SENTENCES), NEUTRAL, 0),
]


def negatives(seed: int) -> Iterator[Sample]:
    """All of them."""
    for at, (kind, make, columns, count) in enumerate(TABLES):
        random = Random(seed * 7919 + at)
        for _ in range(count):
            yield Sample(kind, random.choice(columns), make(random))
    for sentence in SENTENCES:
        for column in ("note", "message"):
            yield Sample("sentence", column, sentence)
