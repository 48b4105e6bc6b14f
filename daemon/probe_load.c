/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the BPF programs: which of the objects this kernel takes, what the programs are told
 * of it, and what a failure means in plain words. What is done with the loaded programs is
 * probe.c's.
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "daemon/probe_load.h"
#include "schema/cleanup.h"

void probe_explain(struct probe_problem *problem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(problem->text, sizeof(problem->text), fmt, ap);
	va_end(ap);
}

/* libbpf's own words: the last line that matters is kept for the explanation, which is not the one
 * that says that all of it failed. */
char probe_said[256];

static int keep_words(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[256];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (strncmp(line, "libbpf: ", 8) == 0 && !strstr(line, "BEGIN PROG LOAD LOG") &&
	    !(probe_said[0] && strstr(line, "failed to load object"))) {
		line[strcspn(line, "\n")] = 0;
		snprintf(probe_said, sizeof(probe_said), "%s", line + 8);
	}
	return 0;
}

static void explain_load(struct probe_problem *problem, int error)
{
	switch (-error) {
	case EPERM:
	case EACCES:
		probe_explain(problem,
			      "the kernel does not allow it (%s): lineaged needs CAP_BPF and "
			      "CAP_PERFMON, or "
			      "CAP_SYS_ADMIN; run lineaged --check",
			      strerror(-error));
		break;
	case ENOENT:
	case ESRCH:
		probe_explain(
			problem,
			"this kernel has no BTF type information (CONFIG_DEBUG_INFO_BTF), or it "
			"cannot be "
			"read at /sys/kernel/btf/vmlinux: %s",
			probe_said);
		break;
	case ENOMEM:
		probe_explain(problem, "not enough memory for the maps: lower RingSize= or "
				       "CacheEntries=, or raise "
				       "LimitMEMLOCK= or MemoryMax=");
		break;
	default:
		probe_explain(problem, "loading the BPF programs failed: %s: %s", strerror(-error),
			      probe_said);
	}
}

/* Each skeleton is a type of its own. */
#define OPEN(o, variant, opts, facts, options)                                            \
	({                                                                                \
		struct lineage_##variant *skel_ = lineage_##variant##__open_opts(opts);   \
                                                                                          \
		(o)->variant = skel_;                                                     \
		if (skel_) {                                                              \
			skel_->rodata->has_group_dead = (facts)->group_dead;              \
			skel_->rodata->may_probe_kernel = (facts)->may_probe_kernel;      \
			skel_->rodata->v1_subsys = (facts)->v1_subsys;                    \
			skel_->rodata->args_max = (options)->args_max;                    \
			skel_->rodata->page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / 1024; \
		}                                                                         \
		skel_ ? skel_->obj : NULL;                                                \
	})

static int open_skeleton(struct probe_opened *o, const struct probe_facts *facts,
			 const struct probe_options *options)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = options->btf_path);

	*o = (struct probe_opened){0};
	if (facts->casts && facts->preempts)
		o->object = OPEN(o, v3_preempted, &opts, facts, options);
	else if (facts->casts)
		o->object = OPEN(o, v3, &opts, facts, options);
	else if (facts->loops)
		o->object = OPEN(o, v3_probe, &opts, facts, options);
	else
		o->object = OPEN(o, v2, &opts, facts, options);
	return o->object ? 0 : -errno;
}

void probe_unload(struct probe_opened *o)
{
	lineage_v2__destroy(o->v2);
	lineage_v3_probe__destroy(o->v3_probe);
	lineage_v3__destroy(o->v3);
	lineage_v3_preempted__destroy(o->v3_preempted);
}

static int size_maps(struct bpf_object *object, const struct probe_options *options)
{
	struct bpf_map *ring = bpf_object__find_map_by_name(object, "events");
	struct bpf_map *cache = bpf_object__find_map_by_name(object, "process_cache");
	int r = bpf_map__set_max_entries(ring, (uint32_t)options->ring_bytes);

	return r < 0 ? r : bpf_map__set_max_entries(cache, (uint32_t)options->cache_entries);
}

/* Kernels before 5.11 count map memory against RLIMIT_MEMLOCK. May fail; then loading says so. */
static void raise_memlock(void)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
}

/*
 * Under lockdown=confidentiality libbpf takes the refusal of bpf_probe_read_kernel for a kernel
 * without it, and replaces that and bpf_probe_read_user by the old bpf_probe_read, which is refused
 * as well. This puts the helpers for user memory back, just before the program is loaded.
 */
static int restore_user_reads(struct bpf_program *program, struct bpf_prog_load_opts *opts,
			      long cookie)
{
	/* There is no other way to them, and libbpf loads what is there. */
	struct bpf_insn *insns = (struct bpf_insn *)bpf_program__insns(program);

	for (size_t i = 0; i < bpf_program__insn_cnt(program); i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg)
			continue;
		if (insns[i].imm == BPF_FUNC_probe_read)
			insns[i].imm = BPF_FUNC_probe_read_user;
		else if (insns[i].imm == BPF_FUNC_probe_read_str)
			insns[i].imm = BPF_FUNC_probe_read_user_str;
	}
	opts->attach_btf_id = (uint32_t)cookie;
	return 0;
}

static int attach_trace(const struct bpf_program *program, long cookie, struct bpf_link **ret_link)
{
	*ret_link = bpf_program__attach_trace(program);
	return *ret_link ? 0 : -errno;
}

static int keep_user_reads_of(const char *section)
{
	const char *where = strchr(section, '/') + 1;
	enum bpf_attach_type type = strncmp(section, "fexit/", 6) ? BPF_TRACE_RAW_TP
								  : BPF_TRACE_FEXIT;
	int id = libbpf_find_vmlinux_btf_id(where, type);
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = id,
		    .prog_prepare_load_fn = restore_user_reads, .prog_attach_fn = attach_trace);
	int r;

	/* What this kernel does not have will not be loaded either. */
	if (id < 0)
		return id == -ESRCH || id == -ENOENT ? 0 : id;
	r = libbpf_register_prog_handler(section, BPF_PROG_TYPE_TRACING, type, &opts);
	return r < 0 ? r : 0;
}

/* Before an object is opened; libbpf keeps it in mind. */
static int keep_user_reads(void)
{
	static const char *const readers[] = {
		"tp_btf/sched_process_exec",
		"tp_btf/sys_exit",
		"fexit/" PROBE_SYSCALL "execve",
		"fexit/" PROBE_SYSCALL "execveat",
		"fexit/" PROBE_SYSCALL_COMPAT "execve",
		"fexit/" PROBE_SYSCALL_COMPAT "execveat",
	};
	static bool kept;
	int r = 0;

	for (size_t i = 0; r == 0 && !kept && i < ARRAY_SIZE(readers); i++)
		r = keep_user_reads_of(readers[i]);
	kept = r == 0;
	return r;
}

/* Those that are not always loaded. */
static void choose_programs(struct bpf_object *object, const struct probe_facts *facts,
			    enum probe_failures failures)
{
	struct bpf_program *program;

	bpf_object__for_each_program (program, object) {
		const char *name = bpf_program__name(program);
		const char *section = bpf_program__section_name(program);

		if (strcmp(name, "failed_any") == 0)
			bpf_program__set_autoload(program, failures == PROBE_FAILURES_TRACEPOINT);
		else if (strncmp(section, "fexit", 5) == 0)
			bpf_program__set_autoload(
				program,
				failures == PROBE_FAILURES_FEXIT &&
					(facts->fexit_preempted ||
					 strncmp(name, "spare_", 6) != 0) &&
					(facts->compat || !strstr(section, PROBE_SYSCALL_COMPAT)) &&
					(facts->fexit_sleeps || section[5] != '.'));
	}
}

static int load_with(struct probe_opened *o, const struct probe_options *options,
		     const struct probe_facts *facts, enum probe_failures failures)
{
	int r = open_skeleton(o, facts, options);

	if (r == 0)
		r = size_maps(o->object, options);
	if (r < 0)
		return r;
	o->failures = failures;
	choose_programs(o->object, facts, failures);
	return bpf_object__load(o->object);
}

/* By the verifier or by what makes machine code of the programs, which says ENOTSUPP (524). */
static bool is_refused(int error)
{
	return error == -EINVAL || error == -EACCES || error == -E2BIG || error == -524;
}

int probe_load(struct probe_opened *o, const struct probe_options *options,
	       struct probe_problem *problem)
{
	struct probe_facts facts = {0};
	bool wants_fexit = options->failures == PROBE_FAILURES_YES ||
			   options->failures == PROBE_FAILURES_FEXIT;
	enum probe_failures failures;
	int r;

	libbpf_set_print(keep_words);
	raise_memlock();
	r = probe_facts_learn(&facts, options, wants_fexit);
	probe_said[0] = 0;
	if (r == 0 && !facts.may_probe_kernel)
		r = keep_user_reads();
	if (r == 0) {
		failures = probe_facts_failures(&facts, options->failures);
		r = load_with(o, options, &facts, failures);
		/* Of kernels with bpf_loop only 6.1 has been tried; v2 asks for less. */
		if (is_refused(r) && !facts.casts && facts.loops) {
			facts.loops = false;
			probe_unload(o);
			r = load_with(o, options, &facts, failures);
		}
		/* A kernel that refuses what finds failed execs may take the rest. */
		if (is_refused(r) && failures != PROBE_FAILURES_NO) {
			probe_unload(o);
			r = load_with(o, options, &facts, PROBE_FAILURES_NO);
		}
	}
	if (r < 0)
		explain_load(problem, r);
	return r;
}

/* 2 MiB of the program's own file that nobody reads again. */
static void forget(const void *bytes, size_t size)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t from = ((uintptr_t)bytes + page - 1) & ~(page - 1);
	uintptr_t to = ((uintptr_t)bytes + size) & ~(page - 1);

	if (to > from)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

uint64_t probe_objects_hash(uint64_t seed)
{
	const void *(*const elf_bytes[])(size_t *) = {
		lineage_v3__elf_bytes,
		lineage_v2__elf_bytes,
		lineage_v3_probe__elf_bytes,
		lineage_v3_preempted__elf_bytes,
	};

	for (size_t i = 0; i < sizeof(elf_bytes) / sizeof(*elf_bytes); i++) {
		size_t size;
		const void *bytes = elf_bytes[i](&size);

		seed = XXH3_64bits_withSeed(bytes, size, seed);
		forget(bytes, size);
	}
	return seed;
}
