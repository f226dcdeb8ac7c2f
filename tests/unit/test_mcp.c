/* tests/unit/test_mcp.c - what MCP's own package sends, over all its transports, becomes turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/own.h"
#include "recording.h"

static void test_recordings(void **state)
{
	(void)state;
	recordings_test("mcp_");
}

/* An address alone, or a field alone, makes no call of a tool. */
static void test_near_misses(void **state)
{
	static const struct {
		const char *target, *body;
	} rows[] = {
		{ "/mcp",
		  "{\"method\":\"restart\",\"params\":{\"name\":\"web\",\"arguments\":[]}}" },
		{ "/messages", "{\"messages\":[\"hello\"],\"method\":\"sms\"}" },
		{ "/message",
		  "{\"jsonrpc\":\"2.0\",\"method\":\"eth_call\",\"params\":[],\"id\":1}" },
		{ "/rpc", "{\"jsonrpc\":\"2.0\",\"method\":\"tools/list\",\"id\":1}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_mem char *log = wire_call(rows[i].target, rows[i].body, "200 OK\r\n", "{}");

		if (log && *log)
			fail_msg("%s %s\n%s", rows[i].target, rows[i].body, log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recordings),
		cmocka_unit_test(test_near_misses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
