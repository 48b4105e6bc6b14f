/* SPDX-License-Identifier: Apache-2.0 */
/* verify: proves on the file alone that the record is whole, or says what is wrong with it. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/query_verify.h"
#include "cli/words.h"

struct verify_output {
	struct session *session;
	struct json json;
	bool as_json, progress;
};

static void on_problem(void *userdata, const char *check, const char *text)
{
	struct verify_output *o = userdata;

	if (o->as_json) {
		json_object_begin(&o->json, NULL);
		json_text(&o->json, "check", check);
		json_text(&o->json, "problem", text);
		json_object_end(&o->json);
	} else {
		struct buffer line = {0};

		/* Words of a damaged file. */
		escape_text(&line, text, strlen(text), !o->session->style.utf8);
		fprintf(o->session->out, "%s: %s\n", check, line.data ? line.data : "");
		buffer_deinit(&line);
	}
}

static void on_progress(void *userdata, const char *check)
{
	const struct verify_output *o = userdata;

	if (o->progress && session_is_slow(o->session))
		fprintf(stderr, "\r\033[Kverifying: %s", check);
}

static void write_json(struct verify_output *o, const struct query *q,
		       const struct verify_report *r)
{
	json_array_end(&o->json);
	json_text(&o->json, "database", query_path(q));
	json_bool(&o->json, "sound", r->problems == 0);
	json_int(&o->json, "problem_count", r->problems);
	json_int(&o->json, "processes", r->processes);
	json_int(&o->json, "events", r->events);
	json_int(&o->json, "lost", r->lost);
	json_int(&o->json, "recovered", r->recovered);
	json_int(&o->json, "without_rows", r->unseen);
	json_int(&o->json, "pruned", r->pruned);
	json_object_end(&o->json);
	json_newline(&o->json);
}

static void write_text(struct verify_output *o, const struct query *q,
		       const struct verify_report *r)
{
	struct buffer line = {0};

	escape_text(&line, query_path(q), strlen(query_path(q)), !o->session->style.utf8);
	fprintf(o->session->out,
		"%s: %s\n  %" PRId64 " processes, %" PRId64 " numbered events, %" PRId64
		" lost, %" PRId64 " rebuilt, %" PRId64 " pruned\n",
		line.data, r->problems ? "NOT SOUND" : "sound", r->processes, r->events, r->lost,
		r->recovered, r->pruned);
	if (r->problems)
		fprintf(o->session->out, "%" PRId64 " problems\n", r->problems);
	buffer_deinit(&line);
}

static int verify_one(struct verify_output *o, struct query *q, int64_t *problems)
{
	struct verify_report report = {
		.problem = on_problem,
		.progress = on_progress,
		.userdata = o,
	};
	int r;

	json_begin(&o->json, o->session->out, 2);
	if (o->as_json) {
		json_object_begin(&o->json, NULL);
		json_array_begin(&o->json, "problems");
	}
	r = query_verify(q, false, &report);
	if (o->progress && session_is_slow(o->session))
		fputs("\r\033[K", stderr);
	if (r == 0 && o->as_json)
		write_json(o, q, &report);
	else if (r == 0)
		write_text(o, q, &report);
	if (o->as_json && r == 0)
		r = json_flush(&o->json);
	json_deinit(&o->json);
	*problems += report.problems;
	return r;
}

static int run(struct session *s)
{
	struct verify_output o = {
		.session = s,
		.as_json = s->flags.output && strcmp(s->flags.output, "json") == 0,
		.progress = isatty(STDERR_FILENO) && !s->flags.quiet,
	};
	int64_t problems = 0;
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < s->db_count; i++) {
		r = verify_one(&o, s->db[i], &problems);
		if (r < 0)
			return fail_database(query_path(s->db[i]), r, query_errmsg(s->db[i]));
	}
	return problems ? EXIT_INCOMPLETE : EXIT_FOUND;
}

const struct command cmd_verify = {
	.name = "verify",
	.summary = "prove on the file that the record is whole and sound",
	.help = "Checks that every sequence number of every CPU is in one row, in a gap, without "
		"a\n"
		"row by nature, or pruned; that parents exist and form no ring; that codes and\n"
		"dictionaries are valid; and SQLite's own integrity. Needs nothing but the file.\n"
		"Exit status 0: sound, 4: not sound, 3: cannot be read. Formats: text and json.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT,
	.formats = "text json",
	.apart = true,
	.run = run,
};
