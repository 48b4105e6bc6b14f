-- What lineage-query -o json says against the truth file (truth.h), for the facts that both have. Prints the
-- differences. Parameters, put in by test-query.sh: $TRUTH, a JSON array; $ANSWER, the document.
CREATE TEMP TABLE said AS
SELECT value AS facts, json_extract(value, '$.process_id') AS process_id, json_extract(value, '$.pid') AS pid,
  json_extract(value, '$.start_boot_ns') / 10000000 AS ticks
FROM json_each(readfile('$ANSWER'), '$.processes');

CREATE TEMP TABLE fact AS
SELECT json_extract(t.value, '$.case') AS name, json_extract(t.value, '$.pid') AS pid,
  json_extract(t.value, '$.start_ticks') AS ticks, f.key, f.type,
  CASE f.type WHEN 'array' THEN (SELECT json_group_array(value) FROM json_each(f.value)) ELSE f.value END AS wanted
FROM json_each(readfile('$TRUTH')) t, json_each(t.value) f
WHERE f.key IN ('exe', 'comm', 'args', 'args_count', 'args_bytes', 'args_truncated', 'cwd', 'uid', 'euid', 'suid',
  'gid', 'egid', 'sgid', 'cap_effective', 'cap_permitted', 'sid', 'pgid', 'pid_ns', 'mnt_ns', 'net_ns', 'uts_ns',
  'user_ns', 'ipc_ns', 'cgroup_ns', 'exit_code', 'exit_signal', 'core_dumped', 'ppid');

SELECT printf('%s: pid %d is in the answer %d times', name, pid, n) FROM (
  SELECT t.name, t.pid, (SELECT count(*) FROM said s WHERE s.pid = t.pid AND s.ticks = t.ticks) AS n
  FROM (SELECT DISTINCT name, pid, ticks FROM fact) t) WHERE n <> 1;

SELECT printf('%s: pid %d: %s is %s, answered %s', name, pid, key, wanted, coalesce(found, 'nothing')) FROM (
  SELECT f.*, CASE f.key
    WHEN 'ppid' THEN (SELECT p.pid FROM said p WHERE p.process_id = json_extract(s.facts, '$.parent_id'))
    WHEN 'args' THEN (SELECT json_group_array(value) FROM json_each(s.facts, '$.args'))
    ELSE json_extract(s.facts, '$.' || f.key) END AS found
  FROM fact f JOIN said s ON s.pid = f.pid AND s.ticks = f.ticks)
WHERE found IS NOT wanted AND NOT (key = 'ppid' AND found IS NULL);
