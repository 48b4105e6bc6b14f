/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The destination is decided once: $JOURNAL_STREAM names the device and inode that systemd
 * connected to stderr. If they match and the journal's socket is there, messages go by its native
 * protocol; without the socket, stderr still reaches the journal and takes the priority as an
 * sd-daemon(3) prefix. Everywhere else a person or a file reads stderr, and prefixes would be
 * noise.
 *
 * Text that may hold names from the outside (paths, container names) is made harmless here: control
 * characters become \xNN, so that no line can be forged. One message is one write().
 */
#define SD_JOURNAL_SUPPRESS_LOCATION  /* the place in our source says nothing to an administrator \
				       */

#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <systemd/sd-journal.h>

/* Longest message; a path of PATH_MAX would be cut, which is better than a lost message. */
#define LOG_TEXT_MAX 2048
/* Fields per message, ours included; the widest message of the daemon has 8. */
#define LOG_FIELDS_MAX	   16
#define LOG_FIELD_TEXT_MAX 512

#define JOURNAL_SOCKET "/run/systemd/journal/socket"

enum log_target { LOG_TARGET_TEXT, LOG_TARGET_PREFIXED, LOG_TARGET_JOURNAL };

/* The one process-wide state: set at the start, only read afterwards. */
static struct {
	int fd;
	int max_priority;
	enum log_target target;
} log_state = {.fd = STDERR_FILENO, .max_priority = LOG_INFO};

static bool log_is_journal_stream(int fd, const char *journal_stream)
{
	unsigned long long dev, ino;
	struct stat st;
	char rest;

	if (!journal_stream || sscanf(journal_stream, "%llu:%llu%c", &dev, &ino, &rest) != 2)
		return false;
	return fstat(fd, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_open(int fd, const char *journal_stream)
{
	log_state.fd = fd;
	log_state.target = LOG_TARGET_TEXT;
	if (!log_is_journal_stream(fd, journal_stream))
		return;
	/* sd_journal_sendv() says nothing where the socket is missing: look for it ourselves. */
	log_state.target = access(JOURNAL_SOCKET, W_OK) == 0 ? LOG_TARGET_JOURNAL
							     : LOG_TARGET_PREFIXED;
}

void log_set_max_priority(int priority)
{
	log_state.max_priority = priority;
}

/* Control characters, C1 in UTF-8 too as terminals obey them, become \xNN. Cuts at the end. */
static void log_escape(char *out, size_t size, const char *in)
{
	size_t n = 0;

	for (; *in && n + 9 < size; in++) {
		unsigned char c = *in;

		if (c < 0x20 || c == 0x7f) {
			n += snprintf(out + n, size - n, "\\x%02x", c);
		} else if (c == 0xc2 && (in[1] & 0xe0) == 0x80) {
			in++;
			n += snprintf(out + n, size - n, "\\xc2\\x%02x", (unsigned char)*in);
		} else {
			out[n++] = c;
		}
	}
	out[n] = '\0';
}

static void log_write_text(int priority, const char *text)
{
	char line[LOG_TEXT_MAX + 64];
	int n;

	if (log_state.target == LOG_TARGET_TEXT)
		n = snprintf(line, sizeof(line), "lineaged: %s\n", text);
	else /* the journal knows the name already */
		n = snprintf(line, sizeof(line), "<%d>%s\n", priority, text);
	if (write(log_state.fd, line, n) < 0)
		return; /* nobody is left to be told */
}

/* One "NAME=value" of the journal's protocol. */
struct log_line {
	char text[LOG_FIELD_TEXT_MAX];
};

static void log_format_field(struct log_line *line, const struct log_field *field)
{
	char value[LOG_FIELD_TEXT_MAX - 64];

	if (field->is_number)
		snprintf(value, sizeof(value), "%lld", (long long)field->number);
	else
		log_escape(value, sizeof(value), field->text);
	snprintf(line->text, sizeof(line->text), "%s=%s", field->name, value);
}

static int log_send_journal(const sd_id128_t *id, int priority, const struct log_field *fields,
			    const char *text)
{
	struct log_line lines[LOG_FIELDS_MAX];
	struct iovec iov[LOG_FIELDS_MAX + 1];
	char message[LOG_TEXT_MAX + 16];
	int n = 0;

	snprintf(message, sizeof(message), "MESSAGE=%s", text);
	snprintf(lines[n++].text, sizeof(lines[0].text), "PRIORITY=%d", priority);
	snprintf(lines[n++].text, sizeof(lines[0].text), "SYSLOG_IDENTIFIER=lineaged");
	if (id)
		snprintf(lines[n++].text, sizeof(lines[0].text), "MESSAGE_ID=" SD_ID128_FORMAT_STR,
			 SD_ID128_FORMAT_VAL(*id));
	for (; fields && fields->name && n < LOG_FIELDS_MAX; fields++) {
		if (fields->is_number || fields->text)
			log_format_field(&lines[n++], fields);
	}
	for (int i = 0; i < n; i++)
		iov[i] = (struct iovec){lines[i].text, strlen(lines[i].text)};
	iov[n++] = (struct iovec){message, strlen(message)};
	return sd_journal_sendv(iov, n);
}

static void log_dispatch(const sd_id128_t *id, int priority, const struct log_field *fields,
			 const char *raw)
{
	char text[LOG_TEXT_MAX];

	log_escape(text, sizeof(text), raw);
	if (log_state.target != LOG_TARGET_JOURNAL ||
	    log_send_journal(id, priority, fields, text) < 0)
		log_write_text(priority, text);
}

void log_event(sd_id128_t id, int priority, const struct log_field *fields, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	int saved_errno = errno;
	va_list ap;

	if (priority > log_state.max_priority)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_dispatch(&id, priority, fields, text);
	errno = saved_errno;
}

void log_message(int priority, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX];
	int saved_errno = errno;
	va_list ap;

	if (priority > log_state.max_priority)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_dispatch(NULL, priority, NULL, text);
	errno = saved_errno;
}

int log_message_errno(int priority, int error, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX], reason[128];
	int saved_errno = errno;
	va_list ap;
	size_t n;

	if (priority > log_state.max_priority)
		return error;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = strlen(text);
	snprintf(text + n, sizeof(text) - n, ": %s",
		 strerror_r(error < 0 ? -error : error, reason, sizeof(reason)));
	log_dispatch(NULL, priority, LOG_FIELDS(LOG_NUMBER("ERRNO", error < 0 ? -error : error)),
		     text);
	errno = saved_errno;
	return error;
}

bool log_condition_met(struct log_condition *condition, uint64_t count, uint64_t now_ns,
		       uint64_t repeat_ns)
{
	bool say = !condition->active;

	if (!condition->active) {
		*condition = (struct log_condition){.active = true, .since_ns = now_ns};
	} else if (repeat_ns && now_ns - condition->said_ns >= repeat_ns) {
		say = true;
	}
	if (say)
		condition->said_ns = now_ns;
	condition->count += count;
	return say;
}

bool log_condition_over(struct log_condition *condition, struct log_condition *ret_past)
{
	if (!condition->active)
		return false;
	if (ret_past)
		*ret_past = *condition;
	*condition = (struct log_condition){.active = false};
	return true;
}
