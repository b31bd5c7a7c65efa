"""A browser reduced to what a log-in needs: it follows redirects, and fills in the form that it comes to."""

from __future__ import annotations

from urllib.parse import urljoin

import requests

from tests.served.logins import PATIENCE, form_of


def log_in(url: str, *, name: str, password: str, authority: str) -> None:
    """Open an address, log in by the form behind it, and go where the server sends one."""
    with requests.Session() as session:
        session.verify = authority
        page = session.get(url, timeout=PATIENCE)
        if not page.url.split("?")[0].endswith("/login/local"):
            page = session.get(urljoin(page.url, "/login/local"), params=page.url.partition("?")[2], timeout=PATIENCE)
        form = form_of(page, username=name, password=password)
        answer = session.post(page.url, data=form, headers={"Referer": page.url}, timeout=PATIENCE)
        answer.raise_for_status()
