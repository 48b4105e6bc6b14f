/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lineage.db as a file: opening, creating, migrating, refusing.
 *
 * The schema itself is in the .sql files beside this one. Two callers: the daemon, which creates
 * and migrates and is the only writer; and lineage-query, which only reads, also copies on other
 * machines. Functions return 0 or a negative errno-like code and do not log; schema_strerror()
 * gives the sentence.
 */
#ifndef LINEAGED_SCHEMA_H
#define LINEAGED_SCHEMA_H

#include <stdbool.h>
#include <sqlite3.h>

#define SCHEMA_APPLICATION_ID 0x4c4e4745 /* "LNGE" */
#define SCHEMA_DEFAULT_PATH   "/var/lib/lineaged/lineage.db"

/* process_row.provenance and others: how a fact is known. */
enum provenance {
	PROVENANCE_OBSERVED = 0,  /* its event arrived */
	PROVENANCE_SNAPSHOT = 1,  /* was so when recording began */
	PROVENANCE_RECOVERED = 2, /* rebuilt from process_cache after its event was lost */
	PROVENANCE_INFERRED = 3,  /* deduced */
	PROVENANCE_NONE = 7,	  /* there is no such event (yet) */
};

/* process_row.provenance packs three: birth, image, end. */
#define PROVENANCE_PACK(birth, image, end) ((birth) | (image) << 3 | (end) << 6)
#define PROVENANCE_BIRTH(p)		   ((p)&7)
#define PROVENANCE_IMAGE(p)		   ((p) >> 3 & 7)
#define PROVENANCE_END(p)		   ((p) >> 6 & 7)

/* process_row rows per row of `zone`, as a shift. */
#define SCHEMA_ZONE_SHIFT 12
/* A life or a wait for exec longer than this is found by index, a shorter one through its zone. */
#define SCHEMA_LATE_NS 10000000000LL

/* Between the arguments in image.args. An argument that has it makes the argv one for the table
 * argv. */
#define SCHEMA_ARGS_SEPARATOR '\x7f'

/* What opening found wrong, beside plain negative errno. */
enum schema_error {
	SCHEMA_E_FOREIGN = -1001, /* a database, but not ours (application_id) */
	SCHEMA_E_NOT_DB = -1002,  /* no SQLite database, or damaged */
	SCHEMA_E_NEWER = -1003,	  /* made by a newer lineaged */
	SCHEMA_E_OLDER = -1004,	  /* read-only open of one that a newer lineaged would migrate */
	SCHEMA_E_SQLITE = -1005,  /* any other SQLite error: see sqlite3_errmsg() */
	SCHEMA_E_BUSY = -1006,	  /* another lineaged writes it */
};

/* The newest user_version that this build knows. */
int schema_version(void);

/*
 * Opens for writing; creates an empty or missing file, migrates an older one in one transaction.
 * On success *ret_db is the caller's (sqlite3_close); on failure it is untouched.
 */
int schema_open_writer(const char *path, sqlite3 **ret_db);

/* The same through one of SQLite's VFS by its name; NULL: the default. */
int schema_open_through(const char *path, const char *vfs, sqlite3 **ret_db);

/* Sets up SQLite itself, which must come before anything else is asked of it. Opening does it. */
void schema_configure(void);

/* Opens for reading, never creates, changes or migrates; works on a copy without its -wal file. */
int schema_open_reader(const char *path, sqlite3 **ret_db);

/* One sentence on what is wrong and what to do; static storage. */
const char *schema_strerror(int error);

/* An SQLite result code as 0, a negative errno or SCHEMA_E_*. */
int schema_error(int sqlite_rc);

/* Runs SQL text that gives no rows. 0 or what schema_error() makes of it. */
int schema_exec(sqlite3 *db, const char *sql);

#endif
