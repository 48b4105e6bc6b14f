/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a recorder knows from the database: after it has been opened, and after every rollback.
 */
#include "daemon/recorder.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/decode.h"
#include "daemon/store_load.h"
#include "schema/cleanup.h"

static int load_cpu(const struct store_cpu *cpu, void *userdata)
{
	struct recorder *r = userdata;

	ledger_start(&r->ledger, cpu->cpu, cpu->first_seq, cpu->next_seq, cpu->unseen);
	return 0;
}

static int load_hole(const struct store_gap *gap, void *userdata)
{
	struct recorder *r = userdata;
	struct ledger_hole hole = {
		.gap_id = gap->gap_id,
		.cpu = (int)gap->cpu,
		.from_boot_ns = gap->from_boot_ns,
		.to_boot_ns = gap->to_boot_ns,
		.first = (uint64_t)gap->first_seq,
		.last = (uint64_t)gap->last_seq,
		.missing = (uint64_t)gap->lost,
		.recovered = (uint64_t)gap->recovered,
	};

	ledger_add_hole(&r->ledger, &hole);
	return 0;
}

static void load_number(int cpu, uint64_t seq, void *userdata)
{
	struct recorder *r = userdata;

	ledger_has_row(&r->ledger, cpu, seq);
}

/* A process may have lived for a while before one of its events was lost. */
#define NUMBERS_BEFORE_NS (60ULL * 1000 * 1000 * 1000)

static int load_holes(struct recorder *r)
{
	int result = store_each_hole(&r->store, load_hole, r);
	uint64_t since = UINT64_MAX;

	if (result < 0 || r->ledger.holes_count == 0)
		return result;
	/* Rows are in the order in which losses were found, on any CPU. */
	for (size_t i = 0; i < r->ledger.holes_count; i++)
		if (r->ledger.holes[i].from_boot_ns < since)
			since = r->ledger.holes[i].from_boot_ns;
	since = since > NUMBERS_BEFORE_NS ? since - NUMBERS_BEFORE_NS : 0;
	return store_each_number(&r->store, since, load_number, r);
}

/* A record that is still being written is there a moment later; this often a millisecond. */
#define SETTLE_TIMES 100

/* The lowest number of each CPU that the ring still holds; first[] stays where there is none. */
static int find_first(struct recorder *r, uint64_t *first)
{
	uint64_t until = ring_produced(&r->ring);
	const void *bytes;
	size_t length;
	int result = 0;

	ring_seek(&r->ring, ring_oldest(&r->ring));
	for (int i = 0; i < SETTLE_TIMES && r->ring.cursor < until; i++) {
		while ((result = ring_next(&r->ring, &bytes, &length)) > 0) {
			const struct lineage_header *h = bytes;
			int kind = decode_record(bytes, length);

			if (kind >= 0 && kind != LINEAGE_CGROUP && h->cpu < r->ledger.cpus_count &&
			    h->seq < first[h->cpu])
				first[h->cpu] = h->seq;
		}
		if (result < 0)
			return result;
		if (r->ring.cursor < until)
			usleep(1000);
	}
	return 0;
}

/* This is where the record of a CPU begins; what was counted before is not in this ring. */
static void begin_cpu(struct recorder *r, int cpu, uint64_t first)
{
	struct ledger_cpu *c = &r->ledger.cpus[cpu];

	if (!c->known) {
		ledger_start(&r->ledger, cpu, first, first, 0);
		c->changed = first > 0;
		r->ledger.changed |= c->changed;
	} else if (first > c->next_seq) {
		ledger_skip(&r->ledger, cpu, first);
		if (r->before == BEFORE_STORED)
			r->before = BEFORE_GONE;
	}
}

/* More than the programs can take while numbers are being raised. */
#define NUMBERS_APART 1000000000ULL

/*
 * Programs that were loaded for another database may count with numbers that this one has given
 * already: they go on above those. 1 if so; what is in the ring by then is not for this database.
 */
static int raise_numbers(struct recorder *r, struct lineage_counters *counters)
{
	uint64_t most = 0;
	bool low = false;
	uint32_t zero = 0;

	for (int i = 0; i < r->probe->cpus; i++) {
		const struct ledger_cpu *c = &r->ledger.cpus[i];

		low |= c->known && counters[i].next_seq < c->next_seq;
		if (most < c->next_seq)
			most = c->next_seq;
		if (most < counters[i].next_seq)
			most = counters[i].next_seq;
	}
	for (int i = 0; low && i < r->probe->cpus; i++)
		counters[i].first_seq = counters[i].next_seq = most + NUMBERS_APART;
	if (low &&
	    bpf_map_update_elem(r->probe->maps[PROBE_MAP_COUNTERS], &zero, counters, BPF_ANY) < 0)
		return -errno;
	return low;
}

/* Paths that have been told to the other database are told again. */
static void forget_told_cgroups(struct recorder *r)
{
	struct lineage_cgroup_key key;
	int fd = r->probe->maps[PROBE_MAP_CGROUPS];

	__atomic_add_fetch(&r->probe->control->cgroups_emptied, 1, __ATOMIC_SEQ_CST);
	while (bpf_map_get_next_key(fd, NULL, &key) == 0)
		if (bpf_map_delete_elem(fd, &key) < 0)
			break;
}

/*
 * Numbers that the database has not heard of begin where the maps began to count: new maps go on
 * where the database ended, or at a distance while other programs are still counting. Of a ring
 * that has been read into another database, they begin with what it still holds.
 */
static int begin_cpus(struct recorder *r, uint64_t *position)
{
	CLEANUP_FREE struct lineage_counters *counters =
		calloc((size_t)r->probe->cpus, sizeof(*counters));
	CLEANUP_FREE uint64_t *first = calloc((size_t)r->probe->cpus, sizeof(*first));
	uint64_t oldest = ring_oldest(&r->ring), produced = ring_produced(&r->ring);
	int result = counters && first ? probe_counters(r->probe, counters) : -ENOMEM;
	/* Room is given back after the commit: whoever did so has another database. */
	bool elsewhere = *position < oldest;
	int raised = 0;

	if (result == 0 && elsewhere) {
		forget_told_cgroups(r);
		result = raised = raise_numbers(r, counters);
	}
	if (elsewhere)
		*position = raised > 0 ? produced : oldest;
	r->before = elsewhere ? BEFORE_ELSEWHERE : BEFORE_STORED;
	for (int i = 0; result >= 0 && i < r->probe->cpus; i++)
		first[i] = elsewhere ? counters[i].next_seq : counters[i].first_seq;
	if (result == 0 && elsewhere)
		result = find_first(r, first);
	for (int i = 0; result >= 0 && i < r->probe->cpus; i++)
		begin_cpu(r, i, first[i]);
	return result < 0 ? result : 0;
}

/* Ticks account for every number taken; this is long enough for one of them to have come through.
 */
#define SETTLED_NS (60ULL * 1000 * 1000 * 1000)

/* What is found to be missing from now on was lost after the last sign of life, or shortly before.
 */
static int date_cpus(struct recorder *r)
{
	uint64_t since = r->options.run.started_boot_ns;
	int result = store_last_life(&r->store, &since);

	ledger_since(&r->ledger, since > SETTLED_NS ? since - SETTLED_NS : 0);
	return result < 0 ? result : 0;
}

static int read_rows(struct recorder *r)
{
	int result = store_reload_ids(&r->store);

	if (result == 0)
		result = intern_forget(&r->intern);
	if (result == 0)
		result = store_each_cpu(&r->store, load_cpu, r);
	if (result == 0)
		result = load_holes(r);
	if (result == 0)
		result = store_each_alive(&r->store, book_add_stored, &r->book);
	if (result == 0)
		result = recover_list_unknown(r);
	return result < 0 ? result : recover_read_snapshot(r);
}

int recorder_reload(struct recorder *r)
{
	uint64_t position = 0;
	int result = store_rollback(&r->store);

	r->stale = true;
	book_forget(&r->book);
	ledger_forget(&r->ledger);
	r->clock.known = false;
	r->sweep_due = true;
	r->misses.program = 0;
	r->unknown_count = r->taught_count = 0;
	if (result == 0)
		result = read_rows(r);
	if (result == 0)
		result = store_get_ring_position(&r->store, r->probe->control->ring_id, &position);
	if (result == 0)
		result = begin_cpus(r, &position);
	if (result == 0)
		result = date_cpus(r);
	if (result < 0)
		return result;
	ring_release(&r->ring, position);
	ring_seek(&r->ring, position);
	r->committed_position = r->batch_position = position;
	r->reload_boot_ns = clock_boot_ns();
	r->stale = false;
	return 0;
}
