/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of failed execs. */
#include <sqlite3.h>

#include "daemon/store.h"
#include "schema/cleanup.h"
#include "schema/schema.h"

int store_failure(struct store *store, const struct store_failure *f)
{
	const int64_t values[] = {
		f->process_id,
		store->boot,
		(int64_t)f->boot_ns,
		PROVENANCE_OBSERVED,
		f->cpu,
		f->seq,
		f->image,
		f->error,
	};
	sqlite3_stmt *s = store_query(store, STORE_FAILURE);
	int rc;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		sqlite3_bind_int64(s, (int)i + 1, values[i]);
	rc = sqlite3_step(s);
	store_reset(store, STORE_FAILURE);
	return schema_error(rc);
}
