/* SPDX-License-Identifier: Apache-2.0 */
/* Where each figure comes from, and when to write. */
#include "daemon/status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "schema/cleanup.h"

#define NS_PER_S 1000000000ULL

int status_init(struct status_reporter *s, const struct config *config, uint64_t now_boot_ns)
{
	CLEANUP_FCLOSE FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	*s = (struct status_reporter){.config = config, .started_boot_ns = now_boot_ns};
	if (!f || !fgets(s->boot_id, sizeof(s->boot_id), f))
		return f ? -EIO : -errno;
	s->boot_id[strcspn(s->boot_id, "\n")] = '\0';
	return 0;
}

static uint64_t events_of(const struct recorder_counters *c)
{
	return c->forks + c->execs + c->exits + c->cgroups + c->exec_failures;
}

static void take_sample(struct status_reporter *s, const struct recorder *r, uint64_t now)
{
	s->samples[s->samples_count++ % STATUS_SAMPLES] = (struct status_sample){
		.boot_ns = now,
		.produced = r->ring.consumer ? ring_produced(&r->ring) : 0,
		.events = events_of(&r->counters),
		.forks = r->counters.forks,
	};
}

static const struct status_sample *sample(const struct status_reporter *s, size_t back)
{
	size_t kept = s->samples_count < STATUS_SAMPLES ? s->samples_count : STATUS_SAMPLES;

	return back < kept ? &s->samples[(s->samples_count - 1 - back) % STATUS_SAMPLES] : NULL;
}

static void gather_rates(const struct status_reporter *s, const struct recorder *r, uint64_t now,
			 struct status *out)
{
	const struct status_sample *oldest = NULL, *x;
	uint64_t ms;

	for (size_t i = 0; (x = sample(s, i)); i++)
		oldest = x;
	ms = oldest ? (now - oldest->boot_ns) / 1000000 : 0;
	if (ms == 0)
		return;
	out->events_rate = (events_of(&r->counters) - oldest->events) * 1000000 / ms;
	out->processes_rate = (r->counters.forks - oldest->forks) * 1000000 / ms;
}

/* All that was in the ring at the newest sample that is committed is older than the lag. */
static void gather_lag(const struct status_reporter *s, const struct recorder *r, uint64_t now,
		       struct status *out)
{
	const struct status_sample *x;
	uint64_t produced;

	if (!r->ring.consumer)
		return;
	produced = ring_produced(&r->ring);
	out->ring_pending_bytes =
		produced > r->committed_position ? produced - r->committed_position : 0;
	if (out->ring_pending_bytes == 0)
		return;
	for (size_t i = 0; (x = sample(s, i)); i++) {
		out->lag_ns = now - x->boot_ns;
		if (x->produced <= r->committed_position)
			return;
	}
}

static void gather_recorder(const struct recorder *r, struct status *out)
{
	const struct recorder_counters *c = &r->counters;

	out->forks = c->forks;
	out->execs = c->execs;
	out->exits = c->exits;
	out->cgroups = c->cgroups;
	out->exec_failures = c->exec_failures;
	out->missed_runs = r->misses.lost;
	out->missing = r->ledger.lost;
	out->holes = r->ledger.holes_count;
	out->late = r->ledger.late;
	out->duplicates = r->ledger.duplicates;
	out->recovered = c->recovered;
	out->inferred = c->inferred;
	out->malformed = c->malformed + r->ring.malformed;
	out->hold_ns = c->longest_hold_ns;
	out->overflow_bytes = atomic_load(&r->overflow.bytes);
	out->overflow_most_bytes = atomic_load(&r->overflow.most_bytes);
	out->overflow_full = atomic_load(&r->overflow.full);
	out->batches = c->batches;
	out->committed = c->committed;
	out->batch_failures = c->failures;
	out->processes_known = r->book.living_count;
}

static void gather_probe(const struct probe *probe, struct status *out)
{
	CLEANUP_FREE struct lineage_counters *c = probe ? calloc((size_t)probe->cpus, sizeof(*c))
							: NULL;

	if (!c || probe_counters(probe, c) < 0)
		return;
	for (int i = 0; i < probe->cpus; i++) {
		out->lost_forks += c[i].lost[LINEAGE_FORK];
		out->lost_execs += c[i].lost[LINEAGE_EXEC];
		out->lost_exits += c[i].lost[LINEAGE_EXIT];
		out->lost_cgroups += c[i].lost[LINEAGE_CGROUP];
		out->lost_failures += c[i].lost[LINEAGE_EXEC_FAILURE];
		out->cache_full += c[i].cache_full;
		out->cgroups_full += c[i].cgroups_full;
		out->args_unreadable += c[i].args_unreadable;
		out->filtered += c[i].filtered;
	}
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
	CLEANUP_FREE char *name = NULL;
	struct stat st;

	if (asprintf(&name, "%s%s", path, suffix) < 0)
		return 0;
	return stat(name, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

static uint64_t since(uint64_t then, uint64_t now)
{
	return then && now > then ? now - then : 0;
}

static void gather_checkpoint(const struct checkpoint *c, uint64_t now, struct status *out)
{
	if (!c)
		return;
	out->checkpoints = atomic_load(&c->checkpoints);
	out->syncs = atomic_load(&c->syncs);
	out->sync_failures = atomic_load(&c->failures);
	out->wal_pinned_ns = since(atomic_load(&c->wal_pinned_ns), now);
	out->sync_ns = since(atomic_load(&c->synced_boot_ns), now);
}

static void gather_retain(const struct retain *r, struct status *out)
{
	out->limit_bytes = UINT64_MAX;
	if (!r)
		return;
	out->retention = retain_state(r);
	out->limit_bytes = r->limits.limit_bytes;
	/* Of the two limits of the log, the one in force. */
	out->wal_max_bytes = r->limits.log_bytes;
	out->free_bytes = (uint64_t)(r->limits.size.free_pages * r->limits.size.page_bytes);
	out->pruned_processes = r->counters.processes;
	out->pruned_rows = r->counters.rows;
	out->pruned_pages = r->counters.pages;
	out->sweeps = r->counters.sweeps;
	out->steps = r->counters.steps;
	out->longest_step_ns = r->counters.longest_step_ns;
	out->prune_failures = r->counters.failures + r->counters.sweeps_failed;
}

static uint64_t or_none(uint64_t value)
{
	return value ? value : UINT64_MAX;
}

static void gather_config(const struct config *c, struct status *out)
{
	out->database = c->database;
	out->max_use_bytes = or_none(c->max_use_bytes);
	out->keep_free_bytes = or_none(c->keep_free_bytes);
	out->max_retention_ns = or_none(c->max_retention_ns);
	out->wal_max_bytes = c->wal_max_bytes;
	out->ring_bytes = c->ring_bytes;
	out->overflow_max_bytes = c->overflow_bytes;
	out->cache_entries = c->cache_entries;
	out->batch_max = c->batch_max;
	out->args_max_bytes = c->args_max_bytes;
	out->commit_interval_ns = c->commit_interval_ns;
}

/* Resident pages; 0 where /proc does not say. */
static uint64_t resident_bytes(void)
{
	CLEANUP_FCLOSE FILE *f = fopen("/proc/self/statm", "re");
	unsigned long long all, resident = 0;

	if (!f || fscanf(f, "%llu %llu", &all, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void print_time(char out[40], int64_t unix_ns)
{
	time_t seconds = (time_t)(unix_ns / (int64_t)NS_PER_S);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

void status_gather(const struct status_reporter *s, const struct status_sources *sources,
		   uint64_t now, struct status *ret_status)
{
	const struct recorder *r = sources->recorder;
	int64_t offset = clock_read_offset();
	struct status out = {
		.refused = sources->refused,
		.refused_ns = sources->refused ? since(sources->refused_boot_ns, now) : 0,
		.uptime_ns = now - s->started_boot_ns,
		.database_bytes = file_bytes(s->config->database, ""),
		.wal_bytes = file_bytes(s->config->database, "-wal"),
		.rss_bytes = resident_bytes(),
	};

	memcpy(out.boot_id, s->boot_id, sizeof(out.boot_id));
	print_time(out.started, (int64_t)s->started_boot_ns + offset);
	print_time(out.written, (int64_t)now + offset);
	gather_config(s->config, &out);
	gather_recorder(r, &out);
	gather_rates(s, r, now, &out);
	gather_lag(s, r, now, &out);
	gather_probe(r->probe, &out);
	if (r->probe)
		out.ring_bytes = r->probe->ring_bytes;
	gather_checkpoint(sources->checkpoint, now, &out);
	gather_retain(sources->retain, &out);
	*ret_status = out;
}

bool status_tick(struct status_reporter *s, const struct status_sources *sources, uint64_t now,
		 struct status *ret_status)
{
	bool changed = events_of(&sources->recorder->counters) != s->written_events;
	uint64_t wait = changed ? STATUS_CHANGED_NS : STATUS_IDLE_NS;

	take_sample(s, sources->recorder, now);
	/* Ticks come a little early or late. */
	if (s->written_boot_ns && now - s->written_boot_ns + NS_PER_S / 4 < wait)
		return false;
	status_gather(s, sources, now, ret_status);
	s->written_boot_ns = now;
	s->written_events = events_of(&sources->recorder->counters);
	return true;
}
