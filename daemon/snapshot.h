/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes that run right now: identity, parents and ids from the BPF task iterator, which no
 * reuse of a pid can confuse; exe, argv and cwd from /proc, taken only if the start time there
 * still is the one that the iterator saw.
 */
#ifndef LINEAGED_SNAPSHOT_H
#define LINEAGED_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/probe.h"

struct snapshot_entry {
	struct lineage_snapshot record;
	bool wanted; /* the filters include it, or it is an ancestor of one that they include */
	bool looked; /* into /proc */
	bool gone;   /* when that was confirmed */
	char *exe;   /* NULL: unknown, or a kernel thread */
	char *cwd;
	char *args; /* as in /proc/PID/cmdline, of which args_length bytes are kept */
	size_t args_length, args_total;
	size_t args_count; /* where not all is kept */
};

struct snapshot {
	struct snapshot_entry *entries; /* by start time: parents come before their children */
	size_t count;
};

int snapshot_take(struct snapshot *ret_snapshot, const struct probe *probe);
/* Fills exe, cwd and args. proc_root: "" or the directory that holds proc/. */
void snapshot_look(struct snapshot_entry *entry, const char *proc_root);
/*
 * `later` was taken after those looks: what they found is dropped where it may be of another image
 * than the record is, because the process has called exec or has gone meanwhile.
 */
void snapshot_confirm(struct snapshot *snapshot, const struct snapshot *later);
void snapshot_deinit(struct snapshot *snapshot);

/*
 * A process without a parent (pid 1) as /proc shows it. False if it is not there or has one. Its
 * cgroup stays unknown.
 */
bool snapshot_proc_record(const char *proc_root, const struct lineage_key *key,
			  struct lineage_snapshot *ret_record);

/* Has neither ended nor become a zombie. False where that cannot be seen. */
bool snapshot_still_runs(const char *proc_root, const struct lineage_key *key);

/* The entry of a process, NULL if it did not run any more. */
struct snapshot_entry *snapshot_find(const struct snapshot *snapshot,
				     const struct lineage_key *key);

#endif
