/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/caps.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>

#include "schema/cleanup.h"

/* Headers of the build machine may be older than 5.8. */
#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#endif
#ifndef CAP_BPF
#define CAP_BPF 39
#endif

const struct cap_need cap_needs[] = {
	{CAP_BPF, CAP_SYS_ADMIN, true, "CAP_BPF", "to load the BPF programs and make their maps",
	 NULL},
	{CAP_PERFMON, CAP_SYS_ADMIN, true, "CAP_PERFMON",
	 "to attach the programs and read kernel memory in them", NULL},
	{CAP_SYS_PTRACE, -1, false, "CAP_SYS_PTRACE",
	 "to read exe and cwd of processes that run already",
	 "processes that ran before the recorder will have no paths"},
	{CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE, false, "CAP_DAC_READ_SEARCH",
	 "to pass through /sys/fs/bpf and read the names of containers",
	 "containers will have ids but no names"},
};

const size_t cap_needs_count = ARRAY_SIZE(cap_needs);

int caps_read(const char *status_file, uint64_t *ret_effective)
{
	CLEANUP_FCLOSE FILE *f = fopen(status_file, "re");
	CLEANUP_FREE char *line = NULL;
	size_t size = 0;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) >= 0) {
		if (sscanf(line, "CapEff: %" SCNx64, ret_effective) == 1)
			return 0;
	}
	return -ENODATA;
}

bool caps_have(uint64_t effective, const struct cap_need *need)
{
	return effective >> need->number & 1 ||
	       (need->instead >= 0 && effective >> need->instead & 1);
}
