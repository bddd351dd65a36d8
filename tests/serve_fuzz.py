"""Throws arbitrary requests at a running service: none may be answered with 5xx, and all errors have one shape.

lrc serve BUNDLE... --port 8000
python tests/serve_fuzz.py http://127.0.0.1:8000 --requests 10000
"""

import argparse
import collections
import http.client
import json
import random
import urllib.parse
from typing import Any

from tests.fuzz import text

# Of each verb the texts that an item may have.
TEXTS = {"answer": ("question", "context"), "compare": ("first", "second"), "classify": ("text", "text_pair")}
PATHS = [f"/v1/{verb}{end}" for verb in TEXTS for end in ("", "/batch")]
OTHER_PATHS = [
    "/",
    "/v1/bundles",
    "/v1/bundles/x/card",
    "/healthz",
    "/metrics",
    "/openapi.json",
    "/v1",
    "/../x",
    "/%00",
]
# Tags in every spelling, and what is none.
LANGS = ["hi", "ar", "en", "zh-Hant", "xx", "pt_BR", "DEU", "iw", "zh-yue-HK", "sh", "i-klingon", "x-own", "german"]
LANGS += ["de-u-co-phonebk", "", "-", "de-", "german!", "d\u00e9", "de\n", "\u0130s", "x" * 9, "a" + "-b" * 40]
METHODS = ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY"]
NAMES = [name for names in TEXTS.values() for name in names]
NAMES += ["items", "top_k", "lang", "bundle", "colour", "__proto__", ""]
TYPES = ["application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data", "", "a/b/c;;"]
HEADERS = ["authorization", "host", "content-encoding", "expect", "origin", "range", "accept", "x-forwarded-for"]


def value(chance: random.Random, depth: int = 0) -> Any:
    """Returns anything that JSON can say."""
    kind = chance.randrange(12 if depth < 4 else 8)
    if kind < 4:
        return text(chance)[:500]
    if kind < 8:
        return chance.choice((None, True, False, 0, 1, -1, 3, 100, 101, 2**63, 10**40, 0.5, 2.0, 1e308, float("nan")))
    if kind < 10:
        return [value(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice(NAMES): value(chance, depth + 1) for _ in range(chance.randrange(5))}


def valid(path: str, chance: random.Random) -> dict[str, Any]:
    """Returns a body that fits a path."""
    verb = path.split("/")[2] if path in PATHS else "compare"
    names = TEXTS[verb][:1] if verb == "classify" and chance.random() < 0.7 else TEXTS[verb]
    items = [{name: text(chance) for name in names} for _ in range(chance.choice((1, 1, 2, 5)))]
    body: dict[str, Any] = {"items": items} if path.endswith("batch") else items[0]
    if chance.random() < 0.3:
        body["lang"] = chance.choice(LANGS)
    if chance.random() < 0.3 and "answer" in path:
        body["top_k"] = chance.choice((1, 2, 100))
    return body


def _quoted(chance: random.Random) -> str:
    return urllib.parse.quote(text(chance)[:100], errors="surrogatepass")


def request(chance: random.Random) -> tuple[str, str, bytes | None, dict[str, str]]:
    """Returns method, target, body and headers of a request: valid, spoilt, or anything."""
    path = chance.choice(PATHS) if chance.random() < 0.9 else chance.choice(OTHER_PATHS)
    method = "POST" if chance.random() < 0.9 else chance.choice(METHODS)
    headers = {"content-type": "application/json" if chance.random() < 0.9 else chance.choice(TYPES)}
    if chance.random() < 0.05:
        headers[chance.choice(HEADERS)] = _quoted(chance)
    body = valid(path, chance)
    kind = chance.random()
    if kind > 0.5:
        for _ in range(chance.choice((1, 1, 2))):
            body[chance.choice([*body, *NAMES])] = value(chance)
    content: bytes = json.dumps(value(chance) if kind > 0.9 else body).encode()
    if chance.random() < 0.15 and content:
        raw = bytearray(content)
        for _ in range(chance.choice((1, 3, 20))):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        content = bytes(raw[: chance.choice((len(raw), chance.randrange(len(raw) + 1)))])
    if chance.random() < 0.01:
        content = chance.choice((b"[" * 100_000, b'{"a":' * 50_000, b" " * 2_000_000, b'"' + b"\\u0000" * 1000 + b'"'))
    if chance.random() < 0.02:
        path += "?" + _quoted(chance)
    return method, path, content, headers


def fuzz(address: str, count: int, seed: int) -> collections.Counter[int]:
    """Sends so many requests, one after another, and counts the statuses.

    Raises:
        AssertionError: If one is answered with 5xx, or with an error of another shape.
    """
    target = urllib.parse.urlsplit(address)
    chance, statuses = random.Random(seed), collections.Counter[int]()
    assert target.hostname is not None
    connection = http.client.HTTPConnection(target.hostname, target.port, timeout=120)
    for number in range(count):
        method, path, body, headers = request(chance)
        what = f"request {number} of seed {seed}: {method} {path} {headers} {body[:300]!r}" if body else ""
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        said = reply.read()
        statuses[reply.status] += 1
        assert reply.status < 500, (reply.status, said, what)
        kind = reply.headers["content-type"] or ""
        # What is no HTTP is refused before it reaches the service, in plain text.
        if reply.status >= 400 and method != "HEAD" and kind == "application/json":
            error = json.loads(said)["error"]
            assert set(error) == {"code", "message"} and "\n" not in error["message"], what
        else:
            assert reply.status < 400 or method == "HEAD" or said == b"Invalid HTTP request received.", (said, what)
    connection.close()
    return statuses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    statuses = fuzz(options.address, options.requests, options.seed)
    print(f"{options.requests} arbitrary requests: {dict(sorted(statuses.items()))}")


if __name__ == "__main__":
    main()
