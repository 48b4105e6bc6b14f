/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * process_cache: what is known of each process, kept until its end is in the ring; where an event
 * of it found no room there, or its fork was not recorded, until the daemon has no more use for it.
 *
 * Entries are made here and freed here or by the daemon, never by chance. A full cache costs the
 * chance to rebuild what a full ring lost; it is counted and nothing else fails.
 */
#ifndef LINEAGE_CACHE_BPF_H
#define LINEAGE_CACHE_BPF_H

/* What an entry starts as where no parent's can be copied: too large for the stack. */
static const struct lineage_process empty_process = {};

static __noinline struct lineage_process *cache_add(const struct lineage_key *key,
						    const struct lineage_process *from)
{
	struct lineage_counters *c;
	long r =
		bpf_map_update_elem(&process_cache, key, from ? from : &empty_process, BPF_NOEXIST);

	if (r < 0 && r != -17 /* EEXIST */) {
		c = counters_get();
		if (c)
			count(&c->cache_full);
	}
	return bpf_map_lookup_elem(&process_cache, key);
}

/*
 * A process that was there before it was recorded: it has been moved into a cgroup that is, or has
 * put a child there. None of its events has been seen, but who its parent is can be told.
 */
static __noinline struct lineage_process *cache_note(const struct lineage_key *key,
						     struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;
	struct task_struct___exec_id *versioned = (void *)leader;
	struct lineage_process *p = cache_add(key, 0);

	if (!p || p->known || p->parent.pid)
		return p;
	task_key(&p->parent, leader->real_parent);
	p->current_parent = p->parent;
	task_ids(&p->ids, leader);
	task_comm(p->comm, leader);
	p->exec_id = versioned->self_exec_id;
	return p;
}

/*
 * The same of a process that may be past its end: then nothing would tell the daemon to free its
 * entry. Looked at once the entry is there, for an end that comes later finds it; one that comes
 * just then and finds no room in the ring cannot be rebuilt.
 */
static __noinline struct lineage_process *cache_note_living(const struct lineage_key *key,
							    struct task_struct *task)
{
	struct lineage_process *p = cache_note(key, task);

	if (!p || p->known || task->signal->live.counter)
		return p;
	bpf_map_delete_elem(&process_cache, key);
	return 0;
}

/* A child starts with its parent's image, so its entry starts as a copy of its parent's. */
static __always_inline struct lineage_process *cache_fork(const struct lineage_fork *f,
							  struct task_struct *child, bool filtered)
{
	struct lineage_process *parent = bpf_map_lookup_elem(&process_cache, &f->parent);
	struct lineage_process *p;

	/* Where all is recorded, one that is not there found no room before. */
	if (!parent && filtered)
		parent = cache_note_living(&f->parent, child->real_parent);
	p = cache_add(&f->header.process, parent);
	if (!p)
		return 0;
	__builtin_memcpy(p->comm, f->comm, sizeof(p->comm));
	p->parent = f->parent;
	p->creator = f->creator;
	p->current_parent = f->parent;
	p->state = LINEAGE_STATE_FORKED;
	p->exit_status = 0;
	p->exec_boot_ns = p->exit_boot_ns = 0;
	p->fork_seq = p->exec_seq = p->exit_seq = 0;
	p->fork_cpu = p->exec_cpu = p->exit_cpu = 0;
	p->known = 1u << LINEAGE_FORK;
	p->exec_count = 0;
	p->exec_id = f->exec_id;
	p->user_ns = p->system_ns = p->runtime_ns = p->max_rss_kib = 0;
	return p;
}

/*
 * Shows the NULs between arguments as blanks, eight bytes at a time, and says in breaks where they
 * were. The classic test for a zero byte, exact form: no borrow from one byte to the next.
 */
static __always_inline void cache_show_args(struct lineage_process *p, const char *args)
{
	const __u64 low = 0x7f7f7f7f7f7f7f7fULL;
	const __u64 *from = (const __u64 *)args;
	__u64 *to = (__u64 *)p->args;

	for (int i = 0; i < LINEAGE_CACHE_ARGS_LEN / 8; i++) {
		__u64 w = from[i];
		__u64 zero = ~(((w & low) + low) | w | low);

		to[i] = w | zero >> 2;
		p->args_breaks[i] = ((zero >> 7) * 0x0102040810204080ULL) >> 56;
	}
	p->args[LINEAGE_CACHE_ARGS_LEN - 1] = 0;
}

static __always_inline void cache_exit(struct lineage_process *p, const struct lineage_exit *e)
{
	p->current_parent = e->parent;
	p->exit_status = e->status;
	p->exit_boot_ns = e->header.boot_ns;
	p->exit_seq = e->header.seq;
	p->exit_cpu = e->header.cpu;
	p->known |= 1u << LINEAGE_EXIT;
	p->user_ns = e->user_ns;
	p->system_ns = e->system_ns;
	p->runtime_ns = e->runtime_ns;
	p->max_rss_kib = e->max_rss_kib;
	__builtin_memcpy(p->comm, e->comm, sizeof(p->comm));
	p->state = LINEAGE_STATE_EXITED;
}

/*
 * Whether nobody will ask for this entry once the end is in the ring: the fork told of its parent,
 * and nothing is to be rebuilt. Freed here, it is the next to be used on this CPU, and still in its
 * memory caches: a fork then takes a quarter less time. Spare programs do ask.
 */
static __always_inline bool cache_is_done_with(const struct lineage_process *p)
{
	__u32 asked = 1u << LINEAGE_FORK | 1u << LINEAGE_KINDS;

	return !LINEAGE_PREEMPTED && p && (p->known & asked) == 1u << LINEAGE_FORK;
}

#endif
