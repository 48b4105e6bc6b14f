/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of one or several databases as a database of its own: the same schema, closed under every
 * reference, with what was left out told as such. And the digest by which it is known again.
 */
#ifndef LINEAGED_CLI_QUERY_EXPORT_H
#define LINEAGED_CLI_QUERY_EXPORT_H

#include "cli/query.h"
#include "cli/redact.h"

#define QUERY_DIGEST_SIZE 65

struct query_export {
	const struct process_list *list;
	int64_t since_unix_ns, until_unix_ns; /* UNKNOWN: unbounded */
	const char *filter;		      /* only this was taken, in words; NULL: everything */
	struct redact *redact;		      /* NULL: argv stays as it is */
	/* Results. */
	int64_t processes, execs, failures, images, left_out;
};

/*
 * Of each query its processes of the list, into a new file, which has no digest yet. The ids of the
 * first stay; those of the others are moved behind them. No boot may be in more than one.
 */
int query_export(struct query *const *queries, unsigned int count, const char *path,
		 struct query_export *export);
/* Puts the manifest into it, redacted unless redact is NULL, takes the digest of all it holds, and
 * puts it in too. */
int query_export_seal(const char *path, const char *manifest, struct redact *redact,
		      char digest[QUERY_DIGEST_SIZE]);

/* Every text of the database but boot ids, before it has a manifest. */
int query_redact(sqlite3 *db, struct redact *redact);
/* Every string of a document but boot ids; *json is sqlite3_malloc()'s and replaced. db is any. */
int query_redact_json(sqlite3 *db, struct redact *redact, char **json);

/*
 * SHA-256 in hexadecimal over every row of every table, each in the order of its key, and over the
 * text of the schema, but not over the digest itself.
 */
int query_digest(sqlite3 *db, char digest[QUERY_DIGEST_SIZE]);
/* The digest that an exported file says it has; 1: it says none. */
int query_stored_digest(sqlite3 *db, char digest[QUERY_DIGEST_SIZE]);

#endif
