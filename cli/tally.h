/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts over many processes: executables, parent -> child pairs, users, ends, births per minute.
 * It holds one entry per distinct name, not per process.
 */
#ifndef LINEAGED_CLI_TALLY_H
#define LINEAGED_CLI_TALLY_H

#include "cli/arena.h"
#include "cli/query.h"

struct tally_entry {
	const char *name;      /* of an executable, or a user's number */
	const char *child;     /* of a pair; else NULL */
	int64_t count, failed; /* failed: ended by a signal or another code than 0 */
	int64_t first_unix_ns;
	uint64_t hash;
	struct tally_entry *next; /* in its slot */
};

struct tally_table {
	struct tally_entry **slots;
	size_t size, count;
};

struct tally {
	struct arena arena;
	struct tally_table executables, pairs, users;
	struct tally_table errors, attempts; /* of failed execs: by error; by error and file */
	struct idmap uids;		     /* uid -> its entry in users */
	struct idmap minutes; /* births: minute since 1970 + 1 -> struct tally_minute */
	int64_t failures, births, execs, never_executed, alive, exited_zero, exited_other, signaled,
		unknown_end;
	int64_t busiest_minute, busiest_count;
	int64_t since_unix_ns, until_unix_ns; /* what counts; UNKNOWN: unbounded */
};

void tally_init(struct tally *tally, int64_t since_unix_ns, int64_t until_unix_ns);
void tally_deinit(struct tally *tally);
/* p needs query_execs_of(); parent may be NULL. 0 or -ENOMEM. */
int tally_add(struct tally *tally, const struct process *p, struct process *parent);
int tally_add_failure(struct tally *tally, const struct exec_failure *failure);
const struct tally_entry *tally_find(const struct tally_table *table, const char *name,
				     const char *child);
/* All entries, by the comparison; the array is the caller's (free). NULL: no memory or none. */
struct tally_entry **tally_sorted(const struct tally_table *table,
				  int (*compare)(const void *a, const void *b));
/* Most frequent first; least frequent first. Ties by name. */
int tally_compare_top(const void *a, const void *b);
int tally_compare_rare(const void *a, const void *b);

#endif
