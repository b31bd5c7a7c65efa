"""What a server has from its first start, and what of it an administrator may change."""

from __future__ import annotations

import pytest

from authz import bootstrap
from registry_meta.kube import changes
from tests.authz.conftest import MERGE, RBAC, Api


@pytest.mark.django_db
def test_a_second_start_changes_nothing() -> None:
    bootstrap.begin()
    before = changes.newest()

    bootstrap.begin()

    assert changes.newest() == before


@pytest.mark.django_db
def test_the_administrator_s_token_is_kept_while_it_is_valid() -> None:
    first = bootstrap.administrator("")

    assert bootstrap.administrator(first) == first
    assert bootstrap.administrator("sha256~lost") != first


def test_what_was_taken_from_a_default_comes_back(admin: Api) -> None:
    path = f"{RBAC}/clusterroles/system:image-puller"
    admin.patch(path, {"rules": [], "metadata": {"labels": {"own": "yes"}}})

    bootstrap.begin()

    role = admin.get(path)[1]
    assert role["rules"] == [
        {"verbs": ["get"], "apiGroups": ["", "image.openshift.io"], "resources": ["imagestreams/layers"]}
    ]
    assert role["metadata"]["labels"] == {"own": "yes"}


def test_a_default_that_is_not_to_be_kept_stays_as_it_was_made(admin: Api) -> None:
    path = f"{RBAC}/clusterrolebindings/self-provisioners"
    annotation = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    admin.patch(path, {"subjects": None, "metadata": {"annotations": annotation}}, MERGE)

    bootstrap.begin()

    assert "subjects" not in admin.get(path)[1]


def test_every_namespace_has_accounts_that_may_pull(admin: Api) -> None:
    accounts = admin.get("/api/v1/namespaces/openshift/serviceaccounts")[1]["items"]
    bindings = admin.get(f"{RBAC}/namespaces/openshift/rolebindings")[1]["items"]

    assert [account["metadata"]["name"] for account in accounts] == ["builder", "default", "deployer"]
    assert "system:image-pullers" in [binding["metadata"]["name"] for binding in bindings]
