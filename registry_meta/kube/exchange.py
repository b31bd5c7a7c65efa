"""One request on one storage: its options and body in, its answer out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from django.conf import settings
from django.db import connection
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.request import Request

from registry_meta.kube import bodies, decode, errors, metrics, pagination, table
from registry_meta.kube.applying import ANOTHER_NAMESPACE, ApplyRequest
from registry_meta.kube.errors import StatusError
from registry_meta.kube.inflight import places
from registry_meta.kube.meta import GroupKind, KubeObject
from registry_meta.kube.negotiation import JSON, MEDIA_TYPES, TABLE, Rendition, encode, negotiate, wants_pretty
from registry_meta.kube.objects import DeleteOptions
from registry_meta.kube.pagination import Page
from registry_meta.kube.patch import rejected
from registry_meta.kube.patch.request import APPLY_PATCH, PATCHES, PatchRequest
from registry_meta.kube.request import Context, RequestInfo, is_true, program, write_options
from registry_meta.kube.resource import Resource, Shown, Subresource, shown
from registry_meta.kube.selectors import FieldSelector
from registry_meta.kube.store import Stored
from registry_meta.kube.store import encode as document_of
from registry_meta.kube.table import ListMeta, Tabulator
from registry_meta.kube.validation import IMMUTABLE

T = TypeVar("T")

ITEM_METHODS = ("get", "update", "delete")
COLLECTION_METHODS = ("list", "create", "watch", "delete_collection")
SPANNING_METHODS = ("list", "watch")
"""What there can be at the path of an object, of a collection, and of a collection in all namespaces."""

Permit = Callable[[str], None]
"""Raises 403 unless the actor may do another verb at the path of the request."""

Result = Stored | KubeObject | dict[str, Any]
"""What a storage answers with: a stored object, one made for this answer, or a Status."""


class Exchange:
    """One request on one storage, from its body to its answer."""

    def __init__(
        self, request: Request, info: RequestInfo, resource: Resource, context: Context, permit: Permit
    ) -> None:
        self.request = request
        self.info = info
        self.resource = resource
        self.context = context
        self.permit = permit
        self.sub: Subresource | None = context.subresource
        self.shown: Shown | None = shown(resource, self.sub)

    def serve(self, storage: Any) -> HttpResponseBase:
        """Run the verb; raises 405 where the storage lacks it."""
        info = self.info
        methods = {
            "get": (self._get, "get"),
            "list": (self._list, "list"),
            "watch": (self._watch, "watch"),
            "create": (self._create, "create"),
            "update": (self._update, "update"),
            "patch": (self._patch, "update"),
            "delete": (self._delete, "delete"),
            "deletecollection": (self._delete_collection, "delete_collection"),
        }
        serve, needed = methods.get(info.verb, (None, ""))
        if serve is None or self._misplaced():
            raise self._lacking(storage) if info.verb == "create" else errors.method_not_allowed()
        if not hasattr(storage, needed) or (info.verb == "patch" and not getattr(storage, "patchable", True)):
            raise self._lacking(storage)
        return serve(storage)

    def _misplaced(self) -> bool:
        """Return whether a verb goes to a collection, an object, or all namespaces, where it has no business."""
        info = self.info
        if info.verb in ("update", "patch"):
            return not info.name
        if self.sub is not None or info.verb not in ("create", "deletecollection"):
            return False
        return bool(info.name) or (self.resource.namespaced and not info.namespace)

    def _lacking(self, storage: Any) -> StatusError:
        """Return the error of a verb that the storage lacks: 404 where the path has no method at all."""
        if self.info.deprecated:
            return errors.no_such_path()
        if self.info.verb == "watch" and hasattr(storage, "list"):
            return errors.not_supported_verb(self.resource.group_resource, "watch")
        here: tuple[str, ...] = ITEM_METHODS
        if not self.info.name or self.info.verb in ("list", "watch"):
            everywhere = self.resource.namespaced and not self.info.namespace
            here = SPANNING_METHODS if everywhere else COLLECTION_METHODS
        if self.sub is None and not any(hasattr(storage, method) for method in here):
            return errors.no_such_path()
        return errors.method_not_allowed()

    # --- reading

    def _rendition(self, *, is_list: bool, streaming: bool = False) -> Rendition:
        accept = self.request.META.get("HTTP_ACCEPT", "")
        tables = self.shown is not None and self.shown.columns is not None
        return negotiate(accept, tables=tables, is_list=is_list, streaming=streaming)

    def _tabulator(self, rendition: Rendition) -> Tabulator:
        include = "Metadata"
        if rendition.form == TABLE:
            include = table.include_object(self.request.GET.get("includeObject"))
        return Tabulator(self.shown or self.resource, rendition.version, include, self.context.now)

    def _get(self, storage: Any) -> HttpResponse:
        is_list = self.sub is not None and self.sub.is_list
        rendition = self._rendition(is_list=is_list)
        if is_list:
            tabulator = self._tabulator(rendition)
            return self._page(storage.get(self.info.name, context=self.context), rendition, tabulator)
        if is_true(self.request.GET.get("export")):
            raise errors.bad_request("the export parameter, deprecated since v1.14, is no longer supported")
        pagination.check_version(self.request.GET.get("resourceVersion", ""))
        return self._answer(storage.get(self.info.name, context=self.context), rendition)

    def _list(self, storage: Any) -> HttpResponse:
        rendition = self._rendition(is_list=True)
        tabulator = self._tabulator(rendition)
        options = pagination.list_options(self.request.GET)
        result = storage.list(options, context=self.context)
        return self._answer(result, rendition) if isinstance(result, dict) else self._page(result, rendition, tabulator)

    def _page(self, page: Page, rendition: Rendition, tabulator: Tabulator) -> HttpResponse:
        list_meta = ListMeta(str(page.version) if page.version else "", page.continue_, page.remaining)
        body = table.list_body(self.shown or self.resource, page, list_meta, rendition, tabulator)
        return self._response(body, rendition)

    def _watch(self, storage: Any) -> StreamingHttpResponse:
        rendition = self._rendition(is_list=True, streaming=True)
        writer = table.frame(rendition, self._tabulator(rendition))
        if self.info.name and self._selects_nothing():
            self.context.query = self.context.query.copy()
            self.context.query["fieldSelector"] = f"metadata.name={self.info.name}"
        frames = metrics.held(self.info, storage.watch(writer, context=self.context))
        # A watch holds its thread for long, and must not hold a connection to the database as well.
        connection.close()
        return StreamingHttpResponse(places.take(frames, limit=settings.ENVIRONMENT.watch_limit), content_type=JSON)

    def _selects_nothing(self) -> bool:
        """Return whether a watch of one object has no field selector; raises 400 for one of another name."""
        selector = FieldSelector.parse(self.request.GET.get("fieldSelector", ""))
        if selector.terms and selector.value_of("metadata.name") != self.info.name:
            raise errors.bad_request("fieldSelector metadata.name doesn't match requested name")
        return not selector.terms

    # --- writing

    def _create(self, storage: Any) -> HttpResponse:
        rendition = self._rendition(is_list=False)
        self._options("CreateOptions")
        obj = self._object(self._type())
        self._place(obj)
        if self.sub is not None:
            result = storage.create(self.info.name, obj, context=self.context)
        else:
            result = storage.create(obj, context=self.context)
        self.context.made = _made(result)
        return self._answer(result, rendition, status=201)

    def _update(self, storage: Any) -> HttpResponse:
        rendition = self._rendition(is_list=False)
        self._options("UpdateOptions")
        obj = self._object(self._type())
        self._match_name(obj)
        self._place(obj)

        def replace(old: Any) -> Any:
            if old is None:
                self.permit("create")
            return obj

        stored, created = storage.update(self.info.name, replace, context=self.context, replaces=True)
        return self._answer(stored, rendition, status=201 if created else 200)

    def _patch(self, storage: Any) -> HttpResponse:
        rendition = self._rendition(is_list=False)
        content_type = bodies.media_type(self.request)
        if content_type not in PATCHES:
            raise errors.unsupported_media_type(list(PATCHES))
        self._options("PatchOptions")
        if content_type == APPLY_PATCH:
            return self._apply(storage, rendition)
        if "force" in self.request.GET:
            problem = errors.field_forbidden("force", "may not be specified for non-apply patch")
            raise errors.invalid(GroupKind("meta.k8s.io", "PatchOptions"), "", [problem])
        patch = PatchRequest(content_type, bodies.read(self.request), self._type())

        def edit(old: Any) -> Any:
            kind, api_version = self._kind()
            tree = patch.apply({"kind": kind, "apiVersion": api_version, **msgspec.to_builtins(old)})
            new = self._patched(tree, patch.duplicates)
            self._match_name(new)
            if self.resource.namespaced and new.metadata.namespace != self.context.namespace:
                raise errors.bad_request(ANOTHER_NAMESPACE)
            if new.metadata.uid not in ("", old.metadata.uid):
                problem = errors.invalid_value("metadata.uid", new.metadata.uid, IMMUTABLE)
                raise errors.invalid(self.resource.group_kind, self.info.name, [problem])
            return new

        stored, created = storage.update(self.info.name, edit, context=self.context, replaces=False)
        return self._answer(stored, rendition, status=201 if created else 200)

    def _apply(self, storage: Any, rendition: Rendition) -> HttpResponse:
        """Lay a configuration over an object, or make the object of it where there is none (server-side apply)."""
        request = ApplyRequest(
            bodies.read(self.request), self._type(), self._kind(), self.info.name, storage, self.context
        )
        self._mention(request.duplicates)
        stored, created = request.serve(self.permit)
        return self._answer(stored, rendition, status=201 if created else 200)

    def _patched(self, tree: dict[str, Any], duplicates: list[str]) -> Any:
        """Return the object that a patch made; what makes it none of this kind is the patch's fault."""
        try:
            self._check_type(tree)
            return self._convert(tree, self._type(), problems=duplicates, patched=True)
        except decode.WrongType as error:
            raise rejected(error.message) from error

    def _delete(self, storage: Any) -> HttpResponse:
        rendition = self._rendition(is_list=False)
        options = self._delete_options()
        result = storage.delete(self.info.name, options, context=self.context)
        if isinstance(result, dict):
            return self._answer(result, rendition)
        stored, gone = result
        if not gone:
            return self._answer(stored, rendition, status=202 if options.orphan_dependents is False else 200)
        word = self.info.group_resource
        details = {"name": self.info.name, "group": word.group, "kind": word.resource, "uid": stored.uid}
        return self._answer(errors.success({key: value for key, value in details.items() if value}), rendition)

    def _delete_collection(self, storage: Any) -> HttpResponseBase:
        rendition = self._rendition(is_list=True)
        options = self._delete_options()
        tabulator = self._tabulator(rendition)
        deleted = storage.delete_collection(options, context=self.context)
        if rendition.form or rendition.media_type != JSON or self._is_pretty(rendition):
            page = Page(deleted.documents(), deleted.version, deleted.continue_, deleted.remaining)
            return self._page(page, rendition, tabulator)
        # As many as there may be: they go out as they lie in their file.
        return StreamingHttpResponse(table.deleted_body(self.resource, deleted), content_type=JSON)

    # --- bodies

    def _options(self, kind: str) -> None:
        dry_run, manager, self._validation = write_options(kind, self.request.GET)
        self.context.dry_run = dry_run
        self.context.field_manager = manager or program(self.request.META.get("HTTP_USER_AGENT", ""))

    def _type(self) -> type[Any]:
        return self.sub.type if self.sub is not None else self.resource.type

    def _kind(self) -> tuple[str, str]:
        """Return the kind and apiVersion that a body may name."""
        group, version, kind = self.resource.answered(self.sub)
        return kind, f"{group}/{version}" if group else version

    def _object(self, type_: type[T]) -> T:
        tree, duplicates = bodies.tree_of(self.request, *self._kind())
        if bodies.form_of(self.request) == bodies.PROTOBUF:
            # What a protobuf body holds that is unknown here was never part of its JSON form.
            self._validation = "Ignore"
        self._check_type(tree)
        return self._convert(tree, type_, problems=duplicates)

    def _check_type(self, tree: dict[str, Any]) -> None:
        """Refuse a body of another type; remove what says the type."""
        kind, api_version = self._kind()
        given_version, given_kind = tree.pop("apiVersion", None), tree.pop("kind", None)
        for field, given in (("apiVersion", given_version), ("kind", given_kind)):
            if given is not None and not isinstance(given, str):
                raise decode.WrongType(400, "BadRequest", decode.no_text(field, given))
        if given_version and given_version != api_version:
            raise decode.WrongType(
                400, "BadRequest", decode.wrong_version(given_kind, given_version, kind, api_version)
            )
        if given_kind and given_kind != kind:
            version = api_version.rpartition("/")[2]
            why = f'{given_kind} in version "{version}" cannot be handled as a {kind}'
            raise decode.WrongType(400, "BadRequest", why)

    def _convert(
        self, tree: dict[str, Any], type_: type[T], *, problems: list[str] | None = None, patched: bool = False
    ) -> T:
        obj, unknown = decode.convert(tree, type_, kind=self._kind()[0], version=self.resource.version)
        found = [*(problems or []), *unknown]
        if found and patched and self._validation == "Strict":
            detail = f"strict decoding error: {', '.join(found)}"
            problem = errors.invalid_value("patch", msgspec.json.encode(tree).decode(), detail)
            raise errors.invalid(GroupKind("", ""), "", [problem])
        self._mention(found)
        return obj

    def _mention(self, found: list[str]) -> None:
        """Refuse or warn of what a body has too much, as the client wishes."""
        if found and self._validation == "Strict":
            raise decode.strict_error(self._kind()[0], self.resource.version, found)
        if self._validation != "Ignore":
            self.context.warnings += found

    def _place(self, obj: Any) -> None:
        """Fill in the namespace of the path, or refuse another one."""
        metadata = getattr(obj, "metadata", None)
        if metadata is None:
            return
        if not self.resource.namespaced:
            metadata.namespace = ""
        elif metadata.namespace not in ("", self.context.namespace):
            raise errors.bad_request(ANOTHER_NAMESPACE)
        else:
            metadata.namespace = self.context.namespace

    def _match_name(self, obj: Any) -> None:
        name, wanted = obj.metadata.name, self.info.name
        if not name:
            raise errors.bad_request(
                f"the name of the object ({wanted} based on URL) was undeterminable: name must be provided"
            )
        if name != wanted:
            raise errors.bad_request(f"the name of the object ({name}) does not match the name on the URL ({wanted})")

    def _delete_options(self) -> DeleteOptions:
        """Return how to delete, from the body or else from the query; raises 400 or 422."""
        self._options("DeleteOptions")
        options = bodies.delete_options(self.request, self.resource.api_version)
        self.context.dry_run = self.context.dry_run or bool(options.dry_run)
        problems = options.problems()
        if problems:
            raise errors.invalid(GroupKind("meta.k8s.io", "DeleteOptions"), "", problems)
        return options

    # --- answering

    def _answer(self, result: Result, rendition: Rendition, *, status: int = 200) -> HttpResponse:
        if isinstance(result, dict):
            if rendition.form and result.get("kind") != "Status":
                raise errors.not_acceptable(MEDIA_TYPES)
            body = msgspec.json.encode(result) + b"\n"
            return self._response(
                body, Rendition(rendition.media_type, pretty=rendition.pretty), status=result.get("code", status)
            )
        if self.shown is not self.resource and not rendition.form:
            return self._response(self._headed(result), rendition, status=status)
        document = result.document if isinstance(result, Stored) else document_of(result)
        if self.shown is self.resource:
            body = table.object_body(self.resource, document, rendition, self._tabulator(rendition))
        else:
            body = table.partial(document, rendition.version).encode()
        return self._response(body, rendition, status=status)

    def _headed(self, result: Stored | KubeObject) -> bytes:
        """Return what a subresource answers, which may be tens of megabytes, in as few copies as can be."""
        kind, api_version = self._kind()
        head = f'{{"kind":"{kind}","apiVersion":"{api_version}",'
        document = result.document.encode() if isinstance(result, Stored) else msgspec.json.encode(result)
        return b"".join((head.encode(), memoryview(document)[1:], b"\n"))

    def _is_pretty(self, rendition: Rendition) -> bool:
        agent = self.request.META.get("HTTP_USER_AGENT", "")
        return rendition.pretty or wants_pretty(agent, self.request.GET.get("pretty"))

    def _response(self, body: bytes, rendition: Rendition, *, status: int = 200) -> HttpResponse:
        pretty = self._is_pretty(rendition)
        if pretty or rendition.media_type != JSON:
            body = encode(body, rendition, pretty=pretty)
        response = HttpResponse(body, status=status, content_type=rendition.media_type)
        if self.context.warnings:
            response.headers["Warning"] = ", ".join(decode.warning_headers(self.context.warnings))
        return response


def _made(result: Result) -> str:
    if isinstance(result, dict):
        return str(result.get("metadata", {}).get("name", ""))
    return result.name if isinstance(result, Stored) else result.metadata.name
