/* SPDX-License-Identifier: Apache-2.0 */
/*
 * export: a part of the record as a file of its own, for a case. It is closed under ancestors and
 * every other reference, says what was left out, and carries a manifest and a digest.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/entity.h"
#include "cli/extract.h"
#include "cli/gather.h"
#include "cli/query_export.h"
#include "cli/references.h"
#include "cli/render.h"
#include "schema/cleanup.h"

struct evidence {
	struct session *session;
	struct extract extract;
	struct redact redact;
	struct query_export export;
	struct buffer question;
	size_t asked; /* processes that the question named; the rest is context */
};

static void put_runs(struct json *json, struct query *q)
{
	struct recorder_run *runs;
	size_t count = 0;

	if (query_runs(q, &runs, &count) < 0)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		json_object_begin(json, NULL);
		json_maybe_text(json, "boot_id", runs[i].boot ? runs[i].boot->boot_id : NULL);
		json_maybe_text(json, "version", runs[i].version);
		json_maybe_text(json, "config_hash", runs[i].config_hash);
		json_maybe_text(json, "kernel", runs[i].kernel);
		json_maybe_text(json, "recorded_only", runs[i].filter);
		json_maybe_text(json, "ended", runs[i].ended);
		json_object_end(json);
	}
}

static bool has_boot(const struct process_list *list, const struct boot *boot)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->item[i]->boot == boot)
			return true;
	}
	return false;
}

static void put_boots(struct json *json, const struct query *q, const struct process_list *list)
{
	const struct boot *boots;
	size_t count = query_boots(q, &boots);

	for (size_t i = 0; i < count; i++) {
		const struct boot *boot = &boots[i];

		if (!has_boot(list, boot))
			continue;
		json_object_begin(json, NULL);
		json_text(json, "boot_id", boot->boot_id);
		json_maybe_text(json, "host", boot->hostname);
		json_maybe_text(json, "machine", boot->machine);
		json_maybe_text(json, "kernel", boot->kernel);
		json_object_end(json);
	}
}

/* Where it was taken from; what had been exported before says by which sum. */
static void put_sources(struct json *json, const struct evidence *e)
{
	const struct session *s = e->session;
	char digest[QUERY_DIGEST_SIZE];

	json_array_begin(json, "databases");
	for (unsigned int i = 0; i < s->db_count; i++) {
		json_object_begin(json, NULL);
		json_text(json, "file", query_path(s->db[i]));
		if (query_stored_digest(query_handle(s->db[i]), digest) == 0)
			json_text(json, "export_sha256", digest);
		json_object_end(json);
	}
	json_array_end(json);
	json_array_begin(json, "boots");
	for (unsigned int i = 0; i < s->db_count; i++)
		put_boots(json, s->db[i], &e->extract.list);
	json_array_end(json);
	json_array_begin(json, "recorders");
	for (unsigned int i = 0; i < s->db_count; i++)
		put_runs(json, s->db[i]);
	json_array_end(json);
}

static void put_redaction(struct json *json, const struct evidence *e)
{
	json_bool(json, "redacted", e->export.redact != NULL);
	if (!e->export.redact)
		return;
	json_int(json, "redacted_secrets", e->redact.secrets);
	json_int(json, "redacted_images", e->redact.images);
	/* Not the patterns: they may be the secret itself, or a hash from which it is guessed. */
	json_int(json, "redact_also_patterns", e->session->flags.redact_also.count);
}

static void put_manifest(struct json *json, struct evidence *e)
{
	const struct flags *f = &e->session->flags;
	const struct query_export *x = &e->export;

	json_object_begin(json, NULL);
	json_int(json, "format", 1);
	json_text(json, "tool", "lineage-query " LINEAGED_VERSION);
	entity_json_time(json, "created", e->session->now_unix_ns);
	json_string(json, "question", e->question.data ? e->question.data : "", e->question.length);
	entity_json_time(json, "since", f->since_unix_ns);
	entity_json_time(json, "until", f->until_unix_ns);
	put_sources(json, e);
	json_int(json, "processes", x->processes);
	json_int(json, "processes_asked_for", (int64_t)e->asked);
	json_int(json, "children_left_out", x->left_out);
	json_int(json, "earlier_images", x->execs);
	json_int(json, "exec_failures", x->failures);
	json_int(json, "images", x->images);
	put_redaction(json, e);
	json_completeness(json, "completeness", &e->extract.completeness);
	json_object_end(json);
}

static int seal(struct evidence *e, const char *path, char digest[QUERY_DIGEST_SIZE])
{
	CLEANUP_FREE char *manifest = NULL;
	struct json json;
	size_t size = 0;
	FILE *out = open_memstream(&manifest, &size);
	int r;

	if (!out)
		return -ENOMEM;
	json_begin(&json, out, 0);
	put_manifest(&json, e);
	r = json_flush(&json);
	json_deinit(&json);
	if (fclose(out) != 0 && r == 0)
		r = -ENOMEM;
	return r < 0 ? r : query_export_seal(path, manifest, e->export.redact, digest);
}

/* Beside its place first. An existing file is never touched: it may be evidence too. */
static int write_file(struct evidence *e, const char *path, char digest[QUERY_DIGEST_SIZE])
{
	CLEANUP_FREE char *temporary = NULL;
	int fd, r;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkstemp(temporary);
	if (fd < 0)
		return -errno;
	r = query_export(e->session->db, e->session->db_count, temporary, &e->export);
	if (r == 0)
		r = seal(e, temporary, digest);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && link(temporary, path) < 0)
		r = -errno;
	close(fd);
	unlink(temporary);
	return r;
}

static int write_evidence(struct evidence *e)
{
	const char *path = e->session->flags.output;
	char digest[QUERY_DIGEST_SIZE];
	int r = write_file(e, path, digest);

	if (r == -EEXIST)
		return usage("%s is there already; choose another name", path);
	if (r < 0)
		return fail(EXIT_DATABASE, "cannot write %s: %s", path,
			    r > -1000 ? strerror(-r) : schema_strerror(r));
	fprintf(e->session->out,
		"%s: %" PRId64 " processes, %zu asked for and %" PRId64 " as context\n", path,
		e->export.processes, e->asked, e->export.processes - (int64_t)e->asked);
	if (e->export.redact)
		fprintf(e->session->out,
			"redacted: %" PRId64 " secrets, in %" PRId64
			" command lines and elsewhere\n",
			e->redact.secrets, e->redact.images);
	fprintf(e->session->out, "sha256: %s\n", digest);
	return session_status(e->session, &e->extract.completeness);
}

static int prepare(struct evidence *e)
{
	struct session *s = e->session;
	const char *bad = NULL;
	int r = 0;

	if (!s->flags.output)
		return usage("export needs -o FILE");
	if (access(s->flags.output, F_OK) == 0)
		return usage("%s is there already; choose another name", s->flags.output);
	if (!s->flags.redact && !s->flags.redact_also.count)
		return r;
	r = redact_init(&e->redact, &s->flags.redact_also, &bad);
	if (r == -EINVAL)
		return usage("--redact-also '%s' is no regular expression", bad);
	e->export.redact = &e->redact;
	return r;
}

/* By more than time: then what is not here may have been all the same. */
static bool is_filtered(const struct flags *f)
{
	struct selection selection;
	struct session session = {.flags = *f};
	bool any = false;

	if (selection_init(&selection, &session) == 0) {
		any = selection.any;
		selection_deinit(&selection);
	}
	return any || f->operand_count;
}

static int collect(struct evidence *e)
{
	struct session *s = e->session;
	int r = extract_gather(s, &e->extract);

	for (size_t i = 0; i < e->extract.list.count; i++)
		e->asked += e->extract.list.item[i]->selected;
	for (unsigned int i = 0; r == 0 && i < s->db_count; i++)
		r = references_close(s->db[i], &e->extract.list);
	process_list_sort(&e->extract.list);
	extract_question(s, e->export.redact, &e->question);
	e->export.list = &e->extract.list;
	e->export.since_unix_ns = s->flags.since_unix_ns;
	e->export.until_unix_ns = s->flags.until_unix_ns;
	if (e->question.failed)
		return -ENOMEM;
	if (is_filtered(&s->flags) && e->question.data)
		e->export.filter = e->question.data;
	return r;
}

static int run(struct session *s)
{
	struct evidence e = {.session = s};
	int r = prepare(&e);

	if (r == 0)
		r = collect(&e);
	if (r == 0)
		r = write_evidence(&e);
	extract_deinit(&e.extract);
	redact_deinit(&e.redact);
	buffer_deinit(&e.question);
	return r;
}

const struct command cmd_export = {
	.name = "export",
	.operands = "PID[@START]",
	.summary = "a part of the record as a file of its own, for a case",
	.help = "Writes what the time and the selectors name, and all ancestors, to a new database "
		"that\n"
		"every verb opens with --db. It holds a manifest and a SHA-256 that verify checks; "
		"note\n"
		"the sum elsewhere, for whoever changes the file can change that too. --redact "
		"knows\n"
		"secrets by what they are called, not every secret; the man page lists what.\n"
		"  lineage-query export --since 03:00 --until 04:00 --redact -o case.lineage\n",
	.options = FLAGS_COMMON | FLAGS_FILE | FLAGS_TIME | FLAGS_SELECT | FLAGS_REDACT,
	.no_pager = true,
	.full_detail = true,
	.run = run,
};
