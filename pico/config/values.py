"""
Values of settings: from the text that people write to what the program uses, and back.
"""

from __future__ import annotations

import re
from ipaddress import ip_network

from pico.config.addresses import is_ip, parse_address, parse_service
from pico.config.faults import did_you_mean
from pico.config.fields import Kind, Leaf
from pico.config.listeners import check_endpoint, parse_listeners
from pico.config.redact import HIDDEN, without_secrets
from pico.config.units import format_duration, format_size, parse_duration, parse_size, shown

LEVELS = ("debug", "info", "warn", "error")
FORMATS = ("text", "json")
PROTOCOLS = ("http",)

#: The largest number that is believed; more is a slip of the keyboard.
MAX_COUNT = 2**31 - 1

#: Secrets that may be in force at a time; two are enough to change one.
MAX_SECRETS = 16

_COUNT = re.compile("(-?)([0-9]+)")
_FACTOR = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}")
_NAME = re.compile(r"[A-Za-z0-9._~-]*")
_MAX_NAME = 255
#: A comma may also stand within a URL.
_NEXT_URL = re.compile(r",(?=\s*\w+://)")


def convert(leaf: Leaf, text: str) -> object:
    """
    Read a value of a setting's kind.

    :raises ValueError: with what would be right; the text of a secret is not in it.
    """
    kind = leaf.setting.kind
    value = _read(kind, text)
    if isinstance(value, int | float) and value < leaf.setting.least:
        raise ValueError(f"{shown(text)} is too little; the least is {written_least(leaf)}")
    if isinstance(value, int | float) and value > leaf.setting.most:
        raise ValueError(f"{shown(text)} is too much; the most is {written_most(leaf)}")
    if kind is Kind.SECRETS and isinstance(value, tuple):
        _check_secrets(value, int(leaf.setting.least))
    return value


def written(leaf: Leaf, value: object) -> object:
    """
    A value as it stands in YAML or JSON: text, number, truth, or a list of texts. :func:`convert` reads it back, but
    for what is hidden.
    """
    kind = leaf.setting.kind
    if kind is Kind.SECRETS and isinstance(value, tuple):
        return [HIDDEN for _ in value]
    if kind.secret:
        return HIDDEN if value else ""
    if kind is Kind.URLS and isinstance(value, tuple):
        urls = [without_secrets(str(url)) for url in value]
        return urls[0] if len(urls) == 1 else urls
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(kind, value)
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value)


def written_default(leaf: Leaf) -> str:
    """
    The default as help texts and the manual show it; empty for one that is nothing.
    """
    default = written(leaf, leaf.default)
    if default in ("", [], None):
        return ""
    if isinstance(default, list):
        return ", ".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def written_least(leaf: Leaf) -> str:
    """
    The least value as it is written.
    """
    return str(_number(leaf.setting.kind, leaf.setting.least))


def written_most(leaf: Leaf) -> str:
    """
    The largest value as it is written.
    """
    return str(_number(leaf.setting.kind, leaf.setting.most))


def _number(kind: Kind, value: float) -> str | int:
    if kind is Kind.DURATION:
        return format_duration(value)
    if kind is Kind.SIZE:
        return format_size(int(value))
    # As text, so that no reader of YAML makes another number of it.
    return f"{value:.9f}".rstrip("0").rstrip(".") if kind is Kind.FACTOR else int(value)


def _read(kind: Kind, text: str) -> object:
    match kind:
        case Kind.DURATION:
            return parse_duration(text)
        case Kind.SIZE:
            return parse_size(text)
        case Kind.COUNT:
            return _count(text)
        case Kind.FACTOR:
            return _factor(text)
        case Kind.BOOL:
            if text.lower() not in ("true", "false"):
                raise ValueError(f"{shown(text)} is neither true nor false")
            return text.lower() == "true"
        case Kind.LEVEL:
            return _among(text, LEVELS)
        case Kind.FORMAT:
            return _among(text, FORMATS)
        case Kind.PROTOCOL:
            if text in ("tcp", "udp"):
                raise ValueError(f"Pico carries no {text} yet, only {' and '.join(PROTOCOLS)}")
            return _among(text, PROTOCOLS)
        case Kind.ADDRESS:
            parse_address(text)
        case Kind.ADVERTISE:
            _check_advertised(text)
        case Kind.SERVICE:
            parse_service(text)
        case Kind.NAME:
            _check_name(text)
        case Kind.HEADER | Kind.TOKEN:
            _check_header(kind, text)
        case Kind.ENDPOINT:
            check_endpoint(text)
        case Kind.WORDS:
            return _words(text)
        case Kind.NETWORKS:
            return tuple(_network(word) for word in _words(text))
        case Kind.URLS:
            return tuple(url.strip() for url in _NEXT_URL.split(text))
        case Kind.SEEDS:
            return tuple(_seed(word) for word in _words(text))
        case Kind.SECRETS:
            # In a file each may have a line of its own.
            return tuple(text.replace(",", " ").split())
        case Kind.LISTENERS:
            return parse_listeners(text)
        case Kind.TEXT | Kind.PATH | Kind.SECRET:
            pass
    return text


def _among(text: str, words: tuple[str, ...]) -> str:
    if text not in words:
        raise ValueError(f"{shown(text)} is not one of {', '.join(words)}{did_you_mean(text, words)}")
    return text


def _count(text: str) -> int:
    number = _COUNT.fullmatch(text.strip())
    if number is None:
        raise ValueError(f"{shown(text)} is not a whole number")
    if not number[1] and (len(number[2]) > 20 or int(number[2]) > MAX_COUNT):
        raise ValueError(f"{shown(text)} is too much; the most is {MAX_COUNT}")
    # One below zero is too little for every setting.
    return -1 if number[1] else int(number[2])


def _factor(text: str) -> float:
    if _FACTOR.fullmatch(text.strip()) is None:
        raise ValueError(f"{shown(text)} is not a number such as 2 or 1.5")
    return float(text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _network(word: str) -> str:
    """
    An address or a network; IPv6 may stand in brackets, as it does beside a port.
    """
    address, slash, bits = word.partition("/")
    if address.startswith("[") and address.endswith("]") and ":" in address:
        address = address[1:-1]
    try:
        ip_network(address + slash + bits, strict=False)
    except ValueError:
        raise ValueError(f"{shown(word)} is neither an address nor a network such as 10.0.0.0/8") from None
    return address + slash + bits


def _seed(word: str) -> str:
    """
    A host, with a port or without; IPv6 may stand in brackets, and must where there is a port. Names are given as they
    are looked up.
    """
    bare = word[1:-1] if word.startswith("[") and word.endswith("]") else word
    if bare.count(":") > 1 and is_ip(bare):
        return word
    address = parse_address(word if ":" in word else f"{word}:1")
    if not address.host or not address.port:
        raise ValueError(f"{shown(word)} is nothing to dial; write host, host:port, or [::1]:8003")
    return str(address) if ":" in word else address.host


def _check_secrets(secrets: tuple[str, ...], least: int) -> None:
    for number, secret in enumerate(secrets, 1):
        size = len(secret.encode("utf-8"))
        if size < least:
            which = "it" if len(secrets) == 1 else f"number {number}"
            raise ValueError(
                f"{which} has {size} bytes and needs {least} at least; make one with: openssl rand -hex 32"
            )
    if len(secrets) > MAX_SECRETS:
        raise ValueError(f"there are {len(secrets)}; the most is {MAX_SECRETS}")


def _check_advertised(text: str) -> None:
    if not text:
        return
    address = parse_address(text)
    if not address.host or not address.port:
        raise ValueError(f"{shown(text)} is nothing that others can dial; write host:port, or leave it empty")


def _check_name(text: str) -> None:
    if not _NAME.fullmatch(text) or len(text) > _MAX_NAME:
        raise ValueError(f"{shown(text)} must be at most {_MAX_NAME} letters, digits and . _ ~ -")


def _check_header(kind: Kind, text: str) -> None:
    # Whatever else it held would be another header, or none.
    if not (text.isascii() and (not text or text.isprintable()) and text == text.strip()):
        value = "it" if kind.secret else shown(text)
        raise ValueError(f"{value} must be visible ASCII characters, without spaces around them")


def value_at(config: object, path: tuple[str, ...]) -> object:
    """
    The value of one setting in a tree.
    """
    value: object = config
    for name in path:
        value = getattr(value, name)
    return value
