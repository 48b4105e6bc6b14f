/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config_value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "schema/cleanup.h"

/* Decimal digits at *text, which moves behind them. */
static int parse_digits(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t value = 0;

	if (!isdigit((unsigned char)*p))
		return -EINVAL;
	for (; isdigit((unsigned char)*p); p++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return -ERANGE;
	}
	*text = p;
	*ret = value;
	return 0;
}

int config_parse_count(const char *text, uint64_t *ret_count)
{
	uint64_t value;
	int r = parse_digits(&text, &value);

	if (r < 0)
		return r;
	if (*text)
		return -EINVAL;
	*ret_count = value;
	return 0;
}

static const struct {
	char suffix;
	unsigned shift;
} size_units[] = {{'T', 40}, {'G', 30}, {'M', 20}, {'K', 10}};

int config_parse_size(const char *text, uint64_t *ret_bytes)
{
	uint64_t value;
	int r = parse_digits(&text, &value);

	if (r < 0)
		return r;
	for (size_t i = 0; *text && i < ARRAY_SIZE(size_units); i++) {
		if (*text != size_units[i].suffix)
			continue;
		if (value > UINT64_MAX >> size_units[i].shift)
			return -ERANGE;
		value <<= size_units[i].shift;
		text++;
		break;
	}
	if (*text)
		return -EINVAL;
	*ret_bytes = value;
	return 0;
}

#define NS_PER_SEC 1000000000ULL

/* Longer words before their beginnings. Month and year are systemd's averages. */
static const struct {
	const char *name;
	uint64_t ns;
} time_units[] = {
	{"seconds", NS_PER_SEC},
	{"second", NS_PER_SEC},
	{"sec", NS_PER_SEC},
	{"minutes", 60 * NS_PER_SEC},
	{"minute", 60 * NS_PER_SEC},
	{"min", 60 * NS_PER_SEC},
	{"months", 2629800 * NS_PER_SEC},
	{"month", 2629800 * NS_PER_SEC},
	{"msec", NS_PER_SEC / 1000},
	{"ms", NS_PER_SEC / 1000},
	{"usec", 1000},
	{"us", 1000},
	{"\xc2\xb5s", 1000},
	{"\xce\xbcs", 1000},
	{"nsec", 1},
	{"ns", 1},
	{"hours", 3600 * NS_PER_SEC},
	{"hour", 3600 * NS_PER_SEC},
	{"hr", 3600 * NS_PER_SEC},
	{"days", 86400 * NS_PER_SEC},
	{"day", 86400 * NS_PER_SEC},
	{"weeks", 604800 * NS_PER_SEC},
	{"week", 604800 * NS_PER_SEC},
	{"years", 31557600 * NS_PER_SEC},
	{"year", 31557600 * NS_PER_SEC},
	{"M", 2629800 * NS_PER_SEC},
	{"s", NS_PER_SEC},
	{"m", 60 * NS_PER_SEC},
	{"h", 3600 * NS_PER_SEC},
	{"d", 86400 * NS_PER_SEC},
	{"w", 604800 * NS_PER_SEC},
	{"y", 31557600 * NS_PER_SEC},
};

static uint64_t parse_unit(const char **text)
{
	for (size_t i = 0; i < ARRAY_SIZE(time_units); i++) {
		size_t n = strlen(time_units[i].name);

		if (strncmp(*text, time_units[i].name, n))
			continue;
		*text += n;
		return time_units[i].ns;
	}
	return 0;
}

static void skip_blanks(const char **text)
{
	*text += strspn(*text, " \t");
}

/* One "1.5h". Digits of the fraction below a nanosecond are dropped. */
static int parse_span(const char **text, uint64_t *ret_ns)
{
	const char *fraction = NULL;
	uint64_t value, unit, step;
	int r = parse_digits(text, &value);

	if (r < 0)
		return r;
	if (**text == '.') {
		fraction = ++*text;
		*text += strspn(*text, "0123456789");
		if (*text == fraction)
			return -EINVAL;
	}
	skip_blanks(text);
	unit = parse_unit(text);
	if (!unit) {
		if (**text && !isdigit((unsigned char)**text))
			return -EINVAL;
		unit = NS_PER_SEC;
	}
	if (__builtin_mul_overflow(value, unit, &value))
		return -ERANGE;
	for (step = unit / 10; fraction && isdigit((unsigned char)*fraction); fraction++) {
		if (__builtin_add_overflow(value, step * (uint64_t)(*fraction - '0'), &value))
			return -ERANGE;
		step /= 10;
	}
	*ret_ns = value;
	return 0;
}

int config_parse_time(const char *text, uint64_t *ret_ns)
{
	uint64_t sum = 0, span;
	int r;

	skip_blanks(&text);
	if (!*text)
		return -EINVAL;
	while (*text) {
		r = parse_span(&text, &span);
		if (r < 0)
			return r;
		if (__builtin_add_overflow(sum, span, &sum))
			return -ERANGE;
		skip_blanks(&text);
	}
	*ret_ns = sum;
	return 0;
}

int config_parse_bool(const char *text, bool *ret_bool)
{
	static const char *const words[][6] = {{"0", "no", "n", "false", "f", "off"},
					       {"1", "yes", "y", "true", "t", "on"}};

	for (size_t truth = 0; truth < ARRAY_SIZE(words); truth++) {
		for (size_t i = 0; i < ARRAY_SIZE(words[0]); i++) {
			if (strcasecmp(text, words[truth][i]))
				continue;
			*ret_bool = truth;
			return 0;
		}
	}
	return -EINVAL;
}

void config_print_size(char out[CONFIG_VALUE_SIZE], uint64_t bytes)
{
	for (size_t i = 0; bytes && i < ARRAY_SIZE(size_units); i++) {
		if (bytes & ((1ULL << size_units[i].shift) - 1))
			continue;
		snprintf(out, CONFIG_VALUE_SIZE, "%" PRIu64 "%c", bytes >> size_units[i].shift,
			 size_units[i].suffix);
		return;
	}
	snprintf(out, CONFIG_VALUE_SIZE, "%" PRIu64, bytes);
}

void config_print_time(char out[CONFIG_VALUE_SIZE], uint64_t ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"day", 86400 * NS_PER_SEC},
		     {"h", 3600 * NS_PER_SEC},
		     {"min", 60 * NS_PER_SEC},
		     {"s", NS_PER_SEC},
		     {"ms", NS_PER_SEC / 1000},
		     {"us", 1000},
		     {"ns", 1}};
	size_t i = 0;

	if (!ns) {
		snprintf(out, CONFIG_VALUE_SIZE, "0");
		return;
	}
	while (ns % units[i].ns)
		i++;
	snprintf(out, CONFIG_VALUE_SIZE, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
}
