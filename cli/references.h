/* SPDX-License-Identifier: Apache-2.0 */
/* What a part of the record needs besides, so that it answers as the whole does. */
#ifndef LINEAGED_CLI_REFERENCES_H
#define LINEAGED_CLI_REFERENCES_H

#include "cli/query.h"

/*
 * Appends, of what the list has of this database, all parents, creators, reapers and inits of PID
 * namespaces, and theirs, until nothing is missing. Loads earlier images. Needs QUERY_DETAIL_FULL.
 */
int references_close(struct query *query, struct process_list *list);

#endif
