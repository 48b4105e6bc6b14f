/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "daemon/store_bind.h"
#include "daemon/store_log.h"
#include "schema/cleanup.h"

static const char *const sql[STORE_STMTS] = {
#define X(name, text) [STORE_##name] = text,
	STORE_STATEMENTS(X)
#undef X
};

#define BUSY_MS 20

const char *store_error(const struct store *store)
{
	return store->db ? sqlite3_errmsg(store->db) : "not open";
}

sqlite3_stmt *store_query(struct store *store, enum store_stmt stmt)
{
	store->statements++;
	return store->stmts[stmt];
}

void store_reset(struct store *store, enum store_stmt stmt)
{
	sqlite3_reset(store->stmts[stmt]);
}

static int run_plain(struct store *store, enum store_stmt stmt)
{
	return run(store, store_query(store, stmt));
}

int store_reload_ids(struct store *store)
{
	sqlite3_stmt *s = store_query(store, STORE_MAX_IDS);
	int rc = sqlite3_step(s);

	if (rc == SQLITE_ROW) {
		store->next_process = sqlite3_column_int64(s, 0) + 1;
		store->next_text = sqlite3_column_int64(s, 1) + 1;
		store->next_image = sqlite3_column_int64(s, 2) + 1;
		store->next_context = sqlite3_column_int64(s, 3) + 1;
		store->next_cgroup = sqlite3_column_int64(s, 4) + 1;
		store->next_program = sqlite3_column_int64(s, 5) + 1;
	}
	sqlite3_reset(s);
	store->zone = -1;
	return schema_error(rc);
}

static int read_boot_id(char boot_id[64])
{
	CLEANUP_FCLOSE FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || !fgets(boot_id, 64, f))
		return f ? -EIO : -errno;
	boot_id[strcspn(boot_id, "\n")] = 0;
	return 0;
}

static int find_boot(struct store *store)
{
	struct utsname name = {0};
	char boot_id[64];
	sqlite3_stmt *s;
	int r = read_boot_id(boot_id);
	int rc;

	if (r < 0)
		return r;
	s = store_query(store, STORE_BOOT_FIND);
	bind_text(s, 1, boot_id);
	rc = sqlite3_step(s);
	if (rc == SQLITE_ROW)
		store->boot = sqlite3_column_int64(s, 0);
	sqlite3_reset(s);
	if (rc != SQLITE_DONE)
		return schema_error(rc);
	uname(&name);
	s = store_query(store, STORE_BOOT_ADD);
	bind_text(s, 1, boot_id);
	bind_text(s, 2, name.nodename);
	bind_text(s, 3, name.machine);
	bind_text(s, 4, name.release);
	r = run(store, s);
	store->boot = sqlite3_last_insert_rowid(store->db);
	return r;
}

static int note_log(void *userdata, sqlite3 *db, const char *name, int pages)
{
	struct store *store = userdata;

	store->log_pages = pages > 0 ? (uint64_t)pages : 0;
	return SQLITE_OK;
}

int store_open(struct store *store, const char *path)
{
	int r;

	*store = (struct store){.zone = -1};
	r = schema_open_through(path, store_log_vfs(), &store->db);
	if (r < 0)
		return r;
	store_log_follow(store->db);
	/* Whoever else holds the write lock: the ring can wait, the loop cannot. */
	if (r == 0)
		sqlite3_busy_timeout(store->db, BUSY_MS);
	sqlite3_wal_hook(store->db, note_log, store);
	/* synchronous=NORMAL as it was opened: no commit waits for the disk, see checkpoint.h. */
	r = schema_exec(store->db, "PRAGMA cache_size = -2048");
	for (int i = 0; r == 0 && i < STORE_STMTS; i++)
		r = schema_error(sqlite3_prepare_v3(
			store->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &store->stmts[i], NULL));
	if (r == 0)
		r = find_boot(store);
	if (r == 0)
		r = store_reload_ids(store);
	if (r < 0)
		store_close(store);
	return r;
}

void store_rest(struct store *store)
{
	sqlite3_db_release_memory(store->db);
}

void store_close(struct store *store)
{
	if (!store->db)
		return;
	if (store->in_transaction)
		store_rollback(store);
	for (int i = 0; i < STORE_STMTS; i++)
		sqlite3_finalize(store->stmts[i]);
	sqlite3_close(store->db);
	*store = (struct store){.zone = -1};
}

bool store_has_moved(struct store *store)
{
	int moved = 0;

	return sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) ==
		       SQLITE_OK &&
	       moved;
}

int store_begin(struct store *store)
{
	int r = run_plain(store, STORE_BEGIN);

	store->in_transaction = r == 0;
	return r;
}

static int flush_zone(struct store *store)
{
	sqlite3_stmt *s;

	if (store->zone < 0)
		return 0;
	s = store_query(store, STORE_ZONE);
	bind(s, 1, store->zone);
	bind(s, 2, store->boot);
	bind(s, 3, (int64_t)store->zone_min_ns);
	bind(s, 4, (int64_t)store->zone_max_ns);
	store->zone = -1;
	return run(store, s);
}

static int note_zone(struct store *store, int64_t process_id, uint64_t start_ns)
{
	int64_t zone = process_id >> SCHEMA_ZONE_SHIFT;
	int r = 0;

	if (store->zone != zone) {
		r = flush_zone(store);
		store->zone = zone;
		store->zone_min_ns = store->zone_max_ns = start_ns;
	}
	if (start_ns < store->zone_min_ns)
		store->zone_min_ns = start_ns;
	if (start_ns > store->zone_max_ns)
		store->zone_max_ns = start_ns;
	return r;
}

static void bind_room(sqlite3_stmt *s, int index, int bytes)
{
	if (bytes)
		sqlite3_bind_zeroblob(s, index, bytes);
	else
		sqlite3_bind_null(s, index);
}

static int insert(struct store *store, enum store_stmt stmt, unsigned int first, unsigned int count)
{
	sqlite3_stmt *s = store_query(store, stmt);
	int index = 1;

	for (unsigned int i = first; i < first + count; i++) {
		for (unsigned int k = 0; k < STORE_PROCESS_VALUES_COUNT; k++)
			bind(s, index++, store->pending[i][k]);
		bind_room(s, index++, store->pending_room[i]);
	}
	return run(store, s);
}

static int flush_processes(struct store *store)
{
	unsigned int count = store->pending_count;
	int r = 0;

	store->pending_count = 0;
	if (count == STORE_PROCESSES_AT_ONCE)
		return insert(store, STORE_PROCESSES, 0, count);
	for (unsigned int i = 0; r == 0 && i < count; i++)
		r = insert(store, STORE_PROCESS, i, 1);
	return r;
}

int store_commit(struct store *store)
{
	int r = flush_processes(store);

	if (r == 0)
		r = flush_zone(store);
	if (r == 0)
		r = run_plain(store, STORE_COMMIT);
	if (r == 0)
		store->in_transaction = false;
	return r;
}

int store_rollback(struct store *store)
{
	int r = 0;

	for (int i = 0; i < STORE_STMTS; i++)
		sqlite3_reset(store->stmts[i]);
	/* SQLite may have rolled back by itself; then there is nothing to be done. */
	if (!sqlite3_get_autocommit(store->db))
		r = run_plain(store, STORE_ROLLBACK);
	store->in_transaction = false;
	store->zone = -1;
	store->pending_count = 0;
	return sqlite3_get_autocommit(store->db) ? 0 : r;
}

/* What was not known at first: the fork was lost and has been recovered. */
static int update_birth(struct store *store, const struct process *p)
{
	sqlite3_stmt *s = store_query(store, STORE_PROCESS_BIRTH);

	bind(s, 1, p->process_id);
	bind(s, 2, p->parent_id);
	bind(s, 3, p->creator_id);
	bind(s, 4, p->fork_cpu);
	bind(s, 5, p->fork_seq);
	bind(s, 6, p->context);
	return run(store, s);
}

/* What an exec and an end usually take. */
#define ROOM_EXEC 8
#define ROOM_END  14

/* What is still to come of this row, in bytes. */
static int room_for(const struct process *p)
{
	if (p->end != PROVENANCE_NONE)
		return 0;
	return p->image.after_ns == ROW_NONE ? ROOM_EXEC + ROOM_END : ROOM_END;
}

/* Numbers of one process lie close together, and a small one takes fewer bytes. */
static int64_t after_fork(const struct process *p, int64_t seq)
{
	return seq == ROW_NONE || p->fork_seq == ROW_NONE ? seq : seq - p->fork_seq;
}

int store_process(struct store *store, const struct process *p)
{
	const struct image_state *i = &p->image;
	const int64_t values[] = {
		p->process_id,
		store->boot,
		p->key.pid,
		(int64_t)p->key.start_boot_ns,
		p->parent_id,
		p->creator_id,
		p->fork_cpu,
		p->fork_seq,
		p->context,
		PROVENANCE_PACK(p->birth, i->provenance, p->end),
		i->comm,
		p->ns_pid,
		i->pgid,
		i->after_ns,
		i->cpu,
		after_fork(p, i->seq),
		i->context,
		i->parent_id,
		i->image,
		i->cwd,
		p->end_after_ns,
		p->end_cpu,
		after_fork(p, p->end_seq),
		p->end_parent_id,
		p->status,
		p->user_us,
		p->system_us,
		p->max_rss_kib,
	};
	sqlite3_stmt *s;
	int r, index = 1;

	static_assert(ARRAY_SIZE(values) == STORE_PROCESS_VALUES_COUNT, "columns of the insert");
	if (!p->stored) {
		r = note_zone(store, p->process_id, p->key.start_boot_ns);
		memcpy(store->pending[store->pending_count], values, sizeof(values));
		store->pending_room[store->pending_count++] = room_for(p);
		if (r == 0 && store->pending_count == STORE_PROCESSES_AT_ONCE)
			r = flush_processes(store);
		return r;
	}
	s = store_query(store, STORE_PROCESS_UPDATE);
	for (int k = STORE_PROCESS_FIXED_COUNT; k < STORE_PROCESS_VALUES_COUNT; k++)
		bind(s, index++, values[k]);
	bind_room(s, index++, room_for(p));
	bind(s, index, p->process_id);
	r = run(store, s);
	return r == 0 && p->birth_changed ? update_birth(store, p) : r;
}

int store_exec(struct store *store, const struct process *p, const struct image_state *i)
{
	const int64_t values[] = {
		p->process_id,
		store->boot,
		i->after_ns == ROW_NONE ? ROW_NONE : (int64_t)p->key.start_boot_ns + i->after_ns,
		i->provenance,
		i->cpu,
		i->seq,
		i->context,
		i->parent_id,
		i->image,
		i->cwd,
		i->comm,
		i->pgid,
	};
	sqlite3_stmt *s = store_query(store, STORE_EXEC);

	for (size_t k = 0; k < ARRAY_SIZE(values); k++)
		bind(s, (int)k + 1, values[k]);
	return run(store, s);
}

int store_find_process(struct store *store, const struct lineage_key *key, int64_t *ret_id)
{
	sqlite3_stmt *s = store_query(store, STORE_PROCESS_FIND);
	int rc;

	bind(s, 1, key->pid);
	bind(s, 2, (int64_t)key->start_boot_ns);
	bind(s, 3, store->boot);
	rc = sqlite3_step(s);
	*ret_id = rc == SQLITE_ROW ? column(s, 0) : 0;
	sqlite3_reset(s);
	return schema_error(rc);
}

int store_gap(struct store *store, struct store_gap *gap)
{
	sqlite3_stmt *s = store_query(store, STORE_GAP);
	int r;

	bind(s, 1, gap->gap_id ? gap->gap_id : ROW_NONE);
	bind(s, 2, store->boot);
	bind_text(s, 3, gap->cause);
	bind(s, 4, gap->cpu);
	bind(s, 5, (int64_t)gap->from_boot_ns);
	bind(s, 6, (int64_t)gap->to_boot_ns);
	bind(s, 7, gap->first_seq);
	bind(s, 8, gap->last_seq);
	bind(s, 9, gap->lost);
	bind(s, 10, gap->recovered);
	bind_text(s, 11, gap->detail);
	r = run(store, s);
	if (r == 0)
		gap->gap_id = sqlite3_last_insert_rowid(store->db);
	return r;
}

int store_gap_delete(struct store *store, int64_t gap_id)
{
	sqlite3_stmt *s = store_query(store, STORE_GAP_DELETE);

	bind(s, 1, gap_id);
	return run(store, s);
}

int store_clock(struct store *store, uint64_t from_boot_ns, int64_t offset_ns)
{
	sqlite3_stmt *s = store_query(store, STORE_CLOCK);

	bind(s, 1, store->boot);
	bind(s, 2, (int64_t)from_boot_ns);
	bind(s, 3, offset_ns);
	return run(store, s);
}

int store_ring_position(struct store *store, const uint8_t ring_id[16], uint64_t position)
{
	sqlite3_stmt *s = store_query(store, STORE_RING_SET);

	sqlite3_bind_blob(s, 1, ring_id, 16, SQLITE_STATIC);
	bind(s, 2, store->boot);
	bind(s, 3, (int64_t)position);
	return run(store, s);
}

int store_get_ring_position(struct store *store, const uint8_t ring_id[16], uint64_t *ret_position)
{
	sqlite3_stmt *s = store_query(store, STORE_RING_GET);
	int rc;

	sqlite3_bind_blob(s, 1, ring_id, 16, SQLITE_STATIC);
	rc = sqlite3_step(s);
	*ret_position = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s, 0) : 0;
	sqlite3_reset(s);
	return schema_error(rc);
}

int store_cpu_position(struct store *store, int cpu, uint64_t first_seq, uint64_t next_seq,
		       uint64_t unseen)
{
	sqlite3_stmt *s = store_query(store, STORE_CPU_SET);

	bind(s, 1, store->boot);
	bind(s, 2, cpu);
	bind(s, 3, (int64_t)first_seq);
	bind(s, 4, (int64_t)next_seq);
	bind(s, 5, (int64_t)unseen);
	return run(store, s);
}
