"""What a hostile page tries, through real Chromium against real local servers.

The test's own server may be reached at 127.0.0.1 alone: every other address of the loopback stands for the inside of a
private network, and answers to whoever gets there.
"""

import asyncio
import socket
from contextlib import ExitStack, contextmanager

import pytest
from chromium import page, running_browser, slowly
from local_server import LOOPBACK, http

from jina_components.errors import BlockedURLError, FetchTimeoutError, WebError
from jina_components.net.guard import URLGuard
from jina_components.net.passage import PassageLimits
from jina_components.read_options import ReadOptions
from jina_components.reader.browser import visit

GUARD = URLGuard(allow_networks=("127.0.0.1/32",))


@contextmanager
def listening():
    """A server inside: its address, and what reached it, over TCP and UDP."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.2", 0))
        tcp.listen()
        udp.bind(("127.0.0.2", tcp.getsockname()[1]))
        tcp.setblocking(False)
        udp.setblocking(False)
        yield tcp, udp


@pytest.fixture
def inside():
    with listening() as made:
        yield made


def reached(listening):
    try:
        listening.accept() if listening.type == socket.SOCK_STREAM else listening.recv(1)
    except BlockingIOError:
        return False
    return True


async def snap(browser, url, *, timeout=20, **options):  # noqa: ASYNC109 (of the page)
    return await browser.snapshot(url, ReadOptions(**options), timeout=timeout)


SUB_REQUESTS = {
    "image": "<img src=http://INSIDE/>",
    "stylesheet": "<link rel=stylesheet href=http://INSIDE/>",
    "preconnect": "<link rel=preconnect href=https://INSIDE/>",
    "frame": "<iframe src=http://INSIDE/></iframe>",
    "secure frame": "<iframe src=https://INSIDE/></iframe>",
    "object": "<object data=http://INSIDE/ type=text/html></object>",
    "fetch": "<script>fetch('http://INSIDE/', {mode: 'no-cors'})</script>",
    "fetch of a redirect": "<script>fetch('redirect', {mode: 'no-cors'})</script>",
    "post": "<script>fetch('http://INSIDE/', {method: 'POST', body: 'x', mode: 'no-cors'})</script>",
    "beacon": "<script>navigator.sendBeacon('http://INSIDE/', 'x')</script>",
    "web socket": "<script>new WebSocket('ws://INSIDE/')</script>",
    "secure web socket": "<script>new WebSocket('wss://INSIDE/')</script>",
    "event source": "<script>new EventSource('http://INSIDE/')</script>",
    "worker": "<script>new Worker(URL.createObjectURL(new Blob(["
    "\"fetch('http://INSIDE/', {mode: 'no-cors'})\"])))</script>",
    "popup": "<script>window.open('http://INSIDE/')</script>",
    "popup without opener": "<script>window.open('http://INSIDE/', '_blank', 'noopener')</script>",
    "form": "<form target=_blank method=post action=http://INSIDE/></form><script>document.forms[0].submit()</script>",
    "ping": "<a href=/ target=_blank ping=http://INSIDE/>x</a><script>document.links[0].click()</script>",
    "address in another notation": "<img src=http://2130706434:PORT/>",
}


async def snap_each(browser, server, ways, **options):
    """Pages that try one way each, several at a time: yields the way, its snapshot, and the sockets it aims at."""
    with ExitStack() as stack:
        aims = {way: stack.enter_context(listening()) for way in ways}
        urls = {}
        for number, (way, (tcp, _)) in enumerate(aims.items()):
            port = tcp.getsockname()[1]
            body = ways[way].replace("INSIDE", f"127.0.0.2:{port}").replace("PORT", str(port))
            server.routes[f"/{number}/"] = page(f"<p>outside</p>{body}")
            server.routes[f"/{number}/redirect"] = [http(302, location=f"http://127.0.0.2:{port}/")]
            urls[way] = server.url(f"/{number}/")
        snapshots = await asyncio.gather(*(snap(browser, urls[way], **options) for way in ways))
        for (way, aim), snapshot in zip(aims.items(), snapshots, strict=True):
            yield way, snapshot, aim


async def test_requests_of_a_page_do_not_get_inside_and_are_told(browser, server):
    async for way, snapshot, (tcp, udp) in snap_each(browser, server, SUB_REQUESTS, timing="network-idle"):
        assert "outside" in snapshot.html, way
        assert not reached(tcp), way
        assert not reached(udp), way
        if way not in ("preconnect", "ping"):  # which are given up when the proxy asks for a password
            assert any("127.0.0.2" in text and "refused" in text for text in snapshot.warnings), way


NOT_PROXIED = {
    "webrtc": """<script>const c = new RTCPeerConnection({iceServers: [{urls: 'stun:INSIDE'},
        {urls: 'turn:INSIDE?transport=tcp', username: 'x', credential: 'y'}]})
        c.createDataChannel('x'); c.createOffer().then((o) => c.setLocalDescription(o))</script>""",
    "web transport": "<script>new WebTransport('https://INSIDE/').ready.catch(() => {})</script>",
    "dns prefetch": "<link rel=dns-prefetch href=//INSIDE/>",
}


async def test_ways_past_the_proxy_are_closed(browser, server):
    later = "<script>setTimeout(() => document.body.append('done'), 2000)</script>"
    ways = {way: body + later for way, body in NOT_PROXIED.items()}
    waiting = ("new Promise((done) => setTimeout(done, 2500))",)
    async for way, snapshot, (tcp, udp) in snap_each(browser, server, ways, scripts=waiting):
        assert "done" in snapshot.html, way
        assert not reached(tcp), way
        assert not reached(udp), way


LEADING_INSIDE = {
    "at once": None,
    "redirect": lambda inside: [http(302, location=f"http://{inside}/")],
    "redirect to https": lambda inside: [http(302, location=f"https://{inside}/")],
    "meta refresh": lambda inside: page(f"<meta http-equiv=refresh content='0;url=http://{inside}/'>"),
    "script": lambda inside: page(f"<script>location = 'http://{inside}/'</script>"),
    "script to https": lambda inside: page(f"<script>location = 'https://{inside}/'</script>"),
}


@pytest.mark.parametrize("way", LEADING_INSIDE)
async def test_documents_inside_are_blocked(browser, server, inside, way):
    port = inside[0].getsockname()[1]
    leading = LEADING_INSIDE[way]
    url = f"http://127.0.0.2:{port}/"
    if leading:
        server.routes["/"] = leading(f"127.0.0.2:{port}")
        url = server.url("/")
    with pytest.raises(BlockedURLError, match=r"127\.0\.0\.2"):
        await snap(browser, url)
    assert not reached(inside[0])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "chrome://version/",
        "view-source:http://127.0.0.1/",
        "data:text/html,x",
        "about:blank",
        "javascript:1",
    ],
)
async def test_other_schemes_are_blocked(browser, url):
    with pytest.raises(BlockedURLError):
        await snap(browser, url)


TO_FILES = {
    "parts": "<iframe src='TARGET'></iframe><embed src='TARGET'><object data='TARGET'></object><img src='TARGET'>"
    "<link rel=stylesheet href='TARGET'><script>window.open('TARGET')</script>",
    "script": "<script>location = 'TARGET'</script>",
    "refresh": "<meta http-equiv=refresh content='0;url=TARGET'>",
    "fetch": "<script>fetch('TARGET').then((r) => r.text()).then((t) => document.body.append(t))</script>",
}


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "chrome://version/",
        "view-source:file:///etc/passwd",
        "filesystem:file:///etc/",
        "devtools://devtools/bundled/inspector.html",
    ],
)
async def test_no_page_gets_at_files_or_the_browser_itself(browser, server, target):
    ways = {way: body.replace("TARGET", target) for way, body in TO_FILES.items()}
    async for way, snapshot, _ in snap_each(browser, server, ways, iframes=True, timing="resource-idle"):
        assert "outside" in snapshot.html, way
        assert "root:" not in snapshot.html, way
        assert snapshot.url.startswith("http://127.0.0.1:"), way


async def test_a_redirect_to_a_file_is_an_error(browser, server):
    server.routes["/"] = [http(302, location="file:///etc/passwd")]
    with pytest.raises(WebError):
        await snap(browser, server.url("/"))


async def test_a_name_that_changes_its_address_between_two_connections(browser, server, monkeypatch):
    answers = ["127.0.0.1", "127.0.0.2"]
    asked = []

    def getaddrinfo(host, port, **_):
        asked.append(host)
        return [(None, None, 0, "", (answers.pop(0) if answers else "127.0.0.2", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    server.routes["/"] = page(
        "<p>outside</p><script>fetch('/again').then((r) => r.text()).then((t) => document.body.append(t))</script>"
    )
    server.routes["/again"] = [http(body=b"inside")]
    snapshot = await snap(browser, server.url("/", host="rebind.test"))
    assert "outside" in snapshot.html
    assert "inside" not in snapshot.html
    assert "/again" not in server.paths()
    # One question for a connection, asked by the proxy and by nobody else.
    assert asked[:2] == ["rebind.test"] * 2
    assert any("127.0.0.2" in text for text in snapshot.warnings)


async def test_pages_over_tls_go_through_the_tunnel(browser, start_server):
    import ssl

    import trustme

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    secure = start_server(context)
    secure.routes["/"] = page("<p>secure</p><script>new WebSocket('wss://127.0.0.2:8443/')</script>")
    snapshot = await snap(browser, secure.url("/"), timing="network-idle", headers={"X-Token": "t"})
    assert "<p>secure</p>" in snapshot.html
    assert secure.received[0].headers["x-token"] == "t"
    assert any("127.0.0.2:8443" in text for text in snapshot.warnings)


async def test_a_given_document_has_no_more_rights(browser, server, inside):
    port = inside[0].getsockname()[1]
    html = f"<p>given</p><img src=http://127.0.0.2:{port}/><script>new WebSocket('ws://127.0.0.2:{port}/')</script>"
    snapshot = await browser.snapshot("http://local.invalid/", ReadOptions(), timeout=20, html=html)
    assert "given" in snapshot.html
    assert not reached(inside[0])
    assert any("127.0.0.2" in text for text in snapshot.warnings)


async def test_dialogs_popups_and_downloads_do_not_hold_a_page_up(browser, server):
    server.routes["/file"] = [http(body=b"x", content_type="application/zip", content_disposition="attachment")]
    server.routes["/popup"] = page("popup")
    server.routes["/"] = page(
        "<p>first</p><script>alert(1); confirm(2); prompt(3); print(); onbeforeunload = () => 'stay';"
        "window.open('/popup')</script>"
        "<a id=a href=/file download>x</a><script>a.click(); document.body.append('last')</script>"
    )
    assert "last" in (await snap(browser, server.url("/"), timeout=15)).html


async def test_permissions_are_denied(browser, server):
    server.routes["/"] = page(
        "<script>Promise.allSettled([new Promise((y, n) => navigator.geolocation.getCurrentPosition(y, n)),"
        "Notification.requestPermission().then((p) => p === 'granted' || Promise.reject())])"
        ".then((all) => document.body.append(all.map((one) => one.status).join()))</script>"
    )
    assert "fulfilled" not in (await snap(browser, server.url("/"))).html


async def test_service_workers_are_not_installed(browser, server):
    server.routes["/worker.js"] = [http(body=b"", content_type="text/javascript")]
    server.routes["/"] = page("<script>navigator.serviceWorker.register('/worker.js')</script>")
    await snap(browser, server.url("/"))
    assert "/worker.js" not in server.paths()


async def test_a_page_whose_scripts_never_pause_is_a_timeout(browser, server, monkeypatch):
    monkeypatch.setattr(visit, "_CAPTURE_SECONDS", 2.0)
    server.routes["/"] = page("<p>x</p><script>while (true) {}</script>")
    with pytest.raises(FetchTimeoutError):
        await snap(browser, server.url("/"), timeout=1)
    server.routes["/"] = page("fine")
    assert "fine" in (await snap(browser, server.url("/"))).html


async def test_an_endless_page_is_cut_off(server):
    async def endless(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\n\r\n<p>begin</p>")
        while True:
            writer.write(b"<!-- " + b"x" * 65_536 + b" -->")
            await writer.drain()
            await asyncio.sleep(0.01)

    server.routes["/"] = endless
    for browser in running_browser(limits=PassageLimits(max_bytes=3_000_000)):
        snapshot = await snap(browser, server.url("/"), timeout=15)
        assert "begin" in snapshot.html
        assert any("3,000,000 bytes" in text for text in snapshot.warnings)


async def test_a_page_of_many_hosts_is_cut_off(server):
    server.routes["/"] = page("<p>x</p>" + "".join(f"<img src=http://127.0.1.{n}:8080/>" for n in range(30)))
    for browser in running_browser(guard=LOOPBACK, limits=PassageLimits(hosts=10)):
        snapshot = await snap(browser, server.url("/"), timeout=15)
        assert any("more than 10 hosts" in text for text in snapshot.warnings)


async def test_a_page_that_closes_itself_harms_no_other(browser, server):
    server.routes["/"] = page("<p>x</p><script>window.close()</script>")
    server.routes["/other"] = page("other")
    other = asyncio.ensure_future(snap(browser, server.url("/other"), timing="network-idle"))
    try:
        assert "x" in (await snap(browser, server.url("/"))).html
    except WebError:
        assert not isinstance(await other, BaseException)
    assert "other" in (await other).html


async def test_a_dripping_page_is_taken_at_its_deadline(browser, server):
    async def drip(_, writer):
        writer.write(b"HTTP/1.1 200 X\r\ncontent-type: text/html\r\n\r\n<p>begin</p>" + b" " * 2000)
        while True:
            writer.write(b"<i>drop</i>")
            await writer.drain()
            await asyncio.sleep(0.1)

    server.routes["/"] = drip
    snapshot = await snap(browser, server.url("/"), timeout=2)
    assert "begin" in snapshot.html
    assert any("not fully loaded" in text for text in snapshot.warnings)


async def test_answers_that_drip_their_heads_are_timeouts(browser, server):
    server.routes["/"] = slowly(b"HTTP", 20)
    with pytest.raises(FetchTimeoutError):
        await snap(browser, server.url("/"), timeout=1)


async def test_hundred_thousand_levels_of_elements(browser, server):
    server.routes["/"] = page("<div>" * 100_000 + "bottom")
    assert "bottom" in (await snap(browser, server.url("/"), timeout=30)).html


async def test_a_page_that_bends_its_own_objects_is_still_written_out(browser, server):
    server.routes["/"] = page(
        "<p>text</p><script>Array.prototype.map = Array.prototype.join = null; JSON.stringify = null;"
        "Object.prototype.toJSON = () => 'x'; Array.prototype.toJSON = () => 'x'; window.Set = null</script>"
    )
    try:
        snapshot = await snap(browser, server.url("/"), timeout=5)
    except WebError:
        return
    assert "text" in snapshot.html


@pytest.mark.parametrize(
    "trick",
    [
        "Array.prototype.join = () => 5",
        "Array.prototype.join = () => null",
        "Object.defineProperty(document, 'title', {get() { return 'x'.repeat(1e7) }})",
        "Object.defineProperty(document.body, 'innerText', {get() { return {length: 'x'} }})",
    ],
)
async def test_a_page_that_answers_our_questions_with_nonsense(browser, server, trick):
    server.routes["/"] = page(f"<p>text</p><script>{trick}</script>")
    snapshot = await snap(browser, server.url("/"), timing="visible-content")
    assert len(snapshot.title) <= 1000
    assert isinstance(snapshot.html, str)


async def test_a_page_that_copies_the_place_of_a_frame_gets_its_text_once(browser, server):
    server.routes["/frame"] = page("<p>framed</p>")
    server.routes["/"] = page(
        "<iframe src=/frame></iframe><script>new MutationObserver(() => { const mark = [...document.querySelector("
        "'iframe').attributes].find((each) => each.name.startsWith('frame-')); if (mark && !document.querySelector("
        "'style')) document.body.append(Object.assign(document.createElement('style'), {textContent: "
        "`<!--${mark.name}:${mark.value}-->`.repeat(1000)})) })"
        ".observe(document, {attributes: true, subtree: true})</script>"
    )
    snapshot = await snap(browser, server.url("/"), iframes=True, timing="resource-idle")
    assert "<style>" in snapshot.html
    assert snapshot.html.count("framed") == 1


async def test_a_frame_that_is_too_long_is_left_out(browser, server):
    server.routes["/frame"] = page("<p id=p>framed</p><script>p.textContent = 'x'.repeat(5e6)</script>")
    server.routes["/"] = page("<p>outside</p><iframe src=/frame></iframe>")
    snapshot = await snap(browser, server.url("/"), iframes=True, timing="resource-idle")
    assert "outside" in snapshot.html
    assert len(snapshot.html) < 1000


async def test_a_proxy_of_the_callers_is_gone_through(browser, server):
    from jina_components.net.guarding_proxy import GuardingProxy

    further = GuardingProxy(GUARD)
    await further.start()
    theirs = further.open(limits=PassageLimits(connections=1))
    server.routes["/"] = page("<p>x</p><script>fetch('/second').catch(() => {})</script>")
    proxy = f"http://{theirs.username}:{theirs.password}@127.0.0.1:{further.port}"
    assert "<p>x</p>" in (await snap(browser, server.url("/"), proxy=proxy)).html
    assert theirs.reason
    assert "/second" not in server.paths()
    await further.aclose()
    with pytest.raises(BlockedURLError):
        await snap(browser, server.url("/"), proxy="http://127.0.0.2:3128")
