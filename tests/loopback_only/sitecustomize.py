"""Python imports this before anything else where the folder is on PYTHONPATH: no connection leaves the machine."""

import ipaddress
import socket
import sys


def _is_here(host):
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:  # a name, which only a server elsewhere could resolve
        return False
    return address.is_loopback or _is_own(address)


def _is_own(address):
    """Whether this machine has the address: the parts of Ray talk to each other under it."""
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True


def _refuse(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None  # a path: a socket of this machine
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    else:
        return
    if not _is_here(host):
        raise OSError(f"{event} to {host!r}: the cookbook runs without a network.")


sys.addaudithook(_refuse)
