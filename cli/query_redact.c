/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets out of an exported database: of every text that it has, wherever a later schema puts one.
 */
#include "cli/query_export.h"

#include <errno.h>
#include <string.h>

#include "cli/json.h"
#include "cli/query_internal.h"
#include "schema/cleanup.h"

static int step_update(sqlite3_stmt *update)
{
	int rc = sqlite3_step(update);

	sqlite3_reset(update);
	return rc == SQLITE_DONE ? 0 : schema_error(rc);
}

/* What was told without loss still is: nothing that is put in has a separator. */
static int store_joined(sqlite3_stmt *update, const struct image *image, struct buffer *argv)
{
	(void)image;
	for (size_t i = 0; i < argv->length; i++) {
		if (!argv->data[i])
			argv->data[i] = SCHEMA_ARGS_SEPARATOR;
	}
	sqlite3_bind_text(update, 1, argv->data, (int)argv->length - 1, SQLITE_STATIC);
	return step_update(update);
}

/* What was truncated stays so: the true length grows or shrinks with the words. */
static int store_argv(sqlite3_stmt *update, const struct image *image, struct buffer *argv)
{
	int64_t old = image->args_raw ? (int64_t)image->args_raw_length : image->args_bytes;
	struct json json;
	int r = -ENOMEM;

	json_begin(&json, NULL, 0);
	json_array_begin(&json, NULL);
	for (size_t at = 0; at < argv->length; at += strlen(argv->data + at) + 1)
		json_string(&json, NULL, argv->data + at, strlen(argv->data + at));
	json_array_end(&json);
	if (image->args)
		sqlite3_bind_text(update, 1, json.buffer.data, (int)json.buffer.length,
				  SQLITE_STATIC);
	else
		sqlite3_bind_null(update, 1);
	if (image->args_raw)
		sqlite3_bind_blob(update, 3, argv->data, (int)argv->length, SQLITE_STATIC);
	else
		sqlite3_bind_null(update, 3);
	sqlite3_bind_int64(update, 4, image->args_bytes - old + (int64_t)argv->length);
	if (!json.buffer.failed)
		r = step_update(update);
	json_deinit(&json);
	return r;
}

static int redact_args(sqlite3 *to, struct redact *redact, const char *select, const char *change,
		       int (*store)(sqlite3_stmt *, const struct image *, struct buffer *))
{
	sqlite3_stmt *read = NULL, *update = NULL;
	struct buffer argv = {0};
	int rc = sqlite3_prepare_v2(to, select, -1, &read, NULL), r = schema_error(rc);

	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(to, change, -1, &update, NULL));
	while (r == 0 && (rc = sqlite3_step(read)) == SQLITE_ROW) {
		struct image image = {
			.args = (const char *)sqlite3_column_text(read, 1),
			.args_length = (size_t)sqlite3_column_bytes(read, 1),
			.args_joined = store == store_joined,
			.args_raw = sqlite3_column_blob(read, 2),
			.args_raw_length = (size_t)sqlite3_column_bytes(read, 2),
			.args_bytes = sqlite3_column_int64(read, 3),
		};

		r = redact_image(redact, &image, &argv);
		if (r != 1)
			continue;
		sqlite3_bind_int64(update, 2, sqlite3_column_int64(read, 0));
		r = store(update, &image, &argv);
	}
	if (r == 0 && rc != SQLITE_DONE)
		r = schema_error(rc);
	sqlite3_finalize(read);
	sqlite3_finalize(update);
	buffer_deinit(&argv);
	return r;
}

static int redact_all_args(sqlite3 *to, struct redact *redact)
{
	int r = redact_args(to, redact,
			    "SELECT image, args, NULL, 0 FROM image WHERE args IS NOT NULL",
			    "UPDATE image SET args = ?1 WHERE image = ?2", store_joined);

	/* Damaged: nobody can tell its words, so that nothing of it may stay. */
	if (r == 0)
		r = schema_exec(to, "UPDATE argv SET args = NULL WHERE NOT json_valid(args)");
	if (r == 0)
		r = redact_args(to, redact,
				"SELECT image, " QUERY_ARGV_WORDS
				", args_raw, args_bytes FROM argv",
				"UPDATE argv SET args = ?1, args_raw = ?3, args_bytes = ?4 WHERE "
				"image = ?2",
				store_argv);
	return r;
}

/* Of one row: column 0 is its rowid, the text is in column 1. 1: changed. */
static int redact_row(struct redact *redact, sqlite3_stmt *read, sqlite3_stmt *update,
		      struct buffer *text)
{
	bool blob = sqlite3_column_type(read, 1) == SQLITE_BLOB;
	int r;

	buffer_clear(text);
	buffer_add(text, sqlite3_column_blob(read, 1), (size_t)sqlite3_column_bytes(read, 1));
	r = redact_text(redact, text);
	if (r != 1)
		return r;
	if (blob)
		sqlite3_bind_blob(update, 1, text->data, (int)text->length, SQLITE_STATIC);
	else
		sqlite3_bind_text(update, 1, text->data, (int)text->length, SQLITE_STATIC);
	sqlite3_bind_int64(update, 2, sqlite3_column_int64(read, 0));
	return step_update(update);
}

static int redact_column(sqlite3 *to, struct redact *redact, const char *table, const char *column)
{
	/* By an index a row that is changed might come again. */
	char *select = sqlite3_mprintf("SELECT rowid, \"%w\" FROM \"%w\" NOT INDEXED "
				       "WHERE \"%w\" <> ''",
				       column, table, column);
	char *change =
		sqlite3_mprintf("UPDATE \"%w\" SET \"%w\" = ?1 WHERE rowid = ?2", table, column);
	sqlite3_stmt *read = NULL, *update = NULL;
	struct buffer text = {0};
	int rc = SQLITE_OK, r = select && change ? 0 : -ENOMEM;

	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(to, select, -1, &read, NULL));
	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(to, change, -1, &update, NULL));
	while (r == 0 && (rc = sqlite3_step(read)) == SQLITE_ROW)
		r = redact_row(redact, read, update, &text);
	if (r == 0 && rc != SQLITE_DONE)
		r = schema_error(rc);
	sqlite3_finalize(read);
	sqlite3_finalize(update);
	sqlite3_free(select);
	sqlite3_free(change);
	buffer_deinit(&text);
	return r;
}

/*
 * Not argv, which is redacted by words. Not boot ids: they tell boots apart, here and in other
 * files. meta has no row of its own yet.
 */
static const char columns_sql[] =
	"SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c "
	"WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite@_%' ESCAPE '@' AND t.name <> 'meta' "
	"AND (c.type = 'TEXT' OR t.name = 'text' AND c.name = 'raw') AND c.name <> 'boot_id' "
	"AND NOT (t.name IN ('image', 'argv') AND c.name = 'args')";

/* One of the two has it, the other writes it in another way. */
static const char twins_sql[] =
	"UPDATE text SET value = '" REDACTED "', raw = NULL WHERE raw IS NOT NULL AND "
	"(instr(value, '" REDACTED "') > 0) <> (instr(raw, CAST('" REDACTED "' AS BLOB)) > 0)";

int query_redact(sqlite3 *to, struct redact *redact)
{
	sqlite3_stmt *stmt = NULL;
	int r = redact_all_args(to, redact), rc = SQLITE_OK;

	if (r == 0)
		r = schema_error(sqlite3_prepare_v2(to, columns_sql, -1, &stmt, NULL));
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		r = redact_column(to, redact, (const char *)sqlite3_column_text(stmt, 0),
				  (const char *)sqlite3_column_text(stmt, 1));
	if (r == 0 && rc != SQLITE_DONE)
		r = schema_error(rc);
	sqlite3_finalize(stmt);
	return r == 0 ? schema_exec(to, twins_sql) : r;
}

/* Puts text in the place of the string at path. */
static int set_string(sqlite3 *db, const char *path, const struct buffer *text, char **json)
{
	sqlite3_stmt *stmt = NULL;
	int r = schema_error(
		sqlite3_prepare_v2(db, "SELECT json_set(?1, ?2, ?3)", -1, &stmt, NULL));

	if (r == 0) {
		sqlite3_bind_text(stmt, 1, *json, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, path, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 3, text->data, (int)text->length, SQLITE_STATIC);
		r = sqlite3_step(stmt) == SQLITE_ROW ? 0 : SCHEMA_E_SQLITE;
	}
	if (r == 0) {
		char *fresh = sqlite3_mprintf("%s", sqlite3_column_text(stmt, 0));

		r = fresh ? 0 : -ENOMEM;
		if (fresh) {
			sqlite3_free(*json);
			*json = fresh;
		}
	}
	sqlite3_finalize(stmt);
	return r;
}

int query_redact_json(sqlite3 *db, struct redact *redact, char **json)
{
	sqlite3_stmt *stmt = NULL;
	struct buffer text = {0};
	int rc, r = schema_error(sqlite3_prepare_v2(
			db,
			"SELECT fullkey, atom FROM json_tree(?1) WHERE type = 'text' "
			"AND key IS NOT 'boot_id'",
			-1, &stmt, NULL));

	if (r == 0)
		sqlite3_bind_text(stmt, 1, *json, -1, SQLITE_TRANSIENT);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		buffer_clear(&text);
		buffer_puts(&text, (const char *)sqlite3_column_text(stmt, 1));
		r = redact_text(redact, &text);
		if (r == 1)
			r = set_string(db, (const char *)sqlite3_column_text(stmt, 0), &text, json);
	}
	if (r == 0 && rc != SQLITE_DONE)
		r = schema_error(rc);
	sqlite3_finalize(stmt);
	buffer_deinit(&text);
	return r;
}
