/* SPDX-License-Identifier: Apache-2.0 */
/* sql: a statement over the views of lineage.db(5), read-only. */
#include <errno.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/query_sql.h"

struct sql {
	struct session *session;
	struct query_rows *rows;
	struct buffer line;
	struct json json;
};

static int put(struct sql *s)
{
	if (s->line.failed)
		return -ENOMEM;
	if (fwrite(s->line.data, 1, s->line.length, s->session->out) != s->line.length)
		return errno ? -errno : -EIO;
	buffer_clear(&s->line);
	return 0;
}

static void add_text(struct sql *s, const struct value *v)
{
	switch (v->type) {
	case VALUE_NULL:
		break;
	case VALUE_INTEGER:
		buffer_int(&s->line, v->integer, 0);
		break;
	case VALUE_REAL:
		buffer_printf(&s->line, "%.15g", v->real);
		break;
	case VALUE_TEXT:
		escape_text(&s->line, v->bytes, v->length, !s->session->style.utf8);
		break;
	case VALUE_BLOB:
		buffer_puts(&s->line, "x'");
		for (size_t i = 0; i < v->length; i++)
			buffer_printf(&s->line, "%02x", (unsigned char)v->bytes[i]);
		buffer_putc(&s->line, '\'');
		break;
	}
}

/* Columns by tabs: the escapes leave no tab inside a value. */
static int text_row(struct sql *s, bool names)
{
	int columns = query_sql_columns(s->rows);

	for (int i = 0; i < columns; i++) {
		struct value v;

		if (i)
			buffer_putc(&s->line, '\t');
		if (names) {
			const char *name = query_sql_name(s->rows, i);

			escape_text(&s->line, name, strlen(name), !s->session->style.utf8);
			continue;
		}
		query_sql_value(s->rows, i, &v);
		add_text(s, &v);
	}
	buffer_putc(&s->line, '\n');
	return put(s);
}

static void json_row(struct sql *s)
{
	int columns = query_sql_columns(s->rows);

	json_object_begin(&s->json, NULL);
	for (int i = 0; i < columns; i++) {
		const char *name = query_sql_name(s->rows, i);
		struct value v;

		query_sql_value(s->rows, i, &v);
		if (v.type == VALUE_INTEGER)
			json_int(&s->json, name, v.integer);
		else if (v.type == VALUE_REAL)
			json_real(&s->json, name, v.real);
		else if (v.type == VALUE_TEXT)
			json_string(&s->json, name, v.bytes, v.length);
		else if (v.type == VALUE_BLOB)
			json_hex(&s->json, name, v.bytes, v.length);
		else
			json_text(&s->json, name, NULL);
	}
	json_object_end(&s->json);
}

static int print_rows(struct sql *s, int64_t *count)
{
	const char *output = s->session->flags.output ? s->session->flags.output : "text";
	bool as_text = strcmp(output, "text") == 0, lines = strcmp(output, "ndjson") == 0;
	int r = 0;

	json_begin(&s->json, s->session->out, lines ? 0 : 1);
	if (as_text && !s->session->flags.quiet)
		r = text_row(s, true);
	if (!as_text && !lines)
		json_array_begin(&s->json, NULL);
	while (r == 0 && (r = query_sql_next(s->rows)) == 0) {
		(*count)++;
		if (as_text)
			r = text_row(s, false);
		else
			json_row(s);
		if (lines)
			json_newline(&s->json);
	}
	if (r < 0 || as_text)
		return r < 0 ? r : 0;
	if (!lines) {
		json_array_end(&s->json);
		json_newline(&s->json);
	}
	return json_flush(&s->json);
}

static int run(struct session *session)
{
	struct sql s = {.session = session};
	int64_t count = 0;
	int r = 0;

	if (session->flags.operand_count != 1)
		return usage("sql takes one statement, in quotes");
	for (unsigned int i = 0; r == 0 && i < session->db_count; i++) {
		struct query *q = session->db[i];

		r = query_sql_open(q, session->flags.operands[0], &s.rows);
		if (r == -EPERM)
			return usage("sql takes one statement, and only one that reads");
		if (r == 0)
			r = print_rows(&s, &count);
		if (r < 0 && !ferror(session->out))
			r = r == SCHEMA_E_SQLITE ? usage("%s", query_errmsg(q))
						 : fail_database(query_path(q), r, query_errmsg(q));
		query_sql_free(s.rows);
		s.rows = NULL;
		json_deinit(&s.json);
	}
	buffer_deinit(&s.line);
	return r ? r : count ? EXIT_FOUND : EXIT_NOTHING;
}

const struct command cmd_sql = {
	.name = "sql",
	.operands = "STATEMENT",
	.summary = "a SELECT of your own over the views process, exec, exit ...",
	.help = "Runs one statement that only reads. The views are described in lineage.db(5).\n"
		"Columns are separated by tabs; what a terminal would obey is escaped. Formats: "
		"text,\n"
		"json and ndjson.\n"
		"  lineage-query sql \"SELECT exe, count(*) FROM exec GROUP BY 1 ORDER BY 2 "
		"DESC\"\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT,
	.formats = "text json ndjson",
	.apart = true,
	.run = run,
};
