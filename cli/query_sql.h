/* SPDX-License-Identifier: Apache-2.0 */
/* A statement of the user's own, run so that it can only read, and facts about the file itself. */
#ifndef LINEAGED_CLI_QUERY_SQL_H
#define LINEAGED_CLI_QUERY_SQL_H

#include "cli/query.h"

enum value_type { VALUE_NULL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };

struct value {
	enum value_type type;
	int64_t integer;
	double real;
	const char *bytes;
	size_t length;
};

struct query_rows;

/* -EPERM: it would write, or is more than one statement; else as query_errmsg() says. */
int query_sql_open(struct query *query, const char *sql, struct query_rows **ret_rows);
int query_sql_columns(const struct query_rows *rows);
const char *query_sql_name(const struct query_rows *rows, int column);
/* 0: a row, 1: the end. */
int query_sql_next(struct query_rows *rows);
/* Valid until the next row. */
void query_sql_value(struct query_rows *rows, int column, struct value *ret_value);
void query_sql_free(struct query_rows *rows);

/* The one number that a statement of ours gives; UNKNOWN where it gives NULL or fails. */
int64_t query_number(struct query *query, const char *sql);

#endif
