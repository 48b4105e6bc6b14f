/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's figures as files: StatusFile= (JSON, for lineage-query status) and MetricsFile= (for
 * node_exporter's textfile collector). Two files take turns under each name, so a reader who opens
 * it sees a whole one; who has it open for longer than STATUS_CHANGED_NS may see parts of the next.
 *
 * JSON: numbers are integers; keys that end in _seconds are decimal numbers. A key whose value is
 * not known is left out. In this order:
 *
 *   version, pid, boot_id, database   strings, and an integer
 *   started, written                  RFC 3339 UTC: this run; this file
 *   uptime_seconds
 *   state                             "recording", or "writing is refused: WHY"
 *   refused_seconds                   since when it is refused
 *   retention                         what it does: see retain_state()
 *   and objects, each figure of which is a row of the table in status.c:
 *   events, rates, losses, delays, batches, sizes, limits, pruning, memory
 *
 * Metrics: lineaged_* with HELP and TYPE; see the same table.
 */
#ifndef LINEAGED_STATUS_H
#define LINEAGED_STATUS_H

#include <stdbool.h>
#include <stdio.h>

#include "daemon/config.h"
#include "daemon/recorder.h"
#include "daemon/retain.h"

/* Not more often, while something changes; and at least so often, to show that it lives. */
#define STATUS_CHANGED_NS (2ULL * 1000000000)
#define STATUS_IDLE_NS	  (10ULL * 1000000000)
/* Rates are over so much time; one sample per second. */
#define STATUS_SAMPLES 61

struct status {
	char boot_id[40];
	char started[40], written[40]; /* RFC 3339 */
	const char *database;
	const char *retention;		/* NULL: not there */
	const char *refused;		/* NULL: writes; else why not */
	uint64_t refused_ns, uptime_ns; /* durations */

	/* events: records applied, since this start */
	uint64_t forks, execs, exits, cgroups, exec_failures;
	/* rates over the last minute, thousandths per second */
	uint64_t events_rate, processes_rate;
	/* losses. The first group counts since the maps were made */
	uint64_t lost_forks, lost_execs, lost_exits, lost_cgroups, lost_failures;
	uint64_t cache_full, cgroups_full, args_unreadable, missed_runs, filtered;
	uint64_t missing, holes, late, duplicates, recovered, inferred, malformed;
	/* delays */
	uint64_t lag_ns;  /* age of the oldest record that is not committed; by the second */
	uint64_t hold_ns; /* longest time that the ring was not given back */
	uint64_t sync_ns; /* since when nothing has been forced to the disk */
	/* batches */
	uint64_t batches, committed, batch_failures, checkpoints, syncs, sync_failures;
	/* sizes, bytes */
	uint64_t database_bytes, wal_bytes, free_bytes, ring_pending_bytes;
	uint64_t overflow_bytes, overflow_most_bytes; /* its maps now; most that waited in them */
	uint64_t overflow_full;			      /* times that there was no room in it */
	uint64_t wal_pinned_ns;	  /* for how long a reader has kept the log; 0: none does */
	uint64_t processes_known; /* living ones */
	/* limits in force; UINT64_MAX: none */
	uint64_t limit_bytes, max_use_bytes, keep_free_bytes, max_retention_ns, wal_max_bytes;
	uint64_t ring_bytes, overflow_max_bytes, cache_entries, batch_max, args_max_bytes,
		commit_interval_ns;
	/* pruning */
	uint64_t pruned_processes, pruned_rows, pruned_pages, sweeps, steps, longest_step_ns;
	uint64_t prune_failures;
	/* memory */
	uint64_t rss_bytes;
};

struct status_sample {
	uint64_t boot_ns, produced, events, forks;
};

struct status_reporter {
	const struct config *config;
	char boot_id[40];
	uint64_t started_boot_ns;
	struct status_sample samples[STATUS_SAMPLES];
	size_t samples_count; /* ever taken */
	uint64_t written_boot_ns;
	uint64_t written_events; /* what stood there: changed or not */
};

/* Where figures come from; retain and checkpoint may be NULL, recorder may have no open database.
 */
struct status_sources {
	const struct recorder *recorder;
	const struct checkpoint *checkpoint;
	const struct retain *retain;
	const char *refused;	  /* NULL, or why the database does not take what it is given */
	uint64_t refused_boot_ns; /* since when */
};

int status_init(struct status_reporter *s, const struct config *config, uint64_t now_boot_ns);

/* Once per second: takes a sample. True: it is time to write what is in *ret_status now. */
bool status_tick(struct status_reporter *s, const struct status_sources *sources,
		 uint64_t now_boot_ns, struct status *ret_status);
/* Of all sources as they are now. */
void status_gather(const struct status_reporter *s, const struct status_sources *sources,
		   uint64_t now_boot_ns, struct status *ret_status);
int status_print_json(FILE *out, const struct status *status);
int status_print_metrics(FILE *out, const struct status *status);

#endif
