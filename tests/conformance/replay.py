"""Replays recorded API conversations against a server and compares its answers.

A scenario (scenarios/NAME.yaml) is a list of HTTP steps. Its answers, as the
reference OpenShift image API server gave them, are in golden/NAME.json. Both are
compared after the volatile parts (uids, resource versions, times) are replaced by
placeholders, so a difference is a difference in behaviour.
See README.md beside this file for the step format.
"""

import contextlib
import dataclasses
import json
import pathlib
import re
import threading
import time

import requests
import yaml

from tests.conformance import registry_content

HERE = pathlib.Path(__file__).resolve().parent
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
AGE = re.compile(r"^(Less than a second ago|About an? \w+ ago|\d+ \w+ ago|\d+[smhdy](\d+[smhdy])?|<invalid>)$")
VERSION_KEYS = {"resourceVersion"}
DROPPED_KEYS = {"managedFields", "selfLink"}


class Normaliser:
    """Replaces what differs between two runs; equal values get equal placeholders."""

    def __init__(self, keep=()):
        self.uids = {}
        self.keep = set(keep)

    def text(self, value):
        value = UUID.sub(lambda m: self.uids.setdefault(m.group(), f"<uid-{len(self.uids) + 1}>"), value)
        value = TIME.sub("<time>", value)
        return "<age>" if AGE.match(value) else value

    def __call__(self, node):
        if isinstance(node, dict):
            out = {}
            for key, value in node.items():
                if key in DROPPED_KEYS and key not in self.keep:
                    continue
                name = key.rpartition("/")[2]  # of a pointer that 'only' picked
                if name in VERSION_KEYS and value not in ("", "0", "<absent>"):
                    out[key] = "<version>"
                elif name in ("continue", "token") and value not in ("", "<absent>"):
                    out[key] = f"<{name}>"
                else:
                    out[self.text(key)] = self(value)
            return out
        if isinstance(node, list):
            return [self(item) for item in node]
        return self.text(node) if isinstance(node, str) else node


def pointer(document, path):
    """The value at a JSON pointer; in a list, a part such as metadata.name=app picks the first item with that value."""
    for part in path.strip("/").split("/"):
        part = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, list) and "=" in part:
            keys, _, wanted = part.partition("=")
            document = next((i for i in document if field(i, keys.split(".")) == wanted), None)
        else:
            document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def field(document, keys):
    """The value below nested keys, or None."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def substitute(node, variables):
    """Replace ${name} in every string of a step."""
    if isinstance(node, str):
        return re.sub(r"\$\{(\w+)\}", lambda m: str(variables[m.group(1)]), node)
    if isinstance(node, dict):
        return {substitute(k, variables): substitute(v, variables) for k, v in node.items()}
    if isinstance(node, list):
        return [substitute(item, variables) for item in node]
    return node


class Client:
    def __init__(self, server, token, ca=None):
        self.base = server.rstrip("/")
        self.http, self.bare = (
            requests.Session(),
            requests.Session(),
        )  # with and without the administrator's credentials
        for http in (self.http, self.bare):
            http.trust_env = False
            http.verify = str(ca) if ca else False
        self.http.headers["Authorization"] = "Bearer " + token

    def send(self, step):
        headers = {"Accept": "application/json", **step.get("headers", {})}
        if "as" in step:
            headers["Impersonate-User"] = step["as"]
        body = step.get("body")
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = body.encode()
        groups = step.get("groups", [])
        request = requests.Request(step["method"], self.base + step["path"], headers=headers, data=body)
        http = self.bare if step.get("anonymous") or "Authorization" in headers else self.http
        prepared = http.prepare_request(request)
        if groups:  # one header a group is what clients send; requests folds them, so only one is supported
            prepared.headers["Impersonate-Group"] = groups[0]
        return http.send(prepared, timeout=60, verify=http.verify, cert=http.cert, allow_redirects=False)

    def send_with(self, step, others):
        """Send a step (a watch) and, once it is open, the others."""
        timer = threading.Timer(0.5, lambda: [self.send(other) for other in others])
        timer.start()
        try:
            return self.send(step)
        finally:
            timer.join()


def decode(response):
    """The body as JSON, a list of JSON frames (a watch), or text."""
    text = response.text
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return text


def prune(document, step):
    """Keep only what the step compares ('only': pointers) and drop what it ignores ('ignore': keys anywhere)."""
    if "only" in step:
        picked = {}
        for path in step["only"]:
            try:
                picked[path] = pointer(document, path)
            except (KeyError, IndexError, TypeError, ValueError):
                picked[path] = "<absent>"
        document = picked
    ignored = set(step.get("ignore", []))

    def walk(node):
        if isinstance(node, dict):
            return {k: walk(v) for k, v in node.items() if k not in ignored}
        return [walk(i) for i in node] if isinstance(node, list) else node

    return walk(document) if ignored else document


def picked(document, step):
    """Keep of the text at a pointer only what a regular expression matches ('pick': {pointer: expression})."""
    for path, expression in step.get("pick", {}).items():
        parent, _, key = path.rpartition("/")
        try:
            holder = pointer(document, parent) if parent else document
            key = int(key) if isinstance(holder, list) else key
            holder[key] = re.search(expression, holder[key], re.DOTALL).group()
        except (KeyError, IndexError, TypeError, ValueError, AttributeError):
            pass
    return document


def chosen(document, step):
    """Keep of the list at a pointer only the items that hold a text ('where': {pointer: text})."""
    for path, text in step.get("where", {}).items():
        try:
            items = pointer(document, path)
            items[:] = [item for item in items if text in json.dumps(item)]
        except (KeyError, IndexError, TypeError, ValueError):
            pass
    return document


def ordered(document, step):
    """Sort a list whose order means nothing ('sort': {pointer: key})."""
    for path, key in step.get("sort", {}).items():
        with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):
            pointer(document, path).sort(key=lambda item, key=key: json.dumps(pointer(item, key) if key else item))
    return document


def run(client, scenario):
    """Yield (step id, answer) for every compared step; the clean-up runs whatever happens."""
    variables = {"ns": scenario["namespace"], "registry": scenario.get("registry", "127.0.0.1:15000")}
    normalise = Normaliser(keep=scenario.get("keep", []))
    steps = [
        {
            "id": "namespace",
            "method": "POST",
            "path": "/api/v1/namespaces",
            "silent": True,
            "until": {"/kind": "Namespace"},
            "within": 30,  # that of an earlier run may still be going
            "body": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scenario["namespace"]}},
        }
    ]
    try:
        for step in steps + scenario["steps"]:
            step = substitute(step, variables)
            if "sleep" in step:
                time.sleep(step["sleep"])
                continue
            if "push" in step:  # move a tag of the test registry: {repository, tag, seed, kind, ...}
                make = registry_content.PUSH[step["push"].pop("kind", "image")]
                make(registry_content.Registry("http://" + variables["registry"]), **step["push"])
                continue
            deadline = time.monotonic() + step.get("within", 0)
            while True:  # 'until': {pointer: value} polls a read until it holds or 'within' seconds pass
                response = client.send_with(step, step["meanwhile"]) if "meanwhile" in step else client.send(step)
                body = decode(response)
                wanted = step.get("until")
                if not wanted or time.monotonic() > deadline:
                    break
                try:
                    if all(pointer(body, path) == value for path, value in wanted.items()):
                        break
                except (KeyError, IndexError, TypeError, ValueError):
                    pass
                time.sleep(0.2)
            for name, path in step.get("capture", {}).items():
                try:
                    variables[name] = pointer(body, path)
                except (KeyError, IndexError, TypeError, ValueError):
                    variables[name] = f"<no {name}>"
            if step.get("silent"):
                continue
            compared = ordered(prune(picked(ordered(chosen(body, step), step), step), step), step)
            answer = {"status": response.status_code, "body": normalise(compared)}
            for header in step.get("compare_headers", []):
                answer.setdefault("headers", {})[header] = normalise.text(response.headers.get(header, ""))
            yield step["id"], answer
    finally:
        for step in scenario.get("cleanup", []):
            client.send(substitute(step, variables))
        client.send({"method": "DELETE", "path": f"/api/v1/namespaces/{scenario['namespace']}"})


def differences(want, got, path=""):
    """Paths at which two answers differ, as text."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in sorted(set(want) | set(got)):
            if key not in got:
                yield f"{path}/{key}: missing, want {json.dumps(want[key])[:200]}"
            elif key not in want:
                yield f"{path}/{key}: unexpected {json.dumps(got[key])[:200]}"
            else:
                yield from differences(want[key], got[key], f"{path}/{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for index, (a, b) in enumerate(zip(want, got, strict=True)):
            yield from differences(a, b, f"{path}/{index}")
    elif want != got:
        yield f"{path}: want {json.dumps(want)[:300]}, got {json.dumps(got)[:300]}"


def load(names=()):
    """The scenarios of these names or prefixes, or all, as (name, scenario)."""
    files = sorted((HERE / "scenarios").glob("*.yaml"))
    chosen = [f for f in files if not names or any(f.stem == n or f.stem.startswith(n) for n in names)]
    return [(f.stem, yaml.load(f.read_text(), Loader=yaml.CSafeLoader)) for f in chosen]


@dataclasses.dataclass
class Report:
    """What came of one scenario: how many steps were equal, and of the others where they differ."""

    name: str
    seconds: float = 0.0
    passed: int = 0
    failed: int = 0
    differing: dict[str, list[str]] = dataclasses.field(default_factory=dict)

    def text(self, *, rows=12):
        """One line for each step that differs, and below it at most so many places."""
        lines = []
        for step, places in self.differing.items():
            lines.append(f"{self.name} / {step}: differs at {len(places)} places")
            lines += [f"    {place}" for place in places[:rows]]
        return "\n".join(lines)


def compare(server, token, ca, name, scenario):
    """Replay one scenario with a client of its own and report on it."""
    wanted = json.loads((HERE / "golden" / f"{name}.json").read_text())
    report, seen, started = Report(name), set(), time.monotonic()
    try:
        for step, answer in run(Client(server, token, ca), scenario):
            seen.add(step)
            places = list(differences(wanted.get(step), answer))
            report.passed, report.failed = report.passed + (not places), report.failed + bool(places)
            if places:
                report.differing[step] = places
    except (requests.RequestException, KeyError) as error:
        report.differing["(stopped)"] = [f"{type(error).__name__}: {str(error)[:200]}"]
    missing = [step for step in wanted if step not in seen]
    report.failed += len(missing)
    if missing:
        report.differing["(not reached)"] = missing
    report.seconds = time.monotonic() - started
    return report
