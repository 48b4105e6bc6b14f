-- What the database says about each process that the truth file (truth.h) speaks of, under the same keys,
-- and where the two differ. Reads the promised views only. Prints nothing where all is right.
-- Parameters: $TRUTH, a JSON array of the lines of the truth file, is put in by lib.sh.
CREATE TEMP TABLE truth AS
SELECT value AS facts, json_extract(value, '$.case') AS name, json_extract(value, '$.pid') AS pid,
  json_extract(value, '$.start_ticks') AS ticks
FROM json_each(readfile('$TRUTH'));

-- USER_HZ is 100: /proc gives the start in units of 10 ms, rounded down.
CREATE TEMP TABLE matched AS
SELECT t.rowid AS truth, p.process_id
FROM truth t JOIN process p ON p.pid = t.pid AND p.start_boot_ns / 10000000 = t.ticks;

CREATE TEMP TABLE latest AS
SELECT * FROM (
  SELECT e.*, row_number() OVER (PARTITION BY e.process_id ORDER BY e.unix_ns DESC) AS age
  FROM exec e WHERE e.process_id IN (SELECT process_id FROM matched)) WHERE age = 1;

CREATE TEMP TABLE seen AS
SELECT m.truth, json_object(
  'pid', p.pid, 'start_ticks', p.start_boot_ns / 10000000,
  'ppid', p.ppid, 'creator_pid', (SELECT c.pid FROM process c WHERE c.process_id = p.creator_id),
  'exec_ppid', e.ppid, 'end_ppid', x.ppid,
  'exe', p.exe, 'comm', p.comm, 'cwd', p.cwd,
  'args', json((SELECT json_group_array(value) FROM json_each(p.args))),
  'args_count', p.args_count, 'args_truncated', p.args_truncated,
  'args_bytes', e.args_bytes, 'args_raw', hex(e.args_raw),
  'args_prefix', coalesce(hex(substr(e.args_raw, 1, 4096)), ''),
  'image_inherited', p.image_inherited,
  'filename', e.filename, 'interpreter', e.interpreter, 'script', e.script,
  'memfd', e.memfd, 'deleted', e.deleted, 'secure', e.secure,
  'overlay', e.overlay, 'upper_layer', e.upper_layer,
  'exe_truncated', e.exe_truncated, 'cwd_deleted', e.cwd_deleted,
  'dev_major', e.dev_major, 'dev_minor', e.dev_minor, 'inode', e.inode,
  'uid', p.uid, 'euid', p.euid, 'suid', e.suid, 'gid', p.gid, 'egid', p.egid, 'sgid', e.sgid,
  'cap_effective', e.cap_effective, 'cap_permitted', e.cap_permitted,
  'sid', p.sid, 'pgid', p.pgid, 'ns_pid', p.ns_pid,
  'pid_ns', p.pid_ns, 'mnt_ns', p.mnt_ns, 'net_ns', e.net_ns, 'user_ns', e.user_ns,
  'uts_ns', e.uts_ns, 'ipc_ns', e.ipc_ns, 'cgroup_ns', e.cgroup_ns,
  'exit_code', p.exit_code, 'exit_signal', p.exit_signal, 'core_dumped', x.core_dumped,
  'lifetime_ms', x.lifetime_ns / 1000000, 'max_rss_kib', x.max_rss_kib,
  'cpu_ms', (x.user_us + x.system_us) / 1000,
  'provenance', p.provenance, 'end_provenance', p.end_provenance,
  'exec_count', (SELECT count(*) FROM exec c WHERE c.process_id = p.process_id),
  'exit_count', (SELECT count(*) FROM exit c WHERE c.process_id = p.process_id),
  'failures', json((SELECT json_group_array(f.errno || ' ' || f.filename)
    FROM (SELECT * FROM exec_failure WHERE process_id = p.process_id ORDER BY unix_ns) f)),
  -- Their beginnings, if all of them are alike.
  'failure_args', (SELECT group_concat(DISTINCT substr(f.args, 1, 14))
    FROM exec_failure f WHERE f.process_id = p.process_id)
) AS facts
FROM matched m JOIN process p ON p.process_id = m.process_id
LEFT JOIN latest e ON e.process_id = p.process_id
LEFT JOIN exit x ON x.process_id = p.process_id;

SELECT printf('%s: pid %d: recorded %d times', t.name, t.pid, n) FROM (
  SELECT t.rowid AS truth, count(m.process_id) AS n
  FROM truth t LEFT JOIN matched m ON m.truth = t.rowid GROUP BY t.rowid)
JOIN truth t ON t.rowid = truth WHERE n <> 1;

SELECT printf('%s: pid %d: %s is %s, recorded as %s', name, pid, key,
  coalesce(substr(wanted, 1, 200), 'NULL'), coalesce(substr(found, 1, 200), 'NULL'))
FROM (
  SELECT t.name, t.pid, f.key,
    CASE f.type WHEN 'array' THEN (SELECT json_group_array(value) FROM json_each(f.value))
      ELSE f.value END AS wanted,
    json_extract(s.facts, '$.' || CASE WHEN f.key LIKE '%\_min' ESCAPE '\' OR f.key LIKE '%\_max' ESCAPE '\'
      THEN substr(f.key, 1, length(f.key) - 4) ELSE f.key END) AS found
  FROM truth t JOIN seen s ON s.truth = t.rowid, json_each(t.facts) f WHERE f.key <> 'case')
WHERE CASE WHEN key LIKE '%\_min' ESCAPE '\' THEN coalesce(found < wanted, 1)
  WHEN key LIKE '%\_max' ESCAPE '\' THEN coalesce(found > wanted, 1)
  ELSE found IS NOT wanted END;
