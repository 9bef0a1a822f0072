"""Which proxy leads to Kubernetes by the environment's variables, by kubectl's rules.

Python's own rules know no networks in NO_PROXY ("10.0.0.0/8"), and send what is for this machine to the proxy.
"""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit


def proxy_to(url: str) -> str | None:
    """The proxy that the environment names for `url`; None where there is none, or it is not for this host."""
    parts = urlsplit(url)
    proxy = _variable(f"{parts.scheme}_proxy")
    host = (parts.hostname or "").rstrip(".")
    if not proxy or host == "localhost":
        return None
    address = _address(host)
    if address is not None and address.is_loopback:
        return None
    port = parts.port or (443 if parts.scheme == "https" else 80)
    for entry in _variable("no_proxy").lower().split(","):
        if entry.strip() and _is_meant(entry.strip(), host, address, port):
            return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_meant(entry: str, host: str, address: IPv4Address | IPv6Address | None, port: int) -> bool:
    """Whether an entry of NO_PROXY means that host."""
    if entry == "*":
        return True
    if "/" in entry:
        try:
            return address is not None and address in ip_network(entry, strict=False)
        except ValueError:
            return False
    name, _, only = entry.rpartition(":") if entry.count(":") == 1 or "]:" in entry else (entry, "", "")
    if only and only != str(port):
        return False
    name = name.strip("[]")
    if address is not None:
        return address == _address(name)
    name = name.removeprefix("*")
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def _variable(name: str) -> str:
    return os.environ.get(name.upper()) or os.environ.get(name) or ""


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
