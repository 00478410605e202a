"""The cluster's own certificate authority, and the certificates by which its parts know each other.
Elliptic curve keys, because a new cluster should not wait for RSA primes."""

import datetime
import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = datetime.timedelta(days=3650)
_BACKDATED = datetime.timedelta(hours=1)  # a clock that is set back must not end the cluster


@dataclass(frozen=True)
class Identity:
    """A certificate to make: user (and group) names for a client, host names and addresses for a server."""

    file: str
    user: str
    group: str = ""
    hosts: tuple[str, ...] = ()

    @property
    def subject(self) -> x509.Name:
        organization = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.group)] if self.group else []
        return x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, self.user)])


class Authority:
    """A folder of keys and certificates; what is already there is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def certificate(self, name: str) -> Path:
        return self.folder / f"{name}.crt"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def create_root(self) -> None:
        if self.certificate("ca").exists():
            return
        key = self.create_key("ca")
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "local-cluster")])
        usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        builder = _builder(name, name, key.public_key()).add_extension(usage, critical=True)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self._write("ca", builder.sign(key, hashes.SHA256()))

    def issue(self, identity: Identity) -> None:
        if self.certificate(identity.file).exists():
            return
        root = x509.load_pem_x509_certificate(self.certificate("ca").read_bytes())
        root_key = serialization.load_pem_private_key(self.key("ca").read_bytes(), None)
        assert isinstance(root_key, ec.EllipticCurvePrivateKey)
        key = self.create_key(identity.file)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH] + [ExtendedKeyUsageOID.SERVER_AUTH] * bool(identity.hosts)
        builder = _builder(identity.subject, root.subject, key.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if identity.hosts:
            names = x509.SubjectAlternativeName([_general_name(host) for host in identity.hosts])
            builder = builder.add_extension(names, critical=False)
        self._write(identity.file, builder.sign(root_key, hashes.SHA256()))

    def create_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        """A new private key in the folder, or the one that is there."""
        path = self.key(name)
        if path.exists():
            found = serialization.load_pem_private_key(path.read_bytes(), None)
            assert isinstance(found, ec.EllipticCurvePrivateKey)
            return found
        key = ec.generate_private_key(ec.SECP256R1())
        # "Traditional" is the encoding that every component reads, service-account signing included.
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        text = key.private_bytes(encoding, form, serialization.NoEncryption())
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
        return key

    def _write(self, name: str, certificate: x509.Certificate) -> None:
        self.certificate(name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + LIFETIME)
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
