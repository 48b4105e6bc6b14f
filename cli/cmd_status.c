/* SPDX-License-Identifier: Apache-2.0 */
/* status: the database by figures, the last run of the daemon, and its live counters where it runs.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cmd.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/query_sql.h"
#include "cli/status_file.h"
#include "cli/timespec.h"
#include "cli/words.h"

#define STATUS_FILE "/run/lineaged/status.json"

static const struct {
	const char *name, *label, *sql;
} numbers[] = {
	{"processes", "processes", "SELECT count(*) FROM process_row"},
	{"alive", "alive when last seen",
	 "SELECT count(*) FROM process_row WHERE end_after_ns IS NULL"},
	{"earlier_images", "earlier images", "SELECT count(*) FROM exec_row"},
	{"failed_execs", "failed execs", "SELECT count(*) FROM exec_failure_row"},
	{"images", "distinct images", "SELECT count(*) FROM image"},
	{"cgroups", "cgroups", "SELECT count(*) FROM cgroup"},
	{"boots", "boots", "SELECT count(*) FROM boot"},
	{"runs", "runs of lineaged", "SELECT count(*) FROM recorder_row"},
	{"numbered_events", "events numbered",
	 "SELECT CAST(total(next_seq - first_seq) AS INTEGER) FROM cpu_position"},
	{"gaps", "gaps", "SELECT count(*) FROM gap_row"},
	{"lost", "events lost", "SELECT CAST(total(lost) AS INTEGER) FROM gap_row"},
	{"recovered", "events rebuilt", "SELECT CAST(total(recovered) AS INTEGER) FROM gap_row"},
	{"gaps_of_unknown_size", "gaps of unknown size",
	 "SELECT count(*) FROM gap_row WHERE lost IS NULL"},
	{"pruned_processes", "processes pruned",
	 "SELECT CAST(total(processes) AS INTEGER) FROM pruned_row"},
};

struct status {
	struct session *session;
	struct buffer out;
	struct json json;
	bool as_json;
};

static void label(struct status *s, int depth, const char *name)
{
	size_t start;

	buffer_pad(&s->out, (size_t)depth * 2);
	start = s->out.length;
	escape_text(&s->out, name, strlen(name), true);
	if (s->out.length - start < 24)
		buffer_pad(&s->out, 24 - (s->out.length - start));
	buffer_putc(&s->out, ' ');
}

static void number(struct status *s, const char *name, const char *words, int64_t value)
{
	if (value == UNKNOWN)
		return;
	if (s->as_json) {
		json_int(&s->json, name, value);
		return;
	}
	label(s, 0, words);
	buffer_int(&s->out, value, 0);
	buffer_putc(&s->out, '\n');
}

static int64_t file_bytes(const char *path, const char *suffix)
{
	struct buffer name = {0};
	struct stat st;
	int64_t bytes = UNKNOWN;

	buffer_puts(&name, path);
	buffer_puts(&name, suffix);
	if (!name.failed && stat(name.data, &st) == 0)
		bytes = st.st_size;
	buffer_deinit(&name);
	return bytes;
}

static void string(struct status *s, const char *name, const char *words, const char *value)
{
	if (!value)
		return;
	if (s->as_json) {
		json_text(&s->json, name, value);
		return;
	}
	label(s, 0, words);
	escape_text(&s->out, value, strlen(value), !s->session->style.utf8);
	buffer_putc(&s->out, '\n');
}

static void time_value(struct status *s, const char *name, const char *words, int64_t unix_ns)
{
	char text[TIMESPEC_SIZE];

	if (unix_ns == UNKNOWN)
		return;
	if (s->as_json)
		timespec_rfc3339(unix_ns, text);
	else
		timespec_format(unix_ns, s->session->style.utc, 3, text);
	string(s, name, words, text);
}

static int add_last_run(struct status *s, struct query *q)
{
	struct recorder_run *runs, *last;
	size_t count;
	int r = query_runs(q, &runs, &count);

	if (r < 0 || count == 0)
		return r;
	last = &runs[count - 1];
	if (s->as_json)
		json_object_begin(&s->json, "last_run");
	string(s, "version", "last run: version", last->version);
	string(s, "kernel", "last run: kernel", last->kernel);
	string(s, "config_hash", "last run: configuration", last->config_hash);
	string(s, "filter", "last run: recorded only", last->filter);
	time_value(s, "started", "last run: started",
		   boot_to_unix(last->boot, last->started_boot_ns));
	time_value(s, "last_seen", "last run: seen alive",
		   boot_to_unix(last->boot, last->last_boot_ns));
	string(s, "ended", "last run: ended", last->ended ? last->ended : "running");
	if (s->as_json)
		json_object_end(&s->json);
	return 0;
}

static void live_json(struct status *s, const struct status_value *v)
{
	switch (v->type) {
	case STATUS_OPEN:
		if (v->list)
			json_array_begin(&s->json, v->name);
		else
			json_object_begin(&s->json, v->name);
		break;
	case STATUS_CLOSE:
		if (v->list)
			json_array_end(&s->json);
		else
			json_object_end(&s->json);
		break;
	case STATUS_INTEGER:
		json_int(&s->json, v->name, v->integer);
		break;
	case STATUS_REAL:
		json_real(&s->json, v->name, v->real);
		break;
	case STATUS_BOOLEAN:
		json_bool(&s->json, v->name, v->integer != 0);
		break;
	case STATUS_TEXT:
		json_text(&s->json, v->name, v->text);
		break;
	}
}

static void live_text(struct status *s, const struct status_value *v)
{
	const char *text = v->text ? v->text : "";

	if (v->type == STATUS_CLOSE)
		return;
	label(s, v->depth, v->name ? v->name : "-");
	if (v->type == STATUS_INTEGER)
		buffer_int(&s->out, v->integer, 0);
	else if (v->type == STATUS_REAL)
		buffer_printf(&s->out, "%g", v->real);
	else if (v->type == STATUS_BOOLEAN)
		buffer_puts(&s->out, v->integer ? "yes" : "no");
	else if (v->type == STATUS_TEXT)
		escape_text(&s->out, text, strlen(text), !s->session->style.utf8);
	buffer_putc(&s->out, '\n');
}

static void on_live(const struct status_value *v, void *userdata)
{
	struct status *s = userdata;

	if (s->as_json)
		live_json(s, v);
	else
		live_text(s, v);
}

static int add_live(struct status *s)
{
	const char *named = s->session->flags.status_file, *path = named ? named : STATUS_FILE;
	int r = 0;

	if (!named && access(path, F_OK) < 0) {
		string(s, "daemon", "daemon", "not running here, or it keeps no status file");
		return 0;
	}
	if (s->as_json)
		json_object_begin(&s->json, "daemon");
	else
		buffer_puts(&s->out, "\ndaemon now\n");
	r = status_file_read(path, on_live, s);
	if (s->as_json)
		json_object_end(&s->json);
	if (r == -EBADMSG)
		return fail(EXIT_DATABASE, "%s is no status file of lineaged", path);
	if (r < 0)
		return fail(EXIT_DATABASE, "cannot read %s: %s", path, strerror(-r));
	return 0;
}

static int add_database(struct status *s, struct query *q)
{
	const char *path = query_path(q);
	int64_t pages = query_number(q, "SELECT page_count FROM pragma_page_count");
	int64_t unused = query_number(q, "SELECT freelist_count FROM pragma_freelist_count");

	string(s, "database", "database", path);
	number(s, "database_bytes", "bytes", file_bytes(path, ""));
	number(s, "wal_bytes", "bytes of write-ahead log", file_bytes(path, "-wal"));
	number(s, "pages", "pages", pages);
	number(s, "unused_pages", "pages unused", unused);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		number(s, numbers[i].name, numbers[i].label, query_number(q, numbers[i].sql));
	return add_last_run(s, q);
}

static int run(struct session *session)
{
	struct status s = {.session = session};
	int r = 0;

	s.as_json = session->flags.output && strcmp(session->flags.output, "json") == 0;
	json_begin(&s.json, session->out, 2);
	if (s.as_json)
		json_object_begin(&s.json, NULL);
	if (s.as_json)
		json_array_begin(&s.json, "databases");
	for (unsigned int i = 0; r == 0 && i < session->db_count; i++) {
		if (s.as_json)
			json_object_begin(&s.json, NULL);
		r = add_database(&s, session->db[i]);
		if (s.as_json)
			json_object_end(&s.json);
	}
	if (s.as_json)
		json_array_end(&s.json);
	if (r == 0)
		r = add_live(&s);
	if (s.as_json) {
		json_object_end(&s.json);
		json_newline(&s.json);
		if (r == 0)
			r = json_flush(&s.json);
	} else if (r == 0 && fwrite(s.out.data, 1, s.out.length, session->out) != s.out.length) {
		r = -EIO;
	}
	json_deinit(&s.json);
	buffer_deinit(&s.out);
	return r;
}

const struct command cmd_status = {
	.name = "status",
	.summary = "sizes, rows, losses, the last run, and the daemon's counters",
	.help = "Figures of the database, the last run of lineaged, and, where it runs here, its\n"
		"live counters: rates, losses, lag, limits. Formats: text and json.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_STATUS,
	.formats = "text json",
	.apart = true,
	.run = run,
};
