/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's status file, read as names and values, whatever they are. The only user of json-c
 * here, whose names do not go together with json.h.
 */
#ifndef LINEAGED_CLI_STATUS_FILE_H
#define LINEAGED_CLI_STATUS_FILE_H

#include <stdbool.h>
#include <stdint.h>

enum status_type {
	STATUS_OPEN,
	STATUS_CLOSE,
	STATUS_INTEGER,
	STATUS_REAL,
	STATUS_BOOLEAN,
	STATUS_TEXT
};

struct status_value {
	enum status_type type;
	const char *name; /* NULL inside a list */
	bool list;	  /* of STATUS_OPEN and STATUS_CLOSE: a list, not names and values */
	int depth;
	int64_t integer;
	double real;
	const char *text;
};

/* Each value in the order of the file. 0, -EBADMSG: no such file of ours, or another negative
 * errno. */
int status_file_read(const char *path, void (*fn)(const struct status_value *value, void *userdata),
		     void *userdata);

#endif
