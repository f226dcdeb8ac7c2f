/* user/detect/kind.c - the table of alert kinds, and names of kinds, severities and modes. */
#include "detect/kind.h"

#include <assert.h>
#include <string.h>

#define SEVERITIES(unknown, answered, refused, blocked, tool_executed, error)                      \
	{                                                                                          \
		[OUTCOME_UNKNOWN] = SEVERITY_##unknown, [OUTCOME_ANSWERED] = SEVERITY_##answered,  \
		[OUTCOME_REFUSED] = SEVERITY_##refused, [OUTCOME_BLOCKED] = SEVERITY_##blocked,    \
		[OUTCOME_TOOL_EXECUTED] = SEVERITY_##tool_executed,                                \
		[OUTCOME_ERROR] = SEVERITY_##error,                                                \
	}
static_assert(OUTCOME_MAX_ == 6, "an outcome without a column");

const struct kind_row kinds[KIND_MAX_] = {
#define KIND(id, ...) [KIND_##id] = { __VA_ARGS__ },
#include "detect/kinds.def"
#undef KIND
};

static const char *const severities[SEVERITY_MAX_] = { "informational", "low", "medium", "high",
						       "critical" };
static const char *const modes[MODE_MAX_] = { "alert", "hunt", "off" };

static unsigned find(const char *const *names, unsigned n, const char *name)
{
	unsigned i;

	for (i = 0; i < n && strcmp(names[i], name); i++)
		;
	return i;
}

enum kind kind_find(const char *name)
{
	unsigned k;

	if (!strncmp(name, KIND_CUSTOM_PREFIX, strlen(KIND_CUSTOM_PREFIX)))
		return KIND_CUSTOM;
	for (k = 0; k < KIND_MAX_ && strcmp(kinds[k].name, name); k++)
		;
	return k;
}

const char *severity_name(enum severity s)
{
	return (unsigned)s < SEVERITY_MAX_ ? severities[s] : "unknown";
}

enum severity severity_find(const char *name)
{
	return find(severities, SEVERITY_MAX_, name);
}

const char *mode_name(enum mode m)
{
	return (unsigned)m < MODE_MAX_ ? modes[m] : "unknown";
}

enum mode mode_find(const char *name)
{
	return find(modes, MODE_MAX_, name);
}
