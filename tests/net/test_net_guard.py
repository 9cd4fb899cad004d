import pickle
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jina_components.errors import BlockedURLError, ConfigError, WebError
from jina_components.net import URLGuard

GUARD = URLGuard()


def passes(address, guard=GUARD):
    host = f"[{address}]" if ":" in str(address) else str(address)
    try:
        guard.check(f"http://{host}/")
    except BlockedURLError:
        return False
    return True


def embeddings(v4):
    """Every IPv6 form that carries the IPv4 address `v4`."""
    n = int(v4)
    return [
        IPv6Address(form)
        for form in (
            n,  # IPv4-compatible
            0xFFFF << 32 | n,  # IPv4-mapped
            0xFFFF << 48 | n,  # IPv4-translated
            0x0064FF9B << 96 | n,  # NAT64
            0x0064FF9B0001 << 80 | (n >> 16) << 64 | (n & 0xFFFF) << 40,  # local-use NAT64, RFC 6052 /48
            0x2002 << 112 | n << 80 | 1,  # 6to4
            0x20010000 << 96 | (n ^ 0xFFFFFFFF),  # Teredo client
            0x20010000 << 96 | n << 64,  # Teredo server
            0x2A00_1450_4001_0800 << 64 | 0x00005EFE << 32 | n,  # ISATAP under a public prefix
            0x2A00_1450_4001_0800 << 64 | 0x02005EFE << 32 | n,
            0xFE80 << 112 | 0x5EFE << 32 | n,
        )
    ]


@given(st.ip_addresses(v=4))
@example(IPv4Address("100.100.100.200"))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("192.0.0.192"))
def test_no_ipv4_address_that_is_not_global_passes_in_any_form(address):
    if passes(address):
        assert address.is_global
        assert not address.is_multicast
        assert not address.is_reserved
    else:
        assert not any(passes(form) for form in embeddings(address))


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_that_is_not_global_passes(address):
    if passes(address):
        leads_to = IPv4Address(int(address) & 0xFFFFFFFF) if address < IPv6Address("2000::") else address
        assert leads_to.is_global
        assert not leads_to.is_multicast
        assert not leads_to.is_reserved


SPECIAL = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "::1/128",
    "::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fd00:ec2::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
]


@pytest.mark.parametrize("network", SPECIAL)
def test_both_ends_of_every_special_network_are_refused(network):
    assert not passes(ip_network(network)[0])
    assert not passes(ip_network(network)[-1])


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8", "100.128.0.0"],
)
def test_public_addresses_pass(address):
    assert passes(address)


@given(st.integers(0, 2**24 - 1))
def test_odd_notations_of_loopback_are_refused(low):
    a, b, c = low >> 16, low >> 8 & 255, low & 255
    number = 127 << 24 | low
    for host in (
        str(number),
        hex(number),
        f"0{number:o}",
        f"127.{low}",
        f"127.{a}.{low & 0xFFFF}",
        f"0177.{a}.{b}.{c}",
        f"0x7f.{a}.{b}.0x{c:x}",
        f"127.{a}.{b}.{c}.",
        f"127。{a}。{b}。{c}",  # ideographic full stops, which IDNA takes for dots
    ):
        with pytest.raises(BlockedURLError):
            GUARD.check(f"http://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com/",
        "data:text/html,x",
        "javascript:alert(1)",
        "//example.com/",
        "example.com",
        "",
        "http://",
        "http:///path",
        "http://user:secret@example.com/",
        "http://user@example.com/",
        "http://good.example\\@127.0.0.1/",
        "http://127.0.0.1\\.example.com/",
        "http://exa mple.com/",
        "http://example.com%00.evil.test/",
        "http://127.0.0.1%2f.example.com/",
        "http://[::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1/",
        "http://example..com/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:-1/",
        "http://example.com:x/",
        "http://１２７.0.0.1/",
        "http://exam\nple.com/",
        "http://" + "a" * 64 + ".com/",
        "http://a.com/" + "a" * 70_000,
    ],
)
def test_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(BlockedURLError):
        GUARD.check(url)


@given(st.text() | st.text().map("http://".__add__) | st.text("[]@:/\\.%0123456789abfx#?").map("http://".__add__))
def test_any_text_is_normalised_or_refused_and_normal_form_is_stable(text):
    try:
        url = GUARD.check(text)
    except BlockedURLError:
        return
    assert GUARD.check(url) == url


def test_normal_form():
    assert GUARD.check("HTTP://EXAMPLE.com.:80/a?b=c#d") == "http://example.com/a?b=c"
    assert GUARD.check("https://bücher.example/ü") == "https://xn--bcher-kva.example/%C3%BC"
    assert GUARD.check("http://[2606:4700:4700::1111]:8080/") == "http://[2606:4700:4700::1111]:8080/"


def test_errors_name_url_and_remedy_but_no_password():
    with pytest.raises(BlockedURLError, match=r"10\.0\.0\.1.*private.*allow_networks") as caught:
        GUARD.check("http://10.0.0.1/x")
    assert caught.value.url == "http://10.0.0.1/x"
    with pytest.raises(BlockedURLError, match="user name") as caught:
        GUARD.check("http://user:secret@example.com/")
    assert "secret" not in str(caught.value) + caught.value.url


def test_allowed_networks_hold_for_every_way_to_the_address():
    guard = URLGuard(allow_networks=("127.0.0.0/8", "fd00::/8"))
    assert passes("127.1.2.3", guard)
    assert passes("::ffff:127.0.0.1", guard)
    assert passes("fd00::1", guard)
    assert not passes("10.0.0.1", guard)
    assert not passes("::1", guard)
    assert not passes("::ffff:10.0.0.1", URLGuard(allow_networks=("::/0",)))


def test_allowed_ports():
    guard = URLGuard(allow_ports=(443, 8080))
    assert guard.check("https://example.com/")
    assert guard.check("http://example.com:8080/")
    with pytest.raises(BlockedURLError, match="port 80 is not allowed"):
        guard.check("http://example.com/")


@pytest.mark.parametrize(
    "settings",
    [{"allow_networks": "127.0.0.0/8"}, {"allow_networks": ("127.0.0.1/8",)}, {"allow_ports": ("x",)}],
)
def test_settings_are_validated(settings):
    with pytest.raises(ConfigError, match=r"allow_"):
        URLGuard(**settings)


def test_guard_is_a_value():
    guard = URLGuard(allow_networks=["10.0.0.0/8"], allow_ports=[80])
    assert pickle.loads(pickle.dumps(guard)) == guard == URLGuard(allow_networks=("10.0.0.0/8",), allow_ports=(80,))
    assert hash(guard) == hash(URLGuard(allow_networks=("10.0.0.0/8",), allow_ports=(80,)))
    assert passes("10.0.0.1", guard)


async def test_resolving_refuses_when_any_address_is_forbidden(resolver):
    resolver(["8.8.8.8", "2606:4700:4700::1111"], ["8.8.8.8", "10.0.0.1"], ["fe80::1%eth0", "8.8.8.8"])
    assert await GUARD.resolve("a.test", 80) == ("8.8.8.8", "2606:4700:4700::1111")
    with pytest.raises(BlockedURLError, match=r"b\.test.*10\.0\.0\.1"):
        await GUARD.resolve("b.test", 80)
    with pytest.raises(BlockedURLError, match="link-local"):
        await GUARD.resolve("c.test", 80)


async def test_resolving_real_names():
    with pytest.raises(BlockedURLError, match="loopback"):
        await GUARD.resolve("localhost", 80)
    with pytest.raises(BlockedURLError, match="loopback"):
        await GUARD.resolve("0x7f.1", 80)
    with pytest.raises(WebError, match="does not resolve") as caught:
        await GUARD.resolve("a" * 64, 80)
    assert not isinstance(caught.value, BlockedURLError)
