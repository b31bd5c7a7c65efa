"""What the provider says of people: their names and roles in the id_token, and their groups in the userinfo alone."""

from __future__ import annotations

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator


class Claims(OAuth2Validator):
    """Adds to the claims of the toolkit, whatever the scopes."""

    oidc_claim_scope = None

    def get_additional_claims(self, request: Any) -> dict[str, object]:
        user = request.user
        return {
            "preferred_username": user.username, "name": user.get_full_name(), "email": user.email,
            "email_verified": True, "roles": [group.name for group in user.groups.order_by("name")],
        }  # fmt: skip

    def get_userinfo_claims(self, request: Any) -> dict[str, object]:
        claims: dict[str, object] = super().get_userinfo_claims(request)
        return {**claims, "groups": claims["roles"]}
