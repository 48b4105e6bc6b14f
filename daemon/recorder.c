/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/recorder.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store_load.h"
#include "schema/cleanup.h"

/* For how long, and how many of them at most, ended processes are held with all that is known: a
 * record of theirs may cross on another CPU. Later ones are read back. */
#define ENDED_NS  (1ULL * 1000 * 1000 * 1000)
#define ENDED_MAX 1024
/* Entries of process_cache freed at once, and how often in a row at most: a storm ends 100 000
 * processes a second. */
#define FREE_MAX   1024
#define FREE_TIMES 32
/* Memory is given back to the system when so many processes were held and three of four have gone.
 */
#define TRIM_AFTER 2048
/* And when so many records have been stored and no more are there. */
#define REST_AFTER (64 * 1024)

static int open_ring(struct recorder *r)
{
	struct overflow_options options = {
		.directory = r->options.overflow_directory,
		.ring_id = r->probe->control->ring_id,
		.most_bytes = r->options.overflow_bytes,
	};
	int result = ring_open(&r->ring, r->probe->maps[PROBE_MAP_EVENTS], r->probe->ring_bytes);

	return result < 0 ? result : overflow_open(&r->overflow, &r->ring, &options);
}

int recorder_init(struct recorder *r, const struct recorder_options *options, struct probe *probe)
{
	int result;

	*r = (struct recorder){.options = *options, .probe = probe};
	book_init(&r->book);
	result = dictionary_seed();
	if (result == 0)
		result = ledger_init(&r->ledger, probe->cpus);
	if (result == 0)
		result = leaving_init(&r->leaving);
	r->free_keys = calloc(FREE_MAX, sizeof(*r->free_keys));
	if (result == 0 && !r->free_keys)
		result = -ENOMEM;
	if (result == 0)
		result = open_ring(r);
	if (result < 0)
		recorder_deinit(r);
	return result;
}

void recorder_deinit(struct recorder *r)
{
	recorder_close(r);
	overflow_close(&r->overflow);
	ring_close(&r->ring);
	ledger_deinit(&r->ledger);
	leaving_deinit(&r->leaving);
	switchover_deinit(&r->switchover);
	free(r->free_keys);
	free(r->unknown);
	free(r->taught);
	r->free_keys = NULL;
	r->unknown = NULL;
	r->taught = NULL;
}

static int note_clock(struct recorder *r)
{
	int64_t offset = clock_read_offset();
	bool first;
	int result;

	if (!r->clock.known) {
		result = store_last_offset(&r->store, &r->clock.offset_ns);
		if (result < 0)
			return result;
		r->clock.known = result > 0;
	}
	first = !r->clock.known;
	if (!clock_stepped(&r->clock, offset))
		return 0;
	return store_clock(&r->store, first ? 0 : clock_boot_ns(), offset);
}

void recorder_close(struct recorder *r)
{
	if (!r->store.db)
		return;
	book_forget(&r->book);
	intern_deinit(&r->intern);
	store_close(&r->store);
}

static int note_ring(struct recorder *r)
{
	return store_ring_position(&r->store, r->probe->control->ring_id, r->batch_position);
}

/* What changed, in rows: processes, then the ledger, then how far the ring has been read. */
static int write_changes(struct recorder *r)
{
	int result = 0;

	for (struct process *p = r->book.changed; p && result == 0; p = p->next)
		result = store_process(&r->store, p);
	for (size_t i = 0; result == 0 && r->ledger.changed && i < r->ledger.holes_count; i++)
		result = recover_write_hole(r, &r->ledger.holes[i]);
	for (int i = 0; result == 0 && r->ledger.changed && i < r->ledger.cpus_count; i++) {
		const struct ledger_cpu *c = &r->ledger.cpus[i];

		if (c->changed)
			result = store_cpu_position(&r->store, i, c->first_seq, c->next_seq,
						    c->unseen);
	}
	if (result < 0 || r->batch_position == r->committed_position)
		return result;
	/* After a power cut, this is how far the record of that boot reaches. */
	r->alive_boot_ns = clock_boot_ns();
	result = store_run_alive(&r->store, r->read_boot_ns);
	return result < 0 ? result : note_ring(r);
}

static int commit(struct recorder *r)
{
	int result = write_changes(r);

	if (result == 0)
		result = store_commit(&r->store);
	if (result < 0)
		return result;
	ring_release(&r->ring, r->batch_position);
	r->committed_position = r->batch_position;
	book_committed(&r->book, clock_boot_ns());
	ledger_committed(&r->ledger);
	r->counters.batches++;
	return 0;
}

/* What was recorded before and is not in this database: how much, nobody knows. */
static int note_before(struct recorder *r)
{
	if (r->before == BEFORE_STORED)
		return 0;
	/* A database without a run in this boot misses all of it. */
	return recover_note_absence(
		r, r->before == BEFORE_ELSEWHERE ? GAP_DATABASE_BEGUN : GAP_RING_GONE, true);
}

int recorder_open(struct recorder *r)
{
	int result = store_open(&r->store, r->options.database);

	if (result < 0)
		return result;
	result = intern_init(&r->intern, &r->store, r->options.root, r->options.v1_hierarchy);
	if (result == 0)
		result = recorder_reload(r);
	if (result == 0)
		result = store_begin(&r->store);
	if (result == 0)
		result = store_close_boots(&r->store);
	if (result == 0)
		result = note_clock(r);
	if (result == 0)
		result = note_before(r);
	if (result == 0)
		result = recover_runs(r);
	if (result == 0)
		result = store_run_begin(&r->store, &r->options.run);
	/* From now on the database knows of this ring, and where its numbers begin. */
	if (result == 0)
		result = note_ring(r);
	if (result == 0)
		result = commit(r);
	if (result == 0)
		result = overflow_start(&r->overflow);
	if (result < 0)
		recorder_close(r);
	return result;
}

static int fail(struct recorder *r, int error);

/* Where reading back failed, too, that comes first: until then memory is worth nothing. */
static int begin(struct recorder *r)
{
	int result = r->stale ? recorder_reload(r) : 0;

	return result < 0 ? result : store_begin(&r->store);
}

int recorder_transaction(struct recorder *r, int (*work)(struct recorder *, void *), void *userdata)
{
	int result = begin(r);

	if (result == 0)
		result = work(r, userdata);
	if (result == 0)
		result = commit(r);
	return result < 0 ? fail(r, result) : 0;
}

static int fail(struct recorder *r, int error)
{
	int result;

	r->counters.failures++;
	/* Somebody else writes: nothing has begun, and what waits in memory goes on waiting. */
	if (error == SCHEMA_E_BUSY && !r->stale && !r->store.in_transaction)
		return error;
	result = recorder_reload(r);
	return result < 0 ? result : error;
}

/* Reads up to the limit; *ret_more says that the limit was met. */
static int read_records(struct recorder *r, bool *ret_more)
{
	uint64_t n = 0;
	int result = 0;

	while (n < r->options.batch_max) {
		const void *bytes;
		size_t length;
		int kind;

		result = ring_next(&r->ring, &bytes, &length);
		if (result <= 0)
			break;
		kind = decode_record(bytes, length);
		if (kind < 0) {
			r->counters.malformed++;
			result = 0;
		} else {
			result = apply_record(r, kind, bytes);
			r->read_boot_ns = ((const struct lineage_header *)bytes)->boot_ns;
		}
		if (result < 0)
			return result;
		r->batch_position = r->ring.cursor;
		n++;
	}
	r->counters.committed += n;
	*ret_more = result > 0 || n == r->options.batch_max;
	return result < 0 ? result : 0;
}

/* The entry of a process may go once its end is committed, and its time is over. */
static uint32_t free_cache(struct recorder *r, uint64_t now)
{
	uint64_t keep = r->options.cache_keep_ns;
	uint64_t hold = keep < ENDED_NS ? keep : ENDED_NS;
	size_t most = r->options.cache_entries / 4;
	uint32_t count = 0;
	struct process *p;

	while (!leaving_is_full(&r->leaving) &&
	       (p = book_take_ended(&r->book, now > hold ? now - hold : 0, ENDED_MAX))) {
		/* What the programs have freed may have been put back in a take-over. */
		if (!p->freed || p->key.start_boot_ns < r->options.carried_boot_ns)
			leaving_put(&r->leaving, &p->key, p->ended_boot_ns);
		book_free_process(p);
	}
	if (most > LEAVING_MAX / 2)
		most = LEAVING_MAX / 2;
	while (count < FREE_MAX &&
	       leaving_take(&r->leaving, now > keep ? now - keep : 0, most, &r->free_keys[count]))
		count++;
	r->counters.cache_freed += count;
	/* An entry that is not there any more ends the batch early: the rest goes one by one. */
	for (uint32_t done = 0; done < count;) {
		uint32_t n = count - done;
		int error = bpf_map_delete_batch(r->probe->maps[PROBE_MAP_CACHE],
						 r->free_keys + done, &n, NULL);

		done += n;
		if (error == 0)
			break;
		if (done < count)
			bpf_map_delete_elem(r->probe->maps[PROBE_MAP_CACHE], r->free_keys + done);
		done++;
	}
	return count;
}

void recorder_free_cache(struct recorder *r)
{
	size_t held = r->book.living_count + r->book.ended_count;
	uint64_t now = clock_boot_ns();

	for (int i = 0; i < FREE_TIMES && free_cache(r, now) == FREE_MAX; i++)
		;
	if (held > r->most_held)
		r->most_held = held;
	held = r->book.living_count + r->book.ended_count;
	if (r->most_held > TRIM_AFTER && held < r->most_held / 4) {
		malloc_trim(0);
		r->most_held = held;
	}
}

/* There is nothing to do: what the work before has left in memory may go. */
static void rest(struct recorder *r)
{
	if (r->counters.committed - r->rested < REST_AFTER)
		return;
	r->rested = r->counters.committed;
	ring_unmap(&r->ring.window);
	store_rest(&r->store);
	malloc_trim(0);
}

int recorder_batch(struct recorder *r)
{
	uint64_t began = clock_boot_ns();
	bool more = false;
	int result;

	if (!r->stale && ring_produced(&r->ring) == r->ring.cursor && !r->book.changed &&
	    !r->ledger.changed) {
		r->read_boot_ns = began;
		rest(r);
		return 0;
	}
	result = begin(r);
	if (result == 0)
		result = note_clock(r);
	if (result == 0)
		result = read_records(r, &more);
	if (result == 0)
		result = recover_unknown(r);
	if (result == 0 && !more)
		r->read_boot_ns = began;
	if (result == 0)
		result = commit(r);
	if (result < 0)
		return fail(r, result);
	/* In a storm they come faster than whoever calls this gets round to it. */
	if (r->book.ended_count > 2 * ENDED_MAX)
		recorder_free_cache(r);
	return more;
}

int recorder_read_to(struct recorder *r, uint64_t position)
{
	int result;

	do
		result = recorder_batch(r);
	while (result > 0 && r->ring.cursor < position);
	return result < 0 ? result : 0;
}

/* Numbers that were taken and whose records can no longer come. */
static int find_trailing_losses(struct recorder *r)
{
	CLEANUP_FREE struct lineage_counters *counters =
		calloc((size_t)r->probe->cpus, sizeof(*counters));
	int result = counters ? probe_counters(r->probe, counters) : -ENOMEM;
	uint64_t until = ring_produced(&r->ring);

	if (result == 0)
		result = recorder_read_to(r, until);
	/* Something is still being written: next time. */
	if (result < 0 || r->ring.cursor < until)
		return result;
	for (int i = 0; i < r->probe->cpus; i++)
		if (counters[i].next_seq > r->ledger.cpus[i].next_seq)
			ledger_taken(&r->ledger, i, counters[i].next_seq, clock_boot_ns());
	return 0;
}

/* A sign of life so often: a crash is then known to this much, and an idle disk may sleep. */
#define ALIVE_NS (30ULL * 1000 * 1000 * 1000)

static int tick(struct recorder *r, void *userdata)
{
	uint64_t now = clock_boot_ns();
	int result = note_clock(r);

	if (result == 0 && now - r->alive_boot_ns >= ALIVE_NS) {
		result = store_run_alive(&r->store, r->read_boot_ns);
		r->alive_boot_ns = now;
	}
	if (result == 0 && now - r->misses.boot_ns >= ALIVE_NS)
		result = recover_note_misses(r);
	if (result == 0)
		result = recover_unknown(r);
	if (result == 0)
		result = intern_name(&r->intern, now);
	return result == 0 && recover_is_due(r) ? recover_holes(r, userdata) : result;
}

static bool tick_is_due(const struct recorder *r)
{
	uint64_t now = clock_boot_ns();

	return r->ledger.changed || recover_is_due(r) || recover_unknown_is_due(r) ||
	       clock_would_step(&r->clock) || intern_name_is_due(&r->intern, now) ||
	       now - r->alive_boot_ns >= ALIVE_NS || now - r->misses.boot_ns >= ALIVE_NS;
}

int recorder_tick(struct recorder *r)
{
	uint64_t found = 0;
	int result = find_trailing_losses(r);

	r->probe->control->daemon_boot_ns = clock_boot_ns();
	if (result < 0 || !tick_is_due(r))
		return result;
	result = recorder_transaction(r, tick, &found);
	if (result == 0)
		r->counters.recovered += found;
	return result;
}

/* Where the other ring is read from: its beginning, or as far as a start before this one got. */
static int switch_ring(struct recorder *r, struct probe *probe)
{
	uint64_t position;
	int result;

	overflow_close(&r->overflow);
	ring_close(&r->ring);
	r->probe = probe;
	r->options.switchover_ns = 0;
	result = open_ring(r);
	if (result == 0)
		result = store_get_ring_position(&r->store, probe->control->ring_id, &position);
	if (result < 0)
		return result;
	if (position < ring_oldest(&r->ring))
		position = ring_oldest(&r->ring);
	ring_seek(&r->ring, position);
	r->committed_position = r->batch_position = position;
	return 0;
}

static int begin_ring(struct recorder *r, void *userdata)
{
	const struct lineage_counters *counters = userdata;

	for (int i = 0; i < r->probe->cpus; i++)
		ledger_skip(&r->ledger, i, counters[i].first_seq);
	return note_ring(r);
}

/* A program that was interrupted before it was detached still has a record to finish. */
#define UNWRITTEN_TIMES 100

int recorder_take_over(struct recorder *r, struct probe *probe)
{
	CLEANUP_FREE struct lineage_counters *counters =
		calloc((size_t)probe->cpus, sizeof(*counters));
	int result = counters ? probe_counters(probe, counters) : -ENOMEM;

	/* The ring to its end, then what found no room in it. */
	for (int i = 0; result == 0 && i < UNWRITTEN_TIMES; i++) {
		result = recorder_tick(r);
		if (r->ring.cursor == ring_produced(&r->ring))
			break;
		usleep(1000);
	}
	if (result == 0)
		result = switch_ring(r, probe);
	/* In one transaction: whoever goes on from here knows which numbers were never given. */
	if (result == 0)
		result = recorder_transaction(r, begin_ring, counters);
	return result < 0 ? result : overflow_start(&r->overflow);
}

int recorder_finish(struct recorder *r, const char *how)
{
	/* What comes later may go on coming for ever. */
	int result = recorder_read_to(r, ring_produced(&r->ring));

	if (result == 0)
		/* There is no later look for who is still unknown. */
		r->looked_boot_ns = 0;
	result = recorder_tick(r);
	if (result == 0)
		result = begin(r);
	if (result == 0)
		result = recover_note_misses(r);
	if (result == 0)
		result = store_run_end(&r->store, r->read_boot_ns, how);
	if (result == 0)
		result = commit(r);
	return result < 0 ? fail(r, result) : 0;
}
