/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A CPU without any hole always finds room for one. */
static size_t holes_room(const struct ledger *ledger)
{
	return LEDGER_HOLES_MAX + (size_t)ledger->cpus_count;
}

int ledger_init(struct ledger *ledger, int cpus)
{
	*ledger = (struct ledger){.cpus_count = cpus};
	ledger->cpus = calloc((size_t)cpus, sizeof(*ledger->cpus));
	ledger->holes = calloc(holes_room(ledger), sizeof(*ledger->holes));
	ledger->ahead = calloc(LEDGER_AHEAD_MAX, sizeof(*ledger->ahead));
	if (!ledger->cpus || !ledger->holes || !ledger->ahead) {
		ledger_deinit(ledger);
		return -ENOMEM;
	}
	return 0;
}

static size_t bytes_for(uint64_t first, uint64_t last)
{
	return (last - first) / 8 + 1;
}

static void drop_bits(struct ledger *ledger, struct ledger_hole *h)
{
	if (h->come)
		ledger->bits_bytes -= bytes_for(h->first, h->last);
	free(h->come);
	h->come = NULL;
}

static void drop_holes(struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->holes_count; i++)
		drop_bits(ledger, &ledger->holes[i]);
	ledger->holes_count = 0;
}

void ledger_deinit(struct ledger *ledger)
{
	drop_holes(ledger);
	free(ledger->cpus);
	free(ledger->holes);
	free(ledger->ahead);
	ledger->ahead = NULL;
	ledger->cpus = NULL;
	ledger->holes = NULL;
}

void ledger_forget(struct ledger *ledger)
{
	memset(ledger->cpus, 0, (size_t)ledger->cpus_count * sizeof(*ledger->cpus));
	drop_holes(ledger);
	ledger->ahead_count = 0;
	ledger->lost = ledger->given_up;
	ledger->changed = false;
}

void ledger_start(struct ledger *ledger, int cpu, uint64_t first_seq, uint64_t next_seq,
		  uint64_t unseen)
{
	if (cpu < 0 || cpu >= ledger->cpus_count)
		return;
	ledger->cpus[cpu] = (struct ledger_cpu){
		.known = true, .first_seq = first_seq, .next_seq = next_seq, .unseen = unseen};
}

void ledger_since(struct ledger *ledger, uint64_t boot_ns)
{
	for (int i = 0; i < ledger->cpus_count; i++)
		if (ledger->cpus[i].last_boot_ns < boot_ns)
			ledger->cpus[i].last_boot_ns = boot_ns;
}

/* Room for the bits of first..last, if there is any. */
static bool grow_bits(struct ledger *ledger, struct ledger_hole *h, uint64_t last)
{
	size_t before = h->come ? bytes_for(h->first, h->last) : 0;
	size_t after = bytes_for(h->first, last);
	uint8_t *p = h->come;

	if (ledger->bits_bytes + after - before > LEDGER_BITS_MAX)
		return false;
	if (after > before)
		p = realloc(h->come, after);
	if (!p)
		return false;
	h->come = p;
	memset(p + before, 0, after - before);
	ledger->bits_bytes += after - before;
	h->last = last;
	return true;
}

/* It stays a gap: the next commit says so in its row, and lets go of it. */
static void give_up(struct ledger *ledger, struct ledger_hole *h)
{
	drop_bits(ledger, h);
	h->passes = LEDGER_PASSES;
	h->changed = ledger->changed = true;
}

static struct ledger_hole *add_hole(struct ledger *ledger, const struct ledger_hole *from,
				    bool watched)
{
	struct ledger_hole *h = &ledger->holes[ledger->holes_count++];

	*h = *from;
	h->come = NULL;
	if (!watched || !grow_bits(ledger, h, from->last))
		give_up(ledger, h);
	return h;
}

void ledger_add_hole(struct ledger *ledger, const struct ledger_hole *hole)
{
	struct ledger_hole *h;

	if (ledger->holes_count == holes_room(ledger))
		return;
	h = add_hole(ledger, hole, true);
	/* Those that have rows are about to be told. */
	if (h->come)
		h->missing = h->last - h->first + 1;
	ledger->lost += h->missing;
}

static struct ledger_hole *newest_of(struct ledger *ledger, int cpu)
{
	for (size_t i = ledger->holes_count; i-- > 0;)
		if (ledger->holes[i].cpu == cpu)
			return &ledger->holes[i];
	return NULL;
}

/* A flood is one row, not thousands. */
static bool widen(struct ledger *ledger, struct ledger_hole *h, const struct ledger_hole *by,
		  bool watched)
{
	if (h->last + 1 == by->first && h->come && watched &&
	    by->last - h->first < LEDGER_SPAN_MAX && grow_bits(ledger, h, by->last)) {
		h->passes = 0;
	} else if (ledger->holes_count >= LEDGER_HOLES_MAX ||
		   (h->last + 1 == by->first && !h->come && !watched)) {
		/* What lies between the two has arrived. */
		give_up(ledger, h);
		h->last = by->last;
	} else {
		return false;
	}
	h->missing += by->missing;
	h->to_boot_ns = by->to_boot_ns;
	h->changed = true;
	return true;
}

static void miss(struct ledger *ledger, int cpu, uint64_t first, uint64_t last, uint64_t boot_ns,
		 bool watched)
{
	uint64_t before = ledger->cpus[cpu].last_boot_ns;
	struct ledger_hole *h = newest_of(ledger, cpu);
	struct ledger_hole fresh = {
		.cpu = cpu,
		.first = first,
		.last = last,
		.missing = last - first + 1,
		.from_boot_ns = before ? before : boot_ns,
		/* A fork is told with the time when its child's life began, a little earlier. */
		.to_boot_ns = boot_ns > before ? boot_ns : before,
		.changed = true,
	};

	if (!h || !widen(ledger, h, &fresh, watched))
		add_hole(ledger, &fresh, watched);
}

static struct ledger_hole *find_hole(const struct ledger *ledger, int cpu, uint64_t seq)
{
	for (size_t i = ledger->holes_count; i-- > 0;) {
		struct ledger_hole *h = &ledger->holes[i];
		uint64_t n = seq - h->first;

		if (h->cpu == cpu && seq >= h->first && seq <= h->last)
			return !h->come || h->come[n / 8] & 1u << n % 8 ? NULL : h;
	}
	return NULL;
}

static void set_come(struct ledger *ledger, struct ledger_hole *h, uint64_t seq)
{
	uint64_t n = seq - h->first;

	h->come[n / 8] |= (uint8_t)(1u << n % 8);
	h->missing--;
	ledger->lost--;
}

static void close_one(struct ledger *ledger, struct ledger_hole *h, uint64_t seq)
{
	set_come(ledger, h, seq);
	h->changed = true;
	ledger->changed = true;
}

void ledger_has_row(struct ledger *ledger, int cpu, uint64_t seq)
{
	struct ledger_hole *h = find_hole(ledger, cpu, seq);

	if (h)
		set_come(ledger, h, seq);
}

/* Its row is there already, also where the hole is not watched. */
static void was_ahead(struct ledger *ledger, int cpu, uint64_t seq)
{
	for (size_t i = ledger->holes_count; i-- > 0;) {
		struct ledger_hole *h = &ledger->holes[i];
		uint64_t n = seq - h->first;

		if (h->cpu != cpu || seq < h->first || seq > h->last)
			continue;
		if (h->come)
			h->come[n / 8] |= (uint8_t)(1u << n % 8);
		h->missing--;
		h->recovered++;
		ledger->lost--;
		return;
	}
}

/* A new hole, less what has been recovered before it showed. */
static void open_hole(struct ledger *ledger, int cpu, uint64_t first, uint64_t last,
		      uint64_t boot_ns)
{
	uint64_t at = first;

	ledger->lost += last - first + 1;
	ledger->changed = true;
	for (int i = 0; i < LEDGER_SPANS_WATCHED && at <= last; i++) {
		uint64_t end = last - at < LEDGER_SPAN_MAX ? last : at + LEDGER_SPAN_MAX - 1;

		miss(ledger, cpu, at, end, boot_ns, true);
		at = end + 1;
	}
	if (at <= last)
		miss(ledger, cpu, at, last, boot_ns, false);
	for (size_t i = ledger->ahead_count; i-- > 0;) {
		struct ledger_ahead a = ledger->ahead[i];

		if (a.cpu != cpu || a.seq > last)
			continue;
		ledger->ahead[i] = ledger->ahead[--ledger->ahead_count];
		if (a.seq >= first)
			was_ahead(ledger, cpu, a.seq);
	}
}

enum ledger_verdict ledger_arrived(struct ledger *ledger, int cpu, uint64_t seq, uint64_t boot_ns)
{
	struct ledger_cpu *c;
	struct ledger_hole *h;

	if (cpu < 0 || cpu >= ledger->cpus_count)
		return LEDGER_DUPLICATE;
	c = &ledger->cpus[cpu];
	if (!c->known)
		ledger_start(ledger, cpu, seq, seq, 0);
	if (seq >= c->next_seq) {
		if (seq > c->next_seq)
			open_hole(ledger, cpu, c->next_seq, seq - 1, boot_ns);
		c->next_seq = seq + 1;
		c->last_boot_ns = boot_ns;
		c->changed = ledger->changed = true;
		return LEDGER_NEW;
	}
	h = find_hole(ledger, cpu, seq);
	if (!h) {
		ledger->duplicates++;
		return LEDGER_DUPLICATE;
	}
	close_one(ledger, h, seq);
	ledger->late++;
	return LEDGER_NEW;
}

void ledger_taken(struct ledger *ledger, int cpu, uint64_t next_seq, uint64_t boot_ns)
{
	struct ledger_cpu *c = &ledger->cpus[cpu];

	if (!c->known)
		ledger_start(ledger, cpu, next_seq, next_seq, 0);
	if (next_seq <= c->next_seq)
		return;
	open_hole(ledger, cpu, c->next_seq, next_seq - 1, boot_ns);
	c->next_seq = next_seq;
	c->changed = true;
}

void ledger_unseen(struct ledger *ledger, int cpu, uint64_t numbers)
{
	ledger->cpus[cpu].unseen += numbers;
	ledger->cpus[cpu].changed = ledger->changed = true;
}

void ledger_skip(struct ledger *ledger, int cpu, uint64_t seq)
{
	struct ledger_cpu *c = &ledger->cpus[cpu];

	if (!c->known)
		ledger_start(ledger, cpu, seq, seq, 0);
	if (seq <= c->next_seq)
		return;
	ledger_unseen(ledger, cpu, seq - c->next_seq);
	c->next_seq = seq;
}

bool ledger_is_missing(const struct ledger *ledger, int cpu, uint64_t seq)
{
	return find_hole(ledger, cpu, seq) != NULL;
}

static bool note_ahead(struct ledger *ledger, int cpu, uint64_t seq)
{
	if (cpu < 0 || cpu >= ledger->cpus_count || seq < ledger->cpus[cpu].next_seq ||
	    ledger->ahead_count == LEDGER_AHEAD_MAX)
		return false;
	for (size_t i = 0; i < ledger->ahead_count; i++)
		if (ledger->ahead[i].cpu == cpu && ledger->ahead[i].seq == seq)
			return false;
	ledger->ahead[ledger->ahead_count++] = (struct ledger_ahead){cpu, seq};
	return true;
}

bool ledger_recover(struct ledger *ledger, int cpu, uint64_t seq)
{
	struct ledger_hole *h = find_hole(ledger, cpu, seq);

	if (!h)
		return note_ahead(ledger, cpu, seq);
	close_one(ledger, h, seq);
	h->recovered++;
	return true;
}

void ledger_passed(struct ledger *ledger)
{
	/* The commit that follows says so in their rows, and lets go of those tried often enough.
	 */
	for (size_t i = 0; i < ledger->holes_count; i++) {
		ledger->holes[i].passes++;
		ledger->holes[i].changed = ledger->changed = true;
	}
}

/* Room for the batch after the next: the oldest make it, and their rows say so with that commit. */
static void make_room(struct ledger *ledger)
{
	size_t most = LEDGER_HOLES_MAX - 2 * LEDGER_HOLES_FREE;
	size_t excess = ledger->holes_count > most ? ledger->holes_count - most : 0;

	for (size_t i = 0; i < excess; i++)
		give_up(ledger, &ledger->holes[i]);
}

void ledger_committed(struct ledger *ledger)
{
	size_t kept = 0;

	if (!ledger->changed)
		return;
	for (int i = 0; i < ledger->cpus_count; i++)
		ledger->cpus[i].changed = false;
	for (size_t i = 0; i < ledger->holes_count; i++) {
		struct ledger_hole *h = &ledger->holes[i];

		h->changed = false;
		if (h->missing && h->passes < LEDGER_PASSES) {
			ledger->holes[kept++] = *h;
		} else {
			ledger->given_up += h->missing;
			drop_bits(ledger, h);
		}
	}
	ledger->holes_count = kept;
	ledger->changed = false;
	make_room(ledger);
}
