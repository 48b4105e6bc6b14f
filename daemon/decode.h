/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From bytes of the ring to checked ABI structs. Pure, trusts no length, and is what the fuzzer
 * runs. It does not interpret: that is the book's part.
 */
#ifndef LINEAGED_DECODE_H
#define LINEAGED_DECODE_H

#include <stddef.h>

#include "bpf/lineage_abi.h"

/* Room for the longest path of the ABI, or what is left of a longer one after "...", and a NUL. */
#define DECODE_PATH_SIZE (LINEAGE_PATH_MAX + 4)

struct decode_string {
	const char *bytes; /* not NUL-terminated */
	size_t length;
};

/* The parts of an exec record's data. Paths are still leaf first. */
struct decode_exec {
	const struct lineage_exec *exec;
	struct decode_string exe, cwd, filename, interp, args;
};

/* The parts of a failed exec's data; filename is as asked, without its directory. */
struct decode_failure {
	const struct lineage_exec_failure *failure;
	struct decode_string filename, args; /* bytes NULL: could not be read */
};

/* The kind of a record that is whole and consistent, or -EBADMSG. bytes must be 8-byte aligned. */
int decode_record(const void *bytes, size_t length);

/* The parts of a record that decode_record() called LINEAGE_EXEC. */
void decode_exec(const void *bytes, struct decode_exec *ret_exec);

/* The parts of a record that decode_record() called LINEAGE_EXEC_FAILURE. */
void decode_failure(const void *bytes, struct decode_failure *ret_failure);

/* Room for the longest name, and for what is before it. */
#define DECODE_FILENAME_SIZE (LINEAGE_PATH_MAX + 24)

/*
 * The name as the kernel would have passed it on: a name that is relative to a descriptor begins
 * with /dev/fd/N. Returns its length.
 */
size_t decode_failure_filename(const struct decode_failure *failure,
			       char filename[DECODE_FILENAME_SIZE]);

/*
 * "ls\0bin\0usr\0" to "/usr/bin/ls", NUL-terminated; returns its length. Components of a truncated
 * path are its last ones: then it starts with "..." instead of the root.
 */
size_t decode_path(struct decode_string components, int truncated, char path[DECODE_PATH_SIZE]);

#endif
