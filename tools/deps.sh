#!/bin/sh
# tools/deps.sh [build|test|bench|kernels|fuzz|lint]... - install what is missing with apt; silent and quick when nothing is.
# Debian 12 takes libbpf and bpftool from bookworm-backports, on the mirror the host already uses.
# shellcheck disable=SC2034 # the groups are read by name
set -eu

build="gcc make pkg-config clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libssl-dev
	libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libvectorscan-dev libsqlite3-dev
	libcurl4-openssl-dev libyaml-dev libutf8proc-dev libseccomp-dev libcap-ng-dev libxxhash-dev libpsl-dev libidn2-dev libbrotli-dev libzstd-dev ca-certificates"
test="libcmocka-dev libjansson-dev libnghttp2-dev curl openssl nginx-light nodejs npm python3 python3-venv sqlite3 iproute2 iptables procps util-linux mount kmod
	python3-yaml python3-stdnum systemd apache2 haproxy libio-socket-ssl-perl php-cli ruby wget"
bench="wrk bpftrace bpfcc-tools python3 libjansson-dev"
kernels="qemu-system-x86 busybox-static cpio"
# The runtime of the clang that is there: install the build group first.
fuzz="libclang-rt-$(clang -dumpversion 2>/dev/null | cut -d. -f1)-dev"
lint="clang-format clang-tidy cppcheck shellcheck mandoc"

have() {
	case $1 in
	# Present by any means counts: a Node.js from elsewhere conflicts with Debian's npm.
	nodejs) command -v node >/dev/null && return ;;
	npm) command -v npm >/dev/null && return ;;
	bpftool) bpftool version >/dev/null 2>&1 && return ;;
	esac
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

want=""
for group in "${@:-build}"; do
	eval "packages=\${$group-}"
	[ -n "$packages" ] || { echo "deps.sh: unknown group '$group' (build, test, bench, kernels, fuzz, lint)" >&2; exit 2; }
	for p in $packages; do have "$p" || want="$want $p"; done
done

# libbpf below 1.3 has no uprobe_multi.
libbpf=$(dpkg-query -W -f='${Version}' libbpf-dev 2>/dev/null || echo 0)
dpkg --compare-versions "${libbpf#*:}" ge 1.3 || want="$want libbpf-dev bpftool"
[ -n "$want" ] || exit 0

command -v apt-get >/dev/null || { echo "deps.sh: apt-get not found; install by hand:$want" >&2; exit 3; }
[ "$(id -u)" = 0 ] || { echo "deps.sh: these packages are missing, run as root to install them:$want" >&2; exit 3; }

. /etc/os-release
release=""
if [ "${VERSION_CODENAME-}" = bookworm ]; then
	mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null |
		sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +([^ ]+\/debian)\/?( .*)?$/\3/p' | head -n 1)
	if [ -n "$mirror" ] && ! apt-cache policy 2>/dev/null | grep -q bookworm-backports; then
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror bookworm-backports main" \
			>/etc/apt/sources.list.d/earshot-backports.list
	fi
	release="libbpf-dev/bookworm-backports libbpf1/bookworm-backports bpftool/bookworm-backports"
fi

pinned=""
for p in $want; do
	# Ubuntu 24.04 ships it with the tools of each kernel.
	[ "$p" = bpftool ] && [ "${ID-}" = ubuntu ] && p="linux-tools-common linux-tools-$(uname -r)"
	for r in $release; do
		[ "${r%%/*}" = "$p" ] && { p=$r; [ "$p" = libbpf-dev/bookworm-backports ] && p="$p libbpf1/bookworm-backports"; break; }
	done
	pinned="$pinned $p"
done

export DEBIAN_FRONTEND=noninteractive
# A package that a test starts itself (nginx) must not start as a service.
policy=/usr/sbin/policy-rc.d
[ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; trap 'rm -f $policy' EXIT; }
log=$(mktemp)
echo "deps.sh: installing$want" >&2
# shellcheck disable=SC2086 # a list of packages
apt-get update -q >"$log" 2>&1 && apt-get install -qy --no-install-recommends $pinned >>"$log" 2>&1 || {
	cat "$log" >&2
	rm -f "$log"
	exit 1
}
rm -f "$log"
