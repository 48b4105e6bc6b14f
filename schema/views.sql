-- The promised views. Made anew whenever the schema version changes, so they always fit the tables.
-- Columns, units and sources: lineage.db(5), which says the same in prose.

-- Not promised: offsets and names that several views share, one row per process.
CREATE VIEW process_base AS
SELECT p.*, b.boot_id,
  (SELECT c.offset_ns FROM clock c WHERE c.boot = p.boot AND c.from_boot_ns <= p.start_boot_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + p.start_boot_ns AS start_unix_ns,
  (SELECT c.offset_ns FROM clock c
   WHERE c.boot = p.boot AND c.from_boot_ns <= p.start_boot_ns + p.end_after_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + p.start_boot_ns + p.end_after_ns AS end_unix_ns,
  (SELECT c.offset_ns FROM clock c
   WHERE c.boot = p.boot AND c.from_boot_ns <= p.start_boot_ns + p.exec_after_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + p.start_boot_ns + p.exec_after_ns AS exec_unix_ns
FROM process_row p JOIN boot b ON b.boot = p.boot;

-- One row per process, as it was when last seen.
CREATE VIEW process AS
SELECT
  p.process_id, p.boot_id, p.pid, p.start_boot_ns,
  p.start_unix_ns,
  strftime('%Y-%m-%dT%H:%M:%S', p.start_unix_ns / 1000000000, 'unixepoch')
    || printf('.%09dZ', p.start_unix_ns % 1000000000) AS start,
  p.end_unix_ns,
  strftime('%Y-%m-%dT%H:%M:%S', p.end_unix_ns / 1000000000, 'unixepoch')
    || printf('.%09dZ', p.end_unix_ns % 1000000000) AS end,
  p.parent_id, parent.pid AS ppid, p.creator_id,
  coalesce(name.value, f.comm) AS comm,
  exe.value AS exe,
  CASE WHEN i.args IS NULL THEN a.args
    ELSE '[' || replace(json_quote(i.args), char(127), '","') || ']' END AS args,
  CASE WHEN i.args IS NULL THEN a.args_count
    ELSE length(i.args) - length(replace(i.args, char(127), '')) + 1 END AS args_count,
  a.args_raw IS NOT NULL AND length(a.args_raw) < a.args_bytes AS args_truncated,
  (p.provenance >> 3) & 7 = 7 AS image_inherited,
  cwd.value AS cwd,
  x.uid, x.euid, x.gid, x.egid, x.loginuid, x.sessionid, x.sid,
  CASE p.pgid WHEN 0 THEN p.pid ELSE coalesce(p.pgid, x.sid) END AS pgid,
  x.tty, coalesce(nullif(p.ns_pid, 0), p.pid) AS ns_pid, x.pid_ns, x.mnt_ns,
  coalesce(nullif(g.path, '/'), g1.path, g.path) AS cgroup,
  coalesce(g.container_id, g1.container_id) AS container_id,
  coalesce(g.container_name, g1.container_name) AS container_name,
  coalesce(g.pod_uid, g1.pod_uid) AS pod_uid,
  coalesce(g.pod_name, g1.pod_name) AS pod_name,
  coalesce(g.pod_namespace, g1.pod_namespace) AS pod_namespace,
  CASE WHEN p.status & 127 = 0 THEN p.status >> 8 END AS exit_code,
  CASE WHEN p.status & 127 <> 0 THEN p.status & 127 END AS exit_signal,
  CASE p.provenance & 7 WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    ELSE 'inferred' END AS provenance,
  CASE (p.provenance >> 3) & 7 WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    WHEN 3 THEN 'inferred' END AS image_provenance,
  CASE (p.provenance >> 6) & 7 WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    WHEN 3 THEN 'inferred' END AS end_provenance
FROM process_base p
LEFT JOIN process_row parent ON parent.process_id = p.parent_id
LEFT JOIN image i ON i.image = p.image
LEFT JOIN program f ON f.program = i.program
LEFT JOIN argv a ON a.image = p.image AND i.args IS NULL
LEFT JOIN text exe ON exe.text = f.exe
LEFT JOIN text cwd ON cwd.text = p.cwd
LEFT JOIN text name ON name.text = p.comm
LEFT JOIN context x ON x.context = coalesce(nullif(p.exec_context, 0), p.context)
LEFT JOIN cgroup g ON g.cgroup = x.cgroup
LEFT JOIN cgroup g1 ON g1.cgroup = x.cgroup_v1;

-- One row per birth.
CREATE VIEW fork AS
SELECT
  p.process_id, p.boot_id, p.pid, p.start_unix_ns AS unix_ns,
  strftime('%Y-%m-%dT%H:%M:%S', p.start_unix_ns / 1000000000, 'unixepoch')
    || printf('.%09dZ', p.start_unix_ns % 1000000000) AS time,
  p.fork_cpu AS cpu, p.fork_seq AS seq,
  CASE p.provenance & 7 WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    ELSE 'inferred' END AS provenance,
  p.parent_id, parent.pid AS ppid, p.creator_id,
  x.uid, x.euid, x.gid, x.egid, x.loginuid, x.sessionid, x.sid,
  coalesce(nullif(p.ns_pid, 0), p.pid) AS ns_pid, x.pid_ns,
  coalesce(nullif(g.path, '/'), g1.path, g.path) AS cgroup
FROM process_base p
LEFT JOIN process_row parent ON parent.process_id = p.parent_id
LEFT JOIN context x ON x.context = p.context
LEFT JOIN cgroup g ON g.cgroup = x.cgroup
LEFT JOIN cgroup g1 ON g1.cgroup = x.cgroup_v1;

-- Not promised: every image of every process, earlier and latest alike. *_context 0 resolved; pgid NULL: the
-- session's.
CREATE VIEW exec_base AS
SELECT p.process_id, p.boot, p.pid, p.start_boot_ns + p.exec_after_ns AS boot_ns,
  p.exec_unix_ns AS unix_ns, (p.provenance >> 3) & 7 AS provenance,
  p.exec_cpu AS cpu, p.exec_after_seq + coalesce(p.fork_seq, 0) AS seq,
  coalesce(nullif(p.exec_context, 0), p.context) AS context,
  coalesce(nullif(p.exec_parent_id, 0), p.parent_id) AS parent_id, p.image, p.cwd, p.comm,
  CASE p.pgid WHEN 0 THEN p.pid ELSE p.pgid END AS pgid, 1 AS latest
FROM process_base p WHERE (p.provenance >> 3) & 7 <> 7
UNION ALL
SELECT e.process_id, e.boot, p.pid, e.boot_ns,
  (SELECT c.offset_ns FROM clock c WHERE c.boot = e.boot AND c.from_boot_ns <= e.boot_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + e.boot_ns,
  e.provenance, e.cpu, e.seq, coalesce(nullif(e.context, 0), p.context),
  coalesce(nullif(e.parent_id, 0), p.parent_id), e.image, e.cwd, e.comm,
  CASE e.pgid WHEN 0 THEN p.pid ELSE e.pgid END, 0
FROM exec_row e JOIN process_row p ON p.process_id = e.process_id;

-- One row per successful exec, and one per image that a snapshot found.
CREATE VIEW exec AS
SELECT
  e.process_id, b.boot_id, e.pid, e.unix_ns,
  strftime('%Y-%m-%dT%H:%M:%S', e.unix_ns / 1000000000, 'unixepoch')
    || printf('.%09dZ', e.unix_ns % 1000000000) AS time,
  e.cpu, e.seq,
  CASE e.provenance WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    ELSE 'inferred' END AS provenance,
  coalesce(name.value, f.comm) AS comm,
  exe.value AS exe,
  coalesce(filename.value, exe.value) AS filename,
  interpreter.value AS interpreter,
  CASE WHEN i.args IS NULL THEN a.args
    ELSE '[' || replace(json_quote(i.args), char(127), '","') || ']' END AS args,
  a.args_raw,
  CASE WHEN i.args IS NULL THEN a.args_count
    ELSE length(i.args) - length(replace(i.args, char(127), '')) + 1 END AS args_count,
  CASE WHEN i.args IS NULL THEN a.args_bytes ELSE length(CAST(i.args AS BLOB)) + 1 END AS args_bytes,
  a.args_raw IS NOT NULL AND length(a.args_raw) < a.args_bytes AS args_truncated,
  cwd.value AS cwd,
  f.dev >> 20 AS dev_major, f.dev & 1048575 AS dev_minor, f.inode,
  f.flags & 1 AS deleted, (f.flags >> 1) & 1 AS memfd,
  (f.flags >> 2) & 1 AS upper_layer, (f.flags >> 3) & 1 AS overlay,
  (f.flags >> 4) & 1 AS exe_truncated, (f.flags >> 5) & 1 AS cwd_truncated,
  (f.flags >> 6) & 1 AS cwd_deleted, (f.flags >> 7) & 1 AS args_unreadable,
  (f.flags >> 8) & 1 AS script, (f.flags >> 9) & 1 AS secure,
  (f.flags >> 12) & 1 AS filename_truncated,
  x.uid, x.euid, x.suid, x.gid, x.egid, x.sgid, x.loginuid, x.sessionid,
  x.cap_effective, x.cap_permitted, x.sid, coalesce(e.pgid, x.sid) AS pgid, x.tty,
  x.pid_ns, x.mnt_ns, x.net_ns, x.user_ns, x.uts_ns, x.ipc_ns, x.cgroup_ns,
  coalesce(nullif(g.path, '/'), g1.path, g.path) AS cgroup,
  coalesce(g.container_id, g1.container_id) AS container_id,
  e.parent_id, parent.pid AS ppid
FROM exec_base e
JOIN boot b ON b.boot = e.boot
LEFT JOIN process_row parent ON parent.process_id = e.parent_id
LEFT JOIN image i ON i.image = e.image
LEFT JOIN program f ON f.program = i.program
LEFT JOIN argv a ON a.image = e.image AND i.args IS NULL
LEFT JOIN text exe ON exe.text = f.exe
LEFT JOIN text filename ON filename.text = f.filename
LEFT JOIN text interpreter ON interpreter.text = f.interpreter
LEFT JOIN text cwd ON cwd.text = e.cwd
LEFT JOIN text name ON name.text = e.comm
LEFT JOIN context x ON x.context = e.context
LEFT JOIN cgroup g ON g.cgroup = x.cgroup
LEFT JOIN cgroup g1 ON g1.cgroup = x.cgroup_v1;

-- One row per end of a process.
CREATE VIEW exit AS
SELECT
  p.process_id, p.boot_id, p.pid, p.end_unix_ns AS unix_ns,
  strftime('%Y-%m-%dT%H:%M:%S', p.end_unix_ns / 1000000000, 'unixepoch')
    || printf('.%09dZ', p.end_unix_ns % 1000000000) AS time,
  p.end_cpu AS cpu, p.end_after_seq + coalesce(p.fork_seq, 0) AS seq,
  CASE (p.provenance >> 6) & 7 WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    WHEN 3 THEN 'inferred' END AS provenance,
  CASE WHEN p.status & 127 = 0 THEN p.status >> 8 END AS exit_code,
  CASE WHEN p.status & 127 <> 0 THEN p.status & 127 END AS exit_signal,
  (p.status >> 7) & 1 AS core_dumped,
  p.user_us, p.system_us, p.max_rss_kib,
  p.end_after_ns AS lifetime_ns,
  coalesce(nullif(p.end_parent_id, 0), p.parent_id) AS parent_id,
  parent.pid AS ppid
FROM process_base p
LEFT JOIN process_row parent
  ON parent.process_id = coalesce(nullif(p.end_parent_id, 0), p.parent_id)
WHERE p.end_after_ns IS NOT NULL;

-- One row per failed execve or execveat.
CREATE VIEW exec_failure AS
SELECT
  e.process_id, b.boot_id, p.pid,
  (SELECT c.offset_ns FROM clock c WHERE c.boot = e.boot AND c.from_boot_ns <= e.boot_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + e.boot_ns AS unix_ns,
  strftime('%Y-%m-%dT%H:%M:%S', ((SELECT c.offset_ns FROM clock c
    WHERE c.boot = e.boot AND c.from_boot_ns <= e.boot_ns
    ORDER BY c.from_boot_ns DESC LIMIT 1) + e.boot_ns) / 1000000000, 'unixepoch')
    || printf('.%09dZ', ((SELECT c.offset_ns FROM clock c
    WHERE c.boot = e.boot AND c.from_boot_ns <= e.boot_ns
    ORDER BY c.from_boot_ns DESC LIMIT 1) + e.boot_ns) % 1000000000) AS time,
  e.cpu, e.seq,
  CASE e.provenance WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    ELSE 'inferred' END AS provenance,
  filename.value AS filename,
  CASE WHEN i.args IS NULL THEN a.args
    ELSE '[' || replace(json_quote(i.args), char(127), '","') || ']' END AS args,
  CASE WHEN i.args IS NULL THEN a.args_count
    ELSE length(i.args) - length(replace(i.args, char(127), '')) + 1 END AS args_count,
  a.args_raw IS NOT NULL AND length(a.args_raw) < a.args_bytes AS args_truncated,
  (f.flags >> 12) & 1 AS filename_truncated,
  e.errno,
  CASE e.errno WHEN 1 THEN 'EPERM' WHEN 2 THEN 'ENOENT' WHEN 5 THEN 'EIO' WHEN 7 THEN 'E2BIG'
    WHEN 8 THEN 'ENOEXEC' WHEN 11 THEN 'EAGAIN' WHEN 12 THEN 'ENOMEM' WHEN 13 THEN 'EACCES'
    WHEN 14 THEN 'EFAULT' WHEN 20 THEN 'ENOTDIR' WHEN 21 THEN 'EISDIR' WHEN 22 THEN 'EINVAL'
    WHEN 23 THEN 'ENFILE' WHEN 24 THEN 'EMFILE' WHEN 26 THEN 'ETXTBSY' WHEN 36 THEN 'ENAMETOOLONG'
    WHEN 40 THEN 'ELOOP' WHEN 80 THEN 'ELIBBAD' ELSE 'errno ' || e.errno END AS error
FROM exec_failure_row e
JOIN boot b ON b.boot = e.boot
JOIN process_row p ON p.process_id = e.process_id
LEFT JOIN image i ON i.image = e.image
LEFT JOIN program f ON f.program = i.program
LEFT JOIN argv a ON a.image = e.image AND i.args IS NULL
LEFT JOIN text filename ON filename.text = f.filename;

-- What is known to be missing.
CREATE VIEW gap AS
SELECT
  b.boot_id, g.cause, g.cpu,
  (SELECT c.offset_ns FROM clock c WHERE c.boot = g.boot AND c.from_boot_ns <= g.from_boot_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + g.from_boot_ns AS from_unix_ns,
  (SELECT c.offset_ns FROM clock c WHERE c.boot = g.boot AND c.from_boot_ns <= g.to_boot_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + g.to_boot_ns AS to_unix_ns,
  g.first_seq, g.last_seq, g.lost, g.recovered, g.detail
FROM gap_row g JOIN boot b ON b.boot = g.boot;

-- One row per run of the daemon. started, stopped and last_seen are RFC 3339 UTC.
CREATE VIEW recorder AS
SELECT
  b.boot_id, r.version, r.config_hash, r.kernel, r.filter,
  (SELECT c.offset_ns FROM clock c WHERE c.boot = r.boot AND c.from_boot_ns <= r.started_boot_ns
   ORDER BY c.from_boot_ns DESC LIMIT 1) + r.started_boot_ns AS started_unix_ns,
  strftime('%Y-%m-%dT%H:%M:%SZ', ((SELECT c.offset_ns FROM clock c
    WHERE c.boot = r.boot AND c.from_boot_ns <= r.started_boot_ns
    ORDER BY c.from_boot_ns DESC LIMIT 1) + r.started_boot_ns) / 1000000000, 'unixepoch') AS started,
  strftime('%Y-%m-%dT%H:%M:%SZ', ((SELECT c.offset_ns FROM clock c
    WHERE c.boot = r.boot AND c.from_boot_ns <= r.last_boot_ns
    ORDER BY c.from_boot_ns DESC LIMIT 1) + r.last_boot_ns) / 1000000000, 'unixepoch') AS last_seen,
  strftime('%Y-%m-%dT%H:%M:%SZ', ((SELECT c.offset_ns FROM clock c
    WHERE c.boot = r.boot AND c.from_boot_ns <= r.stopped_boot_ns
    ORDER BY c.from_boot_ns DESC LIMIT 1) + r.stopped_boot_ns) / 1000000000, 'unixepoch') AS stopped,
  coalesce(r.ended, 'running') AS ended
FROM recorder_row r JOIN boot b ON b.boot = r.boot;

-- Not promised: the image that the parent of an exec had at that moment, where it has run another since. NULL
-- where retention has removed that one.
CREATE VIEW exec_parent_base AS
SELECT e.*, coalesce(
  (SELECT x.image FROM exec_base x
   WHERE x.process_id = e.parent_id AND coalesce(x.boot_ns, 0) <= coalesce(e.boot_ns,
     (SELECT c.start_boot_ns FROM process_row c WHERE c.process_id = e.process_id))
   ORDER BY x.boot_ns DESC LIMIT 1),
  -- It had not called exec yet: what it was born with, from the nearest that had. Who never did has that still.
  (WITH RECURSIVE up(depth, parent_id, at, image) AS (
     SELECT 1, p.parent_id, p.start_boot_ns, CASE (p.provenance >> 3) & 7 WHEN 7 THEN p.image END
     FROM process_row p WHERE p.process_id = e.parent_id
       AND NOT EXISTS (SELECT 1 FROM pruned_exec d WHERE d.process_id = p.process_id AND d.failed = 0
         AND d.from_boot_ns <= coalesce(e.boot_ns,
           (SELECT c.start_boot_ns FROM process_row c WHERE c.process_id = e.process_id)))
     UNION ALL
     SELECT up.depth + 1, p.parent_id, p.start_boot_ns, coalesce(
       (SELECT x.image FROM exec_base x
        WHERE x.process_id = p.process_id AND coalesce(x.boot_ns, 0) <= up.at
        ORDER BY x.boot_ns DESC LIMIT 1),
       CASE (p.provenance >> 3) & 7 WHEN 7 THEN p.image END)
     FROM up JOIN process_row p ON p.process_id = up.parent_id
     WHERE up.image IS NULL AND up.depth < 64
       AND NOT EXISTS (SELECT 1 FROM pruned_exec d WHERE d.process_id = p.process_id AND d.failed = 0
         AND d.from_boot_ns <= up.at AND d.to_boot_ns >= up.at))
   SELECT image FROM up WHERE image IS NOT NULL LIMIT 1),
  (SELECT p.image FROM process_row p WHERE p.process_id = e.parent_id
   AND NOT EXISTS (SELECT 1 FROM pruned_exec d WHERE d.process_id = p.process_id AND d.failed = 0
     AND d.from_boot_ns <= coalesce(e.boot_ns,
       (SELECT c.start_boot_ns FROM process_row c WHERE c.process_id = e.process_id)))))
  AS parent_image
FROM exec_base e;

-- One row per program that a process became, in the names of Sigma's category process_creation.
CREATE VIEW sigma_process_creation AS
SELECT
  e.process_id, b.boot_id, e.unix_ns,
  strftime('%Y-%m-%d %H:%M:%S', e.unix_ns / 1000000000, 'unixepoch')
    || printf('.%03d', e.unix_ns / 1000000 % 1000) AS UtcTime,
  b.hostname AS Computer,
  e.pid AS ProcessId,
  b.boot_id || '/' || e.process_id AS ProcessGuid,
  exe.value AS Image,
  CASE WHEN i.args IS NULL
    THEN (SELECT group_concat(value, ' ') FROM (SELECT value FROM json_each(a.args) ORDER BY key))
    ELSE replace(i.args, char(127), ' ') END
    AS CommandLine,
  cwd.value AS CurrentDirectory,
  CASE x.uid WHEN 0 THEN 'root' ELSE CAST(x.uid AS TEXT) END AS User,
  CAST(x.uid AS TEXT) AS LogonId,
  CAST(x.sessionid AS TEXT) AS TerminalSessionId,
  parent.pid AS ParentProcessId,
  b.boot_id || '/' || e.parent_id AS ParentProcessGuid,
  pexe.value AS ParentImage,
  CASE WHEN pi.args IS NULL
    THEN (SELECT group_concat(value, ' ') FROM (SELECT value FROM json_each(pa.args) ORDER BY key))
    ELSE replace(pi.args, char(127), ' ') END
    AS ParentCommandLine,
  CASE px.uid WHEN 0 THEN 'root' ELSE CAST(px.uid AS TEXT) END AS ParentUser,
  coalesce(g.container_id, g1.container_id) AS ContainerId,
  a.args_raw IS NOT NULL AND length(a.args_raw) < a.args_bytes AS args_truncated,
  CASE e.provenance WHEN 0 THEN 'observed' WHEN 1 THEN 'snapshot' WHEN 2 THEN 'recovered'
    ELSE 'inferred' END AS provenance
FROM exec_parent_base e
JOIN boot b ON b.boot = e.boot
LEFT JOIN image i ON i.image = e.image
LEFT JOIN program f ON f.program = i.program
LEFT JOIN argv a ON a.image = e.image AND i.args IS NULL
LEFT JOIN text exe ON exe.text = f.exe
LEFT JOIN text cwd ON cwd.text = e.cwd
LEFT JOIN context x ON x.context = e.context
LEFT JOIN cgroup g ON g.cgroup = x.cgroup
LEFT JOIN cgroup g1 ON g1.cgroup = x.cgroup_v1
LEFT JOIN process_row parent ON parent.process_id = e.parent_id
LEFT JOIN image pi ON pi.image = e.parent_image
LEFT JOIN program pf ON pf.program = pi.program
LEFT JOIN argv pa ON pa.image = e.parent_image AND pi.args IS NULL
LEFT JOIN text pexe ON pexe.text = pf.exe
LEFT JOIN context px ON px.context = coalesce(nullif(parent.exec_context, 0), parent.context);
