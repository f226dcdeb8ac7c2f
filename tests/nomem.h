/* tests/nomem.h - the nth allocation fails.
 * Unit tests are linked with --wrap for malloc, calloc, realloc, strdup and free, so every
 * allocation of our own code passes here; those inside of libraries do not. For one thread.
 */
#pragma once

/* A scenario: returns 0 when it did all it wanted, -ENOMEM when memory was short. It releases all
 * it allocated, either way. */
typedef int nomem_fn(void *ctx);

/* Runs fn with its 1st, 2nd, 3rd... allocation failing until one run needed fewer. Fails the test
 * when a run leaks, when one returns anything but 0 or -ENOMEM, or when the last one, which had all
 * it asked for, does not return 0. Returns the allocations of a run.
 */
unsigned nomem_each(nomem_fn *fn, void *ctx);
