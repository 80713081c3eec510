/* Formatted printing without floating point. The console's speed and lock are console.c's. */
#include "runtime/print.h"

#include "runtime/console.h"
#include "runtime/string.h"

struct output {
	char *dst;
	size_t size;   /* bytes at dst */
	size_t length; /* of the whole text so far */
};

/* One conversion: %[flags][width][.precision][length]letter. */
struct conversion {
	bool left, zero, alternate, plus, space;
	int width, precision; /* precision -1: none given */
	int longs;	      /* 2 for ll, 1 for l or z, -1 for h, -2 for hh */
};

static void put_char(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->dst[out->length] = c;
	out->length++;
}

static void put_repeated(struct output *out, char c, int count)
{
	while (count-- > 0)
		put_char(out, c);
}

/* prefix (sign or 0x), then zeroes up to the precision or width, then the text. */
static void put_padded(struct output *out, const struct conversion *c, const char *prefix,
	const char *text, int length)
{
	int zeroes = MAX(c->precision - length, 0);
	int padding = c->width - (int)strlen(prefix) - zeroes - length;

	if (c->zero && !c->left && c->precision < 0 && padding > 0) {
		zeroes = padding;
		padding = 0;
	}
	if (!c->left)
		put_repeated(out, ' ', padding);
	while (*prefix != '\0')
		put_char(out, *prefix++);
	put_repeated(out, '0', zeroes);
	while (length-- > 0)
		put_char(out, *text++);
	if (c->left)
		put_repeated(out, ' ', padding);
}

static void put_number(struct output *out, const struct conversion *c, uint64_t value,
	unsigned int base, bool upper, const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[20]; /* 2^64 has 20 decimal digits */
	int at = sizeof(text);

	for (; value != 0; value /= base)
		text[--at] = digits[value % base];
	if (at == sizeof(text) && c->precision != 0)
		text[--at] = '0';
	put_padded(out, c, prefix, text + at, (int)sizeof(text) - at);
}

static void put_string(struct output *out, const struct conversion *c, const char *s)
{
	struct conversion plain = *c;
	int length = 0;

	if (s == NULL)
		s = "(null)";
	while (s[length] != '\0' && (c->precision < 0 || length < c->precision))
		length++;
	plain.precision = -1;
	plain.zero = false;
	put_padded(out, &plain, "", s, length);
}

static uint64_t take_unsigned(va_list *args, int longs)
{
	switch (longs) {
	case 0:
		return va_arg(*args, unsigned int);
	case -1:
		return (uint16_t)va_arg(*args, unsigned int);
	case -2:
		return (uint8_t)va_arg(*args, unsigned int);
	}
	return va_arg(*args, uint64_t);
}

static int64_t take_signed(va_list *args, int longs)
{
	switch (longs) {
	case 0:
		return va_arg(*args, int);
	case -1:
		return (int16_t)va_arg(*args, int);
	case -2:
		return (int8_t)va_arg(*args, int);
	}
	return va_arg(*args, int64_t);
}

static void put_signed(struct output *out, const struct conversion *c, int64_t value)
{
	const char *sign = value < 0 ? "-" : c->plus ? "+" : c->space ? " " : "";
	uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;

	put_number(out, c, magnitude, 10, false, sign);
}

static void put_conversion(
	struct output *out, const struct conversion *c, char letter, va_list *args)
{
	uint64_t value;

	switch (letter) {
	case 'd':
	case 'i':
		put_signed(out, c, take_signed(args, c->longs));
		break;
	case 'u':
		put_number(out, c, take_unsigned(args, c->longs), 10, false, "");
		break;
	case 'x':
	case 'X':
		value = take_unsigned(args, c->longs);
		put_number(out, c, value, 16, letter == 'X',
			c->alternate && value != 0 ? "0x" : "");
		break;
	case 'p':
		put_number(out, c, (uintptr_t)va_arg(*args, void *), 16, false, "0x");
		break;
	case 's':
		put_string(out, c, va_arg(*args, const char *));
		break;
	case 'c':
		put_char(out, (char)va_arg(*args, int));
		break;
	default: /* %% and what nobody wrote on purpose */
		put_char(out, letter);
	}
}

static const char *parse_flags(const char *f, struct conversion *c)
{
	for (;; f++) {
		if (*f == '-')
			c->left = true;
		else if (*f == '0')
			c->zero = true;
		else if (*f == '#')
			c->alternate = true;
		else if (*f == '+')
			c->plus = true;
		else if (*f == ' ')
			c->space = true;
		else
			return f;
	}
}

static const char *parse_count(const char *f, int *count, va_list *args)
{
	if (*f == '*') {
		*count = va_arg(*args, int);
		return f + 1;
	}
	for (*count = 0; *f >= '0' && *f <= '9'; f++)
		*count = *count * 10 + (*f - '0');
	return f;
}

static const char *parse_conversion(const char *f, struct conversion *c, va_list *args)
{
	*c = (struct conversion){ .precision = -1 };
	f = parse_flags(f, c);
	f = parse_count(f, &c->width, args);
	if (c->width < 0) {
		c->left = true;
		c->width = -c->width;
	}
	if (*f == '.')
		f = parse_count(f + 1, &c->precision, args);
	for (;; f++) {
		if (*f == 'l' || *f == 'z')
			c->longs++;
		else if (*f == 'h')
			c->longs--;
		else
			return f;
	}
}

int vsnprintf(char *dst, size_t size, const char *format, va_list args)
{
	struct output out = { dst, size, 0 };
	struct conversion c;
	va_list rest;

	va_copy(rest, args);
	for (; *format != '\0'; format++) {
		if (*format != '%') {
			put_char(&out, *format);
			continue;
		}
		format = parse_conversion(format + 1, &c, &rest);
		if (*format == '\0')
			break;
		put_conversion(&out, &c, *format, &rest);
	}
	va_end(rest);
	if (size > 0)
		dst[MIN(out.length, size - 1)] = '\0';
	return (int)out.length;
}

int snprintf(char *dst, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(dst, size, format, args);
	va_end(args);
	return length;
}

void vprint(const char *format, va_list args)
{
	char text[1024];
	size_t length = (size_t)vsnprintf(text, sizeof(text), format, args);

	if (length >= sizeof(text)) {
		length = sizeof(text) - 1;
		memcpy(text + length - 4, "...\n", 4);
	}
	console_lock();
	console_write(text, length);
	console_unlock();
}

void print(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprint(format, args);
	va_end(args);
}
