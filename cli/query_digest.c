/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of a database: over contents, not over pages. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#include "cli/query_export.h"
#include "cli/query_internal.h"
#include "schema/cleanup.h"

static void cleanup_md(EVP_MD_CTX **md)
{
	EVP_MD_CTX_free(*md);
}

static int add(EVP_MD_CTX *md, const void *data, size_t length)
{
	return EVP_DigestUpdate(md, data, length) == 1 ? 0 : -ENOMEM;
}

/* Type and length before each value: no two rows give the same bytes. */
static int add_value(EVP_MD_CTX *md, sqlite3_stmt *stmt, int column)
{
	int type = sqlite3_column_type(stmt, column);
	const void *bytes = type == SQLITE_NULL	  ? ""
			    : type == SQLITE_BLOB ? sqlite3_column_blob(stmt, column)
						  : sqlite3_column_text(stmt, column);
	size_t length = (size_t)sqlite3_column_bytes(stmt, column);
	char head[32];
	int n = snprintf(head, sizeof(head), "%d:%zu:", type, length);
	int r = add(md, head, (size_t)n);

	return r < 0 || length == 0 ? r : add(md, bytes, length);
}

static int add_rows(EVP_MD_CTX *md, sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), r = 0;

	while (r == 0 && rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		for (int i = 0; r == 0 && i < sqlite3_column_count(stmt); i++)
			r = add_value(md, stmt, i);
		if (r == 0)
			r = add(md, "\n", 1);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	if (r == 0 && rc != SQLITE_DONE)
		r = schema_error(rc);
	return r;
}

/* By its key, which every table of ours has. */
static char *rows_of(sqlite3 *db, const char *table)
{
	sqlite3_stmt *stmt = NULL;
	char *order = NULL, *sql = NULL;

	if (sqlite3_prepare_v2(db,
			       "SELECT group_concat('\"' || name || '\"') FROM (SELECT name FROM "
			       "pragma_table_info(?1) WHERE pk > 0 ORDER BY pk)",
			       -1, &stmt, NULL) == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
		if (sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_text(stmt, 0))
			order = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));
	}
	sqlite3_finalize(stmt);
	sql = sqlite3_mprintf("SELECT * FROM \"%w\"%s ORDER BY %s", table,
			      strcmp(table, "meta") == 0 ? " WHERE name <> 'export.sha256'" : "",
			      order ? order : "rowid");
	sqlite3_free(order);
	return sql;
}

static int add_tables(EVP_MD_CTX *md, sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	int r = 0, rc = sqlite3_prepare_v2(db,
					   "SELECT name FROM sqlite_master WHERE type = 'table' "
					   "AND name NOT LIKE 'sqlite@_%' ESCAPE '@' ORDER BY name",
					   -1, &stmt, NULL);

	while (r == 0 && rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		char *sql = rows_of(db, name);

		r = sql ? add(md, name, strlen(name) + 1) : -ENOMEM;
		if (r == 0)
			r = add_rows(md, db, sql);
		sqlite3_free(sql);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	if (r == 0 && rc != SQLITE_DONE)
		r = schema_error(rc);
	return r;
}

int query_digest(sqlite3 *db, char digest[QUERY_DIGEST_SIZE])
{
	CLEANUP(cleanup_md) EVP_MD_CTX *md = EVP_MD_CTX_new();
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	int r;

	if (!md || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	r = add_rows(md, db,
		     "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite@_%' "
		     "ESCAPE '@' ORDER BY type, name");
	if (r == 0)
		r = add_tables(md, db);
	if (r < 0)
		return r;
	if (EVP_DigestFinal_ex(md, hash, &length) != 1)
		return -ENOMEM;
	for (unsigned int i = 0; i < 32; i++)
		snprintf(digest + 2 * i, 3, "%02x", hash[i]);
	return 0;
}

int query_stored_digest(sqlite3 *db, char digest[QUERY_DIGEST_SIZE])
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, "SELECT value FROM meta WHERE name = 'export.sha256'", -1,
				    &stmt, NULL);
	int r = rc == SQLITE_OK ? 1 : schema_error(rc);

	if (r == 1 && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		snprintf(digest, QUERY_DIGEST_SIZE, "%s", text ? text : "");
		r = 0;
	}
	sqlite3_finalize(stmt);
	return r;
}
