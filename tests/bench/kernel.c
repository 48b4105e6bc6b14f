/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "daemon/probe.h"
#include "daemon/ring.h"

static struct shape *shape;
static uint64_t happened_ns, consumed, released_ns, longest_ns;
/* Only the thread that feeds lives in the shape's time: checkpoints and syncs are real. */
static __thread bool feeds;

static uint64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

void kernel_begin(struct shape *s)
{
	shape = s;
	feeds = true;
	happened_ns = UINT64_MAX;
	released_ns = read_clock(CLOCK_MONOTONIC);
}

void kernel_happened(uint64_t until_ns)
{
	happened_ns = until_ns;
}

uint64_t kernel_longest_hold_ns(void)
{
	return longest_ns;
}

static bool has_more(void)
{
	uint64_t ahead = shape ? shape_ahead_ns(shape) : 0;

	return ahead && ahead < happened_ns;
}

int __wrap_ring_open(struct ring *ring, int fd, size_t bytes);
int __wrap_ring_open(struct ring *ring, int fd, size_t bytes)
{
	memset(ring, 0, sizeof(*ring));
	return 0;
}

void __wrap_ring_close(struct ring *ring);
void __wrap_ring_close(struct ring *ring)
{
}

uint64_t __wrap_ring_consumed(const struct ring *ring);
uint64_t __wrap_ring_consumed(const struct ring *ring)
{
	return consumed;
}

uint64_t __wrap_ring_produced(const struct ring *ring);
uint64_t __wrap_ring_produced(const struct ring *ring)
{
	return ring->cursor + has_more();
}

void __wrap_ring_seek(struct ring *ring, uint64_t position);
void __wrap_ring_seek(struct ring *ring, uint64_t position)
{
	ring->cursor = position;
}

int __wrap_ring_next(struct ring *ring, const void **ret_record, size_t *ret_length);
int __wrap_ring_next(struct ring *ring, const void **ret_record, size_t *ret_length)
{
	if (!has_more())
		return 0;
	*ret_record = shape_next(shape, ret_length);
	ring->cursor += (*ret_length + 8 + 7) & ~(size_t)7;
	return 1;
}

void __wrap_ring_release(struct ring *ring, uint64_t position);
void __wrap_ring_release(struct ring *ring, uint64_t position)
{
	uint64_t now = read_clock(CLOCK_MONOTONIC);

	if (position > consumed)
		consumed = position;
	if (now - released_ns > longest_ns)
		longest_ns = now - released_ns;
	released_ns = now;
}

uint64_t __wrap_clock_boot_ns(void);
uint64_t __wrap_clock_boot_ns(void)
{
	return feeds && shape ? shape_now_ns(shape) : read_clock(CLOCK_BOOTTIME);
}

int __wrap_probe_counters(const struct probe *probe, struct lineage_counters *counters);
int __wrap_probe_counters(const struct probe *probe, struct lineage_counters *counters)
{
	memset(counters, 0, (size_t)probe->cpus * sizeof(*counters));
	return 0;
}

int __wrap_probe_snapshot_fd(const struct probe *probe, int *ret_fd);
int __wrap_probe_snapshot_fd(const struct probe *probe, int *ret_fd)
{
	return -ENOENT;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	errno = ENOENT;
	return -ENOENT;
}

int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts);
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts)
{
	*count = 0;
	errno = ENOENT;
	return -ENOENT;
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	return 0;
}

int __wrap_bpf_map_delete_elem(int fd, const void *key);
int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	return 0;
}

int __wrap_bpf_map_delete_batch(int fd, const void *keys, __u32 *count,
				const struct bpf_map_batch_opts *opts);
int __wrap_bpf_map_delete_batch(int fd, const void *keys, __u32 *count,
				const struct bpf_map_batch_opts *opts)
{
	return 0;
}
