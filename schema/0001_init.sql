-- Schema 1 of lineage.db: what lineaged promises a reader.
--
-- Promised: the views (process, fork, exec, exit, exec_failure, gap, recorder,
-- sigma_process_creation); see lineage.db(5).
-- Not promised: the tables, whose layout follows bytes per event.
--
-- Times are nanoseconds. *_boot_ns is CLOCK_BOOTTIME of its boot; *_unix_ns is since 1970 (UTC) and is
-- derived through `clock`; *_after_ns counts from the start of the process of that row.
-- Nothing here needs an SQLite newer than 3.34: no STRICT, RETURNING, ->> or unixepoch().
--
-- Provenance codes: 0 observed, 1 snapshot, 2 recovered, 3 inferred; 7 where there was no such event.

-- One row per boot of the node that was ever recorded.
CREATE TABLE boot (
  boot      INTEGER PRIMARY KEY, -- small number; boots are numbered in the order of recording
  boot_id   TEXT NOT NULL UNIQUE, -- /proc/sys/kernel/random/boot_id
  hostname  TEXT,
  machine   TEXT,                 -- architecture, as uname -m
  kernel    TEXT                  -- release, as uname -r
);

-- Wall clock = boot time + offset_ns, from from_boot_ns on until the next row of that boot.
-- The first row of a boot has from_boot_ns 0. A new row is written when the clock is stepped.
CREATE TABLE clock (
  boot         INTEGER NOT NULL,
  from_boot_ns INTEGER NOT NULL,
  offset_ns    INTEGER NOT NULL,
  PRIMARY KEY (boot, from_boot_ns)
) WITHOUT ROWID;

-- Dictionary of paths and names. value is valid UTF-8; raw holds the exact bytes where value could not.
CREATE TABLE text (
  text  INTEGER PRIMARY KEY,
  value TEXT NOT NULL,
  raw   BLOB
);

-- Dictionary of cgroups and the container or unit that they stand for.
CREATE TABLE cgroup (
  cgroup         INTEGER PRIMARY KEY,
  boot           INTEGER NOT NULL,
  hierarchy      INTEGER NOT NULL, -- 0: cgroup2; else the id of the v1 hierarchy
  kernfs_id      INTEGER NOT NULL,
  path           TEXT,             -- from the root of the hierarchy; NULL: never learned
  container_id   TEXT,
  runtime        TEXT,             -- docker, containerd, cri-o, podman, systemd-nspawn, lxc
  container_name TEXT,
  image_name     TEXT,
  pod_uid        TEXT,
  pod_name       TEXT,
  pod_namespace  TEXT
);
CREATE INDEX cgroup_container ON cgroup (container_id) WHERE container_id IS NOT NULL;

-- Dictionary of "who and where": credentials, session, namespaces, cgroup. NULL: unset or unknown.
CREATE TABLE context (
  context       INTEGER PRIMARY KEY,
  uid INTEGER, euid INTEGER, suid INTEGER,
  gid INTEGER, egid INTEGER, sgid INTEGER,
  loginuid      INTEGER,
  sessionid     INTEGER,          -- audit session
  cap_effective INTEGER,          -- bit sets; a set with bit 63 would be negative
  cap_permitted INTEGER,
  sid           INTEGER,          -- session leader's pid
  tty           INTEGER,          -- device number, as in /proc/PID/stat; 0: none
  pid_ns INTEGER, mnt_ns INTEGER, net_ns INTEGER, user_ns INTEGER,
  uts_ns INTEGER, ipc_ns INTEGER, cgroup_ns INTEGER,
  pid_ns_level  INTEGER,          -- 0: on the host
  cgroup        INTEGER,          -- -> cgroup (cgroup2)
  cgroup_v1     INTEGER           -- -> cgroup (v1), where the node has one
);

-- Dictionary of programs: one row per distinct (file, way of asking).
CREATE TABLE program (
  program     INTEGER PRIMARY KEY,
  exe         INTEGER,  -- -> text: the executable's own path; the interpreter's for a script
  filename    INTEGER,  -- -> text: the file name as asked; NULL: same as exe
  interpreter INTEGER,  -- -> text: the interpreter as named by the script; NULL: no script
  comm        TEXT,     -- as the kernel set it at that exec
  flags       INTEGER NOT NULL, -- LINEAGE_EXE_* and others of bpf/lineage_abi.h; see view exec
  dev         INTEGER,  -- major << 20 | minor
  inode       INTEGER
);

-- Dictionary of program images: one row per distinct (program, argv). No other takes as many bytes, so the
-- usual argv has no room for more than itself.
CREATE TABLE image (
  image       INTEGER PRIMARY KEY,
  program     INTEGER NOT NULL, -- -> program
  args        TEXT      -- the arguments with byte 127 between them; NULL: see argv
);

-- What image.args cannot hold: no argument at all, one that is no UTF-8 or has the byte 127, an argv that is
-- cut, does not end in NUL or is unknown.
CREATE TABLE argv (
  image       INTEGER PRIMARY KEY,
  args        TEXT,     -- JSON array of strings; NULL: unknown
  args_raw    BLOB,     -- argv as in /proc/PID/cmdline, where args is not exact
  args_count  INTEGER,  -- true ones, also where args has fewer
  args_bytes  INTEGER
);

-- One row per process: its birth, its latest image, its end.
CREATE TABLE process_row (
  process_id    INTEGER PRIMARY KEY, -- in order of recording
  boot          INTEGER NOT NULL,
  pid           INTEGER NOT NULL,
  start_boot_ns INTEGER NOT NULL,
  parent_id     INTEGER,             -- real parent at birth; NULL: none (pid 1, kthreadd)
  creator_id    INTEGER,             -- who called clone, where it was another than the parent
  fork_cpu      INTEGER,
  fork_seq      INTEGER,
  context       INTEGER,             -- at birth
  -- What changes after the birth, from here on: the recorder counts on it.
  provenance    INTEGER NOT NULL,    -- birth | image << 3 | end << 6; image 7: inherited at birth
  comm          INTEGER,             -- -> text: latest name; NULL: as the image says
  ns_pid        INTEGER,             -- pid in its own pid namespace; 0: same as pid
  pgid          INTEGER,             -- 0: same as pid; NULL: that of its session, context.sid
  exec_after_ns INTEGER,             -- latest exec; NULL: unknown or never
  exec_cpu      INTEGER,
  exec_after_seq INTEGER,            -- counts from fork_seq, from 0 where that is NULL
  exec_context  INTEGER,             -- at the latest exec; 0: as at birth
  exec_parent_id INTEGER,            -- real parent at the latest exec; 0: as at birth
  image         INTEGER,             -- of the latest exec, or the parent's at birth
  cwd           INTEGER,             -- -> text, at the latest exec
  end_after_ns  INTEGER,             -- NULL: not ended as far as is known
  end_cpu       INTEGER,
  end_after_seq INTEGER,             -- as exec_after_seq
  end_parent_id INTEGER,             -- real parent at the end; 0: as at birth
  status        INTEGER,             -- as wait(2) gives it; NULL: unknown
  user_us       INTEGER,
  system_us     INTEGER,
  max_rss_kib   INTEGER,
  room          BLOB                 -- zeros where an exec or the end may still be filled in: a row that
                                     -- outgrows its page splits it, and halves stay empty; then NULL
);
CREATE INDEX process_pid ON process_row (pid);
CREATE INDEX process_children ON process_row (parent_id);
-- Other parents than the one at birth, for retention: few rows have any.
CREATE INDEX process_creator ON process_row (creator_id) WHERE creator_id IS NOT NULL;
CREATE INDEX process_exec_parent ON process_row (exec_parent_id) WHERE exec_parent_id > 0;
CREATE INDEX process_end_parent ON process_row (end_parent_id) WHERE end_parent_id > 0;
CREATE INDEX process_alive ON process_row (boot, pid) WHERE end_after_ns IS NULL;
-- Long lives and late execs, so that a time window finds them without a full index on time.
CREATE INDEX process_late_end ON process_row (boot, start_boot_ns + end_after_ns)
  WHERE end_after_ns > 10000000000;
CREATE INDEX process_late_exec ON process_row (boot, start_boot_ns + exec_after_ns)
  WHERE exec_after_ns > 10000000000;

-- Where in process_row a time lies: the range of starts of each run of 4096 process ids.
CREATE TABLE zone (
  zone         INTEGER NOT NULL, -- process_id >> 12
  boot         INTEGER NOT NULL,
  min_start_ns INTEGER NOT NULL,
  max_start_ns INTEGER NOT NULL,
  PRIMARY KEY (zone, boot)
) WITHOUT ROWID;

-- Images that a process had before its latest one.
CREATE TABLE exec_row (
  exec_id    INTEGER PRIMARY KEY,
  process_id INTEGER NOT NULL,
  boot       INTEGER NOT NULL,
  boot_ns    INTEGER,             -- NULL: unknown (snapshot)
  provenance INTEGER NOT NULL,
  cpu        INTEGER,
  seq        INTEGER,
  context    INTEGER,             -- 0: as at birth
  parent_id  INTEGER,             -- 0: as at birth
  image      INTEGER,
  cwd        INTEGER,
  comm       INTEGER,             -- -> text: name; NULL: as the image says
  pgid       INTEGER              -- 0: same as pid; NULL: that of its session
);
CREATE INDEX exec_process ON exec_row (process_id);
CREATE INDEX exec_parent ON exec_row (parent_id) WHERE parent_id > 0;
CREATE INDEX exec_time ON exec_row (boot, boot_ns);

-- execve and execveat calls that failed.
CREATE TABLE exec_failure_row (
  failure_id INTEGER PRIMARY KEY,
  process_id INTEGER NOT NULL,
  boot       INTEGER NOT NULL,
  boot_ns    INTEGER NOT NULL,
  provenance INTEGER NOT NULL,
  cpu        INTEGER,
  seq        INTEGER,
  image      INTEGER,             -- filename and args as asked
  errno      INTEGER NOT NULL
);
CREATE INDEX exec_failure_process ON exec_failure_row (process_id);
CREATE INDEX exec_failure_time ON exec_failure_row (boot, boot_ns);

-- What is known to be missing.
CREATE TABLE gap_row (
  gap_id       INTEGER PRIMARY KEY,
  boot         INTEGER NOT NULL,
  cause        TEXT NOT NULL,     -- see lineage.db(5)
  cpu          INTEGER,           -- NULL: all
  from_boot_ns INTEGER NOT NULL,
  to_boot_ns   INTEGER NOT NULL,
  first_seq    INTEGER,           -- the sequence numbers that it covers, both ends included
  last_seq     INTEGER,
  lost         INTEGER,           -- events; NULL: cannot be known
  recovered    INTEGER NOT NULL DEFAULT 0,
  detail       TEXT
);
CREATE INDEX gap_time ON gap_row (boot, from_boot_ns);

-- Runs of the daemon.
CREATE TABLE recorder_row (
  run              INTEGER PRIMARY KEY,
  boot             INTEGER NOT NULL,
  version          TEXT NOT NULL,
  config_hash      TEXT NOT NULL, -- XXH3 (128 bits) of the configuration in force
  kernel           TEXT NOT NULL,
  filter           TEXT,          -- what is recorded, in words; NULL: the whole node
  started_boot_ns  INTEGER NOT NULL,
  last_boot_ns     INTEGER NOT NULL, -- last sign of life
  stopped_boot_ns  INTEGER,
  ended            TEXT           -- stopped, handed over, killed, rebooted; NULL: runs
);

-- How far a ring has been committed. With the rows in one transaction, so nothing is written twice.
CREATE TABLE ring_position (
  ring_id  BLOB PRIMARY KEY,
  boot     INTEGER NOT NULL,
  position INTEGER NOT NULL       -- bytes, as the ring's consumer position
) WITHOUT ROWID;

-- Sequence numbers of each CPU: [first_seq, next_seq) are in the rows, in a gap, or pruned.
CREATE TABLE cpu_position (
  boot      INTEGER NOT NULL,
  cpu       INTEGER NOT NULL,
  first_seq INTEGER NOT NULL,
  next_seq  INTEGER NOT NULL,
  unseen    INTEGER NOT NULL DEFAULT 0, -- events that carry no row of their own (cgroup names)
  pruned    INTEGER NOT NULL DEFAULT 0, -- events whose rows retention removed
  PRIMARY KEY (boot, cpu)
) WITHOUT ROWID;

-- What retention removed: counted under the parent that stays; without one, under - boot. A boot of which nothing
-- is left keeps that row, with boot 0 and the times, since 1970, from the first of its recording to the last. Of
-- many of these, those that are next to each other in time share one.
CREATE TABLE pruned_row (
  parent_id    INTEGER PRIMARY KEY,
  processes    INTEGER NOT NULL,
  boot         INTEGER NOT NULL,
  from_boot_ns INTEGER NOT NULL,
  to_boot_ns   INTEGER NOT NULL
);

-- Earlier images and failed execs that retention removed of a process that stays. In an export: under
-- - boot those of processes that are not in it.
CREATE TABLE pruned_exec (
  process_id   INTEGER NOT NULL,
  failed       INTEGER NOT NULL, -- 0: images; 1: failed execs
  execs        INTEGER NOT NULL,
  boot         INTEGER NOT NULL,
  from_boot_ns INTEGER NOT NULL, -- the first of them
  to_boot_ns   INTEGER NOT NULL, -- until when the last image lasted; the last failed exec
  last_boot_ns INTEGER NOT NULL, -- the last of them
  PRIMARY KEY (process_id, failed)
) WITHOUT ROWID;

-- Small facts: name -> value.
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value
) WITHOUT ROWID;
