/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeds the records of a synthetic node into the daemon's own recorder, as fast as it takes them,
 * and says what that cost: events per second, statements, bytes in the database.
 *
 *   replay --db FILE [--events N] [--storm] [--paced] [--batch N] [--no-checkpoints] [--dry]
 *
 * All records are in the ring already, so that batches are full ones, as after a stall; --paced
 * commits every 200 ms of the node's time instead, as on an ordinary node, so that lives are spread
 * over several commits. --storm: two processes whose children end at once, 150 000 events per
 * second. --dry makes the records and records nothing. One line of JSON.
 *
 * Times of making the records count unless subtracted: measure them with --dry.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/checkpoint.h"
#include "daemon/recorder.h"
#include "kernel.h"

#define NS 1000000000ull
/* Ten days after boot: nanoseconds that need all their bytes. */
#define BEGIN_NS (10 * 86400 * NS)
#define PACE_NS	 (NS / 5)

static struct {
	const char *db;
	uint64_t events, batch;
	int storm, paced, no_checkpoints, dry;
} opt = {.events = 1000000, .batch = 10000};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static uint64_t cpu_ns(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * NS +
	       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1000;
}

static int parse(int argc, char **argv)
{
	static const struct option table[] = {
		{"db", 1, NULL, 'd'},
		{"events", 1, NULL, 'e'},
		{"batch", 1, NULL, 'b'},
		{"paced", 0, &opt.paced, 1},
		{"no-checkpoints", 0, &opt.no_checkpoints, 1},
		{"dry", 0, &opt.dry, 1},
		{"storm", 0, &opt.storm, 1},
		{0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
		if (c == 'd')
			opt.db = optarg;
		else if (c == 'e')
			opt.events = strtoull(optarg, NULL, 0);
		else if (c == 'b')
			opt.batch = strtoull(optarg, NULL, 0);
		else if (c)
			return -EINVAL;
	}
	return optind < argc || !opt.events || (!opt.db && !opt.dry) ? -EINVAL : 0;
}

static int feed(struct recorder *r, struct checkpoint *checkpoint, struct shape *shape)
{
	uint64_t until = BEGIN_NS;
	int result = 0;

	while (result >= 0 && shape_ahead_ns(shape)) {
		if (opt.paced) {
			while (until <= shape_ahead_ns(shape))
				until += PACE_NS;
			kernel_happened(until);
		}
		do {
			result = recorder_batch(r);
			recorder_free_cache(r);
			checkpoint_turn(checkpoint, r->store.log_pages);
		} while (result > 0);
	}
	return result;
}

static void print_key(const char *name, struct lineage_key key)
{
	printf(",\"%s\":{\"pid\":%u,\"start_boot_ns\":%llu}", name, key.pid,
	       (unsigned long long)key.start_boot_ns);
}

static void print(const char *name, double value)
{
	printf(",\"%s\":%.9g", name, value);
}

struct cost {
	double wall_s, cpu_s;
};

static void report(struct shape *shape, struct recorder *r, struct cost cost)
{
	double events = (double)shape_events(shape);
	uint64_t from, to;
	struct stat st = {0};

	shape_window(shape, &from, &to);
	printf("{\"events\":%llu", (unsigned long long)shape_events(shape));
	print("seconds", cost.wall_s);
	print("cpu_seconds", cost.cpu_s);
	if (!opt.dry) {
		print("longest_hold_ms", (double)kernel_longest_hold_ns() / 1e6);
		print("batches", (double)r->counters.batches);
		print("statements_per_event", (double)r->store.statements / events);
		recorder_deinit(r);
		stat(opt.db, &st);
		print("bytes", (double)st.st_size);
		print("bytes_per_event", (double)st.st_size / events);
		print_key("tree_small", shape_planted(shape, 0));
		print_key("tree_large", shape_planted(shape, 1));
		printf(",\"window_from_boot_ns\":%llu,\"window_to_boot_ns\":%llu",
		       (unsigned long long)from, (unsigned long long)to);
	}
	puts("}");
}

static int record(struct shape *shape)
{
	struct lineage_control control = {.ring_id = "bench"};
	struct probe probe = {.cpus = 2, .control = &control, .ring_bytes = 32 << 20};
	struct recorder_options options = {
		.database = opt.db,
		.root = "/nonexistent",
		.batch_max = opt.batch,
		.cache_keep_ns = 10 * NS,
		.cache_entries = 65536,
		.run = {.version = "bench",
			.config_hash = "0",
			.kernel = "none",
			.started_boot_ns = BEGIN_NS},
	};
	struct checkpoint_options checkpoint_options = {
		.database = opt.db,
		.sync_interval_ns = 5 * NS,
		.wal_max_bytes = 64 << 20,
	};
	struct checkpoint checkpoint = {0};
	struct recorder recorder;
	struct cost cost;
	int result;

	kernel_begin(shape);
	kernel_happened(BEGIN_NS);
	result = recorder_init(&recorder, &options, &probe);
	if (result == 0)
		result = recorder_open(&recorder);
	if (result == 0 && !opt.no_checkpoints)
		result = checkpoint_start(&checkpoint, &checkpoint_options);
	if (result < 0)
		return result;
	kernel_begin(shape);
	cost = (struct cost){-(double)now_ns() / 1e9, -(double)cpu_ns() / 1e9};
	result = feed(&recorder, &checkpoint, shape);
	if (result == 0)
		result = recorder_finish(&recorder, "stopped");
	cost.wall_s += (double)now_ns() / 1e9;
	checkpoint_stop(&checkpoint);
	cost.cpu_s += (double)cpu_ns() / 1e9;
	if (result == 0)
		report(shape, &recorder, cost);
	return result;
}

static int dry(struct shape *shape)
{
	struct cost cost = {-(double)now_ns() / 1e9, -(double)cpu_ns() / 1e9};
	size_t length;

	while (shape_next(shape, &length))
		;
	cost.wall_s += (double)now_ns() / 1e9;
	cost.cpu_s += (double)cpu_ns() / 1e9;
	report(shape, NULL, cost);
	return 0;
}

int main(int argc, char **argv)
{
	struct shape_options options = {.rate = 1000,
					.begin_ns = BEGIN_NS,
					.unique_args = 0.4,
					.args_bytes = 90,
					.plant = {100, 10000},
					.window_ends = 10000};
	struct shape *shape;
	int result;

	if (parse(argc, argv) < 0) {
		fprintf(stderr, "replay: see the head of its source for options\n");
		return 2;
	}
	options.events = opt.events;
	if (opt.storm) {
		options.storm = 1;
		options.rate = 225000;
		options.plant[0] = options.plant[1] = 0;
	}
	shape = shape_new(&options);
	result = opt.dry ? dry(shape) : record(shape);
	shape_free(shape);
	if (result < 0)
		fprintf(stderr, "replay: %s\n", schema_strerror(result));
	return result < 0;
}
