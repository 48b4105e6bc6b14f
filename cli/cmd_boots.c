/* SPDX-License-Identifier: Apache-2.0 */
/* boots: which boots are recorded, and from when to when. */
#include <inttypes.h>
#include <string.h>

#include "cli/cmd.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/timespec.h"
#include "cli/words.h"

struct boot_line {
	const struct boot *boot;
	int64_t from_unix_ns, to_unix_ns, runs;
	int back; /* 0: the latest */
};

static void measure(struct boot_line *line, const struct recorder_run *runs, size_t count)
{
	line->from_unix_ns = line->to_unix_ns = UNKNOWN;
	for (size_t i = 0; i < count; i++) {
		int64_t from, to;

		if (runs[i].boot != line->boot)
			continue;
		from = boot_to_unix(line->boot, runs[i].started_boot_ns);
		to = boot_to_unix(line->boot, runs[i].stopped_boot_ns != UNKNOWN
						      ? runs[i].stopped_boot_ns
						      : runs[i].last_boot_ns);
		if (line->runs++ == 0)
			line->from_unix_ns = from;
		if (to > line->to_unix_ns)
			line->to_unix_ns = to;
	}
}

static void print_text(struct session *s, struct buffer *out, const struct boot_line *line)
{
	const struct boot *b = line->boot;
	char from[TIMESPEC_SIZE] = "?", to[TIMESPEC_SIZE] = "?";
	size_t start = out->length;

	if (line->from_unix_ns != UNKNOWN)
		timespec_format(line->from_unix_ns, s->style.utc, 0, from);
	if (line->to_unix_ns != UNKNOWN)
		timespec_format(line->to_unix_ns, s->style.utc, 0, to);
	/* Its beginning is enough for --boot. */
	buffer_printf(out, "%3d  %.*s  %s to %s", line->back, s->style.width ? 8 : 36, b->boot_id,
		      from, to);
	buffer_printf(out, "  %" PRId64 " run%s  ", line->runs, line->runs == 1 ? "" : "s");
	escape_text(out, b->hostname ? b->hostname : "?", strlen(b->hostname ? b->hostname : "?"),
		    !s->style.utf8);
	buffer_putc(out, ' ');
	escape_text(out, b->kernel ? b->kernel : "?", strlen(b->kernel ? b->kernel : "?"),
		    !s->style.utf8);
	words_fit(out, start, &s->style);
	buffer_putc(out, '\n');
}

static void print_json(struct json *json, const struct boot_line *line)
{
	char text[TIMESPEC_SIZE];

	json_object_begin(json, NULL);
	json_int(json, "back", line->back);
	json_text(json, "boot_id", line->boot->boot_id);
	json_maybe_text(json, "host", line->boot->hostname);
	json_maybe_text(json, "machine", line->boot->machine);
	json_maybe_text(json, "kernel", line->boot->kernel);
	json_int(json, "runs", line->runs);
	if (line->from_unix_ns != UNKNOWN) {
		timespec_rfc3339(line->from_unix_ns, text);
		json_text(json, "from", text);
		timespec_rfc3339(line->to_unix_ns, text);
		json_text(json, "to", text);
	}
	json_object_end(json);
}

static int print_database(struct session *s, struct query *q, struct buffer *out, struct json *json)
{
	const struct boot *boots;
	struct recorder_run *runs;
	size_t count = query_boots(q, &boots), run_count;
	int r = query_runs(q, &runs, &run_count);

	for (size_t i = 0; r == 0 && i < count; i++) {
		struct boot_line line = {.boot = &boots[i], .back = (int)i + 1 - (int)count};

		measure(&line, runs, run_count);
		if (json)
			print_json(json, &line);
		else
			print_text(s, out, &line);
	}
	return r;
}

static int run(struct session *s)
{
	bool as_json = s->flags.output && strcmp(s->flags.output, "json") == 0;
	struct buffer out = {0};
	const struct boot *boots;
	struct json json;
	size_t total = 0;
	int r = 0;

	json_begin(&json, s->out, 1);
	json_array_begin(&json, NULL);
	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		total += query_boots(s->db[i], &boots);
		r = print_database(s, s->db[i], &out, as_json ? &json : NULL);
	}
	json_array_end(&json);
	json_newline(&json);
	if (r == 0 && as_json)
		r = json_flush(&json);
	if (r == 0 && out.length)
		fwrite(out.data, 1, out.length, s->out);
	json_deinit(&json);
	buffer_deinit(&out);
	return r < 0 ? r : total ? EXIT_FOUND : EXIT_NOTHING;
}

const struct command cmd_boots = {
	.name = "boots",
	.summary = "which boots are recorded, from when to when",
	.help = "One line per boot: its number for --boot (0 is the latest), its boot id, from "
		"when\n"
		"to when it is recorded, how often lineaged ran in it. Formats: text and json.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT,
	.formats = "text json",
	.apart = true,
	.run = run,
};
