/* SPDX-License-Identifier: Apache-2.0 */
/*
 * why: the shortest story from a process to what let it in: a login, a timer, a unit, a container.
 * The way in is judged by executables of the ancestors and by the cgroup; the words say by which.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/gather.h"
#include "cli/escape.h"
#include "cli/json.h"
#include "cli/timespec.h"
#include "cli/words.h"

/* Executables whose children come from somewhere else than this node's process tree. */
static const struct entry {
	const char *name; /* of the executable; a final * is any rest */
	const char *words;
} entries[] = {
	{"sshd", "a login over ssh"},
	{"sshd-session", "a login over ssh"},
	{"dropbear", "a login over ssh"},
	{"in.telnetd", "a login over telnet"},
	{"login", "a login on a terminal"},
	{"agetty", "a terminal"},
	{"getty", "a terminal"},
	{"gdm*", "a graphical login"},
	{"lightdm", "a graphical login"},
	{"sddm*", "a graphical login"},
	{"cron", "a cron job"},
	{"crond", "a cron job"},
	{"anacron", "a cron job"},
	{"atd", "an at job"},
	{"containerd-shim*", "a container of containerd"},
	{"conmon", "a container of podman or CRI-O"},
	{"runc", "a container"},
	{"crun", "a container"},
	{"lxc-start", "a container of LXC"},
	{"systemd-nspawn", "a container of systemd-nspawn"},
	{"systemd-udevd", "a device event (udev)"},
	{"polkitd", "an action granted by polkit"},
	{"dbus-daemon", "a D-Bus activation"},
	{"xinetd", "a network service of xinetd"},
	{"qemu-ga", "the guest agent of the hypervisor"},
	{"systemd", "a unit of systemd"},
	{"init", "an init script"},
	{"kthreadd", "the kernel"},
};

static const char *exe_name(const struct image *image)
{
	const char *exe = image && image->exe ? image->exe->value : image ? image->comm : NULL;
	const char *slash = exe ? strrchr(exe, '/') : NULL;

	return slash ? slash + 1 : exe;
}

static const struct entry *find_name(const char *name)
{
	for (size_t i = 0; name && i < sizeof(entries) / sizeof(entries[0]); i++) {
		size_t length = strlen(entries[i].name);

		if (entries[i].name[length - 1] == '*'
			    ? strncmp(name, entries[i].name, length - 1) == 0
			    : strcmp(name, entries[i].name) == 0)
			return &entries[i];
	}
	return NULL;
}

/* Any of its images up to then: a login shell was login before it became the shell. */
static const struct entry *find_entry(const struct process *p, int64_t until_boot_ns)
{
	const struct entry *found = find_name(exe_name(p->image));

	for (size_t i = 0; !found && i < p->exec_count; i++) {
		if (p->execs[i].boot_ns != UNKNOWN && p->execs[i].boot_ns > until_boot_ns)
			break;
		found = find_name(exe_name(p->execs[i].image));
	}
	return found;
}

/* The last component that names a unit: "ssh.service" of /system.slice/ssh.service. */
static bool unit_of(const struct context *x, const char **ret, size_t *ret_length)
{
	static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount"};
	const char *part = x->cgroup ? x->cgroup->path : NULL;
	bool found = false;

	while (part && *part) {
		const char *name = part + (*part == '/');
		size_t size = strcspn(name, "/");

		for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
			size_t length = strlen(suffixes[i]);

			if (size > length &&
			    strncmp(name + size - length, suffixes[i], length) == 0) {
				*ret = name;
				*ret_length = size;
				found = true;
			}
		}
		part = name + size;
	}
	return found;
}

struct why {
	struct session *session;
	struct process_list chain; /* the process, its parent, ... the way in */
	const struct entry *entry;
	struct completeness completeness;
	struct buffer out;
};

/* As it was when the one below it was born; it may have become something else since. */
static int show_as_of(struct process *p, int64_t boot_ns)
{
	struct exec image;
	int r = moment_image(p, boot_ns, &image);

	if (r == 0)
		moment_put_image(p, &image);
	return r;
}

static int follow(struct why *w, struct process *p)
{
	struct process_list up = {0}, all = {0};
	int r = process_list_add(&w->chain, p);

	if (r == 0)
		r = query_ancestors(p->db, p, 0, &up);
	if (r == 0)
		r = process_list_add(&all, p);
	for (size_t i = 0; r == 0 && i < up.count; i++)
		r = process_list_add(&all, up.item[i]);
	if (r == 0)
		r = gather_details(p->db, &all);
	for (size_t i = 0; r == 0 && i < up.count && !w->entry; i++) {
		int64_t born = w->chain.item[i]->start_boot_ns;

		r = process_list_add(&w->chain, up.item[i]);
		if (r == 0)
			r = show_as_of(up.item[i], born);
		w->entry = find_entry(up.item[i], born);
	}
	process_list_deinit(&up);
	process_list_deinit(&all);
	return r;
}

static void add_who(struct why *w, const struct process *p, const struct process *parent)
{
	const struct context *x = p->context;

	if (x->uid != UNKNOWN && (!parent || parent->context->uid != x->uid))
		buffer_printf(&w->out, ", uid %" PRId64, x->uid);
	if (x->euid != UNKNOWN && x->euid != x->uid)
		buffer_printf(&w->out, " acting as %" PRId64, x->euid);
	if (x->loginuid != UNKNOWN && x->loginuid != 4294967295LL &&
	    (!parent || parent->context->loginuid != x->loginuid))
		buffer_printf(&w->out, ", logged in as %" PRId64, x->loginuid);
}

static void add_summary(struct why *w)
{
	struct process *p = w->chain.item[0], *last = w->chain.item[w->chain.count - 1];
	const struct process *inner = w->chain.count > 1 ? w->chain.item[w->chain.count - 2] : p;
	const struct style *style = &w->session->style;
	const struct cgroup *g = p->context->container;
	const char *unit;
	size_t length;

	words_name(&w->out, p, style);
	if (style->hosts) {
		buffer_puts(&w->out, " on ");
		words_host(&w->out, p->boot, style);
	}
	if (w->entry) {
		buffer_printf(&w->out, " comes from %s: ", w->entry->words);
		words_name(&w->out, last, style);
	} else if (p == last) {
		buffer_puts(&w->out, " is the first that is known");
	} else {
		buffer_puts(&w->out, " leads back to ");
		words_name(&w->out, last, style);
		buffer_puts(&w->out, ", the first that is known");
	}
	if (unit_of(inner->context, &unit, &length)) {
		buffer_puts(&w->out, ", in unit ");
		escape_text(&w->out, unit, length, !style->utf8);
	}
	if (g) {
		const char *name = g->container_name ? g->container_name : g->container_id;

		buffer_puts(&w->out, ", in container ");
		escape_text(&w->out, name ? name : "?", strlen(name ? name : "?"), !style->utf8);
	}
	buffer_puts(&w->out, ".\n");
}

static void add_hop(struct why *w, size_t i)
{
	struct process *p = w->chain.item[i];
	const struct process *parent = i + 1 < w->chain.count ? w->chain.item[i + 1] : NULL;
	const struct style *style = &w->session->style;
	size_t start = w->out.length;

	words_time(&w->out, p->start_unix_ns, style);
	buffer_puts(&w->out, "  ");
	words_name(&w->out, p, style);
	add_who(w, p, parent);
	if (provenance_name(p->birth) && p->birth != PROVENANCE_OBSERVED)
		buffer_printf(&w->out, " (%s)", provenance_name(p->birth));
	buffer_puts(&w->out, process_inherited(p) ? ": (fork) " : ": ");
	words_command(&w->out, p, style);
	words_fit(&w->out, start, style);
	buffer_putc(&w->out, '\n');
}

static int write_text(struct why *w)
{
	add_summary(w);
	for (size_t i = w->chain.count; i-- > 0;)
		add_hop(w, i);
	words_completeness(&w->out, &w->completeness, &w->session->style);
	if (w->out.failed)
		return -ENOMEM;
	return fwrite(w->out.data, 1, w->out.length, w->session->out) == w->out.length ? 0 : -EIO;
}

static int write_json(struct why *w)
{
	struct json json;
	int r;

	json_begin(&json, w->session->out, 2);
	json_object_begin(&json, NULL);
	json_text(&json, "entry", w->entry ? w->entry->words : NULL);
	json_array_begin(&json, "chain");
	for (size_t i = w->chain.count; i-- > 0;) {
		json_object_begin(&json, NULL);
		json_process(&json, w->chain.item[i]);
		json_object_end(&json);
	}
	json_array_end(&json);
	json_completeness(&json, "completeness", &w->completeness);
	json_object_end(&json);
	json_newline(&json);
	r = json_flush(&json);
	json_deinit(&json);
	return r;
}

static bool wants_json(const struct why *w)
{
	const char *output = w->session->flags.output;

	return output && strcmp(output, "json") == 0;
}

static int answer(struct why *w, struct process *p)
{
	struct process_list ancestors;
	int r = follow(w, p);

	ancestors = (struct process_list){w->chain.item + 1, w->chain.count - 1, 0};
	if (r == 0)
		r = completeness_add_range(&w->completeness, p->db, p->start_unix_ns,
					   p->start_unix_ns, w->session->now_unix_ns, NULL);
	if (r == 0)
		r = completeness_add_line(&w->completeness, p, &ancestors);
	if (r == 0)
		r = completeness_add_processes(&w->completeness, &w->chain);
	if (r < 0)
		return r;
	return wants_json(w) ? write_json(w) : write_text(w);
}

static int run(struct session *session)
{
	struct why w = {.session = session};
	struct process_list found = {0};
	struct process *p;
	int r = session_one(session, &w.completeness, &found, &p);

	if ((r == EXIT_NOTHING || r == EXIT_INCOMPLETE) && wants_json(&w)) {
		int written = write_json(&w);

		r = written < 0 ? written : r;
	}
	if (r == 0)
		r = answer(&w, p);
	if (r == 0)
		r = session_status(session, &w.completeness);
	process_list_deinit(&found);
	process_list_deinit(&w.chain);
	completeness_deinit(&w.completeness);
	buffer_deinit(&w.out);
	return r;
}

const struct command cmd_why = {
	.name = "why",
	.operands = "PID[@START]",
	.summary = "how a process came to run: login, timer, unit, container",
	.help = "Tells the way from what let the process in (an ssh login, a cron job, a unit, a\n"
		"container) down to it: each hop with when, who and what. The way in is judged by\n"
		"the executables of the ancestors. Formats: text and json.\n",
	.options = FLAGS_COMMON | FLAGS_OUTPUT | FLAGS_TARGET,
	.formats = "text json",
	.run = run,
};
