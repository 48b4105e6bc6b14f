/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cgroups: whether their processes are recorded, and their paths, told once each.
 *
 * A cgroup never moves to another parent and its kernfs id is never used again, so the verdict of
 * the filter is kept per cgroup and costs one lookup.
 *
 * The filter may change while a verdict is being found, and the daemon cannot wait for that: it
 * writes the filter, counts control.cgroups_emptied up, and then empties `cgroups`. So that count
 * is kept with each verdict, as it was before the filter was asked, and a verdict holds only while
 * it is still the same. One that is from the old filter, or half of it, was begun before the count
 * went up, so it is void after that, however late it is written. To read the count again before
 * writing would not do: there is always a moment between the two. (x86-64 does not let one load
 * overtake another; between these there is a hash lookup, against a system call of the daemon's.)
 */
#ifndef LINEAGE_CGROUP_BPF_H
#define LINEAGE_CGROUP_BPF_H

/* Paths longer than this are told truncated; the kernel allows 4096, systemd and runtimes use <
 * 300. */
#define CGROUP_PATH_ROOM 2048

static __noinline __u32 cgroup_verdict(struct kernfs_node *kn)
{
	struct lineage_control *ctl = control_get();

	for (int i = 0; i < LINEAGE_CGROUP_DEPTH && kn; i++) {
		struct lineage_cgroup_key key = {.id = kn->id};
		__u32 *subtree = bpf_map_lookup_elem(&cgroup_filter, &key);

		if (subtree)
			return *subtree == LINEAGE_SUBTREE_INCLUDE ? LINEAGE_CGROUP_INCLUDED
								   : LINEAGE_CGROUP_EXCLUDED;
		kn = compat_kernfs_parent_of_known(kn);
	}
	if (ctl && (ctl->filter & LINEAGE_FILTER_CGROUPS))
		return LINEAGE_CGROUP_EXCLUDED;
	return LINEAGE_CGROUP_INCLUDED;
}

/* As in path.bpf.h, what changes from step to step lies in the record: the node in header.seq. */
static __always_inline bool cgroup_step(struct lineage_cgroup *record)
{
	struct kernfs_node *kn = (struct kernfs_node *)record->header.seq;
	struct kernfs_node *parent = compat_kernfs_parent(kn);
	__u64 at = record->path_length;

	if (!parent) {
		record->flags = 0;
		return true;
	}
	if (at > CGROUP_PATH_ROOM)
		return true;
	at += copy_name(record->data + at, FIELD(struct kernfs_node, kn, name));
	if (at > CGROUP_PATH_ROOM)
		return true;
	record->path_length = at;
	record->header.seq = (__u64)parent;
	return false;
}

#if LINEAGE_V3
static long cgroup_loop(__u32 i, struct lineage_cgroup **record)
{
	return cgroup_step(*record);
}
#endif

static __always_inline void cgroup_path(struct lineage_cgroup *record)
{
	if (!CAN_READ)
		return;
#if LINEAGE_V3
	bpf_loop(LINEAGE_CGROUP_DEPTH, cgroup_loop, &record, 0);
#else
	for (int i = 0; i < LINEAGE_CGROUP_DEPTH; i++) {
		if (cgroup_step(record))
			break;
	}
#endif
}

/* 0, or -1 if the ring had no room. */
static __noinline int cgroup_tell(struct kernfs_node *kn, __u32 hierarchy)
{
	struct lineage_counters *c = counters_get();
	struct lineage_cgroup *record;

	record = bpf_ringbuf_reserve(&events, sizeof(*record) + CGROUP_PATH_ROOM + NAME_SLACK, 0);
	if (!record) {
		if (c)
			count(&c->lost[LINEAGE_CGROUP]);
		return -1;
	}
	__builtin_memset(record, 0, sizeof(*record));
	record->header.kind = LINEAGE_CGROUP;
	record->header.boot_ns = bpf_ktime_get_boot_ns();
	record->header.seq = (__u64)kn;
	record->id = kn->id;
	record->hierarchy = hierarchy;
	record->flags = LINEAGE_CGROUP_TRUNCATED;
	cgroup_path(record);
	record->header.seq = 0;
	record->header.length = sizeof(*record) + record->path_length;
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline __u64 cgroup_count(const struct lineage_control *ctl)
{
	return *(const volatile __u64 *)&ctl->cgroups_emptied;
}

/* The verdict in an entry of `cgroups`; 0: there is none that still holds. */
static __always_inline __u32 cgroup_kept(const __u32 *kept, __u64 emptied)
{
	__u32 verdict = (kept ? *kept : 0) ^ (__u32)emptied << LINEAGE_CGROUP_COUNT_SHIFT;

	return verdict < 1u << LINEAGE_CGROUP_COUNT_SHIFT ? verdict : 0;
}

static __noinline __u32 cgroup_meet(struct cgroup *cgroup, __u32 hierarchy)
{
	struct kernfs_node *kn = cgroup->kn;
	struct lineage_cgroup_key key = {.id = kn->id, .hierarchy = hierarchy};
	struct lineage_control *ctl = control_get();
	struct lineage_counters *c = counters_get();
	/* Before the filter is asked: see above. */
	__u32 kept = ctl ? (__u32)cgroup_count(ctl) << LINEAGE_CGROUP_COUNT_SHIFT : 0;
	/* Filters are written for cgroup2; other hierarchies only have their paths told. */
	__u32 verdict = hierarchy ? LINEAGE_CGROUP_INCLUDED : cgroup_verdict(kn);

	if (verdict == LINEAGE_CGROUP_INCLUDED && cgroup_tell(kn, hierarchy) < 0)
		return verdict;
	kept |= verdict;
	if (bpf_map_update_elem(&cgroups, &key, &kept, BPF_ANY) < 0 && c)
		count(&c->cgroups_full);
	return verdict;
}

static __always_inline __u32 cgroup_known(struct cgroup *cgroup, __u32 hierarchy,
					  const struct lineage_control *ctl)
{
	struct lineage_cgroup_key key = {.id = cgroup->kn->id, .hierarchy = hierarchy};
	__u64 emptied = cgroup_count(ctl);
	__u32 verdict = cgroup_kept(bpf_map_lookup_elem(&cgroups, &key), emptied);

	return verdict ? verdict : cgroup_meet(cgroup, hierarchy);
}

/* The same for cgroup2, where the next process is hardly ever in another one than the last. */
static __always_inline __u32 cgroup_met(struct cgroup *cgroup, const struct lineage_control *ctl,
					struct lineage_counters *c)
{
	struct lineage_cgroup_key key = {.id = cgroup->kn->id};
	__u64 emptied = cgroup_count(ctl);
	__u32 verdict;

	if (c->cgroup_met == key.id && c->cgroup_met_of == emptied)
		return LINEAGE_CGROUP_INCLUDED;
	verdict = cgroup_kept(bpf_map_lookup_elem(&cgroups, &key), emptied);
	if (!verdict)
		return cgroup_meet(cgroup, 0);
	if (verdict == LINEAGE_CGROUP_INCLUDED) {
		c->cgroup_met = key.id;
		c->cgroup_met_of = emptied;
	}
	return verdict;
}

/*
 * Whether the filters let this task's events through. Tells of its cgroups on the way. Who may be
 * preempted has no c.
 */
static __always_inline bool task_included(struct task_struct *task, struct lineage_control *ctl,
					  struct lineage_counters *c)
{
	struct cgroup *cgroup = task_cgroup(task);
	__u32 filter = ctl->filter;

	if (filter & (LINEAGE_FILTER_HOST_ONLY | LINEAGE_FILTER_CONTAINER_ONLY)) {
		bool on_host = task->thread_pid->level == 0;

		if (on_host ? filter & LINEAGE_FILTER_CONTAINER_ONLY
			    : filter & LINEAGE_FILTER_HOST_ONLY)
			return false;
	}
	if ((c ? cgroup_met(cgroup, ctl, c) : cgroup_known(cgroup, 0, ctl)) ==
	    LINEAGE_CGROUP_EXCLUDED)
		return false;
	if (v1_subsys >= 0)
		cgroup_known(task_cgroup_v1(task), ctl->v1_hierarchy, ctl);
	return true;
}

#endif
