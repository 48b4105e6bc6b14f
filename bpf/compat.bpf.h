/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels, one accessor each; the programs themselves have no #if for
 * them.
 *
 * Reading kernel memory goes three ways:
 *  - a pointer that the verifier knows (a program's argument and what hangs on it) is dereferenced
 *    directly, which also works under lockdown=confidentiality;
 *  - a pointer that it does not know is cast by bpf_rdonly_cast (since 6.2) and then dereferenced;
 *  - where that kfunc is missing, bpf_probe_read_kernel, which confidentiality forbids.
 * FIELD(type, pointer, field) picks between the last two.
 */
#ifndef LINEAGE_COMPAT_BPF_H
#define LINEAGE_COMPAT_BPF_H

/*
 * LINEAGE_V3 is 1 in the objects for kernels with bpf_loop (5.17), and so with atomics that fetch:
 * a walk is verified there as one step and not as all that it may take. It is 0 in the object for
 * older ones, which has bounded loops instead. LINEAGE_CAST is 1 in those for kernels with
 * bpf_rdonly_cast (6.2). LINEAGE_PREEMPTED is 1 in the one for kernels whose tracepoints leave
 * preemption on (since 6.19), if they preempt themselves. These are objects of their own because
 * libbpf finds out that a kernel lacks a kfunc only with CAP_SYS_ADMIN.
 */

/* Set by the loader: bpf_probe_read_kernel may be used (lockdown is not confidentiality). */
const volatile bool may_probe_kernel = true;
/* Set by the loader: sched_process_exit says itself whether the process ends (since 6.17). */
const volatile bool has_group_dead = false;
/* Set by the loader from the kernel's enum cgroup_subsys_id; -1: no v1 hierarchy to look at. */
const volatile int v1_subsys = -1;

#if LINEAGE_PREEMPTED
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;
extern void bpf_local_irq_save(unsigned long *flags) __ksym;
extern void bpf_local_irq_restore(unsigned long *flags) __ksym;

static __always_inline void go_begin(void)
{
	bpf_preempt_disable();
}

/*
 * To allow preemption is to be preempted at once, if that is due, which is here as bad as before.
 * With interrupts off it is left to the next occasion, behind the program.
 */
static __always_inline void go_end(void)
{
	unsigned long flags;

	bpf_local_irq_save(&flags);
	bpf_preempt_enable();
	bpf_local_irq_restore(&flags);
}

/*
 * Runs a program's body without being preempted: whoever came in between on this CPU would find the
 * program under way and be left out. See "Spare programs" in README.md.
 */
#define IN_ONE_GO(body)           \
	({                        \
		int result_;      \
		go_begin();       \
		result_ = (body); \
		go_end();         \
		result_;          \
	})
#else
static __always_inline void go_begin(void)
{
}

static __always_inline void go_end(void)
{
}

#define IN_ONE_GO(body) (body)
#endif

#if LINEAGE_CAST
/* It is there. Weak, so that the compiler does not know: of what it makes when it does, 6.12
 * refuses the programs for failed execs. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
#define HAVE_CAST     (bpf_rdonly_cast != 0)
#define CAST(type, p) ((type *)bpf_rdonly_cast((p), bpf_core_type_id_kernel(type)))
#else
#define HAVE_CAST     false
#define CAST(type, p) ((type *)(p))
#endif

/*
 * What a program is given, without the trust that comes with it. Nothing here needs that trust, and
 * to find out how far it goes the verifier looks for a type by name at each pointer that is read
 * through another, among all types that the kernel has: half of the time that loading takes.
 */
#define UNTRUSTED(type, p) (HAVE_CAST ? CAST(type, p) : (p))

/* Whether FIELD() can read at all. */
#define CAN_READ (HAVE_CAST || may_probe_kernel)

#define FIELD(type, p, field)                                                  \
	({                                                                     \
		type *from_ = (type *)(p);                                     \
		typeof(from_->field) value_ = 0;                               \
		if (HAVE_CAST)                                                 \
			value_ = CAST(type, from_)->field;                     \
		else if (may_probe_kernel)                                     \
			bpf_core_read(&value_, sizeof(value_), &from_->field); \
		value_;                                                        \
	})

/* NAME_MAX and its NUL: what one component of a path can need. */
#define NAME_SLACK 256

/*
 * Copies a NUL-terminated string by loads of eight bytes, which is several times faster than the
 * helper for the short names that paths consist of. size is a constant, a multiple of 8. Returns
 * the length with its NUL, at most size. An address that cannot be read reads as zeros and ends the
 * string.
 */
static __always_inline __u64 copy_words(char *to, __u64 size, const void *from)
{
	const __u64 ones = 0x0101010101010101ULL;

	for (__u64 at = 0; at < size; at += 8) {
		/* struct qstr begins with a plain u64, and that is all that is wanted of it. */
		__u64 word = CAST(struct qstr, from + at)->hash_len;
		/* Its lowest bit is the top bit of the first byte that is 0. */
		__u64 zeros = (word - ones) & ~word & (ones << 7);
		__u64 before = ((zeros & -zeros) >> 7) - 1;

		*(__u64 *)(to + at) = word;
		if (zeros)
			return at + (((before & ones) * ones) >> 56) + 1;
	}
	to[size - 1] = 0;
	return size;
}

/* size is a constant, a multiple of 8. The length with the NUL, or something above size:
 * unreadable. */
static __always_inline __u64 copy_string(char *to, __u64 size, const void *from)
{
	if (HAVE_CAST)
		return copy_words(to, size, from);
	if (may_probe_kernel)
		return bpf_probe_read_kernel_str(to, size, from);
	return (__u64)-1;
}

static __always_inline __u64 copy_name(char *to, const void *from)
{
	return copy_string(to, NAME_SLACK, from);
}

/* kernel_cap_t was { __u32 cap[2]; } before 6.3 (f122a08b197d). */
struct kernel_cap_struct___old {
	__u32 cap[2];
} __attribute__((preserve_access_index));

struct cred___old {
	struct kernel_cap_struct___old cap_effective, cap_permitted;
} __attribute__((preserve_access_index));

struct cap_new {
	__u64 val;
} __attribute__((preserve_access_index));

struct cred___new {
	struct cap_new cap_effective, cap_permitted;
} __attribute__((preserve_access_index));

/* self_exec_id has been 64 bits wide since 5.7 (d1e7fd6462ca). */
struct task_struct___exec_id {
	__u64 self_exec_id;
} __attribute__((preserve_access_index));

/* kernfs_node.parent became __parent, under RCU, in 6.15 (633488947ef6). */
struct kernfs_node___old {
	struct kernfs_node *parent;
} __attribute__((preserve_access_index));

struct kernfs_node___new {
	struct kernfs_node *__parent;
} __attribute__((preserve_access_index));

/* Of a node whose pointer the verifier knows; of any other. */
static __always_inline struct kernfs_node *compat_kernfs_parent_of_known(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(struct kernfs_node___new, __parent))
		return ((struct kernfs_node___new *)kn)->__parent;
	return ((struct kernfs_node___old *)kn)->parent;
}

static __always_inline struct kernfs_node *compat_kernfs_parent(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(struct kernfs_node___new, __parent))
		return FIELD(struct kernfs_node___new, kn, __parent);
	return FIELD(struct kernfs_node___old, kn, parent);
}

/* CONFIG_AUDIT may be off: then the kernel keeps neither. */
static __always_inline __u32 compat_loginuid(struct task_struct *task)
{
	if (bpf_core_field_exists(task->loginuid))
		return task->loginuid.val;
	return (__u32)-1;
}

static __always_inline __u32 compat_sessionid(struct task_struct *task)
{
	if (bpf_core_field_exists(task->sessionid))
		return task->sessionid;
	return (__u32)-1;
}

#endif
