"""What the demo's agent asks, and why each question is in the demo."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Question:
    """why: one line for the reader. values: parameters. refused: whether the gateway should say no. back: the
    parameter is what an earlier answer showed: (question, row, column), from 0. reviewed: Ana must look."""

    why: str
    sql: str
    values: tuple[object, ...] = ()
    refused: bool = False
    back: tuple[int, int, int] | None = None
    reviewed: bool = False


SCRIPT = (
    Question(
        "An ordinary question: the answer passes as it is.",
        "SELECT status, count(*), sum(total) AS turnover FROM orders GROUP BY status ORDER BY 3 DESC",
    ),
    Question(
        "Sensitive columns are masked, each by its class; what was typed into notes is found.",
        "SELECT id, name, email, card, national_id, note FROM customers WHERE id IN (1, 4, 5, 16)",
    ),
    Question(
        "A view and an alias change nothing: the column behind them is known.",
        "SELECT c.write_to AS harmless FROM contacts c JOIN orders o ON o.customer_id = c.id WHERE o.id = %s",
        (4711,),
    ),
    Question(
        "The token of an address finds its customer; the agent never has the address.",
        "SELECT id, city FROM customers WHERE email = %s",
        back=(1, 0, 2),
    ),
    Question(
        "What is computed from a sensitive value is redacted whole.",
        "SELECT reverse(national_id), to_jsonb(c) ->> 'card' AS hidden, city FROM customers c LIMIT 1",
    ),
    Question(
        "Counting people is fine: a city is not sensitive, and a count holds no value.",
        "SELECT city, count(*) AS customers FROM customers GROUP BY city ORDER BY 2 DESC LIMIT 3",
    ),
    Question(
        "The price list: a person has to look first. The driver waits.",
        "SELECT name, price FROM products ORDER BY price DESC LIMIT 3",
        reviewed=True,
    ),
    Question(
        "Guessing a masked value, one character at a time.",
        "SELECT id FROM customers WHERE card LIKE '4539%'",
        refused=True,
    ),
    Question(
        "Making it fail where a digit is a 4: an error is an answer, too.",
        "SELECT 1 / (ascii(card) - 52) FROM customers WHERE id = 1",
        refused=True,
    ),
    Question(
        "A write, where only reads are permitted.", "UPDATE orders SET total = 0 WHERE id = 7", refused=True
    ),
    Question(
        "A write that looks like a read.",
        "WITH gone AS (DELETE FROM orders RETURNING id) SELECT count(*) FROM gone",
        refused=True,
    ),
    Question(
        "The accident everybody fears; the refusal is in the operator's words.",
        "DROP TABLE customers",
        refused=True,
    ),
    Question("After all that, the same connection still works.", "SELECT count(*) FROM customers"),
    Question("More rows than this agent may have in a session.", "SELECT * FROM orders", refused=True),
)

RULES = """\
gateway:
  listen: {{postgres: {port}}}
  api: {{https: "127.0.0.1:{api}", url: "https://localhost:{api}"}}
  state: {state}
service_accounts:
  crew-bot: {{groups: [crew-agents]}}
identities:
  ana: {{groups: [pricing]}}
resources:
  sales:
    protocol: postgres
    address: localhost:{upstream}
    databases: [sales]
    tls: verify-full
    ca_file: {ca}
    accounts:
      app: {{username: app, password: {{file: {secret}}}}}
    sensitive:
      public.customers.email: email
      public.customers.card: payment-card
      public.customers.national_id: national-id
rules:
  - name: crews read sales
    identities: {{groups: [crew-agents]}}
    resources: [sales]
    account: app
    permit: [read]
    mask: {{email: pseudonym, payment-card: last4, "*": redact}}
    limits: {{rows: 20000 per session}}
  - name: the price list needs a look
    identities: {{groups: [crew-agents]}}
    resources: [sales]
    when: statement.reads("public.products")
    review: {{by: {{groups: [pricing]}}, within: 5m, reason: optional}}
  - name: never drop
    resources: [sales]
    when: statement.does("drop") || statement.does("truncate")
    deny: Dropping and truncating are not done through the gateway. Ask the database team.
"""
