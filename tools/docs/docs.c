/* tools/docs/docs.c - prints docs/reference.md from the tables: alert kinds, detectors, dialects,
 * counters, kernel features. */
#include <stdio.h>

#include "capture/capture.h"
#include "detect/detect.h"
#include "dialect/dialect.h"
#include "proc/page.h"

static void print_kinds(void)
{
	puts("## Alert kinds\n\n"
	     "Severity depends on what became of the request: unknown, answered, refused, blocked, "
	     "tool executed, error.\n\n"
	     "| kind | mode | severity | title | ATLAS | OWASP |\n|---|---|---|---|---|---|");
	for (int k = 0; k < KIND_MAX_; k++) {
		printf("| `%s` | %s | ", kinds[k].name, mode_name(kinds[k].mode));
		for (int o = 0; o < OUTCOME_MAX_; o++)
			printf("%s%s", o ? ", " : "", severity_name(kinds[k].severity[o]));
		printf(" | %s | %s | %s |\n", kinds[k].title, kinds[k].atlas, kinds[k].owasp);
	}
	for (int k = 0; k < KIND_MAX_; k++)
		printf("\n**`%s`**: %s *What to do:* %s\n", kinds[k].name, kinds[k].description,
		       kinds[k].remediation);
}

static bool told_by_body(const struct dialect *d)
{
	for (size_t i = 0; i < d->n_routes; i++)
		if (d->routes[i].form && d->routes[i].form->needs)
			return true;
	return !d->n_routes;
}

static void print_dialects(void)
{
	puts("\n## AI APIs\n\nA path is compared from its end, so that gateways may put a prefix "
	     "before it; `{}` stands for a name. Dialects marked * are also told by the request's "
	     "body, on any path of any host.\n\n| dialect | what it is |\n|---|---|");
	for (size_t i = 0; dialects[i]; i++)
		printf("| `%s`%s | %s |\n", dialects[i]->name,
		       told_by_body(dialects[i]) ? " *" : "", dialects[i]->summary);
	puts("\n| method | path | reads as | operation |\n|---|---|---|---|");
	for (size_t i = 0; dialects[i]; i++)
		for (size_t k = 0; k < dialects[i]->n_routes; k++) {
			const struct route *r = &dialects[i]->routes[k];

			printf("| %s | `%s`%s%s | %s | %s |\n", r->method ? r->method : "POST",
			       r->path, r->provider ? " at " : "", r->provider ? r->provider : "",
			       r->form ? r->form->name : "what its body tells",
			       operation_name(r->operation ? r->operation : r->form->operation));
		}
}

int main(void)
{
	puts("<!-- Printed by `make docs` from the tables in the source; do not edit. -->\n# "
	     "Reference\n");
	print_kinds();
	puts("\n## Detectors\n\n| detector | what it finds |\n|---|---|");
	for (size_t i = 0; detectors[i]; i++)
		printf("| `%s` | %s |\n", detectors[i]->name, detectors[i]->summary);
	print_dialects();
	puts("\n## Counters\n\n`earshot status -o json` shows all of them.\n\n| counter | meaning "
	     "|\n|---|---|");
	for (int c = 0; c < CTR_MAX_; c++)
		printf("| `%s` | %s |\n", counters[c].name, counters[c].help);
	puts("\n## Kernel features\n\n| feature | since | gives | needed |\n|---|---|---|---|");
	for (int f = 0; f < FEAT_MAX_; f++)
		printf("| %s | %s | %s | %s |\n", features[f].name, features[f].since,
		       features[f].gives, features[f].required ? "yes" : "no");
	return ferror(stdout) ? 1 : 0;
}
