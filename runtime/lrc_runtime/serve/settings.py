"""What the service is told on its command line."""

import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import InputError

# Read for the bearer token; the command line would show it to everybody on the machine.
TOKEN_VARIABLE = "LRC_SERVE_TOKEN"
# Ports that browsers leave out.
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Settings:
    """Where the service listens, and its limits.

    Attributes:
        host: Address to listen on.
        port: Port; 0 takes any that is free, which the log then names.
        token_file: File that holds the bearer token; the environment variable `LRC_SERVE_TOKEN` when None.
        allow_origin: Origins of other pages that may ask, as `https://example.org`.
        allow_host: Names under which the service is reached, beside those of this machine. Where it listens on
            loopback only, other names are refused; elsewhere every name will do unless some are given.
        max_bytes: Largest body of a request.
        timeout: Seconds in which a request is read and answered.
        head_timeout: Seconds in which a client must send the head of a request, or take something of its answer.
        connections: Connections at once; 0 takes what the limit of open files allows, at most 1000.
        queue: Requests that are waiting or being answered; one more is answered with 429.
        batch: Texts of different requests that are answered in one call of a model; 1 keeps requests apart.
        workers: Calls of models that run at once.
        reload: Seconds between two looks at the bundles on disk; 0 never looks.
        provider: ONNX Runtime's execution provider, as `lrc_runtime.load` takes it.
        preset: Threads of a call, as `lrc_runtime.load` takes it.

    Raises:
        InputError: If a number is out of range.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token_file: str | None = None
    allow_origin: tuple[str, ...] = ()
    allow_host: tuple[str, ...] = ()
    max_bytes: int = 1_000_000
    timeout: float = 30.0
    head_timeout: float = 10.0
    connections: int = 0
    queue: int = 128
    batch: int = 1
    workers: int = 2
    reload: float = 2.0
    provider: str = "cpu"
    preset: str = "default"

    def __post_init__(self) -> None:
        least: dict[str, float] = {"port": 0, "connections": 0, "reload": 0}
        least |= dict.fromkeys(("max_bytes", "queue", "batch", "workers"), 1)
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                raise InputError(
                    f"--{name.replace('_', '-')} must be at least {bound:g}, found {getattr(self, name)!r}"
                )
        if self.port > 65535:
            raise InputError(f"--port must be at most 65535, found {self.port}")
        for name in ("timeout", "head_timeout"):
            if not 0 < getattr(self, name) < float("inf"):
                flag = name.replace("_", "-")
                raise InputError(f"--{flag} must be a positive number of seconds, found {getattr(self, name)!r}")
        object.__setattr__(self, "allow_origin", tuple(map(_origin, self.allow_origin)))
        object.__setattr__(self, "allow_host", tuple(map(_own_name, self.allow_host)))

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def hosts(self) -> frozenset[str] | None:
        """Names that a request may be addressed to; None for any."""
        if not self.loopback and not self.allow_host:
            return None
        host = f"[{self.host}]" if ":" in self.host else self.host.lower()
        return frozenset({"localhost", "127.0.0.1", "[::1]", host, *self.allow_host})


def _origin(given: str) -> str:
    """Returns an origin as browsers send it: in small letters, without a slash and the usual port."""
    if given == "*":
        return given
    fault = InputError(f"--allow-origin {given}: give an origin such as https://example.org, without a path, or *")
    scheme, _, rest = given.partition("://")
    usual = _PORTS.get(scheme.lower())
    if usual is None:
        raise fault
    name, port = _name_and_port(rest.removesuffix("/"), fault)
    return f"{scheme.lower()}://{name}" + (f":{port}" if port not in (None, usual) else "")


def _own_name(given: str) -> str:
    """Returns a name as the header Host has it, without its port."""
    fault = InputError(f"--allow-host {given}: give a name such as answers.example.org")
    return _name_and_port(f"[{given}]" if given.count(":") > 1 and "[" not in given else given, fault)[0]


def _name_and_port(given: str, fault: InputError) -> tuple[str, int | None]:
    """Returns both as browsers write them; a name in another script as the ASCII that stands for it."""
    try:
        parts = urlsplit(f"//{given}")
        name, port = parts.hostname or "", parts.port
        name = f"[{ip_address(name)}]" if ":" in name else name.encode("idna").decode()
    except ValueError:
        raise fault from None
    if not name or parts.netloc != given or set(given) & set("@* \t") or not name.isprintable():
        raise fault
    return name, port


def read_token(settings: Settings) -> str | None:
    """Returns the bearer token that requests must carry; None where there is none.

    Raises:
        InputError: If the file cannot be read, or the token is empty or no plain ASCII word.
    """
    if settings.token_file is not None:
        where = f"--token-file {settings.token_file}"
        try:
            token = Path(settings.token_file).read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{where}: cannot be read: {error}; give a text file that holds the token") from error
    elif TOKEN_VARIABLE in os.environ:
        where, token = TOKEN_VARIABLE, os.environ[TOKEN_VARIABLE].strip()
    else:
        return None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"{where}: a token is one word of printable ASCII characters, found none; write one")
    return token
