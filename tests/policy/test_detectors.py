"""`detectors:` in a policy: what is read, what is refused, and where."""

import pytest

from policy.samples import PROTOCOLS
from wicketgate.masking.detect import CLASSES, Detectors
from wicketgate.model.detector import Custom
from wicketgate.model.errors import PolicyError
from wicketgate.policy.load import load, load_shipped


def test_what_is_read_and_shipped() -> None:
    text = r"""
detectors:
  employee-number: {pattern: 'EMP-[0-9]{5}'}
  project:
    pattern: ['\bP[0-9]{3}\b', 'Q\d+']
    words: [Manhattan, Project Ö]
    columns: [project_*, prj?]
    context: [project, Projekt]
"""
    policy = load(text, "wicket.yaml", PROTOCOLS)
    assert dict(policy.detectors) == {
        "employee-number": Custom("employee-number", patterns=("EMP-[0-9]{5}",)),
        "project": Custom(
            "project",
            (r"\bP[0-9]{3}\b", r"Q\d+"),
            ("Manhattan", "Project Ö"),
            ("project_*", "prj?"),
            ("project", "Projekt"),
        ),
    }
    assert load_shipped(policy.shipped, PROTOCOLS).detectors == policy.detectors
    assert load("enforce: observe", "f", PROTOCOLS).digest != policy.digest
    # what a policy lets in, detectors take
    Detectors([*CLASSES, *policy.detectors], tuple(policy.detectors.values()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "1:12: detectors must be a map"),
        ("{A b: {pattern: x}}", "1:13: 'A b' can't name a data class"),
        ("{reveal: {pattern: x}}", "1:13: 'reveal' can't name"),
        ("{" + "a" * 41 + ": {pattern: x}}", "can't name a data class"),
        ("{a: {}}", "1:16: the detector 'a' needs one of pattern, words and columns"),
        ("{a: {patern: x}}", "has no key 'patern'; did you mean 'pattern'?"),
        ("{a: {context: [x]}}", "needs one of pattern"),
        ("{a: {columns: x, context: [xy]}}", "there is neither"),
        ("{a: {pattern: '(x'}}", "1:26: RE2 refuses the pattern: missing )"),
        ("{a: {pattern: '(?=x)y'}}", "RE2 refuses the pattern: "),
        (r"{a: {pattern: '(x)\1'}}", "RE2 refuses the pattern: "),
        ("{a: {pattern: 'x{2000}'}}", "RE2 refuses the pattern: "),
        ("{a: {pattern: '((x{100}){100}){100}'}}", "1:26: "),
        ("{a: {pattern: 'x*'}}", "it would match everywhere"),
        (r"{a: {pattern: '\b'}}", "it would match everywhere"),
        ("{a: {pattern: '" + "x" * 1001 + "'}}", "longer than 1000 characters"),
        ("{a: {pattern: [x, x]}}", "pattern has 'x' twice"),
        ("{a: {pattern: ['" + "', '".join(f"x{at}" for at in range(33)) + "']}}", "more than 32 entries"),
        ("{a: {words: [x]}}", "each of words has 2 to 100 characters"),
        ("{a: {words: ['x ']}}", "no space around them"),
        ("{a: {words: [5]}}", "must be text"),
        ("{a: {columns: '*'}}", "'*' would match every column"),
        ("{a: {columns: '^x.*'}}", "a column's name, in which * and ? stand for any characters"),
        ("{" + ", ".join(f"c{at}: {{words: xy}}" for at in range(65)) + "}", "more than 64"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as refused:
        load(f"detectors: {text}\n", "wicket.yaml", PROTOCOLS)
    assert message in refused.value.public
    assert all(line.startswith("wicket.yaml:1:") for line in refused.value.public.splitlines())
