/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/json.h"

#include <errno.h>
#include <string.h>

#include "cli/escape.h"

/* Written out in pieces of this size, so that the first line does not wait for the last. */
#define FLUSH_BYTES 32768

void json_begin(struct json *json, FILE *out, int pretty_depth)
{
	*json = (struct json){.out = out, .pretty_depth = pretty_depth};
}

int json_error(const struct json *json)
{
	return json->error ? json->error : json->buffer.failed ? -ENOMEM : 0;
}

int json_flush(struct json *json)
{
	if (json_error(json) == 0 && json->buffer.length &&
	    fwrite(json->buffer.data, 1, json->buffer.length, json->out) != json->buffer.length)
		json->error = errno ? -errno : -EIO;
	buffer_clear(&json->buffer);
	return json_error(json);
}

void json_deinit(struct json *json)
{
	buffer_deinit(&json->buffer);
}

static void add_quoted(struct buffer *out, const char *s, size_t length, bool html)
{
	size_t plain = 0, used;

	buffer_putc(out, '"');
	for (size_t i = 0; i < length; i += used) {
		uint32_t c;
		bool valid = escape_next(s + i, length - i, &c, &used);

		bool markup = html && (c == '<' || c == '>' || c == '&');

		if (valid && c != '"' && c != '\\' && escape_is_printable(c) && !markup)
			continue;
		buffer_add(out, s + plain, i - plain);
		plain = i + used;
		if (!valid)
			buffer_puts(out, "\xef\xbf\xbd");
		else if (c == '"' || c == '\\')
			buffer_printf(out, "\\%c", (char)c);
		else if (c <= 0xffff)
			buffer_printf(out, "\\u%04x", c);
		else
			buffer_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
				      0xdc00 + ((c - 0x10000) & 0x3ff));
	}
	buffer_add(out, s + plain, length - plain);
	buffer_putc(out, '"');
}

static void indent(struct json *json)
{
	buffer_putc(&json->buffer, '\n');
	buffer_pad(&json->buffer, (size_t)json->depth * 2);
}

/* Comma, line break and key before a value. */
static void begin_value(struct json *json, const char *key)
{
	if (json->filled[json->depth])
		buffer_putc(&json->buffer, ',');
	json->filled[json->depth] = true;
	if (json->depth > 0 && json->depth <= json->pretty_depth)
		indent(json);
	if (key) {
		add_quoted(&json->buffer, key, strlen(key), json->html);
		buffer_putc(&json->buffer, ':');
	}
	if (json->out && json->buffer.length > FLUSH_BYTES)
		json_flush(json);
}

static void open_level(struct json *json, const char *key, char bracket)
{
	begin_value(json, key);
	buffer_putc(&json->buffer, bracket);
	if (json->depth < JSON_DEPTH_MAX)
		json->depth++;
	json->filled[json->depth] = false;
}

static void close_level(struct json *json, char bracket)
{
	bool filled = json->filled[json->depth] && json->depth <= json->pretty_depth;

	if (json->depth > 0)
		json->depth--;
	if (filled)
		indent(json);
	buffer_putc(&json->buffer, bracket);
}

void json_object_begin(struct json *json, const char *key)
{
	open_level(json, key, '{');
}

void json_array_begin(struct json *json, const char *key)
{
	open_level(json, key, '[');
}

void json_object_end(struct json *json)
{
	close_level(json, '}');
}

void json_array_end(struct json *json)
{
	close_level(json, ']');
}

void json_string(struct json *json, const char *key, const char *value, size_t length)
{
	begin_value(json, key);
	add_quoted(&json->buffer, value, length, json->html);
}

void json_text(struct json *json, const char *key, const char *value)
{
	if (value) {
		json_string(json, key, value, strlen(value));
		return;
	}
	begin_value(json, key);
	buffer_puts(&json->buffer, "null");
}

void json_int(struct json *json, const char *key, int64_t value)
{
	begin_value(json, key);
	if (value == INT64_MIN)
		buffer_puts(&json->buffer, "null");
	else
		buffer_int(&json->buffer, value, 0);
}

void json_decimal(struct json *json, const char *key, int64_t whole, unsigned int thousandths)
{
	begin_value(json, key);
	buffer_int(&json->buffer, whole, 0);
	buffer_printf(&json->buffer, ".%03u", thousandths);
}

void json_real(struct json *json, const char *key, double value)
{
	begin_value(json, key);
	if (value - value == 0)
		buffer_printf(&json->buffer, "%.17g", value);
	else
		buffer_puts(&json->buffer, "null");
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	buffer_puts(&json->buffer, value ? "true" : "false");
}

void json_hex(struct json *json, const char *key, const char *value, size_t length)
{
	begin_value(json, key);
	buffer_putc(&json->buffer, '"');
	for (size_t i = 0; i < length; i++) {
		static const char digits[] = "0123456789abcdef";

		buffer_putc(&json->buffer, digits[(unsigned char)value[i] >> 4]);
		buffer_putc(&json->buffer, digits[(unsigned char)value[i] & 15]);
	}
	buffer_putc(&json->buffer, '"');
}

void json_newline(struct json *json)
{
	buffer_putc(&json->buffer, '\n');
	json->filled[0] = false;
}

void json_maybe_text(struct json *json, const char *key, const char *value)
{
	if (value)
		json_text(json, key, value);
}

void json_maybe_int(struct json *json, const char *key, int64_t value)
{
	if (value != INT64_MIN)
		json_int(json, key, value);
}
