/* SPDX-License-Identifier: Apache-2.0 */
/* The checks that need more than one statement have a function, the others are a table of SQL. */
#include "cli/query_verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/query_export.h"
#include "cli/query_internal.h"
#include "schema/cleanup.h"

/* Numbers of a CPU share so many bits at most: more than any recorder keeps of one, in 16 MiB. */
#define BITS_MAX (1LL << 27)

/* Each gives a row per problem, its one column the words. */
static const struct {
	const char *name, *sql;
} checks[] = {
	{"provenance codes",
	 "SELECT 'process ' || process_id || ': provenance ' || provenance FROM process_row WHERE "
	 "provenance & 7 > 3 OR (provenance >> 3) & 7 IN (4,5,6) OR (provenance >> 6) & 7 IN "
	 "(4,5,6) "
	 "OR provenance < 0 OR provenance > 511"},
	{"ends",
	 "SELECT 'process ' || process_id || ': ' || CASE WHEN end_after_ns IS NULL THEN 'an end "
	 "without a time' WHEN end_after_ns < 0 THEN 'ends before it starts' ELSE 'a time of end "
	 "without an end' END FROM process_row WHERE (end_after_ns IS NULL) <> "
	 "((provenance >> 6) & 7 = 7) OR end_after_ns < 0"},
	{"parents",
	 "SELECT 'process ' || c.process_id || ': its parent ' || c.parent_id || ' is missing' "
	 "FROM "
	 "process_row c WHERE c.parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM process_row p "
	 "WHERE p.process_id = c.parent_id)"},
	{"boots", "SELECT 'process ' || c.process_id || ': its parent is of another boot' FROM "
		  "process_row c "
		  "JOIN process_row p ON p.process_id = c.parent_id WHERE p.boot <> c.boot"},
	{"images",
	 "SELECT 'process ' || process_id || ': its image ' || image || ' is missing' FROM "
	 "process_row p WHERE image IS NOT NULL AND NOT EXISTS (SELECT 1 FROM image i WHERE "
	 "i.image "
	 "= p.image)"},
	{"contexts",
	 "SELECT 'process ' || process_id || ': its context ' || context || ' is missing' FROM "
	 "process_row p WHERE context IS NOT NULL AND NOT EXISTS (SELECT 1 FROM context x WHERE "
	 "x.context = p.context)"},
	{"programs",
	 "SELECT 'image ' || image || ': its program ' || program || ' is missing' FROM image i "
	 "WHERE NOT EXISTS (SELECT 1 FROM program f WHERE f.program = i.program)"},
	{"argvs",
	 "SELECT 'image ' || image || ': its argv is missing' FROM image i WHERE args IS NULL AND "
	 "NOT EXISTS (SELECT 1 FROM argv a WHERE a.image = i.image)"},
	{"texts",
	 "SELECT 'program ' || program || ': its executable ' || exe || ' is missing' FROM "
	 "program f WHERE exe IS NOT NULL AND NOT EXISTS (SELECT 1 FROM text t WHERE t.text = "
	 "f.exe)"},
	{"earlier images",
	 "SELECT 'image row ' || exec_id || ': its process ' || process_id || ' is missing' FROM "
	 "exec_row e WHERE NOT EXISTS (SELECT 1 FROM process_row p WHERE p.process_id = "
	 "e.process_id)"},
	{"failed execs",
	 "SELECT 'failure row ' || failure_id || ': its process ' || process_id || ' is missing' "
	 "FROM "
	 "exec_failure_row e WHERE NOT EXISTS (SELECT 1 FROM process_row p WHERE p.process_id = "
	 "e.process_id)"},
	{"clocks", "SELECT 'boot ' || boot || ': no clock' FROM boot b WHERE NOT EXISTS (SELECT 1 "
		   "FROM clock c "
		   "WHERE c.boot = b.boot AND c.from_boot_ns = 0)"},
	{"zones",
	 "SELECT 'zone ' || zone || ' of boot ' || boot || ': does not cover its processes' FROM "
	 "(SELECT process_id >> 12 AS zone, boot, min(start_boot_ns) AS low, max(start_boot_ns) AS "
	 "high FROM process_row GROUP BY 1, 2) p WHERE NOT EXISTS (SELECT 1 FROM zone z WHERE "
	 "z.zone "
	 "= p.zone AND z.boot = p.boot AND z.min_start_ns <= p.low AND z.max_start_ns >= p.high)"},
	{"identities",
	 "SELECT 'pid ' || pid || '@' || start_boot_ns || ' of boot ' || boot || ': ' || count(*) "
	 "|| "
	 "' rows' FROM process_row GROUP BY pid, boot, start_boot_ns HAVING count(*) > 1"},
	{"gaps", "SELECT 'gap ' || gap_id || ': counts or times that cannot be' FROM gap_row WHERE "
		 "lost < 0 OR "
		 "recovered < 0 OR to_boot_ns < from_boot_ns OR last_seq < first_seq"},
};

struct verify {
	struct query *query;
	struct verify_report *report;
};

static void problem(struct verify *v, const char *check, int64_t *count, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void problem(struct verify *v, const char *check, int64_t *count, const char *format, ...)
{
	char text[256];
	va_list args;

	v->report->problems++;
	if ((*count)++ >= VERIFY_LISTED_MAX)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	v->report->problem(v->report->userdata, check, text);
}

static void end_check(struct verify *v, const char *check, int64_t count)
{
	char text[64];

	if (count <= VERIFY_LISTED_MAX)
		return;
	snprintf(text, sizeof(text), "and %" PRId64 " more", count - VERIFY_LISTED_MAX);
	v->report->problem(v->report->userdata, check, text);
}

static int prepare(struct verify *v, const char *sql, sqlite3_stmt **ret_stmt)
{
	int rc = sqlite3_prepare_v2(v->query->db, sql, -1, ret_stmt, NULL);

	return query_step_error(v->query, rc);
}

static int run_check(struct verify *v, const char *name, const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t count = 0;
	int r, rc = SQLITE_DONE;

	v->report->progress(v->report->userdata, name);
	r = prepare(v, sql, &stmt);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
		problem(v, name, &count, "%s", (const char *)sqlite3_column_text(stmt, 0));
	if (r == 0)
		r = query_step_error(v->query, rc);
	sqlite3_finalize(stmt);
	end_check(v, name, count);
	return r;
}

/* A ring has a link from a row to one that is not older; only those need a walk. */
static int check_rings(struct verify *v)
{
	static const char sql[] =
		"SELECT process_id FROM process_row WHERE parent_id >= process_id";
	static const char up[] = "SELECT parent_id FROM process_row WHERE process_id = ?1";
	sqlite3_stmt *stmt = NULL, *step = NULL;
	int64_t count = 0;
	int r, rc = SQLITE_DONE;

	v->report->progress(v->report->userdata, "rings of parents");
	r = prepare(v, sql, &stmt);
	if (r == 0)
		r = prepare(v, up, &step);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		int64_t start = sqlite3_column_int64(stmt, 0), slow = start, id = start;

		/* Brent: `slow` jumps ahead at powers of two, so any ring is met. */
		for (int64_t steps = 1, limit = 2; id > 0; steps++) {
			sqlite3_reset(step);
			sqlite3_bind_int64(step, 1, id);
			id = sqlite3_step(step) == SQLITE_ROW ? sqlite3_column_int64(step, 0) : 0;
			if (id == start)
				problem(v, "rings of parents", &count,
					"process %" PRId64 ": it is its own ancestor", start);
			if (id == slow)
				break;
			if (steps == limit) {
				slow = id;
				limit *= 2;
			}
		}
	}
	if (r == 0)
		r = query_step_error(v->query, rc);
	sqlite3_finalize(stmt);
	sqlite3_finalize(step);
	end_check(v, "rings of parents", count);
	return r;
}

/* Every (cpu, seq) of a boot. */
static const char events_sql[] =
	"SELECT fork_cpu, fork_seq, exec_cpu, "
	"exec_after_seq + coalesce(fork_seq, 0), end_cpu, end_after_seq + coalesce(fork_seq, 0) "
	"FROM process_row WHERE boot = ?1";
static const char execs_sql[] = "SELECT cpu, seq FROM exec_row WHERE boot = ?1";
static const char failures_sql[] = "SELECT cpu, seq FROM exec_failure_row WHERE boot = ?1";

static const struct {
	const char *sql;
	int events; /* pairs of columns */
} sources[] = {{events_sql, 3}, {execs_sql, 1}, {failures_sql, 1}};

/*
 * One CPU in one boot. What is done follows from how many rows there are, not from the numbers: a
 * damaged position may say anything.
 */
struct cpu_check {
	int boot;
	int64_t cpu, first, next, unseen, pruned;
	unsigned char *bits; /* of a number modulo bits_count */
	int64_t bits_count;
	int64_t *again; /* numbers whose bit was set already */
	size_t again_count, again_size;
	int64_t rows, beyond, twice;
};

typedef int (*number_fn)(struct verify *v, struct cpu_check *c, int64_t seq);

static bool test_and_set(unsigned char *bits, int64_t bit)
{
	unsigned char mask = (unsigned char)(1 << bit % 8);
	bool was = bits[bit / 8] & mask;

	bits[bit / 8] |= mask;
	return was;
}

static int mark(struct verify *v, struct cpu_check *c, int64_t seq)
{
	if (seq < c->first || seq >= c->next) {
		problem(v, "sequence", &c->beyond,
			"boot %d cpu %" PRId64 ": number %" PRId64 " lies outside [%" PRId64
			", %" PRId64 ")",
			c->boot, c->cpu, seq, c->first, c->next);
		return 0;
	}
	c->rows++;
	if (!test_and_set(c->bits, (seq - c->first) % c->bits_count))
		return 0;
	if (c->again_count == c->again_size) {
		size_t size = c->again_size ? c->again_size * 2 : 1024;
		int64_t *more = reallocarray(c->again, size, sizeof(*more));

		if (!more)
			return -ENOMEM;
		c->again = more;
		c->again_size = size;
	}
	c->again[c->again_count++] = seq;
	return 0;
}

static int compare_numbers(const void *first, const void *second)
{
	const int64_t *a = first, *b = second;

	return *a < *b ? -1 : *a > *b;
}

/* Whether it is the number that has its bit, or another one. */
static int mark_again(struct verify *v, struct cpu_check *c, int64_t seq)
{
	const int64_t *found =
		bsearch(&seq, c->again, c->again_count, sizeof(seq), compare_numbers);

	if (!found || !test_and_set(c->bits, found - c->again))
		return 0;
	c->rows--;
	problem(v, "sequence", &c->twice,
		"boot %d cpu %" PRId64 ": number %" PRId64 " is there twice", c->boot, c->cpu, seq);
	return 0;
}

static int each_number(struct verify *v, struct cpu_check *c, number_fn fn)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sources); i++) {
		sqlite3_stmt *stmt = NULL;
		int rc = SQLITE_DONE;

		r = prepare(v, sources[i].sql, &stmt);
		if (r == 0)
			sqlite3_bind_int(stmt, 1, c->boot);
		while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			for (int e = 0; r == 0 && e < sources[i].events; e++) {
				int64_t seq = column_int(stmt, 2 * e + 1);

				if (seq != UNKNOWN && column_int(stmt, 2 * e) == c->cpu)
					r = fn(v, c, seq);
			}
		}
		if (r == 0)
			r = query_step_error(v->query, rc);
		sqlite3_finalize(stmt);
	}
	return r;
}

/*
 * What gaps say of this CPU: events lost, rebuilt; whether one does not know how many. A gap
 * without sequence numbers (nothing was recording) takes none of them.
 */
static int sum_gaps(struct verify *v, const struct cpu_check *c, int64_t *lost, int64_t *recovered,
		    bool *unknown)
{
	/* sum() fails where it does not fit. */
	static const char sql[] =
		"SELECT CAST(total(CASE WHEN cpu IS ?2 THEN lost END) AS INTEGER), "
		"CAST(total(CASE WHEN cpu IS ?2 THEN recovered END) AS INTEGER), "
		"coalesce(sum(lost IS NULL AND first_seq IS NOT NULL), 0) "
		"FROM gap_row WHERE boot = ?1 AND (cpu IS ?2 OR cpu IS NULL)";
	sqlite3_stmt *stmt = NULL;
	int r = prepare(v, sql, &stmt);

	if (r == 0) {
		sqlite3_bind_int(stmt, 1, c->boot);
		sqlite3_bind_int64(stmt, 2, c->cpu);
		if (sqlite3_step(stmt) == SQLITE_ROW) {
			*lost = sqlite3_column_int64(stmt, 0);
			*recovered = sqlite3_column_int64(stmt, 1);
			*unknown = sqlite3_column_int64(stmt, 2) > 0;
		}
	}
	sqlite3_finalize(stmt);
	return r;
}

/* In rows, lost, without rows by nature, pruned: together all the numbers that were taken. */
static int balance(struct verify *v, struct cpu_check *c)
{
	int64_t lost = 0, recovered = 0, all = c->next - c->first, told, count = 0;
	bool unknown = false;
	int r = sum_gaps(v, c, &lost, &recovered, &unknown);

	if (r < 0)
		return r;
	told = add_clamped(add_clamped(c->rows, lost), add_clamped(c->unseen, c->pruned));
	if (told > all || (told < all && !unknown))
		problem(v, "sequence", &count,
			"boot %d cpu %" PRId64 ": %" PRId64 " numbers were taken, but %" PRId64
			" are told: %" PRId64 " in rows, %" PRId64 " lost, %" PRId64
			" without rows, %" PRId64 " pruned",
			c->boot, c->cpu, all, told, c->rows, lost, c->unseen, c->pruned);
	v->report->events += c->rows;
	v->report->lost = add_clamped(v->report->lost, lost);
	v->report->recovered = add_clamped(v->report->recovered, recovered);
	v->report->unseen = add_clamped(v->report->unseen, c->unseen);
	v->report->pruned = add_clamped(v->report->pruned, c->pruned);
	return 0;
}

/* In two rounds: what shares a bit, and what of that is the same number. */
static int find_doubles(struct verify *v, struct cpu_check *c)
{
	size_t kept = 0;
	int r = each_number(v, c, mark);

	if (r < 0 || !c->again_count)
		return r;
	qsort(c->again, c->again_count, sizeof(*c->again), compare_numbers);
	for (size_t i = 0; i < c->again_count; i++) {
		if (i == 0 || c->again[i] != c->again[i - 1])
			c->again[kept++] = c->again[i];
	}
	c->again_count = kept;
	free(c->bits);
	c->bits = calloc(kept / 8 + 1, 1);
	return c->bits ? each_number(v, c, mark_again) : -ENOMEM;
}

static int check_cpu(struct verify *v, struct cpu_check *c)
{
	int64_t all = 0, count = 0;
	int r;

	if (c->first < 0 || __builtin_sub_overflow(c->next, c->first, &all) || all < 0 ||
	    c->unseen < 0 || c->pruned < 0) {
		problem(v, "sequence", &count, "boot %d cpu %" PRId64 ": negative counts", c->boot,
			c->cpu);
		return 0;
	}
	c->bits_count = all < BITS_MAX ? all + 1 : BITS_MAX;
	c->bits = calloc((size_t)(c->bits_count / 8 + 1), 1);
	r = c->bits ? find_doubles(v, c) : -ENOMEM;
	free(c->bits);
	free(c->again);
	end_check(v, "sequence", c->beyond > c->twice ? c->beyond : c->twice);
	return r < 0 ? r : balance(v, c);
}

static int check_sequences(struct verify *v)
{
	static const char sql[] =
		"SELECT boot, cpu, first_seq, next_seq, unseen, pruned FROM cpu_position "
		"ORDER BY boot, cpu";
	sqlite3_stmt *stmt = NULL;
	int r, rc = SQLITE_DONE;

	v->report->progress(v->report->userdata, "sequence");
	r = prepare(v, sql, &stmt);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct cpu_check c = {
			.boot = sqlite3_column_int(stmt, 0),
			.cpu = sqlite3_column_int64(stmt, 1),
			.first = sqlite3_column_int64(stmt, 2),
			.next = sqlite3_column_int64(stmt, 3),
			.unseen = sqlite3_column_int64(stmt, 4),
			.pruned = sqlite3_column_int64(stmt, 5),
		};

		r = check_cpu(v, &c);
	}
	if (r == 0)
		r = query_step_error(v->query, rc);
	sqlite3_finalize(stmt);
	return r;
}

/* Rows of CPUs of which no position is kept would escape the sums. */
static const char strangers_sql[] =
	"SELECT 'boot ' || boot || ' cpu ' || cpu || ': rows, but no position' FROM "
	"(SELECT boot, fork_cpu AS cpu FROM process_row WHERE fork_seq IS NOT NULL "
	"UNION SELECT boot, exec_cpu FROM process_row WHERE exec_after_seq IS NOT NULL "
	"UNION SELECT boot, end_cpu FROM process_row WHERE end_after_seq IS NOT NULL "
	"UNION SELECT boot, cpu FROM exec_row WHERE seq IS NOT NULL "
	"UNION SELECT boot, cpu FROM exec_failure_row WHERE seq IS NOT NULL) r "
	"WHERE NOT EXISTS (SELECT 1 FROM cpu_position c WHERE c.boot = r.boot AND c.cpu IS r.cpu)";

static int check_file(struct verify *v, bool quick)
{
	sqlite3_stmt *stmt = NULL;
	int64_t count = 0;
	int r, rc = SQLITE_DONE;

	v->report->progress(v->report->userdata, "file");
	r = prepare(v, quick ? "PRAGMA quick_check(11)" : "PRAGMA integrity_check(11)", &stmt);
	while (r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(stmt, 0);

		if (text && strcmp(text, "ok") != 0)
			problem(v, "file", &count, "%s", text);
	}
	if (r == 0)
		r = query_step_error(v->query, rc);
	sqlite3_finalize(stmt);
	return r;
}

/* What only export writes; without a sum somebody has taken that away. */
static const char unsealed_sql[] =
	"SELECT 'it is an export (' || mark || '), but says no SHA-256 of its contents' FROM ("
	"SELECT 'it has a manifest' AS mark FROM meta WHERE name = 'export.manifest' "
	"UNION ALL SELECT 'exported only' FROM recorder_row WHERE filter LIKE '%exported only %' "
	"UNION ALL SELECT 'a gap not_exported' FROM gap_row WHERE cause = 'not_exported') LIMIT 1";

/* An exported file says what its contents were. */
static int check_digest(struct verify *v)
{
	char stored[QUERY_DIGEST_SIZE], now[QUERY_DIGEST_SIZE];
	int64_t count = 0;
	int r = query_stored_digest(v->query->db, stored);

	if (r != 0)
		return r < 0 ? r : run_check(v, "digest", unsealed_sql);
	v->report->progress(v->report->userdata, "digest");
	r = query_digest(v->query->db, now);
	if (r == 0 && strcmp(stored, now) != 0)
		problem(v, "digest", &count, "exported as %s, now it is %s", stored, now);
	return r;
}

int query_verify(struct query *q, bool quick, struct verify_report *report)
{
	struct verify v = {.query = q, .report = report};
	sqlite3_stmt *stmt = NULL;
	int r = check_file(&v, quick);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(checks); i++)
		r = run_check(&v, checks[i].name, checks[i].sql);
	if (r == 0)
		r = check_rings(&v);
	if (r == 0)
		r = check_sequences(&v);
	if (r == 0)
		r = run_check(&v, "sequence", strangers_sql);
	if (r == 0)
		r = check_digest(&v);
	if (r == 0)
		r = prepare(&v, "SELECT count(*) FROM process_row", &stmt);
	if (r == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		report->processes = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return r;
}
