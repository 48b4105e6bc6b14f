/* SPDX-License-Identifier: Apache-2.0 */
/* show: all that is known of one process, and how it is known. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/gather.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/words.h"

struct show {
	struct session *session;
	struct buffer out;
	struct completeness completeness;
};

static void label(struct show *s, const char *name)
{
	buffer_printf(&s->out, "  %-14s ", name);
}

static void line_text(struct show *s, const char *name, const char *text, size_t length)
{
	label(s, name);
	escape_word(&s->out, text, length, !s->session->style.utf8);
	buffer_putc(&s->out, '\n');
}

static void line_string(struct show *s, const char *name, const char *text)
{
	if (text)
		line_text(s, name, text, strlen(text));
}

static void line_path(struct show *s, const char *name, const struct text *text)
{
	if (!text)
		return;
	if (text->raw)
		line_text(s, name, text->raw, text->raw_length);
	else
		line_text(s, name, text->value, text->length);
}

static void line_number(struct show *s, const char *name, int64_t number)
{
	if (number == UNKNOWN)
		return;
	label(s, name);
	buffer_printf(&s->out, "%" PRId64 "\n", number);
}

static void line_time(struct show *s, const char *name, int64_t unix_ns, enum provenance provenance)
{
	label(s, name);
	words_time(&s->out, unix_ns, &s->session->style);
	if (provenance_name(provenance))
		buffer_printf(&s->out, " (%s)", provenance_name(provenance));
	buffer_putc(&s->out, '\n');
}

static void line_process(struct show *s, const char *name, struct query *q, int64_t id)
{
	struct process *p;

	if (!id || query_process(q, id, &p) != 0)
		return;
	label(s, name);
	words_name(&s->out, p, &s->session->style);
	buffer_printf(&s->out, " %" PRId64 "@%" PRId64 "\n", p->pid, p->start_boot_ns);
}

static void show_ids(struct show *s, const char *name, int64_t real, int64_t effective,
		     int64_t saved)
{
	if (real == UNKNOWN)
		return;
	label(s, name);
	buffer_printf(&s->out, "%" PRId64, real);
	if (effective != real || saved != real)
		buffer_printf(&s->out, " (effective %" PRId64 ", saved %" PRId64 ")", effective,
			      saved);
	buffer_putc(&s->out, '\n');
}

static void show_context(struct show *s, const struct context *x)
{
	const struct cgroup *g = x->container;
	char tty[32];

	show_ids(s, "uid", x->uid, x->euid, x->suid);
	show_ids(s, "gid", x->gid, x->egid, x->sgid);
	if (x->loginuid == 4294967295LL)
		line_string(s, "loginuid", "unset");
	else
		line_number(s, "loginuid", x->loginuid);
	if (x->sessionid != 4294967295LL)
		line_number(s, "session", x->sessionid);
	if (x->tty != UNKNOWN)
		line_string(s, "tty", words_tty(x->tty, tty, sizeof(tty)));
	line_number(s, "sid", x->sid);
	if (x->cap_effective != UNKNOWN) {
		label(s, "capabilities");
		buffer_printf(&s->out, "%#" PRIx64 " of %#" PRIx64 "\n", (uint64_t)x->cap_effective,
			      (uint64_t)x->cap_permitted);
	}
	if (x->cgroup)
		line_string(s, "cgroup", x->cgroup->path);
	if (!g)
		return;
	line_string(s, "container", g->container_id);
	line_string(s, "runtime", g->runtime);
	line_string(s, "name", g->container_name);
	line_string(s, "image", g->image_name);
	line_string(s, "pod", g->pod_name);
	line_string(s, "pod namespace", g->pod_namespace);
	line_string(s, "pod uid", g->pod_uid);
}

static void show_image(struct show *s, const struct image *image)
{
	static const struct {
		unsigned int bit;
		const char *words;
	} notes[] = {
		{IMAGE_MEMFD, "an anonymous file in memory"},
		{IMAGE_DELETED, "the file had no name any more"},
		{IMAGE_UPPER, "from the writable layer of an overlay"},
		{IMAGE_SECURE, "set-id or file capabilities took effect"},
		{IMAGE_EXE_TRUNCATED, "only the last components of the path are known"},
		{IMAGE_NAMES_SHORTENED, "a component of a path is known in part"},
		{IMAGE_ARGS_UNREADABLE, "the arguments could not be read"},
		{IMAGE_CWD_DELETED, "the working directory had been removed"},
	};

	if (!image)
		return;
	line_path(s, "exe", image->exe);
	if (image->filename != image->exe)
		line_path(s, "asked as", image->filename);
	line_path(s, "interpreter", image->interpreter);
	if (image->args || image->args_raw) {
		label(s, "args");
		words_args(&s->out, image, &s->session->style);
		buffer_putc(&s->out, '\n');
	}
	if (image_args_truncated(image)) {
		label(s, "");
		buffer_printf(&s->out, "%zu of %" PRId64 " bytes are recorded\n",
			      image->args_raw_length, image->args_bytes);
	}
	if (image->inode != UNKNOWN && image->dev != UNKNOWN) {
		label(s, "file");
		buffer_printf(&s->out, "device %" PRId64 ":%" PRId64 " inode %" PRId64 "\n",
			      image->dev >> 20, image->dev & 0xfffff, image->inode);
	}
	for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++) {
		if (image->flags & notes[i].bit) {
			label(s, "note");
			buffer_printf(&s->out, "%s\n", notes[i].words);
		}
	}
}

/* In the place of what retention removed. */
static void show_pruned(struct show *s, const struct process *p, enum pruned_kind kind,
			const char *what)
{
	const struct pruned *pruned = &p->pruned[kind];

	if (!pruned->count)
		return;
	buffer_printf(&s->out, "%" PRId64 " %s%s removed by retention\n", pruned->count, what,
		      pruned->count == 1 ? "" : "s");
	line_time(s, "from", boot_to_unix(p->boot, pruned->from_boot_ns), PROVENANCE_NONE);
	line_time(s, "to", boot_to_unix(p->boot, pruned->to_boot_ns), PROVENANCE_NONE);
}

static void show_execs(struct show *s, const struct process *p)
{
	int64_t pruned = p->pruned[PRUNED_EXECS].count;

	show_pruned(s, p, PRUNED_EXECS, "earlier image");
	for (size_t i = 0; i < p->exec_count; i++) {
		const struct exec *e = &p->execs[i];

		buffer_printf(&s->out, "image %" PRId64 " of %" PRId64 "\n",
			      add_clamped(pruned, (int64_t)i + 1),
			      add_clamped(pruned, (int64_t)p->exec_count));
		line_time(s, "time", e->unix_ns, e->provenance);
		show_image(s, e->image);
		line_path(s, "cwd", e->cwd);
		if (e->parent_id != p->parent_id)
			line_process(s, "parent then", p->db, e->parent_id);
		if (e->context != p->birth_context)
			show_context(s, e->context);
	}
	if (process_inherited(p)) {
		buffer_puts(&s->out, "image inherited at birth, never called exec\n");
		show_image(s, p->image);
	}
}

static void show_end(struct show *s, const struct process *p)
{
	struct buffer words = {0};

	buffer_puts(&s->out, "end\n");
	if (!process_ended(p)) {
		line_string(s, "status", "alive when last seen");
		return;
	}
	line_time(s, "time", p->end_unix_ns, p->end);
	words_exit(&words, p);
	line_string(s, "status", words.data);
	buffer_deinit(&words);
	if (p->end_parent_id != p->parent_id)
		line_process(s, "parent then", p->db, p->end_parent_id);
	line_number(s, "user us", p->user_us);
	line_number(s, "system us", p->system_us);
	line_number(s, "peak rss KiB", p->max_rss_kib);
}

static int show_failures(struct show *s, struct process *p)
{
	struct exec_failure *failures;
	size_t count;
	int r = query_failures_of(p->db, p, &failures, &count);

	show_pruned(s, p, PRUNED_FAILURES, "failed exec");
	for (size_t i = 0; r == 0 && i < count; i++) {
		const struct exec_failure *f = &failures[i];

		buffer_puts(&s->out, "failed exec\n");
		line_time(s, "time", f->unix_ns, f->provenance);
		label(s, "error");
		buffer_printf(&s->out, "%s\n",
			      strerrorname_np((int)f->error) ? strerrorname_np((int)f->error)
							     : "unknown");
		show_image(s, f->image);
	}
	return r;
}

static int show_text(struct show *s, struct process *p)
{
	int r;

	words_name(&s->out, p, &s->session->style);
	buffer_printf(&s->out, " %" PRId64 "@%" PRId64 "\n", p->pid, p->start_boot_ns);
	line_string(s, "host", p->boot->hostname);
	line_string(s, "boot", p->boot->boot_id);
	line_time(s, "start", p->start_unix_ns, p->birth);
	line_process(s, "parent", p->db, p->parent_id);
	line_process(s, "creator", p->db, p->creator_id);
	if (p->ns_pid != p->pid)
		line_number(s, "pid inside", p->ns_pid);
	line_number(s, "pgid", p->pgid);
	show_context(s, p->birth_context);
	show_execs(s, p);
	r = show_failures(s, p);
	show_end(s, p);
	if (p->pruned_children)
		line_number(s, "pruned", p->pruned_children);
	words_completeness(&s->out, &s->completeness, &s->session->style);
	if (r == 0 && s->out.failed)
		r = -ENOMEM;
	if (r == 0 && fwrite(s->out.data, 1, s->out.length, s->session->out) != s->out.length)
		r = -EIO;
	return r;
}

static bool wants_json(const struct show *s)
{
	const char *output = s->session->flags.output;

	return output && strcmp(output, "json") == 0;
}

/* p NULL: there is none. */
static int show_json(struct show *s, struct process *p)
{
	struct exec_failure *failures = NULL;
	struct json json;
	size_t count = 0;
	int r = p ? query_failures_of(p->db, p, &failures, &count) : 0;

	if (r < 0)
		return r;
	json_begin(&json, s->session->out, 3);
	json_object_begin(&json, NULL);
	if (p) {
		json_object_begin(&json, "process");
		json_process(&json, p);
		json_object_end(&json);
	} else {
		json_text(&json, "process", NULL);
	}
	json_failures(&json, "failed_execs", failures, count);
	json_completeness(&json, "completeness", &s->completeness);
	json_object_end(&json);
	json_newline(&json);
	r = json_flush(&json);
	json_deinit(&json);
	return r;
}

static int show_one(struct show *s, struct process *p)
{
	struct process_list one = {&p, 1, 0}, parent = {0};
	int r = gather_details(p->db, &one);

	p->selected = true;
	if (r == 0)
		r = completeness_add_life(&s->completeness, p, s->session->now_unix_ns);
	/* Of the ancestors only the parent is told. */
	if (r == 0)
		r = query_ancestors(p->db, p, 1, &parent);
	if (r == 0)
		r = completeness_add_line(&s->completeness, p, &parent);
	process_list_deinit(&parent);
	if (r == 0)
		r = completeness_add_processes(&s->completeness, &one);
	if (r < 0)
		return r;
	if (wants_json(s))
		return show_json(s, p);
	return show_text(s, p);
}

static int run(struct session *session)
{
	struct show s = {.session = session};
	struct process_list found = {0};
	struct process *p;
	int r = session_one(session, &s.completeness, &found, &p);

	if ((r == EXIT_NOTHING || r == EXIT_INCOMPLETE) && wants_json(&s)) {
		int written = show_json(&s, NULL);

		r = written < 0 ? written : r;
	}
	if (r == 0)
		r = show_one(&s, p);
	if (r == 0)
		r = session_status(session, &s.completeness);
	process_list_deinit(&found);
	completeness_deinit(&s.completeness);
	buffer_deinit(&s.out);
	return r;
}

const struct command cmd_show = {
	.name = "show",
	.operands = "PID[@START]",
	.summary = "all that is known of one process, and how it is known",
	.help = "Prints identity, parents, credentials, container, every image with its "
		"arguments,\n"
		"failed execs, end and resources. Behind each time: observed, snapshot, recovered "
		"or\n"
		"inferred. Formats: text and json.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TARGET,
	.full_detail = true,
	.formats = "text json",
	.run = run,
};
