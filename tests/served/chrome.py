"""A browser without a screen: Chromium, driven over the WebDriver protocol (W3C)."""

from __future__ import annotations

import base64
import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from tests.processes import Program, answers, free_port, wait_until

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--window-size=1000,800", "--lang=en",
)  # fmt: skip
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""Under which key the protocol names an element."""

START_SECONDS = 60.0
PATIENCE = 60


class Chrome:
    """A browser with a profile of its own that is gone afterwards; it does not ask who signed certificates."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="chrome-"))
        self._port = free_port()
        self._program: Program | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self._path = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        command = ["chromedriver", f"--port={self._port}"]
        self._program = Program(command, log=self._folder / "log")
        self._program.wait_ready(lambda: answers(self._port), seconds=START_SECONDS)
        options = {"args": [*FLAGS, f"--user-data-dir={self._folder / 'profile'}"]}
        wanted = {"acceptInsecureCerts": True, "goog:chromeOptions": options}
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._path = f"/session/{made['sessionId']}"

    def close(self) -> None:
        """End the browser and remove its profile."""
        try:
            if self._path:
                self._ask("DELETE", self._path)
        finally:
            self._session.close()
            if self._program is not None:
                self._program.stop()
            shutil.rmtree(self._folder, ignore_errors=True)

    def forget(self) -> None:
        """Be as at first: on an empty page, without cookies and without what was kept of pages."""
        self.open("about:blank")
        for command in ("Network.clearBrowserCookies", "Network.clearBrowserCache"):
            self._ask("POST", f"{self._path}/goog/cdp/execute", {"cmd": command, "params": {}})

    def open(self, url: str) -> None:
        """Go to an address."""
        self._ask("POST", f"{self._path}/url", {"url": url})

    @property
    def url(self) -> str:
        """The address of the page that is open."""
        return str(self._ask("GET", f"{self._path}/url"))

    @property
    def title(self) -> str:
        """The title of the page that is open."""
        return str(self._ask("GET", f"{self._path}/title"))

    def text(self, selector: str) -> str:
        """Return the text of an element that is seen."""
        return str(self._ask("GET", f"{self._path}/element/{self._found(selector)}/text"))

    def write(self, selector: str, text: str) -> None:
        """Write into a field."""
        self._ask("POST", f"{self._path}/element/{self._found(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Click an element."""
        self._ask("POST", f"{self._path}/element/{self._found(selector)}/click", {})

    def wait(self, title: str) -> None:
        """Return once a page of a title is open."""
        wait_until(lambda: self.title.startswith(title), seconds=PATIENCE, what=f"a page is called {title}")

    def active(self) -> str:
        """Return the id of the element that the keyboard writes to."""
        element = self._ask("GET", f"{self._path}/element/active")[ELEMENT]
        return str(self._ask("GET", f"{self._path}/element/{element}/attribute/id"))

    def cookies(self) -> dict[str, dict[str, Any]]:
        """Return the cookies of the page that is open by their names."""
        found: list[dict[str, Any]] = self._ask("GET", f"{self._path}/cookie")
        return {cookie["name"]: cookie for cookie in found}

    def background(self) -> str:
        """Return the colour behind the page that is open."""
        script = "return getComputedStyle(document.body).backgroundColor"
        return str(self._ask("POST", f"{self._path}/execute/sync", {"script": script, "args": []}))

    def picture(self, path: Path) -> None:
        """Keep a picture of the page that is open."""
        path.write_bytes(base64.b64decode(self._ask("GET", f"{self._path}/screenshot")))

    def _found(self, selector: str) -> str:
        wanted = {"using": "css selector", "value": selector}
        return str(self._ask("POST", f"{self._path}/element", wanted)[ELEMENT])

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        answer = self._session.request(method, f"http://127.0.0.1:{self._port}{path}", json=body, timeout=PATIENCE)
        assert answer.ok, answer.text
        return answer.json()["value"]
