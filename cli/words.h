/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process is said in a line of text: its command, its state, its times, and what is missing.
 * Shared by every format and verb that writes for people. All text it makes is safe to show.
 */
#ifndef LINEAGED_CLI_WORDS_H
#define LINEAGED_CLI_WORDS_H

#include "cli/buffer.h"
#include "cli/render.h"

/* "/usr/bin/sleep 10": the executable's own path, then the words that follow argv[0]. */
void words_command(struct buffer *out, const struct process *p, const struct style *style);
void words_image(struct buffer *out, const struct image *image, const char *comm,
		 const struct style *style);
/* "bash(990)" */
/* Where there are several; the boot where its host has no name. */
void words_host(struct buffer *out, const struct boot *boot, const struct style *style);
void words_name(struct buffer *out, const struct process *p, const struct style *style);
/* "0", "SIGKILL", "SIGSEGV+core", "?" (ended, unknown how), "-" (not ended). */
void words_exit(struct buffer *out, const struct process *p);
const char *words_signal(int signal, char *out, size_t size);
/* "pts/3", "tty1", "none", "?", or the device number. */
const char *words_tty(int64_t tty, char *out, size_t size);
/* argv as it was executed, argv[0] included. */
void words_args(struct buffer *out, const struct image *image, const struct style *style);
/* One character: '*' snapshot, '+' recovered, '~' inferred, 0 observed or none. */
char words_provenance_mark(enum provenance provenance);
/* Cuts what was appended from `start` on to the width of the terminal, where there is one. */
void words_fit(struct buffer *out, size_t start, const struct style *style);
/* The user's time, to the millisecond, or "?". */
void words_time(struct buffer *out, int64_t unix_ns, const struct style *style);
/* "12 events lost, 0 more rebuilt, from ... to ... (ring_full)" */
void words_missing(struct buffer *out, const struct missing *missing, const struct style *style);
/* "complete", or one line for each thing that is missing. */
void words_completeness(struct buffer *out, const struct completeness *completeness,
			const struct style *style);

#endif
