/* tests/e2e/sensitive_verdicts.c - says of each line "TYPE VALUE" on its input whether the type's
 * check digits fit the value: 1 or 0. Without input: the types that have a check. */
#include <stdio.h>
#include <string.h>

#include "detect/sensitive.h"

static int verdict(const char *type, const char *value)
{
	for (enum sensitive_id id = 0; id < SENSITIVE_MAX_; id++)
		if (!strcmp(sensitive_types[id].id, type) && sensitive_types[id].check)
			return sensitive_types[id].check(value, strlen(value));
	return -1;
}

int main(void)
{
	char type[64], value[128];

	while (scanf("%63s %127s", type, value) == 2)
		printf("%d\n", verdict(type, value));
	return 0;
}
