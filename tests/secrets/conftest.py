"""A key that nobody else has, to be looked for in everything that comes out."""

import base64
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.secrets.servers import Authority, Given, Noting


class Canary:
    """A secret, and whether any form of it is in something."""

    def __init__(self, prefix: str = "sk-") -> None:
        # signs that a URL and base64 write in another way
        self.secret = (
            f"{prefix}canary+{secrets.token_hex(12)}/x=" if not prefix else f"sk-canary{secrets.token_hex(12)}"
        )

    def forms(self) -> list[bytes]:
        """As it is, as a part of a URL, and in base64 at each of its three places."""
        data = self.secret.encode()
        found = {data, quote(self.secret).encode(), quote(self.secret, safe="").encode(), data[3:-4]}
        for before in range(3):
            start, end = (before * 8 + 5) // 6, (before + len(data)) * 8 // 6
            plain = base64.b64encode(b"\0" * before + data)[start:end]
            found |= {plain, plain.translate(bytes.maketrans(b"+/", b"-_"))}
        return sorted(found)

    def check(self, text: bytes | str, where: str) -> None:
        """Fail where it is."""
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text
        for form in self.forms():
            at = data.find(form)
            assert at < 0, f"the secret is in {where}: {data[max(0, at - 80) : at + 80]!r}"


@pytest.fixture(params=["sk-", ""], ids=["sk", "opaque"])
def canary(request: pytest.FixtureRequest) -> Canary:
    """A secret as LiteLLM makes them, and a master key of somebody's own making."""
    return Canary(request.param)


Serve = Callable[..., Noting]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """`serve(answer, tls=, host=)` starts a server that notes what comes."""
    made: list[Noting] = []

    def start(answer: Callable[[str], Given] = lambda _: Given(), **more: object) -> Noting:
        made.append(Noting(answer, **more))  # type: ignore[arg-type]
        return made[-1]

    yield start
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A private CA."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a CA with")
    return Authority(Path(tmp_path_factory.mktemp("ca")))
