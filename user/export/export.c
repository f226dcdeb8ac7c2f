/* user/export/export.c - the table of exporters. */
#include "export/export.h"

#include <assert.h>

#include "base/own.h"

#define EXPORTER(name) extern const struct exporter exporter_##name;
#include "export/exporters.def"
#undef EXPORTER

const struct exporter *const exporters[EXPORT_MAX_] = {
#define EXPORTER(name) &exporter_##name,
#include "export/exporters.def"
#undef EXPORTER
};

#define EXPORTER(name) +1
static_assert(0
#include "export/exporters.def"
		  == EXPORT_MAX_,
	      "export type without a row");
#undef EXPORTER
