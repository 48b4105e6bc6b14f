/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What must hold in every lineage.db, checked on the file alone: each sequence number of each CPU
 * is in exactly one row, or in a gap, or belongs to what carries no row, or was pruned; parents
 * exist, make no rings; codes and dictionaries are valid; and the file is a sound SQLite database.
 */
#ifndef LINEAGED_CLI_QUERY_VERIFY_H
#define LINEAGED_CLI_QUERY_VERIFY_H

#include "cli/query.h"

/* More of a kind than this are counted, not listed. */
#define VERIFY_LISTED_MAX 10

struct verify_report {
	void (*problem)(void *userdata, const char *check, const char *text);
	void (*progress)(void *userdata, const char *check);
	void *userdata;
	int64_t problems;
	int64_t processes, events; /* looked at */
	int64_t lost, recovered, unseen, pruned;
};

/* 0: all was looked at (problems may be 0 or not), or an error of the database. */
int query_verify(struct query *query, bool quick, struct verify_report *report);

#endif
