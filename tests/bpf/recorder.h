/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs without the daemon: loads an object, records one cgroup, keeps the records in
 * memory. For tests of the programs themselves; needs nothing but libbpf, so that it also runs in
 * an initramfs.
 */
#ifndef TEST_BPF_RECORDER_H
#define TEST_BPF_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bpf/lineage_abi.h"

struct record {
	struct record *next;
	union {
		struct lineage_header header;
		struct lineage_fork fork;
		struct lineage_exec exec;
		struct lineage_exit exit;
		struct lineage_cgroup cgroup;
		struct lineage_exec_failure failure;
		char raw[1];
	};
};

struct recorder_options {
	const char *object;
	const char *pin_dir; /* NULL: do not pin */
	bool no_probe;	     /* as under lockdown=confidentiality */
	bool failures;	     /* and those for failed execs: fexit, or else the tracepoint */
	const char *v1;	     /* a v1 controller to name, or NULL */
	int v1_hierarchy;
};

int recorder_start(const struct recorder_options *options);
void recorder_stop(void);

/* Records this cgroup from now on. */
int recorder_include(__u64 cgroup_id);

/* Changes that to LINEAGE_SUBTREE_*. What was met before stays where it is, and is void. */
int recorder_filter(__u64 cgroup_id, __u32 subtree);

/* Takes what the ring holds. The number of records, or a negative errno. */
int recorder_drain(void);

/* The next record of this kind and pid after `after` (NULL: the first); pid 0 is any. */
struct record *recorder_find(int kind, pid_t pid, struct record *after);
/* Whether failed execs are recorded by programs that bring arguments into memory first. */
bool recorder_touches(void);
/* Whether the object has spare programs at fork, exec and exit. */
bool recorder_spares(void);
int recorder_count(int kind, pid_t pid);
void recorder_forget(void);

/* Forgets all records, and counts them. The cache keeps its entries: at most 65536 processes. */
struct recorder_tally {
	int forks, execs, exits;
};
void recorder_tally(struct recorder_tally *tally);

int recorder_cache(const struct lineage_key *key, struct lineage_process *ret_process);
__u64 recorder_lost(void);

/* Runs that the kernel left out because the same program was under way on that CPU, preempted. */
__u64 recorder_missed(const char *prefix);

/* A path of an exec or cgroup record, leaf first, as a string. */
void recorder_path(const char *data, size_t length, char *ret_path, size_t size);

/* Runs the task iterator; `each` is called for every process. */
int recorder_snapshot(void (*each)(const struct lineage_snapshot *s, void *arg), void *arg);

/* run_time_ns and run_cnt of the fork, exec and exit programs, with kernel.bpf_stats_enabled. */
struct recorder_stats {
	const char *name;
	__u64 ns, runs;
};
int recorder_stats(struct recorder_stats stats[3]);

#endif
