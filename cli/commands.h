/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs, in the order of the help: a new one is a line here and a cmd_NAME.c. */
#ifndef LINEAGED_CLI_COMMANDS_H
#define LINEAGED_CLI_COMMANDS_H

#include "cli/cmd.h"

#define COMMANDS(X) \
	X(tree)     \
	X(window)   \
	X(search)   \
	X(show)     \
	X(why)      \
	X(boots)    \
	X(stats)    \
	X(diff)     \
	X(follow)   \
	X(status)   \
	X(verify)   \
	X(report)   \
	X(export)   \
	X(sql)

#define X(name) extern const struct command cmd_##name;
COMMANDS(X)
#undef X

#endif
