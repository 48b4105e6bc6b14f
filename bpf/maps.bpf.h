/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps. All are pinned by name and outlive the daemon; sizes marked "loader" are set at load.
 */
#ifndef LINEAGE_MAPS_BPF_H
#define LINEAGE_MAPS_BPF_H

/* What is known of every process that lives, or of which an event has found no room. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536); /* loader */
	__type(key, struct lineage_key);
	__type(value, struct lineage_process);
} process_cache SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 32 * 1024 * 1024); /* loader */
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lineage_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct lineage_control);
} control SEC(".maps");

/* Cgroups that have been met: the filter's verdict, and that the path has been sent. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct lineage_cgroup_key);
	__type(value, __u32);
} cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct lineage_cgroup_key);
	__type(value, __u32);
} cgroup_filter SEC(".maps");

/* Who reports the end of a process, where the kernel does not say which thread was the last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct lineage_key);
	__type(value, __u32);
} exit_claims SEC(".maps");

/*
 * Threads whose call of execve or execveat the main program has seen, and its spare one not yet:
 * see failure.bpf.h. Those that the spare one missed are pushed out some day. The only map that is
 * not pinned: it is of no use to anybody but them.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, __u32);
} exec_marks SEC(".maps");

static __always_inline struct lineage_counters *counters_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&counters, &zero);
}

static __always_inline struct lineage_control *control_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&control, &zero);
}

/* Programs may be preempted since 5.12, so what a CPU's programs share is counted atomically. */
static __always_inline void count(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

/*
 * Of a program that may be preempted by others that count here. Before 5.12 atomics give nothing
 * back, but programs are not preempted either; of 5.12 to 5.16, which take v2 too, see README.md.
 */
static __always_inline __u64 take_seq_shared(struct lineage_counters *c)
{
#if LINEAGE_V3
	return __sync_fetch_and_add(&c->next_seq, 1);
#else
	return c->next_seq++;
#endif
}

/* Of a tracepoint's, which others do not come between: at a quarter of the price. */
static __always_inline __u64 take_seq(struct lineage_counters *c)
{
	return LINEAGE_PREEMPTED ? take_seq_shared(c) : c->next_seq++;
}

#endif
