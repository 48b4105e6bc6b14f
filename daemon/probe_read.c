/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs that are attached are asked: their counters, what the kernel counts of them, and a
 * snapshot.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "daemon/probe.h"
#include "schema/cleanup.h"

int probe_counters(const struct probe *probe, struct lineage_counters *counters)
{
	uint32_t zero = 0;

	return bpf_map_lookup_elem(probe->maps[PROBE_MAP_COUNTERS], &zero, counters) < 0 ? -errno
											 : 0;
}

/* Of the programs that are attached by these links, those that are there. */
static int missed_by(const struct probe *probe, int first_link, int last_link, uint64_t *ret_missed)
{
	uint64_t missed = 0;

	for (int i = first_link; i <= last_link; i++) {
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		if (probe->programs[i] < 0)
			continue;
		if (bpf_obj_get_info_by_fd(probe->programs[i], &info, &size) < 0)
			return -errno;
		missed += info.recursion_misses;
	}
	*ret_missed = missed;
	return 0;
}

static int made_good(const struct probe *probe, uint64_t ret_runs[PROBE_PAIRS],
		     uint64_t *ret_unsure)
{
	CLEANUP_FREE struct lineage_counters *counters =
		calloc((size_t)probe->cpus, sizeof(*counters));
	int r = counters ? probe_counters(probe, counters) : -ENOMEM;

	for (int i = 0; r == 0 && i < probe->cpus; i++) {
		ret_runs[PROBE_PAIR_LIVES] += counters[i].sent_by_spare;
		ret_runs[PROBE_PAIR_FAILURES] += counters[i].failures_by_spare;
		*ret_unsure += counters[i].spare_unsure;
	}
	return r;
}

static const struct {
	enum probe_link first, last, first_spare, last_spare;
} pair_links[PROBE_PAIRS] = {
	[PROBE_PAIR_LIVES] = {PROBE_LINK_EXEC, PROBE_LINK_FORK, PROBE_LINK_SPARE_EXEC,
			      PROBE_LINK_SPARE_FORK},
	[PROBE_PAIR_FAILURES] = {PROBE_LINK_FAILED_EXECVE, PROBE_LINK_FAILED_EXECVEAT32,
				 PROBE_LINK_SPARE_FAILED_EXECVE,
				 PROBE_LINK_SPARE_FAILED_EXECVEAT32},
};

/*
 * Read from the last step of an event to its first: what a spare program has made good, the main
 * one has missed, and is counted so. The tracepoint for failed execs is left out: it runs at each
 * system call, and what it misses is hardly ever an exec that fails.
 */
int probe_misses(const struct probe *probe, struct probe_misses *ret_misses)
{
	struct probe_misses m = {0};
	uint64_t good[PROBE_PAIRS] = {0}, unsure = 0;
	int r = made_good(probe, good, &unsure);

	for (int i = 0; r == 0 && i < PROBE_PAIRS; i++) {
		m.of[i].has_spare = probe->programs[pair_links[i].first_spare] >= 0;
		r = missed_by(probe, pair_links[i].first_spare, pair_links[i].last_spare,
			      &m.of[i].spare);
		if (r == 0)
			r = missed_by(probe, pair_links[i].first, pair_links[i].last,
				      &m.of[i].unsent);
		m.of[i].unsent -= good[i];
	}
	/* As good as left out. */
	m.of[PROBE_PAIR_LIVES].spare += unsure;
	if (r == 0)
		*ret_misses = m;
	return r;
}

int probe_program_id(const struct probe *probe, uint32_t *ret_id)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(probe->programs[PROBE_LINK_FORK], &info, &size) < 0)
		return -errno;
	*ret_id = info.id;
	return 0;
}

int probe_snapshot_fd(const struct probe *probe, int *ret_fd)
{
	int fd = bpf_iter_create(probe->links[PROBE_LINK_SNAPSHOT]);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}
