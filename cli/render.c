/* SPDX-License-Identifier: Apache-2.0 */
/* The table of formats, and the walk that feeds each of them. */
#include "cli/render.h"

#include <errno.h>
#include <string.h>

#include "cli/fields.h"
#include "cli/words.h"
#include "schema/cleanup.h"

static const struct writer_ops *const formats[] = {
	&writer_text, &writer_table, &writer_json, &writer_ndjson, &writer_csv,
	&writer_ecs,  &writer_ocsf,  &writer_dot,  &writer_folded, &writer_perfetto,
};

const struct writer_ops *writer_at(size_t n)
{
	return n < ARRAY_SIZE(formats) ? formats[n] : NULL;
}

const struct writer_ops *writer_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (strcmp(formats[i]->name, name) == 0)
			return formats[i];
	}
	return NULL;
}

void writer_fields(const struct writer *w, unsigned int shown, struct field_list *list)
{
	const char *bad;
	size_t length;

	if (!w->style->fields || fields_parse(w->style->fields, list, &bad, &length) < 0)
		fields_default(shown, list);
}

int render_completeness_aside(const struct writer *w)
{
	struct buffer text = {0};

	/* Of an answer that nobody took there is nothing to say. */
	if (fflush(w->out) != 0)
		return -errno;
	if (ferror(w->out) || w->style->quiet)
		return 0;
	words_completeness(&text, w->answer->completeness, w->style);
	fprintf(stderr, "%s", text.data ? text.data : "");
	buffer_deinit(&text);
	return 0;
}

int writer_begin(struct writer *writer, const struct answer *answer)
{
	writer->answer = answer;
	return writer->ops->begin(writer, answer);
}

int writer_part(struct writer *w)
{
	const struct forest *forest = w->answer->forest;
	int r = w->ops->part ? w->ops->part(w) : 0;

	for (struct node *n = forest_next(forest, NULL); r == 0 && n; n = forest_next(forest, n)) {
		if (w->ops->part || !n->process->told)
			r = w->ops->process(w, n);
	}
	if (r == 0 && w->answer->part && fflush(w->out) != 0)
		r = -errno;
	return r;
}

int writer_end(struct writer *writer, int error)
{
	int ended = writer->ops->end(writer);

	if (error == 0)
		error = ended;
	if (error == 0 && fflush(writer->out) != 0)
		error = -errno;
	return error;
}

int writer_write(struct writer *writer, const struct answer *answer)
{
	int r = writer_begin(writer, answer);

	return r < 0 ? r : writer_end(writer, writer_part(writer));
}
