"""One running Chromium: found, started with all ways out closed but the proxy's, and killed with all it started."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from contextlib import suppress
from pathlib import Path

from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import Error, Playwright, async_playwright

from jina_components.errors import ConfigError, MissingDependencyError
from jina_components.types import shorten

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_START_SECONDS = 60.0
_CLOSE_SECONDS = 5.0

# Playwright turns off extensions, background networking and component updates by itself.
_SWITCHES = (
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--dns-prefetch-disable",
    # Nothing but the proxy can be resolved, so that whatever forgets the proxy gets nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--deny-permission-prompts",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-speech-api",
    "--disable-notifications",
    "--disable-crash-reporter",
    "--no-pings",
)


class Chromium:
    """A Chromium process and playwright's driver of it.

    When this process ends, however it does, the driver's input ends with it, upon which it ends Chromium and removes
    what it wrote; and when the driver is killed, Chromium's own pipe to it ends.

    Attributes:
        browser: Playwright's handle.
        user_agent: What it calls itself, without the mark of being headless, and with the library's name.
        served: Pages given out so far.
        jobs: Pages open now.
        is_broken: Whether it did not obey, and must not serve again.
    """

    def __init__(self, playwright: Playwright, browser: PlaywrightBrowser) -> None:
        self.browser = browser
        self.user_agent = ""
        self.served = 0
        self.jobs = 0
        self.is_broken = False
        self._playwright = playwright
        self._pid = 0
        self._driver_pid = 0
        self._folders: list[Path] = []

    @classmethod
    async def launch(cls, *, executable: str | None, proxy_port: int, switches: tuple[str, ...]) -> Chromium:
        """Start it.

        Raises:
            MissingDependencyError: there is none.
            ConfigError: it does not start.
        """
        playwright = await async_playwright().start()
        try:
            browser = await playwright.chromium.launch(
                executable_path=executable or _find(playwright),
                args=[*_SWITCHES, *switches],
                proxy={"server": f"http://127.0.0.1:{proxy_port}", "bypass": "<-loopback>"},
                chromium_sandbox=not _is_root(),
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                timeout=_START_SECONDS * 1000,
            )
            chromium = cls(playwright, browser)
            await chromium._learn()
        except Error as error:
            await playwright.stop()
            raise ConfigError(
                f"Chromium ({executable or 'found on the path'}) does not start: {shorten(error.message, 500)}. "
                "Check executable=; in a container, run as root or allow user namespaces for its sandbox."
            ) from error
        except BaseException:
            await playwright.stop()
            raise
        return chromium

    @property
    def is_usable(self) -> bool:
        """Whether it runs and obeys."""
        return not self.is_broken and self.browser.is_connected()

    async def aclose(self) -> None:
        """End it and its driver, by force after a few seconds."""
        try:
            async with asyncio.timeout(0 if self.is_broken else _CLOSE_SECONDS):
                await self.browser.close()
        except (TimeoutError, Error):
            if _parent_of(self._pid) == self._driver_pid:  # else it has ended, and the number may be another's
                _kill(self._pid)
        await self._cleared()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._playwright.stop()
        except TimeoutError:
            _kill(self._driver_pid)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)

    async def _cleared(self) -> None:
        """Give the driver time to remove what a killed Chromium leaves behind, which it does not take when it ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                while any(folder.exists() for folder in self._folders[:1]):  # noqa: ASYNC110 (another process's work)
                    await asyncio.sleep(0.05)

    async def probe(self) -> None:
        """Find out whether it still runs, after something failed."""
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await (await self.browser.new_browser_cdp_session()).detach()
        except (TimeoutError, Error):
            self.is_broken = True

    async def _learn(self) -> None:
        session = await self.browser.new_browser_cdp_session()
        version = await session.send("Browser.getVersion")
        self.user_agent = f"{version['userAgent'].replace('HeadlessChrome', 'Chrome')} (compatible; jina-components)"
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        self._pid = next(int(process["id"]) for process in processes if process["type"] == "browser")
        command = (await session.send("SystemInfo.getInfo"))["commandLine"]
        if found := re.search(r" --user-data-dir=(.+?)(?= --|$)", command):
            self._folders = _temporary(Path(found[1]))
        self._driver_pid = _parent_of(self._pid)
        await session.detach()


def _find(playwright: Playwright) -> str:
    own = playwright.chromium.executable_path
    if found := next(filter(None, map(shutil.which, _NAMES)), None):
        return found
    if Path(own).exists():
        return own
    raise MissingDependencyError(
        "There is no Chromium: install one (apt-get install chromium, or playwright install chromium), or give the "
        "path of one as Browser(executable=…)."
    )


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _temporary(profile: Path) -> list[Path]:
    """The profile, and the folder of the socket in it, which Chromium leaves behind when it is killed."""
    with suppress(OSError):
        folder = (profile / "SingletonSocket").readlink().parent
        if folder.parent == profile.parent:  # not a folder of somebody else's, wherever the link leads
            return [profile, folder]
    return [profile]


def _parent_of(pid: int) -> int:
    """The process that started `pid`; 0 where the system does not tell."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _kill(pid: int) -> None:
    """Kill a process and, where it leads one, its group."""
    with suppress(OSError):
        if pid and hasattr(os, "killpg") and os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        elif pid:
            os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
