/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/decode.c. */
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/decode.h"
#include "schema/cleanup.h"

#define DATA 64

/* In a block of exactly its size, so that sanitizers see one byte more. */
static int decode(const void *bytes, size_t length)
{
	void *exact = malloc(length ? length : 1);
	int kind;

	memcpy(exact, bytes, length);
	kind = decode_record(exact, length);
	free(exact);
	return kind;
}

START_TEST(test_lengths)
{
	static const struct {
		int kind;
		size_t least;
	} rows[] = {
		{LINEAGE_FORK, sizeof(struct lineage_fork)},
		{LINEAGE_EXEC, sizeof(struct lineage_exec)},
		{LINEAGE_EXIT, sizeof(struct lineage_exit)},
		{LINEAGE_CGROUP, sizeof(struct lineage_cgroup)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t least = rows[i].least;
		char bytes[1024] = {0};
		struct lineage_header *h = (struct lineage_header *)bytes;

		h->kind = (uint16_t)rows[i].kind;
		h->length = (uint32_t)least;
		ck_assert_int_eq(decode(bytes, least), rows[i].kind);
		/* The ring may have reserved more than the record holds. */
		ck_assert_int_eq(decode(bytes, least + 8), rows[i].kind);
		for (size_t length = 0; length < least; length++)
			ck_assert_int_eq(decode(bytes, length), -EBADMSG);
		h->length--;
		ck_assert_int_eq(decode(bytes, least), -EBADMSG);
		h->length = UINT32_MAX;
		ck_assert_int_eq(decode(bytes, least), -EBADMSG);
	}
}
END_TEST

START_TEST(test_kinds)
{
	struct lineage_fork f = {.header.length = sizeof(f)};

	for (uint32_t kind = 0; kind <= UINT16_MAX; kind++) {
		f.header.kind = (uint16_t)kind;
		ck_assert_int_eq(decode(&f, sizeof(f)) > 0,
				 kind == LINEAGE_FORK ||
					 (kind == LINEAGE_EXIT &&
					  sizeof(struct lineage_exit) <= sizeof(f)) ||
					 (kind == LINEAGE_CGROUP &&
					  sizeof(struct lineage_cgroup) <= sizeof(f)));
		/* A failed exec has an error, and this is none. */
		ck_assert(kind != LINEAGE_EXEC_FAILURE || decode(&f, sizeof(f)) == -EBADMSG);
	}
}
END_TEST

static struct lineage_exec *new_exec(size_t data)
{
	struct lineage_exec *e = calloc(1, sizeof(*e) + data);

	e->header.kind = LINEAGE_EXEC;
	e->header.length = (uint32_t)(sizeof(*e) + data);
	return e;
}

START_TEST(test_parts_of_an_exec)
{
	static const char data[] = "ls\0bin\0src\0./ls\0sh\0ls\0-l\0";
	CLEANUP_FREE struct lineage_exec *e = new_exec(sizeof(data) - 1);
	struct decode_exec d;

	memcpy(e->data, data, sizeof(data) - 1);
	e->exe_length = 7;
	e->cwd_length = 4;
	e->filename_length = 5;
	e->interp_length = 3;
	e->args_offset = 19;
	e->args_length = e->args_total = 6;
	ck_assert_int_eq(decode(e, e->header.length), LINEAGE_EXEC);
	decode_exec(e, &d);
	ck_assert_mem_eq(d.exe.bytes, "ls\0bin\0", d.exe.length);
	ck_assert_mem_eq(d.cwd.bytes, "src\0", d.cwd.length);
	ck_assert_uint_eq(d.filename.length, 4);
	ck_assert_mem_eq(d.filename.bytes, "./ls", 4);
	ck_assert_uint_eq(d.interp.length, 2);
	ck_assert_mem_eq(d.args.bytes, "ls\0-l\0", d.args.length);
}
END_TEST

START_TEST(test_an_exec_that_lies)
{
	CLEANUP_FREE struct lineage_exec *e = new_exec(DATA);
	struct lineage_exec good;

	e->args_offset = 32;
	e->args_length = e->args_total = 32;
	e->exe_length = e->cwd_length = e->filename_length = e->interp_length = 8;
	good = *e;
	ck_assert_int_eq(decode(e, e->header.length), LINEAGE_EXEC);
	e->args_length = e->args_total = 33;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
	*e = good;
	e->args_offset = DATA + 1;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
	e->args_offset = UINT32_MAX;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
	*e = good;
	e->args_length = UINT32_MAX;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
	*e = good;
	e->interp_length = 9;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
	*e = good;
	e->exe_length = UINT16_MAX;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
	*e = good;
	e->args_total = 31;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
}
END_TEST

START_TEST(test_more_arguments_than_the_recorder_has_room_for)
{
	CLEANUP_FREE struct lineage_exec *e = new_exec(LINEAGE_ARGS_MAX + 1);

	e->args_length = e->args_total = LINEAGE_ARGS_MAX;
	ck_assert_int_eq(decode(e, e->header.length), LINEAGE_EXEC);
	e->args_length = e->args_total = LINEAGE_ARGS_MAX + 1;
	ck_assert_int_eq(decode(e, e->header.length), -EBADMSG);
}
END_TEST

START_TEST(test_a_cgroup_that_lies)
{
	char bytes[sizeof(struct lineage_cgroup) + 8] = {0};
	struct lineage_cgroup *g = (struct lineage_cgroup *)bytes;

	g->header.kind = LINEAGE_CGROUP;
	g->header.length = sizeof(bytes);
	g->path_length = 8;
	ck_assert_int_eq(decode(bytes, sizeof(bytes)), LINEAGE_CGROUP);
	g->path_length = 9;
	ck_assert_int_eq(decode(bytes, sizeof(bytes)), -EBADMSG);
}
END_TEST

#define P(text) text, sizeof(text) - 1

struct failure {
	struct lineage_exec_failure f;
	char data[16];
};

static struct failure failure(void)
{
	struct failure x = {
		.f = {.header = {.length = sizeof(x), .kind = LINEAGE_EXEC_FAILURE},
		      .error = ENOENT,
		      .directory = -100,
		      .args_count = 2,
		      .args_total = 6,
		      .args_length = 6,
		      .args_offset = 7,
		      .filename_length = 7},
	};

	memcpy(x.f.data, "bin/ls\0ls\0-l", 13);
	return x;
}

START_TEST(test_a_failure_that_lies)
{
	struct failure x = failure();

	ck_assert_int_eq(decode(&x, sizeof(x)), LINEAGE_EXEC_FAILURE);
#define REFUSED(member, value)                                     \
	do {                                                       \
		x = failure();                                     \
		x.f.member = (value);                              \
		ck_assert_int_eq(decode(&x, sizeof(x)), -EBADMSG); \
	} while (0)
	REFUSED(error, 0);
	REFUSED(error, 4096);
	REFUSED(args_offset, 17);
	REFUSED(args_offset, UINT32_MAX);
	REFUSED(args_length, 10);
	REFUSED(args_length, UINT32_MAX);
	REFUSED(args_total, 5);
	REFUSED(filename_length, 8);
	REFUSED(filename_length, UINT32_MAX);
#undef REFUSED
}
END_TEST

START_TEST(test_filenames_of_failures)
{
	static const struct {
		const char *name;
		int directory;
		const char *wanted;
	} rows[] = {
		{"ls", -100, "ls"},
		{"ls", 5, "/dev/fd/5/ls"},
		{"/bin/ls", 5, "/bin/ls"},
		{"", -100, ""},
		{"", 5, "/dev/fd/5"},
		{"", -1, "/dev/fd/-1"},
		{"a/b", -3, "/dev/fd/-3/a/b"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char filename[DECODE_FILENAME_SIZE] = {0};
		struct failure x = failure();
		struct decode_failure d;

		x.f.directory = rows[i].directory;
		x.f.filename_length = (uint32_t)strlen(rows[i].name) + 1;
		memcpy(x.f.data, rows[i].name, x.f.filename_length);
		decode_failure(&x, &d);
		ck_assert_uint_eq(decode_failure_filename(&d, filename), strlen(rows[i].wanted));
		ck_assert_str_eq(filename, rows[i].wanted);
	}
}
END_TEST

START_TEST(test_a_failure_that_could_not_be_read)
{
	struct failure x = failure();
	struct decode_failure d;

	x.f.flags = LINEAGE_ARGS_UNREADABLE;
	decode_failure(&x, &d);
	ck_assert_uint_eq(d.args.length, 6);
	x.f.filename_length = x.f.args_length = 0;
	decode_failure(&x, &d);
	ck_assert_ptr_null(d.filename.bytes);
	ck_assert_ptr_null(d.args.bytes);
	/* No arguments at all is not the same. */
	x.f.flags = 0;
	decode_failure(&x, &d);
	ck_assert_ptr_nonnull(d.args.bytes);
}
END_TEST

START_TEST(test_paths)
{
	static const struct {
		const char *components;
		size_t length;
		int truncated;
		const char *path;
	} rows[] = {
		{P(""), 0, "/"},
		{P(""), 1, "..."},
		{P("ls\0bin\0usr\0"), 0, "/usr/bin/ls"},
		{P("ls\0bin\0usr\0"), 1, ".../usr/bin/ls"},
		{P("ls\0bin"), 0, "/bin/ls"},
		{P("memfd:a/b\0"), 0, "/memfd:a/b"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char path[DECODE_PATH_SIZE];
		struct decode_string s = {rows[i].components, rows[i].length};

		ck_assert_uint_eq(decode_path(s, rows[i].truncated, path), strlen(rows[i].path));
		ck_assert_str_eq(path, rows[i].path);
	}
}
END_TEST

/* One component of n bytes below another: "/b/aaa...". */
START_TEST(test_long_paths)
{
	for (size_t n = LINEAGE_PATH_MAX - 8; n < LINEAGE_PATH_MAX + 100; n++) {
		CLEANUP_FREE char *components = malloc(n + 3);
		CLEANUP_FREE char *path = malloc(DECODE_PATH_SIZE);
		struct decode_string s = {components, n + 3};
		size_t length;

		memset(components, 'a', n);
		memcpy(components + n, "\0b", 3);
		length = decode_path(s, 0, path);
		ck_assert_uint_eq(length, strlen(path));
		ck_assert_uint_lt(length, DECODE_PATH_SIZE);
		if (n + 3 <= LINEAGE_PATH_MAX)
			ck_assert_uint_eq(length, n + 3);
		else
			ck_assert_int_eq(strncmp(path, "...", 3), 0);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_lengths,
		test_kinds,
		test_parts_of_an_exec,
		test_an_exec_that_lies,
		test_more_arguments_than_the_recorder_has_room_for,
		test_a_cgroup_that_lies,
		test_a_failure_that_lies,
		test_filenames_of_failures,
		test_a_failure_that_could_not_be_read,
		test_paths,
		test_long_paths,
	};

	return SUITE_RUN("decode", tests);
}
