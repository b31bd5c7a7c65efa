"""Which paths people and programs log in by."""

from __future__ import annotations

from django.urls import path

from authz.oauth import authorize, display, external, login, metadata, pages, token
from authz.oauth.door import browser, opened

PATHS = [
    path(".well-known/oauth-authorization-server", opened(GET=metadata.described)),
    path("oauth/authorize", opened(GET=browser(authorize.asked), POST=browser(authorize.decided))),
    path("oauth/token", opened(POST=token.redeemed)),
    path("oauth/token/request", opened(GET=display.requested)),
    path("oauth/token/display", opened(GET=browser(display.offered), POST=browser(display.shown))),
    path("oauth/token/implicit", opened(GET=display.implicit)),
    path("oauth/style.css", opened(GET=pages.style)),
    path("login", opened(GET=browser(login.chosen))),
    path("login/local", opened(GET=browser(login.asked), POST=browser(login.answered))),
    path("login/<str:name>", opened(GET=browser(external.started))),
    path("oauth2callback/<str:name>", opened(GET=browser(external.returned))),
    path("logout", opened(GET=browser(login.leaving), POST=browser(login.left))),
]
