/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns for people, one line per process, laid out by libsmartcols. What is longer than the
 * terminal is cut in the columns of text. A long answer comes in blocks, each with the widths of
 * its own lines, so that memory does not grow with it.
 */
#include <ctype.h>
#include <errno.h>
#include <libsmartcols.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fields.h"
#include "cli/timespec.h"
#include "cli/words.h"

#define BLOCK_LINES 2000

struct table {
	struct libscols_table *table;
	struct field_list fields;
	struct field_cell value;
	struct buffer cell;
	size_t lines;
};

/* libsmartcols asks the locale how wide a character is, and shows what it does not know as bytes.
 */
static bool have_utf8(void)
{
	static const char *const names[] = {"", "C.UTF-8", "C.utf8"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (setlocale(LC_CTYPE, names[i]) && MB_CUR_MAX > 1)
			return true;
	}
	return false;
}

static int add_column(struct table *t, const struct field *field, bool cut, bool last)
{
	int flags = field->shape == FIELD_DIGITS ? SCOLS_FL_RIGHT : 0;
	struct libscols_column *column;
	char name[32];
	size_t i;

	for (i = 0; field->name[i] && i + 1 < sizeof(name); i++)
		name[i] = (char)toupper((unsigned char)field->name[i]);
	name[i] = '\0';
	cut = cut && field->shape == FIELD_LONG;
	if (cut)
		flags |= SCOLS_FL_TRUNC;
	/* The last takes what is left. */
	column = scols_table_new_column(t->table, name, cut && !last ? 0.2 : 0, flags);
	/* The text is harmless already; its backslashes are meant. */
	return column ? scols_column_set_safechars(column, "\\") : -ENOMEM;
}

static int table_begin(struct writer *w, const struct answer *a)
{
	struct table *t = calloc(1, sizeof(*t));
	unsigned int width = w->style->width;
	int r = 0;

	if (!t)
		return -ENOMEM;
	w->state = t;
	t->value.style = *w->style;
	t->value.style.color = false;
	t->value.style.utf8 = w->style->utf8 && have_utf8();
	writer_fields(w, FIELD_IN_TABLE | (w->style->hosts ? FIELD_IN_HOSTS : 0), &t->fields);
	t->table = scols_new_table();
	if (!t->table)
		return -ENOMEM;
	scols_table_set_stream(t->table, w->out);
	scols_table_set_termforce(t->table, width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	if (width)
		scols_table_set_termwidth(t->table, width);
	scols_table_enable_noheadings(t->table, w->style->quiet);
	for (size_t i = 0; r == 0 && i < t->fields.count; i++)
		r = add_column(t, t->fields.item[i], width != 0, i + 1 == t->fields.count);
	return r;
}

/* For people: local time as elsewhere, yes and no. */
static void write_cell(struct table *t)
{
	char time[TIMESPEC_SIZE];

	buffer_clear(&t->cell);
	if (t->value.type == FIELD_TIME) {
		timespec_format(t->value.integer, t->value.style.utc, 3, time);
		buffer_puts(&t->cell, time);
	} else if (t->value.type == FIELD_BOOL) {
		buffer_puts(&t->cell, t->value.integer ? "yes" : "no");
	} else {
		field_write(&t->cell, &t->value);
	}
}

static int print_block(struct writer *w)
{
	struct table *t = w->state;
	int r = 0;

	if (t->lines == 0)
		return 0;
	r = scols_print_table(t->table);
	scols_table_remove_lines(t->table);
	scols_table_enable_noheadings(t->table, 1);
	t->lines = 0;
	/* It leaves the stream in the middle of nothing, or at the end of a line. */
	return r < 0 ? r : ferror(w->out) ? -EPIPE : 0;
}

static int table_process(struct writer *w, const struct node *n)
{
	struct table *t = w->state;
	struct libscols_line *line;
	int r = t->lines == BLOCK_LINES ? print_block(w) : 0;

	if (r == 0)
		r = field_cell_begin(&t->value, n);
	if (r < 0)
		return r;
	line = scols_table_new_line(t->table, NULL);
	if (!line)
		return -ENOMEM;
	t->lines++;
	for (size_t i = 0; r == 0 && i < t->fields.count; i++) {
		field_put(t->fields.item[i], &t->value);
		write_cell(t);
		if (t->cell.failed)
			return -ENOMEM;
		if (t->cell.length)
			r = scols_line_set_data(line, i, t->cell.data);
	}
	return r;
}

static int table_end(struct writer *w)
{
	struct table *t = w->state;
	int r = print_block(w);

	buffer_clear(&t->cell);
	if (!w->style->quiet)
		words_completeness(&t->cell, w->answer->completeness, w->style);
	if (t->cell.length)
		fwrite(t->cell.data, 1, t->cell.length, w->out);
	scols_unref_table(t->table);
	field_cell_deinit(&t->value);
	buffer_deinit(&t->cell);
	free(t);
	w->state = NULL;
	return r;
}

const struct writer_ops writer_table = {
	.name = "table",
	.summary = "columns for people",
	.needs_full = true,
	.chooses_fields = true,
	.begin = table_begin,
	.process = table_process,
	.end = table_end,
};
