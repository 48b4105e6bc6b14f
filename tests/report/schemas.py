# SPDX-License-Identifier: Apache-2.0
"""ECS and OCSF output against the schemas: nothing that they do not know, every value of its type, nothing
that they require missing.

Written down here is the part of the schemas that lineage-query uses:
  ECS 8.17.0    the field sets base, ecs, event, error, host, process, user, container, orchestrator: names, types,
                which are arrays, and which values of event.kind, .category, .type and .outcome go together
                (schemas/*.yml and generated/elasticsearch/composable/component/*.json of elastic/ecs)
  OCSF 1.5.0    class process_activity (1007) and base_event (0), with the profiles container, datetime, host and
                linux/linux_users (events/system/process_activity.json, objects/*.json of ocsf/ocsf-schema)
Fields of our own are below `lineaged` in ECS and below `unmapped` in OCSF, where both leave room for them.

    schemas.py LINEAGE_QUERY DATABASE...
"""
import json
import re
import subprocess
import sys

QUERY, *DATABASES = sys.argv[1:]
checks = 0


class Wrong(Exception):
    pass


def expect(what, condition):
    global checks
    checks += 1
    if not condition:
        raise Wrong(what)


def is_long(v):
    return isinstance(v, int) and not isinstance(v, bool) and -2**63 <= v < 2**63


def is_date(v):
    return isinstance(v, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", v)


def keyword(*allowed):
    return lambda v: isinstance(v, str) and (not allowed or v in allowed)


def array(of):
    return lambda v: isinstance(v, list) and all(of(x) for x in v)


word = keyword()

ECS_PROCESS = {
    "args": array(word), "args_count": is_long, "command_line": word, "end": is_date, "entity_id": word,
    "executable": word, "exit_code": is_long, "group.id": word, "name": word, "pid": is_long, "real_group.id": word,
    "real_user.id": word, "saved_group.id": word, "saved_user.id": word, "start": is_date, "user.id": word,
    "vpid": is_long, "working_directory": word, "session_leader.pid": is_long, "group_leader.pid": is_long, "tty.char_device.major": is_long,
    "tty.char_device.minor": is_long,
}
ECS = {
    "@timestamp": is_date, "ecs.version": keyword("8.17.0"), "error.code": word, "user.id": word,
    "event.kind": keyword("event", "state"), "event.category": array(keyword("process")),
    "event.type": array(keyword("access", "change", "end", "info", "start")), "event.action": word,
    "event.outcome": keyword("success", "failure", "unknown"), "event.module": word, "event.dataset": word,
    "host.hostname": word, "host.architecture": word, "host.boot.id": word, "host.os.type": keyword("linux"),
    "host.os.kernel": word, "container.id": word, "container.name": word, "container.runtime": word,
    "container.image.name": word, "orchestrator.type": word, "orchestrator.namespace": word,
    "orchestrator.resource.type": word, "orchestrator.resource.id": word, "orchestrator.resource.name": word,
    **{"process." + name: check for name, check in ECS_PROCESS.items()},
    **{"process.parent." + name: check for name, check in ECS_PROCESS.items()},
}
# The schema asks for the first two of every document, the rest is our own wish.
ECS_ALWAYS = ["@timestamp", "ecs.version", "event.kind"]
ECS_REQUIRED = ECS_ALWAYS + ["event.category", "event.type", "process.pid", "process.entity_id", "process.name",
                             "host.boot.id"]


def leaves(value, path=""):
    """(path, value) of what is no object; arrays are values."""
    if isinstance(value, dict):
        expect(f"{path}: an empty object", value or not path)
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def check_ecs_document(document, last):
    document = dict(document)
    document_own = document.pop("lineaged")
    expect("lineaged is an object", isinstance(document_own, dict))
    seen = set()
    for path, value in leaves(document):
        expect(f"{path} is no field of ECS", path in ECS)
        expect(f"{path} has the type of its field: {value!r}", ECS[path](value))
        seen.add(path)
    for path in ECS_ALWAYS if last else ECS_REQUIRED:
        expect(f"{path} is there", path in seen)
    if not last:
        expect("dataset begins with module", document["event"]["dataset"].startswith(document["event"]["module"] + "."))
        event = document["event"]
        expect("what was running already is no start", (document_own.get("provenance") == "snapshot" and event["action"] != "end")
               == (event["type"] == ["info"] and "outcome" not in event))
        expect("a start or an end has an outcome", event["type"] == ["info"] or event["outcome"] == "success")
        expect("a start has no exit code", event["action"] == "end" or "exit_code" not in document["process"])
        expect("an end has its end", (document["event"]["action"] == "end") == ("end" in document["process"]))


# Objects of OCSF: attribute -> check or name of an object; "!" before what is required.
def uuid(v):
    return isinstance(v, str) and re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", v)


def milliseconds(v):
    return is_long(v) and 10**12 < v < 10**13


def enum(*allowed):
    return lambda v: is_long(v) and v in allowed


SEVERITIES = enum(0, 1, 2, 3, 4, 5, 6, 99)
OCSF = {
    "process_activity": {
        "!activity_id": enum(1, 2), "activity_name": keyword("Launch", "Terminate"), "!actor": "actor",
        "!category_uid": enum(1), "category_name": keyword("System Activity"), "!class_uid": enum(1007),
        "class_name": keyword("Process Activity"), "!device": "device", "exit_code": is_long, "!metadata": "metadata",
        "!process": "process", "severity": keyword("Informational"), "!severity_id": SEVERITIES, "!time": milliseconds,
        "time_dt": is_date, "!type_uid": enum(100701, 100702), "unmapped": None},
    "base_event": {
        "!activity_id": enum(0), "!category_uid": enum(0), "!class_uid": enum(0), "class_name": keyword("Base Event"),
        "message": word, "!metadata": "metadata", "!severity_id": SEVERITIES, "!time": milliseconds, "time_dt": is_date,
        "!type_uid": enum(0), "unmapped": None},
    "metadata": {"!version": keyword("1.5.0"), "!product": "product",
                 "profiles": array(keyword("container", "datetime", "host", "linux/linux_users"))},
    "product": {"name": word, "vendor_name": word, "version": word},
    "device": {"hostname": word, "!type_id": enum(0), "boot_uid": word, "os": "os"},
    "os": {"!name": word, "!type_id": enum(200), "kernel_release": word},
    "actor": {"app_name": word, "process": "process", "user": "user"},
    "process": {
        "uid": word, "pid": is_long, "namespace_pid": is_long, "name": word, "cmd_line": word, "file": "file",
        "working_directory": word, "created_time": milliseconds, "created_time_dt": is_date,
        "terminated_time": milliseconds, "terminated_time_dt": is_date, "user": "user", "euid": is_long,
        "egid": is_long, "auid": is_long, "container": "container", "parent_process": "process"},
    "file": {"path": word, "!name": word, "!type_id": enum(1)},
    "user": {"uid": word},
    "container": {"uid": word, "name": word, "runtime": word, "pod_uuid": uuid, "image": "image"},
    "image": {"name": word, "!uid": word},
}
# Of these at least one.
OCSF_ANY = {"actor": ["process", "user", "app_name"], "process": ["pid", "uid"], "user": ["uid"],
            "container": ["uid", "name"], "product": ["name", "uid", "vendor_name"]}


def check_ocsf_object(kind, value, path):
    shape = OCSF[kind]
    expect(f"{path} is an object", isinstance(value, dict))
    for name, inner in value.items():
        check = shape.get(name, shape.get("!" + name, "unknown"))
        expect(f"{path}.{name} is no attribute of {kind}", check != "unknown")
        if isinstance(check, str):
            check_ocsf_object(check, inner, f"{path}.{name}")
        elif check:
            expect(f"{path}.{name} has its type: {inner!r}", check(inner))
        else:
            expect(f"{path}.{name} is an object", isinstance(inner, dict))
    for name in shape:
        expect(f"{path}{name.replace('!', '.')} is required", name[0] != "!" or name[1:] in value)
    expect(f"{path} has one of {OCSF_ANY.get(kind)}", any(n in value for n in OCSF_ANY.get(kind, value)))


def check_ocsf_document(document, last):
    check_ocsf_object("base_event" if last else "process_activity", document, "event")
    if not last:
        expect("type_uid is class and activity", document["type_uid"] == document["class_uid"] * 100 + document["activity_id"])
        expect("time and time_dt agree", document["time_dt"][20:23] == f"{document['time'] % 1000:03}")


def ask(form, *words):
    done = subprocess.run([QUERY, *words, "-o", form], capture_output=True)
    if done.returncode:
        raise SystemExit(f"FAIL {words}: {done.stderr!r}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def must_fail(check, document, change):
    """The check is one: it does not take what is wrong."""
    copy = json.loads(json.dumps(document))
    change(copy)
    try:
        check(copy, False)
    except Wrong:
        return
    raise SystemExit(f"FAIL it was taken: {copy}")


first, snapshots = {}, 0
for database in DATABASES:
    for form, check in ("ecs", check_ecs_document), ("ocsf", check_ocsf_document):
        for question in ["search", "--since", "2026-11-20", "--until", "2026-11-20 00:20", "--utc"], ["tree", "1", "--depth", "1"]:
            documents = ask(form, *question, "--db", database)
            for number, one in enumerate(documents):
                try:
                    check(one, number == len(documents) - 1)
                except Wrong as wrong:
                    raise SystemExit(f"FAIL {form}: {wrong}\n{one}") from None
            expect("some documents", len(documents) > 2)
            if form == "ecs":
                snapshots += sum(d["event"].get("type") == ["info"] for d in documents)
            first[form] = documents[-2]

expect("some were running already", snapshots)
must_fail(check_ecs_document, first["ecs"], lambda d: d["process"].update(pid="1"))
must_fail(check_ecs_document, first["ecs"], lambda d: d["process"].update(nonsense=1))
must_fail(check_ecs_document, first["ecs"], lambda d: d.pop("@timestamp"))
must_fail(check_ecs_document, first["ecs"], lambda d: d["event"].update(category="process"))
must_fail(check_ecs_document, first["ecs"], lambda d: d["event"].update(type=["creation"]))
must_fail(check_ecs_document, first["ecs"], lambda d: d["lineaged"].update(provenance="snapshot"))
must_fail(check_ocsf_document, first["ocsf"], lambda d: d.pop("time"))
must_fail(check_ocsf_document, first["ocsf"], lambda d: d["device"].pop("type_id"))
must_fail(check_ocsf_document, first["ocsf"], lambda d: d.update(actor={}))
must_fail(check_ocsf_document, first["ocsf"], lambda d: d["process"].update(pid="1"))
must_fail(check_ocsf_document, first["ocsf"], lambda d: d["process"].update(cwd="/"))
print(f"schemas: {checks} checks passed")
