/* tests/evlog.c - what a parser said, as text. */
#include "evlog.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/own.h"

/* mmap, not malloc: the log must not count as an allocation of what is tested. */
static void add(struct evlog *l, const char *s, size_t n)
{
	if (l->len + n + 1 > l->room) {
		size_t room = l->room ? l->room : 1 << 16;
		char *p;

		while (room < l->len + n + 1)
			room *= 2;
		p = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			abort();
		if (l->p) {
			memcpy(p, l->p, l->len);
			munmap(l->p, l->room);
		}
		l->p = p;
		l->room = room;
	}
	memcpy(l->p + l->len, s, n);
	l->len += n;
	l->p[l->len] = 0;
}

static void add_format(struct evlog *l, const char *fmt, va_list args)
{
	char s[1024];
	int n = vsnprintf(s, sizeof(s), fmt, args);

	add(l, s, MIN((size_t)n, sizeof(s) - 1));
}

void evlog_end(struct evlog *l)
{
	if (l->in_text)
		add(l, "\n", 1);
	l->in_text = false;
}

void evlog_begin(struct evlog *l, const char *fmt, ...)
{
	va_list args;

	evlog_end(l);
	va_start(args, fmt);
	add_format(l, fmt, args);
	va_end(args);
	l->in_text = true;
}

void evlog_line(struct evlog *l, const char *fmt, ...)
{
	va_list args;

	evlog_end(l);
	va_start(args, fmt);
	add_format(l, fmt, args);
	va_end(args);
	add(l, "\n", 1);
}

static bool is_plain(uint8_t c)
{
	return c >= ' ' && c < 0x7f && c != '\\';
}

void evlog_text(struct evlog *l, struct span s)
{
	static const char *const named[256] = {
		['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t", ['\\'] = "\\\\"
	};
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0, n; i < s.len; i += n) {
		uint8_t c = s.p[i];

		for (n = 0; i + n < s.len && is_plain(s.p[i + n]); n++)
			;
		if (n) {
			add(l, (const char *)s.p + i, n);
			continue;
		}
		n = 1;
		if (named[c])
			add(l, named[c], 2);
		else
			add(l, (char[]){ '\\', 'x', digits[c >> 4], digits[c & 0xf] }, 4);
	}
}

void evlog_piece(struct evlog *l, const char *tag, struct span s)
{
	const char *line = l->p ? memrchr(l->p, '\n', l->len) : NULL;
	size_t n = strlen(tag);

	line = line ? line + 1 : l->p;
	if (!l->in_text || strncmp(line, tag, n) || line[n] != ' ')
		evlog_begin(l, "%s ", tag);
	evlog_text(l, s);
}

void evlog_clear(struct evlog *l)
{
	l->len = 0;
	l->in_text = false;
	if (l->p)
		*l->p = 0;
}

void evlog_free(struct evlog *l)
{
	if (l->p)
		munmap(l->p, l->room);
	*l = (struct evlog){ 0 };
}
