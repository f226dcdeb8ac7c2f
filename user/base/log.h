/* user/base/log.h - one line per event on stderr, for the top level of each process only.
 * Never give it captured text. Control characters in arguments are escaped.
 * Under systemd (JOURNAL_STREAM set) lines carry a syslog priority prefix <N>; on a terminal, a
 * colour.
 */
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_MAX_ };

/* who: the role's name, shown in each line. Call once, before the sandbox. */
void log_init(const char *who, enum log_level max);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *fmt, ...);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)
