/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon's loop does beside recording: retention and the files with its figures. Part of
 * the wiring, so it logs; what is to be done is in retain.h and status.h.
 */
#ifndef LINEAGED_UPKEEP_H
#define LINEAGED_UPKEEP_H

#include "daemon/log.h"
#include "daemon/recorder.h"
#include "daemon/retain.h"
#include "daemon/status_file.h"

/* Between two steps of retention while there is nothing else to do: a third of one processor. */
#define UPKEEP_PAUSE_NS (10ULL * 1000 * 1000)
/* Events per transaction while the database is above its limit: some 20 ms, so that steps of
 * retention come often enough. */
#define UPKEEP_BATCH_URGENT 2000

struct upkeep {
	const struct config *config;
	struct recorder *recorder;
	struct checkpoint *checkpoint;
	struct retain retain;
	bool retains; /* retain is open */
	struct status_reporter status;
	struct status_writer writer;
	struct log_condition stuck, held, unwritten;
	char refused[128]; /* why the database takes nothing; "": it does */
	uint64_t refused_boot_ns;
	uint64_t looked_ns, looked_produced; /* by upkeep_idle(); position of the ring */
	bool more;
};

/* Once. recorder and checkpoint are the daemon's; neither needs to be open. */
void upkeep_init(struct upkeep *u, const struct config *config, struct recorder *recorder,
		 struct checkpoint *checkpoint);
/* After recorder_open() and before recorder_close(). */
int upkeep_open(struct upkeep *u);
void upkeep_close(struct upkeep *u);

/* The files with the figures: written from now on; removed. */
void upkeep_start(struct upkeep *u);
void upkeep_stop(struct upkeep *u);

/*
 * After the recorder has worked for spent_ns; idle: the ring has been read to its end. True: there
 * is more to do, call again in UPKEEP_PAUSE_NS.
 */
bool upkeep_run(struct upkeep *u, uint64_t spent_ns, bool idle);

/* Once per second: limits of time pass while nothing happens. True: as upkeep_run(). */
bool upkeep_idle(struct upkeep *u);

/* The database is above its limit: after each batch, retention should have its turn. */
bool upkeep_is_urgent(const struct upkeep *u);

/* Once per second. */
void upkeep_tick(struct upkeep *u);

/* The database refused a batch, for this reason; NULL: it takes them again. */
void upkeep_refused(struct upkeep *u, const char *why);

#endif
