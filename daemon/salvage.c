/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/cleanup.h"
#include "schema/schema.h"

static const char *const side_files[] = {"-wal", "-shm"};

/* Of the file format: the magic at the start, the application id at 68, big-endian. */
static bool first_page_is_ours(const char *path)
{
	static const char magic[16] = "SQLite format 3";
	unsigned char page[100];
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint32_t application;

	if (fd < 0 || read(fd, page, sizeof(page)) != (ssize_t)sizeof(page))
		return false;
	application = (uint32_t)page[68] << 24 | (uint32_t)page[69] << 16 |
		      (uint32_t)page[70] << 8 | page[71];
	return memcmp(page, magic, sizeof(magic)) == 0 && application == SCHEMA_APPLICATION_ID;
}

/* Where the first page has been overwritten, the pages behind it still hold the text of the schema.
 */
#define SEARCH_BYTES (1u << 20)

static bool schema_is_ours(const char *path)
{
	static const char table[] = "CREATE TABLE process_row";
	CLEANUP_FREE char *bytes = malloc(SEARCH_BYTES);
	CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 && bytes ? read(fd, bytes, SEARCH_BYTES) : -1;

	return n > 0 && memmem(bytes, (size_t)n, table, sizeof(table) - 1);
}

static int join(char *out, const char *path, const char *suffix)
{
	int n = snprintf(out, PATH_MAX, "%s%s", path, suffix);

	return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

bool salvage_is_ours(const char *path)
{
	char side[PATH_MAX];

	if (first_page_is_ours(path) || schema_is_ours(path))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(side_files); i++)
		if (join(side, path, side_files[i]) == 0 && access(side, F_OK) == 0)
			return true;
	return false;
}

/* A name that is not taken yet, not even by an earlier mishap in the same second. */
static int find_name(const char *path, time_t now, char name[PATH_MAX])
{
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	for (int i = 0; i < 1000; i++) {
		int n = i ? snprintf(name, PATH_MAX, "%s.damaged-%s.%d", path, stamp, i)
			  : snprintf(name, PATH_MAX, "%s.damaged-%s", path, stamp);

		if (n < 0 || n >= PATH_MAX)
			return -ENAMETOOLONG;
		if (access(name, F_OK) < 0 && errno == ENOENT)
			return 0;
	}
	return -EEXIST;
}

int salvage_set_aside(const char *path, time_t now, char name[PATH_MAX])
{
	int r = find_name(path, now, name);

	/* Side files first: a database without its log is less misleading than a log without its
	 * own. */
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(side_files); i++) {
		char from[PATH_MAX], to[PATH_MAX];

		r = join(from, path, side_files[i]);
		if (r == 0)
			r = join(to, name, side_files[i]);
		if (r == 0 && renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 &&
		    errno != ENOENT)
			r = -errno;
	}
	if (r == 0 && renameat2(AT_FDCWD, path, AT_FDCWD, name, RENAME_NOREPLACE) < 0)
		r = -errno;
	return r;
}
