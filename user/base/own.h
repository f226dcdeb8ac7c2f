/* user/base/own.h - ownership: automatic release, steal(), descriptors, arrays.
 * auto_free(x) runs x_free(&p) when the variable leaves scope; every x_free() takes NULL and
 * half-built objects.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)     ((a) < (b) ? (a) : (b))
#define MAX(a, b)     ((a) > (b) ? (a) : (b))

#define auto_free(type) __attribute__((cleanup(type##_free)))
#define auto_mem	__attribute__((cleanup(own_mem)))
#define auto_close	__attribute__((cleanup(own_close)))
#define auto_file	__attribute__((cleanup(own_file)))

/* Returns the pointer and clears the variable, so that its cleanup does nothing. */
#define steal(p)                                                                                   \
	({                                                                                         \
		__auto_type steal_ = (p);                                                          \
		(p) = NULL;                                                                        \
		steal_;                                                                            \
	})

/* The same for a descriptor. */
static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

static inline void own_mem(void *p)
{
	free(*(void **)p);
}

/* Closes and sets -1; -1 is accepted. */
static inline void own_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void own_file(FILE **f)
{
	if (*f)
		fclose(*f);
	*f = NULL;
}
