"""What a Kubernetes of our own does to this machine's network, and how tests are spared it. Needs root and Linux."""

from __future__ import annotations

import subprocess
from pathlib import Path

#: The network device between the node and its pods, and an address of the kind that is administered locally.
BRIDGE, ADDRESS = "cni0", "0a:58:0a:f4:00:01"
#: Whether new network devices are without IPv6, where this Linux has it.
WITHOUT_IPV6 = Path("/proc/sys/net/ipv6/conf/default/disable_ipv6")


def quiet_network() -> str:
    """The pods' network changes nothing for others, while Kubernetes is up. Returns what `loud_network` needs.

    A bridge without an address of its own takes that of some pod, and another when that pod goes; then the other pods'
    packets to it, questions to DNS for one, are lost for half a minute. And with each pod comes a network device that
    gives itself an IPv6 address, upon which a browser on this machine drops the requests that wait for a connection
    (ERR_NETWORK_CHANGED).
    """
    subprocess.run(["ip", "link", "set", BRIDGE, "address", ADDRESS], check=True)
    if not WITHOUT_IPV6.exists():
        return ""
    before = WITHOUT_IPV6.read_text()
    WITHOUT_IPV6.write_text("1")
    return before


def loud_network(before: str) -> None:
    """New network devices are what they were before."""
    if before:
        WITHOUT_IPV6.write_text(before)
