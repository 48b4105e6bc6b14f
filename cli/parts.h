/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A time with more processes than fit into memory, cut into parts of a few thousand each: the same
 * cuts for the same question, made from what the database knows of its own layout.
 */
#ifndef LINEAGED_CLI_PARTS_H
#define LINEAGED_CLI_PARTS_H

#include "cli/cmd.h"

/* As many as are read, sorted and shown in a tenth of a second. */
#define PART_PROCESSES 16384

struct parts {
	int64_t since_unix_ns, until_unix_ns; /* UNKNOWN: unbounded */
	int64_t *cut;			      /* where the second part begins, the third, ... */
	size_t count;			      /* parts: one more than cuts */
};

/* Of these databases the boots that the session wants. */
int parts_init(struct parts *parts, const struct session *session, struct query *const *db,
	       unsigned int db_count, int64_t since_unix_ns, int64_t until_unix_ns);
void parts_deinit(struct parts *parts);
/* [*ret_since, *ret_until) of one part; UNKNOWN as above. */
void parts_range(const struct parts *parts, size_t part, int64_t *ret_since, int64_t *ret_until);
/* Where a person waits: that everything before this part has been looked through. */
void parts_progress(const struct parts *parts, struct query *query, size_t part);

#endif
