/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer's side of lineage.db: rows in, one transaction at a time. Knows SQL and nothing of
 * events.
 *
 * Every function returns 0 or what schema_error() makes of SQLite's answer. After any failure the
 * transaction must be rolled back with store_rollback(), and what was held in memory on the
 * strength of it (ids of new rows) is void: see recorder.c, which then starts again from what is
 * committed.
 */
#ifndef LINEAGED_STORE_H
#define LINEAGED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/container_names.h"
#include "daemon/process.h"
#include "daemon/store_stmt.h"

struct store {
	sqlite3 *db;
	sqlite3_stmt *stmts[STORE_STMTS];
	bool in_transaction;
	int64_t boot;	      /* number of the running boot */
	int64_t next_process; /* ids for new rows */
	int64_t next_text, next_program, next_image, next_context, next_cgroup;
	int64_t run; /* row of this run of the daemon */
	/* Range of starts of the process ids written to one zone, not yet in the database. */
	int64_t zone;
	uint64_t zone_min_ns, zone_max_ns;
	/* New processes that wait for others, to be inserted together. */
	int64_t pending[STORE_PROCESSES_AT_ONCE][STORE_PROCESS_VALUES_COUNT];
	int pending_room[STORE_PROCESSES_AT_ONCE];
	unsigned int pending_count;
	uint64_t log_pages;  /* in the write-ahead log as of the last commit */
	uint64_t statements; /* executed, for the benchmark */
};

struct store_text {
	const char *value; /* valid UTF-8 */
	size_t length;
	const char *raw; /* NULL: value is exact */
	size_t raw_length;
};

struct store_program {
	int64_t exe, filename, interpreter; /* texts; ROW_NONE */
	const char *comm;
	size_t comm_length;
	int64_t flags, dev, inode;
};

struct store_argv {
	const char *json; /* NULL: unknown */
	size_t json_length;
	const void *raw;
	size_t raw_length;
	int64_t count, bytes;
};

struct store_image {
	int64_t program;
	const char *args; /* as args_join() makes it; NULL: argv has them */
	size_t args_length;
	struct store_argv argv;
};

struct store_cgroup {
	int64_t hierarchy;
	uint64_t kernfs_id;
	const char *path; /* NULL: unknown */
	struct container container;
	struct container_names names;
};

/* Why something is missing. lineage.db(5) explains each. */
#define GAP_RING_FULL	   "ring_full"
#define GAP_PROGRAM_MISSED "program_missed"
#define GAP_RECORDER_DOWN  "recorder_down"
#define GAP_DATABASE_BEGUN "database_begun"
#define GAP_RING_GONE	   "ring_gone"
#define GAP_UNCLEAN_END	   "unclean_end"

struct store_gap {
	int64_t gap_id;	   /* 0: not stored yet */
	const char *cause; /* GAP_ */
	int64_t cpu;	   /* ROW_NONE: all */
	uint64_t from_boot_ns, to_boot_ns;
	int64_t first_seq, last_seq, lost; /* ROW_NONE: cannot be known */
	int64_t recovered;
	const char *detail;
};

/* An execve or execveat call that failed. */
struct store_failure {
	int64_t process_id;
	uint64_t boot_ns;
	int64_t cpu, seq, image;
	uint32_t error; /* errno */
};

struct store_run {
	const char *version, *config_hash, *kernel, *filter;
	uint64_t started_boot_ns;
};

/* Opens or creates the database, finds or makes the row of this boot. */
int store_open(struct store *store, const char *path);
void store_close(struct store *store);
/* Between transactions: pages that the next ones will read again need not be kept. */
void store_rest(struct store *store);
const char *store_error(const struct store *store);
/* The file that is open is not the one that is at its path any more: removed or replaced. */
bool store_has_moved(struct store *store);

int store_begin(struct store *store);
int store_commit(struct store *store);
/* 0: there is no transaction any more. Until then nothing that is read is what is committed. */
int store_rollback(struct store *store);
/* Ids for new rows follow the highest committed ones. After open and after rollback. */
int store_reload_ids(struct store *store);

/* New dictionary rows; *ret_id is their id. */
int store_text(struct store *store, const struct store_text *text, int64_t *ret_id);
int store_program(struct store *store, const struct store_program *program, int64_t *ret_id);
int store_image(struct store *store, const struct store_image *image, int64_t *ret_id);
int store_context(struct store *store, const struct lineage_ids *ids, int64_t cgroup,
		  int64_t cgroup_v1, int64_t *ret_id);
int store_cgroup(struct store *store, const struct store_cgroup *cgroup, int64_t *ret_id);
int store_cgroup_update(struct store *store, int64_t id, const struct store_cgroup *cgroup);

/*
 * The row of a process: first time or again. A new row may wait until the commit, and is not seen
 * by a query before.
 */
int store_process(struct store *store, const struct process *process);
int store_exec(struct store *store, const struct process *process, const struct image_state *image);

int store_failure(struct store *store, const struct store_failure *failure);

int store_gap(struct store *store, struct store_gap *gap);
int store_gap_delete(struct store *store, int64_t gap_id);

int store_clock(struct store *store, uint64_t from_boot_ns, int64_t offset_ns);
int store_ring_position(struct store *store, const uint8_t ring_id[16], uint64_t position);
/* 0 where nothing is known of that ring. */
int store_get_ring_position(struct store *store, const uint8_t ring_id[16], uint64_t *ret_position);
int store_cpu_position(struct store *store, int cpu, uint64_t first_seq, uint64_t next_seq,
		       uint64_t unseen);

int store_run_begin(struct store *store, const struct store_run *run);
int store_run_alive(struct store *store, uint64_t boot_ns);
int store_run_end(struct store *store, uint64_t boot_ns, const char *how);

/* Every process of another boot has ended with it; runs of the daemon that did not say so have,
 * too.
 */
int store_close_boots(struct store *store);
/*
 * Ends the rows of runs that did not; those of other boots leave a gap of unknown size. `adopted`:
 * the programs of the last run have gone on, so that it was handed over; else it was stopped.
 */
int store_close_runs(struct store *store, bool adopted);

/* Numbers for a later run of this boot: store_read_fact(). */
#define STORE_FACT_NUMBERS 12 /* at most */
int store_fact(struct store *store, const char *name, const int64_t *numbers, size_t count);

/* For store_load.c: a statement to be stepped through until SQLITE_DONE; then store_reset(). */
sqlite3_stmt *store_query(struct store *store, enum store_stmt stmt);
void store_reset(struct store *store, enum store_stmt stmt);

/* process_id of a process of this boot, 0 if there is none. */
int store_find_process(struct store *store, const struct lineage_key *key, int64_t *ret_id);

#endif
