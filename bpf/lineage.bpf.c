/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fork, exec and exit of processes, as the kernel sees them.
 *
 * Three tp_btf programs and a task iterator; failed execs are in failure.bpf.h. Each takes a
 * sequence number before anything can fail, notes the event in process_cache, and sends a ring
 * record reserved at the size that it needs. There is no scratch memory: programs may be preempted,
 * and shared scratch would silently mix two events. Threads never get beyond the first lines.
 * Nothing here waits, and nothing is dropped uncounted.
 *
 * See README.md for why these hooks and not others.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include "lineage_abi.h"

#ifndef container_of
#define container_of(ptr, type, member) \
	((type *)((void *)(ptr)-bpf_core_field_offset(type, member)))
#endif

#include "compat.bpf.h"
#include "maps.bpf.h"
#include "task.bpf.h"
#include "path.bpf.h"
#include "cgroup.bpf.h"
#include "cache.bpf.h"
#include "send.bpf.h"
#include "failure.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define SIGNAL_GROUP_EXIT     0x4
#define OVERLAYFS_SUPER_MAGIC 0x794c7630

/* Set by the loader: KiB per page, as signal_struct.maxrss counts pages. */
const volatile __u64 page_kib = 4;
/* Set by the loader: longest argv prefix to send. */
const volatile __u32 args_max = LINEAGE_ARGS_MAX;

/*
 * Whether the main program has seen this event, for a spare one (see "Spare programs" in
 * README.md). A full cache cannot tell; then nothing is sent, as twice would be worse than a
 * counted loss.
 */
static __always_inline bool is_recorded(const struct lineage_process *p, __u32 kind)
{
	return p && p->known & 1u << kind;
}

static __always_inline int fork_event(struct task_struct *creator, struct task_struct *child,
				      bool spare)
{
	struct task_struct___exec_id *versioned = (void *)child;
	struct lineage_control *ctl = control_get();
	struct lineage_counters *c = counters_get();
	struct lineage_fork f = {};
	struct lineage_process *p;

	if (child->pid != child->tgid || !ctl || !c)
		return 0;
	if (!task_included(child, ctl, c)) {
		if (!spare)
			count(&c->filtered);
		return 0;
	}
	task_key(&f.header.process, child);
	if (spare &&
	    is_recorded(bpf_map_lookup_elem(&process_cache, &f.header.process), LINEAGE_FORK))
		return 0;
	task_key(&f.parent, child->real_parent);
	task_key(&f.creator, creator);
	task_comm(f.comm, child);
	f.exec_id = versioned->self_exec_id;
	p = cache_fork(&f, child, ctl->filter);
	if (spare) {
		count(p ? &c->sent_by_spare : &c->spare_unsure);
		if (!p)
			return 0;
	}
	header_fill(&f.header, LINEAGE_FORK, take_seq(c), f.header.process.start_boot_ns);
	f.header.length = sizeof(f);
	task_ids(&f.ids, child);
	if (p) {
		p->ids = f.ids;
		p->fork_seq = f.header.seq;
		p->fork_cpu = f.header.cpu;
	}
	if (bpf_ringbuf_output(&events, &f, sizeof(f), wake_flags(f.header.seq, sizeof(f))) < 0) {
		lost(c, LINEAGE_FORK);
		if (p)
			p->known |= 1u << LINEAGE_KINDS;
	}
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(lineage_fork, struct task_struct *creator, struct task_struct *child)
{
	return IN_ONE_GO(fork_event(UNTRUSTED(struct task_struct, creator),
				    UNTRUSTED(struct task_struct, child), false));
}

/* What is known of an exec before its record is reserved. */
struct exec_plan {
	struct lineage_key key;
	__u64 seq;
	__u64 boot_ns;
	__u64 args_start;
	__u32 args_total;
	__u32 flags;
};

/* Room for exe, cwd, and the names as asked: what nearly all need, and what they can need. */
#define PATHS_SMALL 256
#define PATHS_LARGE (3 * LINEAGE_PATH_MAX + NAME_SLACK)

static __always_inline bool overlay_upper(struct inode *inode)
{
	/* struct ovl_inode: __upperdentry follows vfs_inode in every version so far. */
	struct list_head *behind = (void *)inode + bpf_core_type_size(struct inode);
	struct dentry *upper = (void *)FIELD(struct list_head, behind, next);

	return upper && FIELD(struct dentry, upper, d_inode);
}

/* Its name is gone: a root and an anonymous file have never been in the hash of names. */
static __always_inline bool is_unhashed(const struct dentry *dentry)
{
	return !dentry->d_hash.pprev && dentry->d_parent != dentry;
}

static __noinline __u32 file_flags(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;
	__u32 flags = 0;

	if (inode->i_nlink == 0 || is_unhashed(dentry))
		flags |= LINEAGE_EXE_DELETED;
	if (dentry->d_sb->s_magic == OVERLAYFS_SUPER_MAGIC) {
		flags |= LINEAGE_EXE_OVERLAY;
		if (overlay_upper(inode))
			flags |= LINEAGE_EXE_UPPER;
	}
	return flags;
}

/* One path, behind those before it. False if a larger record would hold more of it. */
static __always_inline bool exec_path(struct lineage_exec *r, const struct path *path, __u64 room)
{
	/* Not filled yet at this point, and large enough. */
	struct path_walk *w = (struct path_walk *)&r->ids;
	bool large = room == PATHS_LARGE;

	w->flags = 0;
	path_begin(w, path);
	path_copy(r->data, w, room, large ? PATH_STEPS : PATH_STEPS_SMALL);
	return large || !path_wants_room(w);
}

/*
 * The name as asked, by whatever may read it. The last resort is the copy on the new stack, which
 * the program's own environment ends with (AT_EXECFN). size is a constant.
 */
static __always_inline __u64 copy_filename(char *to, __u64 size, struct linux_binprm *bprm)
{
	if (HAVE_CAST && (size <= NAME_SLACK || !may_probe_kernel))
		return copy_words(to, size < NAME_SLACK ? size : NAME_SLACK, bprm->filename);
	if (may_probe_kernel)
		return bpf_probe_read_kernel_str(to, size, bprm->filename);
	return bpf_probe_read_user_str(to, size, (void *)bprm->exec);
}

/* Paths into the record, behind one another from data on. False if they do not fit. */
static __always_inline bool exec_paths(struct lineage_exec *r, struct linux_binprm *bprm,
				       struct task_struct *task, __u64 paths)
{
	struct path_walk *w = (struct path_walk *)&r->ids;
	__u64 at, n = 0;

	w->used = 0;
	if (!exec_path(r, &bprm->file->f_path, paths))
		return false;
	r->exe_length = w->used;
	r->flags |= (w->flags & PATH_TRUNCATED) * LINEAGE_EXE_TRUNCATED / PATH_TRUNCATED |
		    (w->flags & PATH_ANONYMOUS) * LINEAGE_EXE_MEMFD / PATH_ANONYMOUS;
	if (!exec_path(r, &task->fs->pwd, paths))
		return false;
	at = w->used;
	r->cwd_length = at - r->exe_length;
	r->flags |= (w->flags & PATH_TRUNCATED) * LINEAGE_CWD_TRUNCATED / PATH_TRUNCATED;
	if (is_unhashed(task->fs->pwd.dentry))
		r->flags |= LINEAGE_CWD_DELETED;
	if (at > paths)
		return false;
	if (paths == PATHS_LARGE)
		n = copy_filename(r->data + at, LINEAGE_PATH_MAX, bprm);
	else
		n = copy_filename(r->data + at, NAME_SLACK, bprm);
	if (n > LINEAGE_PATH_MAX)
		n = 0;
	r->filename_length = n;
	at += n;
	if (at > paths || n == NAME_SLACK)
		return false;
	n = 0;
	if (r->flags & LINEAGE_INTERPRETED)
		n = copy_name(r->data + at, bprm->interp);
	if (n > NAME_SLACK)
		n = 0;
	r->interp_length = n;
	return at + n <= paths;
}

/* All of a cache entry but what its caller has at hand: parent, ids and argv. 0: the cache is full.
 */
static __noinline struct lineage_process *
cache_exec(struct linux_binprm *bprm, struct task_struct *task, struct exec_plan *plan)
{
	struct task_struct___exec_id *versioned = (void *)task;
	struct inode *inode = bprm->file->f_inode;
	struct lineage_process *p = bpf_map_lookup_elem(&process_cache, &plan->key);

	if (!p)
		p = cache_note(&plan->key, task);
	if (!p)
		return 0;
	task_comm(p->comm, task);
	copy_filename(p->binary, sizeof(p->binary), bprm);
	p->state = LINEAGE_STATE_EXECED;
	p->exec_boot_ns = plan->boot_ns;
	p->exec_seq = plan->seq;
	p->exec_cpu = bpf_get_smp_processor_id();
	p->known |= 1u << LINEAGE_EXEC;
	p->exec_count++;
	p->flags = plan->flags;
	p->inode = inode->i_ino;
	p->dev = inode->i_sb->s_dev;
	p->args_total = plan->args_total;
	p->args_count = bprm->argc;
	p->exec_id = versioned->self_exec_id;
	return p;
}

/*
 * One exec record with room for `paths` and `args` bytes, both constants of the caller: the
 * verifier wants to know what is reserved. args must be at least NAME_SLACK, which paths may
 * overrun into before argv is written over it. 0: sent; -1: no room in the ring; 1: the paths need
 * more.
 */
static __noinline int exec_record(struct linux_binprm *bprm, struct task_struct *task,
				  struct exec_plan *plan, __u64 paths, __u64 args)
{
	struct task_struct___exec_id *versioned = (void *)task;
	struct inode *inode = bprm->file->f_inode;
	struct lineage_process *p;
	__u64 n = plan->args_total;
	struct lineage_exec *r;

	r = bpf_ringbuf_reserve(&events, sizeof(*r) + paths + args, 0);
	if (!r)
		return -1;
	r->flags = plan->flags;
	r->cwd_length = r->filename_length = r->interp_length = 0;
	if (!exec_paths(r, bprm, task, paths) && paths < PATHS_LARGE) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 1;
	}
	header_fill(&r->header, LINEAGE_EXEC, plan->seq, plan->boot_ns);
	r->header.process = plan->key;
	task_key(&r->parent, task->real_parent);
	task_ids(&r->ids, task);
	task_comm(r->comm, task);
	r->inode = inode->i_ino;
	r->dev = inode->i_sb->s_dev;
	r->exec_id = versioned->self_exec_id;
	r->args_count = bprm->argc;
	r->args_total = plan->args_total;
	r->args_offset = paths;
	r->pad = 0;
	if (n > args_max)
		n = args_max;
	if (n > args)
		n = args;
	__builtin_memset(r->data + paths, 0, LINEAGE_CACHE_ARGS_LEN);
	if (n && bpf_probe_read_user(r->data + paths, n, (void *)plan->args_start) < 0) {
		r->flags |= LINEAGE_ARGS_UNREADABLE;
		n = 0;
	}
	r->args_length = n;
	p = cache_exec(bprm, task, plan);
	if (p) {
		p->current_parent = r->parent;
		p->ids = r->ids;
		cache_show_args(p, r->data + paths);
	}
	r->header.length = sizeof(*r) + paths + n;
	bpf_ringbuf_submit(r, wake_flags(paths == PATHS_LARGE ? 0 : plan->seq, 0));
	return 0;
}

/* Sizes that fit most (a shell's command line, a compiler's) without wasting the ring. */
static __always_inline int exec_send(struct linux_binprm *bprm, struct task_struct *task,
				     struct exec_plan *plan)
{
	__u64 args = plan->args_total;
	int r;

	if (args <= 256)
		r = exec_record(bprm, task, plan, PATHS_SMALL, 256);
	else if (args <= 1024)
		r = exec_record(bprm, task, plan, PATHS_SMALL, 1024);
	else if (args <= 4096)
		r = exec_record(bprm, task, plan, PATHS_SMALL, 4096);
	else
		r = 1;
	if (r > 0)
		r = exec_record(bprm, task, plan, PATHS_LARGE, LINEAGE_ARGS_MAX);
	return r;
}

/* There was no room for a record, so nothing is at hand. */
static __noinline int exec_lost(struct linux_binprm *bprm, struct task_struct *task,
				struct exec_plan *plan)
{
	struct lineage_process *p = cache_exec(bprm, task, plan);
	__u32 n = plan->args_total;

	if (!p)
		return 0;
	p->known |= 1u << LINEAGE_KINDS;
	task_key(&p->current_parent, task->real_parent);
	task_ids(&p->ids, task);
	if (n > sizeof(p->args))
		n = sizeof(p->args);
	__builtin_memset(p->args, 0, sizeof(p->args));
	bpf_probe_read_user(p->args, n, (void *)plan->args_start);
	cache_show_args(p, p->args);
	return 0;
}

/*
 * Runs in the new image, in whichever thread called execve: by now it has taken over the pid and
 * the start time of the leader. argv is read from the new stack, where it can no longer be changed
 * by a thread of the old image.
 */
static __always_inline int exec_event(struct task_struct *task, struct linux_binprm *bprm,
				      bool spare)
{
	struct task_struct___exec_id *versioned = (void *)task;
	struct lineage_control *ctl = control_get();
	struct lineage_counters *c = counters_get();
	struct exec_plan plan = {};
	struct mm_struct *mm = task->mm;

	if (!ctl || !c || !mm)
		return 0;
	if (!task_included(task, ctl, c)) {
		if (!spare)
			count(&c->filtered);
		return 0;
	}
	task_key(&plan.key, task);
	if (spare) {
		struct lineage_process *p = bpf_map_lookup_elem(&process_cache, &plan.key);

		if (!p)
			p = cache_note(&plan.key, task);
		if (!p)
			count(&c->spare_unsure);
		if (!p ||
		    (is_recorded(p, LINEAGE_EXEC) && p->exec_id == (__u32)versioned->self_exec_id))
			return 0;
		count(&c->sent_by_spare);
	}
	plan.seq = take_seq(c);
	plan.boot_ns = bpf_ktime_get_boot_ns();
	plan.args_start = mm->arg_start;
	plan.args_total = mm->arg_end - mm->arg_start;
	plan.flags = file_flags(bprm->file);
	if (bprm->interp != bprm->filename)
		plan.flags |= LINEAGE_INTERPRETED;
	if (BPF_CORE_READ_BITFIELD(bprm, secureexec))
		plan.flags |= LINEAGE_SECURE_EXEC;

	if (exec_send(bprm, task, &plan) < 0) {
		lost(c, LINEAGE_EXEC);
		exec_lost(bprm, task, &plan);
	}
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(lineage_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	return IN_ONE_GO(exec_event(UNTRUSTED(struct task_struct, task),
				    UNTRUSTED(struct linux_binprm, bprm), false));
}

/* One of several threads that end at once: exactly one of them gets true. */
static __always_inline bool claim_exit(const struct lineage_key *key)
{
	__u32 one = 1;

	return bpf_map_update_elem(&exit_claims, key, &one, BPF_NOEXIST) == 0;
}

/*
 * Whether the process ends with this thread. Newer kernels say so. On older ones signal->live is 0
 * for every thread that passes here after the last one has been counted down, so several may see
 * it; the first to claim the end reports it. A leader that still has its memory has not come here
 * yet, nor noted its exit code; it will, and then report.
 */
static __always_inline bool is_last_thread(unsigned long long *ctx, struct task_struct *task,
					   const struct lineage_key *key)
{
	if (has_group_dead)
		return ctx[1] & 0xff;
	if (task->signal->live.counter != 0 || task->group_leader->mm)
		return false;
	return claim_exit(key);
}

static __always_inline __u32 exit_status(struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct task_struct *leader = task->group_leader;

	if (signal->flags & SIGNAL_GROUP_EXIT)
		return signal->group_exit_code;
	return leader->exit_code;
}

static __always_inline void exit_usage(struct lineage_exit *e, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct task_struct *leader = task->group_leader;

	e->user_ns = signal->utime + task->utime;
	e->system_ns = signal->stime + task->stime;
	e->runtime_ns = signal->sum_sched_runtime + task->se.sum_exec_runtime;
	if (leader->pid != task->pid) {
		e->user_ns += leader->utime;
		e->system_ns += leader->stime;
		e->runtime_ns += leader->se.sum_exec_runtime;
	}
	e->max_rss_kib = signal->maxrss * page_kib;
}

/* A function, so that the room stays in a register: before 5.11 it could not be kept elsewhere. */
static __noinline int exit_send(struct lineage_exit *e, struct lineage_process *p)
{
	struct lineage_exit *room = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!room)
		return -1;
	if (cache_is_done_with(p) && bpf_map_delete_elem(&process_cache, &e->header.process) == 0)
		e->flags = LINEAGE_EXIT_FREED;
	else if (p)
		cache_exit(p, e);
	*room = *e;
	bpf_ringbuf_submit(room, wake_flags(e->header.seq, sizeof(*e)));
	return 0;
}

/* A process that is known has its end recorded, wherever it has been moved in the meantime. */
static __always_inline int exit_event(unsigned long long *ctx, bool spare)
{
	struct task_struct *task = UNTRUSTED(struct task_struct, (void *)ctx[0]);
	struct lineage_control *ctl = control_get();
	struct lineage_counters *c = counters_get();
	struct lineage_exit e = {};
	struct lineage_process *p;

	if (!ctl || !c)
		return 0;
	task_key(&e.header.process, task);
	if (!is_last_thread(ctx, task, &e.header.process))
		return 0;
	p = bpf_map_lookup_elem(&process_cache, &e.header.process);
	if (spare) {
		if (!p && task_included(task, ctl, c))
			count(&c->spare_unsure);
		if (!p || is_recorded(p, LINEAGE_EXIT))
			return 0;
		count(&c->sent_by_spare);
	}
	if (!p && !task_included(task, ctl, c)) {
		count(&c->filtered);
		return 0;
	}
	if (!p)
		p = cache_note(&e.header.process, task);
	header_fill(&e.header, LINEAGE_EXIT, take_seq(c), bpf_ktime_get_boot_ns());
	e.header.length = sizeof(e);
	task_key(&e.parent, task->real_parent);
	exit_usage(&e, task);
	e.status = exit_status(task);
	task_comm(e.comm, task->group_leader);
	if (exit_send(&e, p) < 0) {
		lost(c, LINEAGE_EXIT);
		if (p)
			cache_exit(p, &e);
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int lineage_exit(unsigned long long *ctx)
{
	return IN_ONE_GO(exit_event(ctx, false));
}

#if LINEAGE_PREEMPTED
SEC("tp_btf/sched_process_fork")
int BPF_PROG(spare_fork, struct task_struct *creator, struct task_struct *child)
{
	return IN_ONE_GO(fork_event(UNTRUSTED(struct task_struct, creator),
				    UNTRUSTED(struct task_struct, child), true));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(spare_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *bprm)
{
	return IN_ONE_GO(exec_event(UNTRUSTED(struct task_struct, task),
				    UNTRUSTED(struct linux_binprm, bprm), true));
}

SEC("tp_btf/sched_process_exit")
int spare_exit(unsigned long long *ctx)
{
	return IN_ONE_GO(exit_event(ctx, true));
}
#endif

/*
 * The processes that run when recording begins, or when a daemon comes back. Runs after the
 * programs above are attached, so nothing falls between; what both saw is told apart by key and
 * exec_id.
 */
SEC("iter/task")
int lineage_snapshot(struct bpf_iter__task *ctx)
{
	struct task_struct *given = ctx->task, *task = UNTRUSTED(struct task_struct, given);
	struct task_struct___exec_id *versioned = (void *)task;
	struct lineage_control *ctl = control_get();
	struct lineage_snapshot s = {};

	/* A zombie has ended: it has no more to tell, and nothing would tell of its end. */
	if (!given || !ctl || task->pid != task->tgid || task->signal->live.counter == 0)
		return 0;
	task_key(&s.header.process, task);
	s.header.kind = LINEAGE_SNAPSHOT;
	s.header.length = sizeof(s);
	s.header.boot_ns = bpf_ktime_get_boot_ns();
	task_key(&s.parent, task->real_parent);
	task_ids(&s.ids, task);
	task_comm(s.comm, task);
	s.exec_id = versioned->self_exec_id;
	s.included = task_included(task, ctl, 0);
	if (task->flags & PF_KTHREAD)
		s.flags |= LINEAGE_KERNEL_THREAD;
	if (task->mm && task->mm->exe_file) {
		struct file *exe = task->mm->exe_file;

		s.flags |= file_flags(exe);
		s.inode = exe->f_inode->i_ino;
		s.dev = exe->f_inode->i_sb->s_dev;
	}
	if (s.included)
		cache_note_living(&s.header.process, task);
	bpf_seq_write(ctx->meta->seq, &s, sizeof(s));
	return 0;
}
