# SPDX-License-Identifier: Apache-2.0
"""Rules in the form of Sigma's category process_creation, translated to SQL over sigma_process_creation.

The translation is the usual one (contains, startswith, endswith and * to LIKE; a list to OR, |all to AND; `1 of`,
`all of`, and, or, not). Each rule must find the processes of an intrusion, and none of those beside it that look alike.

    sigma.py LINEAGE_QUERY
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import database

QUERY = sys.argv[1]
SECOND = database.SECOND

# What each rule says, and the pids that it must find.
RULES = [
    ("decoding into a shell", {
        "decode": {"CommandLine|contains|all": ["base64", " -d"]},
        "shell": {"CommandLine|contains": ["| bash", "| sh", "|bash", "|sh"]},
        "condition": "decode and shell"}, [210]),
    ("web shell", {
        "selection_server": {"ParentImage|endswith": ["/nginx", "/apache2", "/httpd", "/lighttpd"]},
        "selection_tomcat": {"ParentImage|endswith": "/bin/java", "ParentCommandLine|contains|all": ["-Dcatalina", "tomcat"]},
        "tools": {"Image|endswith": ["/whoami", "/id", "/uname", "/sh", "/dash", "/bash"]},
        "condition": "1 of selection_* and tools"}, [220, 221]),
    ("run from shared memory", {
        "selection": {"Image|startswith": "/dev/shm/"}, "condition": "selection"}, [230]),
    ("curl to a file in /tmp", {
        "selection_img": {"Image|endswith": "/curl"},
        "selection_out": [{"CommandLine|contains": " -o /tmp/"}, {"CommandLine|contains": "--output /tmp/"}],
        "filter_health": {"ParentImage|endswith": "/cron"},
        "condition": "all of selection_* and not 1 of filter_*"}, [240, 241]),
    ("history cleared", {
        "eraser": {"Image|endswith": ["/rm", "/shred", "/truncate"], "CommandLine|contains": [".bash_history", ".zsh_history"]},
        "condition": "eraser"}, [250]),
    ("a script of the agent as root, in its directory", {
        "selection": {"User": "root", "LogonId": "0", "CurrentDirectory": "/var/opt/agent/tmp",
                      "CommandLine|contains": "/etc/opt/agent/conf/tmpdir/"},
        "condition": "selection"}, [260]),
    ("sudo as nobody", {
        "selection": {"Image|endswith": "/sudo", "CommandLine|contains": " -u#"}, "condition": "selection"}, [270]),
    ("a shell below an interpreter, wildcards within", {
        "parent": {"ParentImage": "/usr/bin/python3*"},
        "child": {"CommandLine": ["*sh -i", "/bin/?sh -i"]},
        "condition": "parent and child"}, [280]),
    ("another session than the login's", {
        "selection": {"TerminalSessionId": "3", "User": "1000", "Image|endswith": "/nc"},
        "condition": "selection"}, [290]),
    ("the parent as it was then", {
        "selection": {"ParentImage|endswith": "/env", "Image|endswith": "/setup"}, "condition": "selection"}, [301]),
    ("a parent that was found running", {
        "selection": {"ParentImage|endswith": "/httpd", "Image|endswith": "/ash"}, "condition": "selection"}, [311]),
    ("parents that had not called exec yet", {
        "selection": {"ParentImage|endswith": "/pipeline", "Image|endswith": "/stage"}, "condition": "selection"}, [323]),
]


def like(value, modifiers):
    text = str(value).replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    if not modifiers:
        text = text.replace("*", "%").replace("?", "_")
    before = "%" if {"contains", "endswith"} & set(modifiers) else ""
    after = "%" if {"contains", "startswith"} & set(modifiers) else ""
    return "'" + (before + text + after).replace("'", "''") + r"' ESCAPE '\'"


def item_sql(key, values):
    field, *modifiers = key.split("|")
    every = "all" in modifiers
    modifiers = [m for m in modifiers if m != "all"]
    values = values if isinstance(values, list) else [values]
    terms = [f"coalesce({field}, '') LIKE {like(v, modifiers)}" for v in values]
    return "(" + (" AND " if every else " OR ").join(terms) + ")"


def selection_sql(selection):
    if isinstance(selection, list):
        return "(" + " OR ".join(selection_sql(s) for s in selection) + ")"
    return "(" + " AND ".join(item_sql(k, v) for k, v in selection.items()) + ")"


def condition_sql(rule):
    named = {name: selection_sql(s) for name, s in rule.items() if name != "condition"}

    def of(match):
        names = [n for n in named if re.fullmatch(match[2].replace("*", ".*"), n)]
        return "(" + (" AND " if match[1] == "all" else " OR ").join(named[n] for n in names) + ")"
    words = re.split(r"((?:1|all) of \S+|\(|\)|\s+)", rule["condition"])
    out = []
    for word in words:
        match = re.fullmatch(r"(1|all) of (\S+)", word)
        out.append(of(match) if match else named.get(word, word))
    return "".join(out)


def build(path):
    d = database.Database(path)
    d.boot()
    d.cgroup(1, "/system.slice/x.service")
    d.context(1, 0, 1)
    d.context(2, 1000, 1)
    top = d.process(1, 0, None, d.image("/lib/systemd/systemd", ["/sbin/init"]))
    bash = d.process(100, SECOND, top, d.image("/usr/bin/bash", ["-bash"]), context=2)
    cron = d.process(101, SECOND, top, d.image("/usr/sbin/cron", ["cron"]))
    nginx = d.process(102, SECOND, top, d.image("/usr/sbin/nginx", ["nginx: worker process"]))
    tomcat = d.process(103, SECOND, top, d.image("/usr/lib/jvm/17/bin/java", ["java", "-Dcatalina.home=/opt/tomcat9"]))
    java = d.process(104, SECOND, top, d.image("/usr/lib/jvm/17/bin/java", ["java", "-jar", "app.jar"]))
    python = d.process(105, SECOND, top, d.image("/usr/bin/python3.11", ["python3", "-c", "import pty"]))
    at = [2]

    def run(pid, parent, exe, args, **more):
        at[0] += 1
        return d.process(pid, at[0] * SECOND, parent, d.image(exe, args), SECOND, **{"context": 2, **more})
    run(210, bash, "/usr/bin/bash", ["bash", "-c", "echo aGkK | BASE64 -d | bash"])
    run(211, bash, "/usr/bin/base64", ["base64", "-d", "x"])
    run(220, nginx, "/usr/bin/dash", ["sh", "-c", "ls"])
    run(221, tomcat, "/usr/bin/whoami", ["whoami"])
    run(222, java, "/usr/bin/whoami", ["whoami"])
    run(223, nginx, "/usr/bin/logrotate", ["logrotate"])
    run(230, bash, "/dev/shm/x", ["./x"])
    run(231, bash, "/usr/bin/ls", ["ls", "/dev/shm/"])
    run(240, bash, "/usr/bin/curl", ["curl", "-s", "http://example.org/a", "-o", "/tmp/a"])
    run(241, bash, "/usr/bin/curl", ["curl", "--output", "/tmp/b", "http://example.org/b"])
    run(242, cron, "/usr/bin/curl", ["curl", "-o", "/tmp/health", "http://example.org/"])
    run(250, bash, "/usr/bin/rm", ["rm", "-f", "/home/ann/.bash_history"])
    run(251, bash, "/usr/bin/cat", ["cat", "/home/ann/.bash_history"])
    line = ["/bin/sh", "/etc/opt/agent/conf/tmpdir/a1"]
    run(260, top, "/usr/bin/dash", line, context=1, cwd="/var/opt/agent/tmp")
    run(261, top, "/usr/bin/dash", line, context=2, cwd="/var/opt/agent/tmp")
    run(262, top, "/usr/bin/dash", line, context=1, cwd="/")
    run(270, bash, "/usr/bin/sudo", ["sudo", "-u#-1", "id"])
    run(271, bash, "/usr/bin/sudo", ["sudo", "-u", "ann", "id"])
    run(280, python, "/usr/bin/dash", ["/bin/dsh", "-i"])
    run(281, bash, "/usr/bin/dash", ["/bin/sh", "-i"])
    run(290, bash, "/usr/bin/nc", ["nc", "-l", "4444"])
    # It ran env, which started setup, and then became something else, which started it again.
    changing = d.process(300, 50 * SECOND, bash, d.image("/usr/bin/late", ["late"]), 20 * SECOND, 0, 2)
    d.run("UPDATE process_row SET exec_after_ns = ? WHERE process_id = ?", 10 * SECOND, changing)
    d.earlier_image(changing, 51 * SECOND, d.image("/usr/bin/env", ["env", "-i", "setup"]))
    at[0] = 51
    run(301, changing, "/usr/bin/setup", ["setup"])
    at[0] = 62
    run(302, changing, "/usr/bin/setup", ["setup"])
    httpd = d.process(310, SECOND, top, d.image("/usr/sbin/httpd", ["httpd"]), snapshot=1)
    d.process(311, 2 * SECOND, httpd, d.image("/usr/bin/ash", ["ash"]), snapshot=1)
    # Each forks the next, and all of them call exec a second later.
    above = d.process(320, 70 * SECOND, top, d.image("/usr/bin/pipeline", ["pipeline"]))
    for pid, exe in ((321, "/usr/bin/first"), (322, "/usr/bin/second"), (323, "/usr/bin/stage")):
        above = d.process(pid, 71 * SECOND + pid, above, d.image(exe, [exe]), 5 * SECOND)
        d.run("UPDATE process_row SET exec_after_ns = ? WHERE process_id = ?", SECOND - 2 * pid, above)
    d.finish()


def ask(path, statement):
    done = subprocess.run([QUERY, "sql", "-o", "json", statement, "--db", path], capture_output=True, text=True)
    if done.returncode > 1:
        raise SystemExit(f"FAIL {statement}: {done.stderr}")
    return json.loads(done.stdout)


with tempfile.TemporaryDirectory() as directory:
    file = os.path.join(directory, "sigma.db")
    build(file)
    for title, rule, wanted in RULES:
        sql = "SELECT ProcessId FROM sigma_process_creation WHERE " + condition_sql(rule) + " ORDER BY 1"
        found = [row["ProcessId"] for row in ask(file, sql)]
        if found != wanted:
            raise SystemExit(f"FAIL {title}: {found}, not {wanted}\n{sql}")
    row = ask(file, "SELECT * FROM sigma_process_creation WHERE ProcessId = 240")[0]
    wanted = {"UtcTime": "2026-11-20 00:00:11.001", "Computer": "node1", "Image": "/usr/bin/curl", "User": "1000",
              "CommandLine": "curl -s http://example.org/a -o /tmp/a", "ParentImage": "/usr/bin/bash",
              "ParentCommandLine": "-bash", "ParentProcessId": 100, "ParentUser": "1000", "provenance": "observed"}
    if {k: row[k] for k in wanted} != wanted:
        raise SystemExit(f"FAIL a row: {row}")
print(f"sigma: {len(RULES)} rules")
