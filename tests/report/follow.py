# SPDX-License-Identifier: Apache-2.0
"""follow says what is missing, knows its file again, and sees what is written however it was begun.

    follow.py LINEAGE_QUERY
"""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

import database

QUERY = sys.argv[1]
SECOND = database.SECOND
checks = 0


def expect(what, condition):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"FAIL {what}")


def make(path, start=100, boot_id=database.BOOT_ID):
    """Recorded until just now, so that nothing but what a test loses is missing."""
    d = database.Database(path)
    now = time.time_ns()
    d.boot("node1", 1, boot_id, now - 86400 * SECOND)
    d.cgroup(1, "/x")
    d.context(1, 0, 1)
    top = d.process(1, 0, None, d.image("/sbin/init", ["init"]), snapshot=1)
    shell = d.process(100, start * SECOND, top, d.image("/bin/bash", ["bash"]))
    d.process(101, (start + 1) * SECOND, shell, d.image("/usr/bin/curl", ["curl"]), SECOND)
    d.run("UPDATE recorder_row SET last_boot_ns = ?, stopped_boot_ns = ?", *[86400 * SECOND * 2] * 2)
    d.finish()


def begun(path, *words):
    return subprocess.Popen([QUERY, "follow", "--db", path, "-o", "ndjson", *words], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, bufsize=1)


def ended(follower, status):
    out, err = follower.communicate(timeout=60)
    expect(f"status {follower.returncode}, not {status}: {out} {err}", follower.returncode == status)
    return [json.loads(line) for line in out.splitlines()], err


def go_on(path, cursor, *words, seconds=1):
    """What is told before it would wait."""
    follower = begun(path, "--cursor-file" if os.path.sep in cursor else "--cursor", cursor, *words)
    try:
        follower.wait(seconds)
    except subprocess.TimeoutExpired:
        follower.terminate()
    out, err = follower.communicate()
    return [json.loads(line) for line in out.splitlines()], err, follower.returncode


def write(path, *statements, wal=True):
    db = sqlite3.connect(path, isolation_level=None)
    if wal:
        db.execute("PRAGMA journal_mode = WAL")
    for statement in statements:
        db.execute(statement)
    db.close()


def another(number):
    """A process as the last one, later: its numbers follow those of the CPU."""
    return f"""INSERT INTO process_row (process_id, boot, pid, start_boot_ns, parent_id, provenance, fork_cpu, fork_seq,
        context, exec_after_ns, exec_context, exec_parent_id, image, end_parent_id)
        SELECT {number}, boot, 1000 + {number}, start_boot_ns + {number} * 1000000000, parent_id, 7 << 6, 0, 100 + {number},
        context, 1000, 0, 0, image, 0 FROM process_row WHERE process_id = 3"""


GAP = "INSERT INTO gap_row VALUES ({}, 1, 'ring_full', 0, {} * 1000000000, {} * 1000000000, 50, 52, {}, 0, NULL)"


def check_gaps(work):
    path, cursor = os.path.join(work, "gaps.db"), os.path.join(work, "cursor")
    make(path)
    write(path, GAP.format(1, 100, 101, 3))
    told, _, _ = go_on(path, "3::0:0:0:0:")
    gaps = [e for e in told if e["event"] == "gap"]
    expect(f"a gap behind the cursor: {told}", [(g["gap_id"], g["lost"], g["cause"]) for g in gaps] == [(1, 3, "ring_full")])
    expect("and what is there", [e["event"] for e in told if e["event"] != "gap"][:2] == ["fork", "exec"])
    text = subprocess.run(["timeout", "1", QUERY, "follow", "--db", path, "--utc", "--cursor", "3::0:0:0:0:"], capture_output=True,
                          text=True, check=False).stdout
    expect(f"as text: {text}", text.startswith("missing: 3 events lost from 20") and "(ring_full)" in text)
    told, _, _ = go_on(path, cursor)
    expect(f"from now on nothing is missing: {told}", told == [])
    with open(cursor, encoding="utf-8") as file:
        line = file.read()
    expect(f"the cursor names its boot: {line}", line.startswith(f"3:{database.BOOT_ID}:3:"))
    write(path, GAP.format(2, 80000, 80001, 5))
    told, _, _ = go_on(path, cursor)
    expect(f"what was lost meanwhile, once: {told}", [(e["event"], e["gap_id"]) for e in told] == [("gap", 2)])
    follower = begun(path, "-n", "1")
    time.sleep(1)
    write(path, GAP.format(3, 80002, 80003, 7))
    time.sleep(1)
    write(path, "UPDATE gap_row SET lost = 9 WHERE gap_id = 3", another(4))
    told, _ = ended(follower, 0)
    expect(f"while it runs, and when it grows: {told}",
           [(e["event"], e.get("lost")) for e in told] == [("gap", 7), ("gap", 9), ("fork", None)])


def check_silence(work):
    """Time without a recorder, and what retention removed."""
    path, cursor = os.path.join(work, "silence.db"), os.path.join(work, "silence")
    make(path)
    go_on(path, cursor)
    with open(cursor, encoding="utf-8") as file:
        fields = file.read().split(":")
    fields[4] = str(time.time_ns() - 7200 * SECOND)
    early = ":".join(fields).strip()
    write(path, "UPDATE recorder_row SET last_boot_ns = (86400 - 3600) * 1000000000, stopped_boot_ns = (86400 - 3600) * 1000000000",
          "INSERT INTO pruned_row VALUES (-1, 7, 1, (86400 - 5000) * 1000000000, (86400 - 4000) * 1000000000)")
    told, _, _ = go_on(path, early)
    expect(f"told: {told}", [e["event"] for e in told] == ["pruned", "not-recorded"] and told[0]["count"] == 7)


def check_other_files(work):
    path, cursor = os.path.join(work, "one.db"), os.path.join(work, "one")
    make(path)
    go_on(path, cursor)
    older = os.path.join(work, "older.db")
    shutil.copy(path, older)
    write(older, "UPDATE cpu_position SET next_seq = next_seq - 1")
    other, same = os.path.join(work, "other.db"), os.path.join(work, "same.db")
    make(other, boot_id="22222222-aaaa-4aaa-8aaa-222222222222")
    make(same, 300)
    for file, words in (other, "does not hold the boot"), (older, "does not have what it has passed"), (same, "another process"):
        _, err, status = go_on(file, cursor, seconds=30)
        expect(f"{file}: {status} {err}", status == 2 and words in err)
    expect("its own goes on", go_on(path, cursor)[2] == -15)
    follower = begun(path)
    time.sleep(1)
    os.replace(other, path)
    _, err = ended(follower, 3)
    expect(f"replaced: {err}", "replaced by another file" in err)


SECOND_BOOT = (
    "INSERT INTO boot VALUES (2, '33333333-aaaa-4aaa-8aaa-333333333333', 'node1', 'x86_64', '6.12.0')",
    f"INSERT INTO clock VALUES (2, 0, {time.time_ns() - 5 * SECOND})",
    "INSERT INTO cpu_position VALUES (2, 0, 0, 1, 0, 0)",
    "INSERT INTO zone VALUES (0, 2, 1000, 1000)")
PROCESS_OF_IT = """INSERT INTO process_row (process_id, boot, pid, start_boot_ns, provenance, fork_cpu, fork_seq, context, image)
    VALUES ({}, 2, {}, 1000, 7 << 6 | 7 << 3, 0, 0, 1, 1)"""


def check_power_cut(work):
    """What was told is gone from the end of a boot; the next one's rows have the numbers of what went."""
    path, cursor = os.path.join(work, "cut.db"), os.path.join(work, "cut")
    make(path)
    before = os.path.join(work, "before.db")
    shutil.copy(path, before)
    write(path, *[another(n) for n in (4, 5, 6)], GAP.format(1, 80000, 80001, 5), "UPDATE cpu_position SET next_seq = 200")
    go_on(path, cursor)
    with open(cursor, encoding="utf-8") as file:
        line = file.read()
    expect(f"the cursor: {line}", ":6:" in line and ":1:0=200" in line)
    _, err, status = go_on(before, line.strip(), seconds=30)
    expect(f"an earlier copy: {status} {err}", status == 2 and "does not have what it has passed" in err)
    write(before, *SECOND_BOOT, GAP.format(1, 1, 2, 5).replace("(1, 1,", "(1, 2,"), *[PROCESS_OF_IT.format(n, n) for n in (4, 5)])
    told, err, status = go_on(before, cursor)
    expect(f"goes on: {status} {err}", status == -15 and "a power cut took it" in err)
    expect(f"what followed, all of it and nothing else: {told}",
           [(e["event"], e.get("pid")) for e in told if e["event"] in ("fork", "exec", "exit")] == [("fork", 4), ("fork", 5)])
    expect(f"a gap with the number of one that was told: {told}", [e["gap_id"] for e in told if e["event"] == "gap"] == [1])
    told, err, _ = go_on(before, cursor)
    expect(f"and once: {told} {err}", told == [] and "power cut" not in err)


def check_without_log(work):
    """A copy, as follow takes it, that somebody writes to all the same; each closes the file again."""
    path = os.path.join(work, "copy.db")
    make(path)
    follower = begun(path, "-n", "6")
    time.sleep(1)
    for number in 4, 5:
        write(path, another(number), wal=number == 5)
        time.sleep(0.6)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(another(6))
    told, _ = ended(follower, 0)
    db.close()
    expect(f"all of them: {told}", [(e["event"], e["pid"]) for e in told] ==
           [(event, pid) for pid in (1004, 1005, 1006) for event in ("fork", "exec")])


def check_reboot(work):
    path = os.path.join(work, "boots.db")
    make(path)
    write(path)
    follower = begun(path, "-n", "1")
    time.sleep(1)
    write(path, *SECOND_BOOT, PROCESS_OF_IT.format(4, 7))
    told, _ = ended(follower, 0)
    expect(f"of the new boot: {told}", told[-1]["pid"] == 7 and told[-1]["boot_id"].startswith("33333333"))


with tempfile.TemporaryDirectory() as directory:
    check_gaps(directory)
    check_silence(directory)
    check_other_files(directory)
    check_power_cut(directory)
    check_without_log(directory)
    check_reboot(directory)
print(f"follow: {checks} checks passed")
