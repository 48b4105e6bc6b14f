/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/probe_facts.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "schema/cleanup.h"

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

/* Of an enum of the kernel's; -1: it has no such name. */
static int find_value(const struct btf *btf, const char *of, const char *name)
{
	int id = btf__find_by_name_kind(btf, of, BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; t && i < btf_vlen(t); i++) {
		const struct btf_enum *e = btf_enum(t) + i;

		if (strcmp(btf__name_by_offset(btf, e->name_off), name) == 0)
			return e->val;
	}
	return -1;
}

/* /proc/cgroups calls blkio what the enum calls io. */
static int find_subsys(const struct btf *btf, const char *controller)
{
	char name[64];

	if (!controller)
		return -1;
	snprintf(name, sizeof(name), "%s_cgrp_id", strcmp(controller, "blkio") ? controller : "io");
	return find_value(btf, "cgroup_subsys_id", name);
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

/* 6.10 and 6.14, so that no kernel that is known lacks them where programs may be preempted. */
static bool has_preempt_calls(const struct btf *btf)
{
	return has_function(btf, "bpf_preempt_disable") && has_function(btf, "bpf_local_irq_save");
}

static bool is_confidential(void)
{
	char line[128] = "";
	CLEANUP_FCLOSE FILE *f = fopen("/sys/kernel/security/lockdown", "re");

	return f && fgets(line, sizeof(line), f) && strstr(line, "[confidentiality]");
}

/*
 * Tracepoints switch preemption off until 6.18. A kernel that never preempts itself says no PREEMPT
 * in its version.
 */
bool probe_facts_preempts(const char *release, const char *version)
{
	unsigned major = 0, minor = 0;

	if (sscanf(release, "%u.%u", &major, &minor) != 2)
		return true;
	return (major > 6 || (major == 6 && minor > 18)) && strstr(version, "PREEMPT");
}

/*
 * Whether the registers that a system call is given can be looked at: 5.10 has functions among
 * whose types struct pt_regs is only declared.
 */
static bool shows_registers(const struct btf *btf, const char *function)
{
	int id = btf__find_by_name_kind(btf, function, BTF_KIND_FUNC);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;

	t = t ? btf__type_by_id(btf, t->type) : NULL;
	if (!t || !btf_is_func_proto(t) || btf_vlen(t) != 1)
		return false;
	t = btf__type_by_id(btf, btf_params(t)->type);
	while (t && (btf_is_ptr(t) || btf_is_mod(t)))
		t = btf__type_by_id(btf, t->type);
	return t && btf_is_struct(t);
}

/*
 * Whether such a program can be attached depends on how the kernel was built, on the architecture,
 * and on what it is run under. Only attaching one tells: one that does nothing, for a moment.
 */
static bool can_fexit(const struct btf *btf, uint32_t flags)
{
	const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int id = btf__find_by_name_kind(btf, PROBE_SYSCALL "execve", BTF_KIND_FUNC);
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = flags,
		    .expected_attach_type = BPF_TRACE_FEXIT,
		    .attach_btf_id = id > 0 ? (uint32_t)id : 0);
	CLEANUP_CLOSE int program = -1, link = -1;

	if (id > 0)
		program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "try_fexit", "GPL", nothing,
					ARRAY_SIZE(nothing), &opts);
	if (program >= 0)
		link = bpf_raw_tracepoint_open(NULL, program);
	return link >= 0;
}

int probe_facts_learn(struct probe_facts *facts, const struct probe_options *options,
		      bool wants_fexit)
{
	struct btf *btf = options->btf_path ? btf__parse(options->btf_path, NULL)
					    : btf__load_vmlinux_btf();
	struct utsname node = {0};

	if (!btf || libbpf_get_error(btf))
		return -ENOENT;
	uname(&node);
	facts->loops = find_value(btf, "bpf_func_id", "BPF_FUNC_loop") >= 0;
	/* 6.2. Where it is missing, libbpf would look for it in the types of every module, which
	 * takes CAP_SYS_ADMIN: hence objects without it. */
	facts->casts = has_function(btf, "bpf_rdonly_cast");
	facts->group_dead = has_group_dead(btf);
	facts->may_probe_kernel = !is_confidential();
	facts->preempts = probe_facts_preempts(node.release, node.version) &&
			  has_preempt_calls(btf);
	/* A spare program too many does no harm. */
	facts->fexit_preempted = strstr(node.version, "PREEMPT");
	facts->v1_subsys = find_subsys(btf, options->v1_controller);
	facts->compat = shows_registers(btf, PROBE_SYSCALL_COMPAT "execve") &&
			shows_registers(btf, PROBE_SYSCALL_COMPAT "execveat");
	facts->fexit = wants_fexit && shows_registers(btf, PROBE_SYSCALL "execve") &&
		       shows_registers(btf, PROBE_SYSCALL "execveat") && can_fexit(btf, 0);
	facts->fexit_sleeps = facts->fexit && can_fexit(btf, BPF_F_SLEEPABLE);
	btf__free(btf);
	return 0;
}

enum probe_failures probe_facts_failures(const struct probe_facts *facts,
					 enum probe_failures wanted)
{
	/* They are called in a task that only a read of kernel memory, or a cast, can look at. */
	if (!facts->casts && !facts->may_probe_kernel)
		return PROBE_FAILURES_NO;
	if (wanted == PROBE_FAILURES_YES)
		return facts->fexit ? PROBE_FAILURES_FEXIT : PROBE_FAILURES_TRACEPOINT;
	if (wanted == PROBE_FAILURES_FEXIT && !facts->fexit)
		return PROBE_FAILURES_NO;
	return wanted;
}
