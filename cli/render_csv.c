/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV as in RFC 4180: a line of names, one line per process, UTF-8, CRLF.
 *
 * Cells hold what a person reads: control characters, bidi marks and bytes that are no UTF-8 are
 * written as \x1b, \u202e, \xff, a backslash as two. A cell that a spreadsheet would take for a
 * formula gets an apostrophe before it. What is missing has no place in a table: it goes to stderr.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fields.h"
#include "schema/cleanup.h"

struct csv {
	struct field_list fields;
	struct field_cell value;
	struct buffer line, cell;
};

/* = + - @ and their full-width forms, also behind blanks. Tabs and CR never come raw. */
static bool is_formula(const char *s, size_t length)
{
	static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d",
					   "\xef\xbc\xa0"};

	while (length && *s == ' ')
		s++, length--;
	if (!length)
		return false;
	/* \t and \r that stand for the bytes: harmless, but not at the beginning. */
	if (strchr("=+-@", *s) || (length > 1 && *s == '\\' && strchr("tr", s[1])))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(wide); i++) {
		if (length >= 3 && memcmp(s, wide[i], 3) == 0)
			return true;
	}
	return false;
}

static void add_cell(struct csv *csv, bool first, bool number)
{
	const char *s = csv->cell.data ? csv->cell.data : "";
	size_t length = csv->cell.length;
	bool formula = !number && is_formula(s, length);

	if (!first)
		buffer_putc(&csv->line, ',');
	if (!formula && !strpbrk(s, ",\" ")) {
		buffer_add(&csv->line, s, length);
		return;
	}
	buffer_putc(&csv->line, '"');
	if (formula)
		buffer_putc(&csv->line, '\'');
	for (size_t i = 0; i < length; i++) {
		if (s[i] == '"')
			buffer_putc(&csv->line, '"');
		buffer_putc(&csv->line, s[i]);
	}
	buffer_putc(&csv->line, '"');
}

static int put_line(struct writer *w)
{
	struct csv *csv = w->state;

	buffer_puts(&csv->line, "\r\n");
	if (csv->line.failed || csv->cell.failed)
		return -ENOMEM;
	if (fwrite(csv->line.data, 1, csv->line.length, w->out) != csv->line.length)
		return errno ? -errno : -EIO;
	return 0;
}

static int csv_begin(struct writer *w, const struct answer *a)
{
	struct csv *csv = calloc(1, sizeof(*csv));

	if (!csv)
		return -ENOMEM;
	w->state = csv;
	csv->value.style = *w->style;
	csv->value.style.utf8 = true;
	csv->value.style.color = false;
	writer_fields(w, FIELD_IN_CSV, &csv->fields);
	for (size_t i = 0; i < csv->fields.count; i++) {
		buffer_clear(&csv->cell);
		buffer_puts(&csv->cell, csv->fields.item[i]->name);
		add_cell(csv, i == 0, true);
	}
	return w->style->quiet ? 0 : put_line(w);
}

static int csv_process(struct writer *w, const struct node *n)
{
	struct csv *csv = w->state;
	int r = field_cell_begin(&csv->value, n);

	if (r < 0)
		return r;
	buffer_clear(&csv->line);
	for (size_t i = 0; i < csv->fields.count; i++) {
		field_put(csv->fields.item[i], &csv->value);
		buffer_clear(&csv->cell);
		field_write(&csv->cell, &csv->value);
		/* Numbers and times are made here, of digits. */
		add_cell(csv, i == 0, csv->value.type <= FIELD_TIME && !csv->value.text.length);
	}
	return put_line(w);
}

static int csv_end(struct writer *w)
{
	struct csv *csv = w->state;
	int r = render_completeness_aside(w);

	buffer_deinit(&csv->line);
	buffer_deinit(&csv->cell);
	field_cell_deinit(&csv->value);
	free(csv);
	w->state = NULL;
	return r;
}

const struct writer_ops writer_csv = {
	.name = "csv",
	.summary = "a table as in RFC 4180, for programs",
	.needs_full = true,
	.machine = true,
	.begin = csv_begin,
	.process = csv_process,
	.end = csv_end,
	.chooses_fields = true,
};
