/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/intern.c: one row for what is the same, and never one for what is not. */
#include "suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/intern.h"
#include "daemon/jsonargs.h"
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
	ck_assert_int_eq(ask("SELECT count(*) FROM argv WHERE args ISNULL AND args_count ISNULL"),
			 1);
	/* The worst of everything that a record may carry. */
	memset(args, 1, LINEAGE_ARGS_MAX);
	image.args = (struct decode_string){args, LINEAGE_ARGS_MAX};
	image.args_total = 1000000;
	ck_assert_int_eq(intern_image(&n, &image, &id), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM argv WHERE length(args_raw) = 32768 AND "
			     "args_bytes = 1000000 AND args_count = 1 AND json_valid(args)"),
			 1);
	end();
}
END_TEST

/* The argv of an image as the view tells it, against the JSON of its bytes. */
static void expect_args(const char *argv, size_t length, uint32_t random)
{
	CLEANUP_FREE char *expected = malloc(JSONARGS_SIZE(length));
	struct jsonargs json = jsonargs_from_argv(expected, argv, length);
	struct intern_image image = {.args = {argv, length},
				     .args_count = ROW_NONE,
				     .args_total = (int64_t)length,
				     .inode = random};
	sqlite3_stmt *stmt = NULL;
	int64_t id;
	char sql[256];

	ck_assert_int_eq(intern_image(&n, &image, &id), 0);
	snprintf(
		sql, sizeof(sql),
		"INSERT INTO process_row (process_id, boot, pid, start_boot_ns, provenance, image) "
		"VALUES (%" PRId64 ", 1, 1, 0, 0, %" PRId64 ")",
		id, id);
	ck_assert_int_eq(schema_exec(s.db, sql), 0);
	snprintf(sql, sizeof(sql),
		 "SELECT args, args_count, args_bytes, args_raw, args_truncated FROM exec "
		 "WHERE process_id = %" PRId64,
		 id);
	ck_assert_int_eq(sqlite3_prepare_v2(s.db, sql, -1, &stmt, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_str_eq((const char *)sqlite3_column_text(stmt, 0), expected);
	ck_assert_uint_eq((uint32_t)sqlite3_column_int64(stmt, 1), json.count);
	ck_assert_int_eq(sqlite3_column_int64(stmt, 2), (int64_t)length);
	ck_assert(json.exact == (sqlite3_column_type(stmt, 3) == SQLITE_NULL));
	if (!json.exact)
		ck_assert_mem_eq(sqlite3_column_blob(stmt, 3), argv, length);
	ck_assert_int_eq(sqlite3_column_int(stmt, 4), 0);
	sqlite3_finalize(stmt);
}

START_TEST(test_arguments_come_back)
{
	/* From the byte 127 on, the odd ones. */
	static const char alphabet[] = "a\0\0\n\t\1\x1f\"\\[],nu'\x7f\xc3\xa9\xff";
	char argv[24];
	uint32_t random = 1, joined;

	begin();
	expect_args("ls\0-l\0", 6, 0);
	expect_args("", 0, 0);
	expect_args("\0", 1, 0);
	expect_args("a\0\0", 3, 0);
	expect_args("no end", 6, 0);
	expect_args("a\x7f\0", 3, 0);
	expect_args("\\n\0\\u007f\0", 10, 0);
	for (int i = 0; i < 3000; i++) {
		size_t length = random % sizeof(argv);

		for (size_t k = 0; k < length; k++) {
			random = random * 1664525 + 1013904223;
			argv[k] = alphabet[(random >> 16) % (i % 2 ? 15 : 19)];
		}
		if (i % 2 && length)
			argv[length - 1] = '\0';
		random = random * 1664525 + 1013904223;
		expect_args(argv, length, random);
	}
	/* Both ways were taken. */
	joined = (uint32_t)ask("SELECT count(*) FROM image WHERE args NOTNULL");
	ck_assert(joined > 100 && joined < 2900);
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

#define ID	 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DOCKER	 "docker-" ID ".scope\0system.slice\0"
#define NS_PER_S 1000000000ULL

/* The components of a path, the innermost first, as a cgroup tells them. */
#define TELL(id, components) tell((id), (components), sizeof(components) - 1)

static void tell(uint64_t id, const char *components, size_t length)
{
	char bytes[256] = {0};
	struct lineage_cgroup *g = (struct lineage_cgroup *)bytes;

	g->id = id;
	g->header.boot_ns = 100 * NS_PER_S;
	g->path_length = (uint32_t)length;
	memcpy(g->data, components, length);
	ck_assert_int_eq(intern_cgroup(&n, g), 0);
}

START_TEST(test_cgroups)
{
	struct lineage_ids ids = {.cgroup_id = 9};
	int64_t id;

	begin();
	ck_assert_int_eq(intern_context(&n, &ids, &id), 0);
	for (int i = 0; i < 10; i++)
		TELL(9, DOCKER);
	ck_assert_int_eq(store_commit(&s), 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM cgroup WHERE path = '/system.slice/docker-" ID
			     ".scope' AND container_id = '" ID "'"),
			 1);
	/* Read back: known, and not written again. */
	ck_assert_int_eq(intern_forget(&n), 0);
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(intern_context(&n, &ids, &id), 0);
	TELL(9, DOCKER);
	ck_assert_int_eq(ask("SELECT count(*) FROM cgroup"), 1);
	end();
}
END_TEST

static void make_state(const char *text)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "mkdir -p %s/var/lib/docker/containers/" ID
		 " && printf '%%s' '%s' >%s/var/lib/docker/containers/" ID "/config.v2.json",
		 directory, text, directory);
	ck_assert_int_eq(system(command), 0);
}

static void remove_state(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s/var", directory);
	ck_assert_int_eq(system(command), 0);
}

static int64_t named(const char *name)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "SELECT count(*) FROM cgroup WHERE container_id = '" ID
		 "' AND container_name %s%s%s",
		 name ? "= '" : "IS NULL", name ? name : "", name ? "'" : "");
	return ask(sql);
}

/* A path is told once. The name is written a moment later. */
START_TEST(test_name_comes_later)
{
	begin();
	TELL(9, DOCKER);
	ck_assert(!intern_name_is_due(&n, 100 * NS_PER_S));
	ck_assert(intern_name_is_due(&n, 101 * NS_PER_S));
	ck_assert_int_eq(intern_name(&n, 101 * NS_PER_S), 0);
	ck_assert_int_eq(named(NULL), 1);
	make_state("{\"Name\":\"/shop\",\"Config\":{}}");
	ck_assert(!intern_name_is_due(&n, 101 * NS_PER_S));
	ck_assert_int_eq(intern_name(&n, 106 * NS_PER_S), 0);
	ck_assert_int_eq(named("shop"), 1);
	/* What is rolled back is found again. */
	store_rollback(&s);
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(intern_forget(&n), 0);
	TELL(9, DOCKER);
	ck_assert_int_eq(named("shop"), 1);
	/* And then it is not looked for any more. */
	for (uint64_t now = 110; now < 200; now += 30)
		ck_assert_int_eq(intern_name(&n, now * NS_PER_S), 0);
	ck_assert(!intern_name_is_due(&n, UINT64_MAX));
	ck_assert_uint_eq(n.unnamed_count, 0);
	remove_state();
	end();
}
END_TEST

/* The daemon is restarted while the runtime has not written the name yet. */
START_TEST(test_name_comes_after_a_restart)
{
	begin();
	TELL(9, DOCKER);
	/* One without a container has nothing to wait for. */
	TELL(10, "system.slice\0");
	ck_assert_int_eq(store_commit(&s), 0);
	intern_deinit(&n);
	make_state("{\"Name\":\"/shop\",\"Config\":{}}");
	ck_assert_int_eq(intern_init(&n, &s, directory, 4), 0);
	ck_assert_uint_eq(n.unnamed_count, 1);
	ck_assert(intern_name_is_due(&n, 105 * NS_PER_S));
	ck_assert_int_eq(store_begin(&s), 0);
	ck_assert_int_eq(intern_name(&n, 105 * NS_PER_S), 0);
	ck_assert_int_eq(named("shop"), 1);
	remove_state();
	end();
}
END_TEST

/* The runtime forgot the container meanwhile: what was learned of it stays. */
START_TEST(test_gone_after_a_restart)
{
	begin();
	TELL(9, "job1\0ci\0");
	/* As if its state had told what it is, and no name. */
	ck_assert_int_eq(ask("UPDATE cgroup SET container_id = 'job1', runtime = 'containerd', "
			     "image_name = 'tests:1' RETURNING 1"),
			 1);
	ck_assert_int_eq(store_commit(&s), 0);
	intern_deinit(&n);
	ck_assert_int_eq(intern_init(&n, &s, directory, 4), 0);
	ck_assert_int_eq(store_begin(&s), 0);
	for (uint64_t now = 10; now < 100; now += 30)
		ck_assert_int_eq(intern_name(&n, now * NS_PER_S), 0);
	ck_assert_uint_eq(n.unnamed_count, 0);
	ck_assert_int_eq(ask("SELECT count(*) FROM cgroup WHERE container_id = 'job1' "
			     "AND runtime = 'containerd' AND image_name = 'tests:1'"),
			 1);
	end();
}
END_TEST

START_TEST(test_name_that_never_comes)
{
	char bytes[256] = {0};
	struct lineage_cgroup *g = (struct lineage_cgroup *)bytes;
	int looks = 0;

	begin();
	g->path_length = sizeof("docker-" ID ".scope");
	memcpy(g->data, "docker-" ID ".scope", g->path_length);
	for (g->id = 1; g->id <= 1000; g->id++)
		ck_assert_int_eq(intern_cgroup(&n, g), 0);
	ck_assert_uint_le(n.unnamed_count, 256);
	/* Eight at a time. */
	for (; intern_name_is_due(&n, UINT64_MAX / 2); looks++)
		ck_assert_int_eq(intern_name(&n, (uint64_t)looks * 20 * NS_PER_S), 0);
	ck_assert_int_gt(looks, 256 / 8);
	ck_assert_int_le(looks, 5 * 256 / 8);
	ck_assert_uint_eq(n.unnamed_count, 0);
	ck_assert_int_eq(named(NULL), 1000);
	end();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_texts,
		test_images_differ_by_everything,
		test_arguments,
		test_contexts,
		test_arguments_come_back,
		test_cgroups,
		test_name_comes_later,
		test_name_comes_after_a_restart,
		test_gone_after_a_restart,
		test_name_that_never_comes,
	};

	return SUITE_RUN("intern", tests);
}
