/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/cleanup.h"

void snapshot_deinit(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		free(snapshot->entries[i].exe);
		free(snapshot->entries[i].cwd);
		free(snapshot->entries[i].args);
	}
	free(snapshot->entries);
	*snapshot = (struct snapshot){0};
}

static int add(struct snapshot *snapshot, size_t *capacity, const struct lineage_snapshot *record)
{
	if (snapshot->count == *capacity) {
		size_t n = *capacity ? 2 * *capacity : 512;
		void *p = reallocarray(snapshot->entries, n, sizeof(*snapshot->entries));

		if (!p)
			return -ENOMEM;
		snapshot->entries = p;
		*capacity = n;
	}
	snapshot->entries[snapshot->count++] =
		(struct snapshot_entry){.record = *record, .wanted = record->included};
	return 0;
}

static int read_iterator(struct snapshot *snapshot, size_t *capacity, int fd)
{
	struct lineage_snapshot records[16];
	size_t have = 0;

	for (;;) {
		ssize_t n = read(fd, (char *)records + have, sizeof(records) - have);
		size_t whole;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return have ? -EBADMSG : 0;
		have += (size_t)n;
		whole = have / sizeof(records[0]);
		for (size_t i = 0; i < whole; i++) {
			int r = add(snapshot, capacity, &records[i]);

			if (r < 0)
				return r;
		}
		have -= whole * sizeof(records[0]);
		memmove(records, (char *)records + whole * sizeof(records[0]), have);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct lineage_key *x = &((const struct snapshot_entry *)a)->record.header.process;
	const struct lineage_key *y = &((const struct snapshot_entry *)b)->record.header.process;

	if (x->start_boot_ns != y->start_boot_ns)
		return x->start_boot_ns < y->start_boot_ns ? -1 : 1;
	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

struct snapshot_entry *snapshot_find(const struct snapshot *snapshot, const struct lineage_key *key)
{
	struct snapshot_entry wanted = {.record.header.process = *key};

	if (!snapshot->count)
		return NULL;
	return bsearch(&wanted, snapshot->entries, snapshot->count, sizeof(wanted), by_start);
}

/* Lineage goes up to pid 1 whatever is recorded: who is included brings its ancestors along. */
static void want_ancestors(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		struct snapshot_entry *e = &snapshot->entries[i];

		if (!e->record.included)
			continue;
		while ((e = snapshot_find(snapshot, &e->record.parent)) && !e->wanted)
			e->wanted = true;
	}
}

/*
 * A parent that the iterator did not show, as some kernels do with pid 1: its identity is known
 * from its child, the rest is read from /proc if it still is that process.
 */
static int add_hidden_parents(struct snapshot *snapshot, size_t *capacity, bool everything)
{
	size_t seen = snapshot->count;

	for (size_t i = 0; i < seen; i++) {
		const struct lineage_key parent = snapshot->entries[i].record.parent;
		struct lineage_snapshot record;
		bool known = parent.pid == 0;
		int r;

		for (size_t k = 0; k < snapshot->count && !known; k++) {
			const struct lineage_key *key = &snapshot->entries[k].record.header.process;

			known = key->pid == parent.pid &&
				key->start_boot_ns == parent.start_boot_ns;
		}
		if (known || !snapshot_proc_record("", &parent, &record))
			continue;
		record.included = everything;
		r = add(snapshot, capacity, &record);
		if (r < 0)
			return r;
	}
	return 0;
}

int snapshot_take(struct snapshot *ret_snapshot, const struct probe *probe)
{
	struct snapshot snapshot = {0};
	CLEANUP_CLOSE int fd = -1;
	size_t capacity = 0;
	int r = probe_snapshot_fd(probe, &fd);

	if (r == 0)
		r = read_iterator(&snapshot, &capacity, fd);
	if (r == 0)
		r = add_hidden_parents(&snapshot, &capacity, probe->control->filter == 0);
	if (r < 0) {
		snapshot_deinit(&snapshot);
		return r;
	}
	if (snapshot.count)
		qsort(snapshot.entries, snapshot.count, sizeof(*snapshot.entries), by_start);
	want_ancestors(&snapshot);
	*ret_snapshot = snapshot;
	return 0;
}
