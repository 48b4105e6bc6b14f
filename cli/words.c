/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/escape.h"
#include "cli/timespec.h"

/* A person reads a few; -o json has them all. */
#define MISSING_SHOWN_MAX 6

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* argv[0] is what the caller claims; it is told where it names something else than the executable.
 */
static bool claims_other(const char *argv0, const struct text *exe)
{
	const char *name = last_part(argv0);

	if (*name == '-')
		name++;
	return strcmp(name, last_part(exe->value)) != 0;
}

static void add_marks(struct buffer *out, unsigned int flags)
{
	if (flags & IMAGE_MEMFD)
		buffer_puts(out, " [memfd]");
	else if (flags & IMAGE_DELETED)
		buffer_puts(out, " [deleted]");
}

static void add_rest(struct buffer *out, const struct image *image, const struct style *style)
{
	struct buffer word = {0};
	struct args args;
	bool first = true;

	for (args_begin(&args, image); args_next(&args, &word) == 0; first = false) {
		if (first && image->exe) {
			if (claims_other(word.data ? word.data : "", image->exe)) {
				buffer_puts(out, " [as ");
				escape_word(out, word.data ? word.data : "", word.length,
					    !style->utf8);
				buffer_putc(out, ']');
			}
			continue;
		}
		if (!first)
			buffer_putc(out, ' ');
		escape_word(out, word.data ? word.data : "", word.length, !style->utf8);
		/* A terminal shows the beginning only; a command line may have megabytes. */
		if (style->width && out->length > 16 * (size_t)style->width)
			break;
	}
	if (image_args_truncated(image))
		buffer_printf(out, " [%" PRId64 " bytes more, not recorded]",
			      image->args_bytes - (int64_t)image->args_raw_length);
	out->failed |= word.failed;
	buffer_deinit(&word);
}

void words_image(struct buffer *out, const struct image *image, const char *comm,
		 const struct style *style)
{
	if (!image || (image->flags & IMAGE_KERNEL_THREAD) ||
	    (!image->exe && !image->args && !image->args_raw)) {
		const char *name = comm ? comm : image && image->comm ? image->comm : "?";

		buffer_putc(out, '[');
		escape_text(out, name, strlen(name), !style->utf8);
		buffer_putc(out, ']');
		return;
	}
	if (image->exe) {
		if (image->flags & IMAGE_EXE_TRUNCATED)
			buffer_puts(out, "...");
		if (image->exe->raw)
			escape_word(out, image->exe->raw, image->exe->raw_length, !style->utf8);
		else
			escape_word(out, image->exe->value, image->exe->length, !style->utf8);
	}
	add_marks(out, image->flags);
	add_rest(out, image, style);
	if (image->flags & IMAGE_ARGS_UNREADABLE)
		buffer_puts(out, " [arguments unreadable]");
}

void words_command(struct buffer *out, const struct process *p, const struct style *style)
{
	words_image(out, p->image, p->comm ? p->comm->value : NULL, style);
}

void words_name(struct buffer *out, const struct process *p, const struct style *style)
{
	const char *comm = process_comm(p);

	escape_text(out, comm, strlen(comm), !style->utf8);
	buffer_printf(out, "(%" PRId64 ")", p->pid);
}

void words_host(struct buffer *out, const struct boot *boot, const struct style *style)
{
	const char *name = boot->hostname ? boot->hostname : "";

	if (*name)
		escape_text(out, name, strlen(name), !style->utf8);
	else
		buffer_printf(out, "%.8s", boot->boot_id ? boot->boot_id : "?");
}

const char *words_signal(int signal, char *out, size_t size)
{
	const char *name = sigabbrev_np(signal);

	if (name)
		snprintf(out, size, "SIG%s", name);
	else
		snprintf(out, size, "SIG%d", signal);
	return out;
}

void words_args(struct buffer *out, const struct image *image, const struct style *style)
{
	struct buffer word = {0};
	struct args args;

	for (args_begin(&args, image); args_next(&args, &word) == 0;) {
		escape_word(out, word.data ? word.data : "", word.length, !style->utf8);
		buffer_putc(out, ' ');
	}
	if (out->length && out->data[out->length - 1] == ' ')
		out->data[--out->length] = '\0';
	out->failed |= word.failed;
	buffer_deinit(&word);
}

/* The number as in /proc/PID/stat; major numbers of Documentation/admin-guide/devices.txt. */
const char *words_tty(int64_t tty, char *out, size_t size)
{
	int64_t major = tty >> 8 & 0xfff, minor = (tty & 0xff) | (tty >> 12 & 0xfff00);

	if (tty == UNKNOWN)
		snprintf(out, size, "?");
	else if (tty == 0)
		snprintf(out, size, "none");
	else if (major >= 136 && major <= 143)
		snprintf(out, size, "pts/%" PRId64, minor + (major - 136) * 256);
	else if (major == 4 && minor < 64)
		snprintf(out, size, "tty%" PRId64, minor);
	else if (major == 4)
		snprintf(out, size, "ttyS%" PRId64, minor - 64);
	else
		snprintf(out, size, "%" PRId64 ":%" PRId64, major, minor);
	return out;
}

void words_exit(struct buffer *out, const struct process *p)
{
	char name[32];

	if (!process_ended(p))
		buffer_putc(out, '-');
	else if (p->status == UNKNOWN)
		buffer_putc(out, '?');
	else if ((p->status & 127) == 0)
		buffer_int(out, p->status >> 8 & 0xff, 0);
	else
		buffer_printf(out, "%s%s", words_signal((int)(p->status & 127), name, sizeof(name)),
			      p->status & 128 ? "+core" : "");
}

char words_provenance_mark(enum provenance provenance)
{
	switch (provenance) {
	case PROVENANCE_SNAPSHOT:
		return '*';
	case PROVENANCE_RECOVERED:
		return '+';
	case PROVENANCE_INFERRED:
		return '~';
	default:
		return 0;
	}
}

void words_time(struct buffer *out, int64_t unix_ns, const struct style *style)
{
	char text[TIMESPEC_SIZE];

	if (unix_ns == UNKNOWN) {
		buffer_putc(out, '?');
		return;
	}
	timespec_format(unix_ns, style->utc, 3, text);
	buffer_puts(out, text);
}

static void add_range(struct buffer *out, const struct missing *m, const struct style *style)
{
	char from[TIMESPEC_SIZE] = "", to[TIMESPEC_SIZE];

	if (m->from_unix_ns != UNKNOWN) {
		timespec_format(m->from_unix_ns, style->utc, 3, from);
		buffer_printf(out, " from %s", from);
	}
	if (m->to_unix_ns != UNKNOWN) {
		buffer_puts(out, *from ? " to " : " until ");
		timespec_format(m->to_unix_ns, style->utc, 3, to);
		/* The day once, where it is the same. */
		buffer_puts(out, strncmp(from, to, 11) == 0 ? to + 11 : to);
	}
}

void words_fit(struct buffer *out, size_t start, const struct style *style)
{
	size_t dots = style->utf8 ? 1 : 3, fit;

	if (!style->width ||
	    escape_fit(out->data + start, out->length - start, style->width) == out->length - start)
		return;
	fit = escape_fit(out->data + start, out->length - start, style->width - dots);
	out->length = start + fit;
	buffer_puts(out, style->utf8 ? "…" : "...");
}

void words_missing(struct buffer *out, const struct missing *m, const struct style *style)
{
	switch (m->kind) {
	case MISSING_GAP:
		if (m->lost == UNKNOWN)
			buffer_puts(out, "events lost, how many is not known,");
		else
			buffer_printf(out, "%" PRId64 " event%s lost", m->lost,
				      m->lost == 1 ? "" : "s");
		if (m->recovered > 0)
			buffer_printf(out, ", %" PRId64 " more rebuilt,", m->recovered);
		add_range(out, m, style);
		buffer_puts(out, " (");
		if (m->cause)
			escape_text(out, m->cause, strlen(m->cause), !style->utf8);
		buffer_putc(out, ')');
		break;
	case MISSING_NOT_RECORDED:
		buffer_puts(out, m->to_come ? "nothing was recorded yet" : "nothing was recorded");
		add_range(out, m, style);
		break;
	case MISSING_TRUNCATED:
		buffer_printf(out, "%" PRId64 " recorded in part, the first ", m->count);
		buffer_puts(out, m->name);
		break;
	case MISSING_PRUNED:
		buffer_printf(out, "%" PRId64 " not in this database (by retention or export)%s",
			      m->count, *m->name ? ", the first below " : ",");
		if (*m->name)
			buffer_puts(out, m->name);
		else
			add_range(out, m, style);
		break;
	case MISSING_PRUNED_EXECS:
	case MISSING_PRUNED_FAILURES:
		buffer_printf(out, "%" PRId64 " %s%s not in this database (by retention),",
			      m->count,
			      m->kind == MISSING_PRUNED_EXECS ? "earlier image" : "failed exec",
			      m->count == 1 ? "" : "s");
		if (*m->name)
			buffer_printf(out, " the first of %s,", m->name);
		add_range(out, m, style);
		break;
	case MISSING_UNKNOWN:
		buffer_printf(out, "%" PRId64 " of whom %s, the first ", m->count,
			      m->orphans ? "it is not recorded who their parent was then"
					 : "no more was learned before they went");
		buffer_puts(out, m->name);
		break;
	case MISSING_LIMIT:
		buffer_puts(out, "cut off by --limit");
		break;
	case MISSING_UNREAD:
		buffer_puts(out, "the database could not be read to the end");
		break;
	}
}

void words_completeness(struct buffer *out, const struct completeness *c, const struct style *style)
{
	if (is_complete(c)) {
		buffer_puts(out, "complete");
	} else {
		buffer_puts(out, "incomplete:");
		for (size_t i = 0; i < c->count; i++) {
			if (i == MISSING_SHOWN_MAX && style->width) {
				buffer_printf(out, "\n  and %zu more; --full lists them",
					      c->count - i);
				break;
			}
			buffer_puts(out, "\n  ");
			words_missing(out, &c->item[i], style);
			buffer_puts(out, "\n    may miss: ");
			buffer_puts(out, c->item[i].touches);
		}
	}
	if (c->filter) {
		buffer_puts(out, "\nrecorded was only: ");
		escape_text(out, c->filter, strlen(c->filter), !style->utf8);
	}
	buffer_putc(out, '\n');
}
