/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at a pinned ring from outside: how long its reader leaves records in it, and how full it
 * gets. Asks nothing of the reader.
 *
 *   ringwatch MAP    until SIGTERM or SIGINT; then one line of JSON
 *
 * A hold is a time in which the ring was never empty and the reader's position did not move. It is
 * looked at every half millisecond, at real-time priority, so that a saturated machine does not
 * blind it.
 */
#include <bpf/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 500000

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	stop = 1;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

struct watch {
	const unsigned long *consumer, *producer;
	uint64_t position, since_ns, last_ns;
	uint64_t longest_ns, most_bytes, looks, blind_ns;
};

static void look(struct watch *w)
{
	uint64_t produced = __atomic_load_n(w->producer, __ATOMIC_ACQUIRE);
	uint64_t consumed = __atomic_load_n(w->consumer, __ATOMIC_ACQUIRE);
	uint64_t now = now_ns();

	if (w->looks++ && now - w->last_ns > w->blind_ns)
		w->blind_ns = now - w->last_ns;
	w->last_ns = now;
	if (consumed >= produced || consumed != w->position) {
		w->position = consumed;
		w->since_ns = now;
		return;
	}
	if (now - w->since_ns > w->longest_ns)
		w->longest_ns = now - w->since_ns;
	if (produced - consumed > w->most_bytes)
		w->most_bytes = produced - consumed;
}

int main(int argc, char **argv)
{
	const struct timespec pause = {0, LOOK_NS};
	struct sched_param priority = {.sched_priority = 1};
	struct sigaction action = {.sa_handler = on_signal};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct watch w = {0};
	int fd = argc == 2 ? bpf_obj_get(argv[1]) : -1;

	if (fd < 0) {
		fprintf(stderr, "ringwatch: needs a pinned ring\n");
		return 2;
	}
	w.consumer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, 0);
	w.producer = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (w.consumer == MAP_FAILED || w.producer == MAP_FAILED) {
		perror("ringwatch: mmap");
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (sched_setscheduler(0, SCHED_FIFO, &priority) < 0)
		perror("ringwatch: SCHED_FIFO");
	while (!stop) {
		look(&w);
		nanosleep(&pause, NULL);
	}
	printf("{\"longest_hold_ms\":%.3f,\"most_bytes\":%llu,\"looks\":%llu,\"longest_blind_ms\":%"
	       ".3f}\n",
	       (double)w.longest_ns / 1e6, (unsigned long long)w.most_bytes,
	       (unsigned long long)w.looks, (double)w.blind_ns / 1e6);
	return 0;
}
