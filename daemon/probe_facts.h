/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs, and whoever chooses among them, must know of the running kernel.
 */
#ifndef LINEAGED_PROBE_FACTS_H
#define LINEAGED_PROBE_FACTS_H

#include "daemon/probe.h"

/* What the kernel's functions for system calls begin with. */
#if defined(__aarch64__)
#define PROBE_SYSCALL	     "__arm64_sys_"
#define PROBE_SYSCALL_COMPAT "__arm64_compat_sys_"
#else
#define PROBE_SYSCALL	     "__x64_sys_"
#define PROBE_SYSCALL_COMPAT "__ia32_compat_sys_"
#endif

struct probe_facts {
	bool loops;	       /* bpf_loop is there: the v3_probe object loads */
	bool casts;	       /* so is bpf_rdonly_cast: the v3 object loads */
	bool group_dead;       /* sched_process_exit says itself whether the process ends */
	bool may_probe_kernel; /* lockdown is not confidentiality */
	bool preempts; /* programs may be preempted, and the next runs be left out: v3_preempted */
	bool fexit_preempted; /* those at the ends of functions may be, on other kernels too */
	bool compat;	      /* 32-bit programs run here and have system calls of their own */
	bool fexit;	      /* programs can be attached to the ends of functions */
	bool fexit_sleeps;    /* and may wait there */
	int v1_subsys;
};

/* wants_fexit: find that out, too, which takes a moment. */
int probe_facts_learn(struct probe_facts *facts, const struct probe_options *options,
		      bool wants_fexit);

/* As `uname -r` and `uname -v` say it. */
bool probe_facts_preempts(const char *release, const char *version);

/* Failed execs as these facts and the configuration allow. */
enum probe_failures probe_facts_failures(const struct probe_facts *facts,
					 enum probe_failures wanted);

#endif
