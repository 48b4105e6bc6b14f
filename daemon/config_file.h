/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which files are read, in which order, and their lines; what the lines mean is config.c's.
 * The rules are systemd's: of files with the same name in /etc, /run and /usr/lib only the first
 * counts, a link to /dev/null hides the others, and all are read in the order of their names.
 */
#ifndef LINEAGED_CONFIG_FILE_H
#define LINEAGED_CONFIG_FILE_H

#include "daemon/config.h"

struct config_file_handler {
	/* An assignment. place is "FILE:LINE". */
	void (*assign)(void *userdata, const char *place, const char *section, const char *name,
		       const char *value);
	/* A line or a file that cannot be read. */
	config_report_fn report;
	void *userdata;
};

/* 0 or -ENOMEM; everything else is reported. `source` says where. */
int config_file_read_all(const struct config_source *source,
			 const struct config_file_handler *handler);

#endif
