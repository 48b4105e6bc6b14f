/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * execve and execveat calls that fail. One handler, behind whichever hook the loader chose: fexit
 * of the system calls themselves, or the tracepoint that every system call passes at its end.
 *
 * After a failure the caller's memory is as it was, so name and arguments are read from where the
 * call found them. What another thread changes meanwhile is recorded as it reads now.
 */
#ifndef LINEAGE_FAILURE_BPF_H
#define LINEAGE_FAILURE_BPF_H

/* include/linux/errno.h: from here on errors are the kernel's own, and the call is made again. */
#define ERESTARTSYS 512
#define AT_FDCWD    -100
#define SIGKILL_BIT (1UL << 8)
#define SIGSEGV_BIT (1UL << 10)

struct exec_call {
	__u64 filename, argv;
	__s32 directory;
	__u32 pointer_size;
};

#if defined(__TARGET_ARCH_x86)
#define SYSCALL_FUNCTION(name)	      "__x64_sys_" name
#define SYSCALL_FUNCTION_COMPAT(name) "__ia32_compat_sys_" name
#define TS_COMPAT		      2

static __always_inline bool is_compat(__u64 task)
{
	return FIELD(struct task_struct, task, thread_info.status) & TS_COMPAT;
}

static __always_inline void execve_call(struct exec_call *c, const struct pt_regs *regs,
					bool compat)
{
	c->directory = AT_FDCWD;
	c->filename = compat ? (__u32)regs->bx : regs->di;
	c->argv = compat ? (__u32)regs->cx : regs->si;
	c->pointer_size = compat ? 4 : 8;
}

static __always_inline void execveat_call(struct exec_call *c, const struct pt_regs *regs,
					  bool compat)
{
	c->directory = (__s32)(compat ? regs->bx : regs->di);
	c->filename = compat ? (__u32)regs->cx : regs->si;
	c->argv = compat ? (__u32)regs->dx : regs->dx;
	c->pointer_size = compat ? 4 : 8;
}

/* Which of the two calls this is; false: neither. A number has two meanings, hence the order. */
static __always_inline bool exec_call(struct exec_call *c, const struct pt_regs *regs, __u64 task)
{
	unsigned long number = regs->orig_ax;

	if (number != 59 && number != 322 && number != 11 && number != 358)
		return false;
	if (is_compat(task)) {
		if (number == 11)
			execve_call(c, regs, true);
		else if (number == 358)
			execveat_call(c, regs, true);
		return number == 11 || number == 358;
	}
	if (number == 59)
		execve_call(c, regs, false);
	else if (number == 322)
		execveat_call(c, regs, false);
	return number == 59 || number == 322;
}
#elif defined(__TARGET_ARCH_arm64)
/* Calls of 32-bit programs have other numbers and are not looked at. */
#define SYSCALL_FUNCTION(name)	      "__arm64_sys_" name
#define SYSCALL_FUNCTION_COMPAT(name) "__arm64_compat_sys_" name

static __always_inline void execve_call(struct exec_call *c, const struct pt_regs *regs,
					bool compat)
{
	c->directory = AT_FDCWD;
	c->filename = compat ? (__u32)regs->orig_x0 : regs->orig_x0;
	c->argv = compat ? (__u32)regs->regs[1] : regs->regs[1];
	c->pointer_size = compat ? 4 : 8;
}

static __always_inline void execveat_call(struct exec_call *c, const struct pt_regs *regs,
					  bool compat)
{
	c->directory = (__s32)regs->orig_x0;
	c->filename = compat ? (__u32)regs->regs[1] : regs->regs[1];
	c->argv = compat ? (__u32)regs->regs[2] : regs->regs[2];
	c->pointer_size = compat ? 4 : 8;
}

static __always_inline bool exec_call(struct exec_call *c, const struct pt_regs *regs, __u64 task)
{
	if (regs->syscallno == 221)
		execve_call(c, regs, false);
	else if (regs->syscallno == 281)
		execveat_call(c, regs, false);
	return regs->syscallno == 221 || regs->syscallno == 281;
}
#endif

/*
 * A call that fails after the old image is gone kills the process, and so does SIGKILL whatever the
 * call said: that end is the event. The kernel's own SIGSEGV is never blocked.
 */
static __always_inline bool is_doomed(__u64 task)
{
	unsigned long own = FIELD(struct task_struct, task, pending.signal.sig[0]);
	unsigned long blocked = FIELD(struct task_struct, task, blocked.sig[0]);

	return own & SIGKILL_BIT || (own & SIGSEGV_BIT && !(blocked & SIGSEGV_BIT));
}

/* Whether this cgroup is a filter's, and what that says; 0: it is none. */
static __noinline __u32 subtree_verdict(__u64 id)
{
	struct lineage_cgroup_key key = {.id = id};
	__u32 *subtree = bpf_map_lookup_elem(&cgroup_filter, &key);

	if (!subtree)
		return 0;
	return *subtree == LINEAGE_SUBTREE_INCLUDE ? LINEAGE_CGROUP_INCLUDED
						   : LINEAGE_CGROUP_EXCLUDED;
}

/* As cgroup_known(), for the running task. Paths are left to other events. */
static __noinline __u32 current_verdict(__u64 task)
{
	struct css_set *set = FIELD(struct task_struct, task, cgroups);
	struct cgroup *cgroup = FIELD(struct css_set, set, dfl_cgrp);
	struct kernfs_node *kn = FIELD(struct cgroup, cgroup, kn);
	struct lineage_cgroup_key key = {.id = FIELD(struct kernfs_node, kn, id)};
	struct lineage_control *ctl = control_get();
	__u64 emptied = ctl ? cgroup_count(ctl) : 0;
	__u32 verdict = cgroup_kept(bpf_map_lookup_elem(&cgroups, &key), emptied);

	if (verdict)
		return verdict;
	for (int i = 0; i < LINEAGE_CGROUP_DEPTH && kn; i++) {
		verdict = subtree_verdict(FIELD(struct kernfs_node, kn, id));
		if (verdict)
			return verdict;
		kn = compat_kernfs_parent(kn);
	}
	return ctl && ctl->filter & LINEAGE_FILTER_CGROUPS ? LINEAGE_CGROUP_EXCLUDED
							   : LINEAGE_CGROUP_INCLUDED;
}

/* As task_included(), of the running task, which 5.10 gives as a number only. */
static __always_inline bool current_included(__u64 task, const struct lineage_control *ctl)
{
	if (ctl->filter & (LINEAGE_FILTER_HOST_ONLY | LINEAGE_FILTER_CONTAINER_ONLY)) {
		struct pid *pid = FIELD(struct task_struct, task, thread_pid);
		bool on_host = FIELD(struct pid, pid, level) == 0;

		if (on_host ? ctl->filter & LINEAGE_FILTER_CONTAINER_ONLY
			    : ctl->filter & LINEAGE_FILTER_HOST_ONLY)
			return false;
	}
	return current_verdict(task) == LINEAGE_CGROUP_INCLUDED;
}

/*
 * Room for the name, and for the arguments: what nearly all need, and the most that is kept. Behind
 * it there is as much again, since the last argument may begin right at the end of the room.
 */
#define FAILURE_SMALL 256
#define FAILURE_LARGE LINEAGE_FAILURE_ARGS_MAX
_Static_assert(FAILURE_LARGE == LINEAGE_PATH_MAX, "one size for both");

/* Arguments that are counted; without bpf_loop the verifier pays for each. */
#if LINEAGE_V3
#define FAILURE_ARGS 8192
#else
#define FAILURE_ARGS 128
#endif

/* As bpf_probe_read_user_str(), which on some kernels leaves out the end of an empty string. */
static __always_inline long read_user_str(char *to, __u32 size, __u64 from)
{
	long n = bpf_probe_read_user_str(to, size, (void *)from);

	if (n)
		return n;
	*to = 0;
	return 1;
}

/*
 * The next argument; what is not kept is read all the same, for its length. True: there is nothing
 * more to do. What changes from step to step lies in the record, as in path.bpf.h. room is one of
 * two constants. Not inlined: what is around a large loop decides whether 5.10 takes its back edge.
 */
static __noinline bool failure_arg(struct lineage_exec_failure *r, const struct exec_call *call,
				   __u64 room)
{
	const void *from = (void *)(call->argv + (__u64)r->args_count * call->pointer_size);
	bool keeps = !(r->flags & LINEAGE_ARGS_CUT);
	__u64 at = r->args_length;
	__u64 pointer = 0;
	long n;

	if (call->pointer_size == 4)
		n = bpf_probe_read_user(&pointer, 4, from);
	else
		n = bpf_probe_read_user(&pointer, 8, from);
	if (n == 0 && !pointer) {
		r->flags &= ~LINEAGE_ARGS_UNCOUNTED;
		return true;
	}
	if (!keeps || at >= room)
		at = room;
	if (n == 0)
		n = read_user_str((char *)r->data + room + at, room, pointer);
	if (n < 0) {
		r->flags |= LINEAGE_ARGS_UNREADABLE;
		return true;
	}
	r->args_count++;
	r->args_total += n;
	if (at == room || n == (long)room)
		r->flags |= LINEAGE_ARGS_CUT;
	if (at < room)
		r->args_length = at + n - (n == (long)room);
	return false;
}

#if LINEAGE_V3
struct failure_walk {
	struct lineage_exec_failure *record;
	const struct exec_call *call;
};

static long failure_loop_small(__u32 i, struct failure_walk *w)
{
	return failure_arg(w->record, w->call, FAILURE_SMALL);
}

static long failure_loop_large(__u32 i, struct failure_walk *w)
{
	return failure_arg(w->record, w->call, FAILURE_LARGE);
}
#endif

static __always_inline void failure_args(struct lineage_exec_failure *r,
					 const struct exec_call *call, const __u64 room)
{
	r->args_count = r->args_total = r->args_length = 0;
	if (!call->argv)
		return;
	r->flags |= LINEAGE_ARGS_UNCOUNTED;
#if LINEAGE_V3
	struct failure_walk w = {r, call};

	bpf_loop(FAILURE_ARGS, room == FAILURE_SMALL ? failure_loop_small : failure_loop_large, &w,
		 0);
#else
	for (int i = 0; i < FAILURE_ARGS; i++) {
		if (failure_arg(r, call, room))
			break;
	}
#endif
}

/* False if a larger record would hold more. */
static __always_inline bool failure_fill(struct lineage_exec_failure *r,
					 const struct exec_call *call, const __u64 room)
{
	long n = read_user_str((char *)r->data, room, call->filename);

	r->flags = n == (long)room ? LINEAGE_FILENAME_TRUNCATED : 0;
	r->filename_length = n < 0 ? 0 : n;
	failure_args(r, call, room);
	return !(r->flags & (LINEAGE_FILENAME_TRUNCATED | LINEAGE_ARGS_CUT));
}

struct failure_plan {
	struct lineage_header header;
	struct exec_call call;
	__u32 error;
};

/* 0: sent; -1: no room in the ring; 1: it needs a larger record. room is a constant. */
static __always_inline int failure_record(const struct failure_plan *plan, const __u64 room)
{
	struct lineage_exec_failure *r = bpf_ringbuf_reserve(&events, sizeof(*r) + 3 * room, 0);

	if (!r)
		return -1;
	if (!failure_fill(r, &plan->call, room) && room < FAILURE_LARGE) {
		bpf_ringbuf_discard(r, BPF_RB_NO_WAKEUP);
		return 1;
	}
	r->header = plan->header;
	r->header.length = sizeof(*r) + room + r->args_length;
	r->error = plan->error;
	r->directory = plan->call.directory;
	r->args_offset = room;
	r->pad = 0;
	bpf_get_current_comm(r->comm, sizeof(r->comm));
	bpf_ringbuf_submit(r, wake_flags(plan->header.seq, 0));
	return 0;
}

static __noinline int failure_send(struct failure_plan *plan, __u64 task)
{
	struct lineage_control *ctl = control_get();
	struct lineage_counters *c = counters_get();
	struct task_struct *leader;
	int r;

	if (!ctl || !c || !CAN_READ || is_doomed(task))
		return 0;
	if (!current_included(task, ctl)) {
		count(&c->filtered);
		return 0;
	}
	header_fill(&plan->header, LINEAGE_EXEC_FAILURE, take_seq_shared(c),
		    bpf_ktime_get_boot_ns());
	leader = FIELD(struct task_struct, task, group_leader);
	plan->header.process.pid = bpf_get_current_pid_tgid() >> 32;
	plan->header.process.start_boot_ns = FIELD(struct task_struct, leader, start_boottime);
	r = failure_record(plan, FAILURE_SMALL);
	if (r > 0)
		r = failure_record(plan, FAILURE_LARGE);
	if (r < 0)
		lost(c, LINEAGE_EXEC_FAILURE);
	return 0;
}

static __always_inline bool is_failure(long result)
{
	return result < 0 && result > -ERESTARTSYS;
}

static __noinline int failed_call(const struct pt_regs *regs, __u32 error)
{
	struct failure_plan plan = {.error = error};
	__u64 task = bpf_get_current_task();

	return exec_call(&plan.call, regs, task) ? IN_ONE_GO(failure_send(&plan, task)) : 0;
}

/* All system calls of the node come here, so nearly all must leave at once. */
SEC("?tp_btf/sys_exit")
int BPF_PROG(failed_any, struct pt_regs *regs, long result)
{
	if (!is_failure(result))
		return 0;
	return failed_call(regs, -result);
}

/*
 * Whether this program is to tell of a call that returns. A spare program does where the main one
 * was left out, and finds that out for calls that succeed as well: the kernel counts those among
 * what it left out.
 */
static __always_inline bool is_mine(bool spare)
{
	struct lineage_counters *c = counters_get();
	__u32 thread = bpf_get_current_pid_tgid(), one = 1;

	if (!spare) {
		bpf_map_update_elem(&exec_marks, &thread, &one, BPF_ANY);
		return true;
	}
	if (bpf_map_delete_elem(&exec_marks, &thread) == 0)
		return false;
	if (c)
		count(&c->failures_by_spare);
	return true;
}

#define FAILURE_PROGRAM(program, spare, function, call_of, compat)     \
	SEC("?fexit/" function)                                        \
	int BPF_PROG(program, const struct pt_regs *regs, long result) \
	{                                                              \
		go_begin();                                            \
		if (is_mine(spare) && is_failure(result)) {            \
			struct failure_plan plan = {.error = -result}; \
			call_of(&plan.call, regs, compat);             \
			failure_send(&plan, bpf_get_current_task());   \
		}                                                      \
		go_end();                                              \
		return 0;                                              \
	}

#define EXECVE	   SYSCALL_FUNCTION("execve")
#define EXECVEAT   SYSCALL_FUNCTION("execveat")
#define EXECVE32   SYSCALL_FUNCTION_COMPAT("execve")
#define EXECVEAT32 SYSCALL_FUNCTION_COMPAT("execveat")

FAILURE_PROGRAM(failed_execve, false, EXECVE, execve_call, false)
FAILURE_PROGRAM(failed_execveat, false, EXECVEAT, execveat_call, false)
FAILURE_PROGRAM(failed_execve32, false, EXECVE32, execve_call, true)
FAILURE_PROGRAM(failed_execveat32, false, EXECVEAT32, execveat_call, true)

FAILURE_PROGRAM(spare_failed_execve, true, EXECVE, execve_call, false)
FAILURE_PROGRAM(spare_failed_execveat, true, EXECVEAT, execveat_call, false)
FAILURE_PROGRAM(spare_failed_execve32, true, EXECVE32, execve_call, true)
FAILURE_PROGRAM(spare_failed_execveat32, true, EXECVEAT32, execveat_call, true)

/* Arguments that are brought into memory, and how far each is looked along. */
#define TOUCH_ARGS  64
#define TOUCH_BYTES 128

/*
 * A program that may sleep, run before the one above: most failures come before the kernel has read
 * any argument, and constants of a program that has just forked are then in no page of it. Shares
 * nothing with other programs, since it may be preempted where they are not.
 */
static __always_inline int touch_args(const struct exec_call *call)
{
	char text[TOUCH_BYTES];

	for (int i = 0; i < TOUCH_ARGS; i++) {
		const void *from = (void *)(call->argv + (__u64)i * call->pointer_size);
		__u64 pointer = 0;
		long r = call->pointer_size == 4 ? bpf_copy_from_user(&pointer, 4, from)
						 : bpf_copy_from_user(&pointer, 8, from);

		if (r < 0 || !pointer)
			break;
		/* It may end where memory does: what can be had comes in all the same. */
		bpf_copy_from_user(text, sizeof(text), (void *)pointer);
	}
	return 0;
}

#define TOUCH_PROGRAM(program, function, call_of, compat)              \
	SEC("?fexit.s/" function)                                      \
	int BPF_PROG(program, const struct pt_regs *regs, long result) \
	{                                                              \
		if (!is_failure(result))                               \
			return 0;                                      \
		struct exec_call call = {};                            \
		call_of(&call, regs, compat);                          \
		return touch_args(&call);                              \
	}

/* Kernels let no program wait in the calls of 32-bit programs. */
TOUCH_PROGRAM(touch_execve, EXECVE, execve_call, false)
TOUCH_PROGRAM(touch_execveat, EXECVEAT, execveat_call, false)

#endif
