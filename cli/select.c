/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/select.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/words.h"
#include "schema/cleanup.h"

/* 4294967295 and -1 stand for unset, as in /proc/PID/loginuid. */
static int parse_user(const char *text, int64_t *ret_uid)
{
	struct passwd *user;
	char *end;
	long long uid = strtoll(text, &end, 10);

	if (*text && !*end) {
		if (uid < -1 || uid > UINT32_MAX)
			return usage("'%s' is no number of a user", text);
		*ret_uid = uid == -1 ? UINT32_MAX : uid;
		return 0;
	}
	if (strcmp(text, "unset") == 0) {
		*ret_uid = 4294967295LL;
		return 0;
	}
	user = getpwnam(text);
	if (!user)
		return usage("there is no user '%s' on this machine; give the number", text);
	*ret_uid = user->pw_uid;
	return 0;
}

static int parse_users(const struct string_list *list, int64_t *uids)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < list->count; i++)
		r = parse_user(list->item[i], &uids[i]);
	return r;
}

static int parse_signal(const char *text, int *ret_signal)
{
	char name[32], *end;
	long number = strtol(text, &end, 10);

	*ret_signal = 0;
	if (strcmp(text, "any") == 0)
		return 0;
	if (*text && !*end && number > 0 && number < 128) {
		*ret_signal = (int)number;
		return 0;
	}
	for (int i = 1; i < 128; i++) {
		words_signal(i, name, sizeof(name));
		if (strcasecmp(name, text) == 0 || strcasecmp(name + 3, text) == 0) {
			*ret_signal = i;
			return 0;
		}
	}
	return usage("there is no signal '%s'", text);
}

static int compile_regexes(struct selection *s)
{
	for (unsigned int i = 0; i < s->flags->regex.count; i++) {
		int rc = regcomp(&s->regex[i], s->flags->regex.item[i], REG_EXTENDED | REG_NOSUB);
		char message[128];

		if (rc != 0) {
			regerror(rc, &s->regex[i], message, sizeof(message));
			return usage("--grep '%s': %s", s->flags->regex.item[i], message);
		}
		s->regex_count++;
	}
	return 0;
}

static bool is_number(const char *text, long long most)
{
	long long value;
	char *end;

	errno = 0;
	value = strtoll(text, &end, 10);
	return isdigit((unsigned char)*text) && !*end && !errno && value <= most;
}

/* What cannot be, cannot have been meant: nothing matched would be no answer. */
static int check_numbers(const struct selection *s)
{
	const struct flags *f = s->flags;

	for (unsigned int i = 0; i < f->status.count; i++) {
		const char *text = f->status.item[i];

		if (!is_number(text + (*text == '!'), 255))
			return usage("--status takes a number up to 255, or !number, not '%s'",
				     text);
	}
	for (unsigned int i = 0; i < f->ppid.count; i++) {
		if (!is_number(f->ppid.item[i], INT32_MAX))
			return usage("--ppid takes a pid, not '%s'", f->ppid.item[i]);
	}
	for (unsigned int i = 0; i < f->audit_session.count; i++) {
		if (!is_number(f->audit_session.item[i], UINT32_MAX))
			return usage("--session takes a number, not '%s'",
				     f->audit_session.item[i]);
	}
	for (unsigned int i = 0; i < f->tty.count; i++) {
		if (!*f->tty.item[i])
			return usage("--tty takes a name, as pts/3 or none");
	}
	for (unsigned int i = 0; i < f->pid.count; i++) {
		int r = session_check_name(s->session, f->pid.item[i]);

		if (r != 0)
			return r;
	}
	return 0;
}

/* By more than by which process, which boot and what failed. */
static bool chooses(const struct flags *f)
{
	return f->ppid.count || f->comm.count || f->exe.count || f->args.count || f->regex.count ||
	       f->uid.count || f->loginuid.count || f->audit_session.count || f->tty.count ||
	       f->container.count || f->pod.count || f->cgroup.count || f->unit.count ||
	       f->status.count || f->signal.count || f->longer || f->shorter || f->alive ||
	       f->ended;
}

int selection_init(struct selection *s, const struct session *session)
{
	const struct flags *f = &session->flags;
	int r;

	*s = (struct selection){.session = session, .flags = f};
	s->chooses = chooses(f);
	s->any = s->chooses || f->pid.count || f->boot.count || f->failed;
	s->by_image = f->exe.count || f->args.count || f->regex.count;
	s->by_face = s->by_image || f->comm.count || f->uid.count || f->loginuid.count ||
		     f->audit_session.count || f->tty.count || f->container.count || f->pod.count ||
		     f->cgroup.count || f->unit.count;
	r = compile_regexes(s);
	if (r == 0)
		r = parse_users(&f->uid, s->uid);
	if (r == 0)
		r = parse_users(&f->loginuid, s->loginuid);
	if (r == 0)
		r = check_numbers(s);
	for (unsigned int i = 0; r == 0 && i < f->signal.count; i++)
		r = parse_signal(f->signal.item[i], &s->signal[i]);
	if (r == 0 && s->by_image) {
		s->verdicts = calloc(SELECT_CACHE_SLOTS, sizeof(*s->verdicts));
		r = s->verdicts ? 0 : -ENOMEM;
	}
	if (r != 0)
		selection_deinit(s);
	return r;
}

void selection_deinit(struct selection *s)
{
	for (unsigned int i = 0; i < s->regex_count; i++)
		regfree(&s->regex[i]);
	s->regex_count = 0;
	free(s->verdicts);
	s->verdicts = NULL;
	select_rows_free(s->rows);
	s->rows = NULL;
	buffer_deinit(&s->line);
}

/* Exact, or by glob where the pattern has one of its characters. */
static bool name_matches(const char *pattern, const char *name)
{
	if (!name)
		return false;
	if (!strpbrk(pattern, "*?["))
		return strcmp(pattern, name) == 0;
	return fnmatch(pattern, name, 0) == 0;
}

static bool exe_matches(const char *pattern, const struct image *image)
{
	/* Of an exec that failed only the name is known. */
	const struct text *file = image->exe ? image->exe : image->filename;
	const char *exe = file ? file->value : NULL, *slash;

	if (exe && !strchr(pattern, '/')) {
		slash = strrchr(exe, '/');
		exe = slash ? slash + 1 : exe;
	}
	return name_matches(pattern, exe);
}

/* argv with blanks between its words, as people think of a command line. */
static void join_args(struct buffer *line, const struct image *image)
{
	struct buffer word = {0};
	struct args args;

	buffer_clear(line);
	for (args_begin(&args, image); args_next(&args, &word) == 0;) {
		if (line->length)
			buffer_putc(line, ' ');
		buffer_add(line, word.data ? word.data : "", word.length);
	}
	buffer_deinit(&word);
}

#define ANY_OF(list, i, condition)                                          \
	({                                                                  \
		bool holds_ = (list)->count == 0;                           \
		for (unsigned int i = 0; !holds_ && i < (list)->count; i++) \
			holds_ = (condition);                               \
		holds_;                                                     \
	})

bool selection_exe_matches(const struct selection *s, const struct image *image)
{
	return ANY_OF(&s->flags->exe, i, exe_matches(s->flags->exe.item[i], image));
}

bool selection_line_matches(const struct selection *s, const char *line, size_t length)
{
	const struct flags *f = s->flags;

	return ANY_OF(&f->args, i,
		      memmem(line, length, f->args.item[i], strlen(f->args.item[i]))) &&
	       ANY_OF(&f->regex, i, regexec(&s->regex[i], line, 0, NULL, 0) == 0);
}

static bool judge_image(struct selection *s, const struct image *image)
{
	if (!selection_exe_matches(s, image))
		return false;
	if (!s->flags->args.count && !s->flags->regex.count)
		return true;
	join_args(&s->line, image);
	return selection_line_matches(s, s->line.data ? s->line.data : "", s->line.length);
}

static bool image_matches(struct selection *s, const struct query *db, const struct image *image)
{
	struct select_verdict *v;

	if (!image)
		return false;
	v = &s->verdicts[(uint64_t)image->id % SELECT_CACHE_SLOTS];
	if (v->db != db || v->image != image->id)
		*v = (struct select_verdict){db, image->id, judge_image(s, image)};
	return v->matches;
}

static bool container_matches(const char *text, const struct cgroup *g)
{
	size_t length = strlen(text);

	if (!g)
		return false;
	if (length >= 4 && g->container_id && strncmp(g->container_id, text, length) == 0)
		return true;
	return name_matches(text, g->container_name);
}

static bool pod_matches(const char *text, const struct cgroup *g)
{
	const char *slash = strchr(text, '/');

	if (!g)
		return false;
	if (slash)
		return g->pod_namespace && strlen(g->pod_namespace) == (size_t)(slash - text) &&
		       strncmp(g->pod_namespace, text, (size_t)(slash - text)) == 0 &&
		       name_matches(slash + 1, g->pod_name);
	return name_matches(text, g->pod_uid) || name_matches(text, g->pod_name);
}

static bool cgroup_matches(const char *text, const struct cgroup *g)
{
	size_t length = strlen(text);

	if (!g || !g->path)
		return false;
	if (strpbrk(text, "*?["))
		return fnmatch(text, g->path, 0) == 0;
	while (length > 1 && text[length - 1] == '/')
		length--;
	return strncmp(g->path, text, length) == 0 &&
	       (length == 1 || g->path[length] == '/' || g->path[length] == '\0');
}

/* A component of the path that is the unit, with or without its suffix. */
static bool unit_matches(const char *text, const struct cgroup *g)
{
	size_t length = strlen(text);
	const char *part = g ? g->path : NULL;

	while (part && *part) {
		const char *name = part + (*part == '/');
		size_t size = strcspn(name, "/");

		if (strncmp(name, text, length) == 0 &&
		    (size == length || (size > length && name[length] == '.' &&
					!memchr(name + length + 1, '.', size - length - 1))))
			return true;
		part = name + size;
	}
	return false;
}

static bool status_matches(const char *text, int64_t status)
{
	bool negate = *text == '!';

	if (status == UNKNOWN)
		return false;
	if ((status & 127) != 0)
		return negate;
	return (strtol(text + negate, NULL, 10) == (status >> 8 & 0xff)) != negate;
}

static bool signal_matches(int signal, int64_t status)
{
	if (status == UNKNOWN || (status & 127) == 0)
		return false;
	return signal == 0 || (status & 127) == signal;
}

static bool tty_matches(const char *text, int64_t tty)
{
	char name[32];

	if (strncmp(text, "/dev/", 5) == 0)
		text += 5;
	return strcmp(text, words_tty(tty, name, sizeof(name))) == 0;
}

bool selection_context_matches(const struct selection *s, const struct context *x)
{
	const struct flags *f = s->flags;

	return ANY_OF(&f->uid, i, x->uid == s->uid[i] || x->euid == s->uid[i]) &&
	       ANY_OF(&f->loginuid, i, x->loginuid == s->loginuid[i]) &&
	       ANY_OF(&f->audit_session, i, x->sessionid == atoll(f->audit_session.item[i])) &&
	       ANY_OF(&f->tty, i, tty_matches(f->tty.item[i], x->tty)) &&
	       ANY_OF(&f->container, i, container_matches(f->container.item[i], x->container)) &&
	       ANY_OF(&f->pod, i, pod_matches(f->pod.item[i], x->container)) &&
	       ANY_OF(&f->cgroup, i, cgroup_matches(f->cgroup.item[i], x->cgroup)) &&
	       ANY_OF(&f->unit, i, unit_matches(f->unit.item[i], x->cgroup));
}

bool selection_life_matches(const struct selection *s, int64_t life_ns, int64_t status)
{
	const struct flags *f = s->flags;
	bool ended = life_ns != UNKNOWN;
	int64_t life = ended ? life_ns : INT64_MAX;

	if (!ended)
		status = UNKNOWN;
	return (!f->alive || !ended) && (!f->ended || ended) &&
	       (!f->longer || life > f->longer_ns) && (!f->shorter || life < f->shorter_ns) &&
	       ANY_OF(&f->status, i, status_matches(f->status.item[i], status)) &&
	       ANY_OF(&f->signal, i, signal_matches(s->signal[i], status));
}

bool selection_comm_matches(const struct selection *s, const char *comm)
{
	return ANY_OF(&s->flags->comm, i, name_matches(s->flags->comm.item[i], comm));
}

static bool face_matches(struct selection *s, const struct process *p, const struct exec *e,
			 bool with_image)
{
	const char *comm = e->comm ? e->comm->value : e->image ? e->image->comm : NULL;

	return selection_comm_matches(s, comm ? comm : "?") &&
	       selection_context_matches(s, e->context) &&
	       (!with_image || image_matches(s, p->db, e->image));
}

/*
 * What it was at one time, as a whole: an image with its name and with who ran it and where. At
 * birth it was somebody somewhere, and had no image but that of its parent.
 */
static int any_face_matches(struct selection *s, struct process *p, bool with_image)
{
	const struct exec latest = {.image = p->image, .comm = p->comm, .context = p->context};
	int r;

	if (face_matches(s, p, &latest, with_image))
		return 1;
	if (!s->by_image && !s->flags->comm.count && !process_inherited(p) &&
	    selection_context_matches(s, p->birth_context))
		return 1;
	r = query_execs_of(p->db, p);
	if (r < 0)
		return r;
	for (size_t i = 0; i + 1 < p->exec_count; i++) {
		if (face_matches(s, p, &p->execs[i], with_image))
			return 1;
	}
	return 0;
}

static int ppid_matches(const struct flags *f, struct process *p)
{
	struct process *parent;
	int r;

	if (!f->ppid.count)
		return 1;
	r = p->parent_id ? query_process(p->db, p->parent_id, &parent) : 1;
	if (r != 0)
		return r < 0 ? r : 0;
	return ANY_OF(&f->ppid, i, parent->pid == atoll(f->ppid.item[i]));
}

/* In the time asked for, where one is. */
static int failed_matches(const struct flags *f, struct process *p)
{
	if (!f->failed)
		return 1;
	return query_failed_within(p->db, p, f->since_unix_ns, f->until_unix_ns);
}

static bool in(const struct flags *f, int64_t unix_ns)
{
	return unix_ns != UNKNOWN && (f->since_unix_ns == UNKNOWN || unix_ns >= f->since_unix_ns) &&
	       (f->until_unix_ns == UNKNOWN || unix_ns < f->until_unix_ns);
}

/* With --failed, what somebody tried to run is as good as what ran. */
static int attempt_matches(struct selection *s, struct process *p)
{
	struct exec_failure *failures;
	size_t count;
	int r;

	if (!s->flags->failed || !s->by_image)
		return 0;
	r = any_face_matches(s, p, false);
	if (r == 1)
		r = query_failures_of(p->db, p, &failures, &count);
	else
		return r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (in(s->flags, failures[i].unix_ns) && image_matches(s, p->db, failures[i].image))
			return 1;
	}
	return r;
}

int selection_matches(struct selection *s, struct process *p)
{
	const struct flags *f = s->flags;
	int r;

	if (!s->any)
		return 1;
	if (!session_wants_boot(s->session, p->boot) ||
	    !selection_life_matches(
		    s, process_ended(p) ? p->end_boot_ns - p->start_boot_ns : UNKNOWN, p->status) ||
	    !ANY_OF(&f->pid, i, session_names(s->session, f->pid.item[i], p)))
		return 0;
	r = ppid_matches(f, p);
	if (r == 1)
		r = failed_matches(f, p);
	if (r != 1 || !s->by_face)
		return r;
	r = any_face_matches(s, p, s->by_image);
	return r == 0 ? attempt_matches(s, p) : r;
}

bool selection_in_time(const struct flags *f, const struct process *p)
{
	/* A failed exec is the event then, and selection_matches() knows its time. */
	if ((f->since_unix_ns == UNKNOWN && f->until_unix_ns == UNKNOWN) || f->failed)
		return true;
	if (in(f, p->start_unix_ns) || in(f, p->end_unix_ns))
		return true;
	for (size_t i = 0; i < p->exec_count; i++) {
		if (in(f, p->execs[i].unix_ns))
			return true;
	}
	return false;
}
