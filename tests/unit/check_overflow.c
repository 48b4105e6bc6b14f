/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of daemon/overflow.c: records that were moved out of the ring are read, released and, after
 * a death at any moment, found again as if they had stayed in it.
 */
#include "suite.h"
#include "synthetic.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING   (1u << 20)
#define RECORD 4000u
#define MOST   (48ULL << 20)

static const uint8_t ring_id[16] = "a ring of a test";
static const uint8_t another_id[16] = "some other ring.";

static struct synthetic s;
static struct ring ring;
static struct overflow overflow;
static char pins[32];
static bool has_pins;
static uint32_t put_next, read_next;

static void open_it(const uint8_t *id, uint64_t most)
{
	struct overflow_options options = {
		.directory = has_pins ? pins : NULL, .ring_id = id, .most_bytes = most};

	ck_assert_int_eq(ring_open(&ring, s.ring_fd, RING), 0);
	ck_assert_int_eq(overflow_open(&overflow, &ring, &options), 0);
}

static void close_it(void)
{
	overflow_close(&overflow);
	ring_close(&ring);
}

static void begin(void)
{
	ck_assert_int_eq(synthetic_init(&s, RING), 0);
	put_next = read_next = 0;
	open_it(ring_id, MOST);
}

static void end(void)
{
	/* What waits stays pinned. */
	ring_release(&ring, ring_produced(&ring));
	close_it();
	synthetic_deinit(&s);
}

/* Numbered records of two lengths, so that they end anywhere in a segment. */
static void put(unsigned int count)
{
	uint32_t words[RECORD / 4];

	while (count--) {
		for (size_t i = 0; i < RECORD / 4; i++)
			words[i] = put_next;
		synthetic_put(&s, words, put_next % 3 ? RECORD : 36);
		put_next++;
	}
}

static bool fits(void)
{
	return ring_produced(&ring) - ring_consumed(&ring) + 2 * RECORD < RING;
}

/* Fills and moves until so many bytes have been moved. */
static void flood(uint64_t bytes)
{
	uint64_t until = ring_consumed(&ring) + bytes;

	while (ring_consumed(&ring) < until) {
		while (fits())
			put(1);
		overflow_move(&overflow);
	}
	ck_assert_uint_eq(ring_consumed(&ring), ring_produced(&ring));
}

static void expect_next(void)
{
	const void *bytes;
	size_t length, same = 0;
	bool right = ring_next(&ring, &bytes, &length) == 1 &&
		     length == (read_next % 3 ? RECORD : 36);

	while (right && same < length / 4 && ((const uint32_t *)bytes)[same] == read_next)
		same++;
	/* Once, as check tells its parent of each. */
	ck_assert_msg(right && same == length / 4, "record %u is not what was put", read_next);
	read_next++;
}

static void expect_all(void)
{
	const void *bytes;
	size_t length;

	while (read_next < put_next)
		expect_next();
	ck_assert_int_eq(ring_next(&ring, &bytes, &length), 0);
}

START_TEST(test_moved_and_read)
{
	begin();
	put(20);
	expect_next();
	overflow_move(&overflow);
	ck_assert_uint_eq(ring_consumed(&ring), ring_produced(&ring));
	ck_assert_uint_eq(ring_oldest(&ring), 0);
	/* More than the ring holds, over the border of two segments. */
	flood(40u << 20);
	put(5);
	expect_all();
	/* And again, as after a transaction that failed. */
	ring_seek(&ring, 0);
	read_next = 0;
	expect_all();
	ring_release(&ring, ring.cursor);
	ck_assert_uint_eq(ring_oldest(&ring), ring_produced(&ring));
	ck_assert_uint_eq(ring_consumed(&ring), ring_produced(&ring));
	end();
}
END_TEST

/* A reader that loses its processor while it reads would keep waiting whoever moves. */
START_TEST(test_reading_needs_no_lock)
{
	begin();
	flood(20u << 20);
	pthread_mutex_lock(&overflow.lock);
	expect_all();
	pthread_mutex_unlock(&overflow.lock);
	end();
}
END_TEST

/* Some are released while others wait: segments are used again, for as long as one likes. */
START_TEST(test_segments_go_round)
{
	begin();
	for (int i = 0; i < 30; i++) {
		flood(7u << 20);
		while (put_next - read_next > 4000)
			expect_next();
		ring_release(&ring, ring.cursor);
	}
	expect_all();
	ck_assert_uint_eq(atomic_load(&overflow.full), 0);
	overflow_trim(&overflow);
	ck_assert_uint_le(atomic_load(&overflow.bytes), MOST);
	end();
}
END_TEST

/* Full: the rest stays in the ring, and nothing of what waits is touched. */
START_TEST(test_full)
{
	uint64_t consumed;

	begin();
	do {
		consumed = ring_consumed(&ring);
		while (fits())
			put(1);
		overflow_move(&overflow);
	} while (ring_consumed(&ring) > consumed);
	ck_assert_uint_gt(consumed, MOST - (2u << 20));
	ck_assert_uint_le(consumed, MOST);
	ck_assert_uint_ge(atomic_load(&overflow.full), 1);
	expect_all();
	ring_release(&ring, ring.cursor);
	flood(8u << 20);
	expect_all();
	end();
}
END_TEST

START_TEST(test_a_record_that_is_being_written)
{
	uint64_t at;
	uint32_t *head;

	begin();
	put(3);
	at = ring_produced(&ring);
	put(2);
	head = (uint32_t *)(s.ring + 2 * s.page + (at & (RING - 1)));
	*head |= BPF_RINGBUF_BUSY_BIT;
	overflow_move(&overflow);
	ck_assert_uint_eq(ring_consumed(&ring), at);
	*head &= ~(uint32_t)BPF_RINGBUF_BUSY_BIT;
	expect_all();
	end();
}
END_TEST

static void in_child(void (*work)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		work();
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child failed: %d",
		      status);
}

static void flood_and_die(void)
{
	open_it(ring_id, MOST);
	put_next = 0;
	flood(20u << 20);
	/* What the parent will expect: told through memory that both have. */
	memcpy(s.ring + s.page + 64, &put_next, sizeof(put_next));
}

static void learn_put_next(void)
{
	memcpy(&put_next, s.ring + s.page + 64, sizeof(put_next));
}

START_TEST(test_killed)
{
	if (!has_pins)
		return;
	begin();
	close_it();
	in_child(flood_and_die);
	learn_put_next();
	/* Also where there is to be none any more. */
	open_it(ring_id, 0);
	ck_assert_uint_eq(ring_oldest(&ring), 0);
	ck_assert_uint_gt(ring_consumed(&ring), 20u << 20);
	ring_seek(&ring, 0);
	expect_all();
	ring_release(&ring, ring.cursor);
	close_it();
	ck_assert_int_eq(rmdir(pins), 0);
	ck_assert_int_eq(mkdir(pins, 0700), 0);
	open_it(ring_id, MOST);
	ck_assert_uint_eq(ring_oldest(&ring), ring_produced(&ring));
	end();
}
END_TEST

START_TEST(test_of_another_ring)
{
	if (!has_pins)
		return;
	begin();
	close_it();
	in_child(flood_and_die);
	open_it(another_id, MOST);
	ck_assert_uint_eq(ring_oldest(&ring), ring_consumed(&ring));
	close_it();
	ck_assert_int_eq(rmdir(pins), 0);
	ck_assert_int_eq(mkdir(pins, 0700), 0);
	open_it(ring_id, MOST);
	end();
}
END_TEST

/* The thread itself, beside a reader that takes its time and a writer that does not. */
START_TEST(test_beside_a_reader)
{
	uint64_t moved;

	begin();
	ck_assert_int_eq(overflow_start(&overflow), 0);
	overflow_watch(&overflow);
	for (int i = 0; i < 200; i++) {
		for (int k = 0; k < 200 && fits(); k++)
			put(1);
		usleep(1000);
		if (i % 4 == 0)
			expect_next();
		if (i % 40 == 0) {
			expect_all();
			ring_release(&ring, ring.cursor);
		}
	}
	expect_all();
	moved = atomic_load(&overflow.moved_bytes);
	ck_assert_uint_gt(moved, 0);
	ring_release(&ring, ring.cursor);
	overflow_rest(&overflow);
	end();
}
END_TEST

/* And until segments are used again while it reads others. */
START_TEST(test_round_beside_a_reader)
{
	begin();
	ck_assert_int_eq(overflow_start(&overflow), 0);
	overflow_watch(&overflow);
	while (ring_consumed(&ring) < 2 * MOST) {
		while (fits())
			put(1);
		/* Behind by half of what there is room for. */
		while (ring_produced(&ring) - ring.cursor > MOST / 2)
			expect_next();
		ring_release(&ring, ring.cursor);
		sched_yield();
	}
	expect_all();
	ck_assert_uint_gt(atomic_load(&overflow.most_bytes), MOST / 3);
	ring_release(&ring, ring.cursor);
	overflow_rest(&overflow);
	end();
}
END_TEST

/* A mount namespace of our own, so that nothing stays. */
static void mount_pins(void)
{
	const char *where = "/sys/fs/bpf";

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bpf", where, "bpf", 0, NULL) < 0) {
		printf("without the tests of pins: %s\n", strerror(errno));
		return;
	}
	snprintf(pins, sizeof(pins), "%s/pins", where);
	has_pins = mkdir(pins, 0700) == 0;
}

int main(void)
{
	const TTest *const tests[] = {
		test_moved_and_read,
		test_reading_needs_no_lock,
		test_segments_go_round,
		test_full,
		test_a_record_that_is_being_written,
		test_killed,
		test_of_another_ring,
		test_beside_a_reader,
		test_round_beside_a_reader,
	};

	mount_pins();
	return synthetic_possible() ? SUITE_RUN("overflow", tests) : SUITE_SKIPPED;
}
