/* user/detect/sensitive_data.c - the table of types, see sensitive.def. */
#include "detect/sensitive.h"
#include "detect/sensitive_char.h"

const struct sensitive_type sensitive_types[SENSITIVE_MAX_] = {
#define SENSITIVE(id, ...) [SENSITIVE_##id] = { __VA_ARGS__ },
#include "detect/sensitive.def"
#undef SENSITIVE
};

const uint8_t char_kinds[256] = {
	[' '] = CHAR_SEPARATOR,
	['/'] = CHAR_SEPARATOR,
	['-'] = CHAR_SEPARATOR | CHAR_LOCAL | CHAR_SIGN,
	['.'] = CHAR_SEPARATOR | CHAR_LOCAL | CHAR_SIGN,
	['_'] = CHAR_LOCAL,
	['%'] = CHAR_LOCAL | CHAR_SIGN,
	['+'] = CHAR_LOCAL | CHAR_SIGN,
	['('] = CHAR_SIGN,
	[':'] = CHAR_SIGN,
	[';'] = CHAR_SIGN,
	['<'] = CHAR_SIGN,
	['0' ... '9'] = CHAR_DIGIT | CHAR_HEX,
	['A' ... 'F'] = CHAR_UPPER | CHAR_HEX,
	['G' ... 'Z'] = CHAR_UPPER,
	['a' ... 'f'] = CHAR_LOWER | CHAR_HEX,
	['g' ... 'z'] = CHAR_LOWER,
};
