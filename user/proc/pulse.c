/* user/proc/pulse.c - is the sensor alive from end to end? */
#include "proc/pulse.h"

#include "base/clock.h"
#include "base/own.h"

#define RETRY_NS NS_PER_SEC /* while none comes through */

const char *const pulse_names[PULSE_STATE_MAX_] = {
	[PULSE_OFF] = "off",
	[PULSE_WAITING] = "waiting",
	[PULSE_SEEN] = "seen",
	[PULSE_BLIND] = "blind",
};

void pulse_begin(struct pulse *p, uint64_t period_ns, uint64_t limit_ns, uint64_t now_ns)
{
	*p = (struct pulse){ .period_ns = period_ns,
			     .limit_ns = limit_ns,
			     .seen_ns = now_ns,
			     .state = period_ns ? PULSE_WAITING : PULSE_OFF };
}

enum pulse_state pulse_look(struct pulse *p, uint64_t seen_ns, uint64_t now_ns)
{
	enum pulse_state before = p->state;

	if (p->state == PULSE_OFF)
		return before;
	seen_ns = MIN(seen_ns, now_ns);
	if (seen_ns > p->seen_ns) {
		p->seen_ns = seen_ns;
		p->state = PULSE_SEEN;
	}
	if (now_ns > p->seen_ns && now_ns - p->seen_ns > p->limit_ns)
		p->state = PULSE_BLIND;
	return before;
}

bool pulse_due(struct pulse *p, uint64_t now_ns)
{
	/* The last one may not have come through: the next is not waited for that long. */
	bool open = p->state != PULSE_SEEN || p->asked_ns > p->seen_ns;
	uint64_t wait = open ? MIN(RETRY_NS, p->period_ns) : p->period_ns;

	if (p->state == PULSE_OFF || (p->asked_ns && now_ns - p->asked_ns < wait))
		return false;
	p->asked_ns = now_ns;
	return true;
}

void pulse_hurry(struct pulse *p)
{
	p->asked_ns = 0;
}
