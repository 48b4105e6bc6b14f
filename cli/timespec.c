/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/timespec.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "schema/cleanup.h"

#define ZONEINFO "/usr/share/zoneinfo/"

/* In the order in which prefixes must be tried, as systemd does. */
static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{"seconds", NS_PER_SEC},
	{"second", NS_PER_SEC},
	{"sec", NS_PER_SEC},
	{"s", NS_PER_SEC},
	{"minutes", 60 * NS_PER_SEC},
	{"minute", 60 * NS_PER_SEC},
	{"min", 60 * NS_PER_SEC},
	{"months", 2629800 * NS_PER_SEC},
	{"month", 2629800 * NS_PER_SEC},
	{"M", 2629800 * NS_PER_SEC},
	{"msec", 1000000},
	{"ms", 1000000},
	{"m", 60 * NS_PER_SEC},
	{"hours", 3600 * NS_PER_SEC},
	{"hour", 3600 * NS_PER_SEC},
	{"hr", 3600 * NS_PER_SEC},
	{"h", 3600 * NS_PER_SEC},
	{"days", 86400 * NS_PER_SEC},
	{"day", 86400 * NS_PER_SEC},
	{"d", 86400 * NS_PER_SEC},
	{"weeks", 7 * 86400 * NS_PER_SEC},
	{"week", 7 * 86400 * NS_PER_SEC},
	{"w", 7 * 86400 * NS_PER_SEC},
	{"years", 31557600 * NS_PER_SEC},
	{"year", 31557600 * NS_PER_SEC},
	{"y", 31557600 * NS_PER_SEC},
	{"usec", 1000},
	{"us", 1000},
	{"\xce\xbcs", 1000},
	{"\xc2\xb5s", 1000},
};

static const char *take_unit(const char *p, int64_t *ns)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t length = strlen(units[i].name);

		if (strncmp(p, units[i].name, length) == 0) {
			*ns = units[i].ns;
			return p + length;
		}
	}
	return p;
}

/* Digits after a point, of a unit; returns behind them, NULL where there are none. */
static const char *take_fraction(const char *p, int64_t unit_ns, int64_t *sum)
{
	const char *start = p;

	for (unit_ns /= 10; *p >= '0' && *p <= '9'; p++, unit_ns /= 10)
		*sum += (*p - '0') * unit_ns;
	return p == start ? NULL : p;
}

int timespec_parse_span(const char *p, int64_t *ret_ns)
{
	int64_t sum = 0;
	bool any = false;

	for (;;) {
		int64_t number, unit = NS_PER_SEC, product, fraction = 0;
		const char *digits_end, *after;
		char *end;

		p += strspn(p, " \t\n\r");
		if (!*p)
			break;
		if (*p == '-')
			return -ERANGE;
		errno = 0;
		number = strtoll(p, &end, 10);
		if (errno || number < 0)
			return -ERANGE;
		if (end == p && *end != '.')
			return -EINVAL;
		digits_end = *end == '.' ? end + 1 + strspn(end + 1, "0123456789") : end;
		after = take_unit(digits_end + strspn(digits_end, " \t\n\r"), &unit);
		if (after == digits_end && *after)
			return -EINVAL;
		if (*end == '.' && !take_fraction(end + 1, unit, &fraction))
			return -EINVAL;
		if (__builtin_mul_overflow(number, unit, &product) ||
		    __builtin_add_overflow(sum, product, &sum) ||
		    __builtin_add_overflow(sum, fraction, &sum))
			return -ERANGE;
		any = true;
		p = after;
	}
	if (!any)
		return -EINVAL;
	*ret_ns = sum;
	return 0;
}

/* A named zone in force while tm is made a time; NULL: the process's own. */
static time_t make_time(struct tm *tm, bool utc, const char *zone)
{
	CLEANUP_FREE char *saved = NULL;
	const char *old;
	time_t result;

	if (utc)
		return timegm(tm);
	if (!zone)
		return mktime(tm);
	old = getenv("TZ");
	saved = old ? strdup(old) : NULL;
	setenv("TZ", zone, 1);
	tzset();
	result = mktime(tm);
	if (saved)
		setenv("TZ", saved, 1);
	else
		unsetenv("TZ");
	tzset();
	return result;
}

static bool is_zone(const char *name)
{
	char path[PATH_MAX];

	if (!*name || *name == '/' || strstr(name, "..") || !isalpha((unsigned char)*name))
		return false;
	if (snprintf(path, sizeof(path), ZONEINFO "%s", name) >= (int)sizeof(path))
		return false;
	return access(path, R_OK) == 0;
}

static int to_ns(time_t seconds, int64_t fraction_ns, int64_t *ret_ns)
{
	int64_t ns;

	if (seconds < 0)
		return -EINVAL;
	if (__builtin_mul_overflow((int64_t)seconds, NS_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, fraction_ns, &ns))
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

/* What a calendar form leaves unset comes from today. */
static const struct {
	const char *format;
	bool midnight; /* no time of day */
	bool whole;    /* no seconds */
	bool fraction; /* may go on with .123 */
} forms[] = {
	{"%y-%m-%d %H:%M:%S", false, false, true}, {"%Y-%m-%d %H:%M:%S", false, false, true},
	{"%y-%m-%d %H:%M", false, true, false},	   {"%Y-%m-%d %H:%M", false, true, false},
	{"%y-%m-%d", true, true, false},	   {"%Y-%m-%d", true, true, false},
	{"%H:%M:%S", false, false, true},	   {"%H:%M", false, true, false},
};

static int match_form(const char *text, struct tm *tm, int64_t *fraction_ns)
{
	const struct tm today = *tm;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *end;

		*tm = today;
		end = strptime(text, forms[i].format, tm);
		if (end && forms[i].fraction && *end == '.') {
			*fraction_ns = 0;
			end = take_fraction(end + 1, NS_PER_SEC, fraction_ns);
		}
		if (!end || *end)
			continue;
		if (forms[i].midnight)
			tm->tm_hour = tm->tm_min = 0;
		if (forms[i].whole)
			tm->tm_sec = 0;
		return 0;
	}
	return -EINVAL;
}

/* "Mon " or "Monday " in front; -1: none. */
static int take_weekday(const char **text)
{
	static const char *const days[] = {"sunday",   "monday", "tuesday", "wednesday",
					   "thursday", "friday", "saturday"};

	for (int i = 0; i < 7; i++) {
		size_t lengths[] = {strlen(days[i]), 3};

		for (int j = 0; j < 2; j++) {
			if (strncasecmp(*text, days[i], lengths[j]) == 0 &&
			    (*text)[lengths[j]] == ' ') {
				*text += lengths[j] + 1;
				return i;
			}
		}
	}
	return -1;
}

/* A zone behind the last blank, cut off; false: there is none, the text is as it was. */
static bool take_zone(char *text, bool *utc, const char **zone, int *is_dst)
{
	char *blank = strrchr(text, ' ');

	if (!blank)
		return false;
	if (strcmp(blank + 1, "UTC") == 0) {
		*utc = true;
	} else if (is_zone(blank + 1)) {
		*utc = false;
		*zone = blank + 1;
	} else {
		tzset();
		if (strcasecmp(blank + 1, tzname[0]) == 0)
			*is_dst = 0;
		else if (strcasecmp(blank + 1, tzname[1]) == 0)
			*is_dst = 1;
		else
			return false;
		*utc = false;
	}
	*blank = '\0';
	return true;
}

static void today_in(time_t now, bool utc, const char *zone, struct tm *tm)
{
	CLEANUP_FREE char *saved = NULL;
	const char *old = getenv("TZ");

	if (utc) {
		gmtime_r(&now, tm);
		return;
	}
	if (zone) {
		saved = old ? strdup(old) : NULL;
		setenv("TZ", zone, 1);
		tzset();
	}
	localtime_r(&now, tm);
	if (zone) {
		if (saved)
			setenv("TZ", saved, 1);
		else
			unsetenv("TZ");
		tzset();
	}
}

static int parse_calendar(const char *original, int64_t now_unix_ns, bool utc, int64_t *ret_ns)
{
	CLEANUP_FREE char *copy = strdup(original);
	const char *text = copy, *zone = NULL;
	int64_t fraction_ns = 0;
	int is_dst = -1, weekday;
	struct tm tm;

	if (!copy)
		return -ENOMEM;
	take_zone(copy, &utc, &zone, &is_dst);
	today_in((time_t)(now_unix_ns / NS_PER_SEC), utc, zone, &tm);
	tm.tm_isdst = is_dst;
	if (strcmp(text, "today") == 0 || strcmp(text, "yesterday") == 0 ||
	    strcmp(text, "tomorrow") == 0) {
		tm.tm_mday += text[0] == 'y' ? -1 : strcmp(text, "tomorrow") == 0;
		tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	} else {
		int r;

		weekday = take_weekday(&text);
		r = match_form(text, &tm, &fraction_ns);
		if (r < 0)
			return r;
		if (weekday >= 0 && tm.tm_wday != weekday)
			return -EINVAL;
	}
	return to_ns(make_time(&tm, utc, zone), fraction_ns, ret_ns);
}

/* ±HH:MM, ±HHMM, ±HH or Z at the end of an RFC 3339 time; 1: none. */
static int parse_offset(const char *text, int64_t *ret_ns)
{
	int hours, minutes = 0, used = 0;

	if (!*text)
		return 1;
	if (strcasecmp(text, "Z") == 0) {
		*ret_ns = 0;
		return 0;
	}
	if ((*text != '+' && *text != '-') || !isdigit((unsigned char)text[1]))
		return -EINVAL;
	if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || text[1 + used]) {
		minutes = 0;
		used = 0;
		if (sscanf(text + 1, "%2d%n", &hours, &used) != 1 || text[1 + used]) {
			used = 0;
			if (sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &used) != 2 ||
			    text[1 + used])
				return -EINVAL;
		}
	}
	if (hours > 23 || minutes < 0 || minutes > 59)
		return -EINVAL;
	*ret_ns = (hours * 3600 + minutes * 60) * NS_PER_SEC * (*text == '-' ? -1 : 1);
	return 0;
}

static int parse_rfc3339(const char *text, bool utc, int64_t *ret_ns)
{
	int64_t fraction_ns = 0, offset_ns, ns;
	struct tm tm = {.tm_isdst = -1};
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	int r;

	if (!end || end - text != 10 || !strchr("Tt ", *end) || !*end)
		return -EINVAL;
	text = end + 1;
	end = strptime(text, "%H:%M:%S", &tm);
	if (end && *end == '.')
		end = take_fraction(end + 1, NS_PER_SEC, &fraction_ns);
	else if (!end)
		end = strptime(text, "%H:%M", &tm);
	if (!end)
		return -EINVAL;
	r = parse_offset(end, &offset_ns);
	if (r < 0)
		return r;
	if (r > 0)
		return to_ns(make_time(&tm, utc, NULL), fraction_ns, ret_ns);
	r = to_ns(timegm(&tm), fraction_ns, &ns);
	if (r == 0 && __builtin_sub_overflow(ns, offset_ns, &ns))
		r = -ERANGE;
	if (r == 0)
		*ret_ns = ns;
	return r;
}

/* now, +SPAN, -SPAN, SPAN ago, SPAN left, @SECONDS; 1: none of these. */
static int parse_relative(const char *text, int64_t now_unix_ns, int64_t *ret_ns)
{
	CLEANUP_FREE char *span = NULL;
	size_t length = strlen(text);
	int64_t ns;
	int r, sign = 1;

	if (strcmp(text, "now") == 0) {
		*ret_ns = now_unix_ns;
		return 0;
	}
	if (*text == '@' || *text == '+' || *text == '-') {
		sign = *text == '-' ? -1 : 1;
		span = strdup(text + 1);
	} else if (length > 4 && strcmp(text + length - 4, " ago") == 0) {
		sign = -1;
		span = strndup(text, length - 4);
	} else if (length > 5 && strcmp(text + length - 5, " left") == 0) {
		span = strndup(text, length - 5);
	} else {
		return 1;
	}
	r = span ? timespec_parse_span(span, &ns) : -ENOMEM;
	if (r < 0)
		return r;
	if (*text == '@')
		*ret_ns = ns;
	else if (__builtin_add_overflow(now_unix_ns, sign * ns, ret_ns))
		return -ERANGE;
	if (*ret_ns < 0)
		*ret_ns = 0;
	return 0;
}

int timespec_parse(const char *text, int64_t now_unix_ns, bool utc, int64_t *ret_unix_ns)
{
	int r = parse_relative(text, now_unix_ns, ret_unix_ns);

	if (r == 1)
		r = parse_calendar(text, now_unix_ns, utc, ret_unix_ns);
	if (r == -EINVAL)
		r = parse_rfc3339(text, utc, ret_unix_ns);
	return r;
}

static void split(int64_t unix_ns, time_t *seconds, int64_t *fraction_ns)
{
	*seconds = (time_t)(unix_ns / NS_PER_SEC);
	*fraction_ns = unix_ns % NS_PER_SEC;
	if (*fraction_ns < 0) {
		*fraction_ns += NS_PER_SEC;
		(*seconds)--;
	}
}

static void put_digits(char *out, int count, int64_t value)
{
	while (count-- > 0) {
		out[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

/*
 * "2026-11-21 03:12:" of a minute. Answers come sorted by time and zones change on whole minutes,
 * so remembering the last one saves nearly every conversion.
 */
static const char *minute_text(time_t seconds, bool utc)
{
	static struct {
		time_t minute;
		bool valid, utc;
		char text[TIMESPEC_SIZE];
	} last;
	time_t minute = seconds / 60 - (seconds % 60 < 0), start = minute * 60;
	struct tm tm;

	if (last.valid && last.minute == minute && last.utc == utc)
		return last.text;
	if (utc)
		gmtime_r(&start, &tm);
	else
		localtime_r(&start, &tm);
	snprintf(last.text, sizeof(last.text), "%04d-%02d-%02d %02d:%02d:", tm.tm_year + 1900,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min);
	last.minute = minute;
	last.utc = utc;
	last.valid = true;
	return last.text;
}

/* Returns the end of what it wrote. */
static char *put_time(int64_t unix_ns, bool utc, int digits, char *out)
{
	int64_t fraction_ns;
	time_t seconds;
	const char *minute;
	size_t length;

	split(unix_ns, &seconds, &fraction_ns);
	minute = minute_text(seconds, utc);
	length = strlen(minute);
	memcpy(out, minute, length);
	out += length;
	put_digits(out, 2, (seconds % 60 + 60) % 60);
	out += 2;
	if (digits > 0) {
		*out++ = '.';
		for (int i = digits; i < 9; i++)
			fraction_ns /= 10;
		put_digits(out, digits, fraction_ns);
		out += digits;
	}
	*out = '\0';
	return out;
}

void timespec_rfc3339(int64_t unix_ns, char out[TIMESPEC_SIZE])
{
	char *end = put_time(unix_ns, true, 9, out);

	*strchr(out, ' ') = 'T';
	end[0] = 'Z';
	end[1] = '\0';
}

void timespec_format(int64_t unix_ns, bool utc, int digits, char out[TIMESPEC_SIZE])
{
	put_time(unix_ns, utc, digits, out);
}

/* "3h12m": a number, its unit, and a two-digit rest where there is one. */
static void put_span(char *out, int64_t number, const char *unit, int64_t rest,
		     const char *rest_unit)
{
	int64_t power = 1;
	int digits = 1;

	while (number / power >= 10) {
		power *= 10;
		digits++;
	}
	put_digits(out, digits, number);
	out = stpcpy(out + digits, unit);
	if (rest_unit) {
		put_digits(out, 2, rest);
		strcpy(out + 2, rest_unit);
	}
}

void timespec_format_span(int64_t ns, char out[TIMESPEC_SIZE])
{
	int64_t s = ns / NS_PER_SEC;

	if (ns < 0)
		strcpy(out, "?");
	else if (ns < 1000000)
		put_span(out, ns / 1000, "us", 0, NULL);
	else if (ns < NS_PER_SEC)
		put_span(out, ns / 1000000, "ms", 0, NULL);
	else if (s < 60)
		put_span(out, s, ".", ns % NS_PER_SEC / 10000000, "s");
	else if (s < 3600)
		put_span(out, s / 60, "m", s % 60, "s");
	else if (s < 86400)
		put_span(out, s / 3600, "h", s % 3600 / 60, "m");
	else if (s < 100 * 86400)
		put_span(out, s / 86400, "d", s % 86400 / 3600, "h");
	else
		put_span(out, s / 86400, "d", 0, NULL);
}
