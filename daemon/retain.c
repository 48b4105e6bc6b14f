/* SPDX-License-Identifier: Apache-2.0 */
/* When to do what: limits, phases, and how long a step may be. */
#include "daemon/retain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "daemon/clock.h"
#include "schema/cleanup.h"

#define NS_PER_S   1000000000ULL
#define NS_PER_DAY (86400 * NS_PER_S)

/* How often the limits are looked at while there is nothing to do. */
#define LOOK_NS (NS_PER_S / 4)
/* Between steps while the log is long, and the thread that empties it may be at it. */
#define LOG_WAIT_NS (NS_PER_S / 10)
/* A reader that is in a transaction for so long is no passing one. */
#define HELD_NS (5 * NS_PER_S)
/* When nothing may go although it should, and after a failure. */
#define LOOK_LATER_NS (5 * NS_PER_S)
#define RETRY_NS      NS_PER_S
/* Fewer free pages than this are not worth giving back. */
#define WORTHWHILE_PAGES 64
/* Pages per call: one may have to be searched for in the whole list of free pages. */
#define VACUUM_PAGES 4

#define WAL_FRAME_HEADER_BYTES 24
/* What the log may be follows a disk that fills up in steps of this. */
#define LOG_UNIT (256ULL << 10)

#define CURSOR "retain_cursor"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* A log that a reader has made long is cut when it begins anew. */
static int limit_log(struct retain *r, uint64_t bytes)
{
	char text[64];

	atomic_store(&r->checkpoint->wal_max_bytes, bytes);
	if (bytes == r->limits.log_bytes)
		return 0;
	r->limits.log_bytes = bytes;
	snprintf(text, sizeof(text), "PRAGMA journal_size_limit = %llu", (unsigned long long)bytes);
	return schema_exec(r->store->db, text);
}

int retain_init(struct retain *r, const struct config *config, struct store *store,
		struct intern *intern, struct book *book, struct checkpoint *checkpoint)
{
	int result;

	*r = (struct retain){
		.config = config,
		.store = store,
		.intern = intern,
		.book = book,
		.checkpoint = checkpoint,
		.zone = -1,
		.rows = RETAIN_ROWS_MIN,
		.step_ns = RETAIN_STEP_NS,
		.turn = checkpoint_turn,
		.clock_ns = clock_monotonic_ns,
		.cpu_ns = clock_cpu_ns,
		.limits = {.limit_bytes = UINT64_MAX, .cap_pages = INT64_MAX},
	};
	result = store_retain_open(&r->sql, store);
	if (result == 0)
		result = store_retain_get_number(&r->sql, CURSOR, &r->cursor);
	if (result == 0)
		result = limit_log(r, config->wal_max_bytes);
	if (result < 0)
		retain_deinit(r);
	return result;
}

void retain_deinit(struct retain *r)
{
	if (r->phase == RETAIN_MARK || r->phase == RETAIN_SWEEP)
		retain_mark_end(r);
	r->phase = RETAIN_IDLE;
	store_retain_close(&r->sql);
}

static uint64_t file_bytes(const char *path, const char *suffix)
{
	CLEANUP_FREE char *name = NULL;
	struct stat st;

	if (asprintf(&name, "%s%s", path, suffix) < 0)
		return 0;
	return stat(name, &st) < 0 ? 0 : (uint64_t)st.st_size;
}

/* What KeepFree= leaves: like journald, never nothing. */
static uint64_t limit_of_filesystem(const struct config *config, uint64_t use)
{
	struct statvfs fs;
	uint64_t all, available, keep, allowed;

	if (config->keep_free_bytes == 0 || statvfs(config->database, &fs) < 0)
		return UINT64_MAX;
	all = (uint64_t)fs.f_blocks * fs.f_frsize;
	available = (uint64_t)fs.f_bavail * fs.f_frsize;
	keep = config_keep_free(config, all);
	allowed = use + available > keep ? use + available - keep : 0;
	return most(allowed, least(RETAIN_MIN_USE, all / 8));
}

/* What is in the log, whatever its file has once grown to. */
static uint64_t log_bytes(const struct retain *r)
{
	return r->store->log_pages * ((uint64_t)r->limits.size.page_bytes + WAL_FRAME_HEADER_BYTES);
}

/* Then pruning would make the log longer and nothing shorter. */
static bool is_held_by_reader(const struct retain *r)
{
	uint64_t since = atomic_load(&r->checkpoint->wal_pinned_ns);

	return since && log_bytes(r) > r->limits.log_bytes && clock_boot_ns() - since > HELD_NS;
}

static int look_at_limits(struct retain *r)
{
	const struct config *c = r->config;
	struct retain_limits *l = &r->limits;
	uint64_t log, log_room, database = file_bytes(c->database, "");
	int result = store_retain_size(&r->sql, &l->size);

	if (result < 0)
		return result;
	l->wal_bytes = file_bytes(c->database, "-wal");
	l->use_bytes = database + l->wal_bytes;
	l->limit_bytes = least(c->max_use_bytes ? c->max_use_bytes : UINT64_MAX,
			       limit_of_filesystem(c, l->use_bytes));
	l->cap_pages = INT64_MAX;
	r->held = false;
	if (l->limit_bytes == UINT64_MAX) {
		atomic_store(&r->checkpoint->wal_room_bytes, 0);
		return limit_log(r, c->wal_max_bytes);
	}
	/*
	 * Room for the log as it may become, not as it is: if it is longer, a reader keeps it or
	 * the disk is slow, and removing rows would only make it longer still.
	 */
	log = log_room = least(c->wal_max_bytes, most(l->limit_bytes / 4 / LOG_UNIT, 1) * LOG_UNIT);
	l->cap_pages = (int64_t)((l->limit_bytes - log - RETAIN_MARGIN(l->limit_bytes)) /
				 (uint64_t)l->size.page_bytes);
	database = (uint64_t)(l->size.pages * l->size.page_bytes);
	if (l->limit_bytes > database + log)
		log_room = l->limit_bytes - database;
	atomic_store(&r->checkpoint->wal_room_bytes, log_room);
	r->held = is_held_by_reader(r);
	return limit_log(r, log);
}

static int64_t used_pages(const struct retain *r)
{
	return r->limits.size.pages - r->limits.size.free_pages;
}

/* Free pages beyond what new rows will soon take, and all that lie beyond the limit. */
static int64_t pages_to_give_back(const struct retain *r)
{
	const struct retain_limits *l = &r->limits;
	int64_t spare = l->cap_pages == INT64_MAX ? l->size.pages / 8 : l->cap_pages / 8;
	int64_t excess = l->size.free_pages - spare;

	if (l->cap_pages != INT64_MAX && l->size.pages - l->cap_pages > excess)
		excess = l->size.pages - l->cap_pages;
	return excess < l->size.free_pages ? excess : l->size.free_pages;
}

static int64_t processes_about(const struct retain *r)
{
	int64_t n = r->store->next_process - r->cursor;

	return n > 0 ? n : 0;
}

/* Removed rows leave texts and arguments behind; not for much longer than MaxRetentionSec=. */
static uint64_t sweep_interval(const struct retain *r)
{
	uint64_t age = r->config->max_retention_ns;

	return age ? least(most(age / 8, 60 * NS_PER_S), NS_PER_DAY) : NS_PER_DAY;
}

static bool sweep_is_due(const struct retain *r)
{
	if (r->removed == 0)
		return false;
	if (r->removed >= processes_about(r) / RETAIN_SWEEP_SHARE)
		return true;
	if (r->by_size && used_pages(r) > RETAIN_LOW(r->limits.cap_pages))
		return true;
	return r->now_boot_ns - r->swept_boot_ns >= sweep_interval(r);
}

/* Old rows are looked at again now and then, and where MaxRetentionSec= is short, more often. */
static uint64_t rescan_interval(const struct retain *r)
{
	uint64_t age = r->config->max_retention_ns;

	return age ? least(most(age / 8, 60 * NS_PER_S), RETAIN_RESCAN_NS) : RETAIN_RESCAN_NS;
}

static void begin_round(struct retain *r)
{
	if (r->now_boot_ns >= r->rescan_ns) {
		r->rescan_ns = r->now_boot_ns + rescan_interval(r);
		r->cursor = 0;
	}
	r->at_end = false;
	r->zone = -1;
	r->quota = processes_about(r) / RETAIN_SWEEP_SHARE;
	if (r->quota < RETAIN_ROWS_MAX)
		r->quota = RETAIN_ROWS_MAX;
	r->phase = RETAIN_PRUNE;
}

/*
 * A log that has been long stays so on the disk until a commit begins it anew. Where nothing
 * happens, this one does; if it comes too early, another one will.
 */
static int cut_log(struct retain *r)
{
	int result;

	if (r->limits.wal_bytes <= r->limits.log_bytes + LOG_UNIT)
		return 0;
	result = store_retain_begin(&r->sql);
	if (result == SCHEMA_E_BUSY)
		return 0;
	if (result == 0)
		result = store_retain_set_number(&r->sql, CURSOR, r->cursor);
	return result == 0 ? store_retain_commit(&r->sql) : result;
}

/* What there is to do, if anything. */
static int decide(struct retain *r)
{
	const struct retain_limits *l = &r->limits;
	int result = look_at_limits(r);
	int64_t mark = r->by_size ? RETAIN_LOW(l->cap_pages) : RETAIN_HIGH(l->cap_pages);

	if (result < 0)
		return result;
	r->by_size = !r->held && l->cap_pages != INT64_MAX && used_pages(r) > mark;
	if (!r->by_size)
		r->stuck = false;
	r->by_age = r->config->max_retention_ns && r->now_boot_ns >= r->next_age_ns;
	if ((r->by_size && !r->stuck) || r->by_age) {
		begin_round(r);
	} else if (sweep_is_due(r)) {
		r->phase = RETAIN_MARK;
		retain_mark_begin(r);
	} else if (pages_to_give_back(r) > WORTHWHILE_PAGES && !r->held) {
		r->phase = RETAIN_VACUUM;
	} else {
		r->next_look_ns = r->now_boot_ns + (r->stuck ? LOOK_LATER_NS : LOOK_NS);
		/* Next time it is tried again, from the oldest on. */
		if (r->stuck)
			r->rescan_ns = 0;
		r->stuck = false;
		if (!r->held)
			result = cut_log(r);
	}
	return result;
}

/* A round of pruning is over: for the mark, the quota, or because nothing more may go. */
static void end_round(struct retain *r)
{
	uint64_t age = r->config->max_retention_ns;

	if (r->by_age && (r->at_end || !r->by_size))
		r->next_age_ns = r->now_boot_ns + least(most(age / 64, NS_PER_S), 60 * NS_PER_S);
	r->phase = RETAIN_IDLE;
	if (sweep_is_due(r)) {
		r->phase = RETAIN_MARK;
		retain_mark_begin(r);
	} else if (r->at_end && r->by_size) {
		r->stuck = true;
	}
}

static void end_sweep(struct retain *r)
{
	retain_mark_end(r);
	r->removed = 0;
	r->swept_boot_ns = r->now_boot_ns;
	r->counters.sweeps++;
	r->phase = RETAIN_BOOTS;
}

static int vacuum_step(struct retain *r, uint64_t until_ns)
{
	int64_t changed = 0;
	int result = store_retain_size(&r->sql, &r->limits.size);

	while (result == 0 && pages_to_give_back(r) > 0) {
		int64_t before = r->limits.size.pages;

		if (r->clock_ns() >= until_ns || changed >= r->rows)
			return 1;
		result = store_retain_vacuum(&r->sql, VACUUM_PAGES);
		if (result == 0)
			result = store_retain_size(&r->sql, &r->limits.size);
		changed += VACUUM_PAGES;
		r->counters.pages += (uint64_t)(before - r->limits.size.pages);
		if (before == r->limits.size.pages)
			return 0;
	}
	return result;
}

static int prune_step(struct retain *r, uint64_t until_ns)
{
	int result = retain_prune_step(r, until_ns);

	if (result == 0)
		result = store_retain_set_number(&r->sql, CURSOR, r->cursor);
	return result;
}

static int boots_step(struct retain *r, uint64_t until_ns)
{
	return store_retain_boot(&r->sql);
}

static void end_mark(struct retain *r)
{
	r->phase = RETAIN_SWEEP;
}

static void end_phase(struct retain *r)
{
	r->phase = RETAIN_IDLE;
}

static const struct {
	const char *name;
	int (*step)(struct retain *r, uint64_t until_ns);
	void (*end)(struct retain *r);
} phases[RETAIN_PHASES] = {
	[RETAIN_IDLE] = {"idle", NULL, NULL},
	[RETAIN_PRUNE] = {"pruning", prune_step, end_round},
	[RETAIN_MARK] = {"reading what is in use", retain_mark_step, end_mark},
	[RETAIN_SWEEP] = {"removing what is not in use", retain_sweep_step, end_sweep},
	[RETAIN_BOOTS] = {"removing what is not in use", boots_step, end_phase},
	[RETAIN_VACUUM] = {"giving space back", vacuum_step, end_phase},
};

const char *retain_state(const struct retain *r)
{
	if (r->held)
		return "waiting for a reader that keeps the write-ahead log";
	if (r->stuck)
		return "above the limit, with nothing that may go";
	return phases[r->phase].name;
}

struct position {
	int64_t cursor, removed, quota;
	struct retain_counters counters;
};

/* As if the step had not been. What has been noted of references may be wrong now. */
static int fail(struct retain *r, const struct position *before, int error)
{
	store_retain_rollback(&r->sql);
	r->cursor = before->cursor;
	r->removed = before->removed;
	r->quota = before->quota;
	r->counters = before->counters;
	r->counters.failures++;
	r->candidates_count = 0;
	r->zone = -1;
	if (r->phase == RETAIN_MARK || r->phase == RETAIN_SWEEP) {
		retain_mark_end(r);
		r->counters.sweeps_failed++;
	}
	r->phase = RETAIN_IDLE;
	r->next_look_ns = r->now_boot_ns + RETRY_NS;
	return error;
}

/*
 * Rows to change, so that step and commit together take what they should. By time of the processor:
 * when others have it, shorter steps would only be more of them.
 */
static void adjust(struct retain *r, enum retain_phase phase, uint64_t took_ns,
		   uint64_t took_cpu_ns)
{
	r->counters.steps++;
	r->counters.longest_step_ns = most(r->counters.longest_step_ns, took_ns);
	r->counters.longest_cpu_ns[phase] = most(r->counters.longest_cpu_ns[phase], took_cpu_ns);
	r->counters.long_steps += took_ns > RETAIN_STEP_LONG_NS;
	if (took_cpu_ns > r->step_ns + r->step_ns / 4)
		r->rows -= r->rows / 4;
	else if (took_cpu_ns < r->step_ns)
		r->rows += r->rows / 8;
	if (r->rows < RETAIN_ROWS_MIN)
		r->rows = RETAIN_ROWS_MIN;
	if (r->rows > RETAIN_ROWS_MAX)
		r->rows = RETAIN_ROWS_MAX;
}

/* Where the file is too large already, every second step of pruning makes it smaller. */
static enum retain_phase phase_of_step(const struct retain *r)
{
	const struct retain_limits *l = &r->limits;

	if (r->phase == RETAIN_PRUNE && r->counters.steps % 2 && l->size.pages > l->cap_pages &&
	    l->size.free_pages > WORTHWHILE_PAGES)
		return RETAIN_VACUUM;
	return r->phase;
}

int retain_step(struct retain *r, uint64_t now_boot_ns)
{
	const struct position before = {r->cursor, r->removed, r->quota, r->counters};
	uint64_t began = r->clock_ns(), began_cpu = r->cpu_ns();
	enum retain_phase phase;
	int result = 0, more;

	r->now_boot_ns = now_boot_ns;
	if (r->phase == RETAIN_IDLE) {
		if (now_boot_ns < r->next_look_ns)
			return 0;
		result = decide(r);
		if (result < 0)
			return fail(r, &before, result);
		return r->phase != RETAIN_IDLE;
	}
	phase = phase_of_step(r);
	if (phase != RETAIN_MARK)
		result = store_retain_begin(&r->sql);
	/* A checkpoint has the lock: another time. */
	if (result == SCHEMA_E_BUSY)
		return 0;
	/* The commit takes the rest. */
	more = result < 0 ? result : phases[phase].step(r, began + r->step_ns / 4 * 3);
	if (more >= 0 && phase != RETAIN_MARK)
		result = store_retain_commit(&r->sql);
	if (more < 0 || result < 0)
		return fail(r, &before, more < 0 ? more : result);
	if (more == 0 && phase == r->phase)
		phases[phase].end(r);
	adjust(r, phase, r->clock_ns() - began, r->cpu_ns() - began_cpu);
	return 1;
}

/* What has to become shorter: the rows, or a file that is longer than it may be. */
static int64_t level_pages(const struct retain *r)
{
	const struct retain_limits *l = &r->limits;

	return l->size.pages > l->cap_pages ? l->size.pages : used_pages(r);
}

bool retain_is_urgent(const struct retain *r)
{
	const struct retain_limits *l = &r->limits;

	return l->cap_pages != INT64_MAX && !r->held && !r->stuck && level_pages(r) > l->cap_pages;
}

/* The thread that empties it is behind. */
static bool is_log_long(const struct retain *r)
{
	return log_bytes(r) > RETAIN_LOG(r->limits.log_bytes);
}

/*
 * Time for steps, for so much time of the recorder: a quarter of it at the mark, about twice as
 * much at the limit. What is then still not enough, since removing costs more than adding on this
 * machine, becomes enough within the next few parts in a hundred: a flood is slowed down, and what
 * the ring cannot take meanwhile is counted, but the limit holds.
 */
static uint64_t share(const struct retain *r, uint64_t spent_ns)
{
	const struct retain_limits *l = &r->limits;
	double room, over, times;

	if (l->cap_pages == INT64_MAX || r->held || level_pages(r) <= RETAIN_HIGH(l->cap_pages))
		return 0;
	room = (double)(l->cap_pages - RETAIN_HIGH(l->cap_pages)) + 1;
	over = (double)(level_pages(r) - RETAIN_HIGH(l->cap_pages)) / room;
	times = 0.25 + 2 * over + (over > 1 ? 32 * (over - 1) : 0);
	if (times > RETAIN_SHARE_MOST)
		times = RETAIN_SHARE_MOST;
	/* The log comes first where it is long already: pruning makes it longer. */
	if (is_log_long(r) && times > 1)
		times = 1;
	return least((uint64_t)((double)spent_ns * times), RETAIN_RUN_NS);
}

int retain_run(struct retain *r, uint64_t now_boot_ns, uint64_t spent_ns, bool idle)
{
	uint64_t began = r->clock_ns(), budget;
	int result = look_at_limits(r);
	bool was_long;

	if (result < 0)
		return result;
	budget = share(r, spent_ns);
	if (!idle && budget == 0 && now_boot_ns < r->next_look_ns)
		return r->phase != RETAIN_IDLE;
	was_long = is_log_long(r);
	/* No hurry. But it is a commit that begins a log anew, after all of it has been copied. */
	if (budget == 0 && was_long && now_boot_ns - r->stepped_ns < LOG_WAIT_NS)
		return 1;
	r->stepped_ns = now_boot_ns;
	r->step_ns = most(RETAIN_STEP_NS, least(budget, RETAIN_STEP_BUSY_NS));
	do {
		result = retain_step(r, now_boot_ns);
		r->turn(r->checkpoint, r->store->log_pages);
	} while (result > 0 && r->clock_ns() - began < budget && (was_long || !is_log_long(r)));
	r->step_ns = RETAIN_STEP_NS;
	return result;
}
