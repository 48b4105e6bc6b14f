/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From task_struct to the ABI: one filler per struct, so that each program reads as a list.
 */
#ifndef LINEAGE_TASK_BPF_H
#define LINEAGE_TASK_BPF_H

#define PIDTYPE_PGID 2
#define PIDTYPE_SID  3
#define PF_KTHREAD   0x00200000

static __always_inline void task_key(struct lineage_key *key, struct task_struct *task)
{
	struct task_struct *leader = task->group_leader;

	key->pid = task->tgid;
	key->pad = 0;
	key->start_boot_ns = leader->start_boottime;
}

/* Two loads; the compiler, which knows no alignment, would make it sixteen. */
static __always_inline void task_comm(char *to, struct task_struct *task)
{
	const __u64 *from = (void *)task + bpf_core_field_offset(struct task_struct, comm);
	__u64 *words = (__u64 *)to;

	words[0] = from[0];
	words[1] = from[1];
}

/*
 * A process's pid in its own pid namespace, or that namespace. The verifier wants constant indexes
 * behind a pointer that it knows, so the levels below the first are read by address. struct upid
 * has this size wherever pointers have 64 bits, and old verifiers follow no product of two
 * registers.
 */
static __always_inline struct upid *pid_innermost(struct pid *pid, __u64 level)
{
	return (void *)pid + bpf_core_field_offset(struct pid, numbers) + level * 16;
}

static __always_inline __u32 pid_number(struct pid *pid)
{
	return pid ? pid->numbers[0].nr : 0;
}

/* As new_encode_dev() gives it, and /proc/PID/stat shows it. */
static __always_inline __u32 task_tty(struct signal_struct *signal)
{
	struct tty_struct *tty = signal->tty;
	__u32 major, minor;

	if (!tty)
		return 0;
	major = tty->driver->major;
	minor = tty->driver->minor_start + tty->index;
	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static __always_inline void task_namespaces(struct lineage_ids *ids, struct task_struct *task)
{
	struct nsproxy *ns = task->nsproxy;
	struct pid *pid = task->thread_pid;
	/* Never more than 32; the mask is for the verifier, the width for its arithmetic. */
	__u64 level = pid->level & 63;
	struct pid_namespace *pid_ns;

	ids->pid_ns_level = level;
	if (level == 0) {
		ids->ns_pid = pid->numbers[0].nr;
		ids->pid_ns = pid->numbers[0].ns->ns.inum;
	} else {
		pid_ns = FIELD(struct upid, pid_innermost(pid, level), ns);
		ids->ns_pid = FIELD(struct upid, pid_innermost(pid, level), nr);
		ids->pid_ns = FIELD(struct pid_namespace, pid_ns, ns.inum);
	}
	ids->user_ns = task->real_cred->user_ns->ns.inum;
	if (!ns) {
		ids->mnt_ns = ids->net_ns = ids->uts_ns = ids->ipc_ns = ids->cgroup_ns = 0;
		return;
	}
	ids->mnt_ns = ns->mnt_ns->ns.inum;
	ids->net_ns = ns->net_ns->ns.inum;
	ids->uts_ns = ns->uts_ns->ns.inum;
	ids->ipc_ns = ns->ipc_ns->ns.inum;
	ids->cgroup_ns = ns->cgroup_ns->ns.inum;
}

static __always_inline __u64 caps_effective(const struct cred *cred)
{
	struct cred___old *old = (struct cred___old *)cred;
	struct cred___new *new = (struct cred___new *)cred;

	if (bpf_core_field_exists(new->cap_effective.val))
		return new->cap_effective.val;
	return old->cap_effective.cap[0] | (__u64)old->cap_effective.cap[1] << 32;
}

static __always_inline __u64 caps_permitted(const struct cred *cred)
{
	struct cred___old *old = (struct cred___old *)cred;
	struct cred___new *new = (struct cred___new *)cred;

	if (bpf_core_field_exists(new->cap_permitted.val))
		return new->cap_permitted.val;
	return old->cap_permitted.cap[0] | (__u64)old->cap_permitted.cap[1] << 32;
}

static __always_inline struct cgroup *task_cgroup(struct task_struct *task)
{
	return task->cgroups->dfl_cgrp;
}

/* The cgroup in the v1 hierarchy that the loader chose. Only to be called if it chose one. */
static __always_inline struct cgroup *task_cgroup_v1(struct task_struct *task)
{
	struct cgroup_subsys_state **slot = task->cgroups->subsys;

	return slot[v1_subsys]->cgroup;
}

static __noinline int task_ids(struct lineage_ids *ids, struct task_struct *task)
{
	const struct cred *cred = task->real_cred;
	struct signal_struct *signal = task->signal;

	ids->uid = cred->uid.val;
	ids->euid = cred->euid.val;
	ids->suid = cred->suid.val;
	ids->gid = cred->gid.val;
	ids->egid = cred->egid.val;
	ids->sgid = cred->sgid.val;
	ids->loginuid = compat_loginuid(task);
	ids->sessionid = compat_sessionid(task);
	ids->cap_effective = caps_effective(cred);
	ids->cap_permitted = caps_permitted(cred);
	ids->sid = pid_number(signal->pids[PIDTYPE_SID]);
	ids->pgid = pid_number(signal->pids[PIDTYPE_PGID]);
	ids->tty = task_tty(signal);
	task_namespaces(ids, task);
	ids->cgroup_id = task_cgroup(task)->kn->id;
	ids->cgroup_v1_id = v1_subsys >= 0 ? task_cgroup_v1(task)->kn->id : 0;
	return 0;
}

#endif
