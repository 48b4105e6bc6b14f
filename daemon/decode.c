/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/decode.h"

#include <errno.h>
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

static int check_cgroup(const struct lineage_cgroup *g, size_t length)
{
	return g->path_length <= length - sizeof(*g) ? LINEAGE_CGROUP : -EBADMSG;
}

static const size_t least[LINEAGE_KINDS] = {
	[LINEAGE_FORK] = sizeof(struct lineage_fork),
	[LINEAGE_EXEC] = sizeof(struct lineage_exec),
	[LINEAGE_EXIT] = sizeof(struct lineage_exit),
	[LINEAGE_CGROUP] = sizeof(struct lineage_cgroup),
};

int decode_record(const void *bytes, size_t length)
{
	const struct lineage_header *h = bytes;

	if (length < sizeof(*h) || h->length > length)
		return -EBADMSG;
	if (h->kind >= LINEAGE_KINDS || !least[h->kind] || h->length < least[h->kind])
		return -EBADMSG;
	if (h->kind == LINEAGE_EXEC)
		return check_exec(bytes, h->length);
	if (h->kind == LINEAGE_CGROUP)
		return check_cgroup(bytes, h->length);
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
