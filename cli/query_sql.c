/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/query_sql.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "cli/query_internal.h"

struct query_rows {
	struct query *query;
	sqlite3_stmt *stmt;
};

/* Reading is allowed; ATTACH would open other files, PRAGMA could change how this one is read. */
static int authorize(void *userdata, int action, const char *first, const char *second,
		     const char *database, const char *trigger)
{
	switch (action) {
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_FUNCTION:
	case SQLITE_RECURSIVE:
		return SQLITE_OK;
	default:
		return SQLITE_DENY;
	}
}

/* SQLite makes these tables when they are first named, which the authorizer would not let it. */
static void know_functions(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;

	sqlite3_prepare_v2(db, "SELECT 1 FROM json_each('[]'), json_tree('[]')", -1, &stmt, NULL);
	sqlite3_finalize(stmt);
}

static bool only_blanks(const char *rest)
{
	while (isspace((unsigned char)*rest) || *rest == ';')
		rest++;
	return *rest == '\0';
}

int query_sql_open(struct query *q, const char *sql, struct query_rows **ret_rows)
{
	struct query_rows *rows = calloc(1, sizeof(*rows));
	const char *rest = "";
	int rc;

	if (!rows)
		return -ENOMEM;
	rows->query = q;
	know_functions(q->db);
	sqlite3_set_authorizer(q->db, authorize, NULL);
	rc = sqlite3_prepare_v2(q->db, sql, -1, &rows->stmt, &rest);
	sqlite3_set_authorizer(q->db, NULL, NULL);
	if (rc == SQLITE_OK && rows->stmt && sqlite3_stmt_readonly(rows->stmt) &&
	    only_blanks(rest)) {
		*ret_rows = rows;
		return 0;
	}
	if (rc == SQLITE_OK || rc == SQLITE_AUTH) {
		query_sql_free(rows);
		return -EPERM;
	}
	free(rows);
	return SCHEMA_E_SQLITE;
}

int query_sql_columns(const struct query_rows *rows)
{
	return sqlite3_column_count(rows->stmt);
}

const char *query_sql_name(const struct query_rows *rows, int column)
{
	const char *name = sqlite3_column_name(rows->stmt, column);

	return name ? name : "";
}

int query_sql_next(struct query_rows *rows)
{
	int rc = sqlite3_step(rows->stmt);

	if (rc == SQLITE_ROW)
		return 0;
	return rc == SQLITE_DONE ? 1 : query_step_error(rows->query, rc);
}

void query_sql_value(struct query_rows *rows, int column, struct value *ret)
{
	*ret = (struct value){0};
	switch (sqlite3_column_type(rows->stmt, column)) {
	case SQLITE_INTEGER:
		ret->type = VALUE_INTEGER;
		ret->integer = sqlite3_column_int64(rows->stmt, column);
		break;
	case SQLITE_FLOAT:
		ret->type = VALUE_REAL;
		ret->real = sqlite3_column_double(rows->stmt, column);
		break;
	case SQLITE_TEXT:
		ret->type = VALUE_TEXT;
		ret->bytes = (const char *)sqlite3_column_text(rows->stmt, column);
		ret->length = (size_t)sqlite3_column_bytes(rows->stmt, column);
		break;
	case SQLITE_BLOB:
		ret->type = VALUE_BLOB;
		ret->bytes = sqlite3_column_blob(rows->stmt, column);
		ret->length = (size_t)sqlite3_column_bytes(rows->stmt, column);
		break;
	default:
		break;
	}
}

void query_sql_free(struct query_rows *rows)
{
	if (!rows)
		return;
	sqlite3_finalize(rows->stmt);
	free(rows);
}

int64_t query_number(struct query *q, const char *sql)
{
	int64_t number = UNKNOWN;
	sqlite3_stmt *stmt = NULL;

	if (sqlite3_prepare_v2(q->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		number = column_int(stmt, 0);
	sqlite3_finalize(stmt);
	return number;
}
