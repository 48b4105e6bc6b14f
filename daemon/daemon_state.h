/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's one state, shared by daemon.c (the loop) and setup.c (what a start has to do).
 */
#ifndef LINEAGED_DAEMON_STATE_H
#define LINEAGED_DAEMON_STATE_H

#include <sys/utsname.h>
#include <systemd/sd-event.h>

#include "daemon/cgroup.h"
#include "daemon/checkpoint.h"
#include "daemon/config.h"
#include "daemon/log.h"
#include "daemon/recorder.h"
#include "daemon/upkeep.h"

struct daemon {
	const struct config *config;
	struct cgroup_hierarchies hierarchies;
	struct probe probe;
	struct probe old; /* of another layout, drained before this one is read; maps -1: none */
	uint64_t carried_boot_ns; /* when the last of its entries was put into process_cache */
	struct recorder recorder;
	struct checkpoint checkpoint;
	struct upkeep upkeep;
	int database_lock; /* held against a second daemon */
	char config_hash[CONFIG_HASH_SIZE];
	struct utsname node;

	sd_event *event;
	sd_event_source *drain_timer, *tick_timer;
	uint64_t last_event_ns; /* monotonic: when the ring last held something */
	uint64_t stored_ns;	/* monotonic: when the ring was last read to its end */
	uint64_t storm_ns; /* when there were so many events that the ring needs its own drain */
	bool storms;	   /* a moment ago: the ring is drained beside us all the time */
	bool resume_due;   /* a database has been opened anew, and lacks what resume() does */
	uint64_t retry_ns; /* 0: the database takes what it is given */
	struct log_condition refusing, losing, malformed;
	uint64_t lost_before, malformed_before;
};

/* The BPF side: taken over from an earlier daemon or loaded. Says what went wrong. */
int setup_probe(struct daemon *d);
struct probe_options setup_probe_options(struct daemon *d);
/* How failed execs are found, in a sentence for --check and the log. */
const char *setup_failures_words(enum probe_failures failures);
/* With a service manager that keeps descriptors there is no need for pinned links. */
bool setup_has_fd_store(void);

#endif
