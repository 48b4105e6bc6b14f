/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/intern.c: one row for what is the same, and never one for what is not. */
#include "suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/intern.h"
#include "schema/cleanup.h"

static char directory[64], path[80];
static struct store s;
static struct intern n;

static void begin(void)
{
	snprintf(directory, sizeof(directory), "/tmp/lineage-intern.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/lineage.db", directory);
	ck_assert_int_eq(dictionary_seed(), 0);
	ck_assert_int_eq(store_open(&s, path), 0);
	ck_assert_int_eq(intern_init(&n, &s, directory, 4), 0);
	ck_assert_int_eq(store_begin(&s), 0);
}

static void end(void)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	char name[100];

	intern_deinit(&n);
	store_close(&s);
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	rmdir(directory);
}

static int64_t ask(const char *sql)
{
	sqlite3_stmt *stmt = NULL;
	int64_t answer = -1;

	ck_assert_msg(sqlite3_prepare_v2(s.db, sql, -1, &stmt, NULL) == SQLITE_OK, "%s", sql);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		answer = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return answer;
}

#define S(text)                        \
	{                              \
		text, sizeof(text) - 1 \
	}

START_TEST(test_texts)
{
	int64_t a, b, c;

	begin();
	ck_assert_int_eq(intern_text(&n, "/bin/ls", 7, &a), 0);
	ck_assert_int_eq(intern_text(&n, "/bin/ls", 7, &b), 0);
	ck_assert_int_eq(a, b);
	ck_assert_int_eq(intern_text(&n, "/bin/ls", 6, &b), 0);
	ck_assert_int_ne(a, b);
	/* Shown alike, and still two. */
	ck_assert_int_eq(intern_text(&n, "\xff", 1, &b), 0);
	ck_assert_int_eq(intern_text(&n, "\xfe", 1, &c), 0);
	ck_assert_int_ne(b, c);
	ck_assert_int_eq(ask("SELECT count(DISTINCT hex(raw)) FROM text WHERE raw NOTNULL"), 2);
	/* A comm without a NUL is read to its end and no further. */
	ck_assert_int_eq(intern_comm(&n, "0123456789abcdef", &a), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM text WHERE value = '0123456789abcdef'"), 1);
	ck_assert_int_eq(intern_forget(&n), 0);
	ck_assert_int_eq(intern_comm(&n, "0123456789abcdef", &b), 0);
	ck_assert_int_ne(a, b);
	end();
}
END_TEST

START_TEST(test_images_differ_by_everything)
{
	const struct intern_image first = {
		.exe = S("/bin/ls"),
		.filename = S("ls"),
		.args = S("ls\0-l\0"),
		.comm = "ls",
		.args_count = 2,
		.args_total = 6,
		.dev = 1,
		.inode = 2,
	};
	struct intern_image others[10];
	int64_t id, other, again;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		others[i] = first;
	others[0].exe = (struct decode_string)S("/bin/lt");
	others[1].filename = (struct decode_string)S("./ls");
	others[2].interp = (struct decode_string)S("/bin/sh");
	others[3].args = (struct decode_string)S("ls\0-a\0");
	others[4].args_count = 3;
	others[5].args_total = 7;
	others[6].dev = 2;
	others[7].inode = 3;
	others[8].flags = LINEAGE_EXE_MEMFD;
	others[9].comm[2] = 'x';
	begin();
	ck_assert_int_eq(intern_image(&n, &first, &id), 0);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		ck_assert_int_eq(intern_image(&n, &others[i], &other), 0);
		ck_assert_msg(other != id, "%zu", i);
		ck_assert_int_eq(intern_image(&n, &others[i], &again), 0);
		ck_assert_int_eq(again, other);
	}
	ck_assert_int_eq(ask("SELECT count(*) FROM image"), 11);
	end();
}
END_TEST

START_TEST(test_arguments)
{
	CLEANUP_FREE char *args = malloc(LINEAGE_ARGS_MAX);
	struct intern_image image = {.args_count = ROW_NONE};
	int64_t id;

	begin();
	ck_assert_int_eq(intern_image(&n, &image, &id), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM image WHERE args ISNULL AND args_count ISNULL"),
			 1);
	/* The worst of everything that a record may carry. */
	memset(args, 1, LINEAGE_ARGS_MAX);
	image.args = (struct decode_string){args, LINEAGE_ARGS_MAX};
	image.args_total = 1000000;
	ck_assert_int_eq(intern_image(&n, &image, &id), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM image WHERE length(args_raw) = 32768 AND "
			     "args_bytes = 1000000 AND args_count = 1 AND json_valid(args)"),
			 1);
	end();
}
END_TEST

START_TEST(test_contexts)
{
	struct lineage_ids a = {.uid = 1,
				.pgid = 5,
				.ns_pid = 6,
				.cgroup_id = 9,
				.cgroup_v1_id = 8},
			   b = a;
	int64_t one, other;

	begin();
	b.pgid = 50;
	b.ns_pid = 60;
	ck_assert_int_eq(intern_context(&n, &a, &one), 0);
	ck_assert_int_eq(intern_context(&n, &b, &other), 0);
	ck_assert_int_eq(one, other);
	b.cap_permitted = 1;
	ck_assert_int_eq(intern_context(&n, &b, &other), 0);
	ck_assert_int_ne(one, other);
	ck_assert_int_eq(ask("SELECT count(*) FROM cgroup WHERE path ISNULL"), 2);
	ck_assert_int_eq(
		ask("SELECT count(*) FROM context x JOIN cgroup g ON g.cgroup = x.cgroup AND "
		    "g.kernfs_id = 9 JOIN cgroup h ON h.cgroup = x.cgroup_v1 AND h.kernfs_id = 8 "
		    "AND h.hierarchy = 4"),
		2);
	end();
}
END_TEST

START_TEST(test_cgroups)
{
#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	static const char components[] = "docker-" ID ".scope\0system.slice\0";
	char bytes[256] = {0};
	struct lineage_cgroup *g = (struct lineage_cgroup *)bytes;
	struct lineage_ids ids = {.cgroup_id = 9};
	int64_t id;

	begin();
	g->id = 9;
	g->path_length = sizeof(components) - 1;
	memcpy(g->data, components, sizeof(components) - 1);
	ck_assert_int_eq(intern_context(&n, &ids, &id), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(intern_cgroup(&n, g), 0);
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM cgroup WHERE path = '/system.slice/docker-" ID
			     ".scope' AND container_id = '" ID "'"),
			 1);
	/* Read back: known, and not written again. */
	ck_assert_int_eq(intern_forget(&n), 0);
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(intern_context(&n, &ids, &id), 0);
	ck_assert_int_eq(intern_cgroup(&n, g), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM cgroup"), 1);
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_texts,   test_images_differ_by_everything, test_arguments, test_contexts,
		test_cgroups,
	};

	return SUITE_RUN("intern", tests);
}
