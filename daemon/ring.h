/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF ring buffer as a write-ahead log: reading moves a cursor, and only ring_release() gives
 * the room back to the programs. libbpf's ring_buffer releases record by record, hence this one.
 *
 * Positions are the kernel's: bytes since the ring was made, growing without end. What is not
 * released may also lie in an overflow (overflow.h), which takes it out of the ring while the
 * reader waits for the disk; the reader does not see the difference. Only a window of the ring is
 * mapped, so that a large ring does not count as memory of the daemon.
 */
#ifndef LINEAGED_RING_H
#define LINEAGED_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read at once: large against a record (46 KiB), small against a processor's cache. */
#define RING_BLOCK_BYTES (128u << 10)

struct overflow;

/* A mapped part of something that is addressed by positions. */
struct ring_window {
	char *data;
	size_t bytes;
	uint64_t start; /* position of its first byte */
};

struct ring {
	int fd;	      /* the map's; not owned */
	size_t bytes; /* of the ring: a power of two */
	size_t page;
	unsigned long *consumer; /* mapped: what the programs may overwrite up to */
	const unsigned long *producer;
	uint64_t cursor;	     /* position of the next record to read */
	atomic_uint_fast64_t oldest; /* released up to here: what a reader may still go back to */
	struct overflow *overflow;   /* not owned; NULL: none */
	struct ring_window window;
	char *block; /* records as they were in ring or overflow */
	uint64_t block_start, block_end;
	uint64_t malformed; /* headers that make no sense; the reader then stops there */
};

int ring_open(struct ring *ring, int fd, size_t bytes);
void ring_close(struct ring *ring);

/* Where the kernel thinks that the reader is; and the end of what has been reserved. */
uint64_t ring_consumed(const struct ring *ring);
uint64_t ring_produced(const struct ring *ring);
/* The first byte that can still be read, in the overflow or in the ring. */
uint64_t ring_oldest(const struct ring *ring);

/* Continues reading at position: after ring_open(), or again from what has been committed. */
void ring_seek(struct ring *ring, uint64_t position);

/*
 * 1 and the next record; 0 if there is none that is complete; negative errno. The record stays
 * valid until the next call; its bytes stay where they are until ring_release().
 */
int ring_next(struct ring *ring, const void **ret_record, size_t *ret_length);

/* Everything before position may be overwritten. Never moves backwards. */
void ring_release(struct ring *ring, uint64_t position);

/* What is read next maps it again. */
void ring_unmap(struct ring_window *window);

/* For overflow.c, also beside a reader. */

/*
 * Maps what lies between from and from + most, and finds the end of the complete records in it. The
 * bytes are then at *ret_data. -EBADMSG: the first header makes no sense.
 */
int ring_complete(const struct ring *ring, struct ring_window *window, uint64_t from, size_t most,
		  const char **ret_data, uint64_t *ret_end);
/* The kernel may overwrite everything before `to`. False: somebody else has moved it from `from`.
 */
bool ring_advance(struct ring *ring, uint64_t from, uint64_t to);

#endif
