/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages for the administrator: to the journal with fields when stderr is the journal, else to
 * stderr as "lineaged: text".
 *
 * Only the wiring layer (main.c, daemon.c, options.c) logs; everything else returns its error.
 * Not for what was recorded: argv of other processes never goes into a log.
 */
#ifndef LINEAGED_LOG_H
#define LINEAGED_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "daemon/message_ids.h"

/* A journal field beside the message. Names begin with LINEAGE_; a NULL text is left out. */
struct log_field {
	const char *name;
	const char *text; /* NULL: `number` is meant if is_number */
	int64_t number;
	bool is_number;
};

#define LOG_TEXT(n, v) ((struct log_field){.name = "LINEAGE_" n, .text = (v)})
#define LOG_NUMBER(n, v) \
	((struct log_field){.name = "LINEAGE_" n, .number = (v), .is_number = true})
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.name = NULL}})

/*
 * Where to write: fd is stderr outside of tests; journal_stream is the value of $JOURNAL_STREAM or
 * NULL. Before the first call: fd 2, as text. Not to be called while other threads log.
 */
void log_open(int fd, const char *journal_stream);

/* What is less urgent than this (LOG_ERR .. LOG_DEBUG) is dropped. Default LOG_INFO. */
void log_set_max_priority(int priority);

/* A message with an id and fields (LOG_FIELDS(...) or NULL). Any thread. */
void log_event(sd_id128_t id, int priority, const struct log_field *fields, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

void log_message(int priority, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends ": what the error means". Returns `error`, a negative errno. */
int log_message_errno(int priority, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define log_error(...)		    log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...)	    log_message(LOG_WARNING, __VA_ARGS__)
#define log_info(...)		    log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...)		    log_message(LOG_DEBUG, __VA_ARGS__)
#define log_errno(error, ...)	    log_message_errno(LOG_ERR, error, __VA_ARGS__)
#define log_warning_errno(err, ...) log_message_errno(LOG_WARNING, err, __VA_ARGS__)

/*
 * A condition that lasts (disk full, events lost): said when it begins, again after `repeat_ns`
 * while it lasts, and when it is over. Times are of one monotonic clock. Zeroed is "not the case".
 */
struct log_condition {
	bool active;
	uint64_t since_ns;
	uint64_t said_ns;
	uint64_t count; /* how often it was met since it began */
};

/* It is the case, `count` more times. True: say so now. repeat_ns 0: only once. */
bool log_condition_met(struct log_condition *condition, uint64_t count, uint64_t now_ns,
		       uint64_t repeat_ns);

/* It is not (any longer). True: it was, say that it is over; *ret_past then tells since when. */
bool log_condition_over(struct log_condition *condition, struct log_condition *ret_past);

#endif
