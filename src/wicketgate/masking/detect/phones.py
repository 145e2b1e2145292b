"""What makes digits a phone number: calling codes, lengths, the North American plan (compiled).
It must never ask for context: whoever calls knows it."""

from typing import Final

from mypy_extensions import i64

from wicketgate.masking.detect.chains import Chain

# ITU-T E.164 assignments; for codes of one plan length, digits with the code: (least, most)
_LENGTHS: Final[dict[bytes, tuple[int, int]]] = {
    b"1": (11, 11), b"7": (11, 11), b"20": (10, 12), b"27": (11, 11), b"30": (12, 12), b"31": (10, 11),
    b"32": (10, 11), b"33": (11, 11), b"34": (11, 11), b"36": (10, 11), b"39": (8, 13), b"40": (11, 11),
    b"41": (11, 12), b"43": (8, 15), b"44": (11, 12), b"45": (10, 10), b"46": (9, 12), b"47": (10, 10),
    b"48": (11, 11), b"49": (9, 14), b"51": (10, 11), b"52": (12, 13), b"53": (8, 10), b"54": (12, 13),
    b"55": (12, 13), b"56": (11, 11), b"57": (12, 12), b"58": (12, 12), b"60": (10, 12), b"61": (11, 11),
    b"62": (9, 14), b"63": (10, 12), b"64": (9, 12), b"65": (10, 10), b"66": (10, 11), b"81": (11, 12),
    b"82": (10, 12), b"84": (11, 12), b"86": (11, 13), b"90": (12, 12), b"91": (12, 12), b"92": (11, 12),
    b"93": (11, 11), b"94": (11, 11), b"95": (9, 12), b"98": (12, 12),
}  # fmt: skip
_THREE: Final = frozenset(
    b"211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239"
    b" 240 241"
    b" 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267"
    b" 268 269"
    b" 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380"
    b" 381 382"
    b" 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596"
    b" 597 598"
    b" 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850"
    b" 852 853"
    b" 855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975"
    b" 976 977"
    b" 979 992 993 994 995 996 998".split()
)


_LEAST: Final = bytes(_LENGTHS.get(b"%d" % code, (0, 0))[0] for code in range(100))
_MOST: Final = bytes(_LENGTHS.get(b"%d" % code, (0, 0))[1] for code in range(100))
"""By the first two digits; 0 where they are no calling code."""

_KNOWN: Final = bytes(b"%03d" % code in _THREE for code in range(1000))


def calling(digits: bytes, written: bytes) -> bool:
    """Whether these digits, behind a `+`, are a number of some country. written: as it stands in the text."""
    size: i64 = len(digits)
    if size < 7 or size > 16:
        return False
    first: i64 = digits[0]
    if first == 49:
        return size == 11 and _nanp(digits, 1)
    if first == 55:
        return size == 11
    if 40 in written and written.find(b"(0)") >= 0:  # the trunk prefix, shown for those who call from within
        digits = _without_trunk(digits, written)
        size = len(digits)
        if size < 7:
            return False
    second: i64 = digits[1]
    code = (first - 48) * 10 + second - 48
    least: i64 = _LEAST[code]
    if least > 0:
        most: i64 = _MOST[code]
        return least <= size <= most
    third: i64 = digits[2]
    return 9 <= size <= 15 and _KNOWN[code * 10 + third - 48] == 1


def _without_trunk(digits: bytes, written: bytes) -> bytes:
    kept: i64 = 0
    for code in written[: written.index(b"(0)")]:
        if 48 <= code <= 57:
            kept += 1
    return digits[:kept] + digits[kept + 1 :]


def nanp(digits: bytes) -> bool:
    """Ten digits by the North American plan: area and exchange begin with 2 to 9, and are no service."""
    return len(digits) == 10 and _nanp(digits, 0)


def _nanp(digits: bytes, at: i64) -> bool:
    if digits[at] < 50 or digits[at + 3] < 50:
        return False
    if digits[at + 1] == 49 and digits[at + 2] == 49:
        return False
    return not (digits[at + 4] == 49 and digits[at + 5] == 49)


def parenthesised(cell: bytes, start: i64) -> bool:
    """Whether the group of three that starts here stands in parentheses."""
    return start > 0 and start + 3 < len(cell) and cell[start - 1] == 40 and cell[start + 3] == 41


def national(chain: Chain, first: i64) -> i64:
    """The last group of a number written as within a country; -1 where these digits make none."""
    total: i64 = 0
    last: i64 = -1
    at = first
    groups = chain.count
    while at < groups:
        total += chain.length(at)
        if total > 14:
            break
        if total >= 7:
            last = at
        at += 1
    if last < 0:
        return -1
    return -1 if last == first and total > 13 else last
