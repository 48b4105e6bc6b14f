/* SPDX-License-Identifier: Apache-2.0 */
/* Every SQL statement of retention, once; for store_retain.c. */
#ifndef LINEAGED_STORE_RETAIN_STMT_H
#define LINEAGED_STORE_RETAIN_STMT_H

#define STORE_RETAIN_ROW_COLUMNS                                                                 \
	"process_id, boot, pid, start_boot_ns, end_after_ns, parent_id, creator_id, "            \
	"exec_parent_id, end_parent_id, fork_cpu, fork_seq, exec_cpu, exec_after_seq, end_cpu, " \
	"end_after_seq "

/* The terms "> 0" and "IS NOT NULL" are what makes SQLite take the partial indexes. */
#define STORE_RETAIN_STATEMENTS(X)                                                               \
	X(PAGES, "PRAGMA page_count")                                                            \
	X(FREE_PAGES, "PRAGMA freelist_count")                                                   \
	X(PAGE_SIZE, "PRAGMA page_size")                                                         \
	X(OFFSET, "SELECT offset_ns FROM clock WHERE boot = ? ORDER BY from_boot_ns DESC "       \
		  "LIMIT 1")                                                                     \
	X(READ, "SELECT " STORE_RETAIN_ROW_COLUMNS "FROM process_row WHERE process_id >= ? "     \
		"AND process_id < ? ORDER BY process_id LIMIT ?")                                \
	X(GET, "SELECT " STORE_RETAIN_ROW_COLUMNS "FROM process_row WHERE process_id = ?")       \
	X(NEEDED, "SELECT EXISTS (SELECT 1 FROM process_row WHERE parent_id = ?1) "              \
		  "OR EXISTS (SELECT 1 FROM process_row WHERE creator_id = ?1 "                  \
		  "AND creator_id IS NOT NULL) "                                                 \
		  "OR EXISTS (SELECT 1 FROM process_row WHERE end_parent_id = ?1 "               \
		  "AND end_parent_id > 0) "                                                      \
		  "OR EXISTS (SELECT 1 FROM process_row WHERE exec_parent_id = ?1 "              \
		  "AND exec_parent_id > 0) "                                                     \
		  "OR EXISTS (SELECT 1 FROM exec_row WHERE parent_id = ?1 AND parent_id > 0)")   \
	X(EXECS, "SELECT exec_id, boot, cpu, seq, boot_ns, parent_id FROM exec_row "             \
		 "WHERE process_id = ?1 AND exec_id <= coalesce((SELECT exec_id FROM exec_row "  \
		 "WHERE process_id = ?1 ORDER BY exec_id DESC LIMIT 1 OFFSET ?2), 0) "           \
		 "ORDER BY exec_id LIMIT ?3")                                                    \
	X(FAILURES, "SELECT failure_id, boot, cpu, seq, boot_ns, NULL FROM exec_failure_row "    \
		    "WHERE process_id = ?1 AND failure_id <= coalesce((SELECT failure_id "       \
		    "FROM exec_failure_row WHERE process_id = ?1 ORDER BY failure_id DESC "      \
		    "LIMIT 1 OFFSET ?2), 0) ORDER BY failure_id LIMIT ?3")                       \
	X(NEXT_IMAGE, "SELECT coalesce((SELECT boot_ns FROM exec_row WHERE process_id = ?1 "     \
		      "ORDER BY exec_id LIMIT 1), (SELECT start_boot_ns + exec_after_ns FROM "   \
		      "process_row WHERE process_id = ?1))")                                     \
	X(PRUNED_ADD, "INSERT INTO pruned_exec (process_id, failed, execs, boot, from_boot_ns, " \
		      "to_boot_ns, last_boot_ns) VALUES (?, ?, ?, ?, ?, ?, ?) "                  \
		      "ON CONFLICT (process_id, failed) DO UPDATE SET "                          \
		      "execs = execs + excluded.execs, "                                         \
		      "from_boot_ns = min(from_boot_ns, excluded.from_boot_ns), "                \
		      "to_boot_ns = max(to_boot_ns, excluded.to_boot_ns), "                      \
		      "last_boot_ns = max(last_boot_ns, excluded.last_boot_ns)")                 \
	X(PRUNED_DELETE, "DELETE FROM pruned_exec WHERE process_id = ?")                         \
	X(EXEC_DELETE, "DELETE FROM exec_row WHERE exec_id = ?")                                 \
	X(FAILURE_DELETE, "DELETE FROM exec_failure_row WHERE failure_id = ?")                   \
	X(PROCESS_DELETE, "DELETE FROM process_row WHERE process_id = ?")                        \
	X(TOMBSTONE, "SELECT processes, boot, from_boot_ns, to_boot_ns FROM pruned_row "         \
		     "WHERE parent_id = ?")                                                      \
	X(TOMBSTONE_DELETE, "DELETE FROM pruned_row WHERE parent_id = ?")                        \
	X(TOMBSTONE_ADD,                                                                         \
	  "INSERT INTO pruned_row (parent_id, processes, boot, from_boot_ns, to_boot_ns) "       \
	  "VALUES (?, ?, ?, ?, ?) ON CONFLICT (parent_id) DO UPDATE SET "                        \
	  "processes = processes + excluded.processes, "                                         \
	  "from_boot_ns = min(from_boot_ns, excluded.from_boot_ns), "                            \
	  "to_boot_ns = max(to_boot_ns, excluded.to_boot_ns)")                                   \
	X(SUM_ADD, "UPDATE cpu_position SET pruned = pruned + ?3 WHERE boot = ?1 AND cpu = ?2")  \
	X(ZONE_DELETE,                                                                           \
	  "DELETE FROM zone WHERE zone = ?1 AND NOT EXISTS (SELECT 1 FROM process_row p "        \
	  "WHERE p.process_id >= ?2 AND p.process_id < ?3 AND p.boot = zone.boot)")              \
	X(FROM_PROCESS,                                                                          \
	  "SELECT process_id, image, context, exec_context, comm, cwd FROM process_row "         \
	  "WHERE process_id > ? ORDER BY process_id LIMIT ?")                                    \
	X(FROM_EXEC, "SELECT exec_id, image, context, NULL, comm, cwd FROM exec_row "            \
		     "WHERE exec_id > ? ORDER BY exec_id LIMIT ?")                               \
	X(FROM_FAILURE, "SELECT failure_id, image, NULL, NULL, NULL, NULL FROM "                 \
			"exec_failure_row WHERE failure_id > ? ORDER BY failure_id LIMIT ?")     \
	X(IMAGES, "SELECT image, program, NULL, NULL FROM image "                                \
		  "WHERE image > ? AND image < ? ORDER BY image LIMIT ?")                        \
	X(PROGRAMS, "SELECT program, exe, filename, interpreter FROM program "                   \
		    "WHERE program > ? AND program < ? ORDER BY program LIMIT ?")                \
	X(CONTEXTS, "SELECT context, cgroup, cgroup_v1, NULL FROM context "                      \
		    "WHERE context > ? AND context < ? ORDER BY context LIMIT ?")                \
	X(TEXTS, "SELECT text, NULL, NULL, NULL FROM text WHERE text > ? AND text < ? "          \
		 "ORDER BY text LIMIT ?")                                                        \
	X(CGROUPS, "SELECT cgroup, NULL, NULL, NULL FROM cgroup WHERE cgroup > ?1 "              \
		   "AND cgroup < ?2 AND boot <> ?4 ORDER BY cgroup LIMIT ?3")                    \
	X(IMAGE_DELETE, "DELETE FROM image WHERE image = ?")                                     \
	X(ARGV_DELETE, "DELETE FROM argv WHERE image = ?")                                       \
	X(PROGRAM_DELETE, "DELETE FROM program WHERE program = ?")                               \
	X(CONTEXT_DELETE, "DELETE FROM context WHERE context = ?")                               \
	X(TEXT_DELETE, "DELETE FROM text WHERE text = ?")                                        \
	X(CGROUP_DELETE, "DELETE FROM cgroup WHERE cgroup = ?")                                  \
	X(BOOT_EMPTY, "SELECT boot FROM boot WHERE boot <> ? AND NOT EXISTS (SELECT 1 FROM "     \
		      "zone WHERE zone.boot = boot.boot) LIMIT 1")                               \
	X(BOOT_TIMES, "SELECT min(started_boot_ns), max(coalesce(stopped_boot_ns, "              \
		      "last_boot_ns)) FROM recorder_row WHERE boot = ?")                         \
	X(BOOT_FORGET, "UPDATE pruned_row SET boot = 0, from_boot_ns = ?2, to_boot_ns = ?3 "     \
		       "WHERE parent_id = -?1")                                                  \
	X(FORGOTTEN, "SELECT count(*) FROM pruned_row WHERE boot = 0")                           \
	X(FORGOTTEN_NEAREST, "SELECT parent_id, earlier FROM (SELECT parent_id, "                \
			     "lag(parent_id) OVER w AS earlier, "                                \
			     "from_boot_ns - lag(to_boot_ns) OVER w AS hole "                    \
			     "FROM pruned_row WHERE boot = 0 "                                   \
			     "WINDOW w AS (ORDER BY from_boot_ns, parent_id)) "                  \
			     "WHERE earlier IS NOT NULL ORDER BY hole LIMIT 1")                  \
	X(GAPS_DELETE, "DELETE FROM gap_row WHERE gap_id IN (SELECT gap_id FROM gap_row WHERE "  \
		       "boot = ? LIMIT ?)")                                                      \
	X(NUMBER, "SELECT value FROM meta WHERE name = ?")                                       \
	X(NUMBER_SET, "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)")

#endif
