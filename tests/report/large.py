# SPDX-License-Identifier: Apache-2.0
"""Answers longer than memory should be: in parts, everything once, and the first line long before the last.

    large.py LINEAGE_QUERY
"""
import csv
import io
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile

import database

QUERY = sys.argv[1]
SMALL, LARGE = 60_000, 200_000
# What an answer may hold at one time, whatever the database: LARGE at once would be more than twice that.
PEAK_MIB = 96
checks = 0


def expect(what, condition):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"FAIL {what}")


def ask(*words, status=0):
    done = subprocess.run([QUERY, *words, "--utc"], capture_output=True)
    expect(f"{words}: status {done.returncode}\n{done.stderr[-500:]!r}", done.returncode == status)
    return done.stdout.decode()


def cost(*words, lines=None):
    """Peak memory in MiB and seconds of processor; after so many lines the reader goes."""
    with open(os.devnull, "wb") as null:
        child = subprocess.Popen([QUERY, *words, "--utc"], stdout=subprocess.PIPE, stderr=null)
    if lines is None:
        while child.stdout.read(1 << 20):
            pass
    else:
        for _ in range(lines):
            expect(f"{words}: a line", child.stdout.readline())
    child.stdout.close()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    expect(f"{words}: status {child.returncode}", child.returncode == 0)
    return usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def sql(path, statement):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute(statement).fetchall()


def all_there(path, count):
    """A window in parts has each process once, behind its parent, and says nothing else than a small one."""
    told = {}
    for line in ask("window", "--db", path, "--boot", "0", "-o", "ndjson").splitlines():
        p = json.loads(line)
        if "process_id" not in p:
            continue
        expect(f"process {p['process_id']} is told once", p["process_id"] not in told)
        expect(f"process {p['process_id']} comes behind its parent",
               p.get("parent_id") is None or told.get(p["parent_id"]) == p["depth"] - 1)
        expect(f"process {p['process_id']} answers", "context" not in p)
        told[p["process_id"]] = p["depth"]
    expect(f"{len(told)} of {count} processes", len(told) == count)
    rows = list(csv.reader(io.StringIO(ask("window", "--db", path, "--boot", "0", "-o", "csv"))))
    expect(f"{len(rows)} rows of csv", len(rows) == count + 1)
    document = json.loads(ask("window", "--db", path, "--boot", "0", "-o", "json"))
    expect("one document", len(document["processes"]) == count)
    nodes, edges = set(), []
    for line in ask("window", "--db", path, "--boot", "0", "-o", "dot").splitlines():
        names = re.findall(r'^\t("[^"]+")(?: -> ("[^"]+"))?', line)
        if names and names[0][1]:
            edges.append(names[0])
        elif names:
            nodes.add(names[0][0])
    expect(f"{len(nodes)} nodes and {len(edges)} edges", len(nodes) == count and len(edges) == count - 1)
    expect("each edge is between nodes", all(a in nodes and b in nodes for a, b in edges))
    stacks = ask("window", "--db", path, "--boot", "0", "-o", "folded").splitlines()
    expect("folded stacks count every process", sum(int(line.rsplit(" ", 1)[1]) for line in stacks) == count)


def by_time(path):
    """Parts are a matter of how much, not of what: pieces of the time, put together, are the same processes."""
    begin, end = sql(path, "SELECT min(start_unix_ns), max(start_unix_ns) FROM process")[0]
    begin, middle, end = begin // 10**9 + 900, (begin + end) // 2 // 10**9, end // 10**9 - 900
    want = {row[0] for row in sql(path, "SELECT process_id FROM process WHERE"
                                  f" (start_unix_ns >= {begin}000000000 AND start_unix_ns < {end}000000000) OR"
                                  f" (end_unix_ns >= {begin}000000000 AND end_unix_ns < {end}000000000)"
                                  " UNION SELECT process_id FROM exec WHERE"
                                  f" unix_ns >= {begin}000000000 AND unix_ns < {end}000000000")}
    for verb in "window", "search":
        for cuts in (begin, end), (begin, middle, end):
            seen = set()
            for since, until in zip(cuts, cuts[1:]):
                for line in ask(verb, "--db", path, "--since", f"@{since}", "--until", f"@{until}",
                                "-o", "ndjson").splitlines():
                    p = json.loads(line)
                    if "process_id" in p and "context" not in p:
                        seen.add(p["process_id"])
            expect(f"{verb}: {len(seen ^ want)} of {len(want)} differ", seen == want)


def as_text(path):
    text = ask("window", "--db", path, "--boot", "0", "--no-fold")
    expect("the same question, the same bytes", text == ask("window", "--db", path, "--boot", "0", "--no-fold"))
    parts = re.findall(r"^Part (\d+)", text, re.M)
    expect("parts are counted", parts == [str(i + 1) for i in range(len(parts))] and len(parts) > 2)
    expect("each has a heading", len(re.findall(r"^START ", text, re.M)) == len(parts))
    last = text.splitlines()[-1]
    expect("what may be missing comes once, at the end", text.count("incomplete:") == 1 and "may miss" in last)
    touched = [int(n) for n in re.findall(r"of the (\d+) shown that lived then", text)]
    lived = [row[0] for row in sql(path, "SELECT (SELECT count(*) FROM process p WHERE start_unix_ns <= to_unix_ns"
                                         " AND (end_unix_ns IS NULL OR end_unix_ns >= from_unix_ns)) FROM gap")]
    expect(f"gaps know whom they touch: {touched}, {lived}", touched == lived)
    few = ask("window", "--db", path, "--boot", "0", "--exe", "/tmp/build/tool-7")
    expect("few that match are one tree", not re.search("^Part", few, re.M) and few.count("tool-7") > 20)


def several(path, other):
    count = sum(sql(p, "SELECT count(*) FROM process")[0][0] for p in (path, other))
    told = ask("window", "--db", path, "--db", other, "--boot", "0", "-o", "ndjson").count('"process_id":')
    expect(f"{told} of {count} processes of two databases", told >= count)
    hosts = {json.loads(line).get("host") for line in
             ask("window", "--db", path, "--db", other, "--since", "2026-11-20 01:00", "--until",
                 "2026-11-20 01:01", "-o", "ndjson").splitlines()}
    expect(f"of both hosts: {hosts}", {"node1", "node2"} <= hosts)
    spans = ask("search", "--db", path, "--db", other, "--since", "2026-11-20 01:00", "--until",
                "2026-11-20 01:01", "-o", "ndjson")
    window = ask("window", "--db", path, "--db", other, "--since", "2026-11-20 01:00", "--until",
                 "2026-11-20 01:01", "-o", "ndjson")
    identity = [{(p["boot_id"], p["process_id"]) for p in map(json.loads, text.splitlines())
                 if "process_id" in p and "context" not in p} for text in (spans, window)]
    expect("window and search find the same in two databases", identity[0] == identity[1] and identity[0])


def memory_and_time(small, large):
    # Each looks through all there is.
    for words in (["window", "--boot", "0"], ["window", "--boot", "0", "-o", "json"], ["search"],
                  ["window", "--boot", "0", "--uid", "1000"], ["search", "--grep", "data/1[0-9]*7.bin"],
                  ["search", "--since", "2026-11-20"], ["stats"], ["stats", "--since", "2026-11-20"],
                  ["diff", "--since", "2026-11-20 03:00"]):
        peaks = [cost(*words, "--db", path)[0] for path in (small, large)]
        print(f"{' '.join(words)}: {peaks[0]:.0f} and {peaks[1]:.0f} MiB")
        expect(f"{words}: {peaks} MiB", peaks[1] < PEAK_MIB)
    for words in ["window", "--boot", "0"], ["window", "--boot", "0", "-o", "ndjson"], ["search"]:
        first, whole = (cost(*words, "--db", large, lines=n)[1] for n in (5, None))
        print(f"{' '.join(words)}: {first * 1000:.0f} ms to the first lines, {whole * 1000:.0f} for all")
        expect(f"{words}: the first lines come early", first < whole / 4)


def main():
    with tempfile.TemporaryDirectory(prefix="lineaged-large.") as work:
        small, large, other = (os.path.join(work, name) for name in ("small.db", "large.db", "other.db"))
        # In processes of their own: the peak of a child begins with what its parent has.
        for path, count in (small, SMALL), (large, LARGE):
            subprocess.run([sys.executable, database.__file__, "large", path, str(count)], check=True)
        memory_and_time(small, large)
        database.large(other, 30_000, "node2", "22222222-bbbb-4bbb-8bbb-222222222222")
        all_there(small, SMALL)
        by_time(small)
        as_text(small)
        several(small, other)
    print(f"{checks} checks")


main()
