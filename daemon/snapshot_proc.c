/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a snapshot that comes from /proc. A pid may be used again between two reads, so
 * nothing is believed unless the start time in /proc/PID/stat is, to the tick, the one that the
 * kernel gave.
 */
#include "daemon/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/cleanup.h"

static int proc_path(char *path, const char *root, uint32_t pid, const char *name)
{
	int n = snprintf(path, PATH_MAX, "%s/proc/%u/%s", root, pid, name);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static char *read_link(const char *root, uint32_t pid, const char *name)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX], target[PATH_MAX];
	ssize_t n;

	if (proc_path(path, root, pid, name) < 0)
		return NULL;
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return NULL;
	target[n] = 0;
	/* The record's flags say so already, and a file may really be called that. */
	if ((size_t)n >= sizeof(deleted) &&
	    strcmp(target + n - sizeof(deleted) + 1, deleted) == 0 && access(target, F_OK) < 0)
		target[n - (ssize_t)sizeof(deleted) + 1] = 0;
	return strdup(target);
}

static char *read_file(const char *root, uint32_t pid, const char *name, size_t most,
		       size_t *ret_length)
{
	CLEANUP_FREE char *bytes = malloc(most + 1);
	char path[PATH_MAX];
	CLEANUP_CLOSE int fd = -1;
	size_t have = 0;
	ssize_t n = 0;

	if (!bytes || proc_path(path, root, pid, name) < 0)
		return NULL;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && have < most && (n = read(fd, bytes + have, most - have)) > 0)
		have += (size_t)n;
	if (fd < 0 || n < 0)
		return NULL;
	bytes[have] = 0;
	*ret_length = have;
	return realloc(TAKE_PTR(bytes), have + 1);
}

/*
 * Field 22 of stat, in clock ticks; comm may hold blanks and parentheses. *ret_state: field 3, 0 if
 * there is no such process.
 */
static bool is_the_same(const char *root, const struct lineage_key *key, char *ret_state)
{
	size_t length;
	CLEANUP_FREE char *stat = read_file(root, key->pid, "stat", 1024, &length);
	char *p = stat ? strrchr(stat, ')') : NULL;
	uint64_t tick = 1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK);

	*ret_state = p && p[1] == ' ' ? p[2] : 0;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p && strtoull(p + 1, NULL, 10) == key->start_boot_ns / tick;
}

static bool still_the_same(const char *root, const struct lineage_key *key)
{
	char state;

	return is_the_same(root, key, &state);
}

bool snapshot_still_runs(const char *root, const struct lineage_key *key)
{
	char state;

	return is_the_same(root, key, &state) && state && !strchr("ZXx", state);
}

static void drop(char **p)
{
	free(*p);
	*p = NULL;
}

/* How long arguments are of which not all is kept, and how many. */
static void measure_args(struct snapshot_entry *e, const char *root)
{
	char path[PATH_MAX], bytes[4096], last = 0;
	CLEANUP_CLOSE int fd = -1;
	ssize_t n;

	e->args_total = e->args_length;
	if (e->args_length < LINEAGE_ARGS_MAX ||
	    proc_path(path, root, e->record.header.process.pid, "cmdline") < 0)
		return;
	e->args_total = e->args_count = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (n = read(fd, bytes, sizeof(bytes))) > 0) {
		e->args_total += (size_t)n;
		for (ssize_t i = 0; i < n; i++)
			e->args_count += bytes[i] == 0;
		last = bytes[n - 1];
	}
	e->args_count += last != 0;
	/* It has become another one: whoever looks next will see. */
	if (e->args_total < e->args_length)
		e->args_total = e->args_length;
}

static void forget_look(struct snapshot_entry *e)
{
	drop(&e->exe);
	drop(&e->cwd);
	drop(&e->args);
	e->args_length = e->args_total = e->args_count = 0;
}

void snapshot_look(struct snapshot_entry *e, const char *root)
{
	const struct lineage_key *key = &e->record.header.process;

	if (e->looked || e->record.flags & LINEAGE_KERNEL_THREAD)
		return;
	e->looked = true;
	e->exe = read_link(root, key->pid, "exe");
	e->cwd = read_link(root, key->pid, "cwd");
	e->args = read_file(root, key->pid, "cmdline", LINEAGE_ARGS_MAX, &e->args_length);
	if (e->args)
		measure_args(e, root);
	if (!still_the_same(root, key))
		forget_look(e);
}

void snapshot_confirm(struct snapshot *snapshot, const struct snapshot *later)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		struct snapshot_entry *e = &snapshot->entries[i];
		const struct snapshot_entry *now;

		if (!e->looked)
			continue;
		now = snapshot_find(later, &e->record.header.process);
		e->gone = !now;
		if (e->gone || now->record.exec_id != e->record.exec_id)
			forget_look(e);
	}
}

static uint32_t namespace_number(const char *root, uint32_t pid, const char *name)
{
	char path[PATH_MAX], relative[32];
	struct stat st;

	snprintf(relative, sizeof(relative), "ns/%s", name);
	return proc_path(path, root, pid, relative) == 0 && stat(path, &st) == 0
		       ? (uint32_t)st.st_ino
		       : 0;
}

static uint32_t read_number(const char *root, uint32_t pid, const char *name)
{
	size_t length;
	CLEANUP_FREE char *text = read_file(root, pid, name, 32, &length);

	return text && length ? (uint32_t)strtoul(text, NULL, 10) : UINT32_MAX;
}

/* The value of a line of status: "Uid:\t0\t0\t0\t0". */
static const char *status_line(const char *status, const char *name)
{
	const char *line = status ? strstr(status, name) : NULL;

	return line ? line + strlen(name) : NULL;
}

static void read_status(const char *root, uint32_t pid, struct lineage_ids *ids)
{
	size_t length;
	CLEANUP_FREE char *status = read_file(root, pid, "status", 8192, &length);
	const char *line = status_line(status, "\nUid:");

	if (line)
		sscanf(line, "%u %u %u", &ids->uid, &ids->euid, &ids->suid);
	line = status_line(status, "\nGid:");
	if (line)
		sscanf(line, "%u %u %u", &ids->gid, &ids->egid, &ids->sgid);
	line = status_line(status, "\nCapPrm:");
	if (line)
		ids->cap_permitted = strtoull(line, NULL, 16);
	line = status_line(status, "\nCapEff:");
	if (line)
		ids->cap_effective = strtoull(line, NULL, 16);
}

/* "PID (comm) state ppid pgrp session tty_nr ...": what follows the last parenthesis is numbers. */
static bool read_stat(const char *root, struct lineage_snapshot *record)
{
	uint32_t pid = record->header.process.pid, parent;
	size_t length;
	CLEANUP_FREE char *stat = read_file(root, pid, "stat", 1024, &length);
	char *open = stat ? strchr(stat, '(') : NULL;
	char *close = stat ? strrchr(stat, ')') : NULL;

	if (!open || !close || close < open)
		return false;
	length = (size_t)(close - open - 1);
	if (length >= sizeof(record->comm))
		length = sizeof(record->comm) - 1;
	memcpy(record->comm, open + 1, length);
	if (sscanf(close + 1, " %*c %u %u %u %u", &parent, &record->ids.pgid, &record->ids.sid,
		   &record->ids.tty) != 4)
		return false;
	/* A parent's full start time is not in /proc. Only pid 1 and kthreadd are known to have
	 * none. */
	return parent == 0;
}

bool snapshot_proc_record(const char *root, const struct lineage_key *key,
			  struct lineage_snapshot *ret_record)
{
	struct lineage_snapshot record = {.header.process = *key, .header.kind = LINEAGE_SNAPSHOT};
	struct lineage_ids *ids = &record.ids;

	if (!read_stat(root, &record))
		return false;
	read_status(root, key->pid, ids);
	ids->loginuid = read_number(root, key->pid, "loginuid");
	ids->sessionid = read_number(root, key->pid, "sessionid");
	ids->ns_pid = key->pid;
	ids->pid_ns = namespace_number(root, key->pid, "pid");
	ids->mnt_ns = namespace_number(root, key->pid, "mnt");
	ids->net_ns = namespace_number(root, key->pid, "net");
	ids->user_ns = namespace_number(root, key->pid, "user");
	ids->uts_ns = namespace_number(root, key->pid, "uts");
	ids->ipc_ns = namespace_number(root, key->pid, "ipc");
	ids->cgroup_ns = namespace_number(root, key->pid, "cgroup");
	if (!still_the_same(root, key))
		return false;
	*ret_record = record;
	return true;
}
