/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/upkeep.h"

#include <string.h>

#include "daemon/clock.h"

#define NS_PER_S 1000000000ULL
/* Conditions that last are said again so often. */
#define REPEAT_NS (3600 * NS_PER_S)
/* How often the limits are looked at where nothing is recorded: others may fill the disk. */
#define IDLE_LOOK_NS (5 * NS_PER_S)

void upkeep_init(struct upkeep *u, const struct config *config, struct recorder *recorder,
		 struct checkpoint *checkpoint)
{
	int r;

	*u = (struct upkeep){.config = config, .recorder = recorder, .checkpoint = checkpoint};
	r = status_init(&u->status, config, clock_boot_ns());
	if (r < 0)
		log_warning_errno(r, "reading the boot id failed, ignoring");
}

int upkeep_open(struct upkeep *u)
{
	struct recorder *r = u->recorder;
	int result =
		retain_init(&u->retain, u->config, &r->store, &r->intern, &r->book, u->checkpoint);

	u->retains = result == 0;
	return result;
}

void upkeep_close(struct upkeep *u)
{
	if (u->retains)
		retain_deinit(&u->retain);
	u->retains = false;
}

void upkeep_start(struct upkeep *u)
{
	int r = status_writer_start(&u->writer, u->config);

	if (r < 0)
		log_warning_errno(r,
				  "the figures for lineage-query status are not written, ignoring");
}

void upkeep_stop(struct upkeep *u)
{
	status_writer_stop(&u->writer);
	status_file_remove(u->config);
}

static void say_state(struct upkeep *u)
{
	const struct retain *r = &u->retain;
	uint64_t now = clock_monotonic_ns();
	struct log_condition past;

	if (r->held && log_condition_met(&u->held, 1, now, REPEAT_NS))
		log_warning("a reader has kept the write-ahead log of %s for long: it grows, and "
			    "nothing can be removed until that reader ends",
			    u->config->database);
	if (!r->held && log_condition_over(&u->held, &past))
		log_info("the write-ahead log is free again");
	if (r->stuck && log_condition_met(&u->stuck, 1, now, REPEAT_NS))
		log_warning("%s is above its limit, and all that is left is of running processes "
			    "and their ancestors",
			    u->config->database);
}

bool upkeep_is_urgent(const struct upkeep *u)
{
	return u->retains && retain_is_urgent(&u->retain);
}

static void set_batch(struct upkeep *u)
{
	uint64_t most = u->config->batch_max;

	if (upkeep_is_urgent(u) && most > UPKEEP_BATCH_URGENT)
		most = UPKEEP_BATCH_URGENT;
	u->recorder->options.batch_max = most;
}

bool upkeep_run(struct upkeep *u, uint64_t spent_ns, bool idle)
{
	int r;

	/* What the recorder has in memory must be what the database says. */
	if (!u->retains || u->recorder->stale)
		return false;
	r = retain_run(&u->retain, clock_boot_ns(), spent_ns, idle);
	set_batch(u);
	say_state(u);
	return r > 0;
}

bool upkeep_idle(struct upkeep *u)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t produced = u->retains ? ring_produced(&u->recorder->ring) : 0;

	if (produced == u->looked_produced && !u->more && now - u->looked_ns < IDLE_LOOK_NS)
		return false;
	u->looked_produced = produced;
	u->looked_ns = now;
	u->more = upkeep_run(u, 0, true);
	return u->more;
}

void upkeep_refused(struct upkeep *u, const char *why)
{
	if (why && !*u->refused)
		u->refused_boot_ns = clock_boot_ns();
	snprintf(u->refused, sizeof(u->refused), "%s", why ? why : "");
}

void upkeep_tick(struct upkeep *u)
{
	struct status_sources sources = {
		.recorder = u->recorder,
		.checkpoint = u->checkpoint,
		.retain = u->retains ? &u->retain : NULL,
		.refused = *u->refused ? u->refused : NULL,
		.refused_boot_ns = u->refused_boot_ns,
	};
	struct log_condition past;
	struct status status;
	int r;

	if (!u->writer.running || !status_tick(&u->status, &sources, clock_boot_ns(), &status))
		return;
	r = status_writer_put(&u->writer, &status);
	if (r < 0 && log_condition_met(&u->unwritten, 1, clock_monotonic_ns(), REPEAT_NS))
		log_warning_errno(r, "the figures for lineage-query status cannot be written, "
				     "ignoring");
	if (r == 0)
		log_condition_over(&u->unwritten, &past);
}
