/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node as retention sees it: a history that the real store, dictionaries and book write, with
 * trees of long and short lives, processes that changed their parent, images that repeat and that
 * do not.
 */
#ifndef LINEAGED_TESTS_WORLD_H
#define LINEAGED_TESTS_WORLD_H

#include "daemon/checkpoint.h"
#include "daemon/retain.h"

#define SECOND	  1000000000ULL
#define CPUS	  4
#define SHORT	  24
#define SESSIONS  48
#define DAEMONS	  8
#define PID_FIRST 300

struct world {
	char directory[200], path[240];
	struct config config;
	struct store store;
	struct intern intern;
	struct book book;
	struct retain retain;
	struct checkpoint checkpoint;
	sqlite3 *log; /* empties the log when it is half as long as it may be, like the thread */
	uint64_t cost_ns; /* what the recorder works per process; see world_clock() */
	uint64_t now, random, spawned, pid_max;
	uint64_t next_seq[CPUS];
	int64_t unseen[CPUS];
	unsigned int unique_percent; /* images that nothing else has */
	size_t args_length;
	struct process *init, *daemons[DAEMONS], *sessions[SESSIONS], *brief[SHORT];
	size_t next_brief, next_session;
	uint64_t most_bytes, most_log_bytes;
};

/* An empty database in a new directory below parent, and the processes that never end. */
void world_begin(struct world *w, const char *parent, uint64_t max_use);
void world_end(struct world *w);
/* As at a start and at a stop of the daemon. */
void world_open(struct world *w);
void world_close(struct world *w);
void world_populate(struct world *w);

/* Within store_begin() and world_commit(). */
struct process *world_spawn(struct world *w, struct process *parent, bool executes);
void world_run_image(struct world *w, struct process *p);
void world_end_process(struct world *w, struct process *p);
void world_commit(struct world *w);

/* retain_init(), in this world. */
void world_retain(struct world *w);
/*
 * So long does a row of retention take by its clock (or 64 that are only read), and so long one of
 * the recorder; 0: what it takes. So what is done is the same on each machine. At first 20 us each.
 */
void world_clock(struct world *w, uint64_t row_ns, uint64_t cost_ns);

/* So many more processes, so many per transaction. flood: the recorder is never idle. */
void world_history(struct world *w, uint64_t processes, unsigned int batch, bool flood);
/* Retention until it has nothing to do. */
void world_settle(struct world *w);

/* So that files show what is in them. */
void world_checkpoint(struct world *w);

int64_t world_number(const struct world *w, const char *sql);
/* Of the database or, with a suffix, of its log. */
uint64_t world_bytes(const struct world *w, const char *suffix);

/* Everything that lineage-query verify finds, and what it does not look for. */
void world_prove(const struct world *w);
/* The number of problems, which are printed. */
int64_t world_verify(const char *path);

#endif
