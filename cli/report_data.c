/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/report_data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arena.h"
#include "cli/entity.h"
#include "cli/escape.h"
#include "cli/words.h"
#include "schema/cleanup.h"

/* Things told once, in the order in which they were first named. */
struct table {
	struct idmap index; /* address -> entry + 1 */
	const void **item;
	size_t count, size;
};

struct report {
	struct json json;
	const struct session *session;
	const struct extract *extract;
	struct forest forest;
	struct style style;
	struct buffer text;
	struct table strings, paths, images, contexts, boots;
	struct idmap rows; /* node address -> row + 1 */
	int64_t base_ns;   /* times are told relative to it */
	int error;
};

static void fail_with(struct report *r, int error)
{
	if (r->error == 0)
		r->error = error;
}

/* The number of something in its table; -1 for nothing. */
static int64_t number_of(struct report *r, struct table *t, const void *item)
{
	int64_t key = (int64_t)(uintptr_t)item;
	void *known;

	if (!item)
		return -1;
	known = idmap_get(&t->index, key);
	if (known)
		return (int64_t)(uintptr_t)known - 1;
	if (t->count == t->size) {
		size_t size = t->size ? t->size * 2 : 256;
		const void **more = reallocarray(t->item, size, sizeof(*more));

		if (!more) {
			fail_with(r, -ENOMEM);
			return -1;
		}
		t->item = more;
		t->size = size;
	}
	t->item[t->count++] = item;
	if (idmap_put(&t->index, key, (void *)(uintptr_t)t->count) < 0)
		fail_with(r, -ENOMEM);
	return (int64_t)t->count - 1;
}

static void table_deinit(struct table *t)
{
	idmap_deinit(&t->index);
	free(t->item);
}

static void put_text(struct report *r, const char *key)
{
	json_string(&r->json, key, r->text.data ? r->text.data : "", r->text.length);
	if (r->text.failed)
		fail_with(r, -ENOMEM);
	buffer_clear(&r->text);
}

static void put_bytes(struct report *r, const char *key, const char *s, size_t length)
{
	escape_text(&r->text, s, length, false);
	put_text(r, key);
}

static void put_path(struct report *r, const char *key, const struct text *t)
{
	if (t && t->raw)
		put_bytes(r, key, t->raw, t->raw_length);
	else if (t)
		put_bytes(r, key, t->value, t->length);
}

static void maybe_name(struct report *r, const char *key, const char *s)
{
	if (s)
		put_bytes(r, key, s, strlen(s));
}

static void put_time(struct report *r, const char *key, int64_t unix_ns)
{
	/* json_int() writes UNKNOWN as null. */
	json_int(&r->json, key, unix_ns == UNKNOWN ? UNKNOWN : unix_ns - r->base_ns);
}

static void put_execs(struct report *r, const struct process *p)
{
	json_array_begin(&r->json, NULL);
	for (size_t i = 0; i < p->exec_count; i++) {
		const struct exec *e = &p->execs[i];

		json_array_begin(&r->json, NULL);
		put_time(r, NULL, e->unix_ns);
		json_int(&r->json, NULL, e->provenance);
		json_int(&r->json, NULL, number_of(r, &r->images, e->image));
		json_int(&r->json, NULL, number_of(r, &r->contexts, e->context));
		json_int(&r->json, NULL, number_of(r, &r->paths, e->cwd));
		json_array_end(&r->json);
	}
	json_array_end(&r->json);
}

static void put_failures(struct report *r, struct process *p)
{
	struct exec_failure *failures = NULL;
	size_t count = 0;
	int error = query_failures_of(p->db, p, &failures, &count);

	if (error < 0)
		fail_with(r, error);
	json_array_begin(&r->json, NULL);
	for (size_t i = 0; error == 0 && i < count; i++) {
		const char *name = strerrorname_np((int)failures[i].error);

		json_array_begin(&r->json, NULL);
		put_time(r, NULL, failures[i].unix_ns);
		json_text(&r->json, NULL, name ? name : "?");
		json_int(&r->json, NULL, number_of(r, &r->images, failures[i].image));
		json_array_end(&r->json);
	}
	json_array_end(&r->json);
}

static int64_t row_of(const struct report *r, const struct node *n)
{
	return n ? (int64_t)(uintptr_t)idmap_get(&r->rows, (int64_t)(uintptr_t)n) - 1 : -1;
}

/* The columns of model.js, in their order. */
static void put_process(struct report *r, const struct node *n)
{
	struct process *p = n->process;
	struct json *json = &r->json;
	char start[32];
	const int64_t end[] = {
		p->user_us, p->system_us, p->max_rss_kib, p->creator_id, p->end_parent_id,
	};

	json_array_begin(json, NULL);
	json_int(json, NULL, p->id);
	json_int(json, NULL, row_of(r, n->parent));
	json_int(json, NULL, number_of(r, &r->boots, p->boot));
	json_int(json, NULL, p->pid);
	put_time(r, NULL, p->start_unix_ns);
	put_time(r, NULL, p->end_unix_ns);
	json_int(json, NULL, PROVENANCE_PACK(p->birth, p->image_provenance, p->end));
	words_exit(&r->text, p);
	put_text(r, NULL);
	json_int(json, NULL, number_of(r, &r->strings, process_comm(p)));
	json_int(json, NULL, number_of(r, &r->images, p->image));
	json_int(json, NULL, number_of(r, &r->contexts, p->context));
	json_int(json, NULL, number_of(r, &r->contexts, p->birth_context));
	json_int(json, NULL, number_of(r, &r->paths, p->cwd));
	json_int(json, NULL, p->ns_pid);
	json_int(json, NULL, p->pgid);
	json_int(json, NULL, p->selected);
	for (size_t i = 0; i < ARRAY_SIZE(end); i++)
		json_int(json, NULL, end[i]);
	snprintf(start, sizeof(start), "%lld", (long long)p->start_boot_ns);
	json_text(json, NULL, start);
	put_execs(r, p);
	json_int(json, NULL, p->pruned_children);
	put_failures(r, p);
	json_int(json, NULL, p->parent_id);
	for (int kind = 0; kind < PRUNED_KINDS; kind++)
		json_int(json, NULL, p->pruned[kind].count);
	json_array_end(json);
}

static void put_processes(struct report *r)
{
	const struct node *target = NULL;
	size_t count = 0;

	json_array_begin(&r->json, "processes");
	for (struct node *n = forest_next(&r->forest, NULL); n; n = forest_next(&r->forest, n)) {
		if (idmap_put(&r->rows, (int64_t)(uintptr_t)n, (void *)(uintptr_t)++count) < 0)
			fail_with(r, -ENOMEM);
		put_process(r, n);
		if (n->process == r->extract->target)
			target = n;
	}
	json_array_end(&r->json);
	json_int(&r->json, "target", target ? row_of(r, target) : UNKNOWN);
}

static void put_flags(struct report *r, const struct image *m)
{
	static const struct {
		unsigned int bit;
		const char *words;
	} names[] = {
		{IMAGE_DELETED, "file deleted"},
		{IMAGE_MEMFD, "memfd"},
		{IMAGE_UPPER, "changed in the container"},
		{IMAGE_CWD_DELETED, "directory deleted"},
		{IMAGE_EXE_TRUNCATED, "path cut short"},
		{IMAGE_ARGS_UNREADABLE, "arguments unreadable"},
		{IMAGE_SCRIPT, "script"},
		{IMAGE_SECURE, "setuid or capabilities"},
		{IMAGE_KERNEL_THREAD, "kernel thread"},
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(m->flags & names[i].bit))
			continue;
		if (!any)
			json_array_begin(&r->json, "flags");
		any = true;
		json_text(&r->json, NULL, names[i].words);
	}
	if (any)
		json_array_end(&r->json);
}

static void put_image(struct report *r, const struct image *m)
{
	struct json *json = &r->json;
	char device[32];

	json_object_begin(json, NULL);
	words_image(&r->text, m, m->comm, &r->style);
	put_text(r, "command");
	words_args(&r->text, m, &r->style);
	put_text(r, "args");
	put_path(r, "exe", m->exe);
	put_path(r, "filename", m->filename != m->exe ? m->filename : NULL);
	put_path(r, "interpreter", m->interpreter);
	put_flags(r, m);
	if (image_args_truncated(m)) {
		json_bool(json, "truncated", true);
		json_maybe_int(json, "bytes", m->args_bytes);
	}
	if (m->inode != UNKNOWN && m->dev != UNKNOWN) {
		snprintf(device, sizeof(device), "%lld:%lld", (long long)(m->dev >> 20),
			 (long long)(m->dev & 0xfffff));
		json_text(json, "device", device);
		json_int(json, "inode", m->inode);
	}
	json_object_end(json);
}

static void put_context(struct report *r, const struct context *x)
{
	const struct {
		const char *name;
		int64_t value;
	} numbers[] = {
		{"uid", x->uid},       {"euid", x->euid},	  {"gid", x->gid},
		{"egid", x->egid},     {"loginuid", x->loginuid}, {"sessionid", x->sessionid},
		{"sid", x->sid},       {"pid_ns", x->pid_ns},	  {"mnt_ns", x->mnt_ns},
		{"net_ns", x->net_ns}, {"user_ns", x->user_ns},
	};
	const struct cgroup *g = x->container;
	char text[32];

	json_object_begin(&r->json, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		json_maybe_int(&r->json, numbers[i].name, numbers[i].value);
	if (x->cap_effective != UNKNOWN && x->cap_effective != 0) {
		snprintf(text, sizeof(text), "%lld", (long long)x->cap_effective);
		json_text(&r->json, "cap_effective", text);
	}
	if (x->tty != UNKNOWN && x->tty != 0)
		json_text(&r->json, "tty", words_tty(x->tty, text, sizeof(text)));
	maybe_name(r, "cgroup", x->cgroup ? x->cgroup->path : NULL);
	if (g) {
		maybe_name(r, "container_id", g->container_id);
		maybe_name(r, "container_name", g->container_name);
		maybe_name(r, "runtime", g->runtime);
		maybe_name(r, "image_name", g->image_name);
		maybe_name(r, "pod_uid", g->pod_uid);
		maybe_name(r, "pod_name", g->pod_name);
		maybe_name(r, "pod_namespace", g->pod_namespace);
	}
	json_object_end(&r->json);
}

static void put_missing(struct report *r)
{
	const struct completeness *c = &r->extract->completeness;

	json_bool(&r->json, "complete", is_complete(c));
	maybe_name(r, "filter", c->filter);
	json_array_begin(&r->json, "missing");
	for (size_t i = 0; i < c->count; i++) {
		const struct missing *m = &c->item[i];

		json_object_begin(&r->json, NULL);
		json_text(&r->json, "kind", missing_kind_name(m->kind));
		put_time(r, "from", m->from_unix_ns);
		put_time(r, "to", m->to_unix_ns);
		json_int(&r->json, "lost", m->kind == MISSING_GAP ? m->lost : UNKNOWN);
		maybe_name(r, "cause", m->cause);
		json_int(&r->json, "recovered", m->recovered);
		words_missing(&r->text, m, &r->style);
		put_text(r, "text");
		json_text(&r->json, "touches", m->touches);
		json_object_end(&r->json);
	}
	json_array_end(&r->json);
}

/* After the processes, which name them. */
static void put_tables(struct report *r)
{
	json_array_begin(&r->json, "images");
	for (size_t i = 0; i < r->images.count; i++)
		put_image(r, r->images.item[i]);
	json_array_end(&r->json);
	json_array_begin(&r->json, "contexts");
	for (size_t i = 0; i < r->contexts.count; i++)
		put_context(r, r->contexts.item[i]);
	json_array_end(&r->json);
	json_array_begin(&r->json, "strings");
	for (size_t i = 0; i < r->strings.count; i++)
		put_bytes(r, NULL, r->strings.item[i], strlen(r->strings.item[i]));
	json_array_end(&r->json);
	json_array_begin(&r->json, "paths");
	for (size_t i = 0; i < r->paths.count; i++)
		put_path(r, NULL, r->paths.item[i]);
	json_array_end(&r->json);
	json_array_begin(&r->json, "boots");
	for (size_t i = 0; i < r->boots.count; i++) {
		const struct boot *boot = r->boots.item[i];

		json_object_begin(&r->json, NULL);
		maybe_name(r, "host", boot->hostname);
		maybe_name(r, "id", boot->boot_id);
		maybe_name(r, "kernel", boot->kernel);
		json_object_end(&r->json);
	}
	json_array_end(&r->json);
}

static void put_head(struct report *r)
{
	const struct session *s = r->session;
	char base[32];

	snprintf(base, sizeof(base), "%lld", (long long)r->base_ns);
	json_text(&r->json, "base", base);
	put_time(r, "since", s->flags.since_unix_ns);
	put_time(r, "until", s->flags.until_unix_ns);
	json_bool(&r->json, "utc", s->flags.utc);
	json_text(&r->json, "version", LINEAGED_VERSION);
	extract_question(s, NULL, &r->text);
	put_text(r, "question");
}

/* Differences stay small and exact in a double for a hundred days. */
static int64_t find_base(const struct session *s, const struct extract *e)
{
	int64_t base = s->flags.since_unix_ns != UNKNOWN ? s->flags.since_unix_ns : INT64_MAX;

	for (size_t i = 0; i < e->list.count; i++) {
		const struct process *p = e->list.item[i];

		if (p->selected && p->start_unix_ns != UNKNOWN && p->start_unix_ns < base)
			base = p->start_unix_ns;
	}
	return base == INT64_MAX ? 0 : base;
}

int report_data_write(FILE *out, const struct session *session, const struct extract *extract)
{
	struct report r = {
		.session = session,
		.extract = extract,
		.style = {.utf8 = true, .utc = session->flags.utc},
		.base_ns = find_base(session, extract),
	};
	int error = forest_build((struct process_list *)&extract->list, NULL, NULL, &r.forest);

	if (error < 0)
		return error;
	json_begin(&r.json, out, 1);
	r.json.html = true;
	json_object_begin(&r.json, NULL);
	put_head(&r);
	put_processes(&r);
	put_tables(&r);
	put_missing(&r);
	json_object_end(&r.json);
	error = json_flush(&r.json);
	json_deinit(&r.json);
	buffer_deinit(&r.text);
	table_deinit(&r.strings);
	table_deinit(&r.paths);
	table_deinit(&r.images);
	table_deinit(&r.contexts);
	table_deinit(&r.boots);
	idmap_deinit(&r.rows);
	forest_deinit(&r.forest);
	return r.error ? r.error : error;
}
