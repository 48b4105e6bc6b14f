/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes that live, by key, and those that have just ended: a parent may be asked for a
 * moment after its end, when the records of two CPUs cross. Memory only; what is changed waits on a
 * list for the store.
 */
#ifndef LINEAGED_BOOK_H
#define LINEAGED_BOOK_H

#include <stddef.h>

#include "daemon/process.h"

struct book {
	struct process *table;
	struct process *changed, **changed_tail; /* in the order of the first change */
	struct process *ended, **ended_tail;	 /* committed; oldest first */
	size_t living_count, ended_count;
};

void book_init(struct book *book);
/* Forgets everything, also what waits for the store. */
void book_forget(struct book *book);

struct process *book_find(struct book *book, const struct lineage_key *key);
/* A new one, with every field unknown. NULL: no memory. */
struct process *book_add(struct book *book, const struct lineage_key *key, int64_t process_id);
/* The same, for store_load.h. */
struct process *book_add_stored(const struct lineage_key *key, int64_t process_id, void *book);

void book_change(struct book *book, struct process *p);

/* After commit: nothing is changed any more, and what has ended is kept for a while. */
void book_committed(struct book *book, uint64_t now_boot_ns);

/*
 * Takes the oldest ended process out if it ended before boot_ns, or if more than `most` are kept.
 * The caller frees it with book_free_process().
 */
struct process *book_take_ended(struct book *book, uint64_t boot_ns, size_t most);
void book_free_process(struct process *p);

#endif
