/* user/detect/encoded.h - a value in the ways in which it is written to leave unnoticed: base64
 * (alone or inside of something longer), hexadecimal digits, percent signs.
 */
#pragma once

#include "text/view.h"

/* Where text holds value: as it stands, or else encoded; then the whole encoded run. *ret_how:
 * "base64", "" for as it stands. False: nowhere. */
bool encoded_find(struct span text, struct span value, struct range *ret, const char **ret_how);
