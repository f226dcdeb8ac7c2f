/* user/store/tally.c - how many AI calls each process made. */
#include "store/tally.h"

#include <stdbool.h>
#include <stddef.h>

/* Start times are as coarse as their source. */
static bool is_of(const struct tally_row *r, uint32_t pid, uint64_t start_ns)
{
	const struct proc_info p = { .tgid = r->pid, .start_ns = r->start_ns };

	return r->turns && proc_same(pid, start_ns, &p);
}

void tally_turn(struct tally *t, uint32_t pid, uint64_t start_ns, uint64_t now_ns)
{
	struct tally_row *r = &t->rows[pid % TALLY_ROWS];

	if (!is_of(r, pid, start_ns))
		*r = (struct tally_row){ .start_ns = start_ns, .pid = pid };
	r->turns++;
	r->last_ns = now_ns;
}

const struct tally_row *tally_of(const struct tally *t, uint32_t pid, uint64_t start_ns)
{
	const struct tally_row *r = &t->rows[pid % TALLY_ROWS];

	return is_of(r, pid, start_ns) ? r : NULL;
}
