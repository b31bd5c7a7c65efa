"""Who is known to the provider: people with passwords and groups, and one client."""

from __future__ import annotations

from django.contrib.auth.models import Group, User
from oauth2_provider.models import Application

from tests.openid_provider.settings import REDIRECTS

CLIENT_ID = "registry-meta"
CLIENT_SECRET = "a secret: 100% + of/a client"
PEOPLE = {"ann": ("developers", "testers"), "bob": ()}


def settle() -> None:
    """Make whom there is not yet."""
    for name, groups in PEOPLE.items():
        user, is_new = User.objects.get_or_create(
            username=name, first_name=name.title(), last_name="Example", email=f"{name}@example.com"
        )
        if is_new:
            user.set_password(f"password of {name}")
            user.save()
            user.groups.set([Group.objects.get_or_create(name=group)[0] for group in groups])
    Application.objects.get_or_create(
        client_id=CLIENT_ID,
        defaults={
            "client_secret": CLIENT_SECRET, "client_type": "confidential", "algorithm": "RS256",
            "authorization_grant_type": "authorization-code", "redirect_uris": REDIRECTS,
            "skip_authorization": True,
        },
    )  # fmt: skip
