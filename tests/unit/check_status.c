/* SPDX-License-Identifier: Apache-2.0 */
/* The files as their readers see them: JSON through json-c, metrics by the rules of the collector.
 */
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/clock.h"
#include "daemon/status_file.h"
#include "suite.h"

#define SECOND 1000000000ULL

static char directory[64], json_path[96], metrics_path[96], database[96];
static struct config config;
static struct recorder recorder;
static struct status_reporter reporter;
static struct status_sources sources;

static void setup(void)
{
	snprintf(directory, sizeof(directory), "/tmp/lineage-status.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(json_path, sizeof(json_path), "%s/status.json", directory);
	snprintf(metrics_path, sizeof(metrics_path), "%s/lineaged.prom", directory);
	snprintf(database, sizeof(database), "%s/lineage.db", directory);
	config = (struct config){
		.database = database,
		.status_file = json_path,
		.metrics_file = metrics_path,
		.max_use_bytes = 2048,
		.ring_bytes = 65536,
	};
	recorder = (struct recorder){0};
	sources = (struct status_sources){.recorder = &recorder};
	ck_assert_int_eq(status_init(&reporter, &config, 1000 * SECOND), 0);
}

static void teardown(void)
{
	unlink(json_path);
	unlink(metrics_path);
	unlink(database);
	rmdir(directory);
}

static const char *read_all(const char *path)
{
	static char text[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

/* "object/name" as text; "none" if it is not there. Static storage. */
static const char *figure(const char *path)
{
	static char text[200];
	json_object *root = json_object_from_file(json_path), *value = NULL;
	char pointer[100];

	ck_assert_ptr_nonnull(root);
	snprintf(pointer, sizeof(pointer), "/%s", path);
	if (json_pointer_get(root, pointer, &value) < 0)
		snprintf(text, sizeof(text), "none");
	else
		snprintf(text, sizeof(text), "%s", json_object_get_string(value));
	json_object_put(root);
	return text;
}

static int write_now(uint64_t now)
{
	struct status status;

	status_gather(&reporter, &sources, now, &status);
	return status_file_replace(&config, &status);
}

START_TEST(says_what_it_is)
{
	char boot_id[64];
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");

	ck_assert_ptr_nonnull(fgets(boot_id, sizeof(boot_id), f));
	fclose(f);
	boot_id[strcspn(boot_id, "\n")] = '\0';
	ck_assert_int_eq(write_now(1090 * SECOND), 0);
	ck_assert_str_eq(figure("version"), LINEAGED_VERSION);
	ck_assert_int_eq(atoi(figure("pid")), getpid());
	ck_assert_str_eq(figure("boot_id"), boot_id);
	ck_assert_str_eq(figure("database"), database);
	ck_assert_str_eq(figure("uptime_seconds"), "90.000");
	ck_assert_str_eq(figure("state"), "recording");
	ck_assert_str_eq(figure("retention"), "none");
	ck_assert_str_eq(figure("limits/max_use_bytes"), "2048");
	/* There is no such limit. */
	ck_assert_str_eq(figure("limits/max_retention_seconds"), "none");
	ck_assert_int_gt(atoi(figure("memory/resident_bytes")), 100000);
	ck_assert_int_eq((int)strlen(figure("started")), 20);
	sources.refused = "no space left on device";
	sources.refused_boot_ns = 1085 * SECOND;
	ck_assert_int_eq(write_now(1091 * SECOND), 0);
	ck_assert_str_eq(figure("state"), "writing is refused: no space left on device");
	ck_assert_str_eq(figure("refused_seconds"), "6.000");
}
END_TEST

/* Writes when something changes, but not more often than it should; and now and then anyway. */
START_TEST(writes_when_it_is_time)
{
	uint64_t now = 2000 * SECOND;
	struct status status;
	int written[3] = {0};

	for (int part = 0; part < 2; part++) {
		for (int i = 0; i < 60; i++) {
			now += SECOND;
			recorder.counters.forks += part;
			written[part] += status_tick(&reporter, &sources, now, &status);
		}
	}
	ck_assert_int_ge(written[0], 6);
	ck_assert_int_le(written[0], 7);
	ck_assert_int_ge(written[1], 29);
	ck_assert_int_le(written[1], 31);
}
END_TEST

START_TEST(rates_of_a_minute)
{
	struct status status;
	uint64_t now = 2000 * SECOND;

	for (int i = 0; i < 200; i++) {
		now += SECOND;
		recorder.counters.forks += i < 100 ? 10 : 2;
		recorder.counters.exits += i < 100 ? 10 : 1;
		status_tick(&reporter, &sources, now, &status);
	}
	ck_assert_int_eq(write_now(now), 0);
	ck_assert_str_eq(figure("rates/processes_per_second"), "2.000");
	ck_assert_str_eq(figure("rates/events_per_second"), "3.000");
	ck_assert_str_eq(figure("events/fork"), "1200");
	ck_assert_str_eq(figure("events/exit"), "1100");
}
END_TEST

/* The ring's pages as the kernel would have them. */
START_TEST(lag_of_what_waits)
{
	struct status status;
	unsigned long consumer = 0, producer = 0;
	uint64_t now = 2000 * SECOND;

	recorder.ring = (struct ring){.consumer = &consumer, .producer = &producer};
	for (int i = 0; i < 10; i++) {
		now += SECOND;
		producer += 1000;
		/* Committed as it comes, then not any more. */
		if (i < 6)
			recorder.committed_position = producer;
		status_tick(&reporter, &sources, now, &status);
	}
	ck_assert_int_eq(write_now(now), 0);
	ck_assert_str_eq(figure("sizes/ring_pending_bytes"), "4000");
	ck_assert_str_eq(figure("delays/lag_seconds"), "4.000");
	recorder.committed_position = producer;
	ck_assert_int_eq(write_now(now), 0);
	ck_assert_str_eq(figure("delays/lag_seconds"), "0.000");
}
END_TEST

/* Each line is HELP, TYPE of a metric not seen before, or a sample of the one just described. */
START_TEST(metrics_are_well_formed)
{
	char name[100] = "", *text, *line, *rest;
	int samples = 0;

	recorder.counters = (struct recorder_counters){.forks = 7, .execs = 8};
	ck_assert_int_eq(write_now(1090 * SECOND), 0);
	text = strdup(read_all(metrics_path));
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char described[100], type[20];
		size_t length;

		if (sscanf(line, "# HELP %99s", described) == 1) {
			ck_assert_str_ne(described, name);
			snprintf(name, sizeof(name), "%s", described);
			continue;
		}
		if (sscanf(line, "# TYPE %99s %19s", described, type) == 2) {
			bool counter = strcmp(type, "counter") == 0;

			ck_assert_str_eq(described, name);
			ck_assert(counter || strcmp(type, "gauge") == 0);
			ck_assert(counter == (strlen(name) > 6 &&
					      strcmp(name + strlen(name) - 6, "_total") == 0));
			continue;
		}
		length = strcspn(line, " {");
		ck_assert_msg(strncmp(line, name, length) == 0 && name[length] == '\0', "%s", line);
		ck_assert_ptr_nonnull(strchr(line, ' '));
		ck_assert_int_eq(strncmp(line, "lineaged_", 9), 0);
		samples++;
	}
	ck_assert_int_gt(samples, 50);
	free(text);
	ck_assert_ptr_nonnull(
		strstr(read_all(metrics_path), "\nlineaged_events_total{kind=\"exec\"} 8\n"));
	ck_assert_ptr_nonnull(strstr(read_all(metrics_path), "\nlineaged_refused 0\n"));
}
END_TEST

/* A file that cannot be written is told, and leaves nothing half done; the other one is written. */
/* By the thread: what is put last stands there in the end, whatever was skipped. */
START_TEST(by_the_thread)
{
	struct status_writer writer = {.running = false};
	struct status status;

	status_writer_stop(&writer);
	ck_assert_int_eq(status_writer_start(&writer, &config), 0);
	for (int i = 1; i <= 100; i++) {
		recorder.counters.forks = (uint64_t)i;
		status_gather(&reporter, &sources, 2000 * SECOND, &status);
		status.refused = i % 2 ? "disk full" : NULL;
		ck_assert_int_eq(status_writer_put(&writer, &status), 0);
	}
	for (int i = 0; i < 200 && access(json_path, R_OK) != 0; i++)
		usleep(10000);
	for (int i = 0; i < 200 && strcmp(figure("events/fork"), "100") != 0; i++)
		usleep(10000);
	ck_assert_str_eq(figure("events/fork"), "100");
	config.status_file = "/nowhere/status.json";
	for (int i = 0; i < 200 && status_writer_put(&writer, &status) != -ENOENT; i++)
		usleep(10000);
	ck_assert_int_eq(status_writer_put(&writer, &status), -ENOENT);
	status_writer_stop(&writer);
}
END_TEST

START_TEST(one_file_fails)
{
	char missing[] = "/nonexistent/status.json";
	struct dirent *entry;
	char beside[sizeof(json_path) + 4];
	DIR *d;

	snprintf(beside, sizeof(beside), "%s.new", json_path);
	config.status_file = missing;
	ck_assert_int_eq(write_now(1090 * SECOND), -ENOENT);
	ck_assert_ptr_nonnull(strstr(read_all(metrics_path), "lineaged_info"));
	config.status_file = json_path;
	ck_assert_int_eq(mkdir(json_path, 0755), 0);
	ck_assert_int_eq(write_now(1090 * SECOND), -EISDIR);
	ck_assert_int_eq(rmdir(json_path), 0);
	ck_assert_int_lt(access(beside, F_OK), 0);
	ck_assert_int_eq(write_now(1090 * SECOND), 0);
	ck_assert_int_eq(write_now(1090 * SECOND), 0);
	ck_assert_int_eq(access(beside, F_OK), 0);
	status_file_remove(&config);
	d = opendir(directory);
	while ((entry = readdir(d)))
		ck_assert_ptr_null(strstr(entry->d_name, ".new"));
	closedir(d);
	ck_assert_int_lt(access(json_path, F_OK), 0);
	ck_assert_int_lt(access(metrics_path, F_OK), 0);
}
END_TEST

static ino_t inode_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_ino;
}

/* Two files take turns, so that no blocks are freed; of others' nothing is written over. */
START_TEST(two_files_take_turns)
{
	char beside[sizeof(json_path) + 4], other[sizeof(json_path)];
	ino_t first, second;
	FILE *f;

	snprintf(beside, sizeof(beside), "%s.new", json_path);
	snprintf(other, sizeof(other), "%s/other", directory);
	ck_assert_int_eq(write_now(1090 * SECOND), 0);
	first = inode_of(json_path);
	ck_assert_int_eq(write_now(1090 * SECOND), 0);
	second = inode_of(json_path);
	ck_assert_uint_ne(first, second);
	/* As one that was longer. */
	ck_assert_int_eq(truncate(beside, 1 << 20), 0);
	ck_assert_int_eq(write_now(1090 * SECOND), 0);
	ck_assert_uint_eq(inode_of(json_path), first);
	ck_assert_uint_eq(inode_of(beside), second);
	ck_assert_str_ne(figure("uptime_seconds"), "");
	ck_assert_uint_lt(strlen(read_all(json_path)), 8192);
	f = fopen(other, "w");
	ck_assert_ptr_nonnull(f);
	fputs("kept", f);
	fclose(f);
	for (int i = 0; i < 3; i++) {
		unlink(beside);
		if (i == 0)
			ck_assert_int_eq(symlink(other, beside), 0);
		else if (i == 1)
			ck_assert_int_eq(link(other, beside), 0);
		else
			ck_assert_int_eq(mkfifo(beside, 0600), 0);
		ck_assert_int_eq(write_now(1090 * SECOND), 0);
		ck_assert_str_eq(read_all(other), "kept");
		ck_assert_str_ne(figure("uptime_seconds"), "");
	}
	unlink(other);
	status_file_remove(&config);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		says_what_it_is, writes_when_it_is_time,  rates_of_a_minute, lag_of_what_waits,
		by_the_thread,	 metrics_are_well_formed, one_file_fails,    two_files_take_turns,
	};
	Suite *suite = suite_create("status");
	TCase *tcase = tcase_create("status");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
