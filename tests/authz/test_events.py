"""What is told of objects, and for how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from authz.api import events
from registry_meta.kube import meta
from tests.authz.conftest import Api

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def event(name: str, **more: Any) -> dict[str, Any]:
    about = {"kind": "ImageStream", "namespace": "team", "name": "app"}
    return {"metadata": {"name": name}, "involvedObject": about, "reason": "Imported", "type": "Normal", **more}


def test_an_event_is_written_whether_it_exists_or_not(admin: Api, team: str) -> None:
    path = f"/api/v1/namespaces/{team}/events/e"

    assert [admin.put(path, event("e", count=count))[0] for count in (1, 2)] == [201, 200]


def test_an_event_lies_where_its_object_does(admin: Api, team: str) -> None:
    about = {"kind": "ImageStream", "namespace": "other", "name": "app"}
    status, answer = admin.post(f"/api/v1/namespaces/{team}/events", event("e", involvedObject=about))

    assert (status, answer["details"]["causes"][0]["field"]) == (422, "involvedObject.namespace")


def test_events_are_found_by_their_object(admin: Api, team: str) -> None:
    path = f"/api/v1/namespaces/{team}/events"
    admin.post(path, event("e"))
    wanted = "involvedObject.kind%3DImageStream,involvedObject.name%3D"

    assert [len(admin.get(f"{path}?fieldSelector={wanted}{name}")[1]["items"]) for name in ("app", "x")] == [1, 0]


def test_the_table_tells_how_often(admin: Api, team: str) -> None:
    path = f"/api/v1/namespaces/{team}/events"
    moment = meta.timestamp(meta.now() - timedelta(minutes=5))
    admin.post(path, event("e", count=3, message="it came\n", firstTimestamp=moment, lastTimestamp=moment))

    cells = admin.get(path, HTTP_ACCEPT=TABLE)[1]["rows"][0]["cells"]

    assert cells == ["5m (x3 over 5m)", "Normal", "Imported", "imagestream/app", "", "", "it came", "5m", 3, "e"]


def test_events_go_when_their_time_is_over(admin: Api, team: str) -> None:
    path = f"/api/v1/namespaces/{team}/events"
    now = meta.now()
    admin.post(path, event("old", lastTimestamp=meta.timestamp(now - timedelta(hours=2))))
    admin.post(path, event("new"))

    assert events.sweep(now - timedelta(hours=1), now=now) == 1
    assert [item["metadata"]["name"] for item in admin.get(path)[1]["items"]] == ["new"]
