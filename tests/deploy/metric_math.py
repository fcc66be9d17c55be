"""The part of CloudWatch's metric math that the alarms use: + - * /, comparisons, AND, OR, IF, FILL, MAX.

Apart from the scaling because it is a language of its own. A figure that is missing is None, and so is whatever is made of it,
except by FILL (CloudWatch User Guide, "Using math expressions with CloudWatch metrics"). Anything else is an error, so that an
alarm cannot use what is not understood here.
"""

import re

TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|(<=|>=|==|!=|[-+*/<>(),]))")
LEVELS = [["OR"], ["AND"], ["<", ">", "<=", ">=", "==", "!="], ["+", "-"], ["*", "/"]]


class Unknown(Exception):
    """Not part of what is understood."""


def tokens(text):
    """The words of an expression."""
    found, at = [], 0
    while at < len(text.rstrip()):
        match = TOKEN.match(text, at)
        if not match:
            raise Unknown(f"{text[at:]!r}")
        found.append(match[0].strip())
        at = match.end()
    return found


def names(text):
    """The figures that an expression is made of."""
    return {t for t in tokens(text) if re.match(r"[a-z]", t)}


def evaluate(text, figures):
    """The value of an expression; figures by name."""
    words = tokens(text)
    value = _level(words, 0, figures)
    if words:
        raise Unknown(f"{words} after the end of {text!r}")
    return value


def _level(words, level, figures):
    if level == len(LEVELS):
        return _atom(words, figures)
    value = _level(words, level + 1, figures)
    while words and words[0] in LEVELS[level]:
        operator = words.pop(0)
        value = _apply(operator, value, _level(words, level + 1, figures))
    return value


def _apply(operator, a, b):
    if a is None or b is None:
        return None
    if operator == "/":
        return a / b if b else None
    return float({
        "+": a + b, "-": a - b, "*": a * b, "<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b, "==": a == b, "!=": a != b,
        "AND": bool(a and b), "OR": bool(a or b),
    }[operator])  # fmt: skip


def _atom(words, figures):
    word = words.pop(0)
    if word == "(":
        value = _level(words, 0, figures)
        _expect(words, ")")
        return value
    if word in ("IF", "FILL", "MAX"):
        return _call(word, _arguments(words, figures))
    if word[0].isdigit():
        return float(word)
    if word in figures:
        return figures[word]
    raise Unknown(word)


def _arguments(words, figures):
    _expect(words, "(")
    found = [_level(words, 0, figures)]
    while words[0] == ",":
        words.pop(0)
        found.append(_level(words, 0, figures))
    _expect(words, ")")
    return found


def _call(name, given):
    if name == "IF":
        condition, then, *otherwise = given
        if condition is None:
            return None
        return then if condition else (otherwise[0] if otherwise else None)
    if name == "FILL":
        return given[1] if given[0] is None else given[0]
    return None if None in given else max(given)


def _expect(words, wanted):
    if not words or words.pop(0) != wanted:
        raise Unknown(f"{wanted} is missing")
