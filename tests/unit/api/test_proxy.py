"""Who is asked by way of a proxy."""

import pytest

from trainingjob_api.proxy import proxy_of

PROXY = "http://proxy.example:3128"
CASES = [
    ("a server that nothing is said about", "https://203.0.113.7:6443", "10.0.0.0/8,.svc", PROXY),
    ("an address of a network that is left out", "https://10.96.0.1:443", "10.0.0.0/8,.svc", None),
    (
        "a network written with blanks, and not by its first address",
        "https://10.96.0.1:443",
        ".svc, 10.96.3.4/16",
        None,
    ),
    ("a network of the other kind", "https://10.96.0.1:443", "fd00::/8", PROXY),
    ("an address of IPv6", "https://[fd00::1]:443", "fd00::/8", None),
    ("a domain", "https://kubernetes.default.svc", "10.0.0.0/8,.svc", None),
    ("a name is in no network", "https://api.example.com", "0.0.0.0/0", PROXY),
    ("what is no network", "https://10.96.0.1", "10.96.0.0/sixteen", PROXY),
    ("everything", "https://api.example.com", "*", None),
    ("another scheme", "http://203.0.113.7", "", None),
]


@pytest.mark.parametrize(("url", "without", "expected"), [pytest.param(*rest, id=title) for title, *rest in CASES])
def test_the_proxy(monkeypatch: pytest.MonkeyPatch, url: str, without: str, expected: str | None) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    monkeypatch.setenv("NO_PROXY", without)
    assert proxy_of(url) == expected
