/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what reads the ring: decode, paths, arguments, and the recorder down to committed rows.
 *
 * An input is a list of records, each after its length as 15 bits; the 16th says that its header is
 * to be taken as it is. Every record that is accepted
 * must be applied without an error: one that fails would be read again and again, for ever.
 *
 * clang links libFuzzer; every other compiler replay.c, which runs files and makes simple mutants.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/jsonargs.h"
#include "fuzz.h"
#include "tests/unit/synthetic.h"

/* Longer inputs are cut by libFuzzer; with 16 bytes more for each record they fit the ring. */
#define INPUT_MOST 8192
#define RING	   (1u << 20)
/* A new database after so many inputs: the size of one must not decide the speed. */
#define INPUTS 2000

static struct synthetic s;
static int inputs;

static void demand(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "not so: %s\n", what);
	abort();
}

static void stop(void)
{
	printf("%d inputs; of the last database: %" PRIu64 " records, %" PRIu64 " refused\n",
	       inputs, s.recorder.counters.committed, s.recorder.counters.malformed);
	synthetic_deinit(&s);
}

static void begin(void)
{
	if (s.ring) {
		synthetic_deinit(&s);
	} else {
		if (!synthetic_possible())
			exit(77);
		atexit(stop);
	}
	demand(synthetic_init(&s, RING) == 0, "a ring can be made");
	synthetic_start(&s);
}

static void look_at_path(struct decode_string components, int truncated)
{
	char *path = malloc(DECODE_PATH_SIZE);
	size_t n = decode_path(components, truncated, path);

	demand(n < DECODE_PATH_SIZE && path[n] == 0, "a path ends in its buffer");
	demand(path[0] == '/' || strncmp(path, "...", 3) == 0, "a path begins as one");
	free(path);
}

/* In a block of exactly its size, so that the sanitizers see one byte too many. */
static void look_at(const uint8_t *bytes, size_t length)
{
	void *exact = malloc(length ? length : 1);
	struct decode_exec d;
	int kind;

	memcpy(exact, bytes, length);
	kind = decode_record(exact, length);
	if (kind == LINEAGE_EXEC) {
		char *json;

		decode_exec(exact, &d);
		look_at_path(d.exe, d.exec->flags & LINEAGE_EXE_TRUNCATED);
		look_at_path(d.cwd, d.exec->flags & LINEAGE_CWD_TRUNCATED);
		json = malloc(JSONARGS_SIZE(d.args.length));
		demand(jsonargs_from_argv(json, d.args.bytes, d.args.length).length <
			       JSONARGS_SIZE(d.args.length),
		       "JSON fits its buffer");
		free(json);
	} else if (kind == LINEAGE_EXEC_FAILURE) {
		struct decode_failure f;
		char *name = malloc(DECODE_FILENAME_SIZE);

		decode_failure(exact, &f);
		demand(decode_failure_filename(&f, name) < DECODE_FILENAME_SIZE,
		       "a filename fits its buffer");
		free(name);
	} else if (kind == LINEAGE_CGROUP) {
		const struct lineage_cgroup *g = exact;

		look_at_path((struct decode_string){g->data, g->path_length}, g->flags & 1);
	}
	free(exact);
}

/*
 * Makes a header plausible, or else hardly a mutant would come as far as the database. The number
 * is mostly the next one; sometimes one is lost, or came before.
 */
static void repair(uint8_t *bytes, size_t length)
{
	struct lineage_header *h = (struct lineage_header *)bytes;
	uint64_t *next;

	if (length < sizeof(*h))
		return;
	h->length = (uint32_t)length;
	h->kind = 1 + h->kind % 5;
	h->cpu %= SYNTHETIC_CPUS;
	next = &s.next_seq[h->cpu];
	if (h->kind == LINEAGE_CGROUP)
		return;
	if (h->seq % 8 == 7)
		h->seq = *next - h->seq % 5;
	else
		h->seq = *next += 1 + (h->seq % 8 == 6);
}

static void say(void *unused, int code, const char *message)
{
	fprintf(stderr, "sqlite: %d %s\n", code, message);
}

/* What failed is lost with the rollback otherwise. */
__attribute__((constructor)) static void listen_to_sqlite(void)
{
	sqlite3_config(SQLITE_CONFIG_LOG, say, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size;
	static _Alignas(8) uint8_t record[INPUT_MOST];
	int r;

	if (inputs++ % INPUTS == 0)
		begin();
	while (end - data > 2) {
		bool raw = data[1] & 0x80;
		size_t length = data[0] | (size_t)(data[1] & 0x7f) << 8;

		data += 2;
		if (length > (size_t)(end - data))
			length = (size_t)(end - data);
		if (length > sizeof(record))
			break;
		memcpy(record, data, length);
		data += length;
		if (!raw)
			repair(record, length);
		look_at(record, length);
		synthetic_put(&s, record, length);
	}
	while ((r = recorder_batch(&s.recorder)) > 0)
		;
	if (r < 0)
		fprintf(stderr, "recorder_batch: %d (%s)\n", r, store_error(&s.recorder.store));
	demand(r == 0, "a batch of accepted records is written");
	demand(ring_consumed(&s.recorder.ring) == ring_produced(&s.recorder.ring),
	       "the ring has been read");
	return 0;
}
