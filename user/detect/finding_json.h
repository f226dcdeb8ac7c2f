/* user/detect/finding_json.h - a finding as JSON, for `earshot scan` and `earshot replay`. */
#pragma once

#include "base/json_out.h"
#include "detect/finding.h"

/* Writes what was found into the object that is open in o; where it was found is the caller's to
 * say. Severity: as of an answered request, for what became of this one is not known here. */
void finding_json(struct json_out *o, const struct finding *f);
