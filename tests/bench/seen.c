/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second reader of a database that is being written: how long after an exec its row is there.
 *
 *   seen DATABASE SECONDS
 *
 * Asks every 5 ms, as a reader that wants to know soon would. One line of JSON: rows seen and
 * quantiles of (time of seeing - time of the exec) in ms.
 */
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define POLL_NS	 5000000
#define NS	 1000000000LL
#define ROWS_MAX (1 << 20)
/* Rows that may still be waiting for their exec when newer ones have it. */
#define LOOK_BACK 1000

static int64_t *latencies;
static size_t count;
static bool *done;
static int64_t first_id = -1, last_id;

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * NS + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double quantile(double q)
{
	return count ? (double)latencies[(size_t)(q * (double)(count - 1))] / 1e6 : 0;
}

static void poll_once(sqlite3_stmt *s)
{
	int64_t now, from = last_id > LOOK_BACK ? last_id - LOOK_BACK : 0;

	sqlite3_bind_int64(s, 1, from > first_id ? from : first_id);
	while (sqlite3_step(s) == SQLITE_ROW) {
		int64_t id = sqlite3_column_int64(s, 0);

		if (id > last_id)
			last_id = id;
		if (sqlite3_column_type(s, 1) == SQLITE_NULL || id - first_id >= ROWS_MAX ||
		    done[id - first_id])
			continue;
		done[id - first_id] = true;
		now = now_ns();
		latencies[count++] = now - sqlite3_column_int64(s, 1);
	}
	sqlite3_reset(s);
}

static int64_t highest_id(sqlite3 *db)
{
	sqlite3_stmt *s = NULL;
	int64_t id = 0;

	sqlite3_prepare_v2(db, "SELECT max(process_id) FROM process_row", -1, &s, NULL);
	if (sqlite3_step(s) == SQLITE_ROW)
		id = sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return id;
}

int main(int argc, char **argv)
{
	static const char sql[] = "SELECT process_id, start_boot_ns + exec_after_ns FROM "
				  "process_row WHERE process_id > ?";
	const struct timespec pause = {0, POLL_NS};
	sqlite3_stmt *s = NULL;
	sqlite3 *db = NULL;
	int64_t end_ns;

	if (argc != 3 || sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READONLY, NULL) ||
	    sqlite3_prepare_v2(db, sql, -1, &s, NULL)) {
		fprintf(stderr, "seen: %s\n", db ? sqlite3_errmsg(db) : "needs two arguments");
		return 2;
	}
	latencies = calloc(ROWS_MAX, sizeof(*latencies));
	done = calloc(ROWS_MAX, sizeof(*done));
	first_id = last_id = highest_id(db);
	end_ns = now_ns() + (int64_t)(atof(argv[2]) * (double)NS);
	while (now_ns() < end_ns) {
		poll_once(s);
		nanosleep(&pause, NULL);
	}
	qsort(latencies, count, sizeof(*latencies), compare);
	printf("{\"seen\":%zu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"most_ms\":%.3f}\n", count,
	       quantile(0.5), quantile(0.99), quantile(1));
	sqlite3_finalize(s);
	sqlite3_close(db);
	return 0;
}
