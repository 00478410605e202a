"""Which proxy leads to a server, by the variables that every program in a cluster is given."""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_of(url: str) -> str | None:
    """HTTPS_PROXY or HTTP_PROXY, unless NO_PROXY names the server, its domain or, as kubectl reads it, its network."""
    parts = urlsplit(url)
    host, proxies = parts.hostname or "", getproxies()
    if proxy_bypass(host) or _is_within(host, proxies.get("no", "")):
        return None
    return proxies.get(parts.scheme)


def _is_within(host: str, networks: str) -> bool:
    """Python's own reading of NO_PROXY knows names alone."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return any(_has(each.strip(), address) for each in networks.split(",") if "/" in each)


def _has(network: str, address: object) -> bool:
    try:
        return address in ip_network(network, strict=False)
    except ValueError:
        return False
