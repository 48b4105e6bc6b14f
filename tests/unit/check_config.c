/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/config*.c: files in a made-up root, values, limits, precedence, hash, printing.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/config.h"
#include "schema/cleanup.h"

static char root[64];
/* What was reported: "E|W place: problem\n" each. */
static char reports[16384];

static void setup(void)
{
	strcpy(root, "/tmp/check_config.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(root));
	reports[0] = '\0';
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	ck_assert_int_eq(system(command), 0);
}

static void report(void *userdata, bool is_error, const char *place, const char *problem)
{
	size_t n = strlen(reports);

	snprintf(reports + n, sizeof(reports) - n, "%c %s: %s\n", is_error ? 'E' : 'W', place,
		 problem);
}

/* path is below the root; the directories are made. */
static void write_file(const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
}

static int load(struct config **ret, const struct config_override *overrides, size_t count)
{
	struct config_source source = {
		.root = root, .overrides = overrides, .overrides_count = count, .report = report};

	return config_load(&source, ret);
}

/* The text as the only file. */
static int load_text(const char *text, struct config **ret)
{
	write_file("/etc/lineaged/lineaged.conf", text);
	reports[0] = '\0';
	return load(ret, NULL, 0);
}

static void free_config(struct config **config)
{
	config_free(*config);
}

#define CLEANUP_CONFIG CLEANUP(free_config)

START_TEST(test_defaults)
{
	CLEANUP_CONFIG struct config *c = NULL;

	ck_assert_int_eq(load(&c, NULL, 0), 0);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(c->ring_bytes, 32 << 20);
	ck_assert_uint_eq(c->cache_entries, 65536);
	ck_assert_uint_eq(c->cache_keep_ns, 10000000000);
	ck_assert_uint_eq(c->args_max_bytes, 32768);
	ck_assert_uint_eq(c->where, CONFIG_WHERE_ALL);
	ck_assert_uint_eq(c->exec_failures, CONFIG_EXEC_FAILURES_YES);
	ck_assert(!c->keep_attached);
	ck_assert_str_eq(c->database, "/var/lib/lineaged/lineage.db");
	ck_assert_str_eq(c->status_file, "/run/lineaged/status.json");
	ck_assert_str_eq(c->metrics_file, "");
	ck_assert_str_eq(c->pin_directory, "/sys/fs/bpf/lineaged");
	ck_assert_uint_eq(c->commit_interval_ns, 200000000);
	ck_assert_uint_eq(c->max_use_bytes, UINT64_C(2) << 30);
	ck_assert_uint_eq(c->max_retention_ns, 0);
	ck_assert_uint_eq(c->include_cgroup.count, 0);
}
END_TEST

START_TEST(test_every_key)
{
	CLEANUP_CONFIG struct config *c = NULL;

	ck_assert_int_eq(load_text("# comment\n; comment\n\n[Capture]\n"
				   "IncludeCgroup=/a b\n  IncludeCgroup = rel\nExcludeCgroup=/c\n"
				   "Where=containers\nRingSize=64K\nCacheEntries=1024\n"
				   "CacheKeepSec=1min 30\nArgsMax=4K\nExecFailures=off\n"
				   "[Storage]\nDatabase=/d/x.db\nBatchMax=7\n"
				   "CommitIntervalSec=1.5s\nSyncIntervalSec=2\nWalMax=4M\n"
				   "[Retention]\nMaxUse=1T\nKeepFree=0\nMaxRetentionSec=7day\n"
				   "[Report]\nStatusFile=\nMetricsFile=/m.prom\n"
				   "PinDirectory=/sys/fs/bpf/x\nKeepAttached=TRUE\n",
				   &c),
			 0);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(c->include_cgroup.count, 2);
	ck_assert_str_eq(c->include_cgroup.items[0], "/a b");
	ck_assert_str_eq(c->include_cgroup.items[1], "rel");
	ck_assert_str_eq(c->exclude_cgroup.items[0], "/c");
	ck_assert_uint_eq(c->where, CONFIG_WHERE_CONTAINERS);
	ck_assert_uint_eq(c->ring_bytes, 65536);
	ck_assert_uint_eq(c->cache_entries, 1024);
	ck_assert_uint_eq(c->cache_keep_ns, 90000000000);
	ck_assert_uint_eq(c->args_max_bytes, 4096);
	ck_assert_uint_eq(c->exec_failures, CONFIG_EXEC_FAILURES_NO);
	ck_assert_str_eq(c->database, "/d/x.db");
	ck_assert_uint_eq(c->batch_max, 7);
	ck_assert_uint_eq(c->commit_interval_ns, 1500000000);
	ck_assert_uint_eq(c->sync_interval_ns, 2000000000);
	ck_assert_uint_eq(c->wal_max_bytes, 4 << 20);
	ck_assert_uint_eq(c->max_use_bytes, UINT64_C(1) << 40);
	ck_assert_uint_eq(c->keep_free_bytes, 0);
	ck_assert_uint_eq(c->max_retention_ns, UINT64_C(604800000000000));
	ck_assert_str_eq(c->status_file, "");
	ck_assert_str_eq(c->metrics_file, "/m.prom");
	ck_assert_str_eq(c->pin_directory, "/sys/fs/bpf/x");
	ck_assert(c->keep_attached);
}
END_TEST

START_TEST(test_overflow_is_bounded_by_the_memory)
{
	static const struct {
		const char *text;
		uint64_t memory_mib, overflow_mib;
	} rows[] = {
		{"", 32768, 512},
		{"", 4096, 256},
		{"", 512, 32},
		{"", 4095, 240},
		{"", 128, 16},
		{"[Capture]\nOverflowMax=128M\n", 4096, 128},
		{"[Capture]\nOverflowMax=1G\n", 65536, 1024},
		{"[Capture]\nOverflowMax=1G\n", 8192, 512},
		{"[Capture]\nOverflowMax=0\n", 8192, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config_source source = {
			.root = root, .report = report, .memory_bytes = rows[i].memory_mib << 20};
		CLEANUP_CONFIG struct config *c = NULL;

		write_file("/etc/lineaged/lineaged.conf", rows[i].text);
		ck_assert_int_eq(config_load(&source, &c), 0);
		ck_assert_uint_eq(c->overflow_bytes, rows[i].overflow_mib << 20);
	}
}
END_TEST

START_TEST(test_unknown_is_a_warning_with_its_line)
{
	CLEANUP_CONFIG struct config *c = NULL;

	ck_assert_int_eq(load_text("[Capture]\nColour=red\nMaxUse=1G\n[Future]\nX=1\n", &c), 0);
	ck_assert_str_eq(reports,
			 "W /etc/lineaged/lineaged.conf:2: unknown key Colour= in section "
			 "[Capture], ignoring\n"
			 "W /etc/lineaged/lineaged.conf:3: MaxUse= belongs in section [Retention], "
			 "ignoring\n"
			 "W /etc/lineaged/lineaged.conf:5: unknown key X= in section [Future], "
			 "ignoring\n");
}
END_TEST

START_TEST(test_bad_values_are_all_told)
{
	static const char *const expected[] = {
		":2: RingSize=33M: must be a power of two",
		":3: RingSize=1K: must be from 64K to 1G, a power of two",
		":4: RingSize=big: a size is needed, such as 32M",
		":5: CacheKeepSec=soon: a time span is needed, such as 30s or 7day",
		":6: Where=moon: must be one of all host containers",
		":7: ExecFailures=maybe: must be one of no yes fexit tracepoint",
		":8: CacheEntries=1K: a number is needed",
		":9: ArgsMax=64K: must be from 256 to 32K",
		":11: Database=relative.db: an absolute path is needed",
		":13: MaxUse=1M: must be from 4M to 64T, or 0 for no limit",
		":14: not a section, an assignment (Key=value) or a comment",
		":15: a section needs a closing bracket",
	};
	struct config *c = NULL;
	size_t lines = 0;

	ck_assert_int_eq(load_text("[Capture]\nRingSize=33M\nRingSize=1K\nRingSize=big\n"
				   "CacheKeepSec=soon\nWhere=moon\nExecFailures=maybe\n"
				   "CacheEntries=1K\nArgsMax=64K\n"
				   "[Storage]\nDatabase=relative.db\n"
				   "[Retention]\nMaxUse=1M\nnonsense\n[Report\n",
				   &c),
			 -EINVAL);
	ck_assert_ptr_null(c);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		ck_assert_msg(strstr(reports, expected[i]), "no \"%s\" in:\n%s", expected[i],
			      reports);
	for (char *p = reports; (p = strchr(p, '\n')); p++)
		lines++;
	ck_assert_uint_eq(lines, ARRAY_SIZE(expected));
}
END_TEST

START_TEST(test_indentation_continues_nothing)
{
	CLEANUP_CONFIG struct config *c = NULL;

	ck_assert_int_eq(load_text("[Capture]\nRingSize=1M\n\tArgsMax=1K\n  Where=host\r\n", &c),
			 0);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(c->ring_bytes, 1 << 20);
	ck_assert_uint_eq(c->args_max_bytes, 1024);
	ck_assert_uint_eq(c->where, CONFIG_WHERE_HOST);
}
END_TEST

START_TEST(test_empty_value_is_the_default_again)
{
	CLEANUP_CONFIG struct config *c = NULL;

	ck_assert_int_eq(load_text("[Capture]\nRingSize=1M\nRingSize=\nIncludeCgroup=/a\n"
				   "IncludeCgroup=\nIncludeCgroup=/b\nWhere=host\nWhere=\n",
				   &c),
			 0);
	ck_assert_uint_eq(c->ring_bytes, 32 << 20);
	ck_assert_uint_eq(c->include_cgroup.count, 1);
	ck_assert_str_eq(c->include_cgroup.items[0], "/b");
	ck_assert_uint_eq(c->where, CONFIG_WHERE_ALL);
}
END_TEST

START_TEST(test_long_lines)
{
	char text[12000], path[6000];
	CLEANUP_CONFIG struct config *c = NULL;
	struct config *none = NULL;

	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[3000] = '\0';
	snprintf(text, sizeof(text), "[Capture]\nIncludeCgroup=%s\n", path);
	ck_assert_int_eq(load_text(text, &c), 0);
	ck_assert_str_eq(c->include_cgroup.items[0], path);

	path[3000] = 'x';
	path[5999] = '\0';
	snprintf(text, sizeof(text), "[Capture]\nIncludeCgroup=%s\nRingSize=x\n", path);
	ck_assert_int_eq(load_text(text, &none), -EINVAL);
	ck_assert_ptr_nonnull(strstr(reports, ":2: line too long\n"));
	ck_assert_ptr_nonnull(strstr(reports, ":3: RingSize=x"));
}
END_TEST

START_TEST(test_drop_ins)
{
	CLEANUP_CONFIG struct config *c = NULL;
	char link[256];

	write_file("/etc/lineaged/lineaged.conf", "[Capture]\nRingSize=1M\nCacheEntries=2000\n");
	/* masked by the same name in /etc, which is read in the order of names: last */
	write_file("/usr/lib/lineaged/lineaged.conf.d/90-x.conf", "[Capture]\nArgsMax=1K\n");
	write_file("/run/lineaged/lineaged.conf.d/90-x.conf", "[Capture]\nArgsMax=2K\n");
	write_file("/etc/lineaged/lineaged.conf.d/90-x.conf", "[Capture]\nRingSize=4M\n");
	/* /run masks /usr/lib */
	write_file("/usr/lib/lineaged/lineaged.conf.d/50-y.conf", "[Capture]\nRingSize=8M\n");
	write_file("/run/lineaged/lineaged.conf.d/50-y.conf",
		   "[Capture]\nRingSize=2M\nIncludeCgroup=/y\n");
	/* a link to /dev/null masks */
	write_file("/usr/lib/lineaged/lineaged.conf.d/95-z.conf", "[Capture]\nRingSize=16M\n");
	snprintf(link, sizeof(link), "%s/etc/lineaged/lineaged.conf.d/95-z.conf", root);
	ck_assert_int_eq(symlink("/dev/null", link), 0);
	write_file("/usr/lib/lineaged/lineaged.conf.d/10-a.conf",
		   "[Capture]\nIncludeCgroup=/a\nCacheEntries=3000\n");
	write_file("/usr/lib/lineaged/lineaged.conf.d/99-n.txt", "[Capture]\nRingSize=32M\n");

	ck_assert_int_eq(load(&c, NULL, 0), 0);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(c->ring_bytes, 4 << 20);
	ck_assert_uint_eq(c->args_max_bytes, 32768);
	ck_assert_uint_eq(c->cache_entries, 3000);
	ck_assert_uint_eq(c->include_cgroup.count, 2);
	ck_assert_str_eq(c->include_cgroup.items[0], "/a");
	ck_assert_str_eq(c->include_cgroup.items[1], "/y");
}
END_TEST

START_TEST(test_drop_in_problem_names_its_file)
{
	struct config *c = NULL;

	write_file("/run/lineaged/lineaged.conf.d/7.conf", "[Storage]\n\nBatchMax=0\n");
	ck_assert_int_eq(load(&c, NULL, 0), -EINVAL);
	ck_assert_str_eq(reports, "E /run/lineaged/lineaged.conf.d/7.conf:3: BatchMax=0: must be "
				  "from 1 to 1000000\n");
}
END_TEST

START_TEST(test_one_file_only)
{
	char path[128];
	struct config_source source = {.root = root, .file = path, .report = report};
	CLEANUP_CONFIG struct config *c = NULL;
	struct config *none = NULL;

	write_file("/etc/lineaged/lineaged.conf", "[Capture]\nRingSize=1M\n");
	write_file("/run/lineaged/lineaged.conf.d/7.conf", "[Capture]\nRingSize=2M\n");
	write_file("/my.conf", "[Capture]\nArgsMax=1K\n");
	snprintf(path, sizeof(path), "%s/my.conf", root);
	ck_assert_int_eq(config_load(&source, &c), 0);
	ck_assert_uint_eq(c->ring_bytes, 32 << 20);
	ck_assert_uint_eq(c->args_max_bytes, 1024);

	snprintf(path, sizeof(path), "%s/absent.conf", root);
	ck_assert_int_eq(config_load(&source, &none), -EINVAL);
	ck_assert_ptr_nonnull(strstr(reports, "/absent.conf: No such file or directory\n"));
	snprintf(path, sizeof(path), "%s/etc", root);
	ck_assert_int_eq(config_load(&source, &none), -EINVAL);
	ck_assert_ptr_nonnull(strstr(reports, "/etc: Is a directory\n"));
}
END_TEST

START_TEST(test_overrides)
{
	static const struct config_override good[] = {
		{"--db", "Storage", "Database", "/o.db"},
		{"--include-cgroup", "Capture", "IncludeCgroup", "/one"},
		{"--include-cgroup", "Capture", "IncludeCgroup", "/two"},
	};
	static const struct config_override bad[] = {
		{"--include-cgroup", "Capture", "IncludeCgroup", "/one\n[Storage]"}};
	CLEANUP_CONFIG struct config *c = NULL;
	struct config *none = NULL;

	write_file("/etc/lineaged/lineaged.conf",
		   "[Capture]\nIncludeCgroup=/file\nExcludeCgroup=/kept\n");
	ck_assert_int_eq(load(&c, good, ARRAY_SIZE(good)), 0);
	ck_assert_str_eq(c->database, "/o.db");
	ck_assert_str_eq(c->status_file, "/o.db-status.json");
	ck_assert_uint_eq(c->include_cgroup.count, 2);
	ck_assert_str_eq(c->include_cgroup.items[0], "/one");
	ck_assert_str_eq(c->include_cgroup.items[1], "/two");
	ck_assert_str_eq(c->exclude_cgroup.items[0], "/kept");

	ck_assert_int_eq(load(&none, bad, 1), -EINVAL);
	ck_assert_ptr_nonnull(strstr(reports, "E --include-cgroup: IncludeCgroup="));
}
END_TEST

START_TEST(test_list_is_bounded)
{
	char text[16384] = "[Capture]\n";
	struct config *c = NULL;
	size_t n = strlen(text);

	for (int i = 0; i < 257; i++)
		n += sprintf(text + n, "ExcludeCgroup=/%d\n", i);
	ck_assert_int_eq(load_text(text, &c), -EINVAL);
	ck_assert_ptr_nonnull(strstr(reports, ":258: ExcludeCgroup=/256: at most 256"));
}
END_TEST

START_TEST(test_derived)
{
	CLEANUP_CONFIG struct config *c = NULL, *explicit = NULL;

	ck_assert_int_eq(load_text("[Retention]\nMaxUse=16M\n", &c), 0);
	ck_assert_uint_eq(c->wal_max_bytes, 4 << 20);
	ck_assert_uint_eq(config_keep_free(c, UINT64_C(100) << 30), UINT64_C(1) << 30);
	ck_assert_uint_eq(config_keep_free(c, 20 << 20), 2 << 20);
	ck_assert_int_eq(load_text("[Storage]\nDatabase=/x.db\n[Report]\nStatusFile=/run/s\n",
				   &explicit),
			 0);
	ck_assert_str_eq(explicit->status_file, "/run/s");
}
END_TEST

START_TEST(test_hash)
{
	CLEANUP_CONFIG struct config *a = NULL, *b = NULL, *other = NULL;
	char ha[CONFIG_HASH_SIZE], hb[CONFIG_HASH_SIZE], ho[CONFIG_HASH_SIZE];

	ck_assert_int_eq(load(&a, NULL, 0), 0);
	/* the same values in other words */
	ck_assert_int_eq(load_text("[Capture]\nRingSize=32768K\nCacheKeepSec=10000ms\n", &b), 0);
	ck_assert_int_eq(load_text("[Capture]\nRingSize=16M\n", &other), 0);
	ck_assert_int_eq(config_hash(a, ha), 0);
	ck_assert_int_eq(config_hash(b, hb), 0);
	ck_assert_int_eq(config_hash(other, ho), 0);
	ck_assert_uint_eq(strlen(ha), 32);
	ck_assert_uint_eq(strspn(ha, "0123456789abcdef"), 32);
	ck_assert_str_eq(ha, hb);
	ck_assert_str_ne(ha, ho);
}
END_TEST

static char *printed(const struct config *config, void (*print)(FILE *))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (config)
		config_print(out, config);
	else
		print(out);
	fclose(out);
	return text;
}

START_TEST(test_printed_file_reads_back)
{
	CLEANUP_CONFIG struct config *a = NULL, *b = NULL, *d = NULL;
	CLEANUP_FREE char *text = NULL, *again = NULL, *defaults = NULL, *manual = NULL;
	char *p;

	ck_assert_int_eq(load_text("[Capture]\nIncludeCgroup=/a\nIncludeCgroup=/b\nRingSize=128K\n"
				   "CacheKeepSec=1500ms\n[Report]\nKeepAttached=yes\n",
				   &a),
			 0);
	text = printed(a, NULL);
	ck_assert_int_eq(load_text(text, &b), 0);
	again = printed(b, NULL);
	ck_assert_str_eq(text, again);
	ck_assert_ptr_nonnull(strstr(text, "RingSize=128K\n"));
	ck_assert_ptr_nonnull(strstr(text, "CacheKeepSec=1500ms\n"));

	/* The default file changes nothing, also with its assignments made active. */
	defaults = printed(NULL, config_print_defaults);
	ck_assert_int_eq(load_text(defaults, &d), 0);
	ck_assert_str_eq(reports, "");
	for (p = defaults; (p = strstr(p, "\n#")); p++) {
		if (p[2] != ' ')
			p[1] = ' ';
	}
	config_free(d);
	d = NULL;
	ck_assert_int_eq(load_text(defaults, &d), 0);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(d->ring_bytes, 32 << 20);
	ck_assert_str_eq(d->database, "/var/lib/lineaged/lineage.db");

	manual = printed(NULL, config_print_manual);
	ck_assert_ptr_nonnull(strstr(manual, "\n*MaxRetentionSec=*\n\t"));
	ck_assert_ptr_nonnull(strstr(manual, "*Where=*_all_|_host_|_containers_\n"));
	ck_assert_ptr_nonnull(strstr(manual, "\tFrom 64K to 1G, a power of two.\n"));
}
END_TEST

static void add_file_tests(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, test_defaults);
	tcase_add_test(tcase, test_every_key);
	tcase_add_test(tcase, test_overflow_is_bounded_by_the_memory);
	tcase_add_test(tcase, test_unknown_is_a_warning_with_its_line);
	tcase_add_test(tcase, test_bad_values_are_all_told);
	tcase_add_test(tcase, test_indentation_continues_nothing);
	tcase_add_test(tcase, test_empty_value_is_the_default_again);
	tcase_add_test(tcase, test_long_lines);
	tcase_add_test(tcase, test_drop_ins);
	tcase_add_test(tcase, test_drop_in_problem_names_its_file);
	tcase_add_test(tcase, test_one_file_only);
	tcase_add_test(tcase, test_overrides);
	tcase_add_test(tcase, test_list_is_bounded);
	tcase_add_test(tcase, test_derived);
	tcase_add_test(tcase, test_hash);
	tcase_add_test(tcase, test_printed_file_reads_back);
}

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *files = tcase_create("files");
	SRunner *runner = srunner_create(suite);
	int failed;

	add_file_tests(files);
	suite_add_tcase(suite, files);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
