"""The demo's sales database: made up, the same every time, and believable. No value in it belongs to anybody.

Cards pass the Luhn check but start with digits of test ranges; national ids start with 9, which none does.
"""

import datetime
import random
from collections.abc import Iterator

CUSTOMERS = 12_000
ORDERS = 60_000

SCHEMA = """\
CREATE TABLE customers (
  id int PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE,
  card text NOT NULL,
  national_id text NOT NULL,
  city text NOT NULL,
  joined date NOT NULL,
  note text
);
CREATE TABLE products (id int PRIMARY KEY, name text NOT NULL, price numeric(10, 2) NOT NULL);
CREATE TABLE orders (
  id int PRIMARY KEY,
  customer_id int NOT NULL REFERENCES customers (id),
  product_id int NOT NULL REFERENCES products (id),
  quantity int NOT NULL,
  total numeric(10, 2) NOT NULL,
  placed date NOT NULL,
  status text NOT NULL
);
"""
INDEXES = """\
CREATE INDEX ON orders (customer_id);
CREATE INDEX ON orders (placed);
CREATE VIEW contacts AS SELECT id, name, email AS write_to FROM customers;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app;
ANALYZE;
"""

_FIRST = """Ada Amara Anton Beatriz Bruno Chiara Chen Dagmar Darius Elif Emeka Esther Fatima Felix Freya Gita
Goran Hana Hugo Ines Ivan Jamal Jana Kofi Kaya Leila Luca Maja Marek Mei Nadia Nikos Noor Olga Omar Paula
Petra Quentin Rania Ravi Rosa Samir Sofia Stefan Tamar Tomas Uma Vera Viktor Wanda Xenia Yara Yusuf
Zoe""".split()
_LAST = """Abebe Adeyemi Almeida Bauer Bianchi Castro Cohen Dubois Eriksen Fischer Fofana Garcia Gruber Haddad
Hansen Ito Ivanova Jensen Kaplan Keller Kim Kovacs Larsen Lopez Meyer Moreau Nakamura Novak Okafor Olsen Park
Petrov Quist Rahman Rossi Santos Sato Schmidt Silva Singh Sokolov Tanaka Tran Usman Vargas Weber Wolf Yilmaz
Zhang Zimmermann""".split()
_CITIES = """Accra Bergen Bologna Cork Gdansk Ghent Graz Izmir Leipzig Lille Nantes Porto Tartu Turku
Uppsala""".split()
_THINGS = "desk lamp chair shelf kettle clock mirror basket stool rug vase tray blanket bench cabinet".split()
_STYLES = "oak steel linen walnut ceramic wicker glass copper wool".split()
_STATUS = ("paid", "paid", "paid", "shipped", "shipped", "returned", "open")
_DOMAINS = ("example.com", "example.net", "example.org")
_PREFIXES = (("4539", 16), ("5425", 16), ("3742", 15), ("6011", 16))
_NOTES = (
    "Prefers to be called at +49 151 {seven} after six.",
    "Second address for invoices: {mail}",
    "Paid by phone, card {card}, please delete.",
    "Asked twice about order {order}.",
    "Identity checked with {national_id}.",
    "Friendly, wants no newsletter.",
)

Row = tuple[object, ...]


def luhn_digit(digits: str) -> str:
    """The digit that makes `digits` + it pass the Luhn check."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def customers() -> Iterator[Row]:
    """Rows of customers, in id order."""
    chance = random.Random(8)
    start = datetime.date(2021, 1, 4)
    for number in range(1, CUSTOMERS + 1):
        first, last = chance.choice(_FIRST), chance.choice(_LAST)
        mail = f"{first}.{last}{number}@{chance.choice(_DOMAINS)}".lower()
        prefix, length = chance.choice(_PREFIXES)
        digits = prefix + "".join(chance.choices("0123456789", k=length - len(prefix) - 1))
        card = digits + luhn_digit(digits)
        national_id = (
            f"9{chance.randrange(100):02}-{chance.randrange(1, 100):02}-{chance.randrange(1, 10_000):04}"
        )
        note = None
        if chance.random() < 0.35:
            seven = chance.randrange(1_000_000, 10_000_000)
            order = chance.randrange(1, ORDERS)
            note = chance.choice(_NOTES).format(
                seven=seven, mail=f"billing-{mail}", card=card, order=order, national_id=national_id
            )
        joined = start + datetime.timedelta(days=chance.randrange(1700))
        yield number, f"{first} {last}", mail, card, national_id, chance.choice(_CITIES), joined, note


def products() -> Iterator[Row]:
    chance = random.Random(9)
    for number, (style, thing) in enumerate(((s, t) for s in _STYLES for t in _THINGS), 1):
        yield number, f"{style} {thing}", chance.randrange(900, 48_000) / 100


def orders() -> Iterator[Row]:
    chance = random.Random(10)
    prices = [price for _, _, price in products()]
    start = datetime.date(2024, 1, 1)
    for number in range(1, ORDERS + 1):
        product, quantity = chance.randrange(1, len(prices) + 1), chance.choice((1, 1, 1, 2, 2, 4))
        price = prices[product - 1]
        assert isinstance(price, float)
        placed = start + datetime.timedelta(days=int(number * 640 / ORDERS))
        total = round(price * quantity, 2)
        yield (
            number,
            chance.randrange(1, CUSTOMERS + 1),
            product,
            quantity,
            total,
            placed,
            chance.choice(_STATUS),
        )
