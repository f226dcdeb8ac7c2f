#!/bin/sh
# deploy/install.sh BUILD_DIR DESTDIR PREFIX        - install what `make` built
# deploy/install.sh --uninstall DESTDIR PREFIX      - remove it again; configuration and alerts stay
# DESTDIR and PREFIX may be empty; PREFIX is then /usr/local. Programs are installed without their symbols, by $STRIP (strip); who
# packages symbols apart keeps them with STRIP=true.
set -eu

here=$(dirname "$(readlink -f "$0")")
roles="earshot-compiler earshot-surveyor earshot-inspector earshot-recorder earshot-keeper earshot-shipper earshot-canary earshot-indexer"

fail() {
	echo "install.sh: $*" >&2
	exit 1
}

# Only on the running system, not into a package's tree, and only where systemd runs.
live() {
	[ -z "$destdir" ] && [ -d /run/systemd/system ]
}

# put MODE SOURCE TARGET, below DESTDIR
put() {
	install -D -m "$1" "$2" "$destdir$3"
}

# put_program SOURCE TARGET
put_program() {
	install -D -s --strip-program="${STRIP:-strip}" -m 755 "$1" "$destdir$2"
}

if [ "${1-}" = --uninstall ]; then
	[ $# = 3 ] || fail "usage: install.sh --uninstall DESTDIR PREFIX"
	destdir=$2 prefix=${3:-/usr/local}
	if live; then
		systemctl disable --now earshot.service >/dev/null 2>&1 || true
	fi
	for page in "$here"/../docs/man/*.[158]; do
		[ -e "$page" ] && rm -f "$destdir$prefix/share/man/man${page##*.}/${page##*/}"
	done
	rm -f "$destdir$prefix/sbin/earshotd" "$destdir$prefix/bin/earshot" "$destdir$prefix/bin/earshot-collector" \
		"$destdir$prefix/bin/earshot-sites" \
		"$destdir$prefix/lib/systemd/system/earshot.service" "$destdir$prefix/lib/sysusers.d/earshot.conf" \
		"$destdir$prefix/lib/tmpfiles.d/earshot.conf" "$destdir$prefix/share/bash-completion/completions/earshot" \
		"$destdir$prefix/share/doc/earshot/earshot.yaml" "$destdir$prefix/share/doc/earshot/rules-example.yaml"
	for role in $roles; do rm -f "$destdir$prefix/lib/earshot/$role"; done
	rmdir "$destdir$prefix/lib/earshot" "$destdir$prefix/share/doc/earshot" 2>/dev/null || true
	if live; then systemctl daemon-reload; fi
	echo "Removed. Kept: $destdir/etc/earshot (configuration), $destdir/var/lib/earshot (alerts)."
	exit 0
fi

[ $# = 3 ] || fail "usage: install.sh BUILD_DIR DESTDIR PREFIX"
build=$1 destdir=$2 prefix=${3:-/usr/local}
[ -x "$build/earshotd" ] || fail "$build/earshotd is missing: run make first"

put_program "$build/earshotd" "$prefix/sbin/earshotd"
put_program "$build/earshot" "$prefix/bin/earshot"
put_program "$build/earshot-collector" "$prefix/bin/earshot-collector"
put_program "$build/earshot-sites" "$prefix/bin/earshot-sites"
for role in $roles; do put_program "$build/$role" "$prefix/lib/earshot/$role"; done

unit=$(mktemp)
trap 'rm -f "$unit"' EXIT
sed "s|=/usr/sbin/|=$prefix/sbin/|; s|=+/usr/bin/|=+$prefix/bin/|" "$here/earshot.service" >"$unit"
put 644 "$unit" "$prefix/lib/systemd/system/earshot.service"
put 644 "$here/earshot.sysusers" "$prefix/lib/sysusers.d/earshot.conf"
put 644 "$here/earshot.tmpfiles" "$prefix/lib/tmpfiles.d/earshot.conf"
put 644 "$here/earshot.yaml" "$prefix/share/doc/earshot/earshot.yaml"
put 644 "$here/rules.d/example.yaml" "$prefix/share/doc/earshot/rules-example.yaml"
install -d -m 755 "$destdir/etc/earshot/rules.d"
[ ! -e "$here/earshot.bash-completion" ] ||
	put 644 "$here/earshot.bash-completion" "$prefix/share/bash-completion/completions/earshot"
for page in "$here"/../docs/man/*.[158]; do
	[ ! -e "$page" ] || put 644 "$page" "$prefix/share/man/man${page##*.}/${page##*/}"
done
[ -e "$destdir/etc/earshot/earshot.yaml" ] || put 644 "$here/earshot.yaml" /etc/earshot/earshot.yaml

if live; then
	systemd-sysusers "$prefix/lib/sysusers.d/earshot.conf"
	systemd-tmpfiles --create "$prefix/lib/tmpfiles.d/earshot.conf"
	systemctl daemon-reload
	echo "Installed. Start it: systemctl enable --now earshot; look at it: earshot status"
fi
