/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store_log.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define VFS_NAME   "lineaged-log"
#define PAGE_BYTES 4096
/* In one write. SQLite's own takes less than 128 KiB at once, and no more is any faster. */
#define PIECE_BYTES (64 << 10)

/* Of the format: https://www.sqlite.org/fileformat2.html#walformat */
#define LOG_HEADER_BYTES   32
#define FRAME_HEADER_BYTES 24
/* In a frame's header, 4 bytes: pages of the database if a transaction ends here, else 0. */
#define FRAME_COMMIT_AT 4

struct log {
	sqlite3_file file; /* first: what SQLite knows of it */
	/* Collected: bytes of the file from `start` on, not written yet. */
	sqlite3_int64 start;
	int length;
	uint8_t *bytes; /* PIECE_BYTES, and room for zeros up to the end of a page */
	/* Where the next frame is expected; -1: not known. */
	sqlite3_int64 tail;
	bool ends; /* the frame that is being written ends a transaction */
	/* sqlite3_file of the VFS below, as long as that needs; SQLite aligns to 8 bytes */
	_Alignas(8) uint8_t below[];
};

static sqlite3_vfs vfs;

static struct log *log_of(sqlite3_file *file)
{
	return (struct log *)file;
}

static sqlite3_file *below(sqlite3_file *file)
{
	return (sqlite3_file *)log_of(file)->below;
}

static void forget(struct log *log)
{
	log->length = 0;
	log->tail = -1;
	log->ends = false;
}

/* The first `length` of the bytes; zeros, what is behind `collected`. */
static int write_out(struct log *log, int length, int collected)
{
	sqlite3_file *file = (sqlite3_file *)log->below;
	int rc = file->pMethods->xWrite(file, log->bytes, length, log->start);

	if (rc != SQLITE_OK)
		return rc;
	log->start += length;
	log->length -= collected;
	memmove(log->bytes, log->bytes + collected, (size_t)log->length);
	return SQLITE_OK;
}

/* All that is collected, for whoever looks into the file itself. */
static int write_all(struct log *log)
{
	return log->length ? write_out(log, log->length, log->length) : SQLITE_OK;
}

/* For whoever looks into the file up to `end`. */
static int write_up_to(struct log *log, sqlite3_int64 end)
{
	return end > log->start ? write_all(log) : SQLITE_OK;
}

/* What is collected of these bytes of the file; NULL: not all of them are. */
static uint8_t *find_collected(struct log *log, int amount, sqlite3_int64 offset)
{
	bool is_here = log->length && offset >= log->start &&
		       offset + amount <= log->start + log->length;

	return is_here ? log->bytes + (offset - log->start) : NULL;
}

/* All of it, up to the end of a page: nothing of worth is behind the end of a transaction. */
static int write_last(struct log *log)
{
	int over = (int)((log->start + log->length) % PAGE_BYTES);
	int zeros = over ? PAGE_BYTES - over : 0;

	if (!log->length)
		return SQLITE_OK;
	memset(log->bytes + log->length, 0, (size_t)zeros);
	return write_out(log, log->length + zeros, log->length);
}

/* Makes room: all that fills pages of the file. */
static int write_pages(struct log *log)
{
	int over = (int)((log->start + log->length) % PAGE_BYTES);

	return write_out(log, log->length - over, log->length - over);
}

static int collect(struct log *log, const uint8_t *bytes, int amount, sqlite3_int64 offset)
{
	if (!log->length)
		log->start = offset;
	log->tail = offset + amount;
	while (amount > 0) {
		int room = PIECE_BYTES - log->length;
		int part = amount < room ? amount : room;
		int rc;

		memcpy(log->bytes + log->length, bytes, (size_t)part);
		log->length += part;
		bytes += part;
		amount -= part;
		if (log->length < PIECE_BYTES)
			continue;
		rc = write_pages(log);
		if (rc != SQLITE_OK)
			return rc;
	}
	return SQLITE_OK;
}

/* Not at the end: a page that the same transaction has written before, or its new checksum. */
static int write_elsewhere(struct log *log, const void *bytes, int amount, sqlite3_int64 offset)
{
	sqlite3_file *file = (sqlite3_file *)log->below;
	uint8_t *collected = find_collected(log, amount, offset);
	int rc;

	if (collected) {
		memcpy(collected, bytes, (size_t)amount);
		return SQLITE_OK;
	}
	rc = write_up_to(log, offset + amount);
	if (rc == SQLITE_OK)
		rc = file->pMethods->xWrite(file, bytes, amount, offset);
	/* From here on, if it was the beginning of something: nothing is collected before. */
	if (!log->length && offset + amount > log->tail)
		log->tail = offset + amount;
	return rc;
}

static int take(struct log *log, const void *bytes, int amount, sqlite3_int64 offset)
{
	static const uint8_t none[4];
	/* A new header: the log has been copied and begins anew, or nothing of it is of worth. */
	bool anew = offset == 0 && amount == LOG_HEADER_BYTES;
	int rc = SQLITE_OK;

	if (amount == FRAME_HEADER_BYTES)
		log->ends = memcmp((const uint8_t *)bytes + FRAME_COMMIT_AT, none, 4) != 0;
	if (anew) {
		log->ends = false;
		rc = write_all(log);
	}
	if (rc != SQLITE_OK)
		return rc;
	if (anew || offset == log->tail)
		rc = collect(log, bytes, amount, offset);
	else
		rc = write_elsewhere(log, bytes, amount, offset);
	if (rc != SQLITE_OK || !log->ends || amount == FRAME_HEADER_BYTES)
		return rc;
	/* The last page of a transaction: all of it must be in the file now. */
	rc = offset + amount == log->tail ? write_last(log) : write_all(log);
	if (rc == SQLITE_OK)
		log->tail = offset + amount;
	return rc;
}

static int log_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 offset)
{
	int rc = take(log_of(file), bytes, amount, offset);

	/*
	 * The transaction fails: what of it is still here is not tried again. Unlike in the calls
	 * below, after which SQLite may go on with it, and then it must be written yet.
	 */
	if (rc != SQLITE_OK)
		forget(log_of(file));
	return rc;
}

static int log_read(sqlite3_file *file, void *bytes, int amount, sqlite3_int64 offset)
{
	struct log *log = log_of(file);
	const uint8_t *collected = find_collected(log, amount, offset);
	int rc;

	if (collected) {
		memcpy(bytes, collected, (size_t)amount);
		return SQLITE_OK;
	}
	rc = write_up_to(log, offset + amount);
	return rc == SQLITE_OK ? below(file)->pMethods->xRead(below(file), bytes, amount, offset)
			       : rc;
}

static int log_close(sqlite3_file *file)
{
	/* What is still collected belongs to no transaction that was committed. */
	sqlite3_free(log_of(file)->bytes);
	return below(file)->pMethods->xClose(below(file));
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	int rc = write_all(log_of(file));

	return rc == SQLITE_OK ? below(file)->pMethods->xTruncate(below(file), size) : rc;
}

static int log_sync(sqlite3_file *file, int flags)
{
	int rc = write_all(log_of(file));

	return rc == SQLITE_OK ? below(file)->pMethods->xSync(below(file), flags) : rc;
}

static int log_file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	int rc = write_all(log_of(file));

	return rc == SQLITE_OK ? below(file)->pMethods->xFileSize(below(file), ret_size) : rc;
}

static int log_lock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xLock(below(file), level);
}

static int log_unlock(sqlite3_file *file, int level)
{
	return below(file)->pMethods->xUnlock(below(file), level);
}

static int log_check_reserved(sqlite3_file *file, int *ret_reserved)
{
	return below(file)->pMethods->xCheckReservedLock(below(file), ret_reserved);
}

static int log_control(sqlite3_file *file, int op, void *argument)
{
	return below(file)->pMethods->xFileControl(below(file), op, argument);
}

static int log_sector_size(sqlite3_file *file)
{
	return below(file)->pMethods->xSectorSize(below(file));
}

static int log_characteristics(sqlite3_file *file)
{
	return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

/* Version 1: shared and mapped memory are the database's alone. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = log_close,
	.xRead = log_read,
	.xWrite = log_write,
	.xTruncate = log_truncate,
	.xSync = log_sync,
	.xFileSize = log_file_size,
	.xLock = log_lock,
	.xUnlock = log_unlock,
	.xCheckReservedLock = log_check_reserved,
	.xFileControl = log_control,
	.xSectorSize = log_sector_size,
	.xDeviceCharacteristics = log_characteristics,
};

static int open_log(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	sqlite3_vfs *other = self->pAppData;
	struct log *log = log_of(file);
	int rc;

	if (!(flags & SQLITE_OPEN_WAL))
		return other->xOpen(other, name, file, flags, ret_flags);
	/* Without methods SQLite does not close it. */
	*log = (struct log){.tail = -1, .bytes = sqlite3_malloc(PIECE_BYTES + PAGE_BYTES)};
	if (!log->bytes)
		return SQLITE_NOMEM;
	rc = other->xOpen(other, name, below(file), flags, ret_flags);
	if (rc != SQLITE_OK) {
		if (below(file)->pMethods)
			below(file)->pMethods->xClose(below(file));
		sqlite3_free(log->bytes);
		log->bytes = NULL;
		return rc;
	}
	log->file.pMethods = &methods;
	return SQLITE_OK;
}

static void register_vfs(void)
{
	sqlite3_vfs *other;

	schema_configure();
	other = sqlite3_vfs_find(NULL);
	if (!other)
		return;
	vfs = *other;
	vfs.pNext = NULL;
	vfs.zName = VFS_NAME;
	vfs.pAppData = other;
	vfs.szOsFile = (int)sizeof(struct log) + other->szOsFile;
	vfs.xOpen = open_log;
	if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK)
		vfs.zName = NULL;
}

const char *store_log_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_vfs);
	return vfs.zName;
}

static void forget_rolled_back(void *userdata)
{
	sqlite3_file *file = NULL;

	if (sqlite3_file_control(userdata, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) ==
		    SQLITE_OK &&
	    file && file->pMethods == &methods)
		forget(log_of(file));
}

void store_log_follow(sqlite3 *db)
{
	sqlite3_rollback_hook(db, forget_rolled_back, db);
}
