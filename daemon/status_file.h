/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that hold the daemon's figures, and a thread that writes them: on a busy disk even
 * replacing a small file may take seconds, which the thread that drains the ring does not have.
 *
 * Not for what stands in them: see status.h and status_print.c.
 */
#ifndef LINEAGED_STATUS_FILE_H
#define LINEAGED_STATUS_FILE_H

#include <pthread.h>
#include <stdbool.h>

#include "daemon/status.h"

/* Writes both files of the configuration. 0, or the first error; the other is written all the same.
 */
int status_file_replace(const struct config *config, const struct status *status);

/* A daemon that has ended leaves no figures behind. */
void status_file_remove(const struct config *config);

struct status_writer {
	const struct config *config;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool running, stop;
	bool waiting;	    /* `next` has not been written */
	struct status next; /* of its pointers, only `refused` may change */
	char refused[128];
	int error; /* of the last time */
};

int status_writer_start(struct status_writer *w, const struct config *config);
/* After the file that it is at. Also for one that was never started. */
void status_writer_stop(struct status_writer *w);
/* To be written soon, instead of what still waits. Returns the result of the last time. */
int status_writer_put(struct status_writer *w, const struct status *status);

#endif
