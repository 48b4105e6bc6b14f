/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of daemon/ring.c over a file that is laid out as the kernel's ring buffer. */
#include "suite.h"
#include "synthetic.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING 65536u

static struct synthetic s;
static struct ring ring;

static void begin(size_t bytes)
{
	ck_assert_int_eq(synthetic_init(&s, bytes), 0);
	ck_assert_int_eq(ring_open(&ring, s.ring_fd, bytes), 0);
}

static void end(void)
{
	ring_close(&ring);
	synthetic_deinit(&s);
}

static uint32_t *head_at(uint64_t position)
{
	return (uint32_t *)(s.ring + 2 * s.page + (position & (s.bytes - 1)));
}

static void expect(const char *text)
{
	const void *bytes;
	size_t length;

	ck_assert_int_eq(ring_next(&ring, &bytes, &length), 1);
	ck_assert_uint_eq(length, strlen(text));
	ck_assert_mem_eq(bytes, text, length);
}

static void expect_nothing(void)
{
	const void *bytes;
	size_t length;

	ck_assert_int_eq(ring_next(&ring, &bytes, &length), 0);
}

START_TEST(test_reading_gives_nothing_back)
{
	begin(RING);
	expect_nothing();
	synthetic_put(&s, "one", 3);
	synthetic_put(&s, "another", 7);
	expect("one");
	expect("another");
	expect_nothing();
	ck_assert_uint_eq(ring_consumed(&ring), 0);
	ring_seek(&ring, 0);
	expect("one");
	ring_release(&ring, ring.cursor);
	ck_assert_uint_eq(ring_consumed(&ring), 16);
	/* Never backwards. */
	ring_release(&ring, 0);
	ck_assert_uint_eq(ring_consumed(&ring), 16);
	expect("another");
	end();
}
END_TEST

START_TEST(test_busy_and_discarded)
{
	uint64_t second;

	begin(RING);
	synthetic_put(&s, "one", 3);
	second = ring_produced(&ring);
	synthetic_put(&s, "two", 3);
	synthetic_put(&s, "three", 5);
	*head_at(second) |= BPF_RINGBUF_BUSY_BIT;
	expect("one");
	expect_nothing();
	ck_assert_uint_eq(ring.cursor, second);
	*head_at(second) = 3 | BPF_RINGBUF_DISCARD_BIT;
	expect("three");
	expect_nothing();
	ck_assert_uint_eq(ring.cursor, ring_produced(&ring));
	end();
}
END_TEST

START_TEST(test_lengths_that_make_no_sense)
{
	const void *bytes;
	size_t length;

	begin(RING);
	synthetic_put(&s, "one", 3);
	*head_at(0) = 4000;
	ck_assert_int_eq(ring_next(&ring, &bytes, &length), -EBADMSG);
	*head_at(0) = RING + 1;
	ck_assert_int_eq(ring_next(&ring, &bytes, &length), -EBADMSG);
	*head_at(0) = 0x3fffffff;
	ck_assert_int_eq(ring_next(&ring, &bytes, &length), -EBADMSG);
	ck_assert_uint_eq(ring.malformed, 3);
	ck_assert_uint_eq(ring.cursor, 0);
	end();
}
END_TEST

/* Every alignment of every length, over the end of the ring again and again. */
static void many_rounds(size_t bytes, size_t most, int records)
{
	char *text = malloc(most + 1);

	begin(bytes);
	for (int i = 0; i < records; i++) {
		size_t length = (size_t)(i * 7919) % most;

		memset(text, 'a' + i % 26, length);
		text[length] = 0;
		synthetic_put(&s, text, length);
		expect(text);
		if (i % 3 == 0)
			ring_release(&ring, ring.cursor);
	}
	ck_assert_uint_gt(ring_produced(&ring), 3 * bytes);
	free(text);
	end();
}

START_TEST(test_round_the_end)
{
	many_rounds(RING, 5000, 2000);
}
END_TEST

/* Larger than the window that is mapped of it. */
START_TEST(test_through_a_window)
{
	many_rounds(4u << 20, 60000, 800);
}
END_TEST

START_TEST(test_a_file_that_is_no_ring)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_lt(ring_open(&ring, fd, RING), 0);
	ring_close(&ring);
	close(fd);
	ck_assert_int_eq(ring_open(&ring, -1, RING), -EBADF);
	ring_close(&ring);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_reading_gives_nothing_back, test_busy_and_discarded,
		test_lengths_that_make_no_sense, test_round_the_end,
		test_through_a_window,		 test_a_file_that_is_no_ring,
	};

	return synthetic_possible() ? SUITE_RUN("ring", tests) : SUITE_SKIPPED;
}
