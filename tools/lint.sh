#!/bin/sh
# tools/lint.sh - what the compiler does not see: cppcheck, shellcheck, the direction of includes, man pages.
set -u
cd "$(dirname "$0")/.." || exit 2
failed=0

step() {
	name=$1
	shift
	if "$@"; then
		echo "lint: $name: ok"
	else
		echo "lint: $name: FAILED"
		failed=1
	fi
}

# Which rooms a room of user/ may include, beside itself and generated code; "room/file" allows that one header.
# A program's main file joins rooms, so it may include any.
includes() {
	git ls-files 'user/*.[ch]' | grep -v '/main_[a-z]*\.c$' | xargs awk '
	BEGIN {
		allow["base"] = ""
		allow["parse"] = "base"
		allow["flow"] = "base parse bpf"
		allow["dialect"] = "base parse flow"
		allow["text"] = "base parse flow dialect"
		allow["intel"] = "base parse"
		allow["detect"] = "base parse flow dialect text intel"
		allow["behave"] = "base flow dialect detect proto"
		allow["alert"] = "base flow dialect detect behave config proto"
		allow["store"] = "base detect behave alert config proto proc/page.h proc/explain.h capture/hint.h flow/ident.h"
		allow["export"] = "base alert config proto proc/loop.h"
		allow["ctl"] = "base detect/kind.h alert store config proto proc/loop.h proc/page.h proc/req.h proc/role.h proc/checkup.h trace/replay.h scan/scan.h scan/rules_tool.h scan/intel_tool.h"
		allow["config"] = "base detect/kind.h detect/rule_pack.h"
		allow["capture"] = "base bpf flow/ident.h"
		allow["scan"] = "base parse flow dialect text intel detect config/rules_dir.h"
		allow["trace"] = "base bpf capture/intake.h flow dialect text detect scan/patterns.h"
		allow["proc"] = "base bpf capture config flow/ident.h"
	}
	FNR == 1 { split(FILENAME, path, "/"); room = path[2] }
	/^#include "/ {
		split($2, q, "\""); target = q[2]; split(target, t, "/")
		if (t[1] == room || target !~ /\//  || target ~ /^(capture|discover)\.skel\.h$/)
			next
		if (!(room in allow)) {
			printf "%s: room %s has no row in tools/lint.sh\n", FILENAME, room; bad = 1; nextfile
		}
		if ((" " allow[room] " ") !~ (" " t[1] " ") && index(" " allow[room] " ", " " target " ") == 0) {
			printf "%s:%d: %s must not include %s\n", FILENAME, FNR, room, target; bad = 1
		}
	}
	END { exit bad }'
}

# view.c fills what it reads, which cppcheck cannot see. Leaks are not its business: it knows no cleanup attribute, ASan does. Nor are functions that threads must not call: the
# processes that call them have one thread.
c_code() {
	git ls-files 'user/*.c' 'tools/*.c' | xargs cppcheck --quiet --error-exitcode=1 --inline-suppr -j 2 \
		--enable=warning,performance,portability --std=c11 --library=posix -D__GNUC__ -D_GNU_SOURCE -D__x86_64__ -D__linux__ \
		'-DLIBBPF_OPTS(type,name,...)=struct type name = {}' \
		-I. -Iuser --suppress=missingInclude --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		--suppress=uninitvar:user/text/view.c --suppress=memleak --suppress=resourceLeak --suppress=getpwnamCalled --suppress=getgrnamCalled --suppress=getpwuidCalled --suppress=readdirCalled
}

shell() {
	git ls-files | while read -r file; do
		case $(head -c 64 "$file" 2>/dev/null | head -n 1 | tr -d '\0') in
		'#!/bin/sh' | '#!/bin/bash') echo "$file" ;;
		esac
	done | xargs shellcheck --severity=warning
}

python() {
	git ls-files '*.py' | xargs python3 -c '
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)'
}

man_pages() {
	pages=$(git ls-files 'docs/man/*.[158]')
	# shellcheck disable=SC2086 # a list of files
	[ -z "$pages" ] || mandoc -T lint -W warning $pages
}

step "include directions" includes
step "cppcheck" c_code
step "shellcheck" shell
step "python" python
step "man pages" man_pages
exit $failed
