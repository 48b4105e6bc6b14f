/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of lineaged: what to do, and which configuration values it overrides.
 * It checks the form only; the values are checked with those of the files by config_load().
 */
#ifndef LINEAGED_OPTIONS_H
#define LINEAGED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "daemon/config.h"

enum options_action {
	OPTIONS_RECORD,
	OPTIONS_CHECK,
	OPTIONS_VERSION,
	OPTIONS_HELP,
	OPTIONS_DUMP_DEFAULTS,	/* --dump-config: the file to install */
	OPTIONS_DUMP_MANUAL,	/* --dump-config=manual: the list for lineaged.conf(5) */
	OPTIONS_DUMP_EFFECTIVE, /* --dump-config=effective: what is in force */
};

/* Exit status for a command line that makes no sense, as in lineage-query. */
#define OPTIONS_EXIT_USAGE 2

struct options {
	enum options_action action;
	const char *config_file; /* NULL: the usual ones */
	bool debug;
	struct config_override *overrides;
	size_t overrides_count;
	char problem[256]; /* after -EINVAL: one sentence */
};

/* 0, -EINVAL with `problem`, or -ENOMEM. In each case options_deinit() is to follow. */
int options_parse(struct options *options, int argc, char *argv[]);
void options_deinit(struct options *options);

void options_print_help(FILE *out);
void options_print_version(FILE *out);

#endif
