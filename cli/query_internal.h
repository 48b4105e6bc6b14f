/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What query*.c share: the handle, the prepared statements, the dictionaries. Nobody else includes
 * it.
 */
#ifndef LINEAGED_CLI_QUERY_INTERNAL_H
#define LINEAGED_CLI_QUERY_INTERNAL_H

#include "cli/arena.h"
#include "cli/query.h"

/*
 * Every statement, once: X(name, SQL). A unit test prepares them all. They are prepared when first
 * used, because a tree needs a few of them only.
 */
#define PROCESS_COLUMNS                                                                            \
	"process_id,boot,pid,start_boot_ns,parent_id,creator_id,provenance,fork_cpu,fork_seq,"     \
	"context,comm,ns_pid,pgid,exec_after_ns,exec_cpu,exec_after_seq,exec_context,exec_parent_" \
	"id,"                                                                                      \
	"image,cwd,end_after_ns,end_cpu,end_after_seq,end_parent_id,status,user_us,system_us,"     \
	"max_rss_kib "

/* The same with what only QUERY_DETAIL_FULL reads left out: a column costs as much as a comparison.
 */
#define PROCESS_COLUMNS_LINE                                                                       \
	"process_id,boot,pid,start_boot_ns,parent_id,creator_id,provenance,0,0,context,comm,0,0,"  \
	"exec_after_ns,0,0,exec_context,exec_parent_id,image,NULL,end_after_ns,0,0,end_parent_id," \
	"status,0,0,0 "

#define EXEC_COLUMNS "process_id,boot_ns,provenance,cpu,seq,context,parent_id,image,cwd,comm,pgid "

/* A function of ours: query_on_row(). */
#define QUERY_WANTED \
	"wanted(process_id,boot,pid,context,exec_context,comm,image,status,end_after_ns)"

/* Its JSON as words, each ended by NUL; NULL: there are none. */
#define QUERY_ARGV_WORDS "(SELECT group_concat(value||char(0),'') FROM json_each(argv.args))"

#define QUERY_STATEMENTS(X)                                                                        \
	X(BOOTS, "SELECT boot,boot_id,hostname,machine,kernel FROM boot ORDER BY boot")            \
	X(CLOCKS, "SELECT boot,from_boot_ns,offset_ns FROM clock ORDER BY boot,from_boot_ns")      \
	X(TEXT, "SELECT value,raw FROM text WHERE text=?1")                                        \
	X(PROGRAM,                                                                                 \
	  "SELECT exe,filename,interpreter,comm,flags,dev,inode FROM program WHERE program=?1")    \
	X(IMAGE, "SELECT program,args FROM image WHERE image=?1")                                  \
	X(ARGV, "SELECT " QUERY_ARGV_WORDS ","                                                     \
		"args_raw,args_count,args_bytes,args IS NOT NULL FROM argv "                       \
		"WHERE image=?1 AND (args IS NULL OR json_valid(args))")                           \
	X(CONTEXT, "SELECT uid,euid,suid,gid,egid,sgid,loginuid,sessionid,cap_effective,"          \
		   "cap_permitted,sid,tty,pid_ns,mnt_ns,net_ns,user_ns,uts_ns,ipc_ns,"             \
		   "cgroup_ns,pid_ns_level,cgroup,cgroup_v1 FROM context WHERE context=?1")        \
	X(CGROUP, "SELECT path,container_id,runtime,container_name,image_name,pod_uid,pod_name,"   \
		  "pod_namespace FROM cgroup WHERE cgroup=?1")                                     \
	X(BY_ID, "SELECT " PROCESS_COLUMNS "FROM process_row WHERE process_id=?1")                 \
	X(NS_PID, "SELECT ns_pid FROM process_row WHERE process_id=?1")                            \
	X(NS_INITS, "SELECT p.process_id FROM zone z CROSS JOIN process_row p "                    \
		    "ON p.process_id>=z.zone<<12 AND p.process_id<(z.zone+1)<<12 "                 \
		    "WHERE z.boot=?1 AND z.max_start_ns>=?2 AND z.min_start_ns<?3 AND +p.boot=?1 " \
		    "AND p.start_boot_ns>=?2 AND p.start_boot_ns<?3 AND +p.ns_pid=1")              \
	X(BY_PID, "SELECT " PROCESS_COLUMNS "FROM process_row WHERE pid=?1")                       \
	X(CHILDREN, "SELECT parent_id,process_id FROM process_row INDEXED BY process_children "    \
		    "WHERE parent_id>=?1 AND parent_id<=?2")                                       \
	X(CHILDREN_LAST, "SELECT parent_id,process_id FROM process_row "                           \
			 "INDEXED BY process_children WHERE parent_id>=?1 AND parent_id<=?2 "      \
			 "AND CASE WHEN end_after_ns IS NULL THEN exec_parent_id "                 \
			 "ELSE end_parent_id END IS NOT TRUE "                                     \
			 "UNION ALL SELECT exec_parent_id,process_id FROM process_row "            \
			 "INDEXED BY process_exec_parent WHERE exec_parent_id>0 "                  \
			 "AND exec_parent_id>=?1 AND exec_parent_id<=?2 AND end_after_ns IS NULL " \
			 "UNION ALL SELECT end_parent_id,process_id FROM process_row "             \
			 "INDEXED BY process_end_parent WHERE end_parent_id>0 "                    \
			 "AND end_parent_id>=?1 AND end_parent_id<=?2 "                            \
			 "AND end_after_ns IS NOT NULL")                                           \
	X(RANGE, "SELECT " PROCESS_COLUMNS "FROM process_row "                                     \
		 "WHERE process_id>=?1 AND process_id<=?2")                                        \
	X(AHEAD,                                                                                   \
	  "SELECT process_id,image FROM process_row WHERE process_id>=?1 AND process_id<?2 "       \
	  "AND (?3 IS NULL OR (boot=?3 AND start_boot_ns>=?4 AND start_boot_ns<?5))")              \
	X(ROOT, "SELECT rootpage FROM sqlite_master WHERE type='table' AND name=?1")               \
	X(ALIVE, "SELECT " PROCESS_COLUMNS "FROM process_row INDEXED BY process_alive "            \
		 "WHERE boot=?1 AND end_after_ns IS NULL")                                         \
	X(ZONES, "SELECT zone FROM zone WHERE boot=?1 AND max_start_ns>=?2 AND min_start_ns<?3 "   \
		 "ORDER BY zone")                                                                  \
	X(ZONE_ENDS, "SELECT max_start_ns FROM zone "                                              \
		     "WHERE boot=?1 AND max_start_ns>=?2 AND min_start_ns<?3")                     \
	X(STARTED_WANTED, "SELECT " PROCESS_COLUMNS "FROM process_row "                            \
			  "WHERE process_id>=?1 AND process_id<?2 AND boot=?3 "                    \
			  "AND start_boot_ns>=?4 AND start_boot_ns<?5 AND " QUERY_WANTED)          \
	X(STARTED, "SELECT " PROCESS_COLUMNS "FROM process_row "                                   \
		   "WHERE process_id>=?1 AND process_id<?2 AND boot=?3 AND start_boot_ns>=?4 "     \
		   "AND start_boot_ns<?5")                                                         \
	X(BEFORE, "SELECT " PROCESS_COLUMNS "FROM process_row "                                    \
		  "WHERE process_id>=?1 AND process_id<?2 AND boot=?3 AND start_boot_ns<?6 AND "   \
		  "((start_boot_ns+end_after_ns>=?4 AND start_boot_ns+end_after_ns<?5) OR "        \
		  "(start_boot_ns+exec_after_ns>=?4 AND start_boot_ns+exec_after_ns<?5))")         \
	X(LATE_END, "SELECT " PROCESS_COLUMNS "FROM process_row INDEXED BY process_late_end "      \
		    "WHERE boot=?1 AND start_boot_ns+end_after_ns>=?2 AND "                        \
		    "start_boot_ns+end_after_ns<?3 AND end_after_ns>10000000000 "                  \
		    "AND process_id<?4 AND start_boot_ns<?5")                                      \
	X(LATE_EXEC, "SELECT " PROCESS_COLUMNS "FROM process_row INDEXED BY process_late_exec "    \
		     "WHERE boot=?1 AND start_boot_ns+exec_after_ns>=?2 AND "                      \
		     "start_boot_ns+exec_after_ns<?3 AND exec_after_ns>10000000000 "               \
		     "AND process_id<?4 AND start_boot_ns<?5")                                     \
	X(EXEC_IN, "SELECT process_id FROM exec_row INDEXED BY exec_time "                         \
		   "WHERE boot=?1 AND boot_ns>=?2 AND boot_ns<?3 AND process_id<?4")               \
	X(RUN_LATE, "SELECT " PROCESS_COLUMNS "FROM process_row INDEXED BY process_late_end "      \
		    "WHERE boot=?1 AND start_boot_ns+end_after_ns>=?3 AND "                        \
		    "end_after_ns>10000000000 AND process_id<?5 AND start_boot_ns<?2")             \
	X(RUN_SHORT, "SELECT " PROCESS_COLUMNS "FROM process_row "                                 \
		     "WHERE process_id>=?1 AND process_id<?2 AND boot=?3 AND start_boot_ns<?4 "    \
		     "AND end_after_ns<=10000000000 AND start_boot_ns+end_after_ns>=?5")           \
	X(COUNT_LATE, "SELECT count(*) FROM process_row INDEXED BY process_late_end "              \
		      "WHERE boot=?1 AND start_boot_ns+end_after_ns>=?3 AND "                      \
		      "end_after_ns>10000000000 AND process_id<?4")                                \
	X(COUNT_LATE_NEAR, "SELECT count(*) FROM process_row INDEXED BY process_late_end "         \
			   "WHERE boot=?1 AND start_boot_ns+end_after_ns>=?3 AND "                 \
			   "end_after_ns>10000000000 AND process_id>=?4 AND process_id<?5 "        \
			   "AND start_boot_ns<?2")                                                 \
	X(COUNT_SHORT, "SELECT count(*) FROM process_row "                                         \
		       "WHERE process_id>=?1 AND process_id<?2 AND boot=?3 AND start_boot_ns<?4 "  \
		       "AND end_after_ns<=10000000000 AND start_boot_ns+end_after_ns>=?5")         \
	X(COUNT_ALIVE, "SELECT count(*) FROM process_row INDEXED BY process_alive "                \
		       "WHERE boot=?1 AND end_after_ns IS NULL AND start_boot_ns<?2")              \
	X(ZONES_ABOUT, "SELECT min(CASE WHEN max_start_ns>=?2 THEN zone END),"                     \
		       "max(CASE WHEN min_start_ns<?2 THEN zone END) FROM zone WHERE boot=?1")     \
	X(EXECS, "SELECT " EXEC_COLUMNS "FROM exec_row INDEXED BY exec_process "                   \
		 "WHERE process_id>=?1 AND process_id<=?2 ORDER BY process_id,exec_id")            \
	X(PRUNED, "SELECT processes FROM pruned_row WHERE parent_id=?1")                           \
	X(ANY_PRUNED, "SELECT EXISTS(SELECT 1 FROM pruned_row),"                                   \
		      "EXISTS(SELECT 1 FROM pruned_exec)")                                         \
	X(PRUNED_OF, "SELECT failed,execs,from_boot_ns,to_boot_ns FROM pruned_exec "               \
		     "WHERE process_id=?1")                                                        \
	X(PRUNED_EVENTS_IN,                                                                        \
	  "SELECT execs,from_boot_ns,to_boot_ns,CASE WHEN ?5 THEN last_boot_ns ELSE to_boot_ns "   \
	  "END,process_id FROM pruned_exec "                                                       \
	  "WHERE boot=?1 AND from_boot_ns<?3 AND to_boot_ns>=?2 AND failed=?4")                    \
	X(FORGOTTEN, "SELECT processes,from_boot_ns,to_boot_ns FROM pruned_row "                   \
		     "WHERE boot=0 AND processes>0 ORDER BY from_boot_ns")                         \
	X(PRUNED_IN, "SELECT processes,from_boot_ns,to_boot_ns,to_boot_ns,parent_id "              \
		     "FROM pruned_row WHERE boot=?1 AND from_boot_ns<?3 AND to_boot_ns>=?2")       \
	X(FAILURES, "SELECT boot_ns,provenance,cpu,seq,image,errno FROM exec_failure_row "         \
		    "WHERE process_id=?1 ORDER BY boot_ns,failure_id")                             \
	X(POSITIONS, "SELECT cpu,next_seq FROM cpu_position WHERE boot=?1 ORDER BY cpu")           \
	X(FAILED, "SELECT boot_ns FROM exec_failure_row WHERE process_id=?1")                      \
	X(FAILED_IN, "SELECT boot_ns,provenance,cpu,seq,image,errno,process_id "                   \
		     "FROM exec_failure_row INDEXED BY exec_failure_time "                         \
		     "WHERE boot=?1 AND boot_ns>=?2 AND boot_ns<?3 ORDER BY boot_ns,failure_id")   \
	X(GAPS, "SELECT cause,detail,cpu,from_boot_ns,to_boot_ns,lost,recovered,gap_id,boot FROM " \
		"gap_row WHERE boot=?1 AND from_boot_ns<?3 AND to_boot_ns>=?2 "                    \
		"ORDER BY from_boot_ns,gap_id")                                                    \
	X(NEWER_GAPS,                                                                              \
	  "SELECT cause,detail,cpu,from_boot_ns,to_boot_ns,lost,recovered,gap_id,boot FROM "       \
	  "gap_row WHERE gap_id>?1 ORDER BY gap_id")                                               \
	X(NEWEST_GAP, "SELECT coalesce(max(gap_id),0) FROM gap_row")                               \
	X(GAPS_SINCE, "SELECT coalesce(min(gap_id),0) FROM gap_row WHERE boot>=?1")                \
	X(NEWEST_BOOT, "SELECT coalesce(max(boot),0) FROM boot")                                   \
	X(RUNS,                                                                                    \
	  "SELECT boot,version,config_hash,kernel,filter,ended,started_boot_ns,"                   \
	  "last_boot_ns,stopped_boot_ns FROM recorder_row ORDER BY boot,started_boot_ns,run")      \
	X(NEWER,                                                                                   \
	  "SELECT " PROCESS_COLUMNS "FROM process_row WHERE process_id>?1 ORDER BY process_id")    \
	X(NEWEST, "SELECT coalesce(max(process_id),0) FROM process_row")                           \
	X(NEWEST_OF, "SELECT coalesce(max(process_id),0) FROM process_row WHERE boot=?1 "          \
		     "AND process_id<((SELECT max(zone)+1 FROM zone WHERE boot=?1)<<12)")          \
	X(SCAN_UP, "SELECT " PROCESS_COLUMNS "FROM process_row ORDER BY process_id")               \
	X(SCAN_UP_WANTED,                                                                          \
	  "SELECT " PROCESS_COLUMNS "FROM process_row WHERE " QUERY_WANTED " ORDER BY process_id") \
	X(SCAN_DOWN_WANTED, "SELECT " PROCESS_COLUMNS "FROM process_row WHERE " QUERY_WANTED       \
			    " ORDER BY process_id DESC")                                           \
	X(EARLIER, "SELECT process_id FROM exec_row INDEXED BY exec_process "                      \
		   "WHERE process_id>=?1 AND process_id<=?2")                                      \
	X(EARLIER_KEYS, "SELECT process_id,nullif(context,0),comm,image FROM exec_row "            \
			"INDEXED BY exec_process WHERE process_id>=?1 AND process_id<=?2")         \
	X(FAILED_IDS, "SELECT process_id,NULL,NULL,NULL FROM exec_failure_row "                    \
		      "INDEXED BY exec_failure_process WHERE process_id>=?1 AND process_id<=?2")   \
	X(SCAN_DOWN, "SELECT " PROCESS_COLUMNS "FROM process_row ORDER BY process_id DESC")

enum query_statement {
#define X(name, sql) QUERY_##name,
	QUERY_STATEMENTS(X)
#undef X
		QUERY_STATEMENT_COUNT
};

extern const char *const query_sql[QUERY_STATEMENT_COUNT];

struct query {
	sqlite3 *db;
	char *path;
	enum query_detail detail;
	void (*progress)(void *userdata, int64_t done, int64_t total);
	void *progress_userdata;
	int (*on_row)(const struct row_keys *keys, void *userdata);
	void *on_row_userdata;
	int on_row_error;
	struct query_scan *scan;       /* the one that is being stepped */
	struct query_earlier *earlier; /* see query_rows.c */
	int64_t data_version;	       /* as of the last query_refresh() */
	int64_t blocks_read;	       /* query_blocks_read() when it was opened or last warm */
	struct query_pages *pages;     /* see query_ahead.c; NULL: not needed so far */
	sqlite3_stmt *stmts[QUERY_STATEMENT_COUNT];
	struct boot *boots;
	size_t boot_count;
	struct arena permanent;	 /* boots: as long as the query */
	struct arena arena;	 /* processes, runs, gaps */
	struct arena dictionary; /* texts, programs, images, contexts, cgroups */
	struct idmap texts, programs, images, contexts, cgroups, processes;
};

/* A reset statement with its first arguments bound, or an error. */
int query_prepare(struct query *q, enum query_statement which, sqlite3_stmt **ret_stmt);
int query_step_error(struct query *q, int rc);

int64_t column_int(sqlite3_stmt *stmt, int column);
char *column_text(struct arena *arena, sqlite3_stmt *stmt, int column);

int query_text(struct query *q, int64_t id, const struct text **ret_text);
int query_image(struct query *q, int64_t id, const struct image **ret_image);
int query_context(struct query *q, int64_t id, const struct context **ret_context);
/* As query_trim(), whatever its size. */
void query_forget(struct query *q);

/* A run of process ids, the first included, the last not. */
struct id_run {
	int64_t first, end;
};

/* Blocks of 512 bytes that this thread has had read, from any disk. */
int64_t query_blocks_read(void);
/*
 * Whether this thread has waited for the disk since the database was opened, or since it was last
 * found that there is nothing to wait for.
 */
bool query_is_cold(const struct query *q);

/* What is asked for next. */
struct query_ahead {
	const struct id_run *runs; /* of processes, in the order of their ids, none twice */
	size_t count;
	const struct boot_range *started; /* only those that did in it; NULL: all */
	const struct idmap *wanted;	  /* only these; NULL: all */
};

/* Where that is so: has the kernel begin to read the rows of processes, and their images. */
void query_ahead(struct query *q, const struct query_ahead *what);
/* At most so many ids at once, or runs that long: their images may take 64 MiB. */
#define QUERY_AHEAD_IDS 16384
/* After the database has been closed; also NULL. */
void query_pages_free(struct query_pages *pages);

/* Makes the function of QUERY_WANTED known. */
int query_define_wanted(struct query *q);
/* After a step that failed: what the callback of query_on_row() said. */
int query_row_error(struct query *q, int error);
/* How many rows a scan has passed. */
void query_scan_passed(struct query_scan *scan);
int query_program(struct query *q, int64_t id, const struct image **ret_program);

/* Fills p from a row with PROCESS_COLUMNS. */
int query_fill(struct query *q, sqlite3_stmt *stmt, struct process *p);
/* The row's process: the known one, or a new one. */
int query_row(struct query *q, sqlite3_stmt *stmt, struct process **ret_process);
/* Steps through bound rows of PROCESS_COLUMNS and appends each process to the list once. */
int query_collect(struct query *q, sqlite3_stmt *stmt, struct process_list *list);

#endif
