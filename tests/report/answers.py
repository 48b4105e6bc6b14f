# SPDX-License-Identifier: Apache-2.0
"""Answers that once misled: each is asked on a small database in which it did.

    answers.py LINEAGE_QUERY
"""
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

from database import EPOCH_NS, SECOND, Database

QUERY = sys.argv[1]


def ask(*words):
    done = subprocess.run([QUERY, *words], capture_output=True, text=True)
    return done.returncode, done.stdout


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"FAIL {what}: {found}, not {wanted}")


def database(path):
    d = Database(path)
    d.boot()
    d.cgroup(1, "/a")
    d.context(1, 0, 1)
    return d, d.process(1, 0, None, d.image("/sbin/init", ["init"]), snapshot=1)


def clock_set_back(directory):
    """A gap within a life, at a time that the wall clock showed before it began."""
    path = os.path.join(directory, "clock.db")
    d, top = database(path)
    d.run("UPDATE recorder_row SET last_boot_ns = ?, stopped_boot_ns = ?", 20000 * SECOND, 20000 * SECOND)
    d.run("INSERT INTO clock VALUES (1, ?, ?)", 1000 * SECOND, EPOCH_NS - 7200 * SECOND)
    d.process(500, 900 * SECOND, top, d.image("/bin/bash", ["bash"]), life=500 * SECOND)
    d.lose(1100 * SECOND, 1200 * SECOND, 7)
    d.finish()
    for words in (["show", "500"], ["search", "--pid", f"500@{900 * SECOND}"], ["tree", "500"]):
        status, answer = ask(*words, "--strict", "--db", path)
        expect(f"{words}: status", status, 4)
        expect(f"{words}: the gap", "7 events lost" in answer, True)
    out = os.path.join(directory, "e.lineage")
    ask("export", "500", "-o", out, "--db", path)
    with contextlib.closing(sqlite3.connect(out)) as db:
        manifest = json.loads(db.execute("SELECT value FROM meta WHERE name = 'export.manifest'").fetchone()[0])
    expect("the manifest", manifest["completeness"]["complete"], False)


def parent_without_exec(directory):
    """nginx forks; the child starts a shell before it becomes something else."""
    path = os.path.join(directory, "pair.db")
    d, top = database(path)
    nginx = d.process(200, 10 * SECOND, top, d.image("/usr/sbin/nginx", ["nginx"]))
    worker = d.process(201, 20 * SECOND, nginx, d.image("/usr/bin/python3", ["python3"]), life=5 * SECOND)
    d.run("UPDATE process_row SET exec_after_ns = ? WHERE process_id = ?", 2 * SECOND, worker)
    d.process(202, 20 * SECOND + SECOND // 2, worker, d.image("/bin/sh", ["sh"]), life=SECOND)
    d.finish()
    answer = ask("stats", "--db", path)[1]
    expect("the pair of nginx and sh", "/usr/sbin/nginx → /bin/sh" in answer, True)
    expect("no pair of python3 and sh", "/usr/bin/python3 → /bin/sh" in answer, False)


def deep_stacks(directory):
    """Each starts the next and ends: nothing that anybody may not do."""
    path, count = os.path.join(directory, "deep.db"), 3000
    d, above = database(path)
    image = d.image("/bin/a", ["a"])
    for i in range(count):
        above = d.process(1000 + i, (10 + i) * SECOND, above, image, life=2 * SECOND)
    d.finish()
    answer = ask("tree", "1", "-o", "folded", "--db", path)[1].splitlines()
    expect("stacks", len(answer), count + 1)
    expect("frames of the deepest", max(line.count(";") for line in answer), 128)
    expect("what is left out", f";[{count + 1 - 128}-more];" in answer[-1], True)


with tempfile.TemporaryDirectory() as work:
    for case in (clock_set_back, parent_without_exec, deep_stacks):
        case(work)
print("answers: 3 that once misled")
