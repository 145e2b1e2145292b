"""Loading: what is refused, where, and in which words; what is only warned of; what a policy says of itself."""
# ruff: noqa: E501 (a row of a table is a line)

import time
from pathlib import Path

import pytest

from policy.samples import ALL, PROTOCOLS, RESOURCES, check_column, faults, validate
from policy.samples import policy as make
from wicketgate.model.decision import Limit
from wicketgate.model.errors import PolicyError
from wicketgate.model.identity import IdentityKind
from wicketgate.model.resource import CredentialReference, TlsMode
from wicketgate.policy.load import ProtocolRules, Source, load, load_shipped, load_sources, read_sources

# One resource on one line of YAML, to be spoilt
HEAD = "resources:\n  r:\n    protocol: postgres\n    address: h\n    databases: [d]\n    accounts: {a: {username: u}}\n"


def resource(*lines: str, without: str = "") -> str:
    kept = [line for line in HEAD.splitlines() if not without or not line.strip().startswith(without)]
    return "\n".join((*kept, *(f"    {line}" for line in lines))) + "\n"


RESOURCE_FAULTS = [
    ("- a\n", "1:1: the file must be a map"),
    ("rulez: []\n", "1:1: the file has no key 'rulez'; did you mean 'rules'?"),
    ("resources: []\n", "1:12: resources must be a map, not a list"),
    ("resources: {'a b': {}}\n", "1:13: the resource's name 'a b' must be up to 63"),
    ("resources: {r: 5}\n", "1:16: the resource 'r' must be a map, not a number"),
    (resource(without="protocol"), "3:5: the resource 'r' needs 'protocol'"),
    (resource("port: 5"), "7:5: the resource 'r' has no key 'port'"),
    (
        HEAD.replace("postgres", "postgre"),
        "3:15: the resource 'r': protocol can't be 'postgre'; did you mean",
    ),
    (HEAD.replace("address: h", "address: 'h:x'"), "4:14: address 'h:x' must end in a port"),
    (HEAD.replace("address: h", "address: 'h:0'"), "4:14: address 'h:0' must end in a port"),
    (HEAD.replace("address: h", "address: 'a b'"), "4:14: address 'a b' must be host:port"),
    (HEAD.replace("address: h", "address: '::1'"), "4:14: address '::1' must be host:port"),
    (HEAD.replace("address: h", "address: '[::1]x'"), "4:14: address '[::1]x' must be host:port"),
    (HEAD.replace("address: h", "address: 10:30:40"), "4:14: address '10:30:40' must be host:port"),
    (HEAD.replace("address: h", "address: 5"), "4:14: address must be text, not a number"),
    (resource(without="databases"), "3:5: the resource 'r' needs 'databases'"),
    (HEAD.replace("[d]", "[]"), "5:16: databases is an empty list"),
    (HEAD.replace("[d]", "[d, d]"), "5:20: databases has 'd' twice"),
    (HEAD.replace("[d]", "d"), "5:16: databases must be a list, not text"),
    (resource("tls: prefer"), "7:10: tls can't be 'prefer'"),
    (resource("tls: disable", "ca_file: x"), "8:14: ca_file has no use with tls: disable"),
    (HEAD.replace("postgres", "plain") + "    tls: require\n", "7:10: plain can't do tls: require"),
    (resource("labels: [a]"), "7:13: labels must be a map"),
    (resource("labels: {a: [b]}"), "7:17: the label 'a' must be text"),
    (resource("labels: {' a': b}"), "7:20: ' a' can't be a label's name"),
    (HEAD.replace("{a: {username: u}}", "{}"), "6:15: accounts is empty"),
    (HEAD.replace("{username: u}", "{}"), "6:19: the account 'a' needs 'username'"),
    (HEAD.replace("{username: u}", "{username: u, pass: x}"), "has no key 'pass'; did you mean 'password'?"),
    (
        HEAD.replace("{username: u}", "{username: u, password: hunter2}"),
        "6:43: a password is never written out",
    ),
    (HEAD.replace("{username: u}", "{username: u, password: {}}"), "6:43: password takes one of env, file"),
    (HEAD.replace("{username: u}", "{username: u, password: {env: A, file: b}}"), "6:43: password takes one"),
    (HEAD.replace("{username: u}", "{username: u, password: {env: a-b}}"), "6:49: env must be the name"),
    (HEAD.replace("{username: u}", "{username: u, password: {inline: 'a b'}}"), "6:52: inline must be what"),
    (HEAD.replace("{a: {", "{a~b: {"), "the account's name 'a~b' must be"),
    (resource("sensitive: {a.b: email}"), "7:17: 'a.b': a sensitive column is written schema.table.column"),
    (resource("sensitive: {a.b.c: Email}"), "7:24: 'Email' can't name a data class"),
    (resource("sensitive: {a.b.c: reveal}"), "7:24: 'reveal' can't name a data class"),
    (resource("sensitive: {a.b.c: email, d: {a.b.d: x}}"), "7:24: 'a.b.c': either every entry is a database"),
    (resource("sensitive: {e: {a.b.c: email}}"), "7:20: 'e' is not among databases"),
    (resource("settings: {function: []}"), "7:26: settings: function: unknown setting"),
    (resource("settings: 5"), "7:15: settings must be a map"),
    ("identities: {a~b: {}}\n", "1:14: 'a~b' can't name an identity"),
    ("identities: {any: {}}\n", "1:14: 'any' can't name an identity: in a rule it is everybody"),
    ("identities: {a: {groups: [any]}}\n", "1:27: 'any' can't name a group"),
    ("resources: {any: {}}\n", "1:13: 'any' can't name a resource"),
    ("identities: {a: {kind: robot}}\n", "1:24: kind can't be 'robot'"),
    ("identities: {a: {groups: []}}\n", "1:26: groups is an empty list"),
    ("identities: {a: {token: x}}\n", "1:18: a has no key 'token'"),
    ("identities: {a: }\nservice_accounts: {a: }\n", "2:19: the identity 'a' is given twice"),
    ("enforce: maybe\n", "1:10: enforce can't be 'maybe'"),
]


@pytest.mark.parametrize(("text", "fault"), RESOURCE_FAULTS)
def test_what_resources_are_refused(text: str, fault: str) -> None:
    found = faults(text)
    assert any(fault in line for line in found), found


# rules start in line 21 of the file
GIVES = "identities: any, resources: [sales], account: reader"
RULE_FAULTS = [
    ("rules: []", "21:8: rules is an empty list"),
    ("rules: {a: 1}", "21:8: rules must be a list"),
    ("rules: [5]", "21:9: a rule must be a map, not a number"),
    ("rules: [{deny: x}]", "21:9: a rule needs 'name'"),
    ("rules: [{name: a}]", "21:9: the rule 'a' says nothing"),
    (
        "rules: [{name: a, deny: x}, {name: a, deny: y}]",
        "21:36: the rule 'a' is given twice; first at wicket.yaml:21:16",
    ),
    ("rules: [{name: a, dney: x}]", "21:19: a rule has no key 'dney'; did you mean 'deny'?"),
    ("rules: [{name: 5, deny: x}]", "21:16: name must be text, not a number"),
    ('rules: [{name: "a\\nb", deny: x}]', "21:16: a rule's name is one line"),
    ("rules: [{name: a, deny: ''}]", "21:25: deny is empty"),
    ("rules: [{name: a, deny: true}]", "21:25: deny must be text, not true or false"),
    ("rules: [{name: a, deny: x, mask: {'*': redact}}]", "21:25: deny stands alone"),
    ("rules: [{name: a, permit: [read]}]", "21:9: a rule with permit must say identities"),
    ("rules: [{name: a, permit: [read], identities: any}]", "21:9: a rule with permit must say resources"),
    ("rules: [{name: a, reveal: [email], resources: any}]", "21:9: a rule with reveal must say identities"),
    ("rules: [{name: a, deny: x, identities: []}]", "21:40: identities is an empty list"),
    ("rules: [{name: a, deny: x, identities: {}}]", "21:40: identities is empty"),
    ("rules: [{name: a, deny: x, identities: {group: [b]}}]", "21:41: identities has no key 'group'"),
    ("rules: [{name: a, deny: x, identities: {any: false}}]", "21:46: any is true and stands alone"),
    (
        "rules: [{name: a, deny: x, identities: {any: true, names: [b]}}]",
        "21:46: any is true and stands alone",
    ),
    ("rules: [{name: a, deny: x, identities: everyone}]", "21:40: identities must be a map"),
    (
        "rules: [{name: a, deny: x, identities: ['*']}]",
        "can never match; for everybody write `identities: any`",
    ),
    (
        "rules: [{name: a, deny: x, identities: [any]}]",
        "21:41: 'any' in a list can never match; for everybody",
    ),
    (
        "rules: [{name: a, deny: x, identities: [Any]}]",
        "21:41: 'Any' in a list can never match; for everybody",
    ),
    ("rules: [{name: a, deny: x, identities: ['crew-*']}]", "21:41: 'crew-*' can't name an identity"),
    ("rules: [{name: a, deny: x, identities: ['a b']}]", "it can never match"),
    ("rules: [{name: a, deny: x, identities: {names: ['*']}}]", "21:49: '*' can't name an identity"),
    ("rules: [{name: a, deny: x, identities: {groups: ['*']}}]", "21:50: '*' can't name a group"),
    ("rules: [{name: a, deny: x, identities: {groups: [any]}}]", "21:50: 'any' can't name a group"),
    ("rules: [{name: a, deny: x, identities: {groups: ['a@b']}}]", "21:50: 'a@b' can't name a group"),
    (
        "rules: [{name: a, deny: x, resources: ['*']}]",
        "21:40: there is no resource '*': it can never match; for",
    ),
    ("rules: [{name: a, deny: x, resources: {names: [any]}}]", "for all of them write `resources: any`"),
    ("rules: [{name: a, deny: x, resources: {any: true, databases: ['*']}}]", "has the database '*'"),
    (
        "rules: [{name: a, deny: x, resources: {any: true, databases: any}}]",
        "databases must be a list, not text",
    ),
    ("rules: [{name: a, deny: x, resources: [sales], account: '*'}]", "'sales' has no account '*'"),
    ("rules: [{name: a, deny: x, account: any}]", "21:37: no resource of this rule has an account 'any'"),
    (
        "rules: [{name: a, deny: x, resources: {any: true, databases: [notes]}, account: writer}]",
        "no resource of this rule has an account 'writer': it can never match",
    ),
    ("rules: [{name: a, review: {by: [any]}}]", "21:33: 'any' in a list can never match"),
    ("rules: [{name: a, review: {by: ['*']}}]", "21:33: '*' can't name an identity"),
    (
        "rules: [{name: a, deny: x, resources: [sale]}]",
        "21:40: there is no resource 'sale'; did you mean 'sales'?",
    ),
    ("rules: [{name: a, deny: x, resources: []}]", "21:39: resources is an empty list"),
    (
        "rules: [{name: a, deny: x, resources: {labels: {env: dev}}}]",
        "21:48: no resource has the labels env=dev",
    ),
    ("rules: [{name: a, deny: x, resources: {labels: {}}}]", "21:48: labels is empty"),
    ("rules: [{name: a, deny: x, resources: {names: [sales], any: true}}]", "21:39: resources takes one of"),
    ("rules: [{name: a, deny: x, resources: {databases: [sales]}}]", "21:39: resources takes one of"),
    ("rules: [{name: a, deny: x, resources: {any: no}}]", "21:45: any can only be true"),
    (
        "rules: [{name: a, deny: x, resources: {any: true, databases: [x]}}]",
        "21:63: no resource of this rule has",
    ),
    (
        "rules: [{name: a, deny: x, resources: [sales], account: admin}]",
        "21:57: the resource 'sales' has no account",
    ),
    ("rules: [{name: a, deny: x, account: admin}]", "21:37: no resource of this rule has an account 'admin'"),
    (
        "rules: [{name: a, permit: [read], identities: any, resources: [sales]}]",
        "must name an account: 'sales' has reader",
    ),
    (f"rules: [{{name: a, permit: [], {GIVES}}}]", "21:27: permit is an empty list"),
    (f"rules: [{{name: a, permit: [reed], {GIVES}}}]", "21:28: permit can't be 'reed'; did you mean 'read'?"),
    (f"rules: [{{name: a, permit: read, {GIVES}}}]", "21:27: permit must be a list, not text"),
    ("rules: [{name: a, mask: {}}]", "21:25: mask is empty"),
    (
        "rules: [{name: a, mask: {e-mail: redact}}]",
        "21:26: no resource has a column of the data class 'e-mail'; did you",
    ),
    ("rules: [{name: a, mask: {email: last5}}]", "21:33: mask can't be 'last5'"),
    ("rules: [{name: a, mask: {email: 5}}]", "21:33: mask must be text, not a number"),
    ("rules: [{name: a, mask: {email: {}}}]", "21:33: a mask with an option has one key"),
    ("rules: [{name: a, mask: {email: {truncate: year, null: 1}}}]", "21:33: "),
    ("rules: [{name: a, mask: {email: {last4: 4}}}]", "21:33: last4 takes no option: write `last4`"),
    (
        "rules: [{name: a, mask: {email: {truncat: year}}}]",
        "mask can't be 'truncat'; did you mean 'truncate'?",
    ),
    ("rules: [{name: a, mask: {email: {reveal: all}}}]", "21:33: mask can't be 'reveal'"),
    ("rules: [{name: a, mask: {email: {truncate: week}}}]", "21:44: truncate can't be 'week'"),
    (
        "rules: [{name: a, mask: {email: {truncate: 0}}}]",
        "21:44: truncate must be from 2 to 1000000000000000",
    ),
    ("rules: [{name: a, mask: {email: {truncate: 1}}}]", "21:44: truncate must be from 2 to"),
    ("rules: [{name: a, mask: {email: {truncate: -10}}}]", "21:44: truncate must be from 2 to"),
    ("rules: [{name: a, mask: {email: {truncate: 10000000000000000}}}]", "21:44: truncate must be from 2 to"),
    ("rules: [{name: a, mask: {email: {truncate: 0.5}}}]", "21:44: truncate must be month, year or a whole"),
    ("rules: [{name: a, mask: {email: {truncate: true}}}]", "21:44: truncate must be month, year or a whole"),
    ("rules: [{name: a, mask: {email: {truncate: '100'}}}]", "21:44: truncate can't be '100'"),
    (
        "rules: [{name: a, mask: {email: {truncate: [year]}}}]",
        "21:44: truncate must be month, year or a whole",
    ),
    (
        "rules: [{name: a, mask: {email: {pseudonym: tasks}}}]",
        "pseudonym can't be 'tasks'; did you mean 'task'?",
    ),
    ("rules: [{name: a, mask: {email: {pseudonym: 1}}}]", "21:45: pseudonym must be text, not a number"),
    (
        "rules: [{name: a, mask: {email: 'truncate:year'}}]",
        "can't be 'truncate:year': write `{truncate: year}`",
    ),
    ("rules: [{name: a, mask: {email: reveal}}]", "21:33: a mask can't be reveal"),
    (
        f"rules: [{{name: a, reveal: [shoe-size], {GIVES}}}]",
        "21:28: no resource has a column of the data class 'shoe-size'",
    ),
    (f"rules: [{{name: a, reveal: [], {GIVES}}}]", "21:27: reveal is an empty list"),
    ("rules: [{name: a, limits: {}}]", "21:27: limits is empty"),
    ("rules: [{name: a, limits: {bytes: 5 per hour}}]", "21:28: limits has no key 'bytes'"),
    ("rules: [{name: a, limits: {rows: 5}}]", "21:34: rows must be text, not a number"),
    ("rules: [{name: a, limits: {rows: 5 per day}}]", "21:34: rows must be like"),
    ("rules: [{name: a, limits: {rows: 0 per hour}}]", "21:34: rows must be like"),
    ("rules: [{name: a, limits: {rows: [5 per hour, 6 per hour]}}]", "21:47: rows per hour is given twice"),
    ("rules: [{name: a, review: {quorum: 1}}]", "21:27: review needs 'by'"),
    ("rules: [{name: a, review: {by: any}}]", "21:32: review by anybody is none"),
    ("rules: [{name: a, review: {by: [b], quorum: 0}}]", "21:45: quorum must be from 1 to 20"),
    ("rules: [{name: a, review: {by: [b], within: 10}}]", "21:45: within must be text"),
    ("rules: [{name: a, review: {by: [b], within: 10 days}}]", "21:45: within must be like"),
    ("rules: [{name: a, deny: x, enforce: never}]", "21:37: enforce can't be 'never'"),
    ("rules: [{name: a, deny: x, when: false}]", "21:34: when is false"),
    ("rules: [{name: a, deny: x, when: 5}]", "21:34: when must be text"),
    ("rules: [{name: a, deny: x, when: identity.nam == 'b'}]", "21:42: when: undeclared reference"),
    (
        "rules:\n  - name: a\n    deny: x\n    when: |\n      true &&\n      foo == 1\n",
        "24:11: when: undeclared reference to 'foo'",
    ),
    ("rules: [{name: a, deny: x, when: '1 > 2'}]", "21:34: when is always false"),
    (
        "rules: [{name: a, deny: x, when: \"resource.name == 'x'\"}]",
        "21:34: when is false for every resource",
    ),
    ("rules: [{name: a, deny: x, when: statement.does('dorp')}]", "no such command; did you mean 'drop'?"),
    ("rules: [{name: a, deny: x, when: statement.does('DROP')}]", "there is no such command"),
    ("rules: [{name: a, deny: x, when: statement.has('reads')}]", "no such effect; did you mean 'read'?"),
    ("rules: [{name: a, deny: x, when: statement.touches('mail')}]", "no resource of this rule has a column"),
    (
        "rules: [{name: a, deny: x, when: statement.reads('customers')}]",
        "that is not a relation's full name (a sensitive column",
    ),
    (
        "rules: [{name: a, deny: x, resources: [notes], when: statement.touches('email')}]",
        "no resource of this rule",
    ),
]


@pytest.mark.parametrize(("rules", "fault"), RULE_FAULTS)
def test_what_rules_are_refused(rules: str, fault: str) -> None:
    found = faults(f"{RESOURCES}{rules}\n")
    assert RESOURCES.count("\n") == 20
    assert any(fault in line for line in found), found


def test_everything_wrong_is_told_at_once() -> None:
    found = faults(
        f"{RESOURCES}rules: [{{name: a, dney: x}}, {{name: b, deny: x, when: foo}}, {{name: c, deny: ''}}]"
    )
    assert [line.split(": ")[0] for line in found] == [
        "wicket.yaml:21:19",
        "wicket.yaml:21:54",
        "wicket.yaml:21:76",
    ]


def test_no_message_repeats_a_password() -> None:
    text = HEAD.replace("{username: u}", "{username: u, password: hunter2, x: 1}")
    assert faults(text)
    assert "hunter2" not in "\n".join(faults(text))


LABELS = """\
resources:
  one: {protocol: postgres, address: h, databases: [d], labels: {env: prod}, accounts: {a: {username: u}},
        sensitive: {a.b.c: email}}
  two: {protocol: plain, address: h, labels: {env: prod}, accounts: {a: {username: u}}}
rules:
"""


def test_what_a_protocol_cannot_honour() -> None:
    named = faults(f"{LABELS}  - {{name: m, resources: [one, two], mask: {{email: last4}}}}")
    assert named == ["wicket.yaml:6:52: plain can't mask with last4, and the resource 'two' needs it"]
    chosen = load(
        f"{LABELS}  - {{name: m, resources: {{labels: {{env: prod}}}}, mask: {{email: last4}}}}",
        "f",
        PROTOCOLS,
    )
    assert chosen.closed == {"two": "plain can't mask with last4"}
    assert chosen.warnings == ("f:6:63: the resource 'two' is closed: plain can't mask with last4",)
    optioned = faults(f"{LABELS}  - {{name: m, resources: [one, two], mask: {{email: {{truncate: year}}}}}}")
    assert optioned == ["wicket.yaml:6:52: plain can't mask with truncate, and the resource 'two' needs it"]
    observed = load(f"{LABELS}  - {{name: m, mask: {{email: last4}}, enforce: observe}}", "f", PROTOCOLS)
    assert observed.closed == {}


def test_an_account_that_only_some_have() -> None:
    found = make("rules: [{name: w, identities: any, resources: any, account: writer, permit: [read]}]")
    assert found.rules[0].accounts == {"sales": frozenset({"writer"})}
    assert found.warnings == (
        "wicket.yaml:21:61: the rule 'w' permits nothing on 'notes': no account 'writer'",
    )


def test_warnings() -> None:
    found = make(
        "identities: {ann: }\n"
        "rules: [{name: a, deny: x, identities: [ann, bob]}, {name: b, resources: [notes], mask: {email: 'null'}}]"
    )
    assert found.warnings == (
        "wicket.yaml:22:90: no resource of this rule has a column of the data class 'email'",
        "wicket.yaml:22:16: the rule 'a' names 'bob', which this file does not declare",
    )


def test_what_is_read() -> None:
    found = make(
        "identities: {ann: {groups: [dba]}}\n"
        "service_accounts: {bot: {kind: agent, groups: [a, b]}, job: }\n"
        "rules:\n"
        "  - name: r\n"
        "    identities: {names: [bot], groups: [dba]}\n"
        "    resources: {names: [sales], databases: [archive]}\n"
        "    account: reader\n"
        "    permit: [read, unknown]\n"
        "    mask: {email: null, '*': redact}\n"
        "    reveal: [payment-card]\n"
        "    limits: {rows: [10 per hour, 5 per session], statements: 7 per hour}\n"
        "    when: statement.does('select')\n"
        "    enforce: observe\n"
        "  - name: look\n"
        "    review: {by: {groups: [dba]}, quorum: 2, within: 2h}\n"
    )
    assert {name: (each.kind, sorted(each.groups)) for name, each in found.identities.items()} == {
        "ann": (IdentityKind.HUMAN, ["dba"]),
        "bot": (IdentityKind.AGENT, ["a", "b"]),
        "job": (IdentityKind.SERVICE, []),
    }
    rule, look = found.rules
    assert (rule.identities.names, rule.identities.groups) == ({"bot"}, {"dba"})
    assert rule.accounts == {"sales": {"reader"}}
    assert rule.databases == {"archive"}
    assert {each.value for each in rule.permit} == {"read", "unknown"}
    assert rule.mask == {"email": "null", "*": "redact"}
    assert rule.reveal == {"payment-card"}
    assert rule.limits == (
        Limit("r", "rows", 10, "hour"),
        Limit("r", "rows", 5, "session"),
        Limit("r", "statements", 7, "hour"),
    )
    assert rule.observe
    assert look.review is not None
    [panel] = look.review.panels
    assert (panel.groups, panel.quorum, look.review.within) == ({"dba"}, 2, 7200)
    assert set(look.accounts) == {"sales", "notes"}
    assert found.observing == {"sales": ("r",)}
    assert [each.name for each in found.service_accounts] == ["ann", "bot", "job"]


def test_resources_that_are_read() -> None:
    text = """\
resources:
  v6: {protocol: postgres, address: '[::1]:6000', databases: [d, e], tls: require, labels: {n: 5, b: true},
       accounts: {a: {username: u, password: {file: keys/a}}, b: {username: u, password: {inline: QUJD}}},
       sensitive: {d: {a.b.c: email}, e: {a.b.d: card}}, settings: {functions: [a.b]}}
  name: {protocol: postgres, address: h, databases: [d, e], tls: verify-ca, ca_file: /x/ca.pem,
         accounts: {a: {username: u}}, sensitive: {a.b.c: email}}
  none: {protocol: plain, address: 'h:9', tls: disable, accounts: {a: {username: u}}}
"""
    found = load(text, "/etc/wicket/wicket.yaml", PROTOCOLS).resources
    v6, name, none = found["v6"], found["name"], found["none"]
    assert (v6.host, v6.port, v6.tls) == ("::1", 6000, TlsMode.REQUIRE)
    assert v6.labels == {"n": "5", "b": "true"}
    assert v6.accounts["a"].credential == CredentialReference("file", "/etc/wicket/keys/a")
    assert v6.accounts["b"].credential == CredentialReference("inline", "QUJD")
    assert v6.sensitive == {"d": {"a.b.c": "email"}, "e": {"a.b.d": "card"}}
    assert v6.settings == {"functions": ["a.b"]}
    assert (name.host, name.port, name.ca_file) == ("h", 5432, "/x/ca.pem")
    assert name.sensitive == {"d": {"a.b.c": "email"}, "e": {"a.b.c": "email"}}
    assert (none.port, none.databases, none.accounts["a"].credential.source) == (9, (), "none")


_VAULTS = "gateway: {vaults: {corp: {address: x}, other: {}}}\n"


def test_a_password_of_a_vault() -> None:
    text = _VAULTS + HEAD.replace(
        "{username: u}", "{username: u, password: {vault: corp:db/sales.eu#pass-word}}"
    )
    found = load(text, "f", PROTOCOLS)
    expected = CredentialReference("vault", "corp:db/sales.eu#pass-word")
    assert found.resources["r"].accounts["a"].credential == expected
    shipped = load_shipped(found.shipped, PROTOCOLS)  # without the settings
    assert shipped.resources["r"].accounts["a"].credential == expected


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("crop:db/sales#password", "vaults has no server 'crop'; did you mean 'corp'?"),
        *(
            (written, "vault must be SERVER:PATH#FIELD")
            for written in (
                "db/sales",
                "corp:db/sales",
                "corp:#password",
                "corp:db/../../sys/raw#password",
                "corp:..#password",
                "corp:./db#password",
                "corp:/db#password",
                "corp:db//sales#password",
                "corp:db/sales?version=1#password",
                "corp:db/%2e%2e/sales#password",
                "'corp:db/sales#pass word'",
                "corp:db/sales#a#b",
                "Corp:db/sales#password",
            )
        ),
    ],
)
def test_a_vaults_path_is_written_out_and_leads_nowhere_else(reference: str, said: str) -> None:
    text = _VAULTS + HEAD.replace("{username: u}", f"{{username: u, password: {{vault: {reference}}}}}")
    with pytest.raises(PolicyError) as told:
        load(text, "f", PROTOCOLS)
    assert said in told.value.public


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("{secret: sales-app}", None),
        ("{aws: prod/sales#password}", None),
        ("{aws: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/sales-AbC1#password'}", None),
        ("{secret: Sales}", "'Sales' can't name a secret"),
        ("{secret: a/b}", "can't name a secret"),
        ("{aws: 'a b'}", "aws must be a secret's name or ARN"),
        ("{aws: a#b#c}", "aws must be a secret's name or ARN"),
        ("{secret: a, env: B}", "password takes one of"),
        ("{value: c4nary}", "password has no key 'value'"),
        ("c4nary", "a password is never written out here"),
    ],
)
def test_a_password_of_our_vault_or_of_aws(password: str, said: str | None) -> None:
    text = "gateway: {aws: {region: r}}\n" + HEAD.replace("username: u", f"username: u, password: {password}")
    if said is None:
        credential = load(text, "f", PROTOCOLS).resources["r"].accounts["a"].credential
        assert f"{credential.source}: " in password
        assert credential.locator in password
        return
    with pytest.raises(PolicyError) as told:
        load(text, "f", PROTOCOLS)
    assert said in told.value.public
    assert "c4nary" not in told.value.public


def test_aws_must_be_somewhere() -> None:
    text = HEAD.replace("username: u", "username: u, password: {aws: a}")
    with pytest.raises(PolicyError, match="gateway: aws says nothing of where that is"):
        load(text, "f", PROTOCOLS)


def test_an_accounts_version_is_its_content() -> None:
    def version(account: str) -> str:
        return (
            load(HEAD.replace("{username: u}", account), "f", PROTOCOLS).resources["r"].accounts["a"].version
        )

    first = version("{username: u}")
    assert version("{username: 'u'}") == first
    others = {
        version("{username: v}"),
        version("{username: u, password: {env: A}}"),
        version("{username: u, password: {env: B}}"),
    }
    assert len(others | {first}) == 4


def test_the_digest_is_what_the_policy_says() -> None:
    rules = ["{name: a, deny: x}", "{name: b, deny: y}"]
    first = make(f"rules: [{', '.join(rules)}]").digest
    assert make(f"# a comment\nrules: [{', '.join(reversed(rules))}]").digest == first
    assert make(f"gateway: {{workers: 2}}\nrules: [{', '.join(rules)}]").digest == first
    assert make("rules: [{name: a, deny: x}, {name: b, deny: z}]").digest != first
    assert make("").digest != first


def test_shipped_is_the_same_policy() -> None:
    text = f"{RESOURCES}gateway: {{workers: 3}}\nservice_accounts: {{bot: }}\nrules: [{{name: a, deny: x, when: statement.does('drop')}}]\n"
    found = load(text, "/a/wicket.yaml", PROTOCOLS)
    again = load_shipped(found.shipped, PROTOCOLS)
    assert again.digest == found.digest
    assert again.resources == found.resources
    assert again.identities == found.identities
    assert [rule.name for rule in again.rules] == ["a"]
    assert "workers" not in found.shipped
    with pytest.raises(PolicyError):
        load_shipped("{", PROTOCOLS)
    with pytest.raises(PolicyError):
        load_shipped("[1]", PROTOCOLS)


@pytest.mark.parametrize("text", ["", " \n  \n", "# all that is left\n", "---\n", "null\n", "{}\n"])
def test_a_file_that_says_nothing_is_none(text: str, tmp_path: Path) -> None:
    """It was cut short: what it said before must not end with it."""
    with pytest.raises(PolicyError, match="the file is empty"):
        load(text, "wicket.yaml", PROTOCOLS)
    (tmp_path / "a.yaml").write_text(RESOURCES)
    (tmp_path / "b.yaml").write_text(text)
    with pytest.raises(PolicyError, match=r"b\.yaml:1:1: the file is empty"):
        load_sources(read_sources(tmp_path), PROTOCOLS)


def test_a_folder_is_one_policy(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RESOURCES + "rules: [{name: a, deny: x}]\n")
    (tmp_path / "b.yaml").write_text(
        "resources: {more: {protocol: plain, address: h, accounts: {a: {username: u, password: {file: f}}}}}\n"
        "rules: [{name: b, deny: x, resources: [sales]}]\n"
    )
    found = load_sources(read_sources(tmp_path), PROTOCOLS)
    assert [rule.name for rule in found.rules] == ["a", "b"]
    assert found.resources["more"].accounts["a"].credential.locator == str(tmp_path / "f")
    assert load_shipped(found.shipped, PROTOCOLS).digest == found.digest
    (tmp_path / "c.yaml").write_text("resources: {more: {}}\nrules: [{name: a, deny: y}]\nenforce: observe\n")
    with pytest.raises(PolicyError) as told:
        load_sources(read_sources(tmp_path), PROTOCOLS)
    assert told.value.public.startswith(
        f"{tmp_path}/c.yaml:1:13: 'more' is given twice; first at {tmp_path}/b.yaml"
    )
    (tmp_path / "c.yaml").write_text("rules: [{name: a, deny: y}]\n")
    with pytest.raises(PolicyError, match="the rule 'a' is given twice"):
        load_sources(read_sources(tmp_path), PROTOCOLS)
    (tmp_path / "c.yaml").write_text("enforce: observe\n")
    (tmp_path / "d.yaml").write_text("enforce: observe\n")
    with pytest.raises(PolicyError, match="'enforce' is given twice"):
        load_sources(read_sources(tmp_path), PROTOCOLS)


def test_a_whole_file_that_only_observes() -> None:
    found = make("enforce: observe\nrules: [{name: a, deny: x}, {name: b, deny: x, enforce: enforce}]")
    assert [rule.observe for rule in found.rules] == [True, False]


def test_a_thousand_rules_are_read_in_bounded_time() -> None:
    """Not a benchmark: processor time, and a bound that only a wrong order of growth would miss."""
    rules = "".join(
        f"  - {{name: r{n}, identities: {{groups: [g{n}]}}, resources: [sales], account: reader, permit: [read],\n"
        f"     when: 'statement.reads(\"public.t{n}\")', mask: {{email: last4}}, limits: {{rows: 10 per hour}}}}\n"
        for n in range(1000)
    )
    started = time.process_time()
    found = load(f"{RESOURCES}rules:\n{rules}", "f", PROTOCOLS)
    assert len(found.rules) == 1000
    assert time.process_time() - started < 15


def test_a_source_is_named_in_faults() -> None:
    with pytest.raises(PolicyError, match=r"^one:1:1: "):
        load_sources((Source("one", "x: 1"), Source("two", "rules: [{name: a, deny: x}]")), PROTOCOLS)


def test_protocol_rules_have_defaults() -> None:
    rules = ProtocolRules("p", 1, validate, check_column, ALL)
    assert rules.tls_modes == frozenset(TlsMode)
    assert rules.databases
