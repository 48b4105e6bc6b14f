/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of the daemon, and what is left of those, and of boots, that did not say how they ended. */
#include "daemon/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "daemon/store_bind.h"
#include "schema/schema.h"

int store_run_begin(struct store *store, const struct store_run *r)
{
	sqlite3_stmt *s = store_query(store, STORE_RUN_BEGIN);
	int result;

	sqlite3_bind_int64(s, 1, store->boot);
	bind_text(s, 2, r->version);
	bind_text(s, 3, r->config_hash);
	bind_text(s, 4, r->kernel);
	bind_text(s, 5, r->filter);
	sqlite3_bind_int64(s, 6, (int64_t)r->started_boot_ns);
	result = run(store, s);
	if (result == 0)
		store->run = sqlite3_last_insert_rowid(store->db);
	return result;
}

int store_run_alive(struct store *store, uint64_t boot_ns)
{
	sqlite3_stmt *s = store_query(store, STORE_RUN_ALIVE);

	sqlite3_bind_int64(s, 1, store->run);
	sqlite3_bind_int64(s, 2, (int64_t)boot_ns);
	return run(store, s);
}

int store_run_end(struct store *store, uint64_t boot_ns, const char *how)
{
	sqlite3_stmt *s = store_query(store, STORE_RUN_END);

	sqlite3_bind_int64(s, 1, store->run);
	sqlite3_bind_int64(s, 2, (int64_t)boot_ns);
	bind_text(s, 3, how);
	return run(store, s);
}

static int run_for_boot(struct store *store, enum store_stmt stmt)
{
	sqlite3_stmt *s = store_query(store, stmt);

	sqlite3_bind_int64(s, 1, store->boot);
	return run(store, s);
}

int store_close_boots(struct store *store)
{
	int r = run_for_boot(store, STORE_BOOTS_CLOSE);

	return r < 0 ? r : run_for_boot(store, STORE_RING_CLEAN);
}

/* Runs of other boots that did not end. */
static int note_unclean(struct store *store)
{
	const struct store_gap gap = {
		.cause = GAP_UNCLEAN_END,
		.detail = "the node went down while lineaged ran: what followed, and what had not "
			  "reached the disk, is missing",
	};
	sqlite3_stmt *s = store_query(store, STORE_GAPS_UNCLEAN);

	sqlite3_bind_int64(s, 1, store->boot);
	bind_text(s, 2, gap.cause);
	bind_text(s, 3, gap.detail);
	return run(store, s);
}

int store_close_runs(struct store *store, bool adopted)
{
	sqlite3_stmt *s = store_query(store, STORE_RUN_CORRECT);
	int r;

	sqlite3_bind_int64(s, 1, store->boot);
	sqlite3_bind_int64(s, 2, adopted);
	r = run(store, s);
	if (r == 0)
		r = note_unclean(store);
	return r < 0 ? r : run_for_boot(store, STORE_RUNS_CLOSE);
}

int store_fact(struct store *store, const char *name, const int64_t *numbers, size_t count)
{
	sqlite3_stmt *s = store_query(store, STORE_FACT_SET);
	char text[(1 + STORE_FACT_NUMBERS) * 24];
	int n = snprintf(text, sizeof(text), "%" PRId64, store->boot);

	for (size_t i = 0; i < count && n < (int)sizeof(text); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, " %" PRId64, numbers[i]);
	if (n >= (int)sizeof(text))
		return -EINVAL;
	bind_text(s, 1, name);
	bind_text(s, 2, text);
	return run(store, s);
}
