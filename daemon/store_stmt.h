/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every SQL statement of the daemon, once. All are prepared at start, and in a unit test.
 */
#ifndef LINEAGED_STORE_STMT_H
#define LINEAGED_STORE_STMT_H

/* Read by store_load.c, by number. */
#define STORE_PROCESS_COLUMNS                                                                      \
	"SELECT p.process_id, p.pid, p.start_boot_ns, p.provenance, p.parent_id, p.creator_id, "   \
	"p.fork_cpu, p.fork_seq, p.context, p.ns_pid, p.pgid, p.comm, p.exec_after_ns, "           \
	"p.exec_cpu, p.exec_after_seq, p.exec_context, p.exec_parent_id, p.image, p.cwd, f.comm, " \
	"p.end_after_ns, p.end_cpu, p.end_after_seq, p.end_parent_id, p.status, p.user_us, "       \
	"p.system_us, p.max_rss_kib FROM process_row p LEFT JOIN image i ON i.image = p.image "    \
	"LEFT JOIN program f ON f.program = i.program "

/*
 * Several rows at once: beginning and ending a statement costs a third of an insert. OR ROLLBACK
 * spares the journal that SQLite would need to take back some of the rows only.
 */
#define STORE_PROCESSES_AT_ONCE 16
/* room comes after these. In the order of the table: SQLite copies what it has to put in order. */
#define STORE_PROCESS_VALUES_COUNT 28
/* So many are fixed at birth. */
#define STORE_PROCESS_FIXED_COUNT 9
#define STORE_PROCESS_INSERT                                                          \
	"INSERT OR ROLLBACK INTO process_row (process_id, boot, pid, start_boot_ns, " \
	"parent_id, creator_id, fork_cpu, fork_seq, context, provenance, comm, "      \
	"ns_pid, pgid, exec_after_ns, exec_cpu, exec_after_seq, exec_context, "       \
	"exec_parent_id, image, cwd, end_after_ns, end_cpu, end_after_seq, "          \
	"end_parent_id, status, user_us, system_us, max_rss_kib, room) VALUES "
#define STORE_PROCESS_VALUES                                                                    \
	"(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " \
	"?)"
#define STORE_PROCESS_FOUR                                                     \
	STORE_PROCESS_VALUES "," STORE_PROCESS_VALUES "," STORE_PROCESS_VALUES \
			     "," STORE_PROCESS_VALUES

#define STORE_STATEMENTS(X)                                                                        \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                \
	X(COMMIT, "COMMIT")                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                    \
	X(BOOT_FIND, "SELECT boot FROM boot WHERE boot_id = ?")                                    \
	X(BOOT_ADD, "INSERT INTO boot (boot, boot_id, hostname, machine, kernel) "                 \
		    "VALUES ((SELECT coalesce(max(boot), 0) + 1 FROM boot), ?, ?, ?, ?)")          \
	X(MAX_IDS,                                                                                 \
	  "SELECT (SELECT max(process_id) FROM process_row), (SELECT max(text) FROM text), "       \
	  "(SELECT max(image) FROM image), (SELECT max(context) FROM context), "                   \
	  "(SELECT max(cgroup) FROM cgroup), (SELECT max(program) FROM program)")                  \
	X(TEXT, "INSERT INTO text (text, value, raw) VALUES (?, ?, ?)")                            \
	X(PROGRAM, "INSERT INTO program (program, exe, filename, interpreter, comm, flags, dev, "  \
		   "inode) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")                                       \
	X(IMAGE, "INSERT INTO image (image, program, args) VALUES (?, ?, ?)")                      \
	X(ARGV, "INSERT INTO argv (image, args, args_raw, args_count, args_bytes) "                \
		"VALUES (?, ?, ?, ?, ?)")                                                          \
	X(CONTEXT,                                                                                 \
	  "INSERT INTO context (context, uid, euid, suid, gid, egid, sgid, loginuid, sessionid, "  \
	  "cap_effective, cap_permitted, sid, tty, pid_ns, mnt_ns, net_ns, user_ns, uts_ns, "      \
	  "ipc_ns, cgroup_ns, pid_ns_level, cgroup, cgroup_v1) "                                   \
	  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")          \
	X(CGROUP,                                                                                  \
	  "INSERT INTO cgroup (cgroup, boot, hierarchy, kernfs_id, path, container_id, runtime, "  \
	  "container_name, image_name, pod_uid, pod_name, pod_namespace) "                         \
	  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")                                           \
	X(CGROUP_UPDATE,                                                                           \
	  "UPDATE cgroup SET path = ?2, container_id = coalesce(?3, container_id), "               \
	  "runtime = coalesce(?4, runtime), container_name = coalesce(?5, container_name), "       \
	  "image_name = coalesce(?6, image_name), pod_uid = coalesce(?7, pod_uid), "               \
	  "pod_name = coalesce(?8, pod_name), pod_namespace = coalesce(?9, pod_namespace) "        \
	  "WHERE cgroup = ?1")                                                                     \
	X(CGROUPS, "SELECT cgroup, hierarchy, kernfs_id, path, container_id IS NULL "              \
		   "OR container_name IS NOT NULL FROM cgroup WHERE boot = ?")                     \
	X(PROCESS, STORE_PROCESS_INSERT STORE_PROCESS_VALUES)                                      \
	X(PROCESSES, STORE_PROCESS_INSERT STORE_PROCESS_FOUR                                       \
	  "," STORE_PROCESS_FOUR "," STORE_PROCESS_FOUR "," STORE_PROCESS_FOUR)                    \
	X(PROCESS_UPDATE,                                                                          \
	  "UPDATE process_row SET provenance = ?1, comm = ?2, ns_pid = ?3, pgid = ?4, "            \
	  "exec_after_ns = ?5, exec_cpu = ?6, exec_after_seq = ?7, exec_context = ?8, "            \
	  "exec_parent_id = ?9, image = ?10, cwd = ?11, end_after_ns = ?12, end_cpu = ?13, "       \
	  "end_after_seq = ?14, end_parent_id = ?15, status = ?16, user_us = ?17, "                \
	  "system_us = ?18, max_rss_kib = ?19, room = ?20 WHERE process_id = ?21")                 \
	X(PROCESS_BIRTH,                                                                           \
	  "UPDATE process_row SET parent_id = ?2, creator_id = ?3, fork_cpu = ?4, fork_seq = ?5, " \
	  "context = ?6 WHERE process_id = ?1")                                                    \
	X(PROCESS_FIND,                                                                            \
	  "SELECT process_id FROM process_row WHERE pid = ? AND start_boot_ns = ? AND boot = ?")   \
	X(PROCESSES_ALIVE, STORE_PROCESS_COLUMNS "WHERE p.boot = ? AND p.end_after_ns IS NULL")    \
	X(PROCESS_READ,                                                                            \
	  STORE_PROCESS_COLUMNS "WHERE p.boot = ? AND p.pid = ? AND p.start_boot_ns = ?")          \
	X(EXEC, "INSERT INTO exec_row (process_id, boot, boot_ns, provenance, cpu, seq, context, " \
		"parent_id, image, cwd, comm, pgid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")  \
	X(FAILURE, "INSERT INTO exec_failure_row (process_id, boot, boot_ns, provenance, cpu, "    \
		   "seq, image, errno) VALUES (?, ?, ?, ?, ?, ?, ?, ?)")                           \
	X(ZONE, "INSERT INTO zone (zone, boot, min_start_ns, max_start_ns) VALUES (?, ?, ?, ?) "   \
		"ON CONFLICT (zone, boot) DO UPDATE SET "                                          \
		"min_start_ns = min(min_start_ns, excluded.min_start_ns), "                        \
		"max_start_ns = max(max_start_ns, excluded.max_start_ns)")                         \
	X(GAP,                                                                                     \
	  "INSERT OR REPLACE INTO gap_row (gap_id, boot, cause, cpu, from_boot_ns, to_boot_ns, "   \
	  "first_seq, last_seq, lost, recovered, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "   \
	  "?)")                                                                                    \
	X(GAP_DELETE, "DELETE FROM gap_row WHERE gap_id = ?")                                      \
	X(GAPS_OPEN,                                                                               \
	  "SELECT gap_id, cpu, from_boot_ns, to_boot_ns, first_seq, last_seq, lost, recovered "    \
	  "FROM gap_row WHERE boot = ?1 AND cause = 'ring_full' AND lost > 0 "                     \
	  "AND detail IS NOT NULL ORDER BY gap_id")                                                \
	X(NUMBERS_SINCE,                                                                           \
	  "WITH young AS (SELECT * FROM process_row WHERE boot = ?1 AND process_id >= (SELECT "    \
	  "coalesce(min(zone), 0) << 12 FROM zone WHERE boot = ?1 AND max_start_ns >= ?2)) "       \
	  "SELECT fork_cpu, fork_seq FROM young WHERE fork_seq IS NOT NULL "                       \
	  "UNION ALL SELECT exec_cpu, exec_after_seq + coalesce(fork_seq, 0) FROM young WHERE "    \
	  "exec_after_seq IS NOT NULL "                                                            \
	  "UNION ALL SELECT end_cpu, end_after_seq + coalesce(fork_seq, 0) FROM young WHERE "      \
	  "end_after_seq IS NOT NULL "                                                             \
	  "UNION ALL SELECT cpu, seq FROM exec_row WHERE boot = ?1 AND boot_ns >= ?2 "             \
	  "AND seq IS NOT NULL "                                                                   \
	  "UNION ALL SELECT cpu, seq FROM exec_failure_row WHERE boot = ?1 AND boot_ns >= ?2 "     \
	  "AND seq IS NOT NULL "                                                                   \
	  "UNION ALL SELECT end_cpu, end_after_seq + coalesce(fork_seq, 0) FROM process_row "      \
	  "WHERE boot = ?1 "                                                                       \
	  "AND end_after_ns > 10000000000 AND start_boot_ns + end_after_ns >= ?2 "                 \
	  "AND end_after_seq IS NOT NULL "                                                         \
	  "UNION ALL SELECT exec_cpu, exec_after_seq + coalesce(fork_seq, 0) FROM process_row "    \
	  "WHERE boot = ?1 "                                                                       \
	  "AND exec_after_ns > 10000000000 AND start_boot_ns + exec_after_ns >= ?2 "               \
	  "AND exec_after_seq IS NOT NULL")                                                        \
	X(CLOCK, "INSERT OR REPLACE INTO clock (boot, from_boot_ns, offset_ns) VALUES (?, ?, ?)")  \
	X(CLOCK_LAST,                                                                              \
	  "SELECT offset_ns FROM clock WHERE boot = ? ORDER BY from_boot_ns DESC LIMIT 1")         \
	X(RING_SET,                                                                                \
	  "INSERT OR REPLACE INTO ring_position (ring_id, boot, position) VALUES (?, ?, ?)")       \
	X(RING_GET, "SELECT position FROM ring_position WHERE ring_id = ?")                        \
	X(RING_CLEAN, "DELETE FROM ring_position WHERE boot <> ?")                                 \
	X(CPU_SET, "INSERT INTO cpu_position (boot, cpu, first_seq, next_seq, unseen) "            \
		   "VALUES (?, ?, ?, ?, ?) ON CONFLICT (boot, cpu) DO UPDATE SET "                 \
		   "next_seq = excluded.next_seq, unseen = excluded.unseen")                       \
	X(CPUS, "SELECT cpu, first_seq, next_seq, unseen FROM cpu_position WHERE boot = ?")        \
	X(RUN_BEGIN, "INSERT INTO recorder_row (boot, version, config_hash, kernel, filter, "      \
		     "started_boot_ns, last_boot_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)")         \
	X(RUN_ALIVE, "UPDATE recorder_row SET last_boot_ns = ?2 WHERE run = ?1")                   \
	X(RUN_END, "UPDATE recorder_row SET last_boot_ns = ?2, stopped_boot_ns = ?2, ended = ?3 "  \
		   "WHERE run = ?1")                                                               \
	X(RUN_CORRECT, "UPDATE recorder_row SET ended = CASE WHEN boot = ?1 AND ?2 "               \
		       "THEN 'handed over' ELSE 'stopped' END WHERE run = (SELECT max(run) FROM "  \
		       "recorder_row) AND ended IN ('stopped', 'handed over')")                    \
	/* It went down before this boot began, by the clocks of both. */                          \
	X(GAPS_UNCLEAN,                                                                            \
	  "INSERT INTO gap_row (boot, cause, from_boot_ns, to_boot_ns, detail) SELECT boot, ?2, "  \
	  "last_boot_ns, max(last_boot_ns, coalesce((SELECT offset_ns FROM clock WHERE boot = ?1 " \
	  "ORDER BY from_boot_ns LIMIT 1) - (SELECT offset_ns FROM clock c WHERE c.boot = r.boot " \
	  "ORDER BY from_boot_ns DESC LIMIT 1), 0)), ?3 FROM recorder_row r "                      \
	  "WHERE ended IS NULL AND boot <> ?1")                                                    \
	X(RUNS_CLOSE,                                                                              \
	  "UPDATE recorder_row SET ended = CASE WHEN boot = ? THEN 'killed' ELSE 'rebooted' END "  \
	  "WHERE ended IS NULL")                                                                   \
	X(RUN_LAST, "SELECT CASE boot WHEN ?1 THEN last_boot_ns ELSE 0 END FROM recorder_row "     \
		    "ORDER BY boot = ?1 DESC, run DESC LIMIT 1")                                   \
	X(EXEC_BEFORE,                                                                             \
	  "SELECT e.image, e.cwd, f.comm FROM exec_row e LEFT JOIN image i ON i.image = e.image "  \
	  "LEFT JOIN program f ON f.program = i.program "                                          \
	  "WHERE e.process_id = ? AND (e.boot_ns IS NULL OR e.boot_ns <= ?) "                      \
	  "ORDER BY e.boot_ns DESC, e.exec_id DESC LIMIT 1")                                       \
	X(IMAGE_FILE, "SELECT f.dev, f.inode, CASE WHEN i.args IS NULL THEN a.args_bytes ELSE "    \
		      "length(CAST(i.args AS BLOB)) + 1 END FROM image i "                         \
		      "JOIN program f ON f.program = i.program "                                   \
		      "LEFT JOIN argv a ON a.image = i.image WHERE i.image = ?")                   \
	X(ARE_ALIKE,                                                                               \
	  "SELECT f.dev IS g.dev AND f.inode IS g.inode AND i.args IS k.args AND a.args IS "       \
	  "b.args "                                                                                \
	  "AND a.args_raw IS b.args_raw AND a.args_bytes IS b.args_bytes FROM image i "            \
	  "JOIN program f ON f.program = i.program LEFT JOIN argv a ON a.image = i.image "         \
	  "JOIN image k ON k.image = ?2 JOIN program g ON g.program = k.program "                  \
	  "LEFT JOIN argv b ON b.image = k.image WHERE i.image = ?1")                              \
	X(FACT_GET, "SELECT value FROM meta WHERE name = ?")                                       \
	X(FACT_SET, "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")                     \
	X(BOOTS_CLOSE,                                                                             \
	  "UPDATE process_row SET provenance = (provenance & 63) | (3 << 6), end_after_ns = "      \
	  "max((SELECT coalesce(max(last_boot_ns), 0) FROM recorder_row r "                        \
	  "WHERE r.boot = process_row.boot) - start_boot_ns, 0) "                                  \
	  "WHERE boot <> ? AND end_after_ns IS NULL")

enum store_stmt {
#define X(name, sql) STORE_##name,
	STORE_STATEMENTS(X)
#undef X
		STORE_STMTS
};

#endif
