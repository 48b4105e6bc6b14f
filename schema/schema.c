/* SPDX-License-Identifier: Apache-2.0 */
#include "schema/schema.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/cleanup.h"
#include "schema_sql.h"

/* Append-only: entry i takes user_version i to i + 1. */
static const char *const migrations[] = {
	schema_0001_init_sql,
};

int schema_version(void)
{
	return (int)ARRAY_SIZE(migrations);
}

const char *schema_strerror(int error)
{
	switch (error) {
	case 0:
		return "no error";
	case SCHEMA_E_FOREIGN:
		return "it is a database of another program; name another file with --db";
	case SCHEMA_E_NOT_DB:
		return "it is no SQLite database, or it is damaged";
	case SCHEMA_E_NEWER:
		return "it was written by a newer lineaged; use that version or a later one";
	case SCHEMA_E_OLDER:
		return "it was written by an older lineaged; start lineaged once on it to migrate "
		       "it";
	case SCHEMA_E_BUSY:
		return "another process is writing to it";
	case SCHEMA_E_SQLITE:
		return "SQLite could not read it";
	default:
		return strerror(-error);
	}
}

int schema_error(int sqlite_rc)
{
	switch (sqlite_rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW & 0xff:
	case SQLITE_DONE & 0xff:
		return 0;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return SCHEMA_E_NOT_DB;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		return -EIO;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return SCHEMA_E_BUSY;
	default:
		return SCHEMA_E_SQLITE;
	}
}

int schema_exec(sqlite3 *db, const char *sql)
{
	return schema_error(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

static int read_pragma(sqlite3 *db, const char *sql, int *ret_value)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		*ret_value = sqlite3_column_int(stmt, 0);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return schema_error(rc);
}

/* >= 0: user_version of one of our databases, 0 for an empty one. */
static int identify(sqlite3 *db)
{
	int application = 0, version = 0, tables = 0;
	int r;

	r = read_pragma(db, "PRAGMA application_id", &application);
	if (r == 0)
		r = read_pragma(db, "PRAGMA user_version", &version);
	if (r == 0)
		r = read_pragma(db, "SELECT count(*) FROM sqlite_master", &tables);
	if (r < 0)
		return r;
	if (application == 0 && version == 0 && tables == 0)
		return 0;
	if (application != SCHEMA_APPLICATION_ID)
		return SCHEMA_E_FOREIGN;
	if (version > schema_version())
		return SCHEMA_E_NEWER;
	return version;
}

static int drop_views(sqlite3 *db)
{
	CLEANUP_FREE char *sql = NULL;
	sqlite3_stmt *stmt = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&sql, &size);
	int rc;

	if (!out)
		return -ENOMEM;
	rc = sqlite3_prepare_v2(db, "SELECT name FROM sqlite_master WHERE type = 'view'", -1, &stmt,
				NULL);
	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
		fprintf(out, "DROP VIEW \"%s\";", (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	if (fclose(out) != 0)
		return -ENOMEM;
	return rc == SQLITE_OK ? schema_exec(db, sql) : schema_error(rc);
}

static int migrate(sqlite3 *db, int version)
{
	char set_version[64];
	int r;

	if (version == schema_version())
		return 0;
	if (version == 0) {
		/* Neither can be changed later without rewriting the file. */
		r = schema_exec(db, "PRAGMA page_size = 4096; PRAGMA auto_vacuum = INCREMENTAL");
		if (r < 0)
			return r;
	}
	r = schema_exec(db, "BEGIN EXCLUSIVE");
	if (r < 0)
		return r;
	r = drop_views(db);
	for (int i = version; r == 0 && i < schema_version(); i++)
		r = schema_exec(db, migrations[i]);
	if (r == 0)
		r = schema_exec(db, schema_views_sql);
	if (r == 0) {
		snprintf(set_version, sizeof(set_version),
			 "PRAGMA application_id = %d; PRAGMA user_version = %d",
			 SCHEMA_APPLICATION_ID, schema_version());
		r = schema_exec(db, set_version);
	}
	if (r == 0)
		r = schema_exec(db, "COMMIT");
	if (r < 0)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

/* Counting each allocation under a lock is a twelfth of the writer's time. */
static void configure(void)
{
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

void schema_configure(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, configure);
}

static int open_with(const char *path, int flags, const char *vfs, sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	int rc;

	schema_configure();
	rc = sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, vfs);

	if (rc != SQLITE_OK) {
		int r = db && sqlite3_system_errno(db) ? -sqlite3_system_errno(db)
						       : schema_error(rc);

		sqlite3_close(db);
		return r == SCHEMA_E_SQLITE ? -EIO : r;
	}
	sqlite3_extended_result_codes(db, 1);
	*ret_db = db;
	return 0;
}

/* A missing file may be made; anything else but a regular file is not ours to open. */
static int check_file(const char *path, bool may_create)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT && may_create ? 0 : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

static int set_up_writer(sqlite3 *db)
{
	int keep_wal = 1;
	int version, r;

	sqlite3_busy_timeout(db, 2000);
	version = identify(db);
	if (version < 0)
		return version;
	r = migrate(db, version);
	if (r < 0)
		return r;
	/* -wal and -shm stay after a clean close, so that readers without write access can open. */
	sqlite3_file_control(db, "main", SQLITE_FCNTL_PERSIST_WAL, &keep_wal);
	return schema_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
			       "PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF;"
			       "PRAGMA temp_store = MEMORY");
}

int schema_open_through(const char *path, const char *vfs, sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	int r = check_file(path, true);

	if (r == 0)
		r = open_with(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs, &db);
	if (r < 0)
		return r;
	r = set_up_writer(db);
	if (r < 0) {
		sqlite3_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}

int schema_open_writer(const char *path, sqlite3 **ret_db)
{
	return schema_open_through(path, NULL, ret_db);
}

/*
 * A WAL database without its side files cannot be opened by a reader who may not create them.
 * Nobody writes to such a copy, so it may be taken as immutable.
 */
static int open_copy(const char *path, sqlite3 **ret_db)
{
	CLEANUP_FREE char *uri = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&uri, &size);

	if (!out)
		return -ENOMEM;
	fputs("file:", out);
	for (const char *p = path; *p; p++) {
		if (strchr("?#%", *p))
			fprintf(out, "%%%02X", *p);
		else
			fputc(*p, out);
	}
	fputs("?immutable=1", out);
	if (fclose(out) != 0)
		return -ENOMEM;
	return open_with(uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL, ret_db);
}

static bool has_wal(const char *path)
{
	CLEANUP_FREE char *wal = NULL;

	return asprintf(&wal, "%s-wal", path) >= 0 && access(wal, F_OK) == 0;
}

int schema_open_reader(const char *path, sqlite3 **ret_db)
{
	sqlite3 *db = NULL;
	int r = check_file(path, false);
	int version;

	if (r == 0 && access(path, R_OK) < 0)
		r = -errno;
	if (r == 0)
		r = has_wal(path) ? open_with(path, SQLITE_OPEN_READONLY, NULL, &db)
				  : open_copy(path, &db);
	if (r < 0)
		return r;
	sqlite3_busy_timeout(db, 2000);
	version = identify(db);
	if (version == 0)
		version = SCHEMA_E_FOREIGN;
	if (version > 0 && version < schema_version())
		version = SCHEMA_E_OLDER;
	if (version < 0) {
		sqlite3_close(db);
		return version;
	}
	*ret_db = db;
	return 0;
}
