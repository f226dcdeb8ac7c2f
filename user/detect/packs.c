/* user/detect/packs.c - the built-in packs of rules, put into the program by the assembler. The
 * build makes packs.def of what is in user/detect/packs: PACK(number, "name.yaml").
 */
#include "detect/packs.h"

#include "base/own.h"

#define PACK(n, file)                                                                              \
	__asm__(".pushsection .rodata\n"                                                           \
		"pack_" #n ": .incbin \"user/detect/packs/" file "\"\n"                            \
		"pack_end_" #n ":\n"                                                               \
		".popsection\n");                                                                  \
	extern const uint8_t pack_##n[] __attribute__((visibility("hidden")));                     \
	extern const uint8_t pack_end_##n[] __attribute__((visibility("hidden")));
#include "packs.def"
#undef PACK

static const struct {
	const char *name;
	const uint8_t *begin, *end;
} packs[] = {
#define PACK(n, file) { file, pack_##n, pack_end_##n },
#include "packs.def"
#undef PACK
};

bool packs_built_in(size_t i, struct span *ret_yaml, const char **ret_name)
{
	if (i >= ARRAY_SIZE(packs))
		return false;
	*ret_yaml = span_of(packs[i].begin, (size_t)(packs[i].end - packs[i].begin));
	*ret_name = packs[i].name;
	return true;
}
