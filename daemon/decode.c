/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static int check_exec(const struct lineage_exec *e, size_t length)
{
	size_t data = length - sizeof(*e);
	size_t paths =
		(size_t)e->exe_length + e->cwd_length + e->filename_length + e->interp_length;

	if (e->args_offset > data || e->args_length > data - e->args_offset)
		return -EBADMSG;
	if (paths > e->args_offset || e->args_length > e->args_total ||
	    e->args_length > LINEAGE_ARGS_MAX)
		return -EBADMSG;
	return LINEAGE_EXEC;
}

/* The kernel's errors end at 4095. */
#define ERROR_MAX 4095

static int check_failure(const struct lineage_exec_failure *f, size_t length)
{
	size_t data = length - sizeof(*f);

	if (f->args_offset > data || f->args_length > data - f->args_offset)
		return -EBADMSG;
	if (f->filename_length > f->args_offset || f->filename_length > LINEAGE_PATH_MAX ||
	    f->args_length > f->args_total || f->args_length > 2 * LINEAGE_FAILURE_ARGS_MAX)
		return -EBADMSG;
	return f->error && f->error <= ERROR_MAX ? LINEAGE_EXEC_FAILURE : -EBADMSG;
}

static int check_cgroup(const struct lineage_cgroup *g, size_t length)
{
	return g->path_length <= length - sizeof(*g) ? LINEAGE_CGROUP : -EBADMSG;
}

/* Beyond these nothing that a kernel says can be: a century of nanoseconds, PID_MAX_LIMIT. */
#define TIME_MAX (1ULL << 62)
#define PID_MOST (4U << 20)

static bool is_key(const struct lineage_key *key)
{
	return key->pid <= PID_MOST && key->pad == 0 && key->start_boot_ns < TIME_MAX;
}

/* Numbers that add up to no more than 64 bits whatever is done with them. */
static bool is_plausible(const struct lineage_header *h)
{
	if (h->boot_ns >= TIME_MAX || h->seq >= TIME_MAX)
		return false;
	switch (h->kind) {
	case LINEAGE_FORK:
		return is_key(&h->process) && is_key(&((const struct lineage_fork *)h)->parent) &&
		       is_key(&((const struct lineage_fork *)h)->creator);
	case LINEAGE_EXEC:
		return is_key(&h->process) && is_key(&((const struct lineage_exec *)h)->parent);
	case LINEAGE_EXIT:
		return is_key(&h->process) && is_key(&((const struct lineage_exit *)h)->parent);
	case LINEAGE_EXEC_FAILURE:
		return is_key(&h->process);
	default:
		return true;
	}
}

static const size_t least[LINEAGE_KINDS] = {
	[LINEAGE_FORK] = sizeof(struct lineage_fork),
	[LINEAGE_EXEC] = sizeof(struct lineage_exec),
	[LINEAGE_EXIT] = sizeof(struct lineage_exit),
	[LINEAGE_CGROUP] = sizeof(struct lineage_cgroup),
	[LINEAGE_EXEC_FAILURE] = sizeof(struct lineage_exec_failure),
};

int decode_record(const void *bytes, size_t length)
{
	const struct lineage_header *h = bytes;

	if (length < sizeof(*h) || h->length > length)
		return -EBADMSG;
	if (h->kind >= LINEAGE_KINDS || !least[h->kind] || h->length < least[h->kind])
		return -EBADMSG;
	if (!is_plausible(h))
		return -EBADMSG;
	if (h->kind == LINEAGE_EXEC)
		return check_exec(bytes, h->length);
	if (h->kind == LINEAGE_CGROUP)
		return check_cgroup(bytes, h->length);
	if (h->kind == LINEAGE_EXEC_FAILURE)
		return check_failure(bytes, h->length);
	return h->kind;
}

void decode_exec(const void *bytes, struct decode_exec *ret_exec)
{
	const struct lineage_exec *e = bytes;
	const char *p = e->data;

	ret_exec->exec = e;
	ret_exec->exe = (struct decode_string){p, e->exe_length};
	p += e->exe_length;
	ret_exec->cwd = (struct decode_string){p, e->cwd_length};
	p += e->cwd_length;
	ret_exec->filename = (struct decode_string){p, strnlen(p, e->filename_length)};
	p += e->filename_length;
	ret_exec->interp = (struct decode_string){p, strnlen(p, e->interp_length)};
	ret_exec->args = (struct decode_string){e->data + e->args_offset, e->args_length};
}

void decode_failure(const void *bytes, struct decode_failure *ret_failure)
{
	const struct lineage_exec_failure *f = bytes;

	*ret_failure = (struct decode_failure){.failure = f};
	if (f->filename_length)
		ret_failure->filename =
			(struct decode_string){f->data, strnlen(f->data, f->filename_length)};
	if (f->args_length || !(f->flags & LINEAGE_ARGS_UNREADABLE))
		ret_failure->args =
			(struct decode_string){f->data + f->args_offset, f->args_length};
}

size_t decode_failure_filename(const struct decode_failure *failure,
			       char filename[DECODE_FILENAME_SIZE])
{
	const struct decode_string *name = &failure->filename;
	int n = 0;

	if (failure->failure->directory != AT_FDCWD && !(name->length && *name->bytes == '/'))
		n = snprintf(filename, DECODE_FILENAME_SIZE, "/dev/fd/%d%s",
			     failure->failure->directory, name->length ? "/" : "");
	if (name->length)
		memcpy(filename + n, name->bytes, name->length);
	return (size_t)n + name->length;
}

size_t decode_path(struct decode_string components, int truncated, char path[DECODE_PATH_SIZE])
{
	const char *p = components.bytes;
	const char *end = p + components.length;
	char *to = path + DECODE_PATH_SIZE - 1;
	size_t length;

	*to = 0;
	while (p < end) {
		size_t n = strnlen(p, (size_t)(end - p));

		if (n + 1 + 3 > (size_t)(to - path))
			break;
		to -= n;
		memcpy(to, p, n);
		*--to = '/';
		p += n + 1;
	}
	if (p < end || truncated) {
		to -= 3;
		memcpy(to, "...", 3);
	}
	if (!*to)
		*--to = '/';
	length = (size_t)(path + DECODE_PATH_SIZE - 1 - to);
	memmove(path, to, length + 1);
	return length;
}
