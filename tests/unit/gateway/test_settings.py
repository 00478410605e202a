"""Flags that cannot be are refused before anything is served, by name."""

from pathlib import Path

import pytest

from training_gateway.settings import parse

WRONG = {
    "a certificate without its key": (["--tls-certificate=a.pem"], "--tls-certificate and --tls-key belong together"),
    "a certificate that is not there": (["--tls-certificate=a.pem", "--tls-key=b.pem"], "cannot be used: "),
    "any origin": (["--cors-origins=*"], "--cors-origins: name each origin"),
    "a default outside": (["--namespaces=a,b"], "--default-namespace must be one of --namespaces, not default"),
    "no token in the file": (["--development-token-file=empty"], "--development-token-file: 20 to 256 letters"),
    "no file": (["--development-token-file=gone"], "No such file"),
}


@pytest.mark.parametrize(("flags", "words"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_named(
    flags: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").touch()
    with pytest.raises(SystemExit):
        parse(flags)
    assert words in capsys.readouterr().err


def test_what_is_not_said_is_closed() -> None:
    settings = parse([])
    assert (settings.anonymous_read, settings.development_token, settings.cors_origins) == (False, "", ())
    assert settings.serves("any")
    assert not parse(["--namespaces=a, b", "--default-namespace=b"]).serves("c")
