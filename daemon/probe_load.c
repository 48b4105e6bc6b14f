/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the BPF programs: which of the two objects this kernel takes, what the programs are told
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
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/probe_load.h"
#include "schema/cleanup.h"

void probe_explain(struct probe_problem *problem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(problem->text, sizeof(problem->text), fmt, ap);
	va_end(ap);
}

/* libbpf's own words: the last line that matters is kept for the explanation. */
char probe_said[256];

static int keep_words(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[256];

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (strncmp(line, "libbpf: ", 8) == 0 && !strstr(line, "BEGIN PROG LOAD LOG")) {
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

/* What the programs must be told of this kernel before they are verified. */
struct kernel_facts {
	bool casts; /* the v3 object loads */
	bool group_dead;
	bool may_probe_kernel;
	int v1_subsys;
};

static bool has_group_dead(const struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "btf_trace_sched_process_exit", BTF_KIND_TYPEDEF);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;

	if (t)
		t = btf__type_by_id(btf, t->type); /* pointer */
	if (t)
		t = btf__type_by_id(btf, t->type); /* function: void *, task, group_dead */
	return t && btf_is_func_proto(t) && btf_vlen(t) == 3;
}

/* /proc/cgroups calls blkio what the enum calls io. */
static int find_subsys(const struct btf *btf, const char *controller)
{
	int id = btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;
	char name[64];

	if (!t || !controller)
		return -1;
	snprintf(name, sizeof(name), "%s_cgrp_id", strcmp(controller, "blkio") ? controller : "io");
	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_enum *e = btf_enum(t) + i;

		if (strcmp(btf__name_by_offset(btf, e->name_off), name) == 0)
			return e->val;
	}
	return -1;
}

/*
 * The v3 object needs bpf_loop (5.17) and bpf_rdonly_cast (6.2). Where a kernel lacks the latter,
 * libbpf would look for it in the types of every module, which takes CAP_SYS_ADMIN: hence not as a
 * weak symbol.
 */
static bool has_casts(const struct btf *btf)
{
	return btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
}

static bool is_confidential(void)
{
	char line[128] = "";
	CLEANUP_FCLOSE FILE *f = fopen("/sys/kernel/security/lockdown", "re");

	return f && fgets(line, sizeof(line), f) && strstr(line, "[confidentiality]");
}

static int learn_kernel(struct kernel_facts *facts, const struct probe_options *options)
{
	struct btf *btf = options->btf_path ? btf__parse(options->btf_path, NULL)
					    : btf__load_vmlinux_btf();

	if (!btf || libbpf_get_error(btf))
		return -ENOENT;
	facts->casts = has_casts(btf);
	facts->group_dead = has_group_dead(btf);
	facts->may_probe_kernel = !is_confidential();
	facts->v1_subsys = find_subsys(btf, options->v1_controller);
	btf__free(btf);
	return 0;
}

#define SET_FACTS(skel, facts, options)                                            \
	do {                                                                       \
		(skel)->rodata->has_group_dead = (facts)->group_dead;              \
		(skel)->rodata->may_probe_kernel = (facts)->may_probe_kernel;      \
		(skel)->rodata->v1_subsys = (facts)->v1_subsys;                    \
		(skel)->rodata->args_max = (options)->args_max;                    \
		(skel)->rodata->page_kib = (uint64_t)sysconf(_SC_PAGESIZE) / 1024; \
	} while (0)

static int open_skeleton(struct probe_opened *o, const struct kernel_facts *facts,
			 const struct probe_options *options)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = options->btf_path);

	*o = (struct probe_opened){0};
	if (facts->casts) {
		o->v3 = lineage_v3__open_opts(&opts);
		if (!o->v3)
			return -errno;
		SET_FACTS(o->v3, facts, options);
		o->object = o->v3->obj;
	} else {
		o->v2 = lineage_v2__open_opts(&opts);
		if (!o->v2)
			return -errno;
		SET_FACTS(o->v2, facts, options);
		o->object = o->v2->obj;
	}
	return 0;
}

void probe_unload(struct probe_opened *o)
{
	lineage_v2__destroy(o->v2);
	lineage_v3__destroy(o->v3);
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

int probe_load(struct probe_opened *o, const struct probe_options *options,
	       struct probe_problem *problem)
{
	struct kernel_facts facts = {0};
	int r;

	libbpf_set_print(keep_words);
	probe_said[0] = 0;
	raise_memlock();
	r = learn_kernel(&facts, options);
	if (r == 0)
		r = open_skeleton(o, &facts, options);
	if (r == 0)
		r = size_maps(o->object, options);
	if (r == 0)
		r = bpf_object__load(o->object);
	if (r < 0)
		explain_load(problem, r);
	/* To callers, EINVAL is a configuration that makes no sense. */
	return r == -EINVAL ? -EOPNOTSUPP : r;
}
