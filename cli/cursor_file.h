/* SPDX-License-Identifier: Apache-2.0 */
/* Where `follow` has its cursor from and keeps it: the command line, or a file between two runs. */
#ifndef LINEAGED_CLI_CURSOR_FILE_H
#define LINEAGED_CLI_CURSOR_FILE_H

#include "cli/cmd.h"
#include "cli/cursor.h"

/* 1: there is one, and the database goes on from it. 0: none was given, or its file is yet to be.
 * Else a negative error, or the exit status of what has been said. */
int cursor_load(const struct session *session, struct query *query, struct cursor *ret_cursor);
/* Into the file, if there is to be one. */
int cursor_keep(const struct session *session, struct query *query, struct cursor *cursor);

#endif
