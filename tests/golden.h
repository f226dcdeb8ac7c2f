/* tests/golden.h - goldens of parsers: text files of an input and the event log it must give.
 * Every .txt file under tests/data/NAME/, each of one or more cases:
 *
 *	== what it shows [arg]
 *	> bytes, with \r \n \t \\ \xNN; lines are joined as they stand
 *	~ 10          (10 bytes are lost here)
 *	< the log, line by line
 *
 * Lines that begin with '#', and empty ones, are comments.
 */
#pragma once

#include "drive.h"

/* Runs every case: whole, and cut into pieces of every size from 1 on, each piece at a guard page.
 * The log must be the same. Fails the test when one differs, or when there is no case at all.
 * Returns the number of cases.
 */
unsigned golden_run(const struct driver *d);
/* The same inputs with the nth allocation failing. */
void golden_nomem(const struct driver *d);
