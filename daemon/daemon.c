/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>

#include "daemon/check.h"
#include "daemon/daemon_state.h"
#include "daemon/store_load.h"
#include "daemon/salvage.h"
#include "schema/cleanup.h"

#define NS_PER_US 1000ULL
#define NS_PER_S  1000000000ULL

/* No event for so long: sleep until the programs wake us at the next one. */
#define IDLE_AFTER_NS (2 * NS_PER_S)
/* While events flow: do not wait for the interval if so much has come together. */
#define WAKE_BYTES (256u << 10)
/*
 * From so many bytes a second on the ring is drained by another thread all the time, and the
 * interval is waited for: large transactions cost less per event, and log and disk much less.
 */
#define STORM_BYTES (2ULL << 20)
/* Batches in a row before signals, watchdog and timers get their turn. */
#define DRAIN_NS (50ULL * 1000 * 1000)
#define TICK_NS	 NS_PER_S
/* Waits between attempts while the database refuses. */
#define RETRY_FIRST_NS (100ULL * 1000 * 1000)
#define RETRY_MOST_NS  (5 * NS_PER_S)

static uint64_t usec(uint64_t ns)
{
	return ns / NS_PER_US;
}

static const char *filter_words(const struct config *config)
{
	if (config->include_cgroup.count)
		return "some cgroups";
	if (config->where == CONFIG_WHERE_HOST)
		return "the host without containers";
	if (config->where == CONFIG_WHERE_CONTAINERS)
		return "containers only";
	return config->exclude_cgroup.count ? "all but some cgroups" : NULL;
}

/*
 * A damaged database of ours makes way for a new one; whatever else cannot be used stays untouched
 * and is for the administrator.
 */
static int set_aside(struct daemon *d, const char *why)
{
	const char *path = d->config->database;
	char name[PATH_MAX];
	int r;

	if (!salvage_is_ours(path))
		return SCHEMA_E_NOT_DB;
	r = salvage_set_aside(path, time(NULL), name);
	if (r < 0)
		return log_errno(r, "%s is damaged and cannot be set aside", path);
	log_event(MESSAGE_DATABASE_SET_ASIDE, LOG_ERR, LOG_FIELDS(LOG_TEXT("DATABASE", name)),
		  "%s is damaged (%s): kept as %s, a new one is begun", path, why, name);
	return 0;
}

/* The database and what is known from it, for the first time or after it had to be given up. */
static int open_recorder(struct daemon *d)
{
	int r = recorder_open(&d->recorder);

	if (r == SCHEMA_E_NOT_DB) {
		r = set_aside(d, schema_strerror(r));
		if (r == 0)
			r = recorder_open(&d->recorder);
	}
	if (r < 0)
		return r;
	r = upkeep_open(&d->upkeep);
	if (r < 0)
		recorder_close(&d->recorder);
	return r;
}

static int init_recorder(struct daemon *d)
{
	struct recorder_options options = {
		.database = d->config->database,
		.root = "",
		.batch_max = d->config->batch_max,
		.cache_keep_ns = d->config->cache_keep_ns,
		.cache_entries = d->config->cache_entries,
		.carried_boot_ns = d->carried_boot_ns,
		.overflow_bytes = d->config->overflow_bytes,
		.overflow_directory = d->config->pin_directory,
		.v1_hierarchy = (uint32_t)d->hierarchies.v1_id,
		.run = {.version = LINEAGED_VERSION,
			.config_hash = d->config_hash,
			.kernel = d->node.release,
			.filter = filter_words(d->config),
			.started_boot_ns = clock_boot_ns()},
	};
	bool takes_over = d->old.maps[PROBE_MAP_EVENTS] >= 0;
	int r;

	if (takes_over)
		options.switchover_ns = d->probe.control->alone_boot_ns;
	r = recorder_init(&d->recorder, &options, takes_over ? &d->old : &d->probe);
	if (r < 0)
		return log_errno(r, "mapping the ring failed");
	r = open_recorder(d);
	if (r == 0 && takes_over)
		r = recorder_take_over(&d->recorder, &d->probe);
	if (r == 0 && takes_over)
		probe_drained(&d->probe, &d->old);
	/* What earlier runs lost, they have told. */
	d->lost_before = d->recorder.ledger.lost;
	if (r < 0)
		log_error("%s: %s", d->config->database, schema_strerror(r));
	return r;
}

static int start_checkpoint(struct daemon *d)
{
	struct checkpoint_options options = {
		.database = d->config->database,
		.sync_interval_ns = d->config->sync_interval_ns,
		.wal_max_bytes = d->config->wal_max_bytes,
	};

	return checkpoint_start(&d->checkpoint, &options);
}

/* The thread could not open the database, for want of memory or descriptors. */
static int revive_checkpoint(struct daemon *d)
{
	if (!checkpoint_is_dead(&d->checkpoint))
		return 0;
	checkpoint_stop(&d->checkpoint);
	return start_checkpoint(d);
}

/* What comes after opening a database under way. Tried again until it has worked. */
static int resume(struct daemon *d)
{
	int r = recover_snapshot(&d->recorder);

	if (r == 0)
		r = start_checkpoint(d);
	d->resume_due = r < 0;
	return r;
}

/* The file has been damaged, removed or replaced under us: leave it, and begin with what is there
 * now. */
static int reopen(struct daemon *d)
{
	int r;

	checkpoint_stop(&d->checkpoint);
	upkeep_close(&d->upkeep);
	recorder_close(&d->recorder);
	r = open_recorder(d);
	d->resume_due = r == 0;
	return r == 0 ? resume(d) : r;
}

/* One batch, or an attempt to get back to a state where batches can be written. */
static int batch(struct daemon *d)
{
	int r = 0;

	if (!d->recorder.store.db)
		return reopen(d);
	if (d->resume_due)
		r = resume(d);
	if (r == 0)
		r = recorder_batch(&d->recorder);
	if (r == SCHEMA_E_NOT_DB || (r < 0 && store_has_moved(&d->recorder.store)))
		return reopen(d);
	return r;
}

static void say_failure(struct daemon *d, int error)
{
	upkeep_refused(&d->upkeep, schema_strerror(error));
	if (log_condition_met(&d->refusing, 1, clock_monotonic_ns(), 0))
		log_event(MESSAGE_DATABASE_FULL, LOG_ERR,
			  LOG_FIELDS(LOG_TEXT("DATABASE", d->config->database)),
			  "%s: %s; recording goes on in memory, and writing is tried again",
			  d->config->database, schema_strerror(error));
}

static void say_success(struct daemon *d)
{
	struct log_condition past;

	upkeep_refused(&d->upkeep, NULL);
	if (log_condition_over(&d->refusing, &past))
		log_event(MESSAGE_DATABASE_WRITABLE_AGAIN, LOG_NOTICE, NULL, "%s: writing again",
			  d->config->database);
}

static void say_losses(struct daemon *d)
{
	uint64_t lost = d->recorder.ledger.lost;

	if (lost > d->lost_before && log_condition_met(&d->losing, lost - d->lost_before,
						       clock_monotonic_ns(), 60 * NS_PER_S))
		log_event(MESSAGE_EVENTS_LOST, LOG_WARNING,
			  LOG_FIELDS(LOG_NUMBER("LOST", (int64_t)(lost - d->lost_before))),
			  "%llu events found no room in the ring; see lineage-query status",
			  (unsigned long long)(lost - d->lost_before));
	d->lost_before = lost;
}

static void say_malformed(struct daemon *d)
{
	uint64_t count = d->recorder.counters.malformed + d->recorder.ring.malformed;

	if (count > d->malformed_before &&
	    log_condition_met(&d->malformed, count - d->malformed_before, clock_monotonic_ns(),
			      3600 * NS_PER_S))
		log_error("%llu malformed records in the ring: what they told is counted as lost",
			  (unsigned long long)count);
	d->malformed_before = count;
}

static int arm(sd_event_source *timer, uint64_t in_ns)
{
	uint64_t now;
	int r = sd_event_now(sd_event_source_get_event(timer), CLOCK_MONOTONIC, &now);

	if (r < 0)
		return r;
	r = sd_event_source_set_time(timer, now + usec(in_ns));
	return r < 0 ? r : sd_event_source_set_enabled(timer, SD_EVENT_ONESHOT);
}

static uint32_t wake_bytes(const struct daemon *d)
{
	uint64_t wake = d->storms ? OVERFLOW_MUCH_BYTES : WAKE_BYTES;

	return (uint32_t)(d->probe.ring_bytes / 2 < wake ? d->probe.ring_bytes / 2 : wake);
}

/*
 * Before sleep: tell the programs whether and when to wake us. Said before the ring is looked at
 * once more, so that an event between the two is either seen here or wakes us.
 */
static bool may_sleep(struct daemon *d, bool idle)
{
	struct lineage_control *control = d->probe.control;

	control->wake_bytes = idle ? 1 : wake_bytes(d);
	__atomic_store_n(&control->need_wake, 1, __ATOMIC_SEQ_CST);
	return !idle || ring_produced(&d->recorder.ring) == d->recorder.ring.cursor;
}

/* The database does not take what it is given: try again, less and less often. */
static int refused(struct daemon *d, int error)
{
	say_failure(d, error);
	d->retry_ns = d->retry_ns ? 2 * d->retry_ns : RETRY_FIRST_NS;
	if (d->retry_ns > RETRY_MOST_NS)
		d->retry_ns = RETRY_MOST_NS;
	return arm(d->drain_timer, d->retry_ns);
}

static bool storms(struct daemon *d, uint64_t stored_bytes, uint64_t now)
{
	uint64_t ms = (now - d->stored_ns) / 1000000 + 1;

	d->stored_ns = now;
	if (stored_bytes / ms >= STORM_BYTES / 1000)
		d->storm_ns = now;
	return d->recorder.overflow.running && now - d->storm_ns < NS_PER_S;
}

static int store(struct daemon *d)
{
	uint64_t from = d->recorder.committed_position;
	uint64_t began = clock_monotonic_ns(), now = began;
	bool held = ring_produced(&d->recorder.ring) != d->recorder.ring.cursor;
	bool more;
	int r;

	do {
		r = batch(d);
		checkpoint_turn(&d->checkpoint, d->recorder.store.log_pages);
		now = clock_monotonic_ns();
	} while (r > 0 && now - began < DRAIN_NS && !upkeep_is_urgent(&d->upkeep));
	if (held)
		d->last_event_ns = now;
	if (r < 0)
		return refused(d, r);
	d->retry_ns = 0;
	say_success(d);
	recorder_free_cache(&d->recorder);
	more = upkeep_run(&d->upkeep, now - began, r == 0);
	if (r == 0 && !more)
		more = checkpoint_reserve(&d->checkpoint);
	d->storms = r > 0 || storms(d, d->recorder.committed_position - from, now);
	if (r > 0)
		return arm(d->drain_timer, 0);
	if (more || now - d->last_event_ns < IDLE_AFTER_NS) {
		may_sleep(d, false);
		return arm(d->drain_timer, more ? UPKEEP_PAUSE_NS : d->config->commit_interval_ns);
	}
	if (!may_sleep(d, true))
		return arm(d->drain_timer, 0);
	return sd_event_source_set_enabled(d->drain_timer, SD_EVENT_OFF);
}

/* From here to the end the disk may keep us waiting, and the ring is drained by another thread. */
static int drain(struct daemon *d)
{
	int r;

	overflow_watch(&d->recorder.overflow);
	r = store(d);
	if (!d->storms)
		overflow_rest(&d->recorder.overflow);
	return r;
}

static int on_much(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct daemon *d = userdata;
	eventfd_t count;

	eventfd_read(fd, &count);
	return d->retry_ns ? 0 : drain(d);
}

static int on_ring(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct daemon *d = userdata;

	/* While the database refuses, the timer decides when to try again. */
	return d->retry_ns ? 0 : drain(d);
}

static int on_drain_timer(sd_event_source *source, uint64_t now, void *userdata)
{
	return drain(userdata);
}

static int on_tick(sd_event_source *source, uint64_t now, void *userdata)
{
	struct daemon *d = userdata;
	int r = 0;

	overflow_watch(&d->recorder.overflow);
	if (d->recorder.store.db && store_has_moved(&d->recorder.store)) {
		log_error("%s has been removed or replaced: a new one is begun",
			  d->config->database);
		r = reopen(d);
	} else if (d->recorder.store.db && !d->retry_ns && !d->resume_due) {
		r = recorder_tick(&d->recorder);
		if (r == 0)
			r = recover_ends(&d->recorder);
		checkpoint_turn(&d->checkpoint, d->recorder.store.log_pages);
		if (r == 0)
			r = revive_checkpoint(d);
	}
	if (r < 0)
		refused(d, r);
	say_losses(d);
	say_malformed(d);
	recorder_free_cache(&d->recorder);
	upkeep_tick(&d->upkeep);
	/* Limits of time pass while nothing happens. */
	if (!d->retry_ns && upkeep_idle(&d->upkeep))
		arm(d->drain_timer, UPKEEP_PAUSE_NS);
	overflow_trim(&d->recorder.overflow);
	if (!d->storms)
		overflow_rest(&d->recorder.overflow);
	return arm(d->tick_timer, TICK_NS);
}

static int set_up_loop(struct daemon *d)
{
	sigset_t mask;
	int r;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	r = sd_event_default(&d->event);
	/* NULL as handler: the loop ends. */
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGTERM, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(d->event, NULL, SIGINT, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_io(d->event, NULL, d->probe.maps[PROBE_MAP_EVENTS],
				    EPOLLIN | EPOLLET, on_ring, d);
	if (r >= 0)
		r = sd_event_add_io(d->event, NULL, d->recorder.overflow.much, EPOLLIN, on_much, d);
	if (r >= 0)
		r = sd_event_add_time(d->event, &d->drain_timer, CLOCK_MONOTONIC, 0, 1000,
				      on_drain_timer, d);
	if (r >= 0)
		r = sd_event_add_time(d->event, &d->tick_timer, CLOCK_MONOTONIC, 0, 100000, on_tick,
				      d);
	if (r >= 0)
		r = sd_event_set_watchdog(d->event, 1);
	return r < 0 ? log_errno(r, "setting up the event loop failed") : 0;
}

static void tell_ready(struct daemon *d)
{
	log_event(MESSAGE_STARTED, LOG_INFO, LOG_FIELDS(LOG_TEXT("DATABASE", d->config->database)),
		  "ready");
	sd_notify(0, "READY=1\nSTATUS=recording");
}

static int record(struct daemon *d)
{
	int r;

	overflow_watch(&d->recorder.overflow);
	r = recover_snapshot(&d->recorder);
	overflow_rest(&d->recorder.overflow);
	if (r < 0) {
		log_error("taking the running processes failed: %s", schema_strerror(r));
		return r;
	}
	r = start_checkpoint(d);
	if (r < 0)
		return log_errno(r, "starting the checkpoint thread failed");
	upkeep_start(&d->upkeep);
	r = set_up_loop(d);
	if (r < 0)
		return r;
	d->last_event_ns = clock_monotonic_ns();
	tell_ready(d);
	r = sd_event_loop(d->event);
	return r < 0 ? log_errno(r, "the event loop failed") : 0;
}

/*
 * The programs go on if somebody keeps them: the pins, or the service manager, which does so for a
 * restart and not for a stop, and does not say which this is. Whoever takes over from there
 * corrects the word that is written here: recover_runs().
 */
static void stop(struct daemon *d, int error)
{
	bool stored = setup_has_fd_store();
	/* After an error what was found running goes on: the ring may hold what is nowhere else. */
	bool found = d->probe.adopted || d->old.maps[PROBE_MAP_EVENTS] >= 0;
	bool pinned = !stored && d->config->keep_attached && (error == 0 || found);
	int r;

	sd_notify(0, "STOPPING=1");
	if (d->recorder.store.db && error == 0) {
		r = recorder_finish(&d->recorder, pinned ? "handed over" : "stopped");
		if (r < 0)
			log_error("the last records could not be written: %s", schema_strerror(r));
	}
	checkpoint_stop(&d->checkpoint);
	upkeep_close(&d->upkeep);
	upkeep_stop(&d->upkeep);
	recorder_deinit(&d->recorder);
	/* What could not be stored goes with the ring. */
	if (!stored && !pinned)
		overflow_unpin(d->config->pin_directory);
	probe_close(&d->probe, !stored && !pinned);
	d->drain_timer = sd_event_source_unref(d->drain_timer);
	d->tick_timer = sd_event_source_unref(d->tick_timer);
	d->event = sd_event_unref(d->event);
}

/* Wrong configuration and wrong files are for the administrator: a restart would not help. */
static int exit_status(int error)
{
	switch (error) {
	case 0:
		return EXIT_SUCCESS;
	case -EINVAL:
	case -EISDIR:
	case SCHEMA_E_FOREIGN:
	case SCHEMA_E_NOT_DB:
	case SCHEMA_E_NEWER:
		return DAEMON_EXIT_CONFIG;
	default:
		return EXIT_FAILURE;
	}
}

/*
 * Before anything is attached: a database that cannot be used is no reason to touch the kernel.
 */
static int try_database(struct daemon *d)
{
	struct store store;
	int r = store_open(&store, d->config->database);

	if (r == SCHEMA_E_NOT_DB) {
		r = set_aside(d, schema_strerror(r));
		if (r == 0)
			r = store_open(&store, d->config->database);
	}
	if (r < 0) {
		log_error("%s: %s", d->config->database, schema_strerror(r));
		return r;
	}
	store_close(&store);
	return 0;
}

/*
 * One database has one writer. A file of its own, since closing any descriptor of the database
 * would drop SQLite's locks on it.
 */
static int lock_database(struct daemon *d)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s-lock", d->config->database);

	if (n < 0 || n >= (int)sizeof(path))
		return log_errno(-ENAMETOOLONG, "%s", d->config->database);
	d->database_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (d->database_lock < 0)
		return log_errno(-errno, "%s", path);
	if (flock(d->database_lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	log_error("%s is in use by another lineaged; give this one another --db",
		  d->config->database);
	return -EBUSY;
}

static int start(struct daemon *d)
{
	int r = cgroup_detect("/proc/self/mountinfo", "/proc/self/cgroup", &d->hierarchies);

	if (r < 0)
		return log_errno(r, "reading the cgroup hierarchies failed");
	uname(&d->node);
	r = config_hash(d->config, d->config_hash);
	if (r < 0)
		return log_errno(r, "hashing the configuration failed");
	r = lock_database(d);
	if (r == 0)
		r = try_database(d);
	if (r == 0)
		r = setup_probe(d);
	if (r == 0)
		r = init_recorder(d);
	return r;
}

int daemon_run(const struct config *config)
{
	struct daemon d = {.config = config, .database_lock = -1};
	int r;

	probe_init(&d.probe);
	probe_init(&d.old);
	upkeep_init(&d.upkeep, config, &d.recorder, &d.checkpoint);
	r = start(&d);
	if (r == 0)
		r = record(&d);
	stop(&d, r);
	cleanup_close(&d.database_lock);
	return exit_status(r);
}

static int try_load(void *userdata, char *explanation, size_t size)
{
	struct daemon *d = userdata;
	struct probe_options options = setup_probe_options(d);
	struct probe_problem problem = {0};
	enum probe_failures failures = PROBE_FAILURES_NO;
	int r = probe_try(&options, &failures, &problem);

	snprintf(explanation, size, "%s", r < 0 ? problem.text : setup_failures_words(failures));
	return r;
}

int daemon_check(const struct config *config)
{
	struct daemon d = {.config = config};
	struct check_node node;
	char release[65];

	check_this_node(&node, release);
	cgroup_detect("/proc/self/mountinfo", "/proc/self/cgroup", &d.hierarchies);
	return check_run(stdout, &node, config, try_load, &d);
}
