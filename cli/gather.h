/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of processes that several verbs put together the same way. */
#ifndef LINEAGED_CLI_GATHER_H
#define LINEAGED_CLI_GATHER_H

#include "cli/moment.h"
#include "cli/select.h"

/* Appends the ancestors of what is of this database from `first` on, each once, not selected. */
int gather_context(struct query *query, struct process_list *list, size_t first);
/* Appends what matches of the whole database and is in the time asked for; marks it selected. */
int gather_matching(struct session *session, struct selection *selection, struct query *query,
		    struct process_list *list);
/* Appends what had an event in the range; with --failed also what failed to execute in it. */
int gather_range(const struct session *session, struct query *query, const struct boot_range *range,
		 struct process_list *list);
/* Drops from `first` on what does not match; marks the rest selected. */
int gather_filter(struct selection *selection, struct process_list *list, size_t first);
/* Appends who was alive at that time, in the boots that --boot names. */
int gather_alive_at(struct session *session, struct query *query, const struct moment *moment,
		    struct process_list *list);
/* Appends those of moment->alive that match by what they were then; marks them selected. */
int gather_matching_at(struct selection *selection, struct query *query,
		       const struct moment *moment, struct process_list *list);
/* Appends the parents that it had then by moment_reaper(), at most `limit` (0: all). */
int gather_reapers(struct process *p, const struct moment *moment, unsigned int limit,
		   struct process_list *list);
/* The same for what is of this database from `first` on, each once, not selected. */
int gather_reaper_context(struct query *query, const struct moment *moment,
			  struct process_list *list, size_t first);
/*
 * Appends those of moment->alive that stood below p then by the same, down to `depth` (0: all).
 * Counts who was born below p and stands under nobody: whoever had it may have stood below p.
 */
int gather_below(struct process *p, const struct moment *moment, unsigned int depth,
		 struct process_list *list, struct completeness *completeness);
/* What may be missing in the line of ancestors of p. */
int gather_line(struct process *p, struct completeness *completeness);
/* 0 goes on, 1 ends it; p and its images last until it returns. */
typedef int (*gather_fn)(struct process *p, void *userdata);
/*
 * Calls back for each process of all databases that matches and has an event in the time asked for,
 * by start, over all databases together. *ret_failed: the database that an error is of, or NULL.
 */
int gather_in_order(struct session *session, struct selection *selection, bool newest_first,
		    gather_fn fn, void *userdata, struct query **ret_failed);
/*
 * Calls back for each process that matches and has an event in [since, until): by the indexes where
 * a time is given, else over all rows. In the order of their starts, or of the recording; memory
 * does not grow with their number.
 */
int gather_each(struct session *session, struct selection *selection, struct query *query,
		int64_t since_unix_ns, int64_t until_unix_ns, bool newest_first, gather_fn fn,
		void *userdata);
/* Earlier images and pruned children of everything on the list. */
int gather_details(struct query *query, struct process_list *list);
/* Where failed execs are shown: who failed otherwise does not look the same. */
int gather_failed_shapes(struct process_list *list);

#endif
