# SPDX-License-Identifier: Apache-2.0
"""Exported evidence: closed, verified, honest about what it left out, and without secrets where that was asked for.

    evidence.py LINEAGE_QUERY HOSTILE_DATABASE LARGE_DATABASE
"""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import database

QUERY, HOSTILE, LARGE = sys.argv[1:4]
checks = 0
SECRETS = [
    (["mysql", "-uroot", "-pS3cret1", "shop"], "S3cret1"),
    (["psql", "--password=S3cret2"], "S3cret2"),
    (["tool", "--api-key", "S3cret3", "--verbose"], "S3cret3"),
    (["env", "AWS_SECRET_ACCESS_KEY=S3cret4", "aws"], "S3cret4"),
    (["git", "clone", "https://bob:S3cret5@example.org/x.git"], "S3cret5"),
    (["curl", "-u", "bob:S3cret6", "https://example.org/"], "S3cret6"),
    (["curl", "-H", "Authorization: Bearer S3cret7"], "S3cret7"),
    (["sh", "-c", "PGPASSWORD=S3cret8 psql; mysql --password='x' --token=S3cret9"], "S3cret8"),
    (["sshpass", "-p", "S3cret10", "ssh", "host"], "S3cret10"),
    ([b"tool", b"--password=S3cret11", b"\xff"], "S3cret11"),
    (["tool", "--passphrase=correct horse S3cret12"], "S3cret12"),
    (["sh", "-c", "curl --token 'S3cret13 x' && PGPASSWORD=\"a S3cret14\" psql mydb"], "S3cret14"),
    (["tool", "--case", "PROJECT-X-4711"], "PROJECT-X-4711"),
    (["sudo", "mysql", "-pS3cret15"], "S3cret15"),
    (["ssh", "host", "mysql -pS3cret16 shop"], "S3cret16"),
]


def expect(what, condition):
    global checks
    checks += 1
    if not condition:
        raise SystemExit(f"FAIL {what}")


def ask(*words, status=0):
    done = subprocess.run([QUERY, *words], capture_output=True, text=True)
    expect(f"{words}: status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}", done.returncode == status)
    return done.stdout


def sql(path, statement):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute(statement).fetchall()


def export(source, path, *question):
    out = ask("export", "-o", path, "--db", source, "--utc", *question)
    digest = out.split("sha256: ")[1].strip()
    expect("only its owner may read it", os.stat(path).st_mode & 0o777 == 0o600)
    expect("one file", not os.path.exists(path + "-wal") and not os.path.exists(path + "-shm"))
    expect("the digest is in it", sql(path, "SELECT value FROM meta WHERE name = 'export.sha256'") == [(digest,)])
    ask("verify", "--db", path)
    return digest, json.loads(sql(path, "SELECT value FROM meta WHERE name = 'export.manifest'")[0][0])


def check_window(directory):
    path = os.path.join(directory, "window.lineage")
    window = ["--since", "2026-11-20 01:00", "--until", "2026-11-20 02:00"]
    digest, manifest = export(LARGE, path, *window)
    again, _ = export(LARGE, path + "2", *window)
    same = [sql(p, "SELECT * FROM process_row") == sql(path, "SELECT * FROM process_row") for p in (path, path + "2")]
    expect("the same question, the same rows", all(same) and again != digest)  # the manifest has another time
    expect("nothing points out of it", sql(path, """SELECT count(*) FROM process_row p WHERE
        parent_id NOT IN (SELECT process_id FROM process_row) OR creator_id NOT IN (SELECT process_id FROM process_row)
        OR image NOT IN (SELECT image FROM image) OR context NOT IN (SELECT context FROM context)""") == [(0,)])
    rows = sql(path, "SELECT count(*) FROM process")[0][0]
    expect("counts", manifest["processes"] == rows > manifest["processes_asked_for"] > 1000)
    for verb in (["window", *window, "--utc"], ["search", *window, "--utc", "--exe", "curl", "-n", "100000"]):
        answers = [[json.loads(line) for line in ask(*verb, "-o", "ndjson", "--db", p).splitlines()] for p in (LARGE, path)]
        expect(f"{verb[0]}: the same processes", answers[0][:-1] and
               [{k: v for k, v in p.items() if k != "pruned_children"} for p in answers[1][:-1]] == answers[0][:-1])
    outside = json.loads(ask("window", "--since", "2026-11-20 04:00", "--until", "2026-11-20 05:00", "--utc", "-o",
                             "json", "--db", path, status=1))["completeness"]
    expect("outside of its time it claims nothing", any(m.get("cause") == "not_exported" for m in outside["missing"]))
    ask("export", "-o", path, "--db", LARGE, *window, status=2)  # never over a file that is there
    return path


def check_pruned(directory):
    """What retention had removed is missing in a copy as it was before, and what a copy left out is not lost."""
    source, path, other = (os.path.join(directory, n) for n in ("pruned.db", "pruned.lineage", "two.lineage"))
    for name, boot_id in (source, database.BOOT_ID), (source + "2", "22222222-aaaa-4aaa-8aaa-222222222222"):
        d = database.Database(name)
        d.boot(boot_id=boot_id)
        d.cgroup(1, "/x")
        d.context(1, 0, 1)
        second = database.SECOND
        top = d.process(1, 0, None, d.image("/sbin/init", ["init"]), snapshot=1)
        gone = d.process(9, second, top, d.image("/bin/sh", ["sh"]))
        shell = d.process(200, 100 * second, top, d.image("/bin/bash", ["bash"]))
        for i in range(5):
            d.process(300 + i, (200 + 20 * i) * second, shell, d.image("/usr/bin/curl", ["curl"]), 5 * second)
        for row in (shell, 2, 210, 250), (gone, 3, 500, 600), (-1, 4, 520, 610):
            d.run("INSERT INTO pruned_row VALUES (?, ?, 1, ?, ?)", row[0], row[1], row[2] * second, row[3] * second)
        for row in (shell, 0, 36, 210, 250), (gone, 0, 5, 505, 600), (gone, 1, 6, 506, 600):
            d.run("INSERT INTO pruned_exec VALUES (?, ?, ?, 1, ?, ?, ?)", *row[:3], *[n * second for n in row[3:]],
                  row[4] * second)
        d.run("INSERT INTO pruned_row VALUES (-7, 3, 0, ?, ?)", *[database.EPOCH_NS - n * second for n in (90000, 80000)])
        d.run("INSERT INTO pruned_row VALUES (-8, 8, 0, ?, ?)", *[database.EPOCH_NS - n * second for n in (7200, 3600)])
        d.finish()
    part = ["--since", "2026-11-20 00:04:12", "--until", "2026-11-20 00:08", "--utc"]
    _, manifest = export(source, path, *part)
    expect("as before, complete", ask("window", *part, "--strict", "--db", path).endswith("\ncomplete\n"))
    expect("children left out are counted", manifest["children_left_out"] == 3 + 1 + 2)
    part = ["--since", "2026-11-20 00:04:21", "--until", "2026-11-20 00:10:05", "--utc"]
    outs = [ask("window", *part, "--strict", "-o", "json", "--db", source, status=4)]
    ask("export", "-o", other, "--db", source, "--db", source + "2", *part)
    outs.append(ask("window", *part, "--strict", "-o", "json", "--db", other, status=4))
    missing = [json.loads(out)["completeness"]["missing"] for out in outs]
    told = [[(m["kind"], m["count"]) for m in all_of] for all_of in missing]
    expect(f"the copy misses what the record misses: {told}",
           told[0] == [("pruned", 7), ("pruned-execs", 5), ("pruned-failed-execs", 6)] and told[1] == 2 * told[0])
    removed = sql(other, "SELECT failed, execs FROM pruned_exec WHERE process_id = "
                  "(SELECT min(process_id) FROM process WHERE pid = 200) ORDER BY 1")
    expect(f"with the process: {removed}", removed == [(0, 36)])
    before = json.loads(ask("window", "--since", "2026-11-19 22:10", "--until", "2026-11-19 22:50", "--utc", "-o", "json",
                            "--db", other, status=1))["completeness"]["missing"]
    expect(f"boots that were removed: {before}", [(m["kind"], m.get("count")) for m in before][:1] == [("pruned", 16)])
    expect("under its boot", sql(other, "SELECT parent_id, boot FROM pruned_row WHERE parent_id < 0 AND boot > 0") ==
           [(-2, 2), (-1, 1)] and sql(other, "SELECT process_id, failed, boot FROM pruned_exec WHERE process_id < 0") ==
           [(-2, 0, 2), (-2, 1, 2), (-1, 0, 1), (-1, 1, 1)])
    ask("verify", "--db", other)


def check_tampering(path):
    for change in ("UPDATE process_row SET pid = 4242 WHERE process_id = (SELECT max(process_id) FROM process_row)",
                   "UPDATE image SET args = 'rm' WHERE image = (SELECT min(image) FROM image)",
                   "UPDATE gap_row SET lost = 0 WHERE lost > 0", "INSERT INTO text VALUES (999999, 'x', NULL)",
                   "DELETE FROM meta WHERE name LIKE 'export.%'", "DELETE FROM meta WHERE name = 'export.manifest'",
                   "DELETE FROM meta WHERE name = 'export.sha256'",
                   "UPDATE meta SET value = replace(value, 'node1', 'node2') WHERE name = 'export.manifest'",
                   "DROP VIEW gap"):
        copy = path + ".copy"
        shutil.copy(path, copy)
        with sqlite3.connect(copy) as db:
            db.execute(change)
        db.close()
        out = ask("verify", "--db", copy, status=4)
        expect(f"{change}: found", "digest:" in out)
        os.unlink(copy)


def check_selection(directory):
    path = os.path.join(directory, "curl.lineage")
    _, manifest = export(LARGE, path, "--exe", "curl", "--uid", "1000")
    kept = sql(path, "SELECT count(*) FROM process WHERE exe LIKE '%/curl'")[0][0]
    expect("what was asked for is there", kept > 1000 and manifest["processes_asked_for"] > 1000)
    completeness = json.loads(ask("search", "--exe", "git", "-o", "json", "--db", path).strip())["completeness"]
    expect("it says what it is limited to", "exported only --uid 1000 --exe curl" in completeness["recorded_only"] or
           "exported only --exe curl --uid 1000" in completeness["recorded_only"])
    one = os.path.join(directory, "one.lineage")
    pid = sql(LARGE, "SELECT pid FROM process WHERE exe LIKE '%/cron'")[0][0]
    _, manifest = export(LARGE, one, str(pid))
    expect("a process and its family", manifest["processes"] == manifest["processes_asked_for"] + 1 > 1000)


def check_secrets(directory):
    source, path, plain = (os.path.join(directory, n) for n in ("secrets.db", "redacted.lineage", "plain.lineage"))
    d = database.Database(source)
    d.boot()
    d.cgroup(1, "/token=S3cret0")
    d.context(1, 0, 1)
    top = d.process(1, 0, None, d.image("/sbin/init", ["init"]), comm="PROJECT-X")
    for i, (args, _) in enumerate(SECRETS):
        name = args[0].decode() if isinstance(args[0], bytes) else args[0]
        d.process(10 + i, (i + 1) * database.SECOND, top, d.image("/usr/bin/" + name, args), database.SECOND)
    d.process(90, 50 * database.SECOND, top, d.image("/usr/bin/ls", ["ls", "-p", "--passive", "secretary", "--compass=north"]), 1000)
    d.finish()
    export(source, plain)
    _, manifest = export(source, path, "--redact", "--redact-also", "PROJECT-X-[0-9]+")
    with open(path, "rb") as file:
        raw = file.read()
    with open(plain, "rb") as file:
        original = file.read()
    for args, secret in SECRETS:
        expect(f"{secret} was there", secret.encode() in original)
        expect(f"{args}: gone, from free space too", secret.encode() not in raw)
    expect("what a shell runs stays to be read", b"psql mydb" in raw)
    expect("the second of a word", b"S3cret9" not in raw and b"S3cret13" not in raw)
    expect(f"counted: {manifest['redacted_secrets']} in {manifest['redacted_images']}", manifest["redacted"] and manifest["redacted_secrets"] >= 16 and
           manifest["redacted_images"] == len(SECRETS))
    kept = {row[0] for row in sql(path, "SELECT args FROM process")}
    expect("the rest stays", '["ls","-p","--passive","secretary","--compass=north"]' in {k.replace(", ", ",") for k in kept} and
           '["mysql","-uroot","-p[redacted]","shop"]' in kept and
           '["git","clone","https://bob:[redacted]@example.org/x.git"]' in kept)
    ask("export", "-o", path + "3", "--db", source, "--redact-also", "(", status=2)


# Whoever looks for a secret that got out names it, in one of these ways.
QUESTIONS = [["--args", "S3cret1"], ["--grep", "S3cret[1]"], ["--args", "--password=S3cret2"], ["--cgroup", "/token=S3cret0"],
             ["--comm", "PROJECT-X"]]


def check_question(directory):
    """Neither the question nor what to redact besides may tell what was redacted."""
    source = os.path.join(directory, "secrets.db")
    for i, question in enumerate(QUESTIONS):
        path = os.path.join(directory, f"question{i}.lineage")
        found = subprocess.run([QUERY, "search", "-q", "--db", source, *question], capture_output=True, check=False)
        expect(f"{question} finds something", found.returncode == 0)
        _, manifest = export(source, path, "--redact", "--redact-also", "PROJECT-X", *question)
        with open(path, "rb") as file:
            raw = file.read()
        expect(f"{question}: nothing of it", b"S3cret" not in raw and b"PROJECT-X" not in raw)
        expect("that there was a question is told", question[0] in manifest["question"] and
               f"exported only {question[0]} " in sql(path, "SELECT filter FROM recorder")[0][0])
        expect("how many patterns", manifest["redact_also_patterns"] == 1 and "redact_also" not in manifest)


def check_everywhere(directory):
    """Every text of the copy, also where a process cannot write, and argv of which only the bytes are known."""
    source, path = (os.path.join(directory, n) for n in ("everywhere.db", "everywhere.lineage"))
    d = database.Database(source)
    d.boot("node-PROJECT-X")
    d.cgroup(1, "/PROJECT-X.slice", *["PROJECT-X"] * 7)
    d.context(1, 0, 1)
    top = d.process(1, 0, None, d.image("/sbin/PROJECT-X", ["init"], comm="PROJECT-X"), comm="PROJECT-X", cwd="/PROJECT-X")
    d.process(2, database.SECOND, top, d.image(b"/\xff/PROJECT-X", ["x"], comm="x"), database.SECOND)
    image = d.image("/bin/raw", ["raw"])
    d.run("UPDATE image SET args = NULL WHERE image = ?", image)
    d.run("INSERT INTO argv VALUES (?, NULL, ?, 4, 200)", image, b"raw\0--password=S3cret1\0PROJECT-X\0cut")
    d.process(3, 2 * database.SECOND, top, image, database.SECOND)
    d.failure(top, 3 * database.SECOND, d.image("/opt/PROJECT-X", ["x", "--token", "S3cret2"]), 2)
    d.lose(70 * database.SECOND, 80 * database.SECOND, 12)
    d.run("UPDATE gap_row SET detail = 'PROJECT-X --password=S3cret3'")
    d.run("UPDATE recorder_row SET filter = 'cgroup /PROJECT-X', kernel = 'PROJECT-X', version = 'PROJECT-X'")
    d.run("UPDATE boot SET machine = 'PROJECT-X', kernel = 'PROJECT-X'")
    d.finish()
    os.rename(source, os.path.join(directory, "PROJECT-X.db"))
    _, manifest = export(os.path.join(directory, "PROJECT-X.db"), path, "--redact", "--redact-also", "PROJECT-X")
    with open(path, "rb") as file:
        raw = file.read()
    for secret in (b"PROJECT-X", b"S3cret1", b"S3cret2", b"S3cret3"):
        expect(f"{secret}: nowhere", secret not in raw)
    expect("what is unknown stays so", sql(path, "SELECT args, args_raw FROM argv WHERE args IS NULL") ==
           [(None, b"raw\0--password=[redacted]\0[redacted]\0cut\0")])
    expect("boots stay apart", manifest["boots"][0]["boot_id"] == database.BOOT_ID and
           manifest["boots"][0]["host"] == "node-[redacted]")


def check_hostile(directory):
    path = os.path.join(directory, "hostile.lineage")
    _, manifest = export(HOSTILE, path)
    expect("hostile bytes are kept as they are", sql(path, "SELECT pid, args, args_raw, exe, cwd FROM exec ORDER BY 1, 2")
           == sql(HOSTILE, "SELECT pid, args, args_raw, exe, cwd FROM exec ORDER BY 1, 2"))
    expect("failed execs too", sql(path, "SELECT count(*) FROM exec_failure") == [(1,)] and manifest["exec_failures"] == 1)
    tree = [ask("tree", "200", "-o", "csv", "-q", "--db", p) for p in (HOSTILE, path)]
    expect("the same tree", tree[0] == tree[1] and len(tree[0]) > 10000)
    ask("search", "--exe", "env", "--db", HOSTILE, "--db", path, status=2)  # each would count twice
    ask("verify", "--db", HOSTILE, "--db", path)


# What every verb is asked of a file, and what of the answer may differ with the file.
VERBS = [["tree", "105"], ["tree", "--at", "2026-11-20 03:00", "--utc", "--no-fold"], ["window", "--since", "2026-11-20 02:00",
         "--until", "2026-11-20 03:00", "--utc", "--no-fold"], ["search", "--exe", "curl", "-n", "100000"], ["show", "105"],
         ["why", "105"], ["stats"], ["diff", "--since", "2026-11-20 02:00", "--until", "2026-11-20 03:00", "--utc"], ["boots"],
         ["status"], ["verify"], ["sql", "SELECT count(*) FROM process"],
         ["follow", "--cursor", "3::100:0:0:0:", "-n", "5"]]


def check_verbs(path, *more):
    for verb in VERBS:
        ask(*verb, "--db", path, *more)
    report = os.path.join(os.path.dirname(path), "verbs.html")
    subprocess.run([QUERY, "report", "-o", report, "--db", path], check=True, capture_output=True)
    with open(report, encoding="utf-8") as file:
        expect("report", len(file.read()) > 10000)


def check_several(directory):
    """Two hosts in one file: all of both, nothing mixed up, and the same answers as of the two together."""
    other, empty, path = (os.path.join(directory, n) for n in ("other.db", "empty.db", "both.lineage"))
    database.large(other, 3000, "node2", "22222222-aaaa-4aaa-8aaa-222222222222")
    d = database.Database(empty)
    d.boot("node3", 1, "33333333-aaaa-4aaa-8aaa-333333333333")
    d.finish()
    _, manifest = export(LARGE, path, "--db", other, "--db", empty)
    wanted = [sql(p, "SELECT count(*) FROM process")[0][0] for p in (LARGE, other)]
    expect("all of both", sql(path, "SELECT boot_id, count(*) FROM process GROUP BY 1") ==
           [(database.BOOT_ID, wanted[0]), ("22222222-aaaa-4aaa-8aaa-222222222222", wanted[1])])
    for view in ("process", "exec", "exit", "fork", "exec_failure", "gap", "recorder", "sigma_process_creation"):
        names = [r[0] for r in sql(path, f"SELECT name FROM pragma_table_info('{view}')")]
        # Numbers within the file are its own.
        names = [n for n in names if n not in ("process_id", "parent_id", "creator_id") and not n.endswith("Guid")]
        statement = f"SELECT {', '.join(names)} FROM {view} ORDER BY {', '.join(str(i + 1) for i in range(len(names)))}"
        apart = [row for p in (LARGE, other) for row in sql(p, statement)]
        key = repr
        expect(f"view {view}", sorted(sql(path, statement), key=key) == sorted(apart, key=key))
    edges = """SELECT c.boot_id, c.pid, c.start_boot_ns, p.boot_id, p.pid, p.start_boot_ns FROM process c
        LEFT JOIN process p ON p.process_id = c.parent_id ORDER BY 1, 2, 3"""
    expect("parents", sql(path, edges) == sorted(sql(LARGE, edges) + sql(other, edges)))
    expect("manifest", [b["host"] for b in manifest["boots"]] == ["node1", "node2"] and len(manifest["databases"]) == 3
           and len(manifest["recorders"]) == 3)
    for verb in (["search", "--exe", "curl", "--uid", "1000"], ["window", "--since", "2026-11-20 01:00", "--until",
                                                               "2026-11-20 01:10"]):
        def told(*dbs):
            out = ask(*verb, "--utc", "-o", "csv", "-q", "--fields", "host,start,pid,ppid,command_line,exit_code", *dbs)
            return sorted(out.splitlines())
        expect(f"{verb[0]}: as of the two together", told("--db", path) == told("--db", LARGE, "--db", other) != [])
    check_verbs(path)
    # What was exported is exported again, with others, and knows where it came from.
    again = os.path.join(directory, "again.lineage")
    _, manifest = export(path, again, "--exe", "curl")
    expect("where it came from", len(manifest["databases"][0]["export_sha256"]) == 64)
    out = subprocess.run([QUERY, "export", "-o", again + "2", "--db", path, "--db", other], capture_output=True, text=True)
    expect(f"a boot in both: {out.stderr}", out.returncode == 2 and "both hold boot 22222222" in out.stderr and
           not os.path.exists(again + "2"))


with tempfile.TemporaryDirectory() as work:
    check_several(work)
    check_tampering(check_window(work))
    check_selection(work)
    check_pruned(work)
    check_secrets(work)
    check_question(work)
    check_everywhere(work)
    check_hostile(work)
print(f"evidence: {checks} checks passed")
