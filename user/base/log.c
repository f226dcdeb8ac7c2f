/* user/base/log.c - one line per event on stderr. */
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/escape.h"

static const struct {
	const char *name;
	const char *colour;
	int priority; /* syslog(3) */
} levels[LOG_LEVEL_MAX_] = {
	[LOG_LEVEL_ERROR] = { "error", "\033[31m", 3 },
	[LOG_LEVEL_WARN] = { "warning", "\033[33m", 4 },
	[LOG_LEVEL_INFO] = { "info", "", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", "\033[2m", 7 },
};

static struct {
	const char *who;
	enum log_level max;
	bool journal, colour;
} state = { "earshot", LOG_LEVEL_INFO, false, false };

void log_init(const char *who, enum log_level max)
{
	state.who = who;
	state.max = max;
	state.journal = getenv("JOURNAL_STREAM") != NULL;
	state.colour = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char raw[2048], safe[4096], line[4352];
	va_list args;
	int n;

	if (level > state.max)
		return;
	va_start(args, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, args);
	va_end(args);
	if (n < 0)
		return;
	escape_str(safe, sizeof(safe), span_str(raw));
	if (state.journal)
		n = snprintf(line, sizeof(line), "<%d>%s: %s\n", levels[level].priority, state.who,
			     safe);
	else
		n = snprintf(line, sizeof(line), "%s%s: %s: %s%s\n",
			     state.colour ? levels[level].colour : "", state.who,
			     levels[level].name, safe,
			     state.colour && *levels[level].colour ? "\033[0m" : "");
	/* One write, so that lines of several processes do not interleave. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}
