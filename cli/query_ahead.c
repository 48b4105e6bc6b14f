/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading ahead of a question about many processes where the disk is waited for. Their rows lie
 * side by side, but their images anywhere in the dictionary: a page from the disk for each, one
 * after another, while a disk could bring several at once. Helpers with connections of their own
 * ask for the same rows and throw them away; what they leave is in the kernel's page cache. No
 * answer depends on them, so nothing that goes wrong here is an error.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "cli/query_internal.h"

/* Pages that are waited for at once. Eight more gain nothing on the disks that were tried. */
#define HELPERS 8
/* Processes that a helper takes at a time: some pages, so that not all of them want the same one.
 */
#define TAKE_MIN 64
/* Of a longer run: what a helper has begun is waited for, and a family may be one run. */
#define PIECE_IDS 128
/* Fewer are read before helpers are there. */
#define PROCESSES_MIN 512
/*
 * Blocks of 512 bytes. What the kernel reads ahead of one wait counts: 256 by its default, so that
 * one or two that just were not there are no sign of a cold file. A page alone is 8.
 */
#define BLOCKS_MIN 1024

struct query_ahead {
	struct query *query; /* the caller's own */
	const struct boot_range *started;
	struct id_run *pieces;
	size_t count, next;
	pthread_mutex_t lock; /* of next */
	pthread_t helper[HELPERS];
	int helpers;
};

/* The next pieces; false: there are none. */
static bool take(struct query_ahead *a, size_t *ret_first, size_t *ret_end)
{
	int64_t ids = 0;

	pthread_mutex_lock(&a->lock);
	*ret_first = a->next;
	while (a->next < a->count && ids < TAKE_MIN) {
		ids += a->pieces[a->next].end - a->pieces[a->next].first;
		a->next++;
	}
	*ret_end = a->next;
	pthread_mutex_unlock(&a->lock);
	return *ret_first < *ret_end;
}

static void read_pieces(struct query_ahead *a, sqlite3_stmt *stmt)
{
	size_t first, end;

	if (a->started) {
		sqlite3_bind_int(stmt, 3, a->started->boot->number);
		sqlite3_bind_int64(stmt, 4, a->started->from_ns);
		sqlite3_bind_int64(stmt, 5, a->started->to_ns);
	}
	while (take(a, &first, &end)) {
		for (size_t i = first; i < end; i++) {
			sqlite3_bind_int64(stmt, 1, a->pieces[i].first);
			sqlite3_bind_int64(stmt, 2, a->pieces[i].end);
			sqlite3_step(stmt);
			sqlite3_reset(stmt);
		}
	}
}

static void *help(void *userdata)
{
	struct query_ahead *a = userdata;
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db = NULL;

	if (schema_open_reader(a->query->path, &db) == 0 &&
	    sqlite3_prepare_v2(db, query_sql[QUERY_AHEAD], -1, &stmt, NULL) == SQLITE_OK)
		read_pieces(a, stmt);
	sqlite3_finalize(stmt);
	sqlite3_close(db);
	return NULL;
}

int64_t query_blocks_read(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) < 0 ? 0 : usage.ru_inblock;
}

bool query_is_cold(const struct query *q)
{
	return query_blocks_read() - q->blocks_read >= BLOCKS_MIN;
}

int query_ahead_cut(const struct id_run *runs, size_t count, struct id_run **ret_pieces,
		    size_t *ret_count)
{
	struct id_run *pieces;
	size_t most = count, n = 0; /* each run may end with a shorter piece */

	for (size_t i = 0; i < count; i++)
		most += (size_t)(runs[i].end - runs[i].first) / PIECE_IDS;
	pieces = calloc(most, sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		for (int64_t id = runs[i].first; id < runs[i].end; id = pieces[n++].end) {
			bool is_last = runs[i].end - id <= PIECE_IDS;

			pieces[n] = (struct id_run){id, is_last ? runs[i].end : id + PIECE_IDS};
		}
	}
	*ret_pieces = pieces;
	*ret_count = n;
	return 0;
}

static bool are_many(const struct id_run *runs, size_t count)
{
	int64_t ids = 0;

	for (size_t i = 0; i < count && ids < PROCESSES_MIN; i++)
		ids += runs[i].end - runs[i].first;
	return ids >= PROCESSES_MIN;
}

struct query_ahead *query_ahead_begin(struct query *q, const struct id_run *runs, size_t count,
				      const struct boot_range *started)
{
	struct query_ahead *a = are_many(runs, count) ? calloc(1, sizeof(*a)) : NULL;

	if (!a || query_ahead_cut(runs, count, &a->pieces, &a->count) < 0) {
		free(a);
		return NULL;
	}
	a->query = q;
	a->started = started;
	pthread_mutex_init(&a->lock, NULL);
	while (a->helpers < HELPERS && pthread_create(&a->helper[a->helpers], NULL, help, a) == 0)
		a->helpers++;
	return a;
}

void query_ahead_end(struct query_ahead *a)
{
	size_t first, end;

	if (!a)
		return;
	/* What is left would be read for nobody: one that is still at it finds no more. */
	while (take(a, &first, &end))
		;
	for (int i = 0; i < a->helpers; i++)
		pthread_join(a->helper[i], NULL);
	pthread_mutex_destroy(&a->lock);
	a->query->blocks_read = query_blocks_read();
	free(a->pieces);
	free(a);
}
