/* SPDX-License-Identifier: Apache-2.0 */
/* Each figure once: its name in JSON, its name as a metric, what it means. */
#include "daemon/status.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "schema/cleanup.h"

enum unit {
	PLAIN,
	SECONDS, /* from nanoseconds */
	MILLI,	 /* from thousandths */
};

static const struct figure {
	const char *object, *name;
	const char *metric; /* NULL: as the one before, with another label */
	const char *label;  /* NULL: none */
	const char *type, *help;
	size_t offset;
	enum unit unit;
} figures[] = {
#define FIGURE(object, name, unit, metric, label, type, help, member)                          \
	{                                                                                      \
		object, name, metric, label, type, help, offsetof(struct status, member), unit \
	}
#define COUNTER(object, name, metric, help, member) \
	FIGURE(object, name, PLAIN, "lineaged_" metric "_total", NULL, "counter", help, member)
#define GAUGE(object, name, unit, metric, help, member) \
	FIGURE(object, name, unit, "lineaged_" metric, NULL, "gauge", help, member)
	FIGURE("events", "fork", PLAIN, "lineaged_events_total", "kind=\"fork\"", "counter",
	       "Events recorded since the daemon started.", forks),
	FIGURE("events", "exec", PLAIN, NULL, "kind=\"exec\"", NULL, NULL, execs),
	FIGURE("events", "exit", PLAIN, NULL, "kind=\"exit\"", NULL, NULL, exits),
	FIGURE("events", "cgroup", PLAIN, NULL, "kind=\"cgroup\"", NULL, NULL, cgroups),
	FIGURE("events", "exec_failure", PLAIN, NULL, "kind=\"exec_failure\"", NULL, NULL,
	       exec_failures),
	GAUGE("rates", "events_per_second", MILLI, "events_per_second",
	      "Events per second over the last minute.", events_rate),
	GAUGE("rates", "processes_per_second", MILLI, "processes_per_second",
	      "New processes per second over the last minute.", processes_rate),

	FIGURE("losses", "ring_full_fork", PLAIN, "lineaged_ring_full_total", "kind=\"fork\"",
	       "counter", "Events that found no room in the ring.", lost_forks),
	FIGURE("losses", "ring_full_exec", PLAIN, NULL, "kind=\"exec\"", NULL, NULL, lost_execs),
	FIGURE("losses", "ring_full_exit", PLAIN, NULL, "kind=\"exit\"", NULL, NULL, lost_exits),
	FIGURE("losses", "ring_full_cgroup", PLAIN, NULL, "kind=\"cgroup\"", NULL, NULL,
	       lost_cgroups),
	FIGURE("losses", "ring_full_exec_failure", PLAIN, NULL, "kind=\"exec_failure\"", NULL, NULL,
	       lost_failures),
	GAUGE("losses", "missing", PLAIN, "missing_events",
	      "Events known to be missing that were neither late nor recovered.", missing),
	GAUGE("losses", "holes", PLAIN, "missing_holes",
	      "Runs of missing events that may still close.", holes),
	COUNTER("losses", "recovered", "recovered", "Events rebuilt from process_cache.",
		recovered),
	COUNTER("losses", "inferred", "inferred", "Processes and ends deduced without an event.",
		inferred),
	COUNTER("losses", "late", "late_events", "Events that arrived after later ones.", late),
	COUNTER("losses", "duplicates", "duplicate_events",
		"Events read again and left out, as after a restart.", duplicates),
	COUNTER("losses", "malformed", "malformed_records", "Records that made no sense.",
		malformed),
	COUNTER("losses", "cache_full", "cache_full",
		"Processes that found no room in process_cache.", cache_full),
	COUNTER("losses", "cgroups_full", "cgroups_full",
		"Cgroups that found no room in the map of known ones.", cgroups_full),
	COUNTER("losses", "args_unreadable", "args_unreadable",
		"Argument lists that could not be read.", args_unreadable),
	COUNTER("losses", "missed_runs", "missed_program_runs",
		"Events for which the kernel left out the BPF programs: at most.", missed_runs),
	COUNTER("losses", "filtered", "filtered_events", "Events left out as configured.",
		filtered),

	GAUGE("delays", "lag_seconds", SECONDS, "lag_seconds",
	      "Age of the oldest event that is not committed, by the second.", lag_ns),
	GAUGE("delays", "longest_hold_seconds", SECONDS, "longest_hold_seconds",
	      "Longest time that the ring was not emptied.", hold_ns),
	GAUGE("delays", "unsynced_seconds", SECONDS, "unsynced_seconds",
	      "Time since commits were last forced to the disk.", sync_ns),

	COUNTER("batches", "batches", "batches", "Transactions committed.", batches),
	COUNTER("batches", "records", "committed_records", "Records in them.", committed),
	COUNTER("batches", "failures", "batch_failures", "Transactions rolled back.",
		batch_failures),
	COUNTER("batches", "checkpoints", "checkpoints", "Checkpoints of the write-ahead log.",
		checkpoints),
	COUNTER("batches", "syncs", "syncs", "Syncs of the write-ahead log.", syncs),
	COUNTER("batches", "checkpoint_failures", "checkpoint_failures",
		"Checkpoints and syncs that failed.", sync_failures),

	GAUGE("sizes", "database_bytes", PLAIN, "database_bytes", "Size of the database.",
	      database_bytes),
	GAUGE("sizes", "wal_bytes", PLAIN, "wal_bytes", "Size of its write-ahead log.", wal_bytes),
	GAUGE("sizes", "free_bytes", PLAIN, "database_free_bytes",
	      "Space in the database for new rows.", free_bytes),
	GAUGE("sizes", "ring_pending_bytes", PLAIN, "ring_pending_bytes",
	      "Bytes in the ring that are not committed.", ring_pending_bytes),
	GAUGE("sizes", "overflow_bytes", PLAIN, "overflow_bytes",
	      "Memory that the ring has been moved to.", overflow_bytes),
	GAUGE("sizes", "overflow_most_bytes", PLAIN, "overflow_most_bytes",
	      "Most that ever waited there.", overflow_most_bytes),
	COUNTER("sizes", "overflow_full", "overflow_full", "Times that there was no room in it.",
		overflow_full),
	GAUGE("sizes", "wal_pinned_seconds", SECONDS, "wal_pinned_seconds",
	      "For how long a reader has kept the write-ahead log from being emptied.",
	      wal_pinned_ns),
	GAUGE("sizes", "processes_known", PLAIN, "processes_known",
	      "Processes that run, as far as is known.", processes_known),

	GAUGE("limits", "database_and_wal_bytes", PLAIN, "limit_bytes",
	      "What database and write-ahead log may take now, by MaxUse= and KeepFree=.",
	      limit_bytes),
	GAUGE("limits", "max_use_bytes", PLAIN, "max_use_bytes", "MaxUse=.", max_use_bytes),
	GAUGE("limits", "keep_free_bytes", PLAIN, "keep_free_bytes", "KeepFree=.", keep_free_bytes),
	GAUGE("limits", "max_retention_seconds", SECONDS, "max_retention_seconds",
	      "MaxRetentionSec=.", max_retention_ns),
	GAUGE("limits", "wal_max_bytes", PLAIN, "wal_max_bytes", "WalMax=.", wal_max_bytes),
	GAUGE("limits", "ring_bytes", PLAIN, "ring_bytes", "Size of the ring.", ring_bytes),
	GAUGE("limits", "overflow_max_bytes", PLAIN, "overflow_max_bytes", "OverflowMax=.",
	      overflow_max_bytes),
	GAUGE("limits", "cache_entries", PLAIN, "cache_entries", "CacheEntries=.", cache_entries),
	GAUGE("limits", "batch_max", PLAIN, "batch_max", "BatchMax=.", batch_max),
	GAUGE("limits", "args_max_bytes", PLAIN, "args_max_bytes", "ArgsMax=.", args_max_bytes),
	GAUGE("limits", "commit_interval_seconds", SECONDS, "commit_interval_seconds",
	      "CommitIntervalSec=.", commit_interval_ns),

	COUNTER("pruning", "processes", "pruned_processes", "Processes that retention removed.",
		pruned_processes),
	COUNTER("pruning", "dictionary_rows", "pruned_dictionary_rows",
		"Texts, images, contexts and cgroups that it removed.", pruned_rows),
	COUNTER("pruning", "pages_given_back", "pages_given_back",
		"Pages given back to the file system.", pruned_pages),
	COUNTER("pruning", "sweeps", "sweeps", "Times that the dictionaries were gone through.",
		sweeps),
	COUNTER("pruning", "steps", "retention_steps", "Steps of retention.", steps),
	COUNTER("pruning", "failures", "retention_failures", "Steps that failed.", prune_failures),
	GAUGE("pruning", "longest_step_seconds", SECONDS, "retention_longest_step_seconds",
	      "Longest step of retention.", longest_step_ns),

	GAUGE("memory", "resident_bytes", PLAIN, "resident_bytes", "Memory of the daemon.",
	      rss_bytes),
};

static uint64_t value_of(const struct status *s, const struct figure *f)
{
	uint64_t value;

	memcpy(&value, (const char *)s + f->offset, sizeof(value));
	return value;
}

static double scaled(uint64_t value, enum unit unit)
{
	return unit == SECONDS ? (double)value / 1e9 : (double)value / 1e3;
}

static json_object *decimal(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", value);
	return json_object_new_double_s(value, text);
}

static bool add(json_object *to, const char *name, json_object *value)
{
	return value && json_object_object_add(to, name, value) == 0;
}

static bool add_text(json_object *to, const char *name, const char *text)
{
	return add(to, name, json_object_new_string(text));
}

static bool add_identity(json_object *root, const struct status *s)
{
	char state[256];
	bool ok;

	snprintf(state, sizeof(state), "%s%s", s->refused ? "writing is refused: " : "recording",
		 s->refused ? s->refused : "");
	ok = add_text(root, "version", LINEAGED_VERSION) &&
	     add(root, "pid", json_object_new_int64(getpid())) &&
	     add_text(root, "boot_id", s->boot_id) && add_text(root, "database", s->database) &&
	     add_text(root, "started", s->started) && add_text(root, "written", s->written) &&
	     add(root, "uptime_seconds", decimal(scaled(s->uptime_ns, SECONDS))) &&
	     add_text(root, "state", state);
	if (s->refused)
		ok = ok && add(root, "refused_seconds", decimal(scaled(s->refused_ns, SECONDS)));
	return s->retention ? ok && add_text(root, "retention", s->retention) : ok;
}

static bool add_figure(json_object *root, const struct status *s, const struct figure *f)
{
	uint64_t value = value_of(s, f);
	json_object *object;

	if (value == UINT64_MAX)
		return true;
	if (!json_object_object_get_ex(root, f->object, &object)) {
		object = json_object_new_object();
		if (!add(root, f->object, object))
			return false;
	}
	return add(object, f->name,
		   f->unit == PLAIN ? json_object_new_int64((int64_t)value)
				    : decimal(scaled(value, f->unit)));
}

int status_print_json(FILE *out, const struct status *s)
{
	json_object *root = json_object_new_object();
	const char *text = NULL;
	bool ok = root && add_identity(root, s);
	int r = -ENOMEM;

	for (size_t i = 0; ok && i < ARRAY_SIZE(figures); i++)
		ok = add_figure(root, s, &figures[i]);
	if (ok)
		text = json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY |
								    JSON_C_TO_STRING_SPACED |
								    JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text)
		r = fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
	json_object_put(root);
	return r;
}

static int print_metric(FILE *out, const struct status *s, const struct figure *f,
			const char *metric)
{
	uint64_t value = value_of(s, f);
	int r;

	if (value == UINT64_MAX)
		return 0;
	if (f->metric)
		fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, f->help, metric, f->type);
	fputs(metric, out);
	if (f->label)
		fprintf(out, "{%s}", f->label);
	r = f->unit == PLAIN ? fprintf(out, " %" PRIu64 "\n", value)
			     : fprintf(out, " %.3f\n", scaled(value, f->unit));
	return r < 0 ? -EIO : 0;
}

int status_print_metrics(FILE *out, const struct status *s)
{
	const char *metric = NULL;
	int r = 0;

	fprintf(out,
		"# HELP lineaged_info The daemon that wrote this.\n"
		"# TYPE lineaged_info gauge\nlineaged_info{version=\"%s\"} 1\n"
		"# HELP lineaged_uptime_seconds Time since it started.\n"
		"# TYPE lineaged_uptime_seconds gauge\nlineaged_uptime_seconds %.3f\n"
		"# HELP lineaged_refused Whether the database takes nothing at present.\n"
		"# TYPE lineaged_refused gauge\nlineaged_refused %d\n",
		LINEAGED_VERSION, scaled(s->uptime_ns, SECONDS), s->refused != NULL);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(figures); i++) {
		if (figures[i].metric)
			metric = figures[i].metric;
		r = print_metric(out, s, &figures[i], metric);
	}
	return r;
}
