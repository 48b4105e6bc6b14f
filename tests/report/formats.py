# SPDX-License-Identifier: Apache-2.0
"""Every format, on hostile data, read back by a reader that is not ours.

    formats.py LINEAGE_QUERY DATABASE
"""
import csv
import io
import json
import re
import subprocess
import sys
import unicodedata

import database

QUERY, DATABASE = sys.argv[1:3]
QUESTIONS = [["tree", "200"], ["window", "--since", "2026-11-20", "--until", "2026-11-21", "--utc"],
             ["search", "--ended"]]
checks = 0


def expect(what, condition):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"FAIL {what}")


def ask(*words, status=0):
    done = subprocess.run([QUERY, *words, "--db", DATABASE], capture_output=True)
    expect(f"{words}: status {done.returncode} {done.stderr[:300]!r}", done.returncode == status)
    return done.stdout, done.stderr


def harmless(what, raw, allowed="\n"):
    """Valid UTF-8 in which nothing acts on a terminal or on the order of characters."""
    text = raw.decode("utf-8")
    for c in text:
        if c not in allowed and (unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn")):
            raise SystemExit(f"FAIL {what}: raw {c!a}")
    return text


def documents(what, raw):
    text = harmless(what, raw)
    by_jq = subprocess.run(["jq", "-c", "."], input=raw, capture_output=True, check=True).stdout
    lines = [json.loads(line) for line in text.splitlines()]
    expect(f"{what}: jq reads as many", len(by_jq.splitlines()) == len(lines))
    return lines


def unescape(cell):
    r"""What a cell stands for: \x1b, \u202e, \n and so on, and \\."""
    def one(match):
        s = match.group(0)
        names = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "v": "\v", "f": "\f", "e": "\x1b", "\\": "\\"}
        return chr(int(s[2:], 16)) if s[1] in "xuU" else names[s[1]]
    return re.sub(r"\\(x..|u....|U........|.)", one, cell)


def check_csv(question):
    raw, aside = ask(*question, "-o", "csv")
    text = harmless("csv", raw, "\r\n")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    expect("csv: CRLF and no other line break", text.count("\r\n") == text.count("\n") == text.count("\r") == len(rows) + 1)
    for row in rows:
        expect("csv: no cell too many or too few", None not in row and None not in row.values())
        for cell in row.values():
            expect(f"csv: {cell!r} is no formula", not re.match(r"\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]", cell))
    by_pid = {row["pid"]: row for row in rows}
    for i, word in enumerate(database.HOSTILE):
        row = by_pid[str(300 + i)]
        exe = "/tmp/" + word
        expect(f"csv: {word!r} comes back", unescape(row["exe"]) == exe)
    expect("csv: what is missing is told aside", b"12 events lost" in aside)
    expect("csv: bytes that are no UTF-8", r"/tmp/\xff\xfe" in by_pid["500"]["exe"])
    raw, _ = ask(*question, "-o", "csv", "--fields", "pid,comm")
    expect("csv: --fields", raw.startswith(b"pid,comm\r\n"))
    ask(*question, "-o", "csv", "--fields", "pid,nonsense", status=2)


def check_table(question):
    text = harmless("table", ask(*question, "-o", "table")[0])
    head, *lines = text.split("complete:\n")[0].splitlines()
    columns = ["START", "PID", "PPID", "UID", "LIFE", "EXIT", "COMMAND"]
    expect("table: its columns", head.split() == columns)
    at = head.index("COMMAND")
    commands = {line[:at].split()[2]: line[at:] for line in lines if re.match(r"20\d\d-", line)}
    for i, word in enumerate(database.HOSTILE):
        shown = commands[str(300 + i)]
        expect(f"table: {word!r} is there in {shown!r}", "/tmp/" in shown)
        if re.fullmatch("[ -~]+", word) and not re.search(r"[\\\\']", word):
            expect(f"table: {word!r} is written once in {shown!r}", f"/tmp/{word}" in shown)
    expect("table: a line for each", len(lines) - 1 <= len(commands) + 3)
    expect("table: escapes are not escaped again", r"\x1b]0;owned" in text and r"\x5cx" not in text)
    plain = subprocess.run([QUERY, *question, "-o", "table", "--db", DATABASE], capture_output=True,
                           env={"LC_ALL": "C", "TZ": "UTC"}).stdout
    expect("table: ASCII off UTF-8", all(b < 127 for b in plain) and rb"\u202egpj" in plain)


def check_fields(question):
    names = "pid,exe,args,exit_code,exit_signal,start,matches,comm,cwd"
    whole = documents("ndjson", ask(*question, "-o", "ndjson")[0])[:-1]
    chosen = documents("ndjson", ask(*question, "-o", "ndjson", "--fields", names)[0])
    one = json.loads(ask(*question, "-o", "json", "--fields", names)[0])
    expect("fields: json and ndjson agree", one["processes"] == chosen[:-1] and "completeness" in chosen[-1])
    for a, b in zip(whole, chosen):
        expect("fields: those that were asked for", list(b) == names.split(","))
        for name in b:
            if name != "matches":
                expect(f"fields: {name} is the same", a.get(name) == b[name])
        expect("fields: context", a.get("context", False) == (not b["matches"]))


def check_ecs(question):
    lines = documents("ecs", ask(*question, "-o", "ecs")[0])
    *events, last = lines
    expect("ecs: the last says what is missing", last["lineaged"]["completeness"]["complete"] is False)
    ids = {}
    for e in events:
        expect("ecs: kind", e["event"]["kind"] == "event" and e["event"]["category"] == ["process"])
        kind = "end" if e["event"]["action"] == "end" else "start" if e["event"].get("outcome") == "success" else "info"
        expect("ecs: action and type", e["event"]["action"] in ("fork", "exec", "end") and e["event"]["type"] == [kind])
        expect("ecs: entity_id", re.fullmatch("[a-z2-7]{26}", e["process"]["entity_id"]))
        ids[e["process"]["entity_id"]] = e["process"]["pid"]
    expect("ecs: entity ids tell processes apart", len(set(ids.values())) == len(ids) >= 49)
    images = {e["process"]["pid"]: e["process"] for e in events if e["event"]["action"] == "end"}
    for i, word in enumerate(database.HOSTILE):
        p = images[300 + i]
        expect(f"ecs: {word!r} comes back", p["args"] == [word, "x", word, word + word] and
               p["executable"] == "/tmp/" + word and p["parent"]["pid"] == 200)
        killed = i % 3 == 0
        expect("ecs: exit", ("exit_code" not in p) if killed else p["exit_code"] == i)
    if question[0] != "search":
        failed = [e for e in events if e["event"].get("outcome") == "failure"]
        expect("ecs: the failed exec", len(failed) == 1 and failed[0]["error"]["code"] == "ENOENT")


def check_ocsf(question):
    *events, last = documents("ocsf", ask(*question, "-o", "ocsf")[0])
    expect("ocsf: the last says what is missing", last["unmapped"]["completeness"]["complete"] is False)
    seen = set()
    for e in events:
        expect("ocsf: class", e["class_uid"] == 1007 and e["type_uid"] == 100700 + e["activity_id"])
        expect("ocsf: time", isinstance(e["time"], int) and 1795132800000 <= e["time"] < 1795219200000)
        seen.add((e["activity_id"], e["process"]["cmd_line"] if "cmd_line" in e["process"] else None))
    for word in database.HOSTILE:
        line = " ".join([word, "x", word, word + word])
        expect(f"ocsf: {word!r} comes back", (1, line) in seen and (2, line) in seen)


def check_dot(question):
    raw, _ = ask(*question, "-o", "dot", "--utc")
    harmless("dot", raw, "\n\t")
    done = subprocess.run(["dot", "-Tsvg"], input=raw, capture_output=True)
    expect(f"dot reads it: {done.stderr[:300]!r}", done.returncode == 0 and not done.stderr)
    svg = done.stdout.decode()
    expect("dot: nothing became markup", "<img" not in svg and "<script" not in svg and "<b>" not in svg)
    plain = subprocess.run(["dot", "-Tplain"], input=raw, capture_output=True, check=True).stdout.decode()
    nodes = re.findall(r'^node "([^"]+)"', plain, re.M)
    shown = [json.loads(line) for line in ask(*question, "-o", "ndjson")[0].splitlines()][:-1]
    expect("dot: one node per process", len(set(nodes)) == len(nodes) and len(nodes) <= len(shown) and len(nodes) > 30)
    expect("dot: entities are text", "&lt;b&gt;&amp;" in svg.replace("&amp;lt;", "&lt;").replace("&amp;gt;", "&gt;")
           .replace("&amp;amp;", "&amp;"))


def check_folded(question):
    raw, aside = ask(*question, "-o", "folded")
    lines = harmless("folded", raw).splitlines()
    total = 0
    for line in lines:
        stack, number = line.rsplit(" ", 1)
        expect("folded: no blank within a stack", " " not in stack)
        expect("folded: from the first process on", stack.split(";")[0] == "systemd")
        total += int(number)
    shown = [json.loads(line) for line in ask(*question, "-o", "ndjson")[0].splitlines()][:-1]
    expect("folded: every process is counted once", total == sum("context" not in p for p in shown))
    expect("folded: what is missing is told aside", b"12 events lost" in aside)


def check_perfetto(question):
    raw, _ = ask(*question, "-o", "perfetto")
    harmless("perfetto", raw)
    trace = json.loads(raw)
    expect("perfetto: jq reads it", subprocess.run(["jq", "-e", ".traceEvents|length>50"], input=raw,
                                                   capture_output=True).returncode == 0)
    lives = {e["args"]["pid"]: e for e in trace["traceEvents"] if e.get("cat") == "process"}
    begun = {e["pid"]: e for e in trace["traceEvents"] if e.get("cat") == "process"}
    for i, word in enumerate(database.HOSTILE):
        e = lives[300 + i]
        expect("perfetto: life", e["ph"] == "X" and e["dur"] == 1000000 and e["ts"] == 1795132820000000 + i * 1000000)
        expect(f"perfetto: {word!r} comes back", e["args"]["args"][2] == word)
    for e in trace["traceEvents"]:
        expect("perfetto: phase", e["ph"] in "XBMsf")
        if e.get("cat") == "exec":
            life = begun[e["pid"]]
            expect("perfetto: an image lies within its life", life["ts"] <= e["ts"] and (
                life["ph"] == "B" or e["ts"] + e["dur"] <= life["ts"] + life["dur"] + .002))
    gaps = [e for e in trace["traceEvents"] if e.get("cat") == "gap"]
    expect("perfetto: the gap", any(g["args"].get("lost") == 12 and g["dur"] == 10**7 for g in gaps))


for q in QUESTIONS:
    check_csv(q)
    check_table(q)
    check_fields(q)
    check_ecs(q)
    check_ocsf(q)
    check_folded(q)
    check_perfetto(q)
    if q[0] != "search":
        check_dot(q)
print(f"formats: {checks} checks passed")
