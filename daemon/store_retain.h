/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQL of retention: reading the oldest processes, taking them out and counting them, finding the
 * dictionary rows that are left over. What goes and when is decided in retain*.c.
 *
 * Works on the writer's connection, in transactions of its own, between those of the recorder.
 * Functions return 0 or what schema_error() makes of SQLite's answer; after a failure the caller
 * rolls back with store_retain_rollback().
 */
#ifndef LINEAGED_STORE_RETAIN_H
#define LINEAGED_STORE_RETAIN_H

#include "daemon/store.h"

/* Earlier images, and failed execs, that are read or removed per call. */
#define STORE_RETAIN_EVENTS 128
/* CPUs times boots whose removed events are counted before they are written. */
#define STORE_RETAIN_CPUS 64

/*
 * Rows of boots of which nothing is left. Each is an answer's line, and a node that boots daily
 * makes as many in two months; of more, the two with the least time between them become one, so
 * that hardly any time that was not recorded seems so: not the oldest two, as one whose clock never
 * left 1970 would take in all until the next.
 */
#define STORE_RETAIN_FORGOTTEN 64

/* A row of process_row, as far as retention looks at it. NULL is ROW_NONE. */
struct retain_row {
	int64_t process_id, boot, pid, start_boot_ns, end_after_ns;
	int64_t relative[4]; /* parent first; then creator and later parents; 0 or ROW_NONE: none */
	struct {
		int64_t cpu, seq;
	} event[3];
};

/* A row of pruned_row that is being added to. */
struct retain_tombstone {
	int64_t parent_id; /* 0: empty; of a process without a parent: - boot */
	int64_t processes, boot, from_boot_ns, to_boot_ns;
};

struct store_retain {
	struct store *store;
	sqlite3_stmt **stmts;
	struct retain_tombstone tombstone;
	struct {
		int64_t boot, cpu, events;
	} sums[STORE_RETAIN_CPUS];
	size_t sums_count;
};

struct store_retain_size {
	int64_t page_bytes, pages, free_pages;
};

/* Tables of what repeats, in the order in which they are gone through. */
enum retain_table {
	RETAIN_IMAGE,
	RETAIN_PROGRAM,
	RETAIN_CONTEXT,
	RETAIN_TEXT,
	RETAIN_CGROUP,
	RETAIN_TABLES
};

/* Tables that point to them. */
enum retain_source { RETAIN_FROM_PROCESS, RETAIN_FROM_EXEC, RETAIN_FROM_FAILURE, RETAIN_SOURCES };

int store_retain_open(struct store_retain *s, struct store *store);
void store_retain_close(struct store_retain *s);

int store_retain_begin(struct store_retain *s);
/* Writes what is counted, too. */
int store_retain_commit(struct store_retain *s);
void store_retain_rollback(struct store_retain *s);

int store_retain_size(struct store_retain *s, struct store_retain_size *ret_size);
/* Gives up to `pages` free pages back to the file system. In no transaction. */
int store_retain_vacuum(struct store_retain *s, int64_t pages);

/* Wall clock minus boot time of a boot, as last known. -ENOENT: never known. */
int store_retain_offset(struct store_retain *s, int64_t boot, int64_t *ret_offset_ns);

/* Up to `most` processes from this id on, oldest first. */
int store_retain_read(struct store_retain *s, int64_t from_id, int64_t below_id,
		      struct retain_row *rows, size_t most, size_t *ret_count);
/* 1 and the row, or 0: there is none. */
int store_retain_get(struct store_retain *s, int64_t process_id, struct retain_row *ret_row);
/* 1: another process has it as its parent, creator or later parent; 0: nobody has. */
int store_retain_is_needed(struct store_retain *s, int64_t process_id);

/*
 * Removes the earlier images and failed execs of a process but for the newest `keep` of each, a few
 * per call, and notes them in pruned_exec; but with keep 0 and nothing left, where the process goes
 * in the same transaction. 1: there are more; 0: done. Processes that they pointed at are put into
 * relatives[STORE_RETAIN_EVENTS].
 */
int store_retain_remove_events(struct store_retain *s, const struct retain_row *row, int64_t keep,
			       int64_t *relatives, size_t *ret_relatives_count);
/* Removes the process, whose events are gone, and leaves it counted under its parent. */
int store_retain_remove(struct store_retain *s, const struct retain_row *row);

/* Removes a run of SCHEMA_ZONE_SHIFT ids from the list if it has no process left. */
int store_retain_zone(struct store_retain *s, int64_t zone);

/* Calls back for each reference; 0 or ROW_NONE: none. *cursor is the last row that was read. */
typedef void (*store_retain_refer_fn)(void *userdata, enum retain_table table, int64_t id);
int store_retain_references(struct store_retain *s, enum retain_source source, int64_t *cursor,
			    int64_t most, int64_t *ret_count, store_retain_refer_fn refer,
			    void *userdata);

/*
 * Rows of a dictionary with ids in (*cursor, below): those that `keep` says are kept have their own
 * references told to `refer`, the others are removed.
 */
struct store_retain_sweep {
	bool (*keep)(void *userdata, enum retain_table table, int64_t id);
	store_retain_refer_fn refer;
	void *userdata;
};

int store_retain_sweep(struct store_retain *s, enum retain_table table, int64_t *cursor,
		       int64_t below, int64_t most, const struct store_retain_sweep *sweep,
		       int64_t *ret_seen, int64_t *ret_removed);

/* Forgets one earlier boot of which no process is left, but for when it was, by its last clock.
 * 1: there was one. */
int store_retain_boot(struct store_retain *s);

int store_retain_get_number(struct store_retain *s, const char *name, int64_t *ret_value);
int store_retain_set_number(struct store_retain *s, const char *name, int64_t value);

#endif
