/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a database that a report or an export is about: one process with its family, or what
 * happened in a window, or what matches; and always the ancestors of all of it.
 */
#ifndef LINEAGED_CLI_EXTRACT_H
#define LINEAGED_CLI_EXTRACT_H

#include "cli/redact.h"
#include "cli/select.h"

struct extract {
	struct process_list list; /* asked for (selected), then ancestors */
	struct process *target;	  /* where one process was named */
	struct completeness completeness;
};

/* 0, or an exit status with a sentence said. Execs and pruned children are loaded. */
int extract_gather(struct session *session, struct extract *extract);
void extract_deinit(struct extract *extract);
/* The question in words, as on the command line; hostile like one. redact NULL: as it was asked. */
void extract_question(const struct session *session, struct redact *redact, struct buffer *out);

#endif
